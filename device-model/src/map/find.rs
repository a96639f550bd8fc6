//! From keys to elements: arrays, whose index is a compare, and the index banks. Also what needs no bank: perf events.

use offwire_image::MapKind;
use offwire_isa::{Handle, RequestOp};

use super::port::{Record, ValueAddress};
use super::table::Directory;
use super::unit::{ContextId, Event, HELD, Job, Kind, MapUnit, errno, negative};
use crate::context::load;
use crate::departure::{DeviceEvent, Redirect};
use crate::geometry::RECORDS_MAX;
use crate::id::MapId;
use crate::trace::{self, SharedOp, Trace};
use crate::verdict;

/// Flags of `bpf_redirect_map` (include/uapi/linux/bpf.h): what is answered if there is no such entry, and two that device maps
/// know.
const ACTION_MASK: u64 = 3;
const BROADCAST: u64 = 1 << 3;
const EXCLUDE_INGRESS: u64 = 1 << 4;
/// `BPF_RB_NO_WAKEUP` and `BPF_RB_FORCE_WAKEUP`; nobody sleeps at the host's end of a ring here.
const RING_FLAGS: u64 = 3;
/// `BPF_F_INDEX_MASK`, `BPF_F_CURRENT_CPU` and `BPF_F_CTXLEN_MASK` of `bpf_perf_event_output`.
const PERF_INDEX: u64 = 0xffff_ffff;
const PERF_CURRENT_CPU: u64 = 0xffff_ffff;
const PERF_LENGTH: u64 = 0xf_ffff << 32;

/// Bytes of the host's ring for the perf events of a vCPU. The host empties it when a packet departs.
const PERF_RING_BYTES: usize = 1 << 19;

/// Bytes of a perf event in its ring: a header of 8 B, the length in 4 B, the event, all in steps of 8 B.
fn perf_bytes(event: usize) -> usize {
    (event + 4).next_multiple_of(8) + 8
}

/// Bytes of all perf events of a packet.
fn perf_room(events: &[DeviceEvent]) -> usize {
    let size = |event: &DeviceEvent| match event {
        DeviceEvent::Perf { bytes, packet, .. } => perf_bytes(bytes.len() + packet.len()),
        _ => 0,
    };
    events.iter().map(size).sum()
}

/// What came of an update's walk: the element to write, whether it was taken for a new key, whether it is written in place.
type Taken = Result<(u32, bool, bool), i32>;

