//! The encoding: total, loss-free, where the specification says.

use crate::random::{self, Random};
use offwire_isa::{CodeAddr, DecodeError, FIELDS, FieldKind, Src, StoreOp, Target, WORD_BITS, WORD_BYTES, Word};

/// If this fails, compiler and device disagree on what bits mean.
#[test]
fn random_words_survive_encoding() {
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        let bytes = random::bytes(&mut random);
        let word = Word::decode(&bytes).unwrap();
        assert_eq!(word.encode(), bytes, "{word}");
        assert_eq!(word.check(), Ok(()), "{word}");
    }
}

/// If this fails, two different bit patterns are the same word, or a wrong pattern is blamed on a field that is right.
#[test]
fn a_flipped_bit_is_another_word_or_is_refused_by_name() {
    let mut random = Random::new(2);
    let mut refused = 0;
    for _ in 0..500 {
        let bytes = random::bytes(&mut random);
        let word = Word::decode(&bytes).unwrap();
        for bit in 0..WORD_BITS {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            match Word::decode(&flipped) {
                Ok(other) => {
                    assert_ne!(other, word);
                    assert_eq!(other.encode(), flipped);
                }
                Err(error) => {
                    refused += 1;
                    let owner = FIELDS.iter().find(|f| (f.low..f.low + u16::from(f.width)).contains(&(bit as u16)));
                    let named = FIELDS.iter().find(|field| field.name == error.field());
                    match (owner, named) {
                        (None, None) => assert_eq!(error, DecodeError::Spare),
                        // Limits span fields of one unit.
                        (Some(owner), Some(named)) => assert_eq!(owner.unit, named.unit, "bit {bit}: {error}"),
                        _ => panic!("bit {bit}: {error}"),
                    }
                }
            }
        }
    }
    assert!(refused > 1000, "only {refused} refusals: the check looks at nothing");
}

/// If this fails, some bytes make the decoder panic or lose bits.
#[test]
fn random_bytes_are_words_or_refused() {
    let mut random = Random::new(3);
    for _ in 0..50_000 {
        let mut bytes = [0; WORD_BYTES];
        // Few ones, or everything is refused at its first operand.
        for _ in 0..random.below(12) {
            let bit = random.below(WORD_BITS);
            bytes[bit / 8] |= 1 << (bit % 8);
        }
        if let Ok(word) = Word::decode(&bytes) {
            assert_eq!(word.encode(), bytes);
        }
    }
    assert!(Word::decode(&[0xff; WORD_BYTES]).is_err());
}

/// If this fails, the places of fields have moved without a new ISA version. Computed by hand from the order in isa.toml.
#[test]
fn fields_lie_where_the_specification_puts_them() {
    assert_eq!(Word::default().encode(), [0; WORD_BYTES]);
    let mut expected = [0; WORD_BYTES];
    // next: bits 13 to 1; exit with 2 is 0x1002.
    expected[0] = 0x04;
    expected[1] = 0x20;
    assert_eq!(Word { next: Target::Exit(2), ..Word::default() }.encode(), expected);
    let mut expected = [0; WORD_BYTES];
    // ra: bits 287 to 282.
    expected[35] = 0b1111_1100;
    assert_eq!(Word { ra: 63, ..Word::default() }.encode(), expected);
    let mut expected = [0; WORD_BYTES];
    // ld_off: read 18, guard 13, ld_space 2, ld_base 2 lie above it, so bits 252 to 243; -2 is 0x3fe, its bit 1 is bit 244.
    expected[30] = 0xf0;
    expected[31] = 0x1f;
    assert_eq!(Word { ld_off: -2, ..Word::default() }.encode(), expected);
}

