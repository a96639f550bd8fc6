// Generated from hw/spec by `cargo xtask codegen`; do not edit.
//! Registers.

use crate::BarOffset;
use crate::register::{Readable, Register, RingRegister, Writable};

/// "OFWR". All ones: the device is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Magic(pub u32);

impl Register for Magic {
    const NAME: &'static str = "Magic";
    const OFFSET: BarOffset = BarOffset(0x0);
    const RESET: u64 = 0x5257464f;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Magic(raw as u32)
    }
}

impl Readable for Magic {}

/// Version of this interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version(pub u32);

impl Register for Version {
    const NAME: &'static str = "Version";
    const OFFSET: BarOffset = BarOffset(0x4);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Version(raw as u32)
    }
}

impl Readable for Version {}

impl Version {
    /// Grows with what older drivers may ignore.
    pub const fn minor(self) -> u32 {
        self.0 & 0xffff
    }

    /// The same with another `minor`; a number that does not fit is cut.
    pub const fn with_minor(self, minor: u32) -> Self {
        Self(self.0 & !0xffff | (minor & 0xffff))
    }

    /// A driver refuses another one.
    pub const fn major(self) -> u32 {
        (self.0 >> 16) & 0xffff
    }

    /// The same with another `major`; a number that does not fit is cut.
    pub const fn with_major(self, major: u32) -> Self {
        Self(self.0 & !0xffff0000 | (major & 0xffff) << 16)
    }
}

/// ISA version that images must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IsaVersion(pub u32);

impl Register for IsaVersion {
    const NAME: &'static str = "IsaVersion";
    const OFFSET: BarOffset = BarOffset(0x8);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        IsaVersion(raw as u32)
    }
}

impl Readable for IsaVersion {}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Geometry(pub u32);

impl Register for Geometry {
    const NAME: &'static str = "Geometry";
    const OFFSET: BarOffset = BarOffset(0xc);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Geometry(raw as u32)
    }
}

impl Readable for Geometry {}

impl Geometry {
    /// Ports.
    pub const fn ports(self) -> u32 {
        self.0 & 0xff
    }

    /// The same with another `ports`; a number that does not fit is cut.
    pub const fn with_ports(self, ports: u32) -> Self {
        Self(self.0 & !0xff | (ports & 0xff))
    }

    /// Pairs of receive and transmit rings.
    pub const fn queue_pairs(self) -> u32 {
        (self.0 >> 8) & 0xff
    }

    /// The same with another `queue_pairs`; a number that does not fit is cut.
    pub const fn with_queue_pairs(self, queue_pairs: u32) -> Self {
        Self(self.0 & !0xff00 | (queue_pairs & 0xff) << 8)
    }

    /// MSI-X vectors.
    pub const fn vectors(self) -> u32 {
        (self.0 >> 16) & 0xff
    }

    /// The same with another `vectors`; a number that does not fit is cut.
    pub const fn with_vectors(self, vectors: u32) -> Self {
        Self(self.0 & !0xff0000 | (vectors & 0xff) << 16)
    }
}

/// Hash of the profile that images must be made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileHash(pub u64);

impl Register for ProfileHash {
    const NAME: &'static str = "ProfileHash";
    const OFFSET: BarOffset = BarOffset(0x10);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        ProfileHash(raw)
    }
}

impl Readable for ProfileHash {}

/// Clock of the device, MHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockMhz(pub u32);

impl Register for ClockMhz {
    const NAME: &'static str = "ClockMhz";
    const OFFSET: BarOffset = BarOffset(0x18);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        ClockMhz(raw as u32)
    }
}

impl Readable for ClockMhz {}

/// vCPUs: copies of a per-CPU value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vcpus(pub u32);

impl Register for Vcpus {
    const NAME: &'static str = "Vcpus";
    const OFFSET: BarOffset = BarOffset(0x1c);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Vcpus(raw as u32)
    }
}

impl Readable for Vcpus {}

/// Words of the instruction store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreWords(pub u32);

impl Register for StoreWords {
    const NAME: &'static str = "StoreWords";
    const OFFSET: BarOffset = BarOffset(0x20);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        StoreWords(raw as u32)
    }
}

impl Readable for StoreWords {}

