// Generated from hw/spec by `cargo xtask codegen`; do not edit.

/// Memory space of an access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Space {
    /// Packet bytes; address 0 is the first byte (`data`), metadata has negative addresses. In bounds: -metadata length <= a, a + size <= packet length.
    #[default]
    Packet = 0,
    /// The program's stack, 512 B; address 0 is the lowest byte, so eBPF r10 is address 512.
    Stack = 1,
    /// Per-context scratch, 256 B. Bytes 0 to 63 are the read-only packet metadata, 64 to 231 spills, 232 to 255 arguments of printk.
    Scratch = 2,
    /// A map value; the base register holds a handle made by a lookup or by the compiler.
    MapValue = 3,
}

impl Space {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Space] = &[
        Space::Packet,
        Space::Stack,
        Space::Scratch,
        Space::MapValue,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Space::Packet,
            1 => Space::Stack,
            2 => Space::Scratch,
            3 => Space::MapValue,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Space::Packet => "pkt",
            Space::Stack => "stack",
            Space::Scratch => "scr",
            Space::MapValue => "map",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "pkt" => Space::Packet,
            "stack" => Space::Stack,
            "scr" => Space::Scratch,
            "map" => Space::MapValue,
            _ => return None,
        })
    }
}

/// Base of an address: address = base + signed offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Base {
    /// Zero.
    #[default]
    Zero = 0,
    /// Read port A.
    Ra = 1,
    /// Read port B.
    Rb = 2,
    /// Read port C.
    Rc = 3,
}

impl Base {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Base] = &[
        Base::Zero,
        Base::Ra,
        Base::Rb,
        Base::Rc,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Base::Zero,
            1 => Base::Ra,
            2 => Base::Rb,
            3 => Base::Rc,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Base::Zero => "0",
            Base::Ra => "ra",
            Base::Rb => "rb",
            Base::Rc => "rc",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "0" => Base::Zero,
            "ra" => Base::Ra,
            "rb" => Base::Rb,
            "rc" => Base::Rc,
            _ => return None,
        })
    }
}

/// Operand selector. What a unit may select depends on its place in the pipe (`sources` of each unit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Src {
    /// The constant 0; in a write-back field: no write.
    #[default]
    Zero = 0,
    /// Read port A.
    Ra = 1,
    /// Read port B.
    Rb = 2,
    /// Read port C.
    Rc = 3,
    /// First extract of the load, zero-extended.
    X0 = 4,
    /// Second extract of the load, zero-extended.
    X1 = 5,
    /// Result of ALU1.
    A1 = 6,
    /// Result of ALU2.
    A2 = 7,
    /// Immediate 0, sign-extended from 16 bits.
    I0 = 8,
    /// Immediate 1, sign-extended from 16 bits.
    I1 = 9,
    /// Both immediates as one 32-bit value, i1:i0, sign-extended.
    Iw = 10,
}

impl Src {
    /// All values, in the order of the specification.
    pub const ALL: &'static [Src] = &[
        Src::Zero,
        Src::Ra,
        Src::Rb,
        Src::Rc,
        Src::X0,
        Src::X1,
        Src::A1,
        Src::A2,
        Src::I0,
        Src::I1,
        Src::Iw,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Src::Zero,
            1 => Src::Ra,
            2 => Src::Rb,
            3 => Src::Rc,
            4 => Src::X0,
            5 => Src::X1,
            6 => Src::A1,
            7 => Src::A2,
            8 => Src::I0,
            9 => Src::I1,
            10 => Src::Iw,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            Src::Zero => "0",
            Src::Ra => "ra",
            Src::Rb => "rb",
            Src::Rc => "rc",
            Src::X0 => "x0",
            Src::X1 => "x1",
            Src::A1 => "a1",
            Src::A2 => "a2",
            Src::I0 => "i0",
            Src::I1 => "i1",
            Src::Iw => "iw",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "0" => Src::Zero,
            "ra" => Src::Ra,
            "rb" => Src::Rb,
            "rc" => Src::Rc,
            "x0" => Src::X0,
            "x1" => Src::X1,
            "a1" => Src::A1,
            "a2" => Src::A2,
            "i0" => Src::I0,
            "i1" => Src::I1,
            "iw" => Src::Iw,
            _ => return None,
        })
    }
}

