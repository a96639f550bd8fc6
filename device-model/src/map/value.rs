//! The value banks: what an operation does to the bytes of an element when it takes effect.

use offwire_image::MapKind;
use offwire_isa::{KeyUse, RequestOp};

use super::port::{Port, Posted, PostedKind, ValueAddress};
use super::table::Directory;
use super::unit::{ContextId, Event, Job, Kind, MapUnit};
use crate::context::{load, store};
use crate::trace::{SharedOp, Trace};

/// What an atomic leaves in the place of `old`.
fn atomic(op: RequestOp, size: u8, old: u64, operand: u64, compare: u64) -> u64 {
    use RequestOp::*;
    let mask = u64::MAX >> (64 - 8 * size);
    match op {
        FetchAdd32 | FetchAdd64 => old.wrapping_add(operand),
        FetchOr32 | FetchOr64 => old | operand,
        FetchAnd32 | FetchAnd64 => old & operand,
        FetchXor32 | FetchXor64 => old ^ operand,
        Cmpxchg32 | Cmpxchg64 if old != compare & mask => old,
        _ => operand,
    }
}

impl MapUnit {
    /// The operation at the head of a value bank takes effect.
    pub(super) fn start_value<T: Trace>(&mut self, cycle: u64, bank: usize, trace: &mut T) {
        let Some((since, job)) = self.value_banks[bank].queue.pop_front() else { return };
        if self.value_banks[bank].queue.is_empty() {
            self.value_waiting &= !(1 << bank);
        }
        self.counters.value_conflicts += u64::from(since < cycle);
        self.counters.value_wait_cycles += cycle - since;
        let source = self.timing.banks as usize + bank;
        let beats = match job {
            Job::Posted { id, credit } => {
                let port = &mut self.ports[usize::from(id)];
                port.credits[usize::from(credit)] = cycle + self.timing.request;
                if port.fenced && !port.credits.contains(&u64::MAX) {
                    port.fenced = false;
                    self.events.push(cycle + 1, Event::new(Kind::Fetched, bank as u16, id, 0));
                }
                let posted = self.ports[usize::from(id)].posted[usize::from(credit)];
                self.write_posted(cycle, &posted, trace)
            }
            Job::Window { id } => self.fill_window(cycle, source, id, trace),
            Job::Write { id, index_bank } => self.write(cycle, source, id, index_bank, trace),
            Job::WriteLocked { id } => self.write_locked(cycle, source, id, trace),
            Job::FetchKey { id } | Job::FetchValue { id } => {
                let port = &mut self.ports[usize::from(id)];
                let (from, into) = match job {
                    Job::FetchKey { .. } => (port.key_from.take(), &mut port.key),
                    _ => (port.value_from.take(), &mut port.value),
                };
                let at = from.unwrap_or_default();
                let size = into.len() as u32;
                let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, at.offset + size);
                into.copy_from_slice(&value[at.offset as usize..]);
                self.counters.value_reads += 1;
                self.note_read(cycle, id, at, size, trace);
                let beats = self.lines(at.offset, size);
                let at = cycle + self.timing.value + beats - 1;
                self.events.push(at, Event::new(Kind::Fetched, bank as u16, id, 0));
                beats
            }
            Job::Copy { id } => {
                let port = &self.ports[usize::from(id)];
                let (at, size) = (port.at, port.value.len() as u32);
                let elements = &mut self.table.contents[usize::from(at.slot)].elements;
                let value = elements.value_mut(at.element, at.offset + size);
                value[at.offset as usize..].copy_from_slice(&port.value);
                self.counters.stores += 1;
                self.note(cycle, id, trace, |port| SharedOp::Store {
                    element: at.element,
                    offset: at.offset,
                    bytes: &port.value,
                });
                let beats = self.lines(at.offset, size);
                self.answer(cycle + beats, source, id, 0);
                beats
            }
            Job::Reference { id } => {
                let number = self.reference(id);
                let answer = self.refer(cycle, id, number, trace);
                self.counters.value_reads += 1;
                self.answer(cycle + self.timing.value, source, id, answer);
                1
            }
            Job::Atomic { id } => {
                let beats = self.run_atomic(cycle, id, trace);
                let old = self.ports[usize::from(id)].answer;
                self.answer(cycle + self.timing.value, source, id, old);
                beats
            }
            Job::Lock { id } => {
                self.lock(cycle, id, trace);
                1
            }
            Job::Unlock { id } => {
                let at = self.ports[usize::from(id)].at;
                self.ports[usize::from(id)].held.lock = None;
                self.answer(cycle + self.timing.value, source, id, 0);
                self.unlock(cycle, at, trace);
                1
            }
            Job::Submit { id } => {
                let beats = self.submit(cycle, id, trace);
                self.answer(cycle + self.timing.value, source, id, 0);
                beats
            }
            Job::Output { id } => {
                let beats = self.lines(0, self.ports[usize::from(id)].key.len() as u32);
                self.answer(cycle + beats, source, id, 0);
                beats
            }
        };
        self.counters.value_busy_cycles += beats;
        self.value_banks[bank].free = cycle + beats;
    }

    /// Bytes of the element that a context names: of its value, or of a record that it holds.
    fn size_of(&self, port: &Port, at: ValueAddress) -> u32 {
        let info = &self.table.infos[usize::from(at.slot)];
        match info.kind {
            MapKind::Ringbuf => port.held.record(at.slot, at.element).map_or(0, |record| record.size),
            _ => info.value_size,
        }
    }

    #[inline(always)]
    fn fill_window<T: Trace>(&mut self, cycle: u64, source: usize, id: ContextId, trace: &mut T) -> u64 {
        let port = &self.ports[usize::from(id)];
        let at = port.wanted;
        let len = self.size_of(port, at).saturating_sub(at.offset).min(self.timing.window);
        let value = self.table.contents[usize::from(at.slot)].elements.value(at.element, at.offset + len);
        self.ports[usize::from(id)].window.fill(at, &value[at.offset as usize..]);
        self.counters.value_reads += 1;
        self.note_read(cycle, id, at, len, trace);
        let beats = self.lines(at.offset, len);
        let arrives = cycle + self.timing.value + self.timing.request;
        self.events.push(arrives, Event::new(Kind::Answer, source as u16, id, beats as u16));
        beats
    }

    /// The value of an update is written.
    #[inline(never)]
    fn write<T: Trace>(
        &mut self,
        cycle: u64,
        source: usize,
        id: ContextId,
        index_bank: Option<u8>,
        trace: &mut T,
    ) -> u64 {
        let port = &self.ports[usize::from(id)];
        let info = self.table.infos[usize::from(port.slot)];
        let contents = &mut self.table.contents[usize::from(port.slot)];
        // The user may have deleted the entry since the index found it: then the update came first.
        let gone = port.in_place
            && contents.hash().is_some_and(|(index, keyed)| {
                let entry = port.element / info.copies(self.timing.vcpus);
                index.find(keyed, port.hash, &port.key).element != Some(entry)
            });
        let elements = &mut contents.elements;
        let size = port.value.len() as u32;
        if info.kind == MapKind::PercpuHash && !port.in_place {
            // pcpu_init_value: the copies of other vCPUs start with zeros.
            let first = port.element - u32::from(port.vcpu);
            for copy in 0..self.timing.vcpus {
                elements.value_mut(first + copy, size).fill(0);
            }
        }
        if !gone {
            info.copy_value(elements.value_mut(port.element, size), &port.value);
        }
        let in_place = port.in_place;
        let beats = self.lines(0, size);
        match index_bank {
            Some(bank) if in_place => {
                self.note_update(cycle, id, 0, trace);
                self.events.push(cycle + beats, Event::new(Kind::Swap, bank.into(), id, 0));
            }
            Some(bank) => {
                self.note(cycle, id, trace, |port| SharedOp::Write { element: port.element, bytes: &port.value });
                self.events.push(cycle + beats, Event::new(Kind::Swap, bank.into(), id, 0));
            }
            None => {
                self.note_update(cycle, id, 0, trace);
                self.answer(cycle + beats, source, id, 0);
            }
        }
        beats
    }

    /// What the entry holds that the request is about, if it is there. Device maps have their values in the window then.
    fn reference(&mut self, id: ContextId) -> Option<u32> {
        let port = &mut self.ports[usize::from(id)];
        let (slot, element) = (port.slot, port.element);
        let info = &self.table.infos[usize::from(slot)];
        let contents = &self.table.contents[usize::from(slot)];
        if let Directory::Sparse(there) = &contents.directory
            && !there.get(element as usize).is_some_and(|&there| there)
        {
            return None;
        }
        let value = contents.elements.value(element, info.value_size);
        if info.elements > 0 && port.op == RequestOp::Lookup {
            port.window.fill(ValueAddress { slot, local: port.local, element, offset: 0 }, value);
        }
        Some(load(value, 4) as u32)
    }

    /// A fetching atomic; its old value is the port's answer. It reads and writes, so it takes twice as many cycles as a store.
    #[inline(never)]
    fn run_atomic<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) -> u64 {
        let port = &mut self.ports[usize::from(id)];
        let KeyUse::Atomic(size) = port.op.shape().key else { return 1 };
        let ValueAddress { slot, element, offset, .. } = port.at;
        let elements = &mut self.table.contents[usize::from(slot)].elements;
        let bytes = &mut elements.value_mut(element, offset + u32::from(size))[offset as usize..];
        let old = load(bytes, size);
        let (op, operand, compare) = (port.op, port.number, port.third);
        store(bytes, size, atomic(op, size, old, operand, compare));
        port.answer = old;
        self.counters.atomics += 1;
        self.note(cycle, id, trace, |_| SharedOp::Atomic { op, element, offset, operand, compare, old });
        2 * self.lines(offset, size.into())
    }

    /// A record is submitted or discarded: the host gets it with the packet, or not.
    #[inline(never)]
    fn submit<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) -> u64 {
        let port = &mut self.ports[usize::from(id)];
        let ValueAddress { slot, element, .. } = port.at;
        let records = &mut port.held.records;
        let Some(record) = records.iter().position(|record| record.slot == slot && record.element == element) else {
            return 1;
        };
        let record = records.remove(record);
        if port.op == RequestOp::RingDiscard {
            self.note(cycle, id, trace, |_| SharedOp::RingDiscard { element });
            return 1;
        }
        let bytes = self.table.contents[usize::from(slot)].elements.value(element, record.size);
        port.tell_record(slot, record.end, bytes.to_vec());
        let bytes = self.table.contents[usize::from(slot)].elements.value(element, record.size);
        self.note(cycle, id, trace, |_| SharedOp::RingSubmit { element, bytes });
        self.lines(0, record.size)
    }

    /// A posted write takes effect. Returns the cycles that the bank is busy with it; an add reads first, so it takes twice as many.
    #[inline(always)]
    fn write_posted<T: Trace>(&mut self, cycle: u64, posted: &Posted, trace: &mut T) -> u64 {
        let on = posted.parts.iter().filter(|part| part.1 > 0);
        let (mut low, mut high) = (u32::MAX, 0);
        for (offset, size, _) in on {
            low = low.min(*offset);
            high = high.max(offset + u32::from(*size));
        }
        let contents = &mut self.table.contents[usize::from(posted.slot)];
        contents.counted.posted += 1;
        let value = contents.elements.value_mut(posted.element, high);
        for (offset, size, operand) in posted.parts {
            if size > 0 {
                let bytes = &mut value[offset as usize..];
                let new = match posted.kind {
                    PostedKind::Store => operand,
                    PostedKind::Add32 | PostedKind::Add64 => load(bytes, size).wrapping_add(operand),
                };
                store(bytes, size, new);
            }
        }
        let lines = self.lines(low, high - low);
        let beats = if posted.kind == PostedKind::Store {
            self.counters.stores += 1;
            lines
        } else {
            self.counters.adds += 1;
            2 * lines
        };
        self.note_posted(cycle, posted, trace);
        beats
    }
}
