//! A packet in a context: its bytes, where its front is, and which of its lines the context holds.
//!
//! The bytes lie once, in the vector that came with the arrival. What the hardware copies between packet store and context is
//! kept as sets of 64 B lines, one bit a line of the 4 KiB packet buffer; they decide timing, never contents.

use crate::geometry::{HARD_END, HEADROOM, LINE, META_MAX, MIN_PACKET, RESERVED_HEADROOM};

/// Errors of the packet's helpers (include/uapi/asm-generic/errno-base.h).
pub(crate) mod errno {
    pub(crate) const ACCES: i32 = -13;
    pub(crate) const FAULT: i32 = -14;
    pub(crate) const INVAL: i32 = -22;
}

/// Far lines that a context can be built with.
pub(crate) const FAR_LINES_MAX: usize = 16;

/// A set of lines of the packet buffer; bit n is bytes 64 n to 64 n + 63, line 4 is where a packet starts at dispatch.
pub(crate) type Lines = u64;

/// A packet that a context holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packet {
    /// The packet from `front` on; what is before it was packet or is headroom.
    bytes: Vec<u8>,
    /// Index in `bytes` of the packet's first byte.
    front: u32,
    /// Bytes of metadata before it.
    meta: u32,
    /// Position in the packet buffer of `bytes[0]`: 256, or 0 once headroom was exposed.
    origin: u32,
    /// All of the packet from 0 to before this address is held: the bytes that came in at dispatch, until the window moves.
    held: u32,
    /// Lines that the context holds, in its window or its far lines.
    present: Lines,
    /// Lines that the context holds and has changed.
    dirty: Lines,
    /// Lines whose contents are in the packet store; a headroom line outside it reads as zero.
    stored: Lines,
    /// Lines held outside the window, oldest at `far_next`; `NO_LINE` if free.
    far: [u8; FAR_LINES_MAX],
    far_next: u8,
    far_lines: u8,
    window_lines: u8,
}

const NO_LINE: u8 = 0xff;

/// The lines that `size` > 0 bytes at `position` touch.
#[inline(always)]
fn lines(position: u32, size: u32) -> Lines {
    let first = position / LINE;
    let last = (position + size - 1) / LINE;
    // Positions end at 3,776, so both are below 64.
    (u64::MAX >> (63 - (last & 63))) & (u64::MAX << (first & 63))
}

impl Packet {
    /// Takes a packet as it is after dispatch: the lines of its first `window` bytes are in the context's window.
    pub(crate) fn take(&mut self, bytes: Vec<u8>, window: u32, far_lines: u32) {
        let len = bytes.len() as u32;
        self.bytes = bytes;
        self.front = 0;
        self.meta = 0;
        self.origin = HEADROOM;
        self.held = len.min(window);
        self.present = lines(HEADROOM, len.min(window));
        self.dirty = 0;
        self.stored = lines(HEADROOM, len);
        if self.far_next != 0 || self.far[0] != NO_LINE {
            self.far = [NO_LINE; FAR_LINES_MAX];
            self.far_next = 0;
        }
        self.far_lines = far_lines as u8;
        self.window_lines = (window / LINE) as u8;
    }

