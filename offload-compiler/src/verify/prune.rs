//! When the safety of a checkpoint proves the safety of a state (`states_equal`, `regsafe`, `stacksafe`).

use super::state::{Byte, Frame, Kind, Reg, Slot, State};
use super::trace::Nodes;
use crate::range::Num;
use std::rc::Rc;

/// Pairs of ids met so far in one comparison: an id of the old state, the one that stands for it in the current state, and
/// the difference of their deltas.
///
/// The current state may know of more equalities than the old one, not of fewer: each equality of the old state must hold.
#[derive(Default)]
pub(super) struct Ids {
    pairs: Vec<(u32, u32, i64)>,
    /// All numbers count, also those that have decided nothing so far.
    whole: bool,
}

impl Ids {
    /// Starts a comparison.
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
    }

    fn link(&mut self, old: &Reg, current: &Reg) -> bool {
        if old.id == 0 {
            return true;
        }
        if old.half != current.half {
            return false;
        }
        let shift = i64::from(current.delta).wrapping_sub(i64::from(old.delta));
        match self.pairs.iter().find(|&&(id, ..)| id == old.id) {
            // The first one has no partner yet; no id in the current state means that there will be none.
            None => {
                self.pairs.push((old.id, current.id, shift));
                true
            }
            Some(&(_, id, known)) => id != 0 && id == current.id && known == shift,
        }
    }

    /// As [`Ids::link`], for what has to be given back.
    fn match_references(&mut self, old: u32, current: u32) -> bool {
        let pair = (old, current, 0);
        match self.pairs.iter().find(|&&(a, b, _)| a == old || b == current) {
            None => {
                self.pairs.push(pair);
                true
            }
            Some(&known) => known == pair,
        }
    }

    /// Ids correspond one to one.
    fn match_exactly(&mut self, old: &Reg, current: &Reg) -> bool {
        let pair = (old.id, current.id, i64::from(current.delta).wrapping_sub(i64::from(old.delta)));
        match self.pairs.iter().find(|&&(a, b, _)| a == pair.0 || b == pair.1) {
            None => {
                self.pairs.push(pair);
                true
            }
            Some(&known) => known == pair,
        }
    }
}

/// True if every execution from `current` does what some execution from the finished checkpoint `old` does, as far as its
/// safety is concerned. Dead parts of `old` are cleaned, its numbers carry their final precision.
pub(super) fn covers(old: &State, current: &State, ids: &mut Ids) -> bool {
    ids.whole = false;
    every_part_covers(old, current, ids)
}

/// The same for a checkpoint of which it is not known yet which numbers decide: all must lie within (`RANGE_WITHIN`).
pub(super) fn covers_wholly(old: &State, current: &State, ids: &mut Ids) -> bool {
    ids.whole = true;
    every_part_covers(old, current, ids)
}

fn every_part_covers(old: &State, current: &State, ids: &mut Ids) -> bool {
    ids.clear();
    same_calls(old, current)
        // Fewer turns of a loop were left behind: more are ahead.
        && frames(old).zip(frames(current)).all(|(old, current)| old.turns <= current.turns)
        && frames(old).zip(frames(current)).all(|(old, current)| {
            let mut regs = old.regs().iter().zip(current.regs());
            regs.all(|(old, current)| reg_covers(old, current, ids)) && stack_covers(old, current, ids)
        })
        && references_cover(old, current, ids)
}

/// The same things are to be given back, in the same order (`refsafe`).
fn references_cover(old: &State, current: &State, ids: &mut Ids) -> bool {
    let mut pairs = old.references.iter().zip(&current.references);
    let locks = match (&old.lock, &current.lock) {
        (None, None) => true,
        (Some(old), Some(current)) => {
            old.map == current.map && (old.id == 0 && current.id == 0 || ids.match_references(old.id, current.id))
        }
        _ => false,
    };
    locks
        && old.references.len() == current.references.len()
        && pairs.all(|(old, current)| ids.match_references(old.id, current.id))
}

