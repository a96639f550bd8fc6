//! Path after path: steps, checkpoints, pruning, budget (`do_check`, `is_state_visited`).
//!
//! The states of one program form a tree: each path hangs on the last checkpoint that it passed, and a checkpoint is finished
//! when all paths that hang on it have ended. Only a finished one can cover other states. Paths are explored depth first with
//! an explicit stack, so that unfinished checkpoints are ancestors of the current path.

use super::branch::Sides;
use super::live::{Live, Liveness};
use super::protos::number;
use super::prune::{self, Ids};
use super::refusal::{Check, Refusal};
use super::report;
use super::state::{Kind, MapRef, Reg, State};
use super::structure;
use super::trace::{Event, NodeId, Nodes, Trail, TrailId};
use super::{Limits, Stats, Verified};
use crate::ebpf::{Imm64, Insn, InsnIdx};
use crate::object::{Object, Program, TypeRef};
use crate::range::Num;
use offwire_diag::Diagnostic;
use offwire_diag::codes::verify as codes;

/// Conditional jumps and instructions between checkpoints, at least.
const SPACING: (u64, u64) = (2, 8);
/// The same while the path goes round a loop: states of different turns rarely help each other.
const LOOP_SPACING: (u64, u64) = (20, 100);
/// r10, which is never dead.
const FRAME_POINTER: u16 = 1 << 10;
/// Bytes of stack of a chain of calls (`MAX_BPF_STACK`).
const STACK_SIZE: u32 = 512;

/// One path: where it stands and what is known there.
pub(super) struct Path {
    pub(super) state: State,
    pub(super) insn: u32,
    pub(super) trail: TrailId,
    /// Last checkpoint.
    parent: Option<usize>,
}

struct Checkpoint {
    parent: Option<usize>,
    /// Paths that hang on it and have not ended.
    branches: u32,
    /// `None` if it is no longer compared with.
    state: Option<Box<State>>,
    misses: u32,
    hits: u32,
    /// A path from here ended at this checkpoint, which was not finished: what decides there decides here, too. The first such
    /// one on the way.
    entry: Option<usize>,
    /// Its numbers carry their precision.
    settled: bool,
}

/// A lock or timer inside a map value.
pub(super) struct SpecialField {
    pub(super) name: &'static str,
    /// First byte.
    pub(super) from: i64,
    /// Byte after the last.
    pub(super) to: i64,
}

/// Where a step leads.
enum Flow {
    Next,
    To(u32),
    Fork { target: u32, taken: Box<State>, events: (Event, Event) },
    End,
}