/// If this fails, the table of fields and the decoder disagree, or the word has holes.
#[test]
fn the_table_of_fields_fills_the_word() {
    let mut end = WORD_BITS as u16;
    for field in FIELDS {
        assert_eq!(field.low + u16::from(field.width), end, "{}", field.name);
        end = field.low;
        if let FieldKind::Codes(codes) = field.kind {
            for value in 0..1 << field.width {
                let mut bytes = [0; WORD_BYTES];
                random::set(&mut bytes, field, value);
                let legal = codes.contains(&(value as u8));
                let result = Word::decode(&bytes);
                // Atomic adds need a size beside the code.
                if field.name == "st_op" && (2..=3).contains(&value) {
                    assert!(matches!(result, Err(DecodeError::Limit { field: "s0_size", .. })));
                } else {
                    assert_eq!(result.is_ok(), legal, "{} = {value}", field.name);
                }
                if let Err(error) = result.as_ref()
                    && !matches!(error, DecodeError::Limit { .. })
                {
                    assert_eq!(error.field(), field.name);
                }
            }
        }
    }
    assert_eq!(end, 1, "one spare bit");
}

fn refusal(word: Word) -> DecodeError {
    let checked = word.check().expect_err("must be refused");
    let decoded = Word::decode(&word.encode());
    if !matches!(checked, DecodeError::Range { .. } | DecodeError::Target { .. }) {
        assert_eq!(decoded, Err(checked), "check and decode must agree");
    }
    checked
}

/// If this fails, the device would meet a word that has no meaning.
#[test]
fn words_without_meaning_are_refused() {
    let word = Word::default();
    assert_eq!(
        refusal(Word { a1_a: Src::A1, ..word }),
        DecodeError::Source { field: "a1_a", source: Src::A1 },
        "ALU1 cannot see its own result"
    );
    assert!(matches!(refusal(Word { c1_b: Src::A2, ..word }), DecodeError::Source { field: "c1_b", .. }));
    assert!(matches!(refusal(Word { x0_size: 9, ..word }), DecodeError::Limit { field: "x0_size", .. }));
    assert!(matches!(refusal(Word { x1_size: 8, x1_delta: 9, ..word }), DecodeError::Limit { field: "x1_size", .. }));
    assert!(matches!(refusal(Word { s1_size: 2, s1_delta: 15, ..word }), DecodeError::Limit { field: "s1_size", .. }));
    let add = Word { st_op: StoreOp::Add32, s0_size: 4, ..word };
    assert_eq!(add.check(), Ok(()));
    assert!(matches!(refusal(Word { s0_size: 8, ..add }), DecodeError::Limit { field: "s0_size", .. }));
    assert!(matches!(refusal(Word { s0_swap: true, ..add }), DecodeError::Limit { field: "s0_swap", .. }));
    assert!(matches!(refusal(Word { s1_size: 1, ..add }), DecodeError::Limit { field: "s1_size", .. }));
    let add = Word { st_op: StoreOp::Add64, s0_size: 8, ..word };
    assert_eq!(add.check(), Ok(()));
    assert!(matches!(refusal(Word { s0_size: 4, ..add }), DecodeError::Limit { field: "s0_size", .. }));
    assert!(matches!(refusal(Word { next: Target::Exit(5), ..word }), DecodeError::Target { field: "next", .. }));
    assert!(matches!(
        refusal(Word { t1: Target::Goto(CodeAddr(4096)), ..word }),
        DecodeError::Target { field: "t1", .. }
    ));
    assert!(matches!(refusal(Word { ra: 64, ..word }), DecodeError::Range { field: "ra", value: 64 }));
    assert!(matches!(refusal(Word { ld_off: 512, ..word }), DecodeError::Range { field: "ld_off", value: 512 }));
    assert!(matches!(refusal(Word { q_koff: -513, ..word }), DecodeError::Range { field: "q_koff", .. }));
    // Bits 11 to 3 of an exit.
    for stray in [0x1008, 0x1800, 0x1005, 0x1007] {
        let mut bytes = [0; WORD_BYTES];
        let next = FIELDS.iter().find(|field| field.name == "next").unwrap();
        random::set(&mut bytes, next, stray);
        assert_eq!(Word::decode(&bytes), Err(DecodeError::Target { field: "next", value: stray as u16 }));
    }
}