/// Map memory, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapMemory(pub u32);

impl Register for MapMemory {
    const NAME: &'static str = "MapMemory";
    const OFFSET: BarOffset = BarOffset(0x24);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        MapMemory(raw as u32)
    }
}

impl Readable for MapMemory {}

/// How many objects there can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits(pub u32);

impl Register for Limits {
    const NAME: &'static str = "Limits";
    const OFFSET: BarOffset = BarOffset(0x28);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Limits(raw as u32)
    }
}

impl Readable for Limits {}

impl Limits {
    /// Programs.
    pub const fn programs(self) -> u32 {
        self.0 & 0xffff
    }

    /// The same with another `programs`; a number that does not fit is cut.
    pub const fn with_programs(self, programs: u32) -> Self {
        Self(self.0 & !0xffff | (programs & 0xffff))
    }

    /// Maps.
    pub const fn maps(self) -> u32 {
        (self.0 >> 16) & 0xffff
    }

    /// The same with another `maps`; a number that does not fit is cut.
    pub const fn with_maps(self, maps: u32) -> Self {
        Self(self.0 & !0xffff0000 | (maps & 0xffff) << 16)
    }
}

/// Time modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time(pub u32);

impl Register for Time {
    const NAME: &'static str = "Time";
    const OFFSET: BarOffset = BarOffset(0x2c);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Time(raw as u32)
    }
}

impl Readable for Time {}

impl Time {
    /// TimeMode in force.
    pub const fn mode(self) -> u32 {
        self.0 & 0xf
    }

    /// The same with another `mode`; a number that does not fit is cut.
    pub const fn with_mode(self, mode: u32) -> Self {
        Self(self.0 & !0xf | (mode & 0xf))
    }

    /// TimeModes that TimeSet may choose, bit 0: Virtual.
    pub const fn choices(self) -> u32 {
        (self.0 >> 8) & 0xf
    }

    /// The same with another `choices`; a number that does not fit is cut.
    pub const fn with_choices(self, choices: u32) -> Self {
        Self(self.0 & !0xf00 | (choices & 0xf) << 8)
    }
}

/// A number drawn at power on: tells a device that came back from one that never left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instance(pub u64);

impl Register for Instance {
    const NAME: &'static str = "Instance";
    const OFFSET: BarOffset = BarOffset(0x30);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        Instance(raw)
    }
}

impl Readable for Instance {}

/// Function-level and command resets since power on. What was loaded before the last one is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetCount(pub u32);

impl Register for ResetCount {
    const NAME: &'static str = "ResetCount";
    const OFFSET: BarOffset = BarOffset(0x38);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        ResetCount(raw as u32)
    }
}

impl Readable for ResetCount {}

/// State of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State(pub u32);

impl Register for State {
    const NAME: &'static str = "State";
    const OFFSET: BarOffset = BarOffset(0x3c);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        State(raw as u32)
    }
}

impl Readable for State {}

impl State {
    /// It takes commands.
    pub const fn ready(self) -> bool {
        self.0 & 1 != 0
    }

    /// The same with another `ready`; a number that does not fit is cut.
    pub const fn with_ready(self, ready: bool) -> Self {
        Self(self.0 & !0x1 | (ready as u32))
    }

    /// It must be reset.
    pub const fn failed(self) -> bool {
        (self.0 >> 1) & 1 != 0
    }

    /// The same with another `failed`; a number that does not fit is cut.
    pub const fn with_failed(self, failed: bool) -> Self {
        Self(self.0 & !0x2 | (failed as u32) << 1)
    }

    /// No packet is in flight and no write under way.
    pub const fn quiet(self) -> bool {
        (self.0 >> 2) & 1 != 0
    }

    /// The same with another `quiet`; a number that does not fit is cut.
    pub const fn with_quiet(self, quiet: bool) -> Self {
        Self(self.0 & !0x4 | (quiet as u32) << 2)
    }
}

/// Cycles since power on or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycle(pub u64);

impl Register for Cycle {
    const NAME: &'static str = "Cycle";
    const OFFSET: BarOffset = BarOffset(0x40);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        Cycle(raw)
    }
}

impl Readable for Cycle {}

