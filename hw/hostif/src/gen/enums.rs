// Generated from hw/spec by `cargo xtask codegen`; do not edit.

/// What a command asks for. `object`, `argument`, `value`, `count`, `flags`: fields of the command; `in` and `out`: its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Opcode {
    /// Nothing; it completes.
    Nop = 0,
    /// Loads an image. in: ProgramLoad record, bindings (u16 each: a map id, or 0xffff: create the map), padding to 8 B, image. result: program id. Failure leaves nothing behind.
    ProgramLoad = 16,
    /// object: program id. Refused while attached. Its words and the maps that only it held and that were created with it are free once the last packet that runs it has left.
    ProgramUnload = 17,
    /// object: program id. out: ProgramInfo record, then its map ids (u16 each) in order of the image's slots.
    ProgramInfo = 18,
    /// object: program id, or 0xffffffff to start. result: the next id above it. NotFound at the end.
    ProgramNext = 19,
    /// object: port; argument: program id; value: DispatchChoice; flag Expect: count must be the program that is attached now (0xffffffff: none), else Changed. Swaps if one is attached: each packet runs under exactly one of the two. result: the former program or 0xffffffff.
    PortAttach = 32,
    /// object: port; flag Expect as PortAttach. result: the former program. NotFound if there was none.
    PortDetach = 33,
    /// object: port. out: PortInfo record.
    PortInfo = 34,
    /// object: port; argument: PortFlag bits; value: ifindex that programs see (0: port + 1).
    PortSet = 35,
    /// in: MapCreate record, then initial bytes of element 0 (arrays). result: map id.
    MapCreate = 48,
    /// object: map id. Busy while a program or an outer map holds it. Its memory is free once each older packet has left.
    MapFree = 49,
    /// object: map id. out: MapInfo record.
    MapInfo = 50,
    /// object: map id, or 0xffffffff to start. result: the next id above it. NotFound at the end.
    MapNext = 51,
    /// object: map id. From now on only programs change it.
    MapFreeze = 52,
    /// object: map id. in: key. out: value; of a per-CPU map the value of each vCPU, each padded to 8 B.
    MapLookup = 53,
    /// object: map id; value: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2. in: key padded to 8 B, value as MapLookup gives it.
    MapUpdate = 54,
    /// object: map id. in: key.
    MapDelete = 55,
    /// object: map id. in: key, or no bytes to start. out: the key after it; the first one if it is not there. NotFound at the end.
    MapNextKey = 56,
    /// object: map id; count: entries at most. in: the key after which to go on, or no bytes to start. out: entries: key padded to 8 B, value as MapLookup padded to 8 B. Completion count: entries. result: 1 if there may be more.
    MapLookupBatch = 57,
    /// object: map id; count: entries; value: as MapUpdate. in: entries as MapLookupBatch gives them. Completion count: entries done; the first that fails ends the batch with its status.
    MapUpdateBatch = 58,
    /// object: map id; count: keys. in: keys, each padded to 8 B. Completion count: keys done; the first that fails ends the batch with its status.
    MapDeleteBatch = 59,
    /// argument: CounterDomain; object: port, program, map or ring. out: u64 each, in the order of the counter tables.
    CountersRead = 64,
    /// argument: TimeMode, refused as NotSupported if the device cannot change it; flag Base: value is the time (ns) that ktime gives now.
    TimeSet = 80,
    /// in: Chance record. From now on ktime and jiffies stand still and random numbers go on from the given state; for compared runs.
    ChanceSet = 81,
    /// Completes when each packet that arrived before it has left and its writes are done; later commands wait behind it.
    Quiesce = 96,
    /// Programs, maps, ports, counters and time are as after power on; rings stay.
    Reset = 97,
}

