//! A context: one hardware thread of an engine with the packet that it holds.

use offwire_isa::{
    CodeAddr, METADATA_EGRESS_IFINDEX, METADATA_INGRESS_IFINDEX, METADATA_PACKET_LEN, METADATA_RX_QUEUE_INDEX,
    METADATA_VCPU,
};

use crate::fault::{Fault, FaultCause};
use crate::geometry::{METADATA, SCRATCH, STACK, VALID_LINE};
use crate::op::Goto;
use crate::packet::{Lines, Packet};
use crate::packets::{NONE, PacketId, Record};

/// Bytes behind each memory, so that an 8 B access at its last byte needs no second check.
const PAD: usize = 8;

/// Writes a field of the metadata.
fn put<const BYTES: usize>(metadata: &mut [u8], offset: u16, value: [u8; BYTES]) {
    if let Some(field) = metadata.get_mut(usize::from(offset)..usize::from(offset) + BYTES) {
        field.copy_from_slice(&value);
    }
}

/// Stack or scratch: bytes with a valid bit per 16 B line. All bits are cleared at dispatch; what is not valid reads as zero.
#[derive(Clone, Debug)]
pub(crate) struct Memory<const BYTES: usize> {
    bytes: [u8; BYTES],
    valid: u64,
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
        let missing = Self::lines(address, size) & !self.valid;
        if missing != 0 {
            self.zero(missing);
        }
    }

    #[cold]
    #[inline(never)]
    fn zero(&mut self, mut missing: u64) {
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

/// Little-endian load of 1 to 8 bytes from the front of `bytes`, which has at least that many.
#[inline(always)]
pub(crate) fn load(bytes: &[u8], size: u8, swap: bool) -> u64 {
    let unused = 64 - 8 * u32::from(size);
    let value = match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk) << unused >> unused,
        None => bytes.iter().take(usize::from(size)).rev().fold(0, |value, &byte| value << 8 | u64::from(byte)),
    };
    if swap { value.swap_bytes() >> unused } else { value }
}

/// The value as an insert writes it: its low `size` bytes, reversed if `swap`.
#[inline(always)]
pub(crate) fn formatted(value: u64, size: u8, swap: bool) -> u64 {
    let unused = 64 - 8 * u32::from(size);
    if swap { value.swap_bytes() >> unused } else { value << unused >> unused }
}

/// Little-endian store of the low 1 to 8 bytes of `value` at the front of `bytes`, which has at least that many.
#[inline(always)]
pub(crate) fn store(bytes: &mut [u8], size: u8, value: u64) {
    let little = value.to_le_bytes();
    match (size, bytes) {
        (8, [a, b, c, d, e, f, g, h, ..]) => [*a, *b, *c, *d, *e, *f, *g, *h] = little,
        (4, [a, b, c, d, ..]) => [*a, *b, *c, *d] = [little[0], little[1], little[2], little[3]],
        (2, [a, b, ..]) => [*a, *b] = [little[0], little[1]],
        (1, [a, ..]) => *a = little[0],
        (_, bytes) => {
            for (to, from) in bytes.iter_mut().zip(little).take(usize::from(size)) {
                *to = from;
            }
        }
    }
}

/// One context.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub registers: [u64; 16],
    /// The word to run; while a request is out, the word that made it.
    pub pc: Goto,
    pub packet: Packet,
    /// Lines that the refused word misses.
    pub miss: Lines,
    /// The packet's record, and its number since `load`.
    pub id: PacketId,
    pub seq: u64,
    /// First cycle at which no word of the packet is issued any more.
    pub deadline: u64,
    /// Return value, once the packet has ended.
    pub retval: u32,
    pub words: u32,
    pub slots: u32,
    pub fault: Option<Fault>,
    /// Cycle at which the packet ended.
    pub exited: u64,
    pub scratch: Memory<{ SCRATCH as usize + PAD }>,
    pub stack: Memory<{ STACK as usize + PAD }>,
}

impl Context {
    pub(crate) fn new() -> Self {
        Context {
            registers: [0; 16],
            pc: 0,
            packet: Packet::default(),
            miss: 0,
            id: NONE,
            seq: 0,
            deadline: 0,
            retval: 0,
            words: 0,
            slots: 0,
            fault: None,
            exited: 0,
            scratch: Memory::new(),
            stack: Memory::new(),
        }
    }

    /// Takes a packet: registers zero, no line of stack and scratch valid but the metadata.
    pub(crate) fn take(&mut self, id: PacketId, record: &mut Record, entry: Goto, budget: u64, window: u32, far: u32) {
        self.registers = [0; 16];
        self.pc = entry;
        self.packet.take(std::mem::take(&mut record.out.bytes), window, far);
        self.id = id;
        self.seq = record.out.seq;
        self.deadline = record.out.dispatched + budget;
        self.retval = 0;
        self.words = 0;
        self.slots = 0;
        self.fault = None;
        self.stack.valid = 0;
        self.scratch.valid = 0;
        let block = self.scratch.at(0, METADATA);
        put(block, METADATA_INGRESS_IFINDEX, record.ingress_ifindex.to_le_bytes());
        put(block, METADATA_RX_QUEUE_INDEX, record.rx_queue.to_le_bytes());
        put(block, METADATA_EGRESS_IFINDEX, 0u32.to_le_bytes());
        put(block, METADATA_VCPU, u32::from(record.vcpu).to_le_bytes());
        self.note_length();
    }

    /// Gives the packet back with what became of it.
    pub(crate) fn give(&mut self, record: &mut Record) {
        let out = &mut record.out;
        out.bytes = self.packet.give();
        out.retval = self.retval;
        out.exited = self.exited;
        out.words = self.words;
        out.slots = self.slots;
        out.fault = self.fault;
    }

    /// Brings `packet_len` of the metadata up to date.
    pub(crate) fn note_length(&mut self) {
        let length = u64::from(self.packet.len());
        put(self.scratch.at(0, METADATA), METADATA_PACKET_LEN, length.to_le_bytes());
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
    fn loads_and_stores_of_all_sizes_agree_with_bytes() {
        let source: Vec<u8> = (1..=16).collect();
        for size in 1..=8u8 {
            for short in [0usize, 8] {
                let bytes = &source[..usize::from(size) + short];
                let plain = bytes[..usize::from(size)].iter().rev().fold(0u64, |v, &b| v << 8 | u64::from(b));
                let swapped = bytes[..usize::from(size)].iter().fold(0u64, |v, &b| v << 8 | u64::from(b));
                assert_eq!(load(bytes, size, false), plain);
                assert_eq!(load(bytes, size, true), swapped);
                let mut out = vec![0xee; usize::from(size) + short];
                store(&mut out, size, formatted(swapped | !(u64::MAX >> (64 - 8 * size)), size, true));
                assert_eq!(&out[..usize::from(size)], &bytes[..usize::from(size)]);
                assert!(out[usize::from(size)..].iter().all(|&byte| byte == 0xee), "wrote beyond its size");
            }
        }
    }

    #[test]
    fn lines_that_are_not_valid_read_as_zero_and_stores_keep_the_rest_of_the_line_zero() {
        let mut memory = Memory::<{ STACK as usize + PAD }>::new();
        memory.bytes.fill(0xaa);
        assert_eq!(load(memory.at(12, 8), 8, false), 0, "spans two lines");
        store(memory.at(100, 1), 1, 0x55);
        assert_eq!(load(memory.at(96, 8), 8, false), 0x55 << 32);
        assert_eq!(load(memory.at(511, 1), 1, false), 0);
    }
}
