//! Descriptors in Rust.

use offwire_hostif::desc::{Command, Completion, Event, MapCreate, Receive, Transmit};
use offwire_hostif::{DESCRIPTOR_BYTES, Opcode, Status};

/// If this fails, a field is written to another place than it is read from, or two share a byte.
#[test]
fn what_is_encoded_is_decoded_from_its_own_bytes() {
    macro_rules! check {
        ($($ty:ident),*) => {$({
            let bytes: [u8; $ty::BYTES] = std::array::from_fn(|at| (at as u8).wrapping_mul(37).wrapping_add(1));
            assert_eq!($ty::decode(&bytes).encode(), bytes, stringify!($ty));
            let mut end = 0;
            for (name, offset, size) in $ty::FIELDS {
                assert_eq!(offset, end, "{}.{name}", stringify!($ty));
                end = offset + size;
            }
            assert_eq!(end as usize, $ty::BYTES, stringify!($ty));
        })*};
    }
    check!(Command, Completion, Event, Receive, Transmit, MapCreate);
}

/// If this fails, a ring does not know where the next descriptor is, or who wrote it.
#[test]
fn descriptors_end_with_their_phase() {
    macro_rules! check {
        ($($ty:ident),*) => {$({
            assert_eq!($ty::BYTES, DESCRIPTOR_BYTES as usize);
            let last = $ty { phase: 0x8000_0001, ..$ty::default() }.encode();
            assert_eq!(last[60..], [1, 0, 0, 0x80]);
        })*};
    }
    check!(Command, Completion, Event, Receive, Transmit);
}

/// If this fails, a number that nobody has given a meaning has one.
#[test]
fn codes_are_read_back() {
    for code in 0..=u16::MAX {
        let opcode = Opcode::from_code(code);
        assert_eq!(opcode.is_some(), Opcode::ALL.iter().any(|opcode| opcode.code() == code));
        assert!(opcode.is_none_or(|opcode| opcode.code() == code && !opcode.doc().is_empty()));
        assert!(Status::from_code(code).is_none_or(|status| status.code() == code));
    }
}
