//! Seeded random words.

use offwire_isa::{FIELDS, Field, FieldKind, WORD_BYTES, Word};

/// xorshift64* (Vigna 2016).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `bound - 1`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    /// A 64-bit number with a taste for edges: small, negative, powers of two and their neighbours.
    pub(crate) fn operand(&mut self) -> u64 {
        let value = self.next();
        match self.below(6) {
            0 => value & 0xff,
            1 => (1u64 << (value & 63)).wrapping_sub(value >> 62),
            2 => (value & 0x7f).wrapping_neg(),
            3 => value & 0xffff_ffff,
            4 => value | 0xffff_ffff_0000_0000,
            _ => value,
        }
    }
}

pub(crate) fn get(bytes: &[u8; WORD_BYTES], field: &Field) -> u64 {
    (0..usize::from(field.width))
        .map(|bit| {
            let at = usize::from(field.low) + bit;
            u64::from(bytes[at / 8] >> (at % 8) & 1) << bit
        })
        .sum()
}

pub(crate) fn set(bytes: &mut [u8; WORD_BYTES], field: &Field, value: u64) {
    for bit in 0..usize::from(field.width) {
        let at = usize::from(field.low) + bit;
        bytes[at / 8] = bytes[at / 8] & !(1 << (at % 8)) | ((value >> bit & 1) as u8) << (at % 8);
    }
}

/// The bytes of a legal word: each field is drawn on its own, then the limits are met by force.
pub(crate) fn bytes(random: &mut Random) -> [u8; WORD_BYTES] {
    let mut bytes = [0; WORD_BYTES];
    let idle = random.below(4);
    for field in FIELDS {
        if random.below(4) < idle {
            continue;
        }
        let value = match field.kind {
            FieldKind::Codes(codes) => u64::from(codes[random.below(codes.len())]),
            FieldKind::Target if random.below(3) == 0 => 1 << 12 | random.below(5) as u64,
            FieldKind::Target => random.next() & 0xfff,
            _ => random.next(),
        };
        set(&mut bytes, field, value);
    }
    for part in ["x0", "x1", "s0", "s1"] {
        let find = |name: &str| FIELDS.iter().find(|field| field.name == format!("{part}_{name}")).unwrap();
        let size = get(&bytes, find("size")) % 9;
        set(&mut bytes, find("size"), size);
        let delta = get(&bytes, find("delta")).min(16 - size);
        set(&mut bytes, find("delta"), delta);
    }
    let field = |name: &str| FIELDS.iter().find(|field| field.name == name).unwrap();
    if let add @ 2..=3 = get(&bytes, field("st_op")) {
        set(&mut bytes, field("s0_size"), add * 4 - 4);
        set(&mut bytes, field("s0_swap"), 0);
        set(&mut bytes, field("s1_size"), 0);
        let delta = get(&bytes, field("s0_delta")).min(8);
        set(&mut bytes, field("s0_delta"), delta);
    }
    bytes
}

pub(crate) fn word(random: &mut Random) -> Word {
    Word::decode(&bytes(random)).expect("a legal word")
}
