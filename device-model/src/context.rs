//! A context: one hardware thread of an engine with the packet that it holds.

use offwire_image::DispatchMode;
use offwire_isa::{
    CodeAddr, METADATA_EGRESS_IFINDEX, METADATA_INGRESS_IFINDEX, METADATA_META_LEN, METADATA_PACKET_LEN,
    METADATA_RX_QUEUE_INDEX, METADATA_VCPU,
};

use crate::fault::{Fault, FaultCause};
use crate::geometry::{CALLS_MAX, METADATA, SCRATCH, STACK, VALID_LINE};
use crate::op::{Goto, Part, Values};
use crate::packet::{Lines, Packet};
use crate::packets::{NONE, PacketId, Record};
use crate::program::Program;

/// Bytes behind each memory, so that a window at its last byte needs no second check.
const PAD: usize = WINDOW;

/// Bytes that an access can see from its lowest byte on: parts of 8 B at up to 15 B.
pub(crate) const WINDOW: usize = 24;

/// Writes a field of the metadata.
fn put<const BYTES: usize>(metadata: &mut [u8], offset: u16, value: [u8; BYTES]) {
    if let Some(field) = metadata.get_mut(usize::from(offset)..usize::from(offset) + BYTES) {
        field.copy_from_slice(&value);
    }
}

/// Stack or scratch: bytes with a valid bit per 16 B line. All bits are cleared at dispatch; what is not valid reads as zero.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Memory<const BYTES: usize> {
    valid: u64,
    bytes: [u8; BYTES],
}

impl<const BYTES: usize> Memory<BYTES> {
    fn new() -> Self {
        Memory { bytes: [0; BYTES], valid: 0 }
    }

    #[inline(always)]
    fn lines(address: u32, size: u32) -> u64 {
        let first = address / VALID_LINE;
        let last = (address + size - 1) / VALID_LINE;
        (u64::MAX >> (63 - (last & 63))) & (u64::MAX << (first & 63))
    }

    /// Gives lines that are not valid the zeros that they read as.
    #[inline(always)]
    fn settle(&mut self, address: u32, size: u32) {
        let (first, last) = (address / VALID_LINE, (address + size - 1) / VALID_LINE);
        // All lines of a short access; of a long one all must be looked at.
        if size > VALID_LINE || (self.valid >> (first & 63)) & (self.valid >> (last & 63)) & 1 == 0 {
            self.zero(Self::lines(address, size));
        }
    }

    #[inline(never)]
    fn zero(&mut self, lines: u64) {
        let mut missing = lines & !self.valid;
        self.valid |= missing;
        while missing != 0 {
            let start = (missing.trailing_zeros() * VALID_LINE) as usize;
            missing &= missing - 1;
            if let Some(line) = self.bytes.get_mut(start..start + VALID_LINE as usize) {
                line.fill(0);
            }
        }
    }

    /// Bytes of an access of `size` > 0 bytes in bounds, and those behind it.
    #[inline(always)]
    pub(crate) fn at(&mut self, address: u32, size: u32) -> &mut [u8] {
        self.settle(address, size);
        &mut self.bytes[address as usize..]
    }
}

/// Both extracts from the window at the front of `bytes`, which has at least what they touch.
#[inline(always)]
pub(crate) fn extracts(bytes: &[u8], parts: &[Part; 2]) -> [u64; 2] {
    match bytes.first_chunk::<WINDOW>() {
        Some(window) => [extract(window, &parts[0]), extract(window, &parts[1])],
        None => short_extracts(bytes, parts),
    }
}

/// The same near the end of a packet.
#[inline(never)]
fn short_extracts(bytes: &[u8], parts: &[Part; 2]) -> [u64; 2] {
    let mut window = [0; WINDOW];
    window[..bytes.len()].copy_from_slice(bytes);
    [extract(&window, &parts[0]), extract(&window, &parts[1])]
}

