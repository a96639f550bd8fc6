//! A ring buffer: which of its bytes are taken (kernel/bpf/ringbuf.c).
//!
//! A record takes 8 B for its header and its bytes, rounded up to 8 B, where the last one ended. The host reads the records of a
//! packet when the packet has departed, discarded ones too, and gives the memory back in the order of the records.

use std::collections::VecDeque;

/// `BPF_RINGBUF_HDR_SZ`.
const HEADER: u64 = 8;

/// A record that the host has not yet read.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Producer position behind it.
    end: u64,
    seq: u64,
    read: bool,
}

/// A ring buffer.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// Bytes, a power of two.
    size: u64,
    produced: u64,
    consumed: u64,
    records: VecDeque<Record>,
}

impl Ring {
    pub(crate) fn new(size: u32) -> Self {
        Ring { size: size.into(), produced: 0, consumed: 0, records: VecDeque::new() }
    }

    /// Takes room for a record of `len` bytes of packet `seq`; `None` if there is none (`__bpf_ringbuf_reserve`). The element of a
    /// record is the position of its header, in steps of 8 B.
    pub(crate) fn reserve(&mut self, len: u64, seq: u64) -> Option<u32> {
        let room = len.checked_add(HEADER)?.checked_next_multiple_of(8)?;
        // Position and consumer must differ by less than the size.
        if room > self.size || self.produced - self.consumed + room >= self.size {
            return None;
        }
        let element = (self.produced & (self.size - 1)) / 8;
        self.produced += room;
        self.records.push_back(Record { end: self.produced, seq, read: false });
        Some(element as u32)
    }

    /// Bytes of all records so far: where the last one ends.
    pub(crate) fn produced(&self) -> u64 {
        self.produced
    }

    /// The host has read the records of packet `seq`; false if there are none.
    pub(crate) fn read(&mut self, seq: u64) -> bool {
        let mut any = false;
        for record in self.records.iter_mut().filter(|record| record.seq == seq) {
            record.read = true;
            any = true;
        }
        while let Some(first) = self.records.front().filter(|first| first.read) {
            self.consumed = first.end;
            self.records.pop_front();
        }
        any
    }

    /// `bpf_ringbuf_query`.
    pub(crate) fn query(&self, flags: u64) -> u64 {
        match flags {
            0 => self.produced - self.consumed,
            1 => self.size,
            2 => self.consumed,
            3 => self.produced,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_the_kernel_gives() {
        let mut ring = Ring::new(4096);
        assert_eq!(ring.reserve(4096, 0), None);
        assert_eq!(ring.reserve(u64::MAX, 0), None);
        assert_eq!(ring.reserve(4088, 0), None, "all of it is one byte too many");
        assert_eq!(ring.reserve(4080, 0), Some(0));
        assert_eq!(ring.reserve(0, 0), None);
        assert_eq!([0, 1, 2, 3, 4].map(|what| ring.query(what)), [4088, 4096, 0, 4088, 0]);
        ring.read(0);
        assert_eq!(ring.reserve(1, 1), Some(511), "from the last 8 B on, and around");
        assert_eq!(ring.reserve(1, 2), Some(1));
        ring.read(2);
        assert_eq!(ring.query(0), 32, "what comes behind an unread record stays taken");
        ring.read(1);
        assert_eq!(ring.query(0), 0);
    }
}