/// What the store unit does with its inserts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum StoreOp {
    /// Nothing.
    #[default]
    None = 0,
    /// Writes the enabled inserts.
    Store = 1,
    /// Posted atomic 32-bit add of insert 0's source; insert 0 must have size 4, insert 1 is off.
    Add32 = 2,
    /// Posted atomic 64-bit add of insert 0's source; insert 0 must have size 8, insert 1 is off.
    Add64 = 3,
}

impl StoreOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [StoreOp] = &[
        StoreOp::None,
        StoreOp::Store,
        StoreOp::Add32,
        StoreOp::Add64,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => StoreOp::None,
            1 => StoreOp::Store,
            2 => StoreOp::Add32,
            3 => StoreOp::Add64,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            StoreOp::None => "none",
            StoreOp::Store => "st",
            StoreOp::Add32 => "add32",
            StoreOp::Add64 => "add64",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "none" => StoreOp::None,
            "st" => StoreOp::Store,
            "add32" => StoreOp::Add32,
            "add64" => StoreOp::Add64,
            _ => return None,
        })
    }
}

/// Request to a shared unit, or to one of the engine that takes longer than a word. The context sleeps until the answer is in; the answer goes to register `q_dst`. K is the address (q_kspace, q_kbase + q_koff), V what `q_vsrc` selects, W read port C.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RequestOp {
    /// No request.
    #[default]
    None = 0,
    /// Ends the packet with the low 32 bits of `q_vsrc` as its return value. No answer.
    Exit = 1,
    /// Key at K. Answers a handle or 0; on a map of maps a map pointer or 0.
    Lookup = 2,
    /// Key at K, value at address V of `q_vspace`; answers 0 or a negative errno. BPF_ANY.
    UpdateAny = 3,
    /// As UpdateAny, BPF_NOEXIST.
    UpdateNoExist = 4,
    /// As UpdateAny, BPF_EXIST.
    UpdateExist = 5,
    /// Key at K; answers 0 or a negative errno.
    Delete = 6,
    /// Moves the front of the packet by the signed low 32 bits of V; answers 0 or -22 (bpf_xdp_adjust_head).
    AdjustHead = 7,
    /// Moves the end of the packet by the signed low 32 bits of V; answers 0 or -22 (bpf_xdp_adjust_tail).
    AdjustTail = 8,
    /// Moves the front of the metadata by the signed low 32 bits of V; answers 0 or a negative errno (bpf_xdp_adjust_meta).
    AdjustMeta = 9,
    /// Copies W bytes of the packet from byte V on to memory at K; answers 0 or a negative errno (bpf_xdp_load_bytes).
    LoadBytes = 10,
    /// Copies W bytes from memory at K into the packet from byte V on; answers 0 or a negative errno (bpf_xdp_store_bytes).
    StoreBytes = 11,
    /// Ones' complement sum of V bytes at K and the low 32 bits of W, as 32 bits: little-endian 32-bit words added one after the other to W with end-around carry, the last one filled up with zeros.
    Csum = 12,
    /// Sets interface V (low 32 bits) as the packet's target; W are the flags; answers XDP_REDIRECT, or XDP_ABORTED if there are flags (bpf_redirect).
    Redirect = 13,
    /// Sets entry V (low 32 bits) of the map as the packet's target; W are the flags; answers XDP_REDIRECT, or else what the flags say (bpf_redirect_map).
    RedirectMap = 14,
    /// Goes on in the program at index V (low 32 bits) of the program array, with registers zero and a stack that was never written; at `next` if there is none or after 33 of them (bpf_tail_call).
    TailCall = 15,
    /// Answers the time in ns (bpf_ktime_get_ns).
    KtimeNs = 16,
    /// Answers the kernel's tick count (bpf_jiffies64).
    Jiffies = 17,
    /// Answers a random number of 32 bits (bpf_get_prandom_u32).
    Prandom = 18,
    /// As Lookup, in the map that the map pointer W names.
    LookupIn = 19,
    /// As UpdateAny, in the map that the map pointer W names.
    UpdateInAny = 20,
    /// As UpdateInAny, BPF_NOEXIST.
    UpdateInNoExist = 21,
    /// As UpdateInAny, BPF_EXIST.
    UpdateInExist = 22,
    /// As Delete, in the map that the map pointer W names.
    DeleteIn = 23,
    /// Reserves a record of V bytes in the ring buffer; W are the flags; answers its handle or 0 (bpf_ringbuf_reserve).
    RingReserve = 24,
    /// Submits the record with handle V; W are the flags. Answers 0 (bpf_ringbuf_submit).
    RingSubmit = 25,
    /// Discards the record with handle V; W are the flags. Answers 0 (bpf_ringbuf_discard).
    RingDiscard = 26,
    /// Submits a record with the V bytes at K; W are the flags; answers 0 or a negative errno (bpf_ringbuf_output).
    RingOutput = 27,
    /// Answers what V (flags of bpf_ringbuf_query) asks of the ring buffer.
    RingQuery = 28,
    /// Makes an event of the V bytes at K and of as many packet bytes as bits 51 to 32 of the flags W say; answers 0 or a negative errno (bpf_perf_event_output).
    PerfOutput = 29,
    /// Makes an event of the format text of V bytes at K, of all that printk.text has kept since the last one, and of the three arguments in scratch bytes 232 to 255; formatted on the host. Answers 0 (bpf_trace_printk).
    Printk = 30,
    /// Takes the lock whose handle is V, first come, first served. Answers 0 once it is held (bpf_spin_lock).
    SpinLock = 31,
    /// Gives back the lock whose handle is V. Answers 0 (bpf_spin_unlock).
    SpinUnlock = 32,
    /// Atomic add of V at the map value at K, 32 bits; answers the old value, zero-extended.
    FetchAdd32 = 33,
    /// Atomic add of V at the map value at K, 64 bits; answers the old value, zero-extended.
    FetchAdd64 = 34,
    /// Atomic or of V at the map value at K, 32 bits; answers the old value, zero-extended.
    FetchOr32 = 35,
    /// Atomic or of V at the map value at K, 64 bits; answers the old value, zero-extended.
    FetchOr64 = 36,
    /// Atomic and of V at the map value at K, 32 bits; answers the old value, zero-extended.
    FetchAnd32 = 37,
    /// Atomic and of V at the map value at K, 64 bits; answers the old value, zero-extended.
    FetchAnd64 = 38,
    /// Atomic exclusive or of V at the map value at K, 32 bits; answers the old value, zero-extended.
    FetchXor32 = 39,
    /// Atomic exclusive or of V at the map value at K, 64 bits; answers the old value, zero-extended.
    FetchXor64 = 40,
    /// Atomic exchange of V at the map value at K, 32 bits; answers the old value, zero-extended.
    Xchg32 = 41,
    /// Atomic exchange of V at the map value at K, 64 bits; answers the old value, zero-extended.
    Xchg64 = 42,
    /// Atomic compare with W and, if equal, exchange of V at the map value at K, 32 bits; answers the old value, zero-extended.
    Cmpxchg32 = 43,
    /// Atomic compare with W and, if equal, exchange of V at the map value at K, 64 bits; answers the old value, zero-extended.
    Cmpxchg64 = 44,
    /// Quotient of V by W, unsigned, 32 bits, zero-extended; by zero 0 (RFC 9669, 4.1).
    DivU32 = 45,
    /// Quotient of V by W, unsigned, 64 bits; by zero 0 (RFC 9669, 4.1).
    DivU64 = 46,
    /// Quotient of V by W, signed, 32 bits, zero-extended; by zero 0, overflow wraps (RFC 9669, 4.1).
    DivS32 = 47,
    /// Quotient of V by W, signed, 64 bits; by zero 0, overflow wraps (RFC 9669, 4.1).
    DivS64 = 48,
    /// Remainder of V by W, unsigned, 32 bits, zero-extended; by zero V (RFC 9669, 4.1).
    ModU32 = 49,
    /// Remainder of V by W, unsigned, 64 bits; by zero V (RFC 9669, 4.1).
    ModU64 = 50,
    /// Remainder of V by W, signed, 32 bits, zero-extended; by zero V, overflow wraps (RFC 9669, 4.1).
    ModS32 = 51,
    /// Remainder of V by W, signed, 64 bits; by zero V, overflow wraps (RFC 9669, 4.1).
    ModS64 = 52,
    /// Remembers `next` as the place to return to (8 deep, one more is a fault) and goes on at `t2`. No guard, compare 2 or `q_null` in its word. No answer.
    Call = 53,
    /// Goes on at the place of the last call that has not returned; a fault if there is none. No answer.
    Ret = 54,
    /// As UpdateAny, with W as the flags; BPF_F_LOCK waits for the lock of the value and writes in place. Flags that the map does not have are refused as bpf_map_update_elem does.
    UpdateFlags = 55,
    /// As UpdateFlags, in the map that the map pointer W names; the lowest 3 bits of W, which a map pointer has zero, are the flags.
    UpdateInFlags = 56,
    /// Keeps the V bytes at K and a zero behind them for the event of the next printk, as many as 2,048 bytes have room for. Answers how many bytes were kept before.
    PrintkText = 57,
}