/// Device time, ns: what ktime gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nanoseconds(pub u64);

impl Register for Nanoseconds {
    const NAME: &'static str = "Nanoseconds";
    const OFFSET: BarOffset = BarOffset(0x48);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        Nanoseconds(raw)
    }
}

impl Readable for Nanoseconds {}

/// Writing 0x54455352 ("RSET") resets as an FLR does, but for configuration space and MSI-X; other values do nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetRequest(pub u32);

impl Register for ResetRequest {
    const NAME: &'static str = "ResetRequest";
    const OFFSET: BarOffset = BarOffset(0x50);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        ResetRequest(raw as u32)
    }
}

impl Writable for ResetRequest {}

/// Any write wakes a device that sleeps: it looks at its doorbells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake(pub u32);

impl Register for Wake {
    const NAME: &'static str = "Wake";
    const OFFSET: BarOffset = BarOffset(0x54);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        Wake(raw as u32)
    }
}

impl Writable for Wake {}

/// Packets that have arrived since reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets(pub u64);

impl Register for Packets {
    const NAME: &'static str = "Packets";
    const OFFSET: BarOffset = BarOffset(0x58);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        Packets(raw)
    }
}

impl Readable for Packets {}

/// IOVA of the first descriptor, a multiple of 64. Taken when the ring is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingBase(pub u64);

impl RingRegister for RingBase {
    const NAME: &'static str = "RingBase";
    const OFFSET: BarOffset = BarOffset(0x0);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        RingBase(raw)
    }
}

impl Readable for RingBase {}

impl Writable for RingBase {}

/// Events: IOVA of the data area. Taken when the ring is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingData(pub u64);

impl RingRegister for RingData {
    const NAME: &'static str = "RingData";
    const OFFSET: BarOffset = BarOffset(0x8);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        RingData(raw)
    }
}

impl Readable for RingData {}

impl Writable for RingData {}

/// Entries. Taken when the ring is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingSize(pub u32);

impl RingRegister for RingSize {
    const NAME: &'static str = "RingSize";
    const OFFSET: BarOffset = BarOffset(0x10);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingSize(raw as u32)
    }
}

impl Readable for RingSize {}

impl Writable for RingSize {}

impl RingSize {
    /// Binary logarithm of the entries, 1 to 16.
    pub const fn log2(self) -> u32 {
        self.0 & 0x1f
    }

    /// The same with another `log2`; a number that does not fit is cut.
    pub const fn with_log2(self, log2: u32) -> Self {
        Self(self.0 & !0x1f | (log2 & 0x1f))
    }
}

/// Events: bytes of the data area, a power of two from 4096 on. Taken when the ring is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingDataSize(pub u32);

impl RingRegister for RingDataSize {
    const NAME: &'static str = "RingDataSize";
    const OFFSET: BarOffset = BarOffset(0x14);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingDataSize(raw as u32)
    }
}

impl Readable for RingDataSize {}

impl Writable for RingDataSize {}

/// Control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingControl(pub u32);

impl RingRegister for RingControl {
    const NAME: &'static str = "RingControl";
    const OFFSET: BarOffset = BarOffset(0x18);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingControl(raw as u32)
    }
}

impl Readable for RingControl {}

impl Writable for RingControl {}

impl RingControl {
    /// From 0 to 1: takes base and size, index 0, phase 1, doorbell 0. To 0: the ring stops; when the write is done the device does not touch its memory any more.
    pub const fn enable(self) -> bool {
        self.0 & 1 != 0
    }

    /// The same with another `enable`; a number that does not fit is cut.
    pub const fn with_enable(self, enable: bool) -> Self {
        Self(self.0 & !0x1 | (enable as u32))
    }

    /// Receive: each packet is preceded by a ReceiveReport in its buffer.
    pub const fn report(self) -> bool {
        (self.0 >> 1) & 1 != 0
    }

    /// The same with another `report`; a number that does not fit is cut.
    pub const fn with_report(self, report: bool) -> Self {
        Self(self.0 & !0x2 | (report as u32) << 1)
    }
}

/// Interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingVector(pub u32);

