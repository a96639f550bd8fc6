//! What a program draws from the clock and from the random generator, the same for all back ends of a comparison.
//!
//! Clocks stand still while a packet runs. Random numbers come from a 64-bit linear congruential generator (D. Knuth's MMIX
//! constants), of which a number is the high half: simple enough for eBPF instructions, Rust and hardware alike.

/// The sources of chance, as a packet finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// What bpf_ktime_get_ns, bpf_ktime_get_boot_ns and bpf_ktime_get_coarse_ns give: nanoseconds since boot.
    pub ktime_ns: u64,
    /// What bpf_jiffies64 gives.
    pub jiffies: u64,
    /// State of the random generator before the packet; each bpf_get_prandom_u32 moves it on.
    pub random_state: u64,
}

/// Factor of the generator.
pub const RANDOM_FACTOR: u64 = 6_364_136_223_846_793_005;
/// What the generator adds.
pub const RANDOM_INCREMENT: u64 = 1_442_695_040_888_963_407;

/// Nanoseconds since boot at which a comparison begins.
const FIRST_KTIME_NS: u64 = 1_000_000_000;
/// Jiffies at boot: `INITIAL_JIFFIES` of include/linux/jiffies.h lets the low 32 bits overflow 300 seconds later.
const FIRST_JIFFIES: u64 = 4_294_667_296;
/// Nanoseconds of a jiffy at HZ 250.
const JIFFY_NS: u64 = 4_000_000;

impl Chance {
    /// As packet number `packet` finds them, which arrives `arrival_ns` after the first one.
    pub fn of_packet(packet: u64, arrival_ns: u64) -> Self {
        let ktime_ns = FIRST_KTIME_NS.saturating_add(arrival_ns);
        Self { ktime_ns, jiffies: FIRST_JIFFIES.saturating_add(ktime_ns / JIFFY_NS), random_state: scatter(packet) }
    }

    /// bpf_get_prandom_u32: moves the generator on.
    pub fn random(&mut self) -> u32 {
        self.random_state = self.random_state.wrapping_mul(RANDOM_FACTOR).wrapping_add(RANDOM_INCREMENT);
        (self.random_state >> 32) as u32
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::of_packet(0, 0)
    }
}

/// A state that is far from those of neighbours (splitmix64, S. Vigna).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