/// An extract from the window of its access.
#[inline(always)]
fn extract(window: &[u8; WINDOW], part: &Part) -> u64 {
    let at = usize::from(part.delta & 15);
    let value = window[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if part.swap { value.swap_bytes() >> (part.unused & 63) } else { value & part.mask }
}

/// The value as an insert writes it: its low bytes, reversed if so.
#[inline(always)]
pub(crate) fn formatted(value: u64, part: &Part) -> u64 {
    if part.swap { value.swap_bytes() >> (part.unused & 63) } else { value & part.mask }
}

/// Writes a formatted value at the front of `bytes`, which has at least the part's size.
#[inline(always)]
pub(crate) fn insert(bytes: &mut [u8], part: &Part, value: u64) {
    match bytes.first_chunk_mut::<8>() {
        Some(chunk) => *chunk = (u64::from_le_bytes(*chunk) & !part.mask | value).to_le_bytes(),
        None => store(bytes, part.size, value),
    }
}

/// Little-endian load of 1 to 8 bytes from the front of `bytes`, which has at least that many.
#[inline(always)]
pub(crate) fn load(bytes: &[u8], size: u8) -> u64 {
    bytes.iter().take(usize::from(size)).rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Little-endian store of the low 1 to 8 bytes of `value` at the front of `bytes`, which has at least that many.
#[inline(never)]
pub(crate) fn store(bytes: &mut [u8], size: u8, value: u64) {
    for (to, from) in bytes.iter_mut().zip(value.to_le_bytes()).take(usize::from(size)) {
        *to = from;
    }
}

/// A unit of the engine that takes longer than a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// What is known at once.
    #[default]
    Direct,
    /// The packet unit.
    Packet,
    /// The divider, one division at a time.
    Divider,
    /// The byte unit, which copies and which sums up, one request at a time.
    Copy,
    Sum,
    /// The clock: nanoseconds and ticks.
    Time,
    Ticks,
}

/// What a unit of the engine has to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub unit: Unit,
    /// Bytes of the packet come from the packet store.
    pub late: bool,
    /// Bytes to be copied or summed up.
    pub bytes: u32,
    /// Changed lines that go to the packet store.
    pub written: u32,
}

/// One context. What most words touch comes first.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Context {
    /// The word to run; while a request is out, the word that made it.
    pub pc: Goto,
    /// The program of its packet.
    pub program: u16,
    /// What a unit of the engine has to do for the context's request.
    pub work: Work,
    pub packet: Packet,
    pub words: u32,
    pub slots: u32,
    /// Tail calls so far.
    pub tail_calls: u8,
    /// Calls that have not returned, and where they return to.
    pub depth: u8,
    /// Dispatch mode of the packet; its order bucket stands below.
    pub mode: DispatchMode,
    pub calls: [Goto; CALLS_MAX],
    /// First cycle at which no word of the packet is issued any more.
    pub deadline: u64,
    /// Registers, and what the units of a word hand on.
    pub values: Values,
    /// Lines that the refused word misses.
    pub miss: Lines,
    /// The packet's record, and its number since `load`.
    pub id: PacketId,
    pub bucket: u32,
    pub seq: u64,
    /// Return value, once the packet has ended.
    pub retval: u32,
    pub fault: Option<Fault>,
    /// Cycle at which the packet ended.
    pub exited: u64,
    pub scratch: Memory<{ SCRATCH as usize + PAD }>,
    pub stack: Memory<{ STACK as usize + PAD }>,
}

impl Context {
    pub(crate) fn new() -> Self {
        Context {
            values: [0; 32],
            pc: 0,
            program: 0,
            work: Work::default(),
            packet: Packet::default(),
            miss: 0,
            id: NONE,
            bucket: 0,
            seq: 0,
            deadline: 0,
            retval: 0,
            words: 0,
            slots: 0,
            tail_calls: 0,
            depth: 0,
            mode: DispatchMode::Any,
            calls: [0; CALLS_MAX],
            fault: None,
            exited: 0,
            scratch: Memory::new(),
            stack: Memory::new(),
        }
    }

