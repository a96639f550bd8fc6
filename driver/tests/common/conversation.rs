//! Answers of a good vfio-user server, byte by byte.
#![allow(dead_code, reason = "each test uses its share")]

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};

/// Bytes of BAR2, which can be mapped; the other regions have 4 KiB.
pub(crate) const BAR2: u64 = 0x4000;

pub(crate) fn memfd(size: u64, flags: libc::c_uint) -> File {
    // SAFETY: a constant C string.
    let raw = unsafe { libc::memfd_create(c"hostile".as_ptr(), libc::MFD_CLOEXEC | flags) };
    assert!(raw >= 0, "memfd_create");
    // SAFETY: a new descriptor.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(raw) });
    file.set_len(size).expect("ftruncate");
    file
}

pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 B"))
}

pub(crate) fn message(id: u16, command: u16, flags: u32, errno: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_le_bytes().to_vec();
    bytes.extend(command.to_le_bytes());
    bytes.extend(words(&[16 + body.len() as u32, flags, errno]));
    bytes.extend(body);
    bytes
}

/// What a region reads as.
pub(crate) fn content(region: u32, offset: u64) -> u8 {
    (offset.wrapping_mul(13) ^ u64::from(region)) as u8
}

/// The body of a good answer.
pub(crate) fn answer(command: u16, body: &[u8]) -> Vec<u8> {
    match command {
        1 => {
            let mut answer = vec![0, 0, 1, 0];
            answer.extend(br#"{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":4096}}"#);
            answer.push(0);
            answer
        }
        4 => words(&[16, 3, 9, 5]),
        5 => {
            let region = word(body, 8);
            let size = if region == 2 { BAR2 } else { 0x1000 };
            let mapped = region == 2;
            let mut answer = words(&[if mapped { 64 } else { 32 }, if mapped { 15 } else { 3 }, region]);
            answer.extend(words(&[if mapped { 32 } else { 0 }]));
            answer.extend(longs(&[size, 0]));
            if mapped {
                answer.extend([1, 0, 1, 0, 0, 0, 0, 0]);
                answer.extend(words(&[1, 0]));
                answer.extend(longs(&[0, BAR2]));
            }
            answer
        }
        7 => words(&[16, 1, word(body, 8), 16]),
        3 => body.to_vec(),
        9 => {
            let (region, count) = (word(body, 8), word(body, 12));
            let offset = u64::from(word(body, 0));
            let mut answer = body.to_vec();
            answer.extend((0..u64::from(count)).map(|at| content(region, offset + at)));
            answer
        }
        10 => body[..16].to_vec(),
        _ => Vec::new(),
    }
}