impl Opcode {
    /// All values.
    pub const ALL: [Opcode; 26] = [
        Opcode::Nop,
        Opcode::ProgramLoad,
        Opcode::ProgramUnload,
        Opcode::ProgramInfo,
        Opcode::ProgramNext,
        Opcode::PortAttach,
        Opcode::PortDetach,
        Opcode::PortInfo,
        Opcode::PortSet,
        Opcode::MapCreate,
        Opcode::MapFree,
        Opcode::MapInfo,
        Opcode::MapNext,
        Opcode::MapFreeze,
        Opcode::MapLookup,
        Opcode::MapUpdate,
        Opcode::MapDelete,
        Opcode::MapNextKey,
        Opcode::MapLookupBatch,
        Opcode::MapUpdateBatch,
        Opcode::MapDeleteBatch,
        Opcode::CountersRead,
        Opcode::TimeSet,
        Opcode::ChanceSet,
        Opcode::Quiesce,
        Opcode::Reset,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Opcode::Nop,
            16 => Opcode::ProgramLoad,
            17 => Opcode::ProgramUnload,
            18 => Opcode::ProgramInfo,
            19 => Opcode::ProgramNext,
            32 => Opcode::PortAttach,
            33 => Opcode::PortDetach,
            34 => Opcode::PortInfo,
            35 => Opcode::PortSet,
            48 => Opcode::MapCreate,
            49 => Opcode::MapFree,
            50 => Opcode::MapInfo,
            51 => Opcode::MapNext,
            52 => Opcode::MapFreeze,
            53 => Opcode::MapLookup,
            54 => Opcode::MapUpdate,
            55 => Opcode::MapDelete,
            56 => Opcode::MapNextKey,
            57 => Opcode::MapLookupBatch,
            58 => Opcode::MapUpdateBatch,
            59 => Opcode::MapDeleteBatch,
            64 => Opcode::CountersRead,
            80 => Opcode::TimeSet,
            81 => Opcode::ChanceSet,
            96 => Opcode::Quiesce,
            97 => Opcode::Reset,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            Opcode::Nop => "Nothing; it completes.",
            Opcode::ProgramLoad => "Loads an image. in: ProgramLoad record, bindings (u16 each: a map id, or 0xffff: create the map), padding to 8 B, image. result: program id. Failure leaves nothing behind.",
            Opcode::ProgramUnload => "object: program id. Refused while attached. Its words and the maps that only it held and that were created with it are free once the last packet that runs it has left.",
            Opcode::ProgramInfo => "object: program id. out: ProgramInfo record, then its map ids (u16 each) in order of the image's slots.",
            Opcode::ProgramNext => "object: program id, or 0xffffffff to start. result: the next id above it. NotFound at the end.",
            Opcode::PortAttach => "object: port; argument: program id; value: DispatchChoice; flag Expect: count must be the program that is attached now (0xffffffff: none), else Changed. Swaps if one is attached: each packet runs under exactly one of the two. result: the former program or 0xffffffff.",
            Opcode::PortDetach => "object: port; flag Expect as PortAttach. result: the former program. NotFound if there was none.",
            Opcode::PortInfo => "object: port. out: PortInfo record.",
            Opcode::PortSet => "object: port; argument: PortFlag bits; value: ifindex that programs see (0: port + 1).",
            Opcode::MapCreate => "in: MapCreate record, then initial bytes of element 0 (arrays). result: map id.",
            Opcode::MapFree => "object: map id. Busy while a program or an outer map holds it. Its memory is free once each older packet has left.",
            Opcode::MapInfo => "object: map id. out: MapInfo record.",
            Opcode::MapNext => "object: map id, or 0xffffffff to start. result: the next id above it. NotFound at the end.",
            Opcode::MapFreeze => "object: map id. From now on only programs change it.",
            Opcode::MapLookup => "object: map id. in: key. out: value; of a per-CPU map the value of each vCPU, each padded to 8 B.",
            Opcode::MapUpdate => "object: map id; value: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2. in: key padded to 8 B, value as MapLookup gives it.",
            Opcode::MapDelete => "object: map id. in: key.",
            Opcode::MapNextKey => "object: map id. in: key, or no bytes to start. out: the key after it; the first one if it is not there. NotFound at the end.",
            Opcode::MapLookupBatch => "object: map id; count: entries at most. in: the key after which to go on, or no bytes to start. out: entries: key padded to 8 B, value as MapLookup padded to 8 B. Completion count: entries. result: 1 if there may be more.",
            Opcode::MapUpdateBatch => "object: map id; count: entries; value: as MapUpdate. in: entries as MapLookupBatch gives them. Completion count: entries done; the first that fails ends the batch with its status.",
            Opcode::MapDeleteBatch => "object: map id; count: keys. in: keys, each padded to 8 B. Completion count: keys done; the first that fails ends the batch with its status.",
            Opcode::CountersRead => "argument: CounterDomain; object: port, program, map or ring. out: u64 each, in the order of the counter tables.",
            Opcode::TimeSet => "argument: TimeMode, refused as NotSupported if the device cannot change it; flag Base: value is the time (ns) that ktime gives now.",
            Opcode::ChanceSet => "in: Chance record. From now on ktime and jiffies stand still and random numbers go on from the given state; for compared runs.",
            Opcode::Quiesce => "Completes when each packet that arrived before it has left and its writes are done; later commands wait behind it.",
            Opcode::Reset => "Programs, maps, ports, counters and time are as after power on; rings stay.",
        }
    }
}

