//! Helper calls.

use super::build::{Builder, exact};
use crate::ebpf::{MapIdx, Reg, helper_name};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Mem, Op};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_image::{MapKind, MapSpec};
use offwire_isa::METADATA_VCPU;

/// Helpers that the device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    MapLookup,
    MapUpdate,
    MapDelete,
    SmpProcessorId,
    AdjustHead,
}

impl Helper {
    /// The helper with the kernel's number (include/uapi/linux/bpf.h, `enum bpf_func_id`), if the device has it.
    pub(super) fn find(id: u32) -> Option<Self> {
        Some(match id {
            1 => Helper::MapLookup,
            2 => Helper::MapUpdate,
            3 => Helper::MapDelete,
            8 => Helper::SmpProcessorId,
            44 => Helper::AdjustHead,
            _ => return None,
        })
    }

    /// Registers that hold its arguments: r1 on.
    pub(super) fn arguments(self) -> impl Iterator<Item = Reg> {
        let count = match self {
            Helper::MapLookup | Helper::MapDelete | Helper::AdjustHead => 2,
            Helper::MapUpdate => 4,
            Helper::SmpProcessorId => 0,
        };
        (1..=count).map(Reg)
    }
}

impl Builder<'_> {
    /// The call at the current instruction.
    pub(super) fn helper(&mut self, id: u32) -> Result<(), Diagnostic> {
        let Some(helper) = Helper::find(id) else {
            let name = helper_name(id).map_or_else(|| format!("helper {id}"), str::to_string);
            return Err(self
                .refuse(compiler::HELPER, format!("{name} is not on the device"))
                .with_reason(
                    "the device has bpf_map_lookup_elem, bpf_map_update_elem, bpf_map_delete_elem, bpf_get_smp_processor_id and \
                     bpf_xdp_adjust_head",
                )
                .with_help("run the program on the host"));
        };
        let result = match helper {
            Helper::SmpProcessorId => self.scratch(METADATA_VCPU, 4),
            Helper::AdjustHead => {
                let delta = self.number(Reg(2))?;
                self.emit(Op::AdjustHead { delta })
            }
            Helper::MapLookup => {
                let (map, spec) = self.map_argument()?;
                let key = self.bytes_argument(Reg(2), spec.key_size)?;
                self.emit(Op::Lookup { map, key })
            }
            Helper::MapDelete => {
                let (map, spec) = self.map_argument()?;
                let key = self.bytes_argument(Reg(2), spec.key_size)?;
                self.emit(Op::Delete { map, key })
            }
            Helper::MapUpdate => {
                let (map, spec) = self.map_argument()?;
                let flags = self.flags()?;
                let key = self.bytes_argument(Reg(2), spec.key_size)?;
                let value = self.bytes_argument(Reg(3), spec.value_size)?;
                self.emit(Op::Update { map, key, value, flags })
            }
        };
        self.finish_call(result);
        Ok(())
    }

    /// The map in r1.
    fn map_argument(&self) -> Result<(MapIdx, MapSpec), Diagnostic> {
        let Fact::Ptr { kind: PtrKind::Map(map), maybe_null: false, .. } = self.fact(Reg(1)) else {
            return Err(self
                .refuse(compiler::POINTER_UNKNOWN, "the map of this call depends on the path")
                .with_help("call the helper in each branch, with a map of its own"));
        };
        let Some(spec) = self.lifter.object.maps.get(usize::from(map.0)).map(|map| &map.spec) else {
            return Err(self.refuse(compiler::POINTER_UNKNOWN, "the call names a map that the object does not have"));
        };
        if map.0 > u16::from(u8::MAX) {
            return Err(self.refuse(compiler::TOO_LARGE, "the object has more than 256 maps"));
        }
        match spec.kind {
            MapKind::Hash | MapKind::Array | MapKind::PercpuArray => Ok((map, spec.clone())),
            kind => Err(self
                .refuse(
                    compiler::MAP_KIND,
                    format!("map {} is of kind {}, which is not on the device", spec.name, kind.name()),
                )
                .with_reason("the device has hash, array and percpu_array")
                .with_help("use one of these kinds, or run the program on the host")),
        }
    }

    /// A key or value in memory.
    fn bytes_argument(&mut self, reg: Reg, bytes: u32) -> Result<Mem, Diagnostic> {
        let mem = self.address(reg, 0)?;
        self.no_pointer_in(&mem, bytes)?;
        Ok(mem)
    }

    /// The flags in r4 of an update.
    fn flags(&self) -> Result<u8, Diagnostic> {
        let flags = match self.fact(Reg(4)) {
            Fact::Scalar(range) => exact(&range),
            _ => None,
        };
        match flags.map(u8::try_from) {
            Some(Ok(flags @ 0..=2)) => Ok(flags),
            known => {
                let reason = match known {
                    Some(_) => "the device has BPF_ANY, BPF_NOEXIST and BPF_EXIST",
                    None => "the flags must be a constant",
                };
                Err(self
                    .refuse(compiler::HELPER, "these flags of bpf_map_update_elem are not on the device")
                    .with_reason(reason))
            }
        }
    }
}