fn frames(state: &State) -> impl Iterator<Item = &Frame> {
    std::iter::once(state.top()).chain(state.callers().iter().map(|frame| &**frame))
}

pub(super) fn same_calls(old: &State, current: &State) -> bool {
    old.callers().len() == current.callers().len()
        && frames(old).zip(frames(current)).all(|(old, current)| {
            (old.call, old.entry, old.callback) == (current.call, current.entry, current.callback)
        })
}

fn reg_covers(old: &Reg, current: &Reg, ids: &mut Ids) -> bool {
    match old.kind {
        // What follows does not read it: a read would have been refused.
        Kind::Uninit | Kind::Stale(_) | Kind::Released(_) => true,
        Kind::Scalar => {
            current.kind == Kind::Scalar
                && (!(old.precise || ids.whole) || old.num.includes(current.num) && ids.link(old, current))
        }
        Kind::Packet | Kind::PacketMeta => {
            let range = if old.range >= 0 { current.range >= old.range } else { current.range == old.range };
            pointer_covers(old, current) && range && ids.link(old, current)
        }
        _ => pointer_covers(old, current) && ids.link(old, current),
    }
}

fn pointer_covers(old: &Reg, current: &Reg) -> bool {
    old.kind == current.kind && old.off == current.off && old.num.includes(current.num)
}

fn stack_covers(old: &Frame, current: &Frame, ids: &mut Ids) -> bool {
    (0..).zip(old.slots()).all(|(number, old)| slot_covers(old, current.slot(number), ids))
        && current.slots().iter().skip(old.slots().len()).all(|slot| slot_covers(&Slot::INVALID, slot, ids))
}

fn slot_covers(old: &Slot, current: &Slot, ids: &mut Ids) -> bool {
    if *old == Slot::INVALID {
        // Dead, or some number: the caller has cleaned dead slots of the current state as well.
        return current.pointer().is_none() && !current.has_remnant();
    }
    match (old.pointer(), current.pointer()) {
        // Half a pointer may have a number beside it.
        (Some(pointer), Some(other)) => return old.bytes == current.bytes && reg_covers(pointer, other, ids),
        (Some(pointer), None) => {
            return matches!(pointer.kind, Kind::Stale(_) | Kind::Released(_)) && old.spill_size() == old.bytes.len();
        }
        // A pointer is no number, whatever its bits.
        (None, Some(_)) => return false,
        (None, None) => {}
    }
    // Nor is what is left of one.
    if old.bytes.iter().zip(&current.bytes).any(|(old, current)| *current == Byte::Remnant && *old != Byte::Remnant) {
        return false;
    }
    let zero = |slot: &Slot, at: usize| match slot.bytes.get(at) {
        Some(Byte::Zero) => true,
        Some(Byte::Spill) => slot.spilled.as_deref().is_some_and(|reg| reg.as_const() == Some(0)),
        _ => false,
    };
    if (0..).zip(&old.bytes).any(|(at, &byte)| byte == Byte::Zero && !zero(current, at)) {
        return false;
    }
    let Some(spilled) = old.spilled.as_deref().filter(|reg| reg.precise || ids.whole) else { return true };
    let size = old.spill_size();
    match current.spilled.as_deref() {
        Some(current_reg) if current.spill_size() == size => reg_covers(spilled, current_reg, ids),
        _ => {
            // Any bytes are covered by a number of which nothing is known.
            let bits = u32::try_from(size.saturating_mul(8)).unwrap_or(64);
            (0..size).all(|at| zero(current, at)) && spilled.num.contains(0) && spilled.id == 0
                || spilled.num.includes(Num::loaded(bits, false)) && spilled.id == 0
        }
    }
}