/// How a command ended. `argument` of the completion says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such command. argument: the opcode.
    BadOpcode = 1,
    /// A field has a value that it cannot have, or a reserved one is not 0. argument: byte offset in the descriptor.
    BadField = 2,
    /// The record or list in the buffer is not possible. argument: byte offset in the buffer.
    BadRecord = 3,
    /// The device may not read or write there: not mapped, wrong direction, or not a bus master. argument: the address.
    DmaFault = 4,
    /// The buffer is too small or too large. argument: bytes needed, or the limit.
    BufferSize = 5,
    /// argument: the id.
    NoSuchProgram = 6,
    /// argument: the id.
    NoSuchMap = 7,
    /// argument: the port.
    NoSuchPort = 8,
    /// The device does not have this.
    NotSupported = 9,
    /// It is in use. argument: who holds it (port, program or map id).
    Busy = 10,
    /// Another program is attached than expected. argument: its id, 0xffffffff if none.
    Changed = 11,
    /// ENOENT: there is no such key, or no further one.
    NotFound = 12,
    /// EEXIST: the key is there already.
    Exists = 13,
    /// E2BIG: the map is full, or the index beyond its end.
    Full = 14,
    /// EINVAL: the kind of map cannot do this, or flags are unknown.
    Invalid = 15,
    /// EPERM: the map is frozen.
    Frozen = 16,
    /// EBADF: the value names no program, map or interface that may stand in the map.
    Reference = 17,
    /// ENOMEM: map memory is exhausted. argument: bytes needed.
    MapMemory = 18,
    /// The device cannot hold such a map. argument: bits 63:32 the image's slot if it comes from an image, bits 31:0 MapRefusal.
    MapRefused = 19,
    /// The existing map does not fit the image's. argument: the image's slot.
    MapMismatch = 20,
    /// The instruction store has no room. argument: words needed.
    StoreFull = 21,
    /// All ids of programs or maps are in use. argument: how many there are.
    TooMany = 22,
    /// The bytes are no image.
    ImageContainer = 23,
    /// The image is for another ISA version or profile.
    ImageBinding = 24,
    /// The image breaks a rule. argument: word address, or 0xffffffff.
    ImageCheck = 25,
    /// The device failed; it must be reset.
    Internal = 26,
}

