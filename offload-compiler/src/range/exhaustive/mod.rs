//! Every transfer function against every result, at 8 bits with a low half of 4.
//!
//! The functions are generic over the width: what runs here is what programs run at 64 bits with a low half of 32, compiled
//! for small numbers. All parts of a [`super::Num`] are hulls (bounds, known bits), so a set of results is within one exactly if
//! the set's own hull is ([`hull::Hull`]). The hull of all results for a pair of operands comes from the hulls of its
//! halves, so that a pair costs one step and not up to 65,536:
//!
//! - known bits: an unknown bit is 0 or 1, and both halves come earlier in the order of ternary digits,
//! - bounds: a run of numbers is the run without its last, and the last.
//!
//! Branches keep sets of members ([`sets::Set`], 256 bits) instead, because what they must keep has holes.
//!
//! `OFFWIRE_EXHAUSTIVE=1` runs every pair, about 20 minutes of processor time with optimisation (docs/testing.md). Without it
//! each test takes a fixed share of the first operands, with all second ones.

mod alu;
mod bounds;
mod branches;
mod forms;
mod hull;
mod sets;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// True if everything is to run.
fn full() -> bool {
    std::env::var("OFFWIRE_EXHAUSTIVE").is_ok_and(|value| value == "1")
}

/// Calls `work` with all items, or with each `stride`-th if only a share is to run; `start` makes what a thread keeps from
/// item to item. Returns the sum of what `work` returns: pairs checked, and how many of them had the best possible result.
fn each<T: Sync, S>(
    items: &[T],
    stride: usize,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Tally + Sync,
) -> Tally {
    const CHUNK: usize = 64;
    let stride = if full() { 1 } else { stride };
    let (next, last) = (AtomicUsize::new(0), items.len().div_ceil(stride));
    let one = || {
        let (mut kept, mut sum) = (start(), Tally::default());
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            for index in from..last.min(from + CHUNK) {
                sum += work(&mut kept, &items[index * stride]);
            }
            if from >= last {
                return sum;
            }
        }
    };
    // A share runs beside other tests, on one thread.
    let threads = if full() { thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a result is missing"))
            .fold(Tally::default(), |a, b| a + b)
    })
}

/// How many pairs of operands were checked.
#[derive(Clone, Copy, Default)]
struct Tally {
    pairs: u64,
    /// Of them those whose result could not be tighter in its form.
    best: u64,
}

impl Tally {
    fn one(best: bool) -> Self {
        Tally { pairs: 1, best: u64::from(best) }
    }

    fn print(self, what: &str) {
        let percent = self.best as f64 * 100.0 / self.pairs.max(1) as f64;
        println!("{what}: {} pairs, {percent:.1} % of the results are the tightest of their form", self.pairs);
    }
}

impl std::ops::Add for Tally {
    type Output = Tally;
    fn add(self, other: Tally) -> Tally {
        Tally { pairs: self.pairs + other.pairs, best: self.best + other.best }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        *self = *self + other;
    }
}
