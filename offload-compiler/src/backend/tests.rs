//! Words against IR: whatever the back half makes must do what the IR says.

use super::random::{self, Rng};
use super::{Generated, eval, generate};
use crate::ebpf::MapIdx;
use crate::ir::interp::{self, Maps, Packet};
use crate::ir::{Func, check, parse, print};
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode};
use offwire_isa::SMALL;

fn dispatch() -> Dispatch {
    Dispatch { mode: DispatchMode::Cpu, reason: "a test".into() }
}

fn compile(func: &Func) -> Generated {
    generate(func, &random::maps(), dispatch(), &SMALL, |_| Span::default())
        .unwrap_or_else(|error| panic!("{error}\n{}", print(func)))
}

/// Runs both on the same packets and maps, one after the other, so that maps fill up.
fn same(func: &Func, made: &Generated, seed: u64, packets: u64) -> (u64, u64) {
    let mut rng = Rng::new(seed);
    let specs = random::maps();
    let (mut maps_a, mut maps_b) = (Maps::new(&specs), Maps::new(&specs));
    let mut words = 0;
    for n in 0..packets {
        let len = 14 + rng.below(100) as usize;
        let bytes: Vec<u8> = (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect();
        let (mut a, mut b) = (Packet::new(&bytes), Packet::new(&bytes));
        let wanted = interp::run(func, &mut a, &mut maps_a).unwrap_or_else(|f| panic!("{f:?}\n{}", print(func)));
        let got = eval::run(&made.image, &mut b, &mut maps_b);
        let show = || format!("{}\n{}", print(func), crate::emit::dump(&made.image, None));
        let (got, count) = got.unwrap_or_else(|what| panic!("{what}, packet {n} of seed {seed}\n{}", show()));
        words += u64::from(count);
        assert_eq!(got, wanted, "return value, packet {n} of seed {seed}\n{}", show());
        assert_eq!(a.bytes(), b.bytes(), "packet {n} of seed {seed}\n{}", show());
        for map in 0..specs.len() {
            let map = MapIdx(map as u16);
            assert_eq!(maps_a.entries(map), maps_b.entries(map), "map {map:?}, packet {n} of seed {seed}\n{}", show());
        }
    }
    (words, packets)
}

#[test]
fn words_do_what_the_ir_says() {
    for seed in 0..random::seeds(400) {
        let func = random::function(seed, 10 + (seed % 90) as u32);
        assert_eq!(check(&func), Ok(()), "seed {seed}\n{}", print(&func));
        same(&func, &compile(&func), seed, 12);
    }
}

/// Loads that could all be made at once, but are used up slowly.
fn hungry(loads: u32) -> Func {
    let mut text = format!("func hungry\nb0:\n  guard {} then b1 else b2\nb1:\n", 2 * loads);
    text.push_str("  v0 = const 31\n  v1 = const 1\n");
    let mut sum = 1;
    for n in 0..loads {
        let load = 4 * n + 2;
        text.push_str(&format!("  v{load} = load.2 pkt[{}]\n  v{} = mul.64 v{sum}, v0\n", 2 * n, load + 1));
        text.push_str(&format!("  v{} = xor.64 v{}, v{load}\n", load + 2, load + 1));
        sum = load + 3;
        text.push_str(&format!("  v{sum} = mul.64 v{}, v0\n", load + 2));
    }
    text.push_str(&format!("  exit v{sum}\nb2:\n  v{} = const 1\n  exit v{}\n", sum + 1, sum + 1));
    parse(&text).unwrap()
}

#[test]
fn what_is_loaded_early_does_not_fill_the_registers() {
    let func = hungry(100);
    let made = compile(&func);
    assert_eq!(made.stats.spills, 0);
    same(&func, &made, 1, 5);
}