impl Status {
    /// All values.
    pub const ALL: [Status; 27] = [
        Status::Ok,
        Status::BadOpcode,
        Status::BadField,
        Status::BadRecord,
        Status::DmaFault,
        Status::BufferSize,
        Status::NoSuchProgram,
        Status::NoSuchMap,
        Status::NoSuchPort,
        Status::NotSupported,
        Status::Busy,
        Status::Changed,
        Status::NotFound,
        Status::Exists,
        Status::Full,
        Status::Invalid,
        Status::Frozen,
        Status::Reference,
        Status::MapMemory,
        Status::MapRefused,
        Status::MapMismatch,
        Status::StoreFull,
        Status::TooMany,
        Status::ImageContainer,
        Status::ImageBinding,
        Status::ImageCheck,
        Status::Internal,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Status::Ok,
            1 => Status::BadOpcode,
            2 => Status::BadField,
            3 => Status::BadRecord,
            4 => Status::DmaFault,
            5 => Status::BufferSize,
            6 => Status::NoSuchProgram,
            7 => Status::NoSuchMap,
            8 => Status::NoSuchPort,
            9 => Status::NotSupported,
            10 => Status::Busy,
            11 => Status::Changed,
            12 => Status::NotFound,
            13 => Status::Exists,
            14 => Status::Full,
            15 => Status::Invalid,
            16 => Status::Frozen,
            17 => Status::Reference,
            18 => Status::MapMemory,
            19 => Status::MapRefused,
            20 => Status::MapMismatch,
            21 => Status::StoreFull,
            22 => Status::TooMany,
            23 => Status::ImageContainer,
            24 => Status::ImageBinding,
            25 => Status::ImageCheck,
            26 => Status::Internal,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            Status::Ok => "Done.",
            Status::BadOpcode => "No such command. argument: the opcode.",
            Status::BadField => "A field has a value that it cannot have, or a reserved one is not 0. argument: byte offset in the descriptor.",
            Status::BadRecord => "The record or list in the buffer is not possible. argument: byte offset in the buffer.",
            Status::DmaFault => "The device may not read or write there: not mapped, wrong direction, or not a bus master. argument: the address.",
            Status::BufferSize => "The buffer is too small or too large. argument: bytes needed, or the limit.",
            Status::NoSuchProgram => "argument: the id.",
            Status::NoSuchMap => "argument: the id.",
            Status::NoSuchPort => "argument: the port.",
            Status::NotSupported => "The device does not have this.",
            Status::Busy => "It is in use. argument: who holds it (port, program or map id).",
            Status::Changed => "Another program is attached than expected. argument: its id, 0xffffffff if none.",
            Status::NotFound => "ENOENT: there is no such key, or no further one.",
            Status::Exists => "EEXIST: the key is there already.",
            Status::Full => "E2BIG: the map is full, or the index beyond its end.",
            Status::Invalid => "EINVAL: the kind of map cannot do this, or flags are unknown.",
            Status::Frozen => "EPERM: the map is frozen.",
            Status::Reference => "EBADF: the value names no program, map or interface that may stand in the map.",
            Status::MapMemory => "ENOMEM: map memory is exhausted. argument: bytes needed.",
            Status::MapRefused => "The device cannot hold such a map. argument: bits 63:32 the image's slot if it comes from an image, bits 31:0 MapRefusal.",
            Status::MapMismatch => "The existing map does not fit the image's. argument: the image's slot.",
            Status::StoreFull => "The instruction store has no room. argument: words needed.",
            Status::TooMany => "All ids of programs or maps are in use. argument: how many there are.",
            Status::ImageContainer => "The bytes are no image.",
            Status::ImageBinding => "The image is for another ISA version or profile.",
            Status::ImageCheck => "The image breaks a rule. argument: word address, or 0xffffffff.",
            Status::Internal => "The device failed; it must be reset.",
        }
    }
}