impl RequestOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [RequestOp] = &[
        RequestOp::None,
        RequestOp::Exit,
        RequestOp::Lookup,
        RequestOp::UpdateAny,
        RequestOp::UpdateNoExist,
        RequestOp::UpdateExist,
        RequestOp::Delete,
        RequestOp::AdjustHead,
        RequestOp::AdjustTail,
        RequestOp::AdjustMeta,
        RequestOp::LoadBytes,
        RequestOp::StoreBytes,
        RequestOp::Csum,
        RequestOp::Redirect,
        RequestOp::RedirectMap,
        RequestOp::TailCall,
        RequestOp::KtimeNs,
        RequestOp::Jiffies,
        RequestOp::Prandom,
        RequestOp::LookupIn,
        RequestOp::UpdateInAny,
        RequestOp::UpdateInNoExist,
        RequestOp::UpdateInExist,
        RequestOp::DeleteIn,
        RequestOp::RingReserve,
        RequestOp::RingSubmit,
        RequestOp::RingDiscard,
        RequestOp::RingOutput,
        RequestOp::RingQuery,
        RequestOp::PerfOutput,
        RequestOp::Printk,
        RequestOp::SpinLock,
        RequestOp::SpinUnlock,
        RequestOp::FetchAdd32,
        RequestOp::FetchAdd64,
        RequestOp::FetchOr32,
        RequestOp::FetchOr64,
        RequestOp::FetchAnd32,
        RequestOp::FetchAnd64,
        RequestOp::FetchXor32,
        RequestOp::FetchXor64,
        RequestOp::Xchg32,
        RequestOp::Xchg64,
        RequestOp::Cmpxchg32,
        RequestOp::Cmpxchg64,
        RequestOp::DivU32,
        RequestOp::DivU64,
        RequestOp::DivS32,
        RequestOp::DivS64,
        RequestOp::ModU32,
        RequestOp::ModU64,
        RequestOp::ModS32,
        RequestOp::ModS64,
        RequestOp::Call,
        RequestOp::Ret,
        RequestOp::UpdateFlags,
        RequestOp::UpdateInFlags,
        RequestOp::PrintkText,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => RequestOp::None,
            1 => RequestOp::Exit,
            2 => RequestOp::Lookup,
            3 => RequestOp::UpdateAny,
            4 => RequestOp::UpdateNoExist,
            5 => RequestOp::UpdateExist,
            6 => RequestOp::Delete,
            7 => RequestOp::AdjustHead,
            8 => RequestOp::AdjustTail,
            9 => RequestOp::AdjustMeta,
            10 => RequestOp::LoadBytes,
            11 => RequestOp::StoreBytes,
            12 => RequestOp::Csum,
            13 => RequestOp::Redirect,
            14 => RequestOp::RedirectMap,
            15 => RequestOp::TailCall,
            16 => RequestOp::KtimeNs,
            17 => RequestOp::Jiffies,
            18 => RequestOp::Prandom,
            19 => RequestOp::LookupIn,
            20 => RequestOp::UpdateInAny,
            21 => RequestOp::UpdateInNoExist,
            22 => RequestOp::UpdateInExist,
            23 => RequestOp::DeleteIn,
            24 => RequestOp::RingReserve,
            25 => RequestOp::RingSubmit,
            26 => RequestOp::RingDiscard,
            27 => RequestOp::RingOutput,
            28 => RequestOp::RingQuery,
            29 => RequestOp::PerfOutput,
            30 => RequestOp::Printk,
            31 => RequestOp::SpinLock,
            32 => RequestOp::SpinUnlock,
            33 => RequestOp::FetchAdd32,
            34 => RequestOp::FetchAdd64,
            35 => RequestOp::FetchOr32,
            36 => RequestOp::FetchOr64,
            37 => RequestOp::FetchAnd32,
            38 => RequestOp::FetchAnd64,
            39 => RequestOp::FetchXor32,
            40 => RequestOp::FetchXor64,
            41 => RequestOp::Xchg32,
            42 => RequestOp::Xchg64,
            43 => RequestOp::Cmpxchg32,
            44 => RequestOp::Cmpxchg64,
            45 => RequestOp::DivU32,
            46 => RequestOp::DivU64,
            47 => RequestOp::DivS32,
            48 => RequestOp::DivS64,
            49 => RequestOp::ModU32,
            50 => RequestOp::ModU64,
            51 => RequestOp::ModS32,
            52 => RequestOp::ModS64,
            53 => RequestOp::Call,
            54 => RequestOp::Ret,
            55 => RequestOp::UpdateFlags,
            56 => RequestOp::UpdateInFlags,
            57 => RequestOp::PrintkText,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            RequestOp::None => "none",
            RequestOp::Exit => "exit",
            RequestOp::Lookup => "lookup",
            RequestOp::UpdateAny => "update.any",
            RequestOp::UpdateNoExist => "update.noexist",
            RequestOp::UpdateExist => "update.exist",
            RequestOp::Delete => "delete",
            RequestOp::AdjustHead => "adjust_head",
            RequestOp::AdjustTail => "adjust_tail",
            RequestOp::AdjustMeta => "adjust_meta",
            RequestOp::LoadBytes => "load_bytes",
            RequestOp::StoreBytes => "store_bytes",
            RequestOp::Csum => "csum",
            RequestOp::Redirect => "redirect",
            RequestOp::RedirectMap => "redirect_map",
            RequestOp::TailCall => "tail_call",
            RequestOp::KtimeNs => "ktime_ns",
            RequestOp::Jiffies => "jiffies",
            RequestOp::Prandom => "prandom",
            RequestOp::LookupIn => "lookup_in",
            RequestOp::UpdateInAny => "update_in.any",
            RequestOp::UpdateInNoExist => "update_in.noexist",
            RequestOp::UpdateInExist => "update_in.exist",
            RequestOp::DeleteIn => "delete_in",
            RequestOp::RingReserve => "ring.reserve",
            RequestOp::RingSubmit => "ring.submit",
            RequestOp::RingDiscard => "ring.discard",
            RequestOp::RingOutput => "ring.output",
            RequestOp::RingQuery => "ring.query",
            RequestOp::PerfOutput => "perf.output",
            RequestOp::Printk => "printk",
            RequestOp::SpinLock => "spin.lock",
            RequestOp::SpinUnlock => "spin.unlock",
            RequestOp::FetchAdd32 => "fetch_add32",
            RequestOp::FetchAdd64 => "fetch_add64",
            RequestOp::FetchOr32 => "fetch_or32",
            RequestOp::FetchOr64 => "fetch_or64",
            RequestOp::FetchAnd32 => "fetch_and32",
            RequestOp::FetchAnd64 => "fetch_and64",
            RequestOp::FetchXor32 => "fetch_xor32",
            RequestOp::FetchXor64 => "fetch_xor64",
            RequestOp::Xchg32 => "xchg32",
            RequestOp::Xchg64 => "xchg64",
            RequestOp::Cmpxchg32 => "cmpxchg32",
            RequestOp::Cmpxchg64 => "cmpxchg64",
            RequestOp::DivU32 => "divu32",
            RequestOp::DivU64 => "divu64",
            RequestOp::DivS32 => "divs32",
            RequestOp::DivS64 => "divs64",
            RequestOp::ModU32 => "modu32",
            RequestOp::ModU64 => "modu64",
            RequestOp::ModS32 => "mods32",
            RequestOp::ModS64 => "mods64",
            RequestOp::Call => "call",
            RequestOp::Ret => "ret",
            RequestOp::UpdateFlags => "update.flags",
            RequestOp::UpdateInFlags => "update_in.flags",
            RequestOp::PrintkText => "printk.text",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "none" => RequestOp::None,
            "exit" => RequestOp::Exit,
            "lookup" => RequestOp::Lookup,
            "update.any" => RequestOp::UpdateAny,
            "update.noexist" => RequestOp::UpdateNoExist,
            "update.exist" => RequestOp::UpdateExist,
            "delete" => RequestOp::Delete,
            "adjust_head" => RequestOp::AdjustHead,
            "adjust_tail" => RequestOp::AdjustTail,
            "adjust_meta" => RequestOp::AdjustMeta,
            "load_bytes" => RequestOp::LoadBytes,
            "store_bytes" => RequestOp::StoreBytes,
            "csum" => RequestOp::Csum,
            "redirect" => RequestOp::Redirect,
            "redirect_map" => RequestOp::RedirectMap,
            "tail_call" => RequestOp::TailCall,
            "ktime_ns" => RequestOp::KtimeNs,
            "jiffies" => RequestOp::Jiffies,
            "prandom" => RequestOp::Prandom,
            "lookup_in" => RequestOp::LookupIn,
            "update_in.any" => RequestOp::UpdateInAny,
            "update_in.noexist" => RequestOp::UpdateInNoExist,
            "update_in.exist" => RequestOp::UpdateInExist,
            "delete_in" => RequestOp::DeleteIn,
            "ring.reserve" => RequestOp::RingReserve,
            "ring.submit" => RequestOp::RingSubmit,
            "ring.discard" => RequestOp::RingDiscard,
            "ring.output" => RequestOp::RingOutput,
            "ring.query" => RequestOp::RingQuery,
            "perf.output" => RequestOp::PerfOutput,
            "printk" => RequestOp::Printk,
            "spin.lock" => RequestOp::SpinLock,
            "spin.unlock" => RequestOp::SpinUnlock,
            "fetch_add32" => RequestOp::FetchAdd32,
            "fetch_add64" => RequestOp::FetchAdd64,
            "fetch_or32" => RequestOp::FetchOr32,
            "fetch_or64" => RequestOp::FetchOr64,
            "fetch_and32" => RequestOp::FetchAnd32,
            "fetch_and64" => RequestOp::FetchAnd64,
            "fetch_xor32" => RequestOp::FetchXor32,
            "fetch_xor64" => RequestOp::FetchXor64,
            "xchg32" => RequestOp::Xchg32,
            "xchg64" => RequestOp::Xchg64,
            "cmpxchg32" => RequestOp::Cmpxchg32,
            "cmpxchg64" => RequestOp::Cmpxchg64,
            "divu32" => RequestOp::DivU32,
            "divu64" => RequestOp::DivU64,
            "divs32" => RequestOp::DivS32,
            "divs64" => RequestOp::DivS64,
            "modu32" => RequestOp::ModU32,
            "modu64" => RequestOp::ModU64,
            "mods32" => RequestOp::ModS32,
            "mods64" => RequestOp::ModS64,
            "call" => RequestOp::Call,
            "ret" => RequestOp::Ret,
            "update.flags" => RequestOp::UpdateFlags,
            "update_in.flags" => RequestOp::UpdateInFlags,
            "printk.text" => RequestOp::PrintkText,
            _ => return None,
        })
    }
}

