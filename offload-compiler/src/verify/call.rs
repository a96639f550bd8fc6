//! Calls of helpers and of local functions, and returns.

use super::args::Call;
use super::explore::{Path, Verifier};
use super::protos::{self, Proto, number};
use super::refusal::{Check, Refusal, describe};
use super::state::{Frame, Kind, Lock, MapRef, Reference, Reg, State};
use super::structure::{MAX_FRAMES, too_deep};
use super::trace::{Event, NodeId};
use crate::ebpf::{self, InsnIdx};
use crate::range::Num;
use offwire_diag::codes::verify as codes;
use offwire_image::MapKind;

impl Verifier<'_> {
    /// The state in which a function is called back, if the helper does so.
    pub(super) fn call_helper(&mut self, path: &mut Path, id: u32) -> Check<Option<Box<State>>> {
        let name = helper_name(id);
        let Some(proto) = protos::find(id) else {
            return Err(Refusal::new(codes::HELPER_UNSUPPORTED, format!("helper {name} is not supported yet"))
                .because("the device has no such function today; this says nothing about the program's safety")
                .help("leave the call out for the offload, or run the program on the host"));
        };
        let state = &mut path.state;
        if let (Some(lock), false) = (state.lock, matches!(id, number::SPIN_LOCK | number::SPIN_UNLOCK)) {
            return Err(Refusal::new(codes::LOCK, format!("{name} is called while a spin lock is held"))
                .because(format!("the call at instruction {} took the lock", lock.insn))
                .help("call helpers before the lock is taken or after it is released"));
        }
        let (mut call, key) = (Call::default(), *state.reg(2));
        for (reg, &arg) in (1u8..).zip(proto.args) {
            self.argument(state, proto, &name, (ebpf::Reg(reg), arg), &mut call)?;
        }
        let result = self.result(state, path.insn, proto, &call, &key);
        if let Some((map, id)) = call.lock {
            let taken = proto.id == number::SPIN_LOCK;
            state.lock = taken.then_some(Lock { map, id, insn: path.insn });
            let event = if taken { Event::Locked } else { Event::Unlocked };
            path.trail = self.trail.add(path.trail, path.insn, event);
        }
        let callback = match call.callback {
            Some(entry) => self.call_back(path, entry)?,
            None => None,
        };
        let state = &mut path.state;
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
        Ok(callback)
    }

    /// Before a helper that calls the function back, any number of times: the state in which the function is entered, if it may
    /// be entered once more. The path itself goes on behind the call (`push_callback_call`).
    fn call_back(&mut self, path: &mut Path, entry: u32) -> Check<Option<Box<State>>> {
        let count = *path.state.reg(1);
        self.nodes.mark(count.node);
        let turns = path.state.top().turns;
        path.state.top_mut().turns = 0;
        if turns >= count.num.wide.umax {
            return Ok(None);
        }
        let depth = path.state.depth().saturating_add(1);
        if usize::from(depth) >= MAX_FRAMES {
            return Err(too_deep());
        }
        let mut inner = Box::new(path.state.clone());
        let caller = inner.top_mut();
        caller.turns = turns.saturating_add(1);
        let context = *caller.reg(3);
        self.note_call(caller.entry, entry);
        self.clean(&mut inner, InsnIdx(path.insn));
        let mut frame = Frame::new(depth, Some(path.insn), entry);
        frame.callback = true;
        let index = self.scalar(Num::loaded(protos::MAX_LOOPS_LOG2, false), NodeId::NONE, NodeId::NONE);
        frame.set(1, index);
        frame.set(2, context);
        inner.push(frame);
        Ok(Some(inner))
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
        if path.state.top().callback {
            return Err(Refusal::new(codes::CALLBACK_UNSUPPORTED, "a tail call in a function that is called back")
                .because("the other program would return to the helper, with a number that nobody knows")
                .help("make the tail call after the loop"));
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

    /// Enters a local function, or goes on behind the call if the function is checked on its own: the next instruction.
    pub(super) fn call_local(&mut self, path: &mut Path, target: InsnIdx) -> Check<u32> {
        if self.call_global(path, target)? {
            return Ok(path.insn.saturating_add(1));
        }
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
        Ok(target.0)
    }

    /// Returns: the instruction after the call, or `None` if the program ends.
    pub(super) fn exit(&mut self, path: &mut Path) -> Check<Option<u32>> {
        if path.state.callers().is_empty() {
            if let Some(lock) = path.state.lock {
                return Err(Refusal::new(codes::LOCK, "the program ends while a spin lock is held")
                    .because(format!("the call at instruction {} took the lock", lock.insn))
                    .help("call bpf_spin_unlock on every path"));
            }
            self.no_references(&path.state, "the program ends")?;
            self.read_number(&path.state, ebpf::Reg(0), "it is the program's return value")?;
            return Ok(None);
        }
        if path.state.top().callback {
            return self.called_back(path).map(Some);
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

    /// A function that was called back returns to the helper, which is called again: it may have enough now, or not.
    fn called_back(&mut self, path: &mut Path) -> Check<u32> {
        let result = self.read_number(&path.state, ebpf::Reg(0), "it is the return value of a callback")?;
        self.nodes.mark(result.node);
        if result.num.wide.umax > 1 {
            return Err(Refusal::new(codes::CALLBACK_RESULT, "a callback returns something else than 0 or 1")
                .because(format!("R0 is {}", describe(self.object, &result)))
                .help("return 0 to go on, or 1 to stop"));
        }
        let call = path.state.top().call.unwrap_or_default();
        path.state.pop();
        path.trail = self.trail.add(path.trail, path.insn, Event::Returned);
        self.loosen(&mut path.state, InsnIdx(call));
        Ok(call)
    }
}

/// All pointers into the packet become stale (`clear_all_pkt_pointers`).
pub(super) fn packet_moves(state: &mut State, insn: u32) {
    let stale = Reg { kind: Kind::Stale(insn), ..Reg::UNINIT };
    state.update_all(|reg| reg.kind.has_packet_half().then_some(stale));
}

fn helper_name(id: u32) -> String {
    ebpf::helper_name(id).map_or_else(|| format!("number {id}"), str::to_string)
}
