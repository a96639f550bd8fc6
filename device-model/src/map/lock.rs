//! Spin locks: who holds them, and who waits, first come, first served.
//!
//! A packet holds one lock at most and gives it back when it ends, so whoever waits gets it within the holder's budget. The bytes of
//! the lock in the value are never looked at.

use std::collections::{BTreeMap, VecDeque};

use super::port::ValueAddress;
use super::unit::{ContextId, MapUnit};
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
        let Some(mut taken) = self.locks.0.remove(&place(at)) else { return };
        if T::ON {
            let op = SharedOp::Unlock { element: at.element, offset: at.offset };
            trace.event(trace::Event::Shared { cycle, seq: taken.seq, vcpu: taken.vcpu, map: MapId(at.slot), op });
        }
        if let Some((since, next)) = taken.waiting.pop_front() {
            self.counters.lock_wait_cycles += cycle - since;
            let port = &self.ports[usize::from(next)];
            (taken.seq, taken.vcpu) = (port.seq, port.vcpu);
            self.locks.0.insert(place(at), taken);
            self.grant(cycle, next, at, trace);
        }
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