impl RingRegister for RingVector {
    const NAME: &'static str = "RingVector";
    const OFFSET: BarOffset = BarOffset(0x1c);
    const RESET: u64 = 0xffff;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingVector(raw as u32)
    }
}

impl Readable for RingVector {}

impl Writable for RingVector {}

impl RingVector {
    /// MSI-X vector, 0xffff: none.
    pub const fn vector(self) -> u32 {
        self.0 & 0xffff
    }

    /// The same with another `vector`; a number that does not fit is cut.
    pub const fn with_vector(self, vector: u32) -> Self {
        Self(self.0 & !0xffff | (vector & 0xffff))
    }
}

/// When the vector is signalled: after so many entries, or when the delay is over, or when the device has nothing left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingModeration(pub u32);

impl RingRegister for RingModeration {
    const NAME: &'static str = "RingModeration";
    const OFFSET: BarOffset = BarOffset(0x20);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingModeration(raw as u32)
    }
}

impl Readable for RingModeration {}

impl Writable for RingModeration {}

impl RingModeration {
    /// Entries; 0 and 1: each.
    pub const fn count(self) -> u32 {
        self.0 & 0xffff
    }

    /// The same with another `count`; a number that does not fit is cut.
    pub const fn with_count(self, count: u32) -> Self {
        Self(self.0 & !0xffff | (count & 0xffff))
    }

    /// Device time since the first entry that was not signalled, microseconds; 0: no delay.
    pub const fn delay_us(self) -> u32 {
        (self.0 >> 16) & 0xffff
    }

    /// The same with another `delay_us`; a number that does not fit is cut.
    pub const fn with_delay_us(self, delay_us: u32) -> Self {
        Self(self.0 & !0xffff0000 | (delay_us & 0xffff) << 16)
    }
}

/// State.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingState(pub u32);

impl RingRegister for RingState {
    const NAME: &'static str = "RingState";
    const OFFSET: BarOffset = BarOffset(0x24);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingState(raw as u32)
    }
}

impl Readable for RingState {}

impl RingState {
    /// It works.
    pub const fn enabled(self) -> bool {
        self.0 & 1 != 0
    }

    /// The same with another `enabled`; a number that does not fit is cut.
    pub const fn with_enabled(self, enabled: bool) -> Self {
        Self(self.0 & !0x1 | (enabled as u32))
    }

    /// A fault has stopped it.
    pub const fn stopped(self) -> bool {
        (self.0 >> 1) & 1 != 0
    }

    /// The same with another `stopped`; a number that does not fit is cut.
    pub const fn with_stopped(self, stopped: bool) -> Self {
        Self(self.0 & !0x2 | (stopped as u32) << 1)
    }

    /// RingFault.
    pub const fn fault(self) -> u32 {
        (self.0 >> 8) & 0xff
    }

    /// The same with another `fault`; a number that does not fit is cut.
    pub const fn with_fault(self, fault: u32) -> Self {
        Self(self.0 & !0xff00 | (fault & 0xff) << 8)
    }
}

/// More about the fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingFaultArgument(pub u64);

impl RingRegister for RingFaultArgument {
    const NAME: &'static str = "RingFaultArgument";
    const OFFSET: BarOffset = BarOffset(0x28);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 8;

    fn to_raw(self) -> u64 {
        self.0
    }

    fn from_raw(raw: u64) -> Self {
        RingFaultArgument(raw)
    }
}

impl Readable for RingFaultArgument {}

/// The device's index: entries consumed or produced since the ring was enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingIndex(pub u32);

impl RingRegister for RingIndex {
    const NAME: &'static str = "RingIndex";
    const OFFSET: BarOffset = BarOffset(0x30);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingIndex(raw as u32)
    }
}

impl Readable for RingIndex {}

/// Events or packets lost since the ring was enabled because it was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingLost(pub u32);

impl RingRegister for RingLost {
    const NAME: &'static str = "RingLost";
    const OFFSET: BarOffset = BarOffset(0x34);
    const RESET: u64 = 0x0;
    const BYTES: u32 = 4;

    fn to_raw(self) -> u64 {
        self.0.into()
    }

    fn from_raw(raw: u64) -> Self {
        RingLost(raw as u32)
    }
}

impl Readable for RingLost {}
