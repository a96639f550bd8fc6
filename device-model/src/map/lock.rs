//! Spin locks: who holds them, and who waits, first come, first served.
//!
//! A packet holds one lock at most and gives it back when it ends, so whoever waits gets it within the holder's budget. The bytes of
//! the lock in the value are never looked at.

use std::collections::{BTreeMap, VecDeque};

use super::port::ValueAddress;
use super::unit::{ContextId, Job, MapUnit};
use crate::id::MapId;
use crate::trace::{self, SharedOp, Trace};

/// A lock that is held.
#[derive(Clone, Debug)]
struct Taken {
    /// Packet and vCPU of the holder.
    seq: u64,
    vcpu: u16,
    waiting: VecDeque<(u64, ContextId)>,
}

/// The locks that are held, by map, element and offset.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks(BTreeMap<(u16, u32, u32), Taken>);

fn place(at: ValueAddress) -> (u16, u32, u32) {
    (at.slot, at.element, at.offset)
}

impl MapUnit {
    /// A context wants the lock that its port names; it sleeps until it has it.
    pub(super) fn lock<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        let port = &self.ports[usize::from(id)];
        let (at, seq, vcpu) = (port.at, port.seq, port.vcpu);
        self.counters.locks += 1;
        match self.locks.0.get_mut(&place(at)) {
            Some(taken) => {
                self.counters.lock_conflicts += 1;
                taken.waiting.push_back((cycle, id));
            }
            None => {
                self.locks.0.insert(place(at), Taken { seq, vcpu, waiting: VecDeque::new() });
                self.grant(cycle, id, at, trace);
            }
        }
    }

    fn grant<T: Trace>(&mut self, cycle: u64, id: ContextId, at: ValueAddress, trace: &mut T) {
        self.ports[usize::from(id)].held.lock = Some(at);
        let ValueAddress { element, offset, .. } = at;
        self.note(cycle, id, trace, |_| SharedOp::Lock { element, offset });
        let source = self.timing.banks as usize + self.value_bank(at.slot, at.element);
        self.answer(cycle + self.timing.value, source, id, 0);
    }

    /// A lock is given back, by its holder or because that has ended: the next one that waits has it.
    pub(super) fn unlock<T: Trace>(&mut self, cycle: u64, at: ValueAddress, trace: &mut T) {
        let Some(taken) = self.locks.0.remove(&place(at)) else { return };
        if T::ON {
            let op = SharedOp::Unlock { element: at.element, offset: at.offset };
            trace.event(trace::Event::Shared { cycle, seq: taken.seq, vcpu: taken.vcpu, map: MapId(at.slot), op });
        }
        self.hand_on(cycle, at, taken, trace);
    }

    /// A lock that is free again: the next one that waits has it. An update then goes to its value bank once more.
    fn hand_on<T: Trace>(&mut self, cycle: u64, at: ValueAddress, mut taken: Taken, trace: &mut T) {
        let Some((since, next)) = taken.waiting.pop_front() else { return };
        self.counters.lock_wait_cycles += cycle - since;
        let port = &mut self.ports[usize::from(next)];
        (taken.seq, taken.vcpu) = (port.seq, port.vcpu);
        self.locks.0.insert(place(at), taken);
        if port.locked {
            port.granted = true;
            self.queue_value(cycle, at.slot, at.element, Job::WriteLocked { id: next });
        } else {
            self.grant(cycle, next, at, trace);
        }
    }

    /// An update writes a value in place under its lock (`copy_map_value_locked` of the kernel), or waits until it has that. If the entry
    /// has gone or has another element meanwhile, the update comes after that: it begins again.
    #[inline(never)]
    pub(super) fn write_locked<T: Trace>(&mut self, cycle: u64, source: usize, id: ContextId, trace: &mut T) -> u64 {
        let port = &mut self.ports[usize::from(id)];
        let (slot, element) = (port.slot, port.element);
        let info = self.table.infos[usize::from(slot)];
        let at = ValueAddress { slot, element, offset: info.lock.unwrap_or_default(), local: port.local };
        if !std::mem::take(&mut port.granted) {
            self.counters.locks += 1;
            if let Some(taken) = self.locks.0.get_mut(&place(at)) {
                self.counters.lock_conflicts += 1;
                taken.waiting.push_back((cycle, id));
                return 1;
            }
        }
        let contents = &mut self.table.contents[usize::from(slot)];
        let there = contents
            .hash()
            .is_none_or(|(index, keyed)| index.find(keyed, port.hash, &port.key).element == Some(element));
        let mut beats = 1;
        if there {
            let size = port.value.len() as u32;
            info.copy_value(contents.elements.value_mut(element, size), &port.value);
            beats = self.lines(0, size);
            self.note_update(cycle, id, 0, trace);
            self.answer(cycle + beats, source, id, 0);
        } else {
            let bank = self.index_bank(id);
            self.index_waiting |= 1 << bank;
            self.index_banks[bank].queue.push_back((cycle, id));
        }
        if let Some(taken) = self.locks.0.remove(&place(at)) {
            self.hand_on(cycle, at, taken, trace);
        }
        beats
    }

    /// What a packet still held when it ended.
    pub(super) fn release_held<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        let Some(left) = self.ports[usize::from(id)].left.pop_front() else { return };
        if let Some(at) = left.lock {
            self.unlock(cycle, at, trace);
        }
        // Records that were never submitted are discarded; the host gives their memory back with the packet's others.
        if T::ON {
            for record in left.records {
                let (seq, vcpu) = left.packet;
                let op = SharedOp::RingDiscard { element: record.element };
                trace.event(trace::Event::Shared { cycle, seq, vcpu, map: MapId(record.slot), op });
            }
        }
    }
}
