//! What each request takes, reads, writes and answers. The words about it stand in `hw/spec/isa.toml`.

use crate::RequestOp;

/// Scratch address of the three 8-byte arguments of a printk.
pub const PRINTK_ARGUMENTS: i32 = 232;
/// Bytes of them.
pub const PRINTK_ARGUMENT_BYTES: u32 = 24;

/// Bits of the map pointer in W that are the flags of [`RequestOp::UpdateInFlags`].
pub const POINTER_FLAGS: u64 = 7;

/// Bytes that printk.text keeps for one printk, at the most.
pub const PRINTK_TEXT_BYTES: u32 = 2048;
/// An argument of printk that stands for a text: this, and the place of its first byte in the format's bytes and the kept ones behind them.
pub const PRINTK_TEXT: u64 = 6 << 60;

/// What a request does at address K.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// K is not looked at.
    None,
    /// Reads a key: as many bytes as the map's keys have.
    Key,
    /// Reads as many bytes as V says.
    ReadsV,
    /// Reads as many bytes as W says.
    ReadsW,
    /// Writes as many bytes as W says.
    WritesW,
    /// Reads and writes a number of this many bytes in a map value.
    Atomic(u8),
}

/// What V is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueUse {
    /// It is not looked at.
    None,
    /// A number, or a pointer that the request takes as it is.
    Number,
    /// An address in `q_vspace`: reads as many bytes as the map's values have.
    Value,
}

/// Which map a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapUse {
    /// None, or the one that a handle names.
    None,
    /// The one in the map-table slot `q_map`.
    Slot,
    /// The one that the map pointer in W names.
    Pointer,
}

/// The form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Which map.
    pub map: MapUse,
    /// What it does at K.
    pub key: KeyUse,
    /// What V is.
    pub value: ValueUse,
    /// It looks at W, read port C.
    pub third: bool,
    /// Its answer is written to `q_dst`. Exit, calls and tail calls have none.
    pub answers: bool,
}

impl RequestOp {
    /// The form of the request.
    pub const fn shape(self) -> Shape {
        use RequestOp::*;
        const fn of(map: MapUse, key: KeyUse, value: ValueUse, third: bool) -> Shape {
            Shape { map, key, value, third, answers: true }
        }
        const fn silent(map: MapUse, value: ValueUse) -> Shape {
            Shape { map, key: KeyUse::None, value, third: false, answers: false }
        }
        match self {
            RequestOp::None | Call | Ret => silent(MapUse::None, ValueUse::None),
            Exit => silent(MapUse::None, ValueUse::Number),
            TailCall => silent(MapUse::Slot, ValueUse::Number),
            Lookup | Delete => of(MapUse::Slot, KeyUse::Key, ValueUse::None, false),
            UpdateAny | UpdateNoExist | UpdateExist => of(MapUse::Slot, KeyUse::Key, ValueUse::Value, false),
            LookupIn | DeleteIn => of(MapUse::Pointer, KeyUse::Key, ValueUse::None, true),
            UpdateFlags => of(MapUse::Slot, KeyUse::Key, ValueUse::Value, true),
            UpdateInAny | UpdateInNoExist | UpdateInExist | UpdateInFlags => {
                of(MapUse::Pointer, KeyUse::Key, ValueUse::Value, true)
            }
            AdjustHead | AdjustTail | AdjustMeta => of(MapUse::None, KeyUse::None, ValueUse::Number, false),
            LoadBytes => of(MapUse::None, KeyUse::WritesW, ValueUse::Number, true),
            StoreBytes => of(MapUse::None, KeyUse::ReadsW, ValueUse::Number, true),
            Csum => of(MapUse::None, KeyUse::ReadsV, ValueUse::Number, true),
            Printk | PrintkText => of(MapUse::None, KeyUse::ReadsV, ValueUse::Number, false),
            Redirect => of(MapUse::None, KeyUse::None, ValueUse::Number, true),
            RedirectMap | RingReserve => of(MapUse::Slot, KeyUse::None, ValueUse::Number, true),
            RingOutput | PerfOutput => of(MapUse::Slot, KeyUse::ReadsV, ValueUse::Number, true),
            RingQuery => of(MapUse::Slot, KeyUse::None, ValueUse::Number, false),
            RingSubmit | RingDiscard => of(MapUse::None, KeyUse::None, ValueUse::Number, true),
            SpinLock | SpinUnlock => of(MapUse::None, KeyUse::None, ValueUse::Number, false),
            KtimeNs | Jiffies | Prandom => of(MapUse::None, KeyUse::None, ValueUse::None, false),
            FetchAdd32 | FetchOr32 | FetchAnd32 | FetchXor32 | Xchg32 => {
                of(MapUse::None, KeyUse::Atomic(4), ValueUse::Number, false)
            }
            FetchAdd64 | FetchOr64 | FetchAnd64 | FetchXor64 | Xchg64 => {
                of(MapUse::None, KeyUse::Atomic(8), ValueUse::Number, false)
            }
            Cmpxchg32 => of(MapUse::None, KeyUse::Atomic(4), ValueUse::Number, true),
            Cmpxchg64 => of(MapUse::None, KeyUse::Atomic(8), ValueUse::Number, true),
            DivU32 | DivU64 | DivS32 | DivS64 | ModU32 | ModU64 | ModS32 | ModS64 => {
                of(MapUse::None, KeyUse::None, ValueUse::Number, true)
            }
        }
    }

    /// Packet addresses, the packet's length or its metadata are others afterwards.
    pub const fn moves_packet(self) -> bool {
        matches!(self, RequestOp::AdjustHead | RequestOp::AdjustTail | RequestOp::AdjustMeta)
    }

    /// It changes entries of its map.
    pub const fn changes_map(self) -> bool {
        use RequestOp::*;
        matches!(
            self,
            UpdateAny
                | UpdateNoExist
                | UpdateExist
                | UpdateFlags
                | Delete
                | UpdateInAny
                | UpdateInNoExist
                | UpdateInExist
                | UpdateInFlags
                | DeleteIn
        )
    }

    /// Nothing but its answer can be noticed: it may be left out if nobody looks at that.
    pub const fn is_silent(self) -> bool {
        use RequestOp::*;
        matches!(
            self,
            Csum | KtimeNs
                | Jiffies
                | RingQuery
                | DivU32
                | DivU64
                | DivS32
                | DivS64
                | ModU32
                | ModU64
                | ModS32
                | ModS64
        )
    }

    /// The answer depends on V and W alone.
    pub const fn is_division(self) -> bool {
        use RequestOp::*;
        matches!(self, DivU32 | DivU64 | DivS32 | DivS64 | ModU32 | ModU64 | ModS32 | ModS64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_a_map_names_one() {
        for op in (0..64).filter_map(RequestOp::from_code) {
            let shape = op.shape();
            assert_eq!(shape.value == ValueUse::Value, op.asm().starts_with("update"), "{}", op.asm());
            assert_eq!(
                shape.key == KeyUse::Key,
                shape.map != MapUse::None && shape.key != KeyUse::None && !matches!(shape.key, KeyUse::ReadsV),
                "{}",
                op.asm()
            );
            assert!(!op.changes_map() || shape.map != MapUse::None, "{}", op.asm());
            assert!(
                !(shape.map == MapUse::Pointer || shape.key == KeyUse::ReadsW || shape.key == KeyUse::WritesW)
                    || shape.third,
                "{}",
                op.asm()
            );
        }
    }
}
