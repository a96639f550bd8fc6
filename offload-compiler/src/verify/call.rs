//! Calls of helpers and of local functions, and returns.

use super::args::Call;
use super::explore::{Path, Verifier};
use super::protos::{self, Proto};
use super::refusal::{Check, Refusal, describe};
use super::state::{Frame, Kind, MapRef, Reference, Reg, State};
use super::structure::{MAX_FRAMES, too_deep};
use super::trace::{Event, NodeId};
use crate::ebpf::{self, InsnIdx};
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
        let (mut call, key) = (Call::default(), *state.reg(2));
        for (reg, &arg) in (1u8..).zip(proto.args) {
            self.argument(state, proto, &name, (ebpf::Reg(reg), arg), &mut call)?;
        }
        let result = self.result(state, path.insn, proto, &call, &key);
        (1..=5).for_each(|reg| state.set(reg, Reg::UNINIT));
        state.set(0, result);
        if let Some(record) = call.record {
            let gone = Reg { kind: Kind::Released(path.insn), ..Reg::UNINIT };
            state.references.retain(|reference| reference.id != record.id);
            state.update_all(|reg| (matches!(reg.kind, Kind::Record(..)) && reg.id == record.id).then_some(gone));
            path.trail = self.trail.add(path.trail, path.insn, Event::Released);
        }
        if proto.result == protos::Result::RecordOrNull {
            path.trail = self.trail.add(path.trail, path.insn, Event::Reserved);
        }
        if proto.moves_packet {
            packet_moves(state, path.insn);
            path.trail = self.trail.add(path.trail, path.insn, Event::PacketMoved);
        }
        Ok(())
    }

    /// r0 after a call.
    fn result(&mut self, state: &mut State, insn: u32, proto: &Proto, call: &Call, key: &Reg) -> Reg {
        let map = call.map.and_then(|map| Some((map, map.spec(self.object)?)));
        match (proto.result, map) {
            (protos::Result::MapValueOrNull, Some((map, spec))) => {
                let kind = match spec.kind {
                    MapKind::ArrayOfMaps | MapKind::HashOfMaps => Kind::MapOrNull(MapRef { inner: true, ..map }),
                    _ => {
                        let found = protos::array_size(spec)
                            .is_some_and(|size| self.constant_key(state, key).is_some_and(|key| key < size));
                        if found { Kind::MapValue(map) } else { Kind::MapValueOrNull(map) }
                    }
                };
                Reg { id: self.new_id(), ..Reg::pointer(kind) }
            }
            (protos::Result::RecordOrNull, Some((map, _))) => {
                let id = self.new_id();
                state.references.push(Reference { id, insn });
                Reg { id, ..Reg::pointer(Kind::RecordOrNull(map, call.alloc)) }
            }
            (protos::Result::Number32, _) => self.scalar(Num::loaded(32, false), NodeId::NONE, NodeId::NONE),
            (protos::Result::Nothing, _) => Reg::UNINIT,
            _ => self.scalar(Num::ANY, NodeId::NONE, NodeId::NONE),
        }
    }

    /// A tail call that succeeds goes to another program, which may do anything to the packet and then returns where this
    /// function would have: to the caller, with any number. One that fails goes on as if nothing had happened.
    pub(super) fn tail_call(&mut self, path: &mut Path) -> Check<Option<Box<State>>> {
        self.no_references(&path.state, "a tail call")?;
        if path.state.callers().is_empty() {
            return Ok(None);
        }
        let mut gone = Box::new(path.state.clone());
        gone.pop();
        let number = self.scalar(Num::ANY, NodeId::NONE, NodeId::NONE);
        gone.set(0, number);
        packet_moves(&mut gone, path.insn);
        Ok(Some(gone))
    }

    /// Nothing is left to be given back (`check_reference_leak`).
    fn no_references(&self, state: &State, what: &str) -> Check {
        let Some(reference) = state.references.first() else { return Ok(()) };
        Err(Refusal::new(codes::REFERENCE_LEAK, format!("{what} while a reserved record is not given back"))
            .because(format!("the record was reserved by the call at instruction {}", reference.insn))
            .help("call bpf_ringbuf_submit or bpf_ringbuf_discard on every path"))
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
            self.no_references(&path.state, "the program ends")?;
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

/// All pointers into the packet become stale (`clear_all_pkt_pointers`).
fn packet_moves(state: &mut State, insn: u32) {
    let stale = Reg { kind: Kind::Stale(insn), ..Reg::UNINIT };
    state.update_all(|reg| reg.kind.is_packet().then_some(stale));
}

fn helper_name(id: u32) -> String {
    ebpf::helper_name(id).map_or_else(|| format!("number {id}"), str::to_string)
}
