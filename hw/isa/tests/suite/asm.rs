//! The text form.

use crate::random::{self, Random};
use offwire_isa::{AsmError, DecodeError, Word};

fn parse(text: &str) -> Result<Word, AsmError> {
    text.parse()
}

/// If this fails, a dump does not show the whole word, or cannot be fed back.
#[test]
fn random_words_survive_text() {
    let mut random = Random::new(4);
    for _ in 0..20_000 {
        let word = random::word(&mut random);
        let text = word.to_string();
        assert_eq!(parse(&text), Ok(word), "{text}");
        assert!(!text.contains('\n'));
    }
}

/// If this fails, the text form has changed: docs and stored dumps no longer hold.
#[test]
fn text_is_canonical() {
    for text in [
        "next=@0",
        "next=pass",
        "guard 0+34; ld pkt[0+12] x0=2@0 x1=1@11; c1=ne.64 x0,i0; i0=8; t1=pass; t2=@7; next=@1",
        "ra=r7; rb=-1; guard ra+34; t2=drop; next=@3",
        "ra=r1; rc=31; ld.dismiss stack[ra-8] x0=8@0.swap; a1=add.64 x0,rc; a2=mov.32 a1; c2=lts.32 a1,iw; \
         st map[ra+4] s0=a2:8@0.swap s1=0:4@8 kill1 kill2; r4=a1; r1=x0; iw=0x12345678; t2=@4095; next=tx",
        "st.add64 map[0+0] s0=i0:8@0; i0=1; next=aborted",
        "q.lookup map=3 key=stack[0+504] dst=r4 null; t2=pass; next=@9",
        "i0=16; q.update.any map=0 key=stack[0+8] val=stack:i0 dst=r0; next=redirect",
        "ra=r0; q.exit val=ra; next=@0",
        "i0=-14; q.adjust_head val=i0 dst=r2; next=@1",
    ] {
        let word = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(word.to_string(), text);
    }
    assert_eq!(parse(""), Ok(Word::default()));
    assert_eq!(
        parse("  i0=0x10 i1=-1 ;; next=drop // comment; next=pass").unwrap().to_string(),
        "i0=16; i1=-1; next=drop"
    );
}

/// If this fails, wrong text is taken for a word, or the user is not told where it is wrong.
#[test]
fn wrong_text_is_refused_at_its_place() {
    for (text, at, message) in [
        ("next=pas", 5, "no target"),
        ("t1=@1; t1=@2", 7, "twice"),
        ("r2=a1; r4=a1", 7, "second write"),
        ("r16=a1", 0, "no register"),
        ("ra=40", 3, "-16 to 31"),
        ("a1=add x0,x1", 3, "OP.32"),
        ("a1=eq.64 x0,x1", 3, "no ALU operation"),
        ("c1=add.64 x0,x1", 3, "no comparison"),
        ("a1=add.64 x0,zz", 13, "no operand"),
        ("ld pkt[0+40000]", 8, "does not fit"),
        ("ld pkt(0)", 3, "expected"),
        ("ld", 0, "address is missing"),
        ("iw=1 i0=2", 5, "twice"),
        ("i0=2 iw=1", 5, "both"),
        ("iw=0x1ffffffff", 3, "32 bits"),
        ("i0=--1", 3, "no number"),
        ("i0=0x-1", 3, "no number"),
        ("st.mul32 pkt[0+0]", 3, "no store operation"),
        ("q.frob", 0, "no request"),
        ("guard.on 0+3", 6, "only"),
        ("bogus", 0, "no unit"),
        ("st pkt[0+0] s0=a1:é@0", 18, "no number"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
    let error = parse("a1=add.64 a1,0").unwrap_err();
    assert!(matches!(error.cause, Some(DecodeError::Source { field: "a1_a", .. })), "{error}");
    let error = parse("ld pkt[0+600] x0=1@0").unwrap_err();
    assert!(matches!(error.cause, Some(DecodeError::Range { field: "ld_off", .. })), "{error}");
}

/// If this fails, text from outside can make the assembler panic.
#[test]
fn mutated_text_does_not_panic() {
    let mut random = Random::new(5);
    for _ in 0..5_000 {
        let mut text = random::word(&mut random).to_string().into_bytes();
        for _ in 0..=random.below(4) {
            let at = random.below(text.len());
            match random.below(3) {
                0 => text[at] = random.next() as u8,
                1 => drop(text.remove(at)),
                _ => text.insert(at, b"=.;,@[]-+0x "[random.below(12)]),
            }
            if text.is_empty() {
                break;
            }
        }
        if let Ok(word) = parse(&String::from_utf8_lossy(&text)) {
            assert_eq!(parse(&word.to_string()), Ok(word));
        }
    }
}

/// If this fails, the book shows words that the assembler does not read, or not as the disassembler writes them.
#[test]
fn the_book_shows_real_words() {
    let mut count = 0;
    for block in include_str!("../../../../docs/isa.md").split("```asm\n").skip(1) {
        for line in block.lines().take_while(|line| *line != "```") {
            let word = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(word.to_string(), line);
            count += 1;
        }
    }
    assert!(count >= 4, "only {count} examples");
}
