//! Random requests that do something sensible more often than not.

use offwire_isa::{Base, KeyUse, Read, RequestOp, Space, Src, ValueUse, Word};

use super::Random;

/// A request to the map unit.
pub(crate) fn of_maps(random: &mut Random, word: &mut Word, late: &[Src]) {
    use RequestOp::*;
    word.q_op = match random.below(12) {
        0..6 => random.pick(&[
            Lookup,
            Lookup,
            Lookup,
            UpdateAny,
            UpdateAny,
            UpdateNoExist,
            UpdateExist,
            UpdateFlags,
            UpdateFlags,
            Delete,
            AdjustHead,
            AdjustHead,
            Exit,
        ]),
        6 | 7 => random.pick(&[
            FetchAdd32, FetchAdd64, FetchOr32, FetchOr64, FetchAnd32, FetchAnd64, FetchXor32, FetchXor64, Xchg32,
            Xchg64, Cmpxchg32, Cmpxchg64,
        ]),
        // What the packet does not hold ends it.
        8 if random.once_in(3) => random.pick(&[SpinLock, SpinUnlock, RingSubmit, RingDiscard]),
        8 | 9 => random.pick(&[RingReserve, RingOutput, RingOutput]),
        _ => random.pick(&[
            RingQuery,
            PerfOutput,
            PerfOutput,
            PerfOutput,
            RedirectMap,
            RedirectMap,
            RedirectMap,
            TailCall,
            LookupIn,
            LookupIn,
            UpdateInAny,
            UpdateInNoExist,
            UpdateInExist,
            UpdateInFlags,
            DeleteIn,
        ]),
    };
    word.q_map = match word.q_op {
        TailCall => 10,
        RedirectMap => 8 + random.below(2) as u8,
        RingReserve | RingOutput | RingQuery => 15,
        PerfOutput => 16,
        Lookup => random.pick(&[0, 0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 7, 8, 9, 11, 11, 14]),
        _ => random.pick(&[0, 1, 2, 3, 5, 6, 6, 6, 7, 7]),
    };
    if random.once_in(40) {
        word.q_map = random.below(18) as u8;
    }
    let any = |random: &mut Random| match random.below(8) {
        0..3 => (Space::Stack, Base::Zero, random.below(400) as i16),
        3 => (Space::Scratch, Base::Zero, random.below(200) as i16),
        4 | 5 => (Space::Packet, Base::Zero, random.below_mostly(40, 2, 400) as i16),
        _ => (Space::MapValue, Base::Rc, random.below(4) as i16),
    };
    (word.q_kspace, word.q_kbase, word.q_koff) = any(random);
    if word.q_map == 7 && !random.once_in(4) {
        // Where packets tend to have prefix lengths.
        (word.q_kspace, word.q_kbase, word.q_koff) = (Space::Packet, Base::Zero, 8 * random.below(5) as i16);
    }
    if word.q_map == 6 && random.once_in(2) {
        // Where packets differ.
        (word.q_kspace, word.q_kbase, word.q_koff) = (Space::Packet, Base::Zero, random.below(12) as i16);
    }
    word.q_vspace = random.pick(&[Space::Stack, Space::Packet, Space::Scratch, Space::MapValue]);
    word.q_vsrc = match word.q_op {
        AdjustHead | Exit => random.pick(late),
        SpinLock | SpinUnlock | RingSubmit | RingDiscard => Src::Rc,
        RingOutput | PerfOutput | RingReserve | RedirectMap | TailCall | RingQuery => random.pick(&[Src::Ra, Src::Rb]),
        op if op.shape().value == ValueUse::Number => random.pick(late),
        _ if word.q_vspace == Space::MapValue => Src::Rc,
        _ => random.pick(&[Src::Ra, Src::Rb, Src::Zero]),
    };
    let constant = |random: &mut Random, end: u64| Read::Const(random.below(end) as i8).encode();
    match word.q_op {
        RingReserve | RingOutput | RedirectMap | PerfOutput => {
            // Flags are 0 mostly.
            word.rc = if random.once_in(3) { constant(random, 32) } else { Read::Const(0).encode() };
            let end = random.pick(&[4, 32]);
            (word.ra, word.rb) = (constant(random, end), constant(random, end));
            if random.once_in(3) && word.q_op == RingReserve {
                (word.q_vsrc, word.i0) = (Src::I0, 500 + random.below(900) as i16);
            }
        }
        UpdateFlags => word.rc = constant(random, 9),
        TailCall | RingQuery => (word.ra, word.rb) = (constant(random, 5), constant(random, 5)),
        op if matches!(op.shape().key, KeyUse::Atomic(_)) => {
            let off = if random.once_in(9) { 90 } else { random.below(16) as i16 };
            (word.q_kspace, word.q_kbase, word.q_koff) = (Space::MapValue, Base::Ra, off);
            if !random.once_in(8) {
                word.ra = Read::Reg(12 + random.below(2) as u8).encode();
            }
        }
        _ => {}
    }
    let pointer = matches!(word.q_op, Lookup | LookupIn | RingReserve);
    word.q_dst = if pointer { 12 + random.below(2) as u8 } else { random.below(12) as u8 };
    word.q_null = random.once_in(2);
    if matches!(word.q_op, TailCall) {
        word.q_null = false;
    }
}

/// A request to a unit of the engine.
pub(crate) fn of_engines(random: &mut Random, word: &mut Word, late: &[Src]) {
    use RequestOp::*;
    word.q_op = random.pick(&[
        AdjustHead, AdjustTail, AdjustMeta, AdjustMeta, LoadBytes, StoreBytes, Csum, Printk, PrintkText, Redirect,
        KtimeNs, Jiffies, Prandom, DivU64, ModS32, Call, Ret,
    ]);
    let any = |random: &mut Random| match random.below(8) {
        0..3 => (Space::Stack, Base::Zero, random.below(400) as i16),
        3 => (Space::Scratch, Base::Zero, random.below(200) as i16),
        4 | 5 => (Space::Packet, Base::Zero, random.below_mostly(40, 2, 400) as i16),
        _ => (Space::MapValue, Base::Rc, random.below(4) as i16),
    };
    (word.q_kspace, word.q_kbase, word.q_koff) = any(random);
    word.q_vsrc = random.pick(late);
    match word.q_op {
        // A few bytes more or less, metadata in steps of 4.
        AdjustHead | AdjustTail if random.once_in(2) => {
            (word.i0, word.q_vsrc) = (random.below(60) as i16 - 30, Src::I0);
        }
        AdjustMeta if !random.once_in(4) => {
            (word.i0, word.q_vsrc) = (4 * (random.below(16) as i16 - 12), Src::I0);
        }
        LoadBytes | StoreBytes => {
            word.rc = Read::Const(random.below(32) as i8).encode();
            if word.q_kspace == Space::MapValue {
                (word.ra, word.q_kbase) = (Read::Reg(12 + random.below(2) as u8).encode(), Base::Ra);
            }
            if word.q_kspace == Space::Scratch {
                word.q_koff = 64 + word.q_koff % 100;
            }
            (word.i0, word.q_vsrc) = (random.below_mostly(60, 3, 600) as i16, Src::I0);
        }
        Csum | Printk | PrintkText => (word.i0, word.q_vsrc) = (random.below_mostly(24, 3, 200) as i16, Src::I0),
        Redirect if random.once_in(2) => word.rc = Read::Const(0).encode(),
        _ => {}
    }
    word.q_dst = random.below(12) as u8;
    word.q_null = random.once_in(2);
}