    /// Takes a packet: registers zero, no line of stack and scratch valid but the metadata.
    pub(crate) fn take(&mut self, id: PacketId, record: &mut Record, program: &Program, window: u32, far: u32) {
        self.values[..16].fill(0);
        self.pc = program.entry;
        self.program = record.out.program.map_or(0, |program| program.0);
        self.packet.take(std::mem::take(&mut record.out.bytes), window, far);
        self.id = id;
        self.bucket = record.wants.bucket;
        self.mode = record.wants.mode;
        self.seq = record.out.seq;
        self.deadline = record.out.dispatched + program.budget;
        self.retval = 0;
        self.words = 0;
        self.slots = 0;
        self.tail_calls = 0;
        self.depth = 0;
        self.fault = None;
        self.stack.valid = 0;
        self.scratch.valid = 0;
        let block = self.scratch.at(0, METADATA);
        put(block, METADATA_INGRESS_IFINDEX, record.ingress_ifindex.to_le_bytes());
        put(block, METADATA_RX_QUEUE_INDEX, record.rx_queue.to_le_bytes());
        put(block, METADATA_EGRESS_IFINDEX, 0u32.to_le_bytes());
        put(block, METADATA_VCPU, u32::from(record.wants.vcpu).to_le_bytes());
        self.note_length();
    }

    /// A tail call: registers zero, stack and spills as at dispatch; what became of the packet stays.
    pub(crate) fn enter(&mut self, entry: Goto) {
        self.tail_calls += 1;
        self.depth = 0;
        self.values[..16].fill(0);
        self.pc = entry;
        self.stack.valid = 0;
        self.scratch.valid &= (1 << (METADATA / VALID_LINE)) - 1;
    }

    /// The registers.
    pub(crate) fn registers(&self) -> &[u64; 16] {
        self.values.first_chunk().unwrap_or(&[0; 16])
    }

    /// Gives the packet back with what became of it.
    pub(crate) fn give(&mut self, record: &mut Record) {
        let out = &mut record.out;
        let (bytes, meta) = self.packet.give();
        out.bytes = bytes;
        if !meta.is_empty() {
            out.tell().meta = meta;
        }
        out.retval = self.retval;
        out.exited = self.exited;
        out.words = self.words;
        out.slots = self.slots;
        out.fault = self.fault;
    }

    /// Brings `packet_len` and `meta_len` of the metadata up to date.
    pub(crate) fn note_length(&mut self) {
        let (length, meta) = (u64::from(self.packet.len()), u64::from(self.packet.meta_len()));
        let block = self.scratch.at(0, METADATA);
        put(block, METADATA_PACKET_LEN, length.to_le_bytes());
        put(block, METADATA_META_LEN, meta.to_le_bytes());
    }

    /// Ends the packet with a fault at the word `pc`.
    pub(crate) fn fail(&mut self, cause: FaultCause) {
        self.fault = Some(Fault { cause, word: CodeAddr(self.pc) });
        self.retval = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extracts_and_inserts_agree_with_the_generated_functions() {
        let mut bytes = [0; WINDOW];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = (n * 37 + 11) as u8;
        }
        let wide = u128::from_le_bytes(*bytes.first_chunk().unwrap());
        let value = 0x8877_6655_4433_2211;
        for size in 1..=8u8 {
            for delta in 0..=16 - size {
                for swap in [false, true] {
                    let unused = 64 - 8 * size;
                    let part = Part { delta, size, unused, swap, mask: u64::MAX >> unused, ..Part::default() };
                    assert_eq!(extract(&bytes, &part), offwire_isa::extract(wide, delta, size, swap));
                    let want = offwire_isa::insert(wide, value, delta, size, swap).to_le_bytes();
                    // With and without room behind the window.
                    for len in [16, WINDOW] {
                        let mut got = bytes;
                        insert(&mut got[usize::from(delta)..len], &part, formatted(value, &part));
                        assert_eq!(got[..16], want);
                        assert_eq!(got[16..], bytes[16..]);
                    }
                }
            }
        }
    }

    #[test]
    fn lines_that_are_not_valid_read_as_zero_and_stores_keep_the_rest_of_the_line_zero() {
        let mut memory = Memory::<{ STACK as usize + PAD }>::new();
        memory.bytes.fill(0xaa);
        assert_eq!(load(memory.at(12, 8), 8), 0, "spans two lines");
        store(memory.at(100, 1), 1, 0x55);
        assert_eq!(load(memory.at(96, 8), 8), 0x55 << 32);
        assert_eq!(load(memory.at(511, 1), 1), 0);
    }
}