/// One exploration.
pub(super) struct Verifier<'a> {
    pub(super) object: &'a Object,
    pub(super) program: &'a Program,
    pub(super) nodes: Nodes,
    pub(super) trail: Trail,
    /// By map.
    special_fields: Vec<Vec<SpecialField>>,
    limits: &'a Limits,
    live: Liveness,
    last_id: u32,
    /// Function entries with the deepest byte of their frames.
    depths: Vec<(u32, u32)>,
    /// Caller and callee by entries.
    calls: Vec<(u32, u32)>,
    pending: Vec<Path>,
    checkpoints: Vec<Checkpoint>,
    /// Checkpoints to compare with, by instruction, oldest first.
    at: Vec<Vec<usize>>,
    prune_points: Vec<bool>,
    reached: Vec<bool>,
    kept: u64,
    jumps: u64,
    /// Jumps and instructions processed at the last checkpoint.
    last_checkpoint: (u64, u64),
    stats: Stats,
    ids: Ids,
    renamed: Vec<(NodeId, NodeId)>,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(object: &'a Object, program: &'a Program, limits: &'a Limits) -> Self {
        let count = program.insns.len();
        let depths = structure::entries(&program.insns).into_iter().map(|entry| (entry, 0)).collect();
        Verifier {
            object,
            program,
            nodes: Nodes::new(),
            trail: Trail::new(),
            special_fields: object.maps.iter().map(|map| special_fields(map.value_type.as_ref())).collect(),
            limits,
            live: Liveness::new(object, program),
            last_id: 0,
            depths,
            calls: Vec::new(),
            pending: Vec::new(),
            checkpoints: Vec::new(),
            at: vec![Vec::new(); count],
            prune_points: prune_points(&program.insns),
            reached: vec![false; count],
            kept: 0,
            jumps: 0,
            last_checkpoint: (0, 0),
            stats: Stats::default(),
            ids: Ids::default(),
            renamed: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Verified, Diagnostic> {
        let mut next = Some(Path { state: State::new(), insn: 0, trail: TrailId::START, parent: None });
        while let Some(mut path) = next.take().or_else(|| self.pending.pop()) {
            if let Err(refusal) = self.follow(&mut path) {
                let at = InsnIdx(path.insn);
                let trail = Some((&self.trail, path.trail));
                return Err(report::diagnostic(self.object, self.program, at, *refusal, trail));
            }
            self.end(path.parent);
        }
        let stack_depth = self
            .check_depth()
            .map_err(|(at, refusal)| report::diagnostic(self.object, self.program, at, *refusal, None))?;
        let dead = (0u32..)
            .zip(self.program.insns.iter().zip(&self.reached))
            .filter(|(_, (insn, reached))| **insn != Insn::Wide && !**reached)
            .map(|(at, _)| InsnIdx(at))
            .collect();
        Ok(Verified { stats: self.stats, stack_depth, dead })
    }

    /// Locks and timers in the map's values. Those of maps in maps are not known: they have no BTF.
    pub(super) fn special_fields(&self, map: MapRef) -> &[SpecialField] {
        let fields = self.special_fields.get(usize::from(map.map.0)).filter(|_| !map.inner);
        fields.map_or(&[], |fields| fields)
    }

    /// A new id for numbers or pointers.
    pub(super) fn new_id(&mut self) -> u32 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    /// The frame of the function reaches this many bytes down.
    pub(super) fn note_depth(&mut self, entry: u32, bytes: i64) {
        let bytes = u32::try_from(bytes).unwrap_or(0);
        if let Some((_, depth)) = self.depths.iter_mut().find(|(function, _)| *function == entry) {
            *depth = bytes.max(*depth);
        }
    }

    /// One function calls another.
    pub(super) fn note_call(&mut self, caller: u32, callee: u32) {
        if !self.calls.contains(&(caller, callee)) {
            self.calls.push((caller, callee));
        }
    }

    /// Follows a path to its end.
    fn follow(&mut self, path: &mut Path) -> Check {
        loop {
            let at = InsnIdx(path.insn);
            let Some(&insn) = self.program.insns.get(at.at()) else {
                return Err(Refusal::new(codes::BAD_JUMP, "the program runs past its end"));
            };
            self.stats.processed = self.stats.processed.saturating_add(1);
            if self.stats.processed > self.limits.max_processed {
                return Err(too_complex(format!(
                    "{} instructions were processed over all paths",
                    self.limits.max_processed
                )));
            }
            if self.prune_points.get(at.at()) == Some(&true) && self.visit(path)? {
                self.stats.pruned = self.stats.pruned.saturating_add(1);
                return Ok(());
            }
            if let Some(reached) = self.reached.get_mut(at.at()) {
                *reached = true;
            }
            match self.step(path, insn)? {
                Flow::Next => path.insn = path.insn.saturating_add(1),
                Flow::To(target) => path.insn = target,
                Flow::End => return Ok(()),
                Flow::Fork { target, taken, events } => {
                    if self.pending.len() >= self.limits.max_pending {
                        return Err(too_complex(format!("{} branches wait to be explored", self.limits.max_pending)));
                    }
                    if let Some(parent) = path.parent.and_then(|parent| self.checkpoints.get_mut(parent)) {
                        parent.branches = parent.branches.saturating_add(1);
                    }
                    let trail = self.trail.add(path.trail, path.insn, events.0);
                    self.pending.push(Path { state: *taken, insn: target, trail, parent: path.parent });
                    let waiting = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
                    self.stats.peak_pending = self.stats.peak_pending.max(waiting);
                    path.trail = self.trail.add(path.trail, path.insn, events.1);
                    path.insn = path.insn.saturating_add(1);
                }
            }
        }
    }

    fn step(&mut self, path: &mut Path, insn: Insn) -> Check<Flow> {
        let state = &mut path.state;
        match insn {
            Insn::Alu { width, op, dst, src } => self.alu(state, width, op, dst, src)?,
            Insn::MovSx { width, bits, dst, src } => self.mov_sign_extended(state, width, bits, dst, src)?,
            Insn::Neg { width, dst } => self.unary(state, dst, dst, "it is negated", |num| Num::neg(width, num))?,
            Insn::Endian { bits, to_be, dst } => {
                let bits = u32::from(bits);
                let swap = |num: Num| if to_be { num.byte_swap(bits) } else { num.zero_extend(bits) };
                self.unary(state, dst, dst, "its bytes are swapped", swap)?;
            }
            Insn::Bswap { bits, dst } => {
                self.unary(state, dst, dst, "its bytes are swapped", |num| num.byte_swap(bits.into()))?;
            }
            Insn::LoadImm64 { dst, value } => {
                let value = self.immediate(value);
                state.set(dst.0, value);
                return Ok(Flow::To(path.insn.saturating_add(2)));
            }
            Insn::Wide => return Err(Refusal::new(codes::BAD_JUMP, "half of a 64-bit constant is executed")),
            Insn::Load { size, signed, dst, base, off } => self.load(state, size, signed, dst, base, off)?,
            Insn::Store { size, base, off, src } => self.store(state, size, base, off, src)?,
            Insn::Atomic { size, op, fetch, base, off, src } => {
                self.atomic(state, (size, op, fetch), base, off, src)?
            }
            Insn::Jump { target } => {
                self.jumps = self.jumps.saturating_add(1);
                return Ok(Flow::To(target.0));
            }
            Insn::JumpIf { width, cond, dst, src, target } => {
                self.jumps = self.jumps.saturating_add(1);
                return Ok(match self.branch(state, width, cond, dst, src)? {
                    Sides::One(true) => Flow::To(target.0),
                    Sides::One(false) => Flow::Next,
                    Sides::Both { taken, not_taken } => {
                        *state = *not_taken;
                        Flow::Fork { target: target.0, taken, events: (Event::Taken, Event::NotTaken) }
                    }
                });
            }
            Insn::CallHelper { id } => {
                self.jumps = self.jumps.saturating_add(1);
                if let Some(taken) = self.call_helper(path, id)? {
                    let target = taken.top().entry;
                    return Ok(Flow::Fork { target, taken, events: (Event::CalledBack, Event::LoopDone) });
                }
                if id == number::TAIL_CALL
                    && let Some(taken) = self.tail_call(path)?
                    && let Some(call) = path.state.top().call
                {
                    let events = (Event::TailCalled, Event::TailCallFailed);
                    return Ok(Flow::Fork { target: call.saturating_add(1), taken, events });
                }
            }
            Insn::CallLocal { target } => {
                self.jumps = self.jumps.saturating_add(1);
                self.call_local(path, target)?;
                return Ok(Flow::To(target.0));
            }
            Insn::CallKfunc { .. } => {
                return Err(Refusal::new(codes::KFUNC_UNSUPPORTED, "kernel functions are not supported yet")
                    .because("the device has no such function today; this says nothing about the program's safety")
                    .help("leave the call out for the offload, or run the program on the host"));
            }
            Insn::Exit => return Ok(self.exit(path)?.map_or(Flow::End, Flow::To)),
        }
        Ok(Flow::Next)
    }

    fn immediate(&mut self, value: Imm64) -> Reg {
        match value {
            Imm64::Const(value) => self.scalar(Num::constant(value), NodeId::NONE, NodeId::NONE),
            Imm64::Map(map) => Reg::pointer(Kind::Map(MapRef::new(map))),
            Imm64::MapValue { map, offset } => {
                let off = i32::try_from(offset).unwrap_or(i32::MAX);
                Reg { off, ..Reg::pointer(Kind::MapValue(MapRef::new(map))) }
            }
            Imm64::Func(entry) => Reg::pointer(Kind::Func(entry.0)),
        }
    }

    /// At a prune point: true if a finished checkpoint covers the path. May add a checkpoint.
    fn visit(&mut self, path: &mut Path) -> Check<bool> {
        let at = InsnIdx(path.insn);
        let since = (
            self.jumps.saturating_sub(self.last_checkpoint.0),
            self.stats.processed.saturating_sub(self.last_checkpoint.1),
        );
        // Where a function is called back there must be one, as loops end only there.
        let looping = matches!(self.program.insns.get(at.at()), Some(Insn::CallHelper { id: number::LOOP }));
        let mut add = looping || self.limits.every_state || since.0 >= SPACING.0 && since.1 >= SPACING.1;
        let known = self.at.get_mut(at.at()).map(std::mem::take).unwrap_or_default();
        if !known.is_empty() || add {
            self.clean(&mut path.state, at);
        }
        let mut kept = known.clone();
        let mut covered = false;
        for &id in known.iter().rev() {
            let open = self.open_entry(id);
            let Some(checkpoint) = self.checkpoints.get_mut(id) else { continue };
            if checkpoint.branches == 0 && open.is_none() && !std::mem::replace(&mut checkpoint.settled, true) {
                // From now on nothing marks its numbers any more.
                if let Some(state) = checkpoint.state.as_deref_mut() {
                    let nodes = &self.nodes;
                    state.update_all(|reg| {
                        (reg.kind == Kind::Scalar).then(|| Reg { precise: nodes.is_precise(reg.node), ..*reg })
                    });
                }
            }
            let Some(old) = checkpoint.state.as_deref() else { continue };
            let entry = if checkpoint.branches > 0 { looping.then_some(id) } else { open };
            if let Some(entry) = entry {
                // The loop goes on as it did before, or as somewhere else in a loop that is not finished.
                if prune::covers_wholly(old, &path.state, &mut self.ids) {
                    prune::link_precision(old, &path.state, &mut self.nodes);
                    self.depends(path.parent, entry);
                    covered = true;
                    break;
                }
                continue;
            }
            if checkpoint.branches > 0 {
                if prune::same(old, &path.state, &mut self.ids) {
                    return Err(Refusal::new(codes::ENDLESS_LOOP, "an infinite loop")
                        .because("the path comes back to this instruction with nothing changed")
                        .help("give the loop a bound that the verifier can follow: count in a variable that is compared with a constant"));
                }
                if since.0 < LOOP_SPACING.0 && since.1 < LOOP_SPACING.1 && !self.limits.every_state {
                    add = false;
                }
            } else if prune::covers(old, &path.state, &mut self.ids) {
                prune::take_over_precision(old, &path.state, &mut self.nodes);
                checkpoint.hits = checkpoint.hits.saturating_add(1);
                covered = true;
                break;
            }
            if add {
                checkpoint.misses = checkpoint.misses.saturating_add(1);
                // One that never helps only costs comparisons.
                if checkpoint.misses > checkpoint.hits.saturating_mul(3).saturating_add(3) {
                    checkpoint.state = None;
                    self.kept = self.kept.saturating_sub(1);
                    kept.retain(|&other| other != id);
                }
            }
        }
        if add && !covered && (looping || self.kept < u64::try_from(self.limits.max_states).unwrap_or(u64::MAX)) {
            kept.push(self.add_checkpoint(path));
        }
        if let Some(list) = self.at.get_mut(at.at()) {
            *list = kept;
        }
        Ok(covered)
    }

    /// The checkpoint that is not finished and on which the precision of this one depends.
    fn open_entry(&self, id: usize) -> Option<usize> {
        let mut entry = self.checkpoints.get(id)?.entry?;
        loop {
            let checkpoint = self.checkpoints.get(entry)?;
            if checkpoint.branches > 0 {
                return Some(entry);
            }
            entry = checkpoint.entry?;
        }
    }

    /// A path ends at an unfinished checkpoint: all checkpoints that it passed since then depend on it.
    fn depends(&mut self, mut passed: Option<usize>, entry: usize) {
        while let Some(id) = passed.filter(|&id| id > entry) {
            let Some(checkpoint) = self.checkpoints.get_mut(id) else { return };
            checkpoint.entry = Some(checkpoint.entry.map_or(entry, |known| known.min(entry)));
            passed = checkpoint.parent;
        }
    }

    /// After a callback: see [`prune::loosen`], against the last unfinished checkpoint at the call.
    pub(super) fn loosen(&mut self, state: &mut State, call: InsnIdx) {
        let known = self.at.get(call.at()).map_or(&[][..], |known| known);
        let open = known.iter().rev().filter_map(|&id| self.checkpoints.get(id)).find_map(|checkpoint| {
            let old = checkpoint.state.as_deref()?;
            (checkpoint.branches > 0 && prune::same_calls(old, state)).then_some(old)
        });
        if let Some(old) = open {
            prune::loosen(old, state, &mut self.nodes);
        }
    }

    /// Drops what is dead before an instruction; frames of callers were cleaned at their calls.
    pub(super) fn clean(&self, state: &mut State, at: InsnIdx) {
        let Live { regs, slots } = self.live.at(at);
        state.top_mut().clean(regs | FRAME_POINTER, slots);
    }

    /// Drops what is dead in the current frame while it waits for a call.
    pub(super) fn clean_caller(&self, state: &mut State, call: InsnIdx) {
        let Live { regs, slots } = self.live.during_call(call);
        state.top_mut().clean(regs | FRAME_POINTER, slots);
    }

    fn add_checkpoint(&mut self, path: &mut Path) -> usize {
        self.last_checkpoint = (self.jumps, self.stats.processed);
        self.stats.states = self.stats.states.saturating_add(1);
        self.kept = self.kept.saturating_add(1);
        self.stats.peak_states = self.stats.peak_states.max(self.kept);
        self.rename_nodes(&mut path.state);
        let id = self.checkpoints.len();
        let state = Some(Box::new(path.state.clone()));
        self.checkpoints.push(Checkpoint {
            parent: path.parent,
            branches: 1,
            state,
            misses: 0,
            hits: 0,
            entry: None,
            settled: false,
        });
        path.parent = Some(id);
        id
    }

    /// Gives the numbers fresh nodes, equal ones for equal ones, so that only what follows marks them.
    fn rename_nodes(&mut self, state: &mut State) {
        self.renamed.clear();
        let (nodes, renamed) = (&mut self.nodes, &mut self.renamed);
        for frame in state.frames_mut() {
            frame.update_all(|reg| {
                if reg.kind != Kind::Scalar {
                    return None;
                }
                let node = match renamed.iter().find(|(old, _)| *old == reg.node) {
                    Some(&(_, new)) => new,
                    None => {
                        let new = nodes.derive(reg.node, NodeId::NONE);
                        renamed.push((reg.node, new));
                        new
                    }
                };
                Some(Reg { node, ..*reg })
            });
        }
    }

    /// A path that hangs on the checkpoint has ended.
    fn end(&mut self, mut parent: Option<usize>) {
        while let Some(checkpoint) = parent.and_then(|id| self.checkpoints.get_mut(id)) {
            checkpoint.branches = checkpoint.branches.saturating_sub(1);
            if checkpoint.branches > 0 {
                return;
            }
            parent = checkpoint.parent;
        }
    }

    /// The deepest chain of calls fits the stack.
    fn check_depth(&self) -> Result<u32, (InsnIdx, Box<Refusal>)> {
        // What each function needs together with those that it calls; calls make no cycle and short chains.
        let mut needs: Vec<(u32, u32)> =
            self.depths.iter().map(|&(entry, _)| (entry, self.frame_size(entry))).collect();
        for _ in 0..structure::MAX_FRAMES {
            for &(caller, callee) in &self.calls {
                let below = needs.iter().find(|(entry, _)| *entry == callee).map_or(0, |&(_, bytes)| bytes);
                let total = below.saturating_add(self.frame_size(caller));
                if let Some((_, bytes)) = needs.iter_mut().find(|(entry, _)| *entry == caller) {
                    *bytes = total.max(*bytes);
                }
            }
        }
        let total = needs.iter().find(|(entry, _)| *entry == 0).map_or(0, |&(_, bytes)| bytes);
        if total > STACK_SIZE {
            let refusal = Refusal::new(codes::CALL_DEPTH, "the stack of a chain of calls is too deep")
                .because(format!("the program and what it calls need {total} bytes together, {STACK_SIZE} are there"))
                .help("make local variables smaller, or mark functions __always_inline");
            return Err((InsnIdx(0), refusal));
        }
        Ok(total)
    }

    fn frame_size(&self, entry: u32) -> u32 {
        let depth = self.depths.iter().find(|(function, _)| *function == entry).map_or(0, |&(_, depth)| depth);
        depth.max(1).next_multiple_of(16)
    }
}

fn too_complex(reason: String) -> Box<Refusal> {
    Refusal::new(codes::TOO_COMPLEX, "the program is too complex to verify")
        .because(reason)
        .help("shorten loops, split the program, or make branches independent of each other")
}

/// Where states are compared: at conditional jumps, targets of jumps and behind calls.
fn prune_points(insns: &[Insn]) -> Vec<bool> {
    let mut points = vec![false; insns.len()];
    let mut mark = |at: InsnIdx| {
        if let Some(point) = points.get_mut(at.at()) {
            *point = true;
        }
    };
    for (at, insn) in (0u32..).zip(insns) {
        match *insn {
            Insn::Jump { target } => mark(target),
            Insn::JumpIf { .. } => mark(InsnIdx(at)),
            Insn::CallLocal { .. } | Insn::CallHelper { id: number::LOOP } => {
                mark(InsnIdx(at));
                mark(InsnIdx(at).next());
            }
            _ => {}
        }
    }
    points
}

/// Structures of the kernel that programs must leave alone (`btf_parse_fields`).
const SPECIAL: &[(&str, u32)] = &[
    ("bpf_spin_lock", 4),
    ("bpf_res_spin_lock", 4),
    ("bpf_timer", 16),
    ("bpf_wq", 16),
    ("bpf_task_work", 8),
    ("bpf_list_head", 16),
    ("bpf_list_node", 24),
    ("bpf_rb_root", 16),
    ("bpf_rb_node", 32),
    ("bpf_refcount", 4),
];

fn special_fields(ty: Option<&TypeRef>) -> Vec<SpecialField> {
    let mut found = Vec::new();
    let mut pending: Vec<(&TypeRef, i64)> = ty.map(|ty| (ty, 0)).into_iter().collect();
    while let Some((ty, at)) = pending.pop() {
        match ty {
            TypeRef::Struct { name, members, .. } | TypeRef::Union { name, members, .. } => {
                if let Some(&(name, size)) = SPECIAL.iter().find(|(special, _)| special == name) {
                    found.push(SpecialField { name, from: at, to: at.saturating_add(size.into()) });
                    continue;
                }
                let members = members.iter().filter(|member| member.bit_width == 0);
                pending
                    .extend(members.map(|member| (&member.ty, at.saturating_add(i64::from(member.bit_offset >> 3)))));
            }
            TypeRef::Array { element, count } if found.len() < 64 => {
                let size = size_of(element);
                let elements =
                    (0..i64::from(*count).min(64)).map(|n| (&**element, at.saturating_add(n.saturating_mul(size))));
                if matches!(**element, TypeRef::Struct { .. } | TypeRef::Union { .. }) {
                    pending.extend(elements);
                }
            }
            _ => {}
        }
    }
    found
}

fn size_of(ty: &TypeRef) -> i64 {
    match ty {
        TypeRef::Int { size, .. }
        | TypeRef::Enum { size, .. }
        | TypeRef::Struct { size, .. }
        | TypeRef::Union { size, .. }
        | TypeRef::Opaque { size, .. } => (*size).into(),
        TypeRef::Array { element, count } => size_of(element).saturating_mul((*count).into()),
    }
}
