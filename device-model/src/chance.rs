//! What a program cannot know before: the clock, and random numbers.

/// Cycles to nanoseconds and ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Cycles in a microsecond.
    mhz: u64,
    /// Time and ticks that stand still, if they do.
    fixed: Option<(u64, u64)>,
    /// Nanoseconds at cycle 0, modulo 2^64.
    base: u64,
}

/// Nanoseconds of a tick: 250 a second (`CONFIG_HZ` of most kernels).
const TICK_NS: u64 = 4_000_000;

impl Clock {
    pub(crate) fn new(mhz: u32) -> Self {
        Clock { mhz: u64::from(mhz.max(1)), fixed: None, base: 0 }
    }

    /// Time and ticks stand still from now on.
    pub(crate) fn fix(&mut self, ktime_ns: u64, jiffies: u64) {
        self.fixed = Some((ktime_ns, jiffies));
    }

    /// Time goes on from `ns` at a cycle.
    pub(crate) fn set(&mut self, cycle: u64, ns: u64) {
        self.fixed = None;
        self.base = ns.wrapping_sub(cycle * 1000 / self.mhz);
    }

    /// Nanoseconds since `load` at a cycle, which is below 2^48.
    pub(crate) fn ktime_ns(&self, cycle: u64) -> u64 {
        self.fixed.map_or((cycle * 1000 / self.mhz).wrapping_add(self.base), |fixed| fixed.0)
    }

    /// Ticks since `load` at a cycle.
    pub(crate) fn jiffies(&self, cycle: u64) -> u64 {
        self.fixed.map_or(self.ktime_ns(cycle) / TICK_NS, |fixed| fixed.1)
    }
}

/// The random generator of the device; it makes one number a cycle.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    state: u64,
    /// First cycle at which the next number can be made.
    free: u64,
}

impl Generator {
    pub(crate) fn new(state: u64) -> Self {
        Generator { state, free: 0 }
    }

    /// Goes on from this state.
    pub(crate) fn set(&mut self, state: u64) {
        self.state = state;
    }

    /// The next number, and when its making starts; the request is here at `cycle`. The multiplier and the increment are those of
    /// PCG (O'Neill, 2014).
    pub(crate) fn next(&mut self, cycle: u64) -> (u32, u64) {
        let start = self.free.max(cycle);
        self.free = start + 1;
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 32) as u32, start)
    }
}
