//! Calls of helpers and of local functions, and returns.

use super::explore::{Path, Verifier};
use super::memory::Mode;
use super::protos::{self, Arg, Proto};
use super::refusal::{Check, Refusal, describe};
use super::stack::Access;
use super::state::{Frame, Kind, Reg, State};
use super::structure::{MAX_FRAMES, too_deep};
use super::trace::{Event, NodeId};
use crate::ebpf::{self, InsnIdx, MapIdx};
use crate::object::Map;
use crate::range::Num;
use offwire_diag::codes::verify as codes;
use offwire_image::MapKind;

impl Verifier<'_> {
    pub(super) fn call_helper(&mut self, path: &mut Path, id: u32) -> Check {
        let name = helper_name(id);
        let Some(proto) = protos::find(id) else {
            return Err(Refusal::new(codes::HELPER_UNSUPPORTED, format!("helper {name} is not supported yet"))
                .because("the device has no such function today; this says nothing about the program's safety")
                .help("leave the call out for the offload, or run the program on the host"));
        };
        let state = &mut path.state;
        let (mut map, key) = (None, *state.reg(2));
        for (reg, &arg) in (1u8..).zip(proto.args) {
            self.argument(state, proto, &name, ebpf::Reg(reg), arg, &mut map)?;
        }
        (1..=5).for_each(|reg| state.set(reg, Reg::UNINIT));
        let result = match (proto.result, map) {
            (protos::Result::MapValueOrNull, Some(map)) => {
                let found = protos::array_size(self.object, map)
                    .is_some_and(|size| self.constant_key(state, &key).is_some_and(|key| key < size));
                let kind = if found { Kind::MapValue(map) } else { Kind::MapValueOrNull(map) };
                Reg { id: self.new_id(), ..Reg::pointer(kind) }
            }
            (protos::Result::MapValueOrNull | protos::Result::Number, _) => {
                self.scalar(Num::ANY, NodeId::NONE, NodeId::NONE)
            }
            (protos::Result::Number32, _) => self.scalar(Num::loaded(32, false), NodeId::NONE, NodeId::NONE),
        };
        state.set(0, result);
        if proto.moves_packet {
            let stale = Reg { kind: Kind::Stale(path.insn), ..Reg::UNINIT };
            state.update_all(|reg| matches!(reg.kind, Kind::Packet | Kind::PacketEnd).then_some(stale));
            path.trail = self.trail.add(path.trail, path.insn, Event::PacketMoved);
        }
        Ok(())
    }

    fn argument(
        &mut self,
        state: &State,
        proto: &Proto,
        name: &str,
        reg: ebpf::Reg,
        arg: Arg,
        map: &mut Option<MapIdx>,
    ) -> Check {
        let value = self.read(state, reg)?;
        let wrong = |wanted: &str| {
            Refusal::new(codes::HELPER_ARGUMENT, format!("argument {} of {name} must be {wanted}", reg.0))
                .because(format!("R{} is {}", reg.0, describe(self.object, &value)))
                .help("pass &map, ctx, or the address of a variable of the right type")
        };
        match arg {
            Arg::Map => match value.kind {
                Kind::Map(index) => {
                    *map = Some(index);
                    self.map_takes(index, proto, name)
                }
                _ => Err(wrong("the address of a map")),
            },
            Arg::Ctx => match value.kind {
                Kind::Ctx => self.whole_context(reg, &value),
                _ => Err(wrong("the context pointer")),
            },
            Arg::Number => match value.kind {
                Kind::Scalar => Ok(()),
                _ => Err(self.pointer_as_number(reg, &value, &format!("it is argument {} of {name}", reg.0))),
            },
            Arg::MapKey | Arg::MapValue => {
                let spec = map.and_then(|map| self.object.maps.get(usize::from(map.0))).map(|map| &map.spec);
                let Some(spec) = spec else { return Err(wrong("preceded by a map")) };
                let (size, what) = match arg {
                    Arg::MapKey => {
                        (spec.key_size, format!("a pointer to a key of map {} ({} bytes)", spec.name, spec.key_size))
                    }
                    _ => (
                        spec.value_size,
                        format!("a pointer to a value of map {} ({} bytes)", spec.name, spec.value_size),
                    ),
                };
                match value.kind {
                    Kind::Stack(depth) => {
                        self.stack_argument(state, &Access { base: reg, depth, ptr: value, off: 0, size })
                    }
                    Kind::MapValue(map) => self.map_access(reg, map, &value, 0, size, Mode::Read),
                    Kind::Scalar | Kind::Ctx | Kind::Map(_) | Kind::PacketEnd | Kind::Uninit => Err(wrong(&what)),
                    Kind::Packet | Kind::Stale(_) | Kind::MapValueOrNull(_) => {
                        self.plain_access(reg, &value, 0, size, "read")
                    }
                }
            }
        }
    }

    /// The map must be of a kind that the helper works on.
    fn map_takes(&self, map: MapIdx, proto: &Proto, name: &str) -> Check {
        let Some(Map { spec, .. }) = self.object.maps.get(usize::from(map.0)) else {
            return Err(Refusal::new(codes::HELPER_ARGUMENT, format!("{name} on a map that the object does not have")));
        };
        use MapKind::{Array, Hash, LpmTrie, LruHash, PercpuArray, PercpuHash};
        if !matches!(spec.kind, Hash | Array | PercpuHash | PercpuArray | LruHash | LpmTrie) {
            return Err(Refusal::new(
                codes::MAP_UNSUPPORTED,
                format!("{name} on a map of kind {} is not supported", spec.kind.name()),
            )
            .because(format!("map {} is a {}", spec.name, spec.kind.name()))
            .help("use a hash or array map"));
        }
        if proto.writes_map && (spec.frozen || spec.flags & 0x80 != 0) {
            return Err(Refusal::new(codes::READ_ONLY, "a store to read-only data")
                .because(format!("map {} cannot be changed by programs", spec.name))
                .help("create the map without BPF_F_RDONLY_PROG"));
        }
        Ok(())
    }

    /// Enters a local function.
    pub(super) fn call_local(&mut self, path: &mut Path, target: InsnIdx) -> Check {
        let depth = path.state.depth().saturating_add(1);
        if usize::from(depth) >= MAX_FRAMES {
            return Err(too_deep());
        }
        let caller = path.state.top().entry;
        self.note_call(caller, target.0);
        let mut frame = Frame::new(depth, Some(path.insn), target.0);
        (1..=5).for_each(|reg| frame.set(reg, *path.state.reg(reg)));
        (0..=5).for_each(|reg| path.state.set(reg, Reg::UNINIT));
        self.clean_caller(&mut path.state, InsnIdx(path.insn));
        path.state.push(frame);
        path.trail = self.trail.add(path.trail, path.insn, Event::Called);
        Ok(())
    }

    /// Returns: the instruction after the call, or `None` if the program ends.
    pub(super) fn exit(&mut self, path: &mut Path) -> Check<Option<u32>> {
        if path.state.callers().is_empty() {
            self.read_number(&path.state, ebpf::Reg(0), "it is the program's return value")?;
            return Ok(None);
        }
        let result = *path.state.reg(0);
        if matches!(result.kind, Kind::Stack(_)) {
            return Err(Refusal::new(codes::STACK_BOUNDS, "a function returns a pointer to the stack")
                .because(format!("R0 is {}", describe(self.object, &result)))
                .help("return a value, or let the caller pass a pointer to its own variable"));
        }
        let call = path.state.top().call;
        path.state.pop();
        path.state.set(0, result);
        path.trail = self.trail.add(path.trail, path.insn, Event::Returned);
        Ok(call.map(|call| call.saturating_add(1)))
    }
}

fn helper_name(id: u32) -> String {
    ebpf::helper_name(id).map_or_else(|| format!("number {id}"), str::to_string)
}
