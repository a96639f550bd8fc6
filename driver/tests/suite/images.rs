//! Small programs in the assembler's language.

use offwire_image::{Dispatch, DispatchMode, Image, MapKind, MapSpec};
use offwire_isa::{CodeAddr, ISA_VERSION, SMALL, Word};

/// An image for profile `small`.
pub(crate) fn image(name: &str, words: &[&str], maps: &[MapSpec]) -> Image {
    Image {
        isa_version: ISA_VERSION,
        profile: SMALL.name.to_owned(),
        profile_hash: SMALL.hash,
        name: name.to_owned(),
        words: words.iter().map(|word| word.parse::<Word>().expect("a word").encode()).collect(),
        entry: CodeAddr(0),
        maps: maps.to_vec(),
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: Dispatch { mode: DispatchMode::Any, reason: String::new() },
        budget_cycles: 10_000,
        word_insns: Vec::new(),
    }
}

pub(crate) fn map(name: &str, kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
    MapSpec {
        name: name.to_owned(),
        kind,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    }
}

/// Writes a byte to the front of each packet and ends it.
pub(crate) fn mark(byte: u8, end: &str) -> Image {
    image(&format!("mark_{byte}"), &[&format!("i0={byte}; st pkt[0+0] s0=i0:1@0; next={end}")], &[])
}

/// Counts packets in element 0 of an array, and passes them.
pub(crate) fn count() -> Image {
    let words = [
        "q.lookup map=0 key=stack[0+504] dst=r1 null; t2=drop; next=@1",
        "ra=r1; rb=1; st.add64 map[ra+0] s0=rb:8@0; next=pass",
    ];
    image("count", &words, &[map("packets", MapKind::Array, 4, 8, 1)])
}

/// Submits the first 8 B of each packet to a ring buffer, and drops it.
pub(crate) fn tell() -> Image {
    let words = ["i0=8; rc=0; q.ring.output map=0 key=pkt[0+0] val=i0 dst=r2; next=drop"];
    image("tell", &words, &[map("records", MapKind::Ringbuf, 0, 0, 4096)])
}

/// Runs `words` words that do nothing, and passes the packet.
pub(crate) fn long(words: usize) -> Image {
    let mut lines: Vec<String> = (1..words).map(|next| format!("next=@{next}")).collect();
    lines.push("next=pass".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Image { budget_cycles: 100_000, ..image("long", &lines, &[]) }
}

/// A UDP frame of a flow.
pub(crate) fn frame(flow: u16, bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; bytes.max(60)];
    frame[12..15].copy_from_slice(&[8, 0, 0x45]);
    frame[23] = 17;
    frame[26..28].copy_from_slice(&[10, 0]);
    frame[28..30].copy_from_slice(&flow.to_be_bytes());
    frame[30..34].copy_from_slice(&[10, 0, 0, 1]);
    frame[34..36].copy_from_slice(&flow.to_be_bytes());
    frame
}
