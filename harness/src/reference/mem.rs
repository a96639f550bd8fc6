//! Memory of a running program: disjoint regions at virtual addresses, each access checked against its own region.
//!
//! An address is `region << 32 | offset + BIAS`. The verifier keeps offsets within 2^29 (BPF_MAX_VAR_OFF in
//! include/linux/bpf_verifier.h), so arithmetic never carries a pointer from one region into another, and an access outside its
//! region is always seen. Packet regions are numbered anew by every adjust_head: a pointer from before it is known as stale.

use super::maps::MapStore;
use super::replay::Replay;
use crate::{Chance, Event, RedirectTarget};
use offload_compiler::ebpf::MapIdx;
use std::collections::BTreeMap;

/// Added to offsets, so that negative ones stay inside their region.
pub(crate) const BIAS: u64 = 1 << 30;
/// Bytes of a stack frame (MAX_BPF_STACK).
pub(crate) const FRAME_BYTES: usize = 512;
/// Frames that may be live (MAX_CALL_FRAMES).
pub(crate) const MAX_FRAMES: usize = 8;
/// Room before the packet (XDP_PACKET_HEADROOM).
pub(crate) const HEADROOM: usize = 256;
/// Part of it that belongs to the kernel: sizeof(struct xdp_frame).
pub(crate) const FRAME_HEADER: usize = 40;
/// Where `data_end` may move at most: a page less sizeof(struct skb_shared_info).
pub(crate) const HARD_END: usize = 4096 - 320;
/// BPF_RINGBUF_HDR_SZ, and RINGBUF_MAX_RECORD_SZ.
const RECORD_HEADER: u64 = 8;
const MAX_RECORD: u64 = (u32::MAX / 4) as u64;
/// A packet keeps at least an Ethernet header (ETH_HLEN).
pub(crate) const MIN_PACKET: usize = 14;

const CTX: u64 = 1;
const STACK: u64 = 0x100;
const MAP: u64 = 0x10_0000;
const PACKET: u64 = 0x20_0000;
const PACKET_LAST: u64 = 0x2f_ffff;
const RECORD: u64 = 0x30_0000;
const VALUES: u64 = 0x0100_0000;
/// Map values that fit the address space.
pub(crate) const MAX_VALUES: u64 = 0x7000_0000;

/// Bytes that a record of `len` bytes takes in a ring buffer.
fn record_room(len: u64) -> u64 {
    (len + RECORD_HEADER).next_multiple_of(8)
}

/// What an address points into, with the offset from the region's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ctx,
    /// Frame number; origin is its r10.
    Stack(usize),
    /// Origin is `data`; `stale` if adjust_head ran since.
    Packet {
        stale: bool,
    },
    Map(MapIdx),
    Value {
        map: MapIdx,
        slot: u32,
    },
    /// A record of a ring buffer, reserved for this packet and not yet submitted.
    Record(usize),
    /// Not an address that was ever handed out.
    Nothing,
}

/// A record of a ring buffer.
pub(crate) struct Record {
    pub(crate) map: MapIdx,
    pub(crate) bytes: Vec<u8>,
    pub(crate) state: RecordState,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordState {
    Reserved,
    Submitted,
    Discarded,
}

/// A refused access: what is wrong with it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

/// The memory of one back end.
pub(crate) struct Mem {
    pub(crate) maps: Vec<MapStore>,
    /// First value region of each map, ascending, relative to VALUES.
    first_value: Vec<u64>,
    /// Records that this packet made, in order of their reservation, which is the order in which they are read.
    pub(crate) records: Vec<Record>,
    stack: Box<[u8]>,
    /// Frames in use.
    pub(crate) frames: usize,
    /// Most frames used since the last packet began; the others are still zero.
    deepest: usize,
    packet: Vec<u8>,
    /// Index of `data` in `packet`.
    data: usize,
    /// Index of `data_meta` in `packet`, at most `data`.
    meta: usize,
    /// Number of calls so far that may move the packet's bounds.
    generation: u64,
    /// Where the packet goes if the program returns XDP_REDIRECT.
    pub(crate) redirect: Option<RedirectTarget>,
    /// Perf events and trace lines of this packet.
    pub(crate) other_events: Vec<Event>,
    /// Bytes that the perf events take in their ring.
    pub(crate) perf_bytes: u64,
    /// Bytes that ring buffers had taken before this packet, by map.
    consumed: BTreeMap<u16, u64>,
    /// What other packets and shared units told a packet of a run with many in flight.
    pub(crate) replay: Option<Box<Replay>>,
    /// What bpf_get_smp_processor_id gives.
    pub(crate) cpu: u32,
    /// Clocks and the random generator.
    pub(crate) chance: Chance,
    /// ingress_ifindex and rx_queue_index.
    ifindex: u32,
    rx_queue: u32,
}

impl Mem {
    /// `None` if the maps hold more values than there are addresses.
    pub(crate) fn new(maps: Vec<MapStore>) -> Option<Self> {
        let mut first_value = Vec::with_capacity(maps.len());
        let mut next = 0u64;
        for map in &maps {
            first_value.push(next);
            next += map.slots();
        }
        if next > MAX_VALUES {
            return None;
        }
        Some(Self {
            maps,
            first_value,
            records: Vec::new(),
            stack: vec![0; FRAME_BYTES * MAX_FRAMES].into_boxed_slice(),
            frames: 1,
            deepest: 1,
            packet: Vec::new(),
            data: HEADROOM,
            meta: HEADROOM,
            generation: 0,
            redirect: None,
            replay: None,
            cpu: 0,
            other_events: Vec::new(),
            perf_bytes: 0,
            consumed: BTreeMap::new(),
            chance: Chance::default(),
            ifindex: 1,
            rx_queue: 0,
        })
    }

