//! Functions with global linkage: whoever calls them, they are checked once, on their own, by the types of their arguments
//! (`do_check_subprogs`, `btf_prepare_func_args`). A call of one tells of its result only that it is a number.
//!
//! Only those are treated so whose arguments are numbers and contexts; others are followed from each call, as static ones are.

use super::explore::{Path, Verifier};
use super::refusal::{Check, Refusal, describe};
use super::state::{Frame, Kind, Reg, State};
use super::trace::{Event, NodeId};
use crate::btf::{Btf, Kind as BtfKind, TypeId};
use crate::ebpf::{self, InsnIdx};
use crate::facts;
use crate::object::{Object, Program};
use crate::range::Num;
use offwire_diag::codes::verify as codes;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arg {
    Number,
    Ctx,
}

/// A function that is checked on its own.
pub(super) struct Global {
    /// First instruction.
    entry: u32,
    args: Vec<Arg>,
    moves_packet: bool,
    /// Some path calls it.
    called: bool,
    /// Its own check has begun.
    begun: bool,
}

/// `BTF_FUNC_GLOBAL`.
const GLOBAL: u32 = 1;

/// The program's functions of this kind.
pub(super) fn globals(object: &Object, program: &Program) -> Vec<Global> {
    if program.func_info.len() < 2 {
        return Vec::new();
    }
    let Ok(btf) = Btf::parse(&object.btf) else { return Vec::new() };
    let movers = facts::packet_movers(&program.insns);
    let functions = program.func_info.iter().filter(|(entry, _)| entry.0 != 0);
    functions
        .filter_map(|&(entry, ty)| {
            let moves_packet = movers.contains(&entry.at());
            Some(Global { entry: entry.0, args: args(&btf, ty)?, moves_packet, called: false, begun: false })
        })
        .collect()
}

/// The arguments of a global function, if all are of the kinds that are known here and its result is a number.
fn args(btf: &Btf<'_>, function: TypeId) -> Option<Vec<Arg>> {
    let function = btf.get(function).filter(|ty| ty.kind == BtfKind::Func && ty.count == GLOBAL)?;
    let proto = btf.get(function.target()?).filter(|ty| ty.kind == BtfKind::FuncProto && ty.count <= 5)?;
    let number = |kind| matches!(kind, BtfKind::Int | BtfKind::Enum | BtfKind::Enum64);
    if !number(btf.resolve(proto.target()?)?.kind) {
        return None;
    }
    let arg = |ty| {
        let ty = btf.resolve(ty)?;
        if number(ty.kind) {
            return Some(Arg::Number);
        }
        let pointee = btf.resolve(ty.target().filter(|_| ty.kind == BtfKind::Ptr)?)?;
        (pointee.kind == BtfKind::Struct && btf.name(&pointee) == "xdp_md").then_some(Arg::Ctx)
    };
    btf.params(&proto).map(arg).collect()
}

impl Verifier<'_> {
    /// A call of a function that is checked on its own; false if the function is none of these.
    pub(super) fn call_global(&mut self, path: &mut Path, target: InsnIdx) -> Check<bool> {
        let Some(index) = self.globals.iter().position(|global| global.entry == target.0) else { return Ok(false) };
        let Some(Global { args, moves_packet, .. }) = self.globals.get(index) else { return Ok(false) };
        let (args, moves_packet) = (args.clone(), *moves_packet);
        if let Some(lock) = path.state.lock {
            return Err(Refusal::new(codes::LOCK, "a global function is called while a spin lock is held")
                .because(format!("the call at instruction {} took the lock", lock.insn))
                .help("make the function static, or call it before the lock is taken"));
        }
        for (reg, arg) in (1u8..).zip(args) {
            let reg = ebpf::Reg(reg);
            let value = self.read(&path.state, reg)?;
            match (arg, value.kind) {
                (Arg::Number, Kind::Scalar) => {}
                (Arg::Ctx, Kind::Ctx) => self.whole_context(reg, &value)?,
                (Arg::Number, _) => {
                    return Err(self.pointer_as_number(reg, &value, "it is a number for the function that is called"));
                }
                (Arg::Ctx, _) => {
                    return Err(Refusal::new(codes::HELPER_ARGUMENT, "a function is called with another type")
                        .because(format!("R{} is {}, not the context", reg.0, describe(self.object, &value)))
                        .help("pass ctx"));
                }
            }
        }
        if let Some(global) = self.globals.get_mut(index) {
            global.called = true;
        }
        let caller = path.state.top().entry;
        self.note_call(caller, target.0);
        (1..=5).for_each(|reg| path.state.set(reg, Reg::UNINIT));
        let result = self.scalar(Num::ANY, NodeId::NONE, NodeId::NONE);
        path.state.set(0, result);
        if moves_packet {
            super::call::packet_moves(&mut path.state, path.insn);
            path.trail = self.trail.add(path.trail, path.insn, Event::PacketMoved);
        }
        Ok(true)
    }

    /// The start of a function that was called and not checked so far.
    pub(super) fn next_global(&mut self) -> Option<(u32, State)> {
        let global = self.globals.iter_mut().find(|global| global.called && !global.begun)?;
        global.begun = true;
        let (entry, args) = (global.entry, global.args.clone());
        let mut frame = Frame::new(0, None, entry);
        for (reg, arg) in (1u8..).zip(args) {
            let value = match arg {
                Arg::Number => self.scalar(Num::ANY, NodeId::NONE, NodeId::NONE),
                Arg::Ctx => Reg::pointer(Kind::Ctx),
            };
            frame.set(reg, value);
        }
        Some((entry, State::of(frame)))
    }
}