/// Why the device cannot hold a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum MapRefusal {
    /// The device has no maps of this kind.
    Kind = 1,
    /// Flags that it does not know.
    Flags = 2,
    /// max_entries is 0.
    NoEntries = 3,
    /// The key size does not fit the kind.
    KeySize = 4,
    /// The value size does not fit the kind.
    ValueSize = 5,
    /// More initial bytes than a value has.
    InitSize = 6,
    /// No power of two of whole pages, or too large.
    RingSize = 7,
    /// More elements than a handle can name.
    Elements = 8,
    /// A spin lock that cannot be there.
    Lock = 9,
    /// The inner map is none that may stand in a map of maps.
    Inner = 10,
}

impl MapRefusal {
    /// All values.
    pub const ALL: [MapRefusal; 10] = [
        MapRefusal::Kind,
        MapRefusal::Flags,
        MapRefusal::NoEntries,
        MapRefusal::KeySize,
        MapRefusal::ValueSize,
        MapRefusal::InitSize,
        MapRefusal::RingSize,
        MapRefusal::Elements,
        MapRefusal::Lock,
        MapRefusal::Inner,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => MapRefusal::Kind,
            2 => MapRefusal::Flags,
            3 => MapRefusal::NoEntries,
            4 => MapRefusal::KeySize,
            5 => MapRefusal::ValueSize,
            6 => MapRefusal::InitSize,
            7 => MapRefusal::RingSize,
            8 => MapRefusal::Elements,
            9 => MapRefusal::Lock,
            10 => MapRefusal::Inner,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            MapRefusal::Kind => "The device has no maps of this kind.",
            MapRefusal::Flags => "Flags that it does not know.",
            MapRefusal::NoEntries => "max_entries is 0.",
            MapRefusal::KeySize => "The key size does not fit the kind.",
            MapRefusal::ValueSize => "The value size does not fit the kind.",
            MapRefusal::InitSize => "More initial bytes than a value has.",
            MapRefusal::RingSize => "No power of two of whole pages, or too large.",
            MapRefusal::Elements => "More elements than a handle can name.",
            MapRefusal::Lock => "A spin lock that cannot be there.",
            MapRefusal::Inner => "The inner map is none that may stand in a map of maps.",
        }
    }
}

/// Why a ring has stopped. It stays stopped until it is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum RingFault {
    /// It has not.
    None = 0,
    /// The ring's own memory cannot be read or written. argument: the address.
    DmaFault = 1,
    /// A descriptor that the doorbell announced does not have the phase of its lap. argument: its index.
    BadPhase = 2,
    /// The doorbell announces more than the ring holds, or takes back. argument: its value.
    BadDoorbell = 3,
    /// The base is not aligned to 64 B or the ring leaves 64 bits. argument: the base.
    BadBase = 4,
    /// Less than 2 or more than 65536 entries, or no data area where one is needed. argument: the size.
    BadSize = 5,
    /// Completions have no room: the completion ring is smaller than what is under way. argument: index.
    Overrun = 6,
}

impl RingFault {
    /// All values.
    pub const ALL: [RingFault; 7] = [
        RingFault::None,
        RingFault::DmaFault,
        RingFault::BadPhase,
        RingFault::BadDoorbell,
        RingFault::BadBase,
        RingFault::BadSize,
        RingFault::Overrun,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => RingFault::None,
            1 => RingFault::DmaFault,
            2 => RingFault::BadPhase,
            3 => RingFault::BadDoorbell,
            4 => RingFault::BadBase,
            5 => RingFault::BadSize,
            6 => RingFault::Overrun,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            RingFault::None => "It has not.",
            RingFault::DmaFault => "The ring's own memory cannot be read or written. argument: the address.",
            RingFault::BadPhase => "A descriptor that the doorbell announced does not have the phase of its lap. argument: its index.",
            RingFault::BadDoorbell => "The doorbell announces more than the ring holds, or takes back. argument: its value.",
            RingFault::BadBase => "The base is not aligned to 64 B or the ring leaves 64 bits. argument: the base.",
            RingFault::BadSize => "Less than 2 or more than 65536 entries, or no data area where one is needed. argument: the size.",
            RingFault::Overrun => "Completions have no room: the completion ring is smaller than what is under way. argument: index.",
        }
    }
}

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum EventKind {
    /// A record that was submitted to a ring buffer. map, data: the record.
    Ringbuf = 1,
    /// bpf_perf_event_output. map, index: index in it, data: the record, then `packet_bytes` bytes of the packet.
    Perf = 2,
    /// bpf_trace_printk. data: the format and the texts that it reads (`index` bytes), padding to 8 B, three u64 arguments.
    Printk = 3,
    /// A packet was lost. code: DropReason.
    Drop = 4,
    /// A fault ended a packet. code: fault cause (chapter ISA), argument: word address.
    Fault = 5,
    /// A ring has stopped. index: its number, code: RingFault, argument.
    Ring = 6,
}