    /// Length now, bytes.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.bytes.len() as u32 - self.front
    }

    /// Length of the metadata now, bytes.
    #[inline(always)]
    pub(crate) fn meta_len(&self) -> u32 {
        self.meta
    }

    /// The address if `size` bytes there are in bounds; metadata has negative addresses, which wrap.
    #[inline(always)]
    pub(crate) fn inside(&self, address: u64, size: u32) -> Option<u32> {
        let (from, limit) = (address.wrapping_add(self.meta.into()), self.meta + self.len());
        if from <= u64::from(limit) && size <= limit - from as u32 { Some(address as u32) } else { None }
    }

    /// The packet's bytes from `address` on.
    #[inline(always)]
    pub(crate) fn at(&self, address: u32) -> &[u8] {
        &self.bytes[self.front.wrapping_add(address) as usize..]
    }

    /// The same, of which `size` > 0 will be written.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, address: u32, size: u32) -> &mut [u8] {
        let from = self.front.wrapping_add(address);
        let position = self.origin + from;
        self.dirty |= 1 << ((position / LINE) & 63) | 1 << (((position + size - 1) / LINE) & 63);
        &mut self.bytes[from as usize..]
    }

    /// The lines of an access of `size` > 0 bytes at packet address `address`, which is in bounds.
    #[inline(always)]
    pub(crate) fn lines_of(&self, address: u32, size: u32) -> Lines {
        lines(self.origin + self.front.wrapping_add(address), size)
    }

    /// True if `size` bytes at `address` are in bounds and held, as far as can be told without looking at lines.
    #[inline(always)]
    pub(crate) fn holds(&self, address: u64, size: u32) -> bool {
        self.held >= size && address <= u64::from(self.held - size)
    }

    /// Those of `wanted` that the context does not hold.
    #[inline(always)]
    pub(crate) fn missing(&self, wanted: Lines) -> Lines {
        wanted & !self.present
    }

    /// First line of the window: that of the metadata, if there is some.
    fn window_start(&self) -> u32 {
        (self.origin + self.front - self.meta) / LINE
    }

    fn window(&self) -> Lines {
        let start = self.window_start();
        let count = u32::from(self.window_lines).min(64 - start);
        if count == 0 { 0 } else { (u64::MAX >> (64 - count)) << start }
    }

    /// Brings in the lines of `wanted`: those of the window to their place, the others to the oldest far lines. Returns the
    /// number of changed lines that had to leave.
    pub(crate) fn fetch(&mut self, wanted: Lines) -> u32 {
        let window = self.window();
        let mut written = 0;
        let mut rest = self.missing(wanted);
        while rest != 0 {
            let line = rest.trailing_zeros();
            rest &= rest - 1;
            let bit = 1u64 << line;
            if window & bit == 0 {
                let place = &mut self.far[self.far_next as usize % FAR_LINES_MAX];
                let old = std::mem::replace(place, line as u8);
                self.far_next = if self.far_next + 1 >= self.far_lines { 0 } else { self.far_next + 1 };
                if old != NO_LINE {
                    written += self.leave(1u64 << (old & 63));
                }
            }
            self.present |= bit;
        }
        written
    }

    /// Lines leave the context. Returns how many of them were changed and go back to the packet store.
    fn leave(&mut self, leaving: Lines) -> u32 {
        let leaving = leaving & self.present;
        let changed = leaving & self.dirty;
        self.present &= !leaving;
        self.dirty &= !leaving;
        self.stored |= changed;
        changed.count_ones()
    }

    /// Takes headroom into `bytes`. It reads as zero: its valid bits are off.
    fn expose(&mut self) {
        if self.origin > 0 {
            self.bytes.splice(0..0, std::iter::repeat_n(0, HEADROOM as usize));
            self.origin = 0;
            self.front += HEADROOM;
        }
    }

    /// Packet and metadata start elsewhere, so the window moves. Returns the number of changed lines that left it.
    fn reframe(&mut self, front: u32, meta: u32) -> u32 {
        let old = self.window();
        self.front = front;
        self.meta = meta;
        self.held = 0;
        let new = self.window();
        // A far line that the window now covers keeps its far place; it is held all the same.
        let far = self.far_set();
        let written = self.leave(old & !new & !far);
        // Headroom that was never in the packet store needs no fetch.
        self.present |= new & !old & !self.stored;
        written
    }

    /// Something was written to lines of the packet other than by the store unit: those that the context holds are changed, the
    /// others go to the packet store. Returns the number of those.
    fn wrote(&mut self, lines: Lines) -> u32 {
        let beyond = lines & !self.present;
        self.dirty |= lines & self.present;
        self.stored |= beyond;
        beyond.count_ones()
    }

    /// `bpf_xdp_adjust_head`: moves the front by `delta` bytes, and the metadata with it. Returns the number of changed lines that
    /// left the context, or `None` (and changes nothing) if the metadata would lie in the reserved headroom or the packet would
    /// be shorter than an Ethernet header.
    pub(crate) fn adjust_head(&mut self, delta: i32) -> Option<u32> {
        let position = i64::from(self.origin) + i64::from(self.front) + i64::from(delta);
        let end = i64::from(self.origin) + self.bytes.len() as i64;
        let first = position - i64::from(self.meta);
        if first < i64::from(RESERVED_HEADROOM) || position > end - i64::from(MIN_PACKET) {
            return None;
        }
        if first < i64::from(self.origin) {
            self.expose();
        }
        let (old, meta) = (self.front, self.meta);
        let mut written = self.reframe(position as u32 - self.origin, meta);
        if meta > 0 && delta != 0 {
            self.bytes.copy_within((old - meta) as usize..old as usize, (self.front - meta) as usize);
            written += self.wrote(lines(self.origin + self.front - meta, meta));
        }
        Some(written)
    }

    /// `bpf_xdp_adjust_meta`: moves the front of the metadata by `delta` bytes. Returns the number of changed lines that left the
    /// context, or `-EINVAL` if it would lie in the reserved headroom or behind the packet's front, `-EACCES` if its length would
    /// be no multiple of 4 or more than 255 (`xdp_metalen_invalid` of include/net/xdp.h).
    pub(crate) fn adjust_meta(&mut self, delta: i32) -> Result<u32, i32> {
        let position = i64::from(self.origin) + i64::from(self.front);
        let first = position - i64::from(self.meta) + i64::from(delta);
        if first < i64::from(RESERVED_HEADROOM) || first > position {
            return Err(errno::INVAL);
        }
        let meta = (position - first) as u32;
        if !meta.is_multiple_of(4) || meta > META_MAX {
            return Err(errno::ACCES);
        }
        if first < i64::from(self.origin) {
            self.expose();
        }
        Ok(self.reframe(self.front, meta))
    }

    /// `bpf_xdp_adjust_tail` of a linear packet: moves the end by `delta` bytes; new ones are zero. Returns the number of changed
    /// lines that went to the packet store, or `None` (and changes nothing) if the end would lie behind the buffer's or the packet
    /// would be shorter than an Ethernet header.
    pub(crate) fn adjust_tail(&mut self, delta: i32) -> Option<u32> {
        let end = self.origin + self.bytes.len() as u32;
        let moved = i64::from(end) + i64::from(delta);
        if moved > i64::from(HARD_END) || moved < i64::from(self.origin + self.front + MIN_PACKET) {
            return None;
        }
        self.bytes.resize((moved - i64::from(self.origin)) as usize, 0);
        self.held = self.held.min(self.len());
        if delta <= 0 {
            return Some(0);
        }
        let grown = lines(end, delta as u32);
        // Lines that the packet store never held need no fetch.
        self.present |= grown & self.window() & !self.stored;
        Some(self.wrote(grown))
    }

    /// Writes `from` at `address`, which is in bounds. Returns the number of lines that went to the packet store.
    pub(crate) fn copy_in(&mut self, address: u32, from: &[u8]) -> u32 {
        if from.is_empty() {
            return 0;
        }
        let lines = self.lines_of(address, from.len() as u32);
        let start = self.front.wrapping_add(address) as usize;
        self.bytes[start..start + from.len()].copy_from_slice(from);
        self.wrote(lines)
    }

    fn far_set(&self) -> Lines {
        self.far.iter().filter(|&&line| line != NO_LINE).fold(0, |set, &line| set | 1u64 << (line & 63))
    }

    /// Changed lines of packet and metadata as they are now: what goes out when the packet ends and is not dropped.
    pub(crate) fn changed_lines(&self) -> u32 {
        (self.dirty & lines(self.origin + self.front - self.meta, self.meta + self.len())).count_ones()
    }

    /// Gives the packet's bytes and its metadata; the vector is the one that came in, so nothing is allocated for the packet.
    pub(crate) fn give(&mut self) -> (Vec<u8>, Vec<u8>) {
        let meta = self.bytes[(self.front - self.meta) as usize..self.front as usize].to_vec();
        if self.front > 0 {
            self.bytes.drain(..self.front as usize);
        }
        (std::mem::take(&mut self.bytes), meta)
    }
}