/// Operation of an ALU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AluOp {
    /// a.
    #[default]
    Mov = 0,
    /// Wrapping sum.
    Add = 1,
    /// Wrapping difference.
    Sub = 2,
    /// Bitwise and.
    And = 3,
    /// Bitwise or.
    Or = 4,
    /// Bitwise exclusive or.
    Xor = 5,
    /// Left shift by b mod W.
    Lsh = 6,
    /// Logical right shift by b mod W.
    Rsh = 7,
    /// Arithmetic right shift by b mod W.
    Arsh = 8,
    /// Low W bits of the product.
    Mul = 9,
    /// Low 16 bits byte-reversed, zero-extended (BPF_TO_BE 16).
    Bswap16 = 10,
    /// Low 32 bits byte-reversed, zero-extended.
    Bswap32 = 11,
    /// All W bits byte-reversed.
    Bswap64 = 12,
    /// Low 8 bits sign-extended.
    Sext8 = 13,
    /// Low 16 bits sign-extended.
    Sext16 = 14,
    /// Low 32 bits sign-extended.
    Sext32 = 15,
    /// Low 8 bits zero-extended.
    Zext8 = 16,
    /// Low 16 bits zero-extended.
    Zext16 = 17,
    /// On 64 bits a:b, the low halves joined; makes wide constants. On 32 bits a | b (the shift is by 32 mod 32 = 0).
    Pack = 18,
}

