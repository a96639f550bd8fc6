//! Copies and words of memory that somebody else writes at the same time.
//!
//! Everything is an atomic access through a raw pointer: 8 B where the memory is aligned, bytes at the edges, 4 B for words.
//! That a bulk copy may meet a word of another size is outside Rust's memory model; the rings never let it happen (a phase word
//! is read with Acquire before the rest of its descriptor is copied), so only a broken or hostile peer causes it, and then the
//! copy is torn, which [`offwire_hostif::HostMemory`] allows. The compiler neither repeats nor invents an atomic access.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Bytes of the wide access.
const WIDE: usize = 8;
/// Bytes of one turn of the unrolled loop.
const TURN: usize = 4 * WIDE;

/// Bytes from `address` to the next one that is aligned for the wide access, at most `most`.
fn edge(address: usize, most: usize) -> usize {
    (address.wrapping_neg() % WIDE).min(most)
}

/// Copies bytes out of shared memory.
///
/// # Safety
/// `to.len()` bytes from `from` on are mapped, readable, and not covered by a reference.
pub(crate) unsafe fn read(from: *mut u8, to: &mut [u8]) {
    let (head, body) = to.split_at_mut(edge(from as usize, to.len()));
    // SAFETY: the head lies in the mapped bytes.
    unsafe { read_bytes(from, head) };
    let mut turns = body.chunks_exact_mut(TURN);
    let mut at = head.len();
    for turn in turns.by_ref() {
        for (lane, out) in turn.chunks_exact_mut(WIDE).enumerate() {
            // SAFETY: inside the mapped bytes, and aligned because the head ended on a multiple of 8.
            out.copy_from_slice(&unsafe { read_wide(from, at + lane * WIDE) });
        }
        at += TURN;
    }
    let mut rest = turns.into_remainder().chunks_exact_mut(WIDE);
    for out in rest.by_ref() {
        // SAFETY: as above.
        out.copy_from_slice(&unsafe { read_wide(from, at) });
        at += WIDE;
    }
    // SAFETY: the tail lies in the mapped bytes.
    unsafe { read_bytes(from.add(at), rest.into_remainder()) };
}

/// Copies bytes into shared memory.
///
/// # Safety
/// `from.len()` bytes from `to` on are mapped, writable, and not covered by a reference.
pub(crate) unsafe fn write(to: *mut u8, from: &[u8]) {
    let (head, body) = from.split_at(edge(to as usize, from.len()));
    // SAFETY: the head lies in the mapped bytes.
    unsafe { write_bytes(to, head) };
    let mut turns = body.chunks_exact(TURN);
    let mut at = head.len();
    for turn in turns.by_ref() {
        for (lane, bytes) in turn.chunks_exact(WIDE).enumerate() {
            // SAFETY: inside the mapped bytes, and aligned because the head ended on a multiple of 8.
            unsafe { write_wide(to, at + lane * WIDE, bytes) };
        }
        at += TURN;
    }
    let mut rest = turns.remainder().chunks_exact(WIDE);
    for bytes in rest.by_ref() {
        // SAFETY: as above.
        unsafe { write_wide(to, at, bytes) };
        at += WIDE;
    }
    // SAFETY: the tail lies in the mapped bytes.
    unsafe { write_bytes(to.add(at), rest.remainder()) };
}

/// # Safety
/// 8 B at `base + at` are mapped, readable and aligned.
unsafe fn read_wide(base: *mut u8, at: usize) -> [u8; WIDE] {
    // SAFETY: mapped and aligned, and an atomic may be written by others while the reference lives.
    unsafe { AtomicU64::from_ptr(base.add(at).cast()) }.load(Ordering::Relaxed).to_ne_bytes()
}

/// # Safety
/// 8 B at `base + at` are mapped, writable and aligned.
unsafe fn write_wide(base: *mut u8, at: usize, bytes: &[u8]) {
    let mut word = [0; WIDE];
    word.copy_from_slice(bytes);
    // SAFETY: mapped and aligned, and an atomic may be written by others while the reference lives.
    unsafe { AtomicU64::from_ptr(base.add(at).cast()) }.store(u64::from_ne_bytes(word), Ordering::Relaxed);
}

/// # Safety
/// As [`read`].
unsafe fn read_bytes(from: *mut u8, to: &mut [u8]) {
    for (at, byte) in to.iter_mut().enumerate() {
        // SAFETY: inside the mapped bytes.
        *byte = unsafe { AtomicU8::from_ptr(from.add(at)) }.load(Ordering::Relaxed);
    }
}

/// # Safety
/// As [`write`].
unsafe fn write_bytes(to: *mut u8, from: &[u8]) {
    for (at, &byte) in from.iter().enumerate() {
        // SAFETY: inside the mapped bytes.
        unsafe { AtomicU8::from_ptr(to.add(at)) }.store(byte, Ordering::Relaxed);
    }
}

/// Reads a little-endian word with Acquire.
///
/// # Safety
/// 4 B at `at` are mapped, readable and aligned.
pub(crate) unsafe fn load_acquire(at: *mut u8) -> u32 {
    // SAFETY: mapped and aligned, and an atomic may be written by others while the reference lives.
    u32::from_le(unsafe { AtomicU32::from_ptr(at.cast()) }.load(Ordering::Acquire))
}

/// Writes a little-endian word with Release.
///
/// # Safety
/// 4 B at `at` are mapped, writable and aligned.
pub(crate) unsafe fn store_release(at: *mut u8, value: u32) {
    // SAFETY: mapped and aligned, and an atomic may be written by others while the reference lives.
    unsafe { AtomicU32::from_ptr(at.cast()) }.store(value.to_le(), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_accesses_are_aligned() {
        for address in 0..40 {
            for most in 0..40 {
                let head = edge(address, most);
                assert!(head < WIDE && head <= most, "{head} B of {most} at {address}");
                assert!(head == most || (address + head).is_multiple_of(WIDE), "{head} B of {most} at {address}");
            }
        }
        assert_eq!(edge(usize::MAX, 9), 1);
    }
}