impl MapUnit {
    /// A request to an array (`array_map_lookup_elem` and others of the kernel's kernel/bpf/arraymap.c): the index is a compare.
    pub(super) fn array<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        let port = &mut self.ports[usize::from(id)];
        let slot = port.slot;
        let info = self.table.infos[usize::from(slot)];
        let key = if port.op == RequestOp::TailCall { port.number as u32 } else { load(&port.key, 4) as u32 };
        let inside = key < info.max_entries;
        if inside {
            port.element = if info.kind.is_per_cpu() { key * self.timing.vcpus + u32::from(port.vcpu) } else { key };
        }
        let element = port.element;
        match port.op {
            RequestOp::Lookup if matches!(info.kind, MapKind::Array | MapKind::PercpuArray) => {
                self.counters.lookups += 1;
                self.counters.lookup_hits += u64::from(inside);
                let local = self.ports[usize::from(id)].local;
                let handle = if inside { Handle { slot: local, element, offset: 0 }.pack() } else { 0 };
                self.note(cycle, id, trace, |port| SharedOp::Lookup { key: &port.key, answer: handle });
                if inside {
                    let port = &mut self.ports[usize::from(id)];
                    port.answer = handle;
                    port.wanted = ValueAddress { slot, local, element, offset: 0 };
                    self.queue_value(cycle, slot, element, Job::Window { id });
                } else {
                    self.answer(cycle + 1, 0, id, 0);
                }
            }
            RequestOp::Lookup | RequestOp::TailCall | RequestOp::RedirectMap => {
                if inside {
                    self.queue_value(cycle, slot, element, Job::Reference { id });
                } else {
                    let answer = self.refer(cycle, id, None, trace);
                    self.answer(cycle + 1, 0, id, answer);
                }
            }
            RequestOp::Delete => {
                self.counters.deletes += 1;
                self.note(cycle, id, trace, |port| SharedOp::Delete { key: &port.key, answer: errno::INVAL });
                self.answer(cycle + 1, 0, id, negative(errno::INVAL));
            }
            op => {
                self.counters.updates += 1;
                let refused = if !inside {
                    errno::TOOBIG
                } else if op == RequestOp::UpdateNoExist {
                    errno::EXIST
                } else if port.locked && info.lock.is_none() {
                    errno::INVAL
                } else {
                    0
                };
                if refused == 0 {
                    let plain = Job::Write { id, index_bank: None };
                    let job = if port.locked { Job::WriteLocked { id } } else { plain };
                    self.queue_value(cycle, slot, element, job);
                } else {
                    self.note_update(cycle, id, refused, trace);
                    self.answer(cycle + 1, 0, id, negative(refused));
                }
            }
        }
    }

    /// The answer of a request to a map whose elements are references; `number` is what the entry holds if it is there.
    #[inline(never)]
    pub(super) fn refer<T: Trace>(&mut self, cycle: u64, id: ContextId, number: Option<u32>, trace: &mut T) -> u64 {
        let port = &mut self.ports[usize::from(id)];
        let slot = port.slot;
        match port.op {
            RequestOp::TailCall => {
                self.counters.tail_calls += 1;
                let index = port.number as u32;
                self.note(cycle, id, trace, |_| SharedOp::TailCall { index, program: number });
                number.map_or(0, |program| u64::from(program) + 1)
            }
            RequestOp::RedirectMap => {
                // __bpf_xdp_redirect_map of include/linux/filter.h
                let (key, flags) = (port.number as u32, port.third);
                let goes = number.is_some() || flags & BROADCAST != 0;
                port.redirect = goes.then_some(Redirect::Map { map: MapId(slot), key, flags });
                let answer = if goes { verdict::REDIRECT } else { (flags & ACTION_MASK) as u32 };
                self.note(cycle, id, trace, |_| SharedOp::RedirectMap { key, flags, answer });
                answer.into()
            }
            _ => {
                let kind = self.table.infos[usize::from(slot)].kind;
                let view = self.views.get(usize::from(port.program));
                let answer = match number {
                    None => 0,
                    Some(_) if matches!(kind, MapKind::Devmap | MapKind::DevmapHash) => {
                        Handle { slot: port.local, element: port.element, offset: 0 }.pack()
                    }
                    // Who put it there gave it a slot in the table of each program that has the outer map.
                    Some(inner) => view
                        .and_then(|view| view.slot_of(inner as u16))
                        .map_or(0, |slot| offwire_isa::MapPointer { slot }.pack()),
                };
                self.counters.lookups += 1;
                self.counters.lookup_hits += u64::from(number.is_some());
                self.note(cycle, id, trace, |port| SharedOp::Lookup { key: &port.key, answer });
                answer
            }
        }
    }

    /// True if a redirect is refused for its flags; then it is answered.
    pub(super) fn refuses_redirect<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) -> bool {
        self.counters.redirects += 1;
        let port = &self.ports[usize::from(id)];
        let (key, flags) = (port.number as u32, port.third);
        let refused = flags & !(ACTION_MASK | BROADCAST | EXCLUDE_INGRESS) != 0;
        if refused {
            self.note(cycle, id, trace, |_| SharedOp::RedirectMap { key, flags, answer: verdict::ABORTED });
            self.answer(cycle + 1, 0, id, verdict::ABORTED.into());
        }
        refused
    }

    /// `bpf_xdp_event_output` and `__bpf_perf_event_output`: the host has opened an event on each vCPU, at the index of its number.
    #[inline(never)]
    pub(super) fn perf<T: Trace>(&mut self, cycle: u64, id: ContextId, trace: &mut T) {
        self.counters.perf_events += 1;
        let vcpus = self.timing.vcpus;
        let port = &mut self.ports[usize::from(id)];
        let (map, flags, vcpu) = (port.slot, port.third, u64::from(port.vcpu));
        let index = if flags & PERF_INDEX == PERF_CURRENT_CPU { vcpu } else { flags & PERF_INDEX };
        let answer = if flags & !(PERF_INDEX | PERF_LENGTH) != 0 {
            errno::INVAL
        } else if (flags & PERF_LENGTH) >> 32 > u64::from(port.packet_len) {
            errno::FAULT
        } else if index >= u64::from(self.table.infos[usize::from(map)].max_entries) {
            errno::TOOBIG
        } else if index >= u64::from(vcpus) {
            errno::NOENT
        } else if index != vcpu {
            errno::OPNOTSUPP
        } else if perf_room(&port.events) + perf_bytes(port.key.len() + port.value.len()) >= PERF_RING_BYTES {
            errno::NOSPC
        } else {
            let (bytes, packet) = (port.key.clone(), port.value.clone());
            port.events.push(DeviceEvent::Perf { map: MapId(map), index: index as u32, bytes, packet });
            0
        };
        self.note(cycle, id, trace, |port| SharedOp::PerfOutput { bytes: &port.key, flags, answer });
        self.answer(cycle + 1, 0, id, negative(answer));
    }

    /// The request at the head of an index bank takes effect.
    pub(super) fn start_index<T: Trace>(&mut self, cycle: u64, bank: usize, trace: &mut T) {
        let Some(&(since, id)) = self.index_banks[bank].queue.front() else { return };
        let kind = self.table.infos[usize::from(self.ports[usize::from(id)].slot)].kind;
        let looked = match kind {
            MapKind::LruHash => self.make_room(cycle, bank, id, trace),
            _ => Some(0),
        };
        let Some(looked) = looked else {
            // All that could be given away is just being written.
            self.counters.eviction_wait_cycles += 1;
            self.index_banks[bank].free = cycle + 1;
            return;
        };
        self.index_banks[bank].queue.pop_front();
        if self.index_banks[bank].queue.is_empty() {
            self.index_waiting &= !(1 << bank);
        }
        self.counters.index_conflicts += u64::from(since < cycle);
        self.counters.index_wait_cycles += cycle - since;
        match kind {
            MapKind::LpmTrie => self.start_trie(cycle, bank, id, trace),
            MapKind::Ringbuf => self.start_ring(cycle, bank, id, trace),
            _ => self.start_hash(cycle, bank, id, looked, trace),
        }
    }

    /// Gives entries of a full LRU map away if the update needs it. Returns how many were looked at; `None` if none can go now.
    #[inline(never)]
    fn make_room<T: Trace>(&mut self, cycle: u64, bank: usize, id: ContextId, trace: &mut T) -> Option<u64> {
        let port = &self.ports[usize::from(id)];
        let slot = usize::from(port.slot);
        if !matches!(port.op, RequestOp::UpdateAny | RequestOp::UpdateNoExist) {
            return Some(0);
        }
        let mut sum = 0;
        while let Some((index, keyed)) = self.table.contents[slot].hash() {
            let port = &self.ports[usize::from(id)];
            if !index.must_evict() || index.find(keyed, port.hash, &port.key).element.is_some() {
                break;
            }
            let (hash, banks, mask) = (&self.table.hash, &self.index_banks, self.timing.banks - 1);
            // There are at least as many buckets as banks, so the low bits of the hash are the bank.
            let bank_of = |key: &[u8]| (hash.hash(key) & mask) as usize;
            let kept = |element| {
                let of = bank_of(keyed.key(element));
                of != bank && banks[of].free == HELD
            };
            let (victim, looked) = index.victim(kept)?;
            let key = keyed.key(victim).to_vec();
            let other = bank_of(&key);
            index.evict(keyed, hash.hash(&key), victim);
            sum += u64::from(looked);
            self.counters.evictions += 1;
            self.note(cycle, id, trace, |_| SharedOp::Evict { key: &key });
            if other != bank {
                self.steal(cycle, other, 1);
            }
        }
        Some(sum)
    }

    /// A request that started at another index bank takes cycles of this one too.
    fn steal(&mut self, cycle: u64, bank: usize, beats: u64) {
        let bank = &mut self.index_banks[bank];
        if bank.free != HELD {
            bank.free = bank.free.max(cycle) + beats;
        }
        self.counters.index_busy_cycles += beats;
    }

    /// Lines of the request's key.
    fn key_beats(&self, id: ContextId) -> u64 {
        let bytes = self.ports[usize::from(id)].key.len() as u64;
        (bytes + (1 << self.timing.bank_bytes) - 1) >> self.timing.bank_bytes
    }

    #[inline(always)]
    fn start_hash<T: Trace>(&mut self, cycle: u64, bank: usize, id: ContextId, looked: u64, trace: &mut T) {
        let beats = self.key_beats(id);
        let port = &mut self.ports[usize::from(id)];
        let slot = usize::from(port.slot);
        let per_cpu = self.table.infos[slot].kind.is_per_cpu();
        let Some((index, keyed)) = self.table.contents[slot].hash() else { return };
        let found = match port.op {
            RequestOp::Delete => index.remove(keyed, port.hash, &port.key),
            _ => index.walk(keyed, port.hash, &port.key),
        };
        let taken: Taken = match (port.op, found.element) {
            (RequestOp::Lookup, Some(element)) => {
                index.touch(element);
                Err(0)
            }
            (RequestOp::Lookup | RequestOp::Delete | RequestOp::RedirectMap, _) => Err(0),
            (RequestOp::UpdateNoExist, Some(_)) => Err(errno::EXIST),
            (RequestOp::UpdateExist, None) => Err(errno::NOENT),
            (_, Some(element)) if per_cpu || port.locked => Ok((element, false, true)),
            (_, old) => {
                index.reserve(old.is_none()).map(|element| (element, old.is_none(), false)).ok_or(errno::TOOBIG)
            }
        };
        let walked = cycle + looked + u64::from(found.probes - 1) * beats;
        self.index_banks[bank].free = walked + beats;
        self.counters.index_busy_cycles += walked + beats - cycle;
        self.counters.index_probes += u64::from(found.probes);
        self.found(cycle, walked + self.timing.index, bank, id, found.element, taken, trace);
    }

    #[inline(never)]
    fn start_trie<T: Trace>(&mut self, cycle: u64, bank: usize, id: ContextId, trace: &mut T) {
        let beats = self.key_beats(id);
        let mut nodes = std::mem::take(&mut self.walked);
        nodes.clear();
        let port = &mut self.ports[usize::from(id)];
        let slot = usize::from(port.slot);
        let Directory::Trie(trie) = &mut self.table.contents[slot].directory else { return };
        let visit = |node| nodes.push(node);
        let fits = trie.fits(&port.key);
        let walked = match port.op {
            _ if !fits => None,
            RequestOp::Lookup => Some(trie.longest(&port.key, visit)),
            RequestOp::Delete => Some(trie.remove(&port.key, visit)),
            _ => Some(trie.exact(&port.key, visit)),
        };
        let old = walked.and_then(|walked| walked.element);
        let taken: Taken = match (port.op, old) {
            _ if !fits => Err(errno::INVAL),
            (RequestOp::Lookup | RequestOp::Delete, _) => Err(0),
            (RequestOp::UpdateNoExist, Some(_)) => Err(errno::EXIST),
            (RequestOp::UpdateExist, None) => Err(errno::NOENT),
            _ => trie.reserve(old.is_none()).map(|element| (element, old.is_none(), false)).ok_or(errno::NOSPC),
        };
        let levels = u64::from(walked.map_or(1, |walked| walked.levels));
        self.index_banks[bank].free = cycle + beats;
        self.counters.index_busy_cycles += beats;
        self.counters.index_probes += levels;
        for node in nodes.iter().skip(1) {
            let other = (slot + *node as usize) & (self.timing.banks as usize - 1);
            self.steal(cycle, other, beats);
        }
        self.walked = nodes;
        let ready = cycle + (levels - 1) * beats + self.timing.index;
        self.found(cycle, ready, bank, id, old, taken, trace);
    }

    /// An index has found an entry, or not. `taken`: for updates the element to write, else what they, or deletes of what cannot be
    /// a key, are refused for. What is found is known at `ready`.
    #[expect(clippy::too_many_arguments, reason = "the common end of two functions")]
    #[inline(always)]
    fn found<T: Trace>(
        &mut self,
        cycle: u64,
        ready: u64,
        bank: usize,
        id: ContextId,
        entry: Option<u32>,
        taken: Taken,
        trace: &mut T,
    ) {
        let port = &mut self.ports[usize::from(id)];
        let slot = port.slot;
        let info = self.table.infos[usize::from(slot)];
        let copy = |entry: u32| {
            if info.kind.is_per_cpu() { entry * self.timing.vcpus + u32::from(port.vcpu) } else { entry }
        };
        match port.op {
            RequestOp::Lookup | RequestOp::RedirectMap => {
                let element = entry.map(copy);
                port.element = element.unwrap_or(0);
                let values = !matches!(info.kind, MapKind::HashOfMaps | MapKind::DevmapHash);
                if values && port.op == RequestOp::Lookup {
                    self.counters.lookups += 1;
                    self.counters.lookup_hits += u64::from(element.is_some());
                    let local = port.local;
                    let answer = element.map_or(0, |element| Handle { slot: local, element, offset: 0 }.pack());
                    port.answer = answer;
                    self.note(cycle, id, trace, |port| SharedOp::Lookup { key: &port.key, answer });
                }
                match element {
                    Some(_) => self.events.push(ready, Event::new(Kind::Indexed, bank as u16, id, 0)),
                    None if values => self.answer(ready, bank, id, 0),
                    None => {
                        let answer = self.refer(cycle, id, None, trace);
                        self.answer(ready, bank, id, answer);
                    }
                }
            }
            RequestOp::Delete => {
                self.counters.deletes += 1;
                let answer = match (entry, taken) {
                    (Some(_), _) => 0,
                    (None, Err(errno)) if errno != 0 => errno,
                    (None, _) => errno::NOENT,
                };
                self.note(cycle, id, trace, |port| SharedOp::Delete { key: &port.key, answer });
                self.answer(ready, bank, id, negative(answer));
            }
            _ => {
                self.counters.updates += 1;
                match taken {
                    Ok((entry, new, in_place)) => {
                        port.element = copy(entry);
                        port.new = new;
                        port.in_place = in_place;
                        port.locked &= in_place;
                        if !port.locked {
                            // The bank waits for the value and the swap, so nobody sees the index in between, nor takes the element
                            // away. Who waits for a lock must not hold it up.
                            self.index_banks[bank].free = HELD;
                        }
                        self.events.push(ready, Event::new(Kind::Indexed, bank as u16, id, 0));
                    }
                    Err(errno) => {
                        self.note_update(cycle, id, errno, trace);
                        self.answer(ready, bank, id, negative(errno));
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn start_ring<T: Trace>(&mut self, cycle: u64, bank: usize, id: ContextId, trace: &mut T) {
        self.index_banks[bank].free = cycle + 1;
        self.counters.index_busy_cycles += 1;
        let port = &mut self.ports[usize::from(id)];
        let (slot, seq, flags) = (port.slot, port.seq, port.third);
        let contents = &mut self.table.contents[usize::from(slot)];
        let Directory::Ring(ring) = &mut contents.directory else { return };
        let ready = cycle + self.timing.index;
        if port.op == RequestOp::RingQuery {
            let flags = port.number;
            let answer = ring.query(flags);
            self.note(cycle, id, trace, |_| SharedOp::RingQuery { flags, answer });
            return self.answer(ready, bank, id, answer);
        }
        let reserves = port.op == RequestOp::RingReserve;
        let known = if reserves { flags == 0 } else { flags & !RING_FLAGS == 0 };
        let allowed = known && (!reserves || port.held.records.len() < RECORDS_MAX);
        let element = if allowed { ring.reserve(port.number, seq) } else { None };
        let end = ring.produced();
        if element.is_some() {
            self.ringing.insert(seq);
            self.counters.ring_records += 1;
        } else {
            self.counters.ring_full += u64::from(known);
        }
        if reserves {
            let answer = element.map_or(0, |element| {
                // A record has no more bytes than its ring.
                let size = port.number as u32;
                contents.elements.value_mut(element, size).fill(0);
                port.held.records.push(Record { slot, element, size, end });
                Handle { slot: port.local, element, offset: 0 }.pack()
            });
            let bytes = port.number;
            self.note(cycle, id, trace, |_| SharedOp::RingReserve { bytes, answer });
            return self.answer(ready, bank, id, answer);
        }
        let answer = match element {
            Some(element) => {
                port.element = element;
                port.tell_record(slot, end, port.key.clone());
                0
            }
            None if known => errno::AGAIN,
            None => errno::INVAL,
        };
        self.note(cycle, id, trace, |port| SharedOp::RingOutput { bytes: &port.key, answer });
        if answer == 0 {
            self.events.push(ready, Event::new(Kind::Indexed, bank as u16, id, 0));
        } else {
            self.answer(ready, bank, id, negative(answer));
        }
    }

    /// An index has given an element: on to its value.
    #[inline(always)]
    pub(super) fn indexed(&mut self, cycle: u64, bank: usize, id: ContextId) {
        let port = &mut self.ports[usize::from(id)];
        let (slot, element) = (port.slot, port.element);
        let job = match port.op {
            RequestOp::Lookup => match self.table.infos[usize::from(slot)].kind {
                MapKind::HashOfMaps | MapKind::DevmapHash => Job::Reference { id },
                _ => {
                    port.wanted = ValueAddress { slot, local: port.local, element, offset: 0 };
                    Job::Window { id }
                }
            },
            RequestOp::RedirectMap => Job::Reference { id },
            RequestOp::RingOutput => Job::Output { id },
            _ if port.locked => Job::WriteLocked { id },
            _ => Job::Write { id, index_bank: Some(bank as u8) },
        };
        self.queue_value(cycle, slot, element, job);
    }

    /// The value of an update is written: the index is swapped.
    #[inline(never)]
    pub(super) fn swap<T: Trace>(&mut self, cycle: u64, bank: usize, id: ContextId, trace: &mut T) {
        let port = &self.ports[usize::from(id)];
        let (slot, new, op) = (usize::from(port.slot), port.new, port.op);
        let copies = self.table.infos[slot].copies(self.timing.vcpus);
        let contents = &mut self.table.contents[slot];
        let mut answer = 0;
        if port.in_place {
            self.index_banks[bank].free = cycle;
            return self.answer(cycle, bank, id, 0);
        }
        if let Directory::Trie(trie) = &mut contents.directory {
            let there = trie.exact(&port.key, |_| ()).element.is_some();
            answer = overtaken(op, new, there, trie.is_full(), errno::NOSPC);
            match answer {
                0 => trie.swap(&port.key, port.element, new),
                _ => trie.abandon(port.element, new),
            }
        } else if let Some((index, keyed)) = contents.hash() {
            let element = port.element / copies;
            let there = index.find(keyed, port.hash, &port.key).element.is_some();
            while !new && !there && op != RequestOp::UpdateExist && index.must_evict() {
                let Some((victim, _)) = index.victim(|_| false) else { break };
                let victim = keyed.key(victim).to_vec();
                index.remove(keyed, self.table.hash.hash(&victim), &victim);
                self.counters.evictions += 1;
                if T::ON {
                    let op = SharedOp::Evict { key: &victim };
                    let (seq, vcpu, map) = (port.seq, port.vcpu, MapId(port.slot));
                    trace.event(trace::Event::Shared { cycle, seq, vcpu, map, op });
                }
            }
            answer = overtaken(op, new, there, index.is_full(), errno::TOOBIG);
            match answer {
                0 => index.swap(keyed, port.hash, &port.key, element, new),
                _ => index.abandon(element, new),
            }
        }
        self.index_banks[bank].free = cycle;
        self.note_update(cycle, id, answer, trace);
        self.answer(cycle, bank, id, negative(answer));
    }
}

/// What becomes of an update whose key the user has inserted or deleted while its value was written: it comes after that. `new`: the
/// key was not there when it started; `there`: it is now.
fn overtaken(op: RequestOp, new: bool, there: bool, full: bool, none: i32) -> i32 {
    match op {
        _ if new != there => 0,
        RequestOp::UpdateNoExist if there => errno::EXIST,
        RequestOp::UpdateExist if !there => errno::NOENT,
        _ if !there && full => none,
        _ => 0,
    }
}