impl EventKind {
    /// All values.
    pub const ALL: [EventKind; 6] = [
        EventKind::Ringbuf,
        EventKind::Perf,
        EventKind::Printk,
        EventKind::Drop,
        EventKind::Fault,
        EventKind::Ring,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => EventKind::Ringbuf,
            2 => EventKind::Perf,
            3 => EventKind::Printk,
            4 => EventKind::Drop,
            5 => EventKind::Fault,
            6 => EventKind::Ring,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            EventKind::Ringbuf => "A record that was submitted to a ring buffer. map, data: the record.",
            EventKind::Perf => "bpf_perf_event_output. map, index: index in it, data: the record, then `packet_bytes` bytes of the packet.",
            EventKind::Printk => "bpf_trace_printk. data: the format and the texts that it reads (`index` bytes), padding to 8 B, three u64 arguments.",
            EventKind::Drop => "A packet was lost. code: DropReason.",
            EventKind::Fault => "A fault ended a packet. code: fault cause (chapter ISA), argument: word address.",
            EventKind::Ring => "A ring has stopped. index: its number, code: RingFault, argument.",
        }
    }
}

/// Why a packet was lost outside a program's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum DropReason {
    /// The ingress FIFO was full.
    Ingress = 1,
    /// The receive ring had no buffer.
    NoBuffer = 2,
    /// A frame of a length that the device does not take.
    Length = 3,
    /// The posted buffer was too small.
    BufferSize = 4,
    /// No receive ring is enabled.
    NoQueue = 5,
    /// The port is down.
    PortDown = 6,
    /// The redirect target is no port.
    Redirect = 7,
    /// The posted buffer cannot be written.
    DmaFault = 8,
}

impl DropReason {
    /// All values.
    pub const ALL: [DropReason; 8] = [
        DropReason::Ingress,
        DropReason::NoBuffer,
        DropReason::Length,
        DropReason::BufferSize,
        DropReason::NoQueue,
        DropReason::PortDown,
        DropReason::Redirect,
        DropReason::DmaFault,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => DropReason::Ingress,
            2 => DropReason::NoBuffer,
            3 => DropReason::Length,
            4 => DropReason::BufferSize,
            5 => DropReason::NoQueue,
            6 => DropReason::PortDown,
            7 => DropReason::Redirect,
            8 => DropReason::DmaFault,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            DropReason::Ingress => "The ingress FIFO was full.",
            DropReason::NoBuffer => "The receive ring had no buffer.",
            DropReason::Length => "A frame of a length that the device does not take.",
            DropReason::BufferSize => "The posted buffer was too small.",
            DropReason::NoQueue => "No receive ring is enabled.",
            DropReason::PortDown => "The port is down.",
            DropReason::Redirect => "The redirect target is no port.",
            DropReason::DmaFault => "The posted buffer cannot be written.",
        }
    }
}