    /// Takes in a packet and clears what the last one left.
    pub(crate) fn start(&mut self, bytes: &[u8], ifindex: u32, rx_queue: u32) {
        let used = FRAME_BYTES * self.deepest;
        if let Some(stack) = self.stack.get_mut(..used) {
            stack.fill(0);
        }
        self.frames = 1;
        self.deepest = 1;
        for record in self.records.drain(..) {
            *self.consumed.entry(record.map.0).or_default() += record_room(record.bytes.len() as u64);
        }
        self.redirect = None;
        self.other_events.clear();
        self.perf_bytes = 0;
        self.packet.clear();
        self.packet.resize(HEADROOM, 0);
        self.packet.extend_from_slice(bytes);
        self.data = HEADROOM;
        self.meta = HEADROOM;
        self.generation = 0;
        self.ifindex = ifindex;
        self.rx_queue = rx_queue;
    }

    /// The packet as it is now.
    pub(crate) fn packet(&self) -> &[u8] {
        self.packet.get(self.data..).unwrap_or(&[])
    }

    /// The packet as it is now, to be written.
    pub(crate) fn packet_mut(&mut self) -> &mut [u8] {
        self.packet.get_mut(self.data..).unwrap_or(&mut [])
    }

    /// The metadata in front of the packet.
    pub(crate) fn metadata(&self) -> &[u8] {
        self.packet.get(self.meta..self.data).unwrap_or(&[])
    }

    /// Enters a local call; false if the frames are used up.
    pub(crate) fn push_frame(&mut self) -> bool {
        if self.frames == MAX_FRAMES {
            return false;
        }
        self.frames += 1;
        if self.frames > self.deepest {
            self.deepest = self.frames;
        }
        true
    }

    /// Leaves a local call.
    pub(crate) fn pop_frame(&mut self) {
        self.frames = self.frames.saturating_sub(1).max(1);
    }

