//! Helper calls: which ones there are, and those about maps. The others stand in `packet` and `events`.

use super::build::{Builder, exact};
use crate::ebpf::{MapIdx, Reg, helper_name};
use crate::facts::{Fact, MapSet, PtrKind};
use crate::ir::{Mem, Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_image::{MapKind, MapSpec};
use offwire_isa::{AluOp, METADATA_PACKET_LEN, METADATA_VCPU, RequestOp};

/// Helpers that the device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    MapLookup,
    MapUpdate,
    MapDelete,
    KtimeNs,
    TracePrintk,
    Prandom,
    SmpProcessorId,
    TailCall,
    Redirect,
    PerfEventOutput,
    CsumDiff,
    AdjustHead,
    RedirectMap,
    AdjustMeta,
    AdjustTail,
    SpinLock,
    SpinUnlock,
    Jiffies,
    RingOutput,
    RingReserve,
    RingSubmit,
    RingDiscard,
    RingQuery,
    Loop,
    BuffLen,
    LoadBytes,
    StoreBytes,
}

impl Helper {
    /// The helper with the kernel's number (include/uapi/linux/bpf.h, `enum bpf_func_id`), if the device has it.
    pub(super) fn find(id: u32) -> Option<Self> {
        Some(match id {
            1 => Helper::MapLookup,
            2 => Helper::MapUpdate,
            3 => Helper::MapDelete,
            // The device has one clock: that of bpf_ktime_get_ns, boot_ns and coarse_ns.
            5 | 125 | 160 => Helper::KtimeNs,
            6 => Helper::TracePrintk,
            7 => Helper::Prandom,
            8 => Helper::SmpProcessorId,
            12 => Helper::TailCall,
            23 => Helper::Redirect,
            25 => Helper::PerfEventOutput,
            28 => Helper::CsumDiff,
            44 => Helper::AdjustHead,
            51 => Helper::RedirectMap,
            54 => Helper::AdjustMeta,
            65 => Helper::AdjustTail,
            93 => Helper::SpinLock,
            94 => Helper::SpinUnlock,
            118 => Helper::Jiffies,
            130 => Helper::RingOutput,
            131 => Helper::RingReserve,
            132 => Helper::RingSubmit,
            133 => Helper::RingDiscard,
            134 => Helper::RingQuery,
            181 => Helper::Loop,
            188 => Helper::BuffLen,
            189 => Helper::LoadBytes,
            190 => Helper::StoreBytes,
            _ => return None,
        })
    }

    /// Registers that hold its arguments: r1 on.
    pub(super) fn arguments(self) -> impl Iterator<Item = Reg> {
        let count = match self {
            Helper::SmpProcessorId | Helper::KtimeNs | Helper::Jiffies | Helper::Prandom => 0,
            Helper::BuffLen | Helper::SpinLock | Helper::SpinUnlock => 1,
            Helper::MapLookup
            | Helper::MapDelete
            | Helper::AdjustHead
            | Helper::AdjustMeta
            | Helper::AdjustTail
            | Helper::Redirect
            | Helper::RingSubmit
            | Helper::RingDiscard
            | Helper::RingQuery => 2,
            Helper::TailCall | Helper::RedirectMap | Helper::RingReserve => 3,
            Helper::MapUpdate | Helper::RingOutput | Helper::LoadBytes | Helper::StoreBytes | Helper::Loop => 4,
            Helper::TracePrintk | Helper::CsumDiff | Helper::PerfEventOutput => 5,
        };
        (1..=count).map(Reg)
    }

    /// Registers that hold addresses of memory which it reads or writes.
    pub(super) fn memory_arguments(self) -> &'static [Reg] {
        match self {
            Helper::MapLookup | Helper::MapDelete | Helper::RingOutput => &[Reg(2)],
            Helper::MapUpdate => &[Reg(2), Reg(3)],
            Helper::TracePrintk => &[Reg(1)],
            Helper::CsumDiff => &[Reg(1), Reg(3)],
            Helper::PerfEventOutput => &[Reg(4)],
            Helper::LoadBytes | Helper::StoreBytes | Helper::Loop => &[Reg(3)],
            _ => &[],
        }
    }
}