/// What became of a transmit descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum TransmitStatus {
    /// Sent, or offered to the ingress.
    Ok = 0,
    /// A field has a value that it cannot have.
    BadField = 1,
    /// A frame of a length that the device does not take.
    Length = 2,
    /// No such port, or it is down.
    Port = 3,
    /// No such vCPU.
    Vcpu = 4,
    /// The stamped cycle lies in the past or too far ahead.
    Past = 5,
    /// The device may not read the buffer.
    DmaFault = 6,
}

impl TransmitStatus {
    /// All values.
    pub const ALL: [TransmitStatus; 7] = [
        TransmitStatus::Ok,
        TransmitStatus::BadField,
        TransmitStatus::Length,
        TransmitStatus::Port,
        TransmitStatus::Vcpu,
        TransmitStatus::Past,
        TransmitStatus::DmaFault,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => TransmitStatus::Ok,
            1 => TransmitStatus::BadField,
            2 => TransmitStatus::Length,
            3 => TransmitStatus::Port,
            4 => TransmitStatus::Vcpu,
            5 => TransmitStatus::Past,
            6 => TransmitStatus::DmaFault,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            TransmitStatus::Ok => "Sent, or offered to the ingress.",
            TransmitStatus::BadField => "A field has a value that it cannot have.",
            TransmitStatus::Length => "A frame of a length that the device does not take.",
            TransmitStatus::Port => "No such port, or it is down.",
            TransmitStatus::Vcpu => "No such vCPU.",
            TransmitStatus::Past => "The stamped cycle lies in the past or too far ahead.",
            TransmitStatus::DmaFault => "The device may not read the buffer.",
        }
    }
}

/// What is in a receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum ReceiveStatus {
    /// The whole packet.
    Ok = 0,
    /// The buffer was too small; nothing was written, the packet is lost.
    Size = 1,
    /// The device may not write the buffer; the packet is lost.
    DmaFault = 2,
}

impl ReceiveStatus {
    /// All values.
    pub const ALL: [ReceiveStatus; 3] = [
        ReceiveStatus::Ok,
        ReceiveStatus::Size,
        ReceiveStatus::DmaFault,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => ReceiveStatus::Ok,
            1 => ReceiveStatus::Size,
            2 => ReceiveStatus::DmaFault,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            ReceiveStatus::Ok => "The whole packet.",
            ReceiveStatus::Size => "The buffer was too small; nothing was written, the packet is lost.",
            ReceiveStatus::DmaFault => "The device may not write the buffer; the packet is lost.",
        }
    }
}

/// How device time moves. What a device can do is the operator's choice when it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum TimeMode {
    /// Only to the next arrival: runs repeat to the cycle.
    Virtual = 0,
    /// With the host's CLOCK_MONOTONIC.
    Real = 1,
    /// As fast as it goes.
    Free = 2,
}

impl TimeMode {
    /// All values.
    pub const ALL: [TimeMode; 3] = [
        TimeMode::Virtual,
        TimeMode::Real,
        TimeMode::Free,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => TimeMode::Virtual,
            1 => TimeMode::Real,
            2 => TimeMode::Free,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            TimeMode::Virtual => "Only to the next arrival: runs repeat to the cycle.",
            TimeMode::Real => "With the host's CLOCK_MONOTONIC.",
            TimeMode::Free => "As fast as it goes.",
        }
    }
}

/// Dispatch mode of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum DispatchChoice {
    /// What the image says.
    Proven = 0,
    /// One packet at a time for each vCPU.
    Cpu = 1,
    /// One packet at a time for each order bucket.
    Flow = 2,
    /// No serialisation.
    Any = 3,
}

impl DispatchChoice {
    /// All values.
    pub const ALL: [DispatchChoice; 4] = [
        DispatchChoice::Proven,
        DispatchChoice::Cpu,
        DispatchChoice::Flow,
        DispatchChoice::Any,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => DispatchChoice::Proven,
            1 => DispatchChoice::Cpu,
            2 => DispatchChoice::Flow,
            3 => DispatchChoice::Any,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            DispatchChoice::Proven => "What the image says.",
            DispatchChoice::Cpu => "One packet at a time for each vCPU.",
            DispatchChoice::Flow => "One packet at a time for each order bucket.",
            DispatchChoice::Any => "No serialisation.",
        }
    }
}