    /// Slot `slot` of the current frame, as [`offload_compiler::facts::State::slots`] numbers them.
    #[inline]
    pub(crate) fn stack_slot(&self, slot: u8) -> u64 {
        let end = self.frames * FRAME_BYTES - 8 * usize::from(slot);
        let bytes = end.checked_sub(8).and_then(|start| self.stack.get(start..end));
        bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    pub(crate) fn ctx_pointer(&self) -> u64 {
        CTX << 32 | BIAS
    }

    /// r10 of the current frame.
    pub(crate) fn frame_pointer(&self) -> u64 {
        (STACK + self.frames as u64 - 1) << 32 | BIAS
    }

    /// True if the map stands in the other one.
    pub(crate) fn stands_in(&self, map: MapIdx, outer: MapIdx) -> bool {
        self.maps.get(usize::from(outer.0)).is_some_and(|store| store.names(usize::from(map.0)))
    }

    /// The ring buffer of a record.
    pub(crate) fn record_map(&self, record: usize) -> Option<MapIdx> {
        self.records.get(record).map(|record| record.map)
    }

    pub(crate) fn map_pointer(&self, map: MapIdx) -> u64 {
        (MAP + u64::from(map.0)) << 32 | BIAS
    }

    pub(crate) fn data_pointer(&self) -> u64 {
        (PACKET + self.generation) << 32 | BIAS
    }

    pub(crate) fn data_meta_pointer(&self) -> u64 {
        self.data_pointer() - (self.data - self.meta) as u64
    }

    pub(crate) fn data_end_pointer(&self) -> u64 {
        self.data_pointer() + (self.packet.len() - self.data) as u64
    }

    /// Address of record `at`, which has been reserved.
    pub(crate) fn record_pointer(&self, at: usize) -> u64 {
        (RECORD + at as u64) << 32 | BIAS
    }

    /// Takes a record of `len` bytes in a ring buffer, or does not (kernel/bpf/ringbuf.c, __bpf_ringbuf_reserve). User space
    /// empties the ring after each packet.
    pub(crate) fn reserve(&mut self, map: MapIdx, len: u64, state: RecordState) -> Option<usize> {
        let size = u64::from(self.maps.get(usize::from(map.0))?.spec().max_entries);
        if len > MAX_RECORD || record_room(len) > size {
            return None;
        }
        if self.available(map) + record_room(len) >= size || self.records.len() as u64 >= VALUES - RECORD {
            return None;
        }
        self.records.push(Record { map, bytes: vec![0; len as usize], state });
        Some(self.records.len() - 1)
    }

    /// Bytes that this packet's records take in a ring buffer.
    fn available(&self, map: MapIdx) -> u64 {
        let own = self.records.iter().filter(|record| record.map == map);
        own.map(|record| record_room(record.bytes.len() as u64)).sum()
    }

    /// bpf_ringbuf_query: BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS, and 0 for all else.
    pub(crate) fn query(&self, map: MapIdx, what: u64) -> u64 {
        let consumed = self.consumed.get(&map.0).copied().unwrap_or(0);
        match what {
            0 => self.available(map),
            1 => self.maps.get(usize::from(map.0)).map_or(0, |store| u64::from(store.spec().max_entries)),
            2 => consumed,
            3 => consumed + self.available(map),
            _ => 0,
        }
    }

    /// Address of a value; `None` if there is no such map.
    pub(crate) fn value_pointer(&self, map: MapIdx, slot: u32) -> Option<u64> {
        let first = self.first_value.get(usize::from(map.0))?;
        Some((VALUES + first + u64::from(slot)) << 32 | BIAS)
    }

    /// Tells what an address points to and its offset from there.
    #[inline]
    pub(crate) fn place(&self, addr: u64) -> (Place, i64) {
        let offset = (addr & 0xffff_ffff) as i64 - BIAS as i64;
        let region = addr >> 32;
        let place = if region >= VALUES {
            let value = region - VALUES;
            let index = self.first_value.partition_point(|&first| first <= value).wrapping_sub(1);
            match (self.first_value.get(index), self.maps.get(index)) {
                (Some(first), Some(map)) if value - first < map.slots() => {
                    Place::Value { map: MapIdx(index as u16), slot: (value - first) as u32 }
                }
                _ => Place::Nothing,
            }
        } else if (PACKET..=PACKET_LAST).contains(&region) {
            Place::Packet { stale: region != PACKET + self.generation }
        } else if (STACK..STACK + self.frames as u64).contains(&region) {
            Place::Stack((region - STACK) as usize)
        } else if (RECORD..RECORD + self.records.len() as u64).contains(&region) {
            match self.records.get((region - RECORD) as usize) {
                Some(record) if record.state == RecordState::Reserved => Place::Record((region - RECORD) as usize),
                _ => Place::Nothing,
            }
        } else if region == CTX {
            Place::Ctx
        } else if (MAP..MAP + self.maps.len() as u64).contains(&region) {
            Place::Map(MapIdx((region - MAP) as u16))
        } else {
            Place::Nothing
        };
        (place, offset)
    }

    /// Before a read of a map value in a replay: fills in what the packet read there. Nothing happens where no access is allowed.
    #[inline]
    pub(crate) fn refresh(&mut self, addr: u64, len: usize) {
        if self.replay.is_some() {
            self.refresh_value(addr, len);
        }
    }

    #[cold]
    fn refresh_value(&mut self, addr: u64, len: usize) {
        let (Place::Value { map, slot }, offset) = self.place(addr) else { return };
        let Some(mut replay) = self.replay.take() else { return };
        let place = self.maps.get_mut(usize::from(map.0)).filter(|store| !store.frozen());
        if let Some(store) = place
            && let Some(offset) = usize::try_from(offset).ok()
            && let Some(view) = store.value_grown(slot).and_then(|value| value.get_mut(offset..)?.get_mut(..len))
        {
            replay.refresh((map.0, slot), offset, view);
        }
        self.replay = Some(replay);
    }

    /// Before a write to a map value in a replay.
    #[inline]
    pub(crate) fn writes(&mut self, addr: u64, len: usize) {
        if self.replay.is_some()
            && let (Place::Value { map, slot }, offset) = self.place(addr)
            && let Ok(offset) = usize::try_from(offset)
            && let Ok(bytes) = self.bytes(addr, len).map(<[u8]>::to_vec)
            && let Some(replay) = &mut self.replay
        {
            replay.writes((map.0, slot), offset, &bytes);
        }
    }

    /// After a write to a map value in a replay.
    #[inline]
    pub(crate) fn wrote(&mut self, addr: u64, len: usize) {
        if self.replay.is_some()
            && let (Place::Value { map, slot }, offset) = self.place(addr)
            && let Ok(offset) = usize::try_from(offset)
            && let Ok(bytes) = self.bytes(addr, len).map(<[u8]>::to_vec)
            && let Some(replay) = &mut self.replay
        {
            replay.wrote((map.0, slot), offset, &bytes);
        }
    }

    /// The bytes of a checked access to stack, packet or map value.
    #[inline]
    pub(crate) fn bytes(&self, addr: u64, len: usize) -> Result<&[u8], Violation> {
        let (place, offset) = self.place(addr);
        let slice = match place {
            Place::Packet { stale: false } => self.packet_span(offset, len).and_then(|range| self.packet.get(range)),
            Place::Stack(frame) => {
                let start = frame * FRAME_BYTES;
                window(&self.stack, start, start + FRAME_BYTES, offset + FRAME_BYTES as i64, len)
            }
            Place::Value { map, slot } => self
                .maps
                .get(usize::from(map.0))
                .and_then(|store| store.value(slot))
                .and_then(|value| window(value, 0, value.len(), offset, len)),
            Place::Record(at) => {
                self.records.get(at).and_then(|record| window(&record.bytes, 0, record.bytes.len(), offset, len))
            }
            _ => None,
        };
        slice.ok_or_else(|| self.explain(addr, len, false))
    }

    /// The same, to be written.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, addr: u64, len: usize) -> Result<&mut [u8], Violation> {
        let (place, offset) = self.place(addr);
        let found = match place {
            Place::Packet { stale: false } => self.packet_span(offset, len).map(|range| (0usize, range)),
            Place::Stack(frame) => {
                let start = frame * FRAME_BYTES;
                span(start, start + FRAME_BYTES, offset + FRAME_BYTES as i64, len).map(|range| (1, range))
            }
            Place::Value { map, slot } => self
                .maps
                .get(usize::from(map.0))
                .filter(|store| !store.read_only())
                .and_then(|store| store.value(slot))
                .and_then(|value| span(0, value.len(), offset, len))
                .map(|range| (2, range)),
            Place::Record(at) => {
                self.records.get(at).and_then(|record| span(0, record.bytes.len(), offset, len)).map(|range| (3, range))
            }
            _ => None,
        };
        let Some((which, range)) = found else {
            return Err(self.explain(addr, len, true));
        };
        let whole = match (which, place) {
            (0, _) => Some(self.packet.as_mut_slice()),
            (1, _) => Some(&mut *self.stack),
            (_, Place::Value { map, slot }) => {
                self.maps.get_mut(usize::from(map.0)).and_then(|store| store.value_mut(slot))
            }
            (_, Place::Record(at)) => self.records.get_mut(at).map(|record| record.bytes.as_mut_slice()),
            _ => None,
        };
        whole.and_then(|whole| whole.get_mut(range)).ok_or_else(|| Violation("no such memory".into()))
    }