impl AluOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [AluOp] = &[
        AluOp::Mov,
        AluOp::Add,
        AluOp::Sub,
        AluOp::And,
        AluOp::Or,
        AluOp::Xor,
        AluOp::Lsh,
        AluOp::Rsh,
        AluOp::Arsh,
        AluOp::Mul,
        AluOp::Bswap16,
        AluOp::Bswap32,
        AluOp::Bswap64,
        AluOp::Sext8,
        AluOp::Sext16,
        AluOp::Sext32,
        AluOp::Zext8,
        AluOp::Zext16,
        AluOp::Pack,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => AluOp::Mov,
            1 => AluOp::Add,
            2 => AluOp::Sub,
            3 => AluOp::And,
            4 => AluOp::Or,
            5 => AluOp::Xor,
            6 => AluOp::Lsh,
            7 => AluOp::Rsh,
            8 => AluOp::Arsh,
            9 => AluOp::Mul,
            10 => AluOp::Bswap16,
            11 => AluOp::Bswap32,
            12 => AluOp::Bswap64,
            13 => AluOp::Sext8,
            14 => AluOp::Sext16,
            15 => AluOp::Sext32,
            16 => AluOp::Zext8,
            17 => AluOp::Zext16,
            18 => AluOp::Pack,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            AluOp::Mov => "mov",
            AluOp::Add => "add",
            AluOp::Sub => "sub",
            AluOp::And => "and",
            AluOp::Or => "or",
            AluOp::Xor => "xor",
            AluOp::Lsh => "lsh",
            AluOp::Rsh => "rsh",
            AluOp::Arsh => "arsh",
            AluOp::Mul => "mul",
            AluOp::Bswap16 => "bswap16",
            AluOp::Bswap32 => "bswap32",
            AluOp::Bswap64 => "bswap64",
            AluOp::Sext8 => "sext8",
            AluOp::Sext16 => "sext16",
            AluOp::Sext32 => "sext32",
            AluOp::Zext8 => "zext8",
            AluOp::Zext16 => "zext16",
            AluOp::Pack => "pack",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "mov" => AluOp::Mov,
            "add" => AluOp::Add,
            "sub" => AluOp::Sub,
            "and" => AluOp::And,
            "or" => AluOp::Or,
            "xor" => AluOp::Xor,
            "lsh" => AluOp::Lsh,
            "rsh" => AluOp::Rsh,
            "arsh" => AluOp::Arsh,
            "mul" => AluOp::Mul,
            "bswap16" => AluOp::Bswap16,
            "bswap32" => AluOp::Bswap32,
            "bswap64" => AluOp::Bswap64,
            "sext8" => AluOp::Sext8,
            "sext16" => AluOp::Sext16,
            "sext32" => AluOp::Sext32,
            "zext8" => AluOp::Zext8,
            "zext16" => AluOp::Zext16,
            "pack" => AluOp::Pack,
            _ => return None,
        })
    }
}

