//! Words of the textual IR for the device's enumerations; the same as the assembler's.

use offwire_isa::{AluOp, CmpOp, Space};

/// All ALU operations with their words.
pub(super) const ALU: [(AluOp, &str); 19] = [
    (AluOp::Mov, "mov"),
    (AluOp::Add, "add"),
    (AluOp::Sub, "sub"),
    (AluOp::And, "and"),
    (AluOp::Or, "or"),
    (AluOp::Xor, "xor"),
    (AluOp::Lsh, "lsh"),
    (AluOp::Rsh, "rsh"),
    (AluOp::Arsh, "arsh"),
    (AluOp::Mul, "mul"),
    (AluOp::Bswap16, "bswap16"),
    (AluOp::Bswap32, "bswap32"),
    (AluOp::Bswap64, "bswap64"),
    (AluOp::Sext8, "sext8"),
    (AluOp::Sext16, "sext16"),
    (AluOp::Sext32, "sext32"),
    (AluOp::Zext8, "zext8"),
    (AluOp::Zext16, "zext16"),
    (AluOp::Pack, "pack"),
];

/// All conditions with their words.
pub(super) const CMP: [(CmpOp, &str); 9] = [
    (CmpOp::Never, "never"),
    (CmpOp::Eq, "eq"),
    (CmpOp::Ne, "ne"),
    (CmpOp::Ltu, "ltu"),
    (CmpOp::Geu, "geu"),
    (CmpOp::Lts, "lts"),
    (CmpOp::Ges, "ges"),
    (CmpOp::Tst, "tst"),
    (CmpOp::Ntst, "ntst"),
];

/// The spaces without map number.
pub(super) const SPACE: [(Space, &str); 4] =
    [(Space::Packet, "pkt"), (Space::Stack, "stack"), (Space::Scratch, "scr"), (Space::MapValue, "map")];

/// Flags of an update, by number.
pub(super) const UPDATE: [&str; 3] = ["any", "noexist", "exist"];

/// The word for `key` in one of the tables above.
pub(super) fn word<T: PartialEq>(table: &[(T, &'static str)], key: &T) -> &'static str {
    table.iter().find(|(k, _)| k == key).map_or("?", |(_, word)| word)
}

/// The entry with this word.
pub(super) fn find<T: Copy>(table: &[(T, &'static str)], word: &str) -> Option<T> {
    table.iter().find(|(_, w)| *w == word).map(|(k, _)| *k)
}