/// The safety of `current` now depends on the same numbers as that of the checkpoint which covers it
/// (`propagate_precision`).
pub(super) fn take_over_precision(old: &State, current: &State, nodes: &mut Nodes) {
    for (old, current) in frames(old).zip(frames(current)) {
        for (old, current) in old.regs().iter().zip(current.regs()) {
            if old.kind == Kind::Scalar && old.precise {
                nodes.mark(current.node);
            }
        }
        for (number, old) in (0..).zip(old.slots()) {
            let precise = old.spilled.as_deref().is_some_and(|reg| reg.kind == Kind::Scalar && reg.precise)
                || old.bytes.contains(&Byte::Zero);
            if let (true, Some(reg)) = (precise, current.slot(number).spilled.as_deref()) {
                nodes.mark(reg.node);
            }
        }
    }
}

/// Whatever turns out to decide in the checkpoint decides in the state that it covers.
pub(super) fn link_precision(old: &State, current: &State, nodes: &mut Nodes) {
    for (old, current) in frames(old).zip(frames(current)) {
        for (old, current) in old.regs().iter().zip(current.regs()) {
            if old.kind == Kind::Scalar {
                nodes.link(old.node, current.node);
            }
        }
        for (number, old) in (0..).zip(old.slots()) {
            let Some(reg) = current.slot(number).spilled.as_deref() else { continue };
            match old.spilled.as_deref() {
                Some(old) if old.kind == Kind::Scalar => nodes.link(old.node, reg.node),
                _ => {}
            }
            if old.bytes.contains(&Byte::Zero) {
                nodes.mark(reg.node);
            }
        }
    }
}

/// What changed since the checkpoint and has decided nothing so far may be anything now: so loops come to an end
/// (`widen_imprecise_scalars`).
pub(super) fn loosen(old: &State, current: &mut State, nodes: &mut Nodes) {
    let free = |old: &Reg, current: &Reg, nodes: &Nodes| {
        old.kind == Kind::Scalar
            && current.kind == Kind::Scalar
            && old.num != current.num
            && !nodes.is_precise(old.node)
            && !nodes.is_precise(current.node)
    };
    for depth in 0..=current.depth() {
        let (Some(old), Some(current)) = (old.frame(depth), current.frame_mut(depth)) else { continue };
        for (number, old) in (0u8..).zip(old.regs()) {
            if free(old, current.reg(number), nodes) {
                let node = nodes.fresh();
                current.set(number, Reg::scalar(Num::ANY, node));
            }
        }
        for (number, old) in (0..).zip(old.slots()) {
            let slot = current.slot(number);
            let (Some(was), Some(now)) = (old.spilled.as_deref(), slot.spilled.as_deref()) else { continue };
            if old.bytes == slot.bytes && free(was, now, nodes) {
                let bits = u32::try_from(slot.spill_size().saturating_mul(8)).unwrap_or(64);
                let any = Reg::scalar(Num::loaded(bits, false), nodes.fresh());
                if let Some(slot) = current.slot_mut(number) {
                    slot.spilled = Some(Rc::new(any));
                }
            }
        }
    }
}

/// True if the states are the same up to the names of ids: an endless loop, if one leads to the other.
pub(super) fn same(old: &State, current: &State, ids: &mut Ids) -> bool {
    ids.clear();
    same_calls(old, current)
        && frames(old).zip(frames(current)).all(|(old, current)| {
            let mut regs = old.regs().iter().zip(current.regs());
            old.turns == current.turns
                && regs.all(|(old, current)| same_reg(old, current, ids))
                && old.slots().len() == current.slots().len()
                && old.slots().iter().zip(current.slots()).all(|(old, current)| {
                    old.bytes == current.bytes
                        && match (&old.spilled, &current.spilled) {
                            (None, None) => true,
                            (Some(old), Some(current)) => same_reg(old, current, ids),
                            _ => false,
                        }
                })
        })
        && references_cover(old, current, ids)
}

fn same_reg(old: &Reg, current: &Reg, ids: &mut Ids) -> bool {
    old.kind == current.kind
        && old.off == current.off
        && old.range == current.range
        && old.half == current.half
        && old.num == current.num
        && ids.match_exactly(old, current)
}