/// Condition of a compare unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CmpOp {
    /// Not taken.
    #[default]
    Never = 0,
    /// a = b.
    Eq = 1,
    /// a /= b.
    Ne = 2,
    /// a < b, unsigned.
    Ltu = 3,
    /// a >= b, unsigned.
    Geu = 4,
    /// a < b, signed.
    Lts = 5,
    /// a >= b, signed.
    Ges = 6,
    /// a and b have a common one bit (BPF_JSET).
    Tst = 7,
    /// a and b have no common one bit.
    Ntst = 8,
}

impl CmpOp {
    /// All values, in the order of the specification.
    pub const ALL: &'static [CmpOp] = &[
        CmpOp::Never,
        CmpOp::Eq,
        CmpOp::Ne,
        CmpOp::Ltu,
        CmpOp::Geu,
        CmpOp::Lts,
        CmpOp::Ges,
        CmpOp::Tst,
        CmpOp::Ntst,
    ];

    /// The code in the word.
    #[inline]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value with this code.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => CmpOp::Never,
            1 => CmpOp::Eq,
            2 => CmpOp::Ne,
            3 => CmpOp::Ltu,
            4 => CmpOp::Geu,
            5 => CmpOp::Lts,
            6 => CmpOp::Ges,
            7 => CmpOp::Tst,
            8 => CmpOp::Ntst,
            _ => return None,
        })
    }

    /// The name in assembler text.
    pub const fn asm(self) -> &'static str {
        match self {
            CmpOp::Never => "never",
            CmpOp::Eq => "eq",
            CmpOp::Ne => "ne",
            CmpOp::Ltu => "ltu",
            CmpOp::Geu => "geu",
            CmpOp::Lts => "lts",
            CmpOp::Ges => "ges",
            CmpOp::Tst => "tst",
            CmpOp::Ntst => "ntst",
        }
    }

    /// The value with this name in assembler text.
    pub fn from_asm(text: &str) -> Option<Self> {
        Some(match text {
            "never" => CmpOp::Never,
            "eq" => CmpOp::Eq,
            "ne" => CmpOp::Ne,
            "ltu" => CmpOp::Ltu,
            "geu" => CmpOp::Geu,
            "lts" => CmpOp::Lts,
            "ges" => CmpOp::Ges,
            "tst" => CmpOp::Tst,
            "ntst" => CmpOp::Ntst,
            _ => return None,
        })
    }
}