/// Whose counters are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum CounterDomain {
    /// The whole device; object 0.
    Device = 0,
    /// A port.
    Port = 1,
    /// A program.
    Program = 2,
    /// A ring.
    Ring = 3,
}

impl CounterDomain {
    /// All values.
    pub const ALL: [CounterDomain; 4] = [
        CounterDomain::Device,
        CounterDomain::Port,
        CounterDomain::Program,
        CounterDomain::Ring,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => CounterDomain::Device,
            1 => CounterDomain::Port,
            2 => CounterDomain::Program,
            3 => CounterDomain::Ring,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            CounterDomain::Device => "The whole device; object 0.",
            CounterDomain::Port => "A port.",
            CounterDomain::Program => "A program.",
            CounterDomain::Ring => "A ring.",
        }
    }
}

/// Where XDP_REDIRECT goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum RedirectKind {
    /// No redirect.
    None = 0,
    /// bpf_redirect: target is an ifindex.
    Interface = 1,
    /// bpf_redirect_map: target is a map id, key its key.
    Map = 2,
}

impl RedirectKind {
    /// All values.
    pub const ALL: [RedirectKind; 3] = [
        RedirectKind::None,
        RedirectKind::Interface,
        RedirectKind::Map,
    ];

    /// The number in a descriptor.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The value with this number.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => RedirectKind::None,
            1 => RedirectKind::Interface,
            2 => RedirectKind::Map,
            _ => return None,
        })
    }

    /// What it says, for people.
    pub const fn doc(self) -> &'static str {
        match self {
            RedirectKind::None => "No redirect.",
            RedirectKind::Interface => "bpf_redirect: target is an ifindex.",
            RedirectKind::Map => "bpf_redirect_map: target is a map id, key its key.",
        }
    }
}

/// Flags of a command.
#[derive(Debug)]
pub struct CommandFlag;

impl CommandFlag {
    /// PortAttach, PortDetach: `count` is the program that must be attached.
    pub const EXPECT: u16 = 1 << 0;
    /// TimeSet: `value` is the time.
    pub const BASE: u16 = 1 << 1;
    /// All that there are.
    pub const ALL: u16 = 0x3;
}

/// What a port does.
#[derive(Debug)]
pub struct PortFlag;

impl PortFlag {
    /// It takes and sends frames; set after power on.
    pub const UP: u16 = 1 << 0;
    /// Every packet that came in here goes to the host with a report when it leaves, whatever the verdict, and nowhere else.
    pub const CAPTURE: u16 = 1 << 1;
    /// What it sends comes in again.
    pub const LOOPBACK: u16 = 1 << 2;
    /// All that there are.
    pub const ALL: u16 = 0x7;
}

/// Flags of a transmit descriptor.
#[derive(Debug)]
pub struct TransmitFlag;

impl TransmitFlag {
    /// The frame comes in at the port, as from the wire, instead of going out.
    pub const INJECT: u16 = 1 << 0;
    /// Inject: it arrives at `cycle`; else now.
    pub const STAMPED: u16 = 1 << 1;
    /// Inject: `vcpu` runs it; else its flow decides.
    pub const VCPU: u16 = 1 << 2;
    /// Inject: the device runs until nothing is in flight before the next descriptor is looked at; time modes virtual and free.
    pub const ALONE: u16 = 1 << 3;
    /// Inject: the program sees `rx_queue` and `ingress_ifindex` as given; else the port's.
    pub const QUEUE: u16 = 1 << 4;
    /// All that there are.
    pub const ALL: u16 = 0x1f;
}