    /// Bytes of the packet, or of the metadata in front of it, which has negative offsets; no access covers parts of both.
    #[inline]
    fn packet_span(&self, offset: i64, len: usize) -> Option<std::ops::Range<usize>> {
        if offset >= 0 {
            return span(self.data, self.packet.len(), offset, len);
        }
        span(self.meta, self.data, offset + (self.data - self.meta) as i64, len)
    }

    /// A 32-bit read of struct xdp_md (include/uapi/linux/bpf.h); net/core/filter.c, xdp_is_valid_access allows no other size.
    pub(crate) fn load_ctx(&self, offset: i64, len: usize) -> Result<u64, Violation> {
        if len != 4 {
            return Err(Violation(format!("struct xdp_md is read with {len} bytes; only 4 are allowed")));
        }
        match offset {
            0 => Ok(self.data_pointer()),
            8 => Ok(self.data_meta_pointer()),
            4 => Ok(self.data_end_pointer()),
            12 => Ok(u64::from(self.ifindex)),
            16 => Ok(u64::from(self.rx_queue)),
            20 => Ok(0),
            _ => Err(Violation(format!("struct xdp_md has no field at offset {offset}"))),
        }
    }

    /// bpf_xdp_adjust_head (net/core/filter.c): moves `data` by `delta`, and the metadata with it; -22 leaves the packet alone.
    pub(crate) fn adjust_head(&mut self, delta: i32) -> i64 {
        let length = self.data - self.meta;
        let data = self.data as i64 + i64::from(delta);
        if data < (FRAME_HEADER + length) as i64 || data > self.packet.len() as i64 - MIN_PACKET as i64 {
            return -22;
        }
        let data = data as usize;
        self.packet.copy_within(self.meta..self.data, data - length);
        self.data = data;
        self.meta = data - length;
        0
    }