/// The map that a call is about.
struct Named {
    /// Its number; of a map that was looked up, that of the map of maps; of one of several, that of the first.
    map: MapIdx,
    spec: MapSpec,
    /// The map pointer.
    inner: Option<Value>,
}

impl Builder<'_> {
    /// The call at the current instruction.
    pub(super) fn helper(&mut self, id: u32) -> Result<(), Diagnostic> {
        let Some(helper) = Helper::find(id) else {
            let name = helper_name(id).map_or_else(|| format!("helper {id}"), str::to_string);
            return Err(self
                .refuse(compiler::HELPER, format!("{name} is not on the device"))
                .with_reason("docs/codes/OW0402.md lists the helpers that the device has")
                .with_help("run the program on the host"));
        };
        let simple = |op| Op::Request(Request::new(op));
        let result = match helper {
            Helper::SmpProcessorId => self.scratch(METADATA_VCPU, 4),
            Helper::BuffLen => self.scratch(METADATA_PACKET_LEN, 8),
            Helper::KtimeNs => self.emit(simple(RequestOp::KtimeNs)),
            Helper::Jiffies => self.emit(simple(RequestOp::Jiffies)),
            Helper::Prandom => self.emit(simple(RequestOp::Prandom)),
            Helper::AdjustHead => {
                let delta = self.number(Reg(2))?;
                self.emit(Op::AdjustHead { delta })
            }
            Helper::AdjustTail => self.with_numbers(RequestOp::AdjustTail, None, Reg(2), None)?,
            Helper::AdjustMeta => self.with_numbers(RequestOp::AdjustMeta, None, Reg(2), None)?,
            Helper::Redirect => self.with_numbers(RequestOp::Redirect, None, Reg(1), Some(Reg(2)))?,
            Helper::RedirectMap => {
                use MapKind::{Cpumap, Devmap, DevmapHash, Xskmap};
                let map = self.map_of(Reg(1), &[Devmap, DevmapHash, Cpumap, Xskmap])?;
                self.with_numbers(RequestOp::RedirectMap, Some(map), Reg(2), Some(Reg(3)))?
            }
            Helper::MapLookup => self.lookup()?,
            Helper::MapUpdate => self.update()?,
            Helper::MapDelete => {
                let named = self.map_argument()?;
                let key = self.bytes_argument(Reg(2), named.spec.key_size)?;
                match named.inner {
                    None => self.emit(Op::Delete { map: named.map, key }),
                    Some(_) => self.in_map(RequestOp::DeleteIn, &named, key, None),
                }
            }
            Helper::TailCall => self.tail_call()?,
            Helper::CsumDiff => self.csum_diff()?,
            Helper::LoadBytes => self.packet_bytes(RequestOp::LoadBytes)?,
            Helper::StoreBytes => self.packet_bytes(RequestOp::StoreBytes)?,
            Helper::TracePrintk => self.trace_printk()?,
            Helper::PerfEventOutput => {
                let map = self.map_of(Reg(2), &[MapKind::PerfEventArray])?;
                self.output(RequestOp::PerfOutput, map, Reg(4), Reg(5), Reg(3))?
            }
            Helper::RingOutput => {
                let map = self.map_of(Reg(1), &[MapKind::Ringbuf])?;
                self.output(RequestOp::RingOutput, map, Reg(2), Reg(3), Reg(4))?
            }
            Helper::RingReserve => {
                let map = self.map_of(Reg(1), &[MapKind::Ringbuf])?;
                self.with_numbers(RequestOp::RingReserve, Some(map), Reg(2), Some(Reg(3)))?
            }
            Helper::RingQuery => {
                let map = self.map_of(Reg(1), &[MapKind::Ringbuf])?;
                self.with_numbers(RequestOp::RingQuery, Some(map), Reg(2), None)?
            }
            Helper::RingSubmit => self.end_record(RequestOp::RingSubmit)?,
            Helper::RingDiscard => self.end_record(RequestOp::RingDiscard)?,
            Helper::SpinLock => self.spin(RequestOp::SpinLock)?,
            Helper::SpinUnlock => self.spin(RequestOp::SpinUnlock)?,
            // Its region ends with it.
            Helper::Loop => return Ok(()),
        };
        self.finish_call(result);
        Ok(())
    }

    /// A request about numbers: V, W.
    fn with_numbers(
        &mut self,
        op: RequestOp,
        map: Option<MapIdx>,
        value: Reg,
        third: Option<Reg>,
    ) -> Result<Value, Diagnostic> {
        let value = Some(self.number(value)?);
        let third = third.map(|reg| self.number(reg)).transpose()?;
        Ok(self.emit(Op::Request(Request { map, value, third, ..Request::new(op) })))
    }

    fn lookup(&mut self) -> Result<Value, Diagnostic> {
        let named = self.map_argument()?;
        let key = self.bytes_argument(Reg(2), named.spec.key_size)?;
        Ok(match named.inner {
            None => self.emit(Op::Lookup { map: named.map, key }),
            Some(_) => self.in_map(RequestOp::LookupIn, &named, key, None),
        })
    }

    fn update(&mut self) -> Result<Value, Diagnostic> {
        let named = self.map_argument()?;
        let flags = match self.fact(Reg(4)) {
            Fact::Scalar(range) => exact(&range).and_then(|flags| u8::try_from(flags).ok()).filter(|flags| *flags <= 2),
            _ => None,
        };
        let key = self.bytes_argument(Reg(2), named.spec.key_size)?;
        let value = self.bytes_argument(Reg(3), named.spec.value_size)?;
        let Some(flags) = flags else { return self.update_with_flags(&named, key, value) };
        let op = match flags {
            0 => RequestOp::UpdateInAny,
            1 => RequestOp::UpdateInNoExist,
            _ => RequestOp::UpdateInExist,
        };
        Ok(match named.inner {
            None => self.emit(Op::Update { map: named.map, key, value, flags }),
            Some(_) => self.in_map(op, &named, key, Some(value)),
        })
    }

    /// An update whose flags the device looks at: not a constant, with BPF_F_LOCK, or such as no map has.
    fn update_with_flags(&mut self, named: &Named, key: Mem, value: Mem) -> Result<Value, Diagnostic> {
        let flags = self.number(Reg(4))?;
        let (op, third) = match named.inner {
            None => (RequestOp::UpdateFlags, flags),
            // The flags stand in the pointer's lowest 3 bits: 7 are none of any map, like all that are more.
            Some(pointer) => {
                let (three, seven) = (self.constant(3), self.constant(7));
                let high = self.alu(AluOp::Rsh, true, flags, three);
                let flags = self.select(high, seven, flags);
                (RequestOp::UpdateInFlags, self.alu(AluOp::Or, true, pointer, flags))
            }
        };
        Ok(self.emit(Op::Request(Request {
            map: Some(named.map),
            key: Some(key),
            key_bytes: named.spec.key_size,
            value_at: Some(value),
            value_bytes: named.spec.value_size,
            third: Some(third),
            ..Request::new(op)
        })))
    }

    /// A request about a map that was looked up.
    fn in_map(&mut self, op: RequestOp, named: &Named, key: Mem, value_at: Option<Mem>) -> Value {
        let value_bytes = if value_at.is_some() { named.spec.value_size } else { 0 };
        self.emit(Op::Request(Request {
            map: Some(named.map),
            key: Some(key),
            key_bytes: named.spec.key_size,
            value_at,
            value_bytes,
            third: named.inner,
            ..Request::new(op)
        }))
    }

    /// The map in r1, which holds values or maps.
    fn map_argument(&mut self) -> Result<Named, Diagnostic> {
        if let Fact::Ptr { kind: PtrKind::InnerMap(map), maybe_null: false, .. } = self.fact(Reg(1)) {
            let object = self.lifter.object;
            let Some(spec) = object.maps.get(usize::from(map.0)).and_then(|map| map.inner.as_deref()) else {
                return Err(self.refuse(compiler::POINTER_UNKNOWN, "the map of maps does not say what stands in it"));
            };
            let inner = Some(self.read(Reg(1)));
            return Ok(Named { map, spec: spec.clone(), inner });
        }
        use MapKind::{
            Array, ArrayOfMaps, Devmap, DevmapHash, Hash, HashOfMaps, LpmTrie, LruHash, PercpuArray, PercpuHash,
        };
        let kinds =
            [Hash, Array, PercpuHash, PercpuArray, LruHash, LpmTrie, Devmap, DevmapHash, ArrayOfMaps, HashOfMaps];
        if let Fact::Ptr { kind: PtrKind::OneOf(set), maybe_null: false, .. } = self.fact(Reg(1)) {
            return self.one_of(set, &kinds);
        }
        let map = self.map_of(Reg(1), &kinds)?;
        let spec = self.spec(map)?.clone();
        Ok(Named { map, spec, inner: None })
    }

    /// One of several maps, which the device finds by its pointer. Sizes are the largest of them.
    fn one_of(&mut self, set: MapSet, kinds: &[MapKind]) -> Result<Named, Diagnostic> {
        let mut named: Option<Named> = None;
        for map in set.maps() {
            self.serves(map, kinds)?;
            let spec = self.spec(map)?.clone();
            named = Some(match named {
                None => Named { map, spec, inner: Some(self.read(Reg(1))) },
                Some(Named { map, spec: other, inner }) => {
                    let key_size = other.key_size.max(spec.key_size);
                    let value_size = other.value_size.max(spec.value_size);
                    Named { map, spec: MapSpec { key_size, value_size, ..other }, inner }
                }
            });
        }
        named.ok_or_else(|| self.refuse(compiler::POINTER_UNKNOWN, "the call names no map"))
    }

    fn spec(&self, map: MapIdx) -> Result<&MapSpec, Diagnostic> {
        match self.lifter.object.maps.get(usize::from(map.0)) {
            Some(map) => Ok(&map.spec),
            None => Err(self.refuse(compiler::POINTER_UNKNOWN, "the call names a map that the object does not have")),
        }
    }

    /// The map in the register, which must be of one of the kinds.
    pub(super) fn map_of(&self, reg: Reg, kinds: &[MapKind]) -> Result<MapIdx, Diagnostic> {
        let Fact::Ptr { kind: PtrKind::Map(map), maybe_null: false, .. } = self.fact(reg) else {
            return Err(self
                .refuse(compiler::POINTER_UNKNOWN, "the map of this call depends on the path")
                .with_reason(
                    "only lookups, updates and deletes find their map by a pointer; the request of this call names it",
                )
                .with_help("call the helper in each branch, with a map of its own"));
        };
        self.serves(map, kinds)?;
        Ok(map)
    }

    /// Refuses a map that is not of one of the kinds.
    fn serves(&self, map: MapIdx, kinds: &[MapKind]) -> Result<(), Diagnostic> {
        let spec = self.spec(map)?;
        if map.0 > u16::from(u8::MAX) {
            return Err(self.refuse(compiler::TOO_LARGE, "the object has more than 256 maps"));
        }
        if kinds.contains(&spec.kind) {
            return Ok(());
        }
        let words: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        Err(self
            .refuse(
                compiler::MAP_KIND,
                format!("map {} is of kind {}, on which the device does not do this", spec.name, spec.kind.name()),
            )
            .with_reason(format!("this call works on {}", words.join(", ")))
            .with_help("use one of these kinds, or run the program on the host"))
    }

    /// A key, a value or other bytes in memory that the device reads.
    pub(super) fn bytes_argument(&mut self, reg: Reg, bytes: u32) -> Result<Mem, Diagnostic> {
        let mem = self.address(reg, 0)?;
        self.no_pointer_in(&mem, bytes)?;
        Ok(mem)
    }
}