    /// bpf_xdp_adjust_meta (net/core/filter.c): moves `data_meta` by `delta`; -22 out of the headroom or behind `data`, -13 for a
    /// length that is no multiple of 4 or above 255.
    pub(crate) fn adjust_meta(&mut self, delta: i32) -> i64 {
        let meta = self.meta as i64 + i64::from(delta);
        if meta < FRAME_HEADER as i64 || meta > self.data as i64 {
            return -22;
        }
        let length = self.data - meta as usize;
        if !length.is_multiple_of(4) || length > 255 {
            return -13;
        }
        self.meta = meta as usize;
        0
    }

    /// bpf_xdp_adjust_tail (net/core/filter.c) on a linear packet: moves `data_end` by `delta`; new bytes are zero.
    pub(crate) fn adjust_tail(&mut self, delta: i32) -> i64 {
        let end = self.packet.len() as i64 + i64::from(delta);
        if end > HARD_END as i64 || end < (self.data + MIN_PACKET) as i64 {
            return -22;
        }
        self.packet.resize(end as usize, 0);
        0
    }

    /// Makes all packet pointers stale: the verifier forbids their use after adjust_head, also if it failed.
    pub(crate) fn invalidate_packet_pointers(&mut self) {
        self.generation = (self.generation + 1).min(PACKET_LAST - PACKET);
    }

    /// Says why an access is refused.
    #[cold]
    fn explain(&self, addr: u64, len: usize, write: bool) -> Violation {
        let verb = if write { "write" } else { "read" };
        let (place, offset) = self.place(addr);
        Violation(match place {
            Place::Ctx => format!("{verb} of {len} bytes at offset {offset} of struct xdp_md"),
            Place::Stack(frame) => format!("{verb} of {len} bytes at r10{offset:+} of stack frame {frame}"),
            Place::Packet { stale: false } => {
                format!("{verb} of {len} bytes at offset {offset} of a packet of {} bytes", self.packet().len())
            }
            Place::Packet { stale: true } => {
                format!("{verb} of {len} bytes through a packet pointer from before the packet was adjusted")
            }
            Place::Map(map) => format!("{verb} of {len} bytes of map {} itself", self.map_name(map)),
            Place::Value { map, slot } => format!(
                "{verb} of {len} bytes at offset {offset} of value {slot} of map {}{}",
                self.map_name(map),
                match self.maps.get(usize::from(map.0)) {
                    Some(store) if store.read_only() && write => ", which is read-only".to_string(),
                    Some(store) => format!(", whose values have {} bytes", store.spec().value_size),
                    None => String::new(),
                }
            ),
            Place::Record(at) => format!("{verb} of {len} bytes at offset {offset} of record {at} of a ring buffer"),
            Place::Nothing => format!("{verb} of {len} bytes at {addr:#x}, which is no pointer"),
        })
    }

    fn map_name(&self, map: MapIdx) -> &str {
        self.maps.get(usize::from(map.0)).map_or("?", |store| store.spec().name.as_str())
    }
}

/// `len` bytes at `offset` of the area `start..end`, as a range of the whole.
#[inline]
fn span(start: usize, end: usize, offset: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let offset = usize::try_from(offset).ok()?;
    let first = start.checked_add(offset)?;
    let last = first.checked_add(len)?;
    (last <= end).then_some(first..last)
}

#[inline]
fn window(whole: &[u8], start: usize, end: usize, offset: i64, len: usize) -> Option<&[u8]> {
    whole.get(span(start, end, offset, len)?)
}
