//! Map files: every type reads and prints, what does not fit is named, and no text makes the reader panic.

mod common;

use common::{Rng, map_spec};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::{Map, Member, Object, TypeRef};
use offwire_diag::{Code, codes::data as code};
use offwire_harness::mapfile;
use offwire_harness::{Entry, EntryValue};
use offwire_image::{MapKind, MapSpec};

fn int(name: &str, size: u32, signed: bool) -> TypeRef {
    TypeRef::Int { name: name.into(), size, signed, is_bool: name == "_Bool", is_char: false }
}
fn array(element: TypeRef, count: u32) -> TypeRef {
    TypeRef::Array { element: Box::new(element), count }
}
fn member(name: &str, byte: u32, ty: TypeRef) -> Member {
    Member { name: name.into(), bit_offset: byte * 8, bit_width: 0, ty }
}
fn bits(name: &str, bit_offset: u32, bit_width: u32) -> Member {
    Member { name: name.into(), bit_offset, bit_width, ty: int("unsigned int", 4, false) }
}
fn color() -> TypeRef {
    let values = vec![("RED".into(), 0), ("BLUE".into(), 5), ("NONE".into(), -1)];
    TypeRef::Enum { name: "color".into(), size: 4, signed: true, values }
}

/// One of each, 64 bytes.
fn all_kinds() -> TypeRef {
    let address = TypeRef::Union {
        name: String::new(),
        size: 16,
        members: vec![member("v4", 0, int("__u32", 4, false)), member("v6", 0, array(int("__u8", 1, false), 16))],
    };
    let inner = TypeRef::Struct {
        name: String::new(),
        size: 4,
        members: vec![member("low", 0, int("__u16", 2, false)), member("high", 2, int("__s16", 2, true))],
    };
    TypeRef::Struct {
        name: "all_kinds".into(),
        size: 64,
        members: vec![
            member("wide", 0, int("__u64", 8, false)),
            member("signed", 8, int("long long", 8, true)),
            member("color", 16, color()),
            member("yes", 20, int("_Bool", 1, false)),
            bits("low3", 21 * 8, 3),
            bits("high5", 21 * 8 + 3, 5),
            // 22 and 23: padding
            member("", 24, address),
            member("", 40, inner),
            member("name", 44, array(int("char", 1, true), 8)),
            member("pointer", 56, TypeRef::Opaque { name: "ptr".into(), size: 8 }),
        ],
    }
}

fn typed(spec: MapSpec, key: TypeRef, value: TypeRef) -> Map {
    Map { key_type: Some(key), value_type: Some(value), ..Map::from(spec) }
}

fn object() -> Object {
    let u32_type = || int("__u32", 4, false);
    let maps = vec![
        typed(map_spec("all", MapKind::Hash, 4, 64, 8), u32_type(), all_kinds()),
        typed(map_spec("cpus", MapKind::PercpuArray, 4, 8, 4), u32_type(), int("__u64", 8, false)),
        map_spec("raw", MapKind::Hash, 2, 3, 8).into(),
        typed(map_spec("words", MapKind::Array, 4, 8, 2), u32_type(), array(u32_type(), 2)),
        MapSpec { frozen: true, ..map_spec(".rodata", MapKind::Array, 4, 4, 1) }.into(),
        map_spec("events", MapKind::Ringbuf, 0, 0, 4096).into(),
        typed(map_spec("big", MapKind::Array, 4, 16, 1), u32_type(), int("__int128", 16, false)),
    ];
    Object { maps, ..common::object(&[common::mov(common::R0, 2), offload_compiler::ebpf::Insn::Exit], &[]) }
}

fn parse(text: &str) -> Result<mapfile::Contents, offwire_diag::Diagnostic> {
    mapfile::parse(text.as_bytes(), &object())
}

/// The bytes of the only value in the file.
fn value(text: &str) -> Vec<u8> {
    let contents = parse(text).unwrap_or_else(|diagnostic| panic!("{text}\n{diagnostic}"));
    match &contents[..] {
        [(_, entries)] => match &entries[..] {
            [Entry { value: EntryValue::One(value), .. }] => value.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const ALL: &str = r#"{"all": [{"key": 7, "value": {
    "wide": 18446744073709551615, "signed": -9223372036854775808, "color": "BLUE", "yes": true, "low3": 5, "high5": 17,
    "v6": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16], "low": 65535, "high": -2, "name": "eth0",
    "pointer": ["0x01","0x02",3,4,5,6,7,255]}}]}"#;

#[test]
fn every_kind_of_type() {
    let bytes = value(ALL);
    let mut expected = vec![0xff; 8];
    expected.extend(i64::MIN.to_le_bytes());
    expected.extend([5, 0, 0, 0, 1, 5 | 17 << 3, 0, 0]);
    expected.extend(1..=16);
    expected.extend([0xff, 0xff, 0xfe, 0xff]);
    expected.extend(*b"eth0\0\0\0\0");
    expected.extend([0; 4]);
    expected.extend([1, 2, 3, 4, 5, 6, 7, 255]);
    assert_eq!(bytes, expected);
}

#[test]
fn dumps_are_stable_and_lose_nothing() {
    let object = object();
    let contents = parse(ALL).expect("reads");
    let text = mapfile::dump(&object, &contents).to_string();
    assert_eq!(
        text,
        "{\n  \"all\": [\n    {\"key\":7,\"value\":{\"wide\":18446744073709551615,\"signed\":-9223372036854775808,\
         \"color\":\"BLUE\",\"yes\":true,\"low3\":5,\"high5\":17,\"v6\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],\
         \"low\":65535,\"high\":-2,\"name\":\"eth0\",\"pointer\":[\"0x01\",\"0x02\",\"0x03\",\"0x04\",\"0x05\",\
         \"0x06\",\"0x07\",\"0xff\"]}}\n  ]\n}\n"
    );
    assert_eq!(parse(&text).expect("reads"), contents);
    // Any bytes at all, padding included: what has no typed form prints as bytes.
    let mut rng = Rng(5);
    for _ in 0..300 {
        let mut random = |len: usize| -> Vec<u8> {
            (0..len).map(|_| if rng.below(3) == 0 { 0 } else { rng.next() as u8 }).collect()
        };
        let one = |key: Vec<u8>, value: Vec<u8>| Entry { key, value: EntryValue::One(value) };
        let cpus = vec![(0, random(8)), (3, random(8))];
        let contents = vec![
            (MapIdx(0), vec![one(random(4), random(64))]),
            (MapIdx(1), vec![Entry { key: vec![2, 0, 0, 0], value: EntryValue::PerCpu(cpus) }]),
            (MapIdx(2), vec![one(random(2), random(3))]),
            (MapIdx(3), vec![one(vec![0; 4], random(8)), one(vec![1, 0, 0, 0], random(8))]),
            (MapIdx(6), vec![one(vec![0; 4], random(16))]),
        ];
        let text = mapfile::dump(&object, &contents).to_string();
        let again = parse(&text).unwrap_or_else(|diagnostic| panic!("{text}\n{diagnostic}"));
        assert_eq!(again, contents, "{text}");
        assert_eq!(mapfile::dump(&object, &again).to_string(), text);
        let json: serde_json::Value = serde_json::from_str(&text).expect("a dump is JSON");
        assert_eq!(serde_json::to_value(mapfile::dump(&object, &contents)).expect("serializes"), json);
    }
    let empty = mapfile::dump(&object, &vec![(MapIdx(0), Vec::new()), (MapIdx(1), Vec::new())]).to_string();
    assert_eq!(empty, "{\n  \"all\": [],\n  \"cpus\": []\n}\n");
    assert_eq!(mapfile::dump(&object, &Vec::new()).to_string(), "{\n}\n");
}

#[test]
fn other_spellings() {
    for text in [
        r#"{"words": [{"key": 1, "value": [1, 4294967295]}]}"#,
        r#"{"words": [{"key": "1", "value": ["0x1", "0xffffffff"]}]}"#,
        r#"{"words": [{"key": "0x1", "value": ["1", "4294967295"]}]}"#,
        r#"{"words": [{"key": [1,0,0,0], "value": ["0x01","0x00","0x00","0x00","0xff","0xff","0xff","0xff"]}]}"#,
        r#"{"words": [{"formatted": {"key": 9}, "value": [1,0,0,0,255,255,255,255], "key": ["0x01","0x00","0x00","0x00"]}]}"#,
    ] {
        assert_eq!(value(text), [1, 0, 0, 0, 255, 255, 255, 255], "{text}");
    }
    assert_eq!(
        value(r#"{"big": [{"key": 0, "value": "0xffffffffffffffff0000000000000001"}]}"#)[..9],
        [1, 0, 0, 0, 0, 0, 0, 0, 0xff]
    );
    // The narrow member of a union alone, and an enum by number.
    let narrow = ALL.replace(r#""v6": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"#, r#""v4": "0x01020304""#);
    assert_eq!(value(&narrow)[24..40], [4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(value(&ALL.replace("\"BLUE\"", "-1"))[16..20], [0xff; 4]);
    assert_eq!(value(&ALL.replace("\"BLUE\"", "77"))[16..20], [77, 0, 0, 0]);
    assert_eq!(value(&ALL.replace("\"eth0\"", "[101,116,104,48,0,0,0,-1]"))[44..52], *b"eth0\0\0\0\xff");
}

#[test]
fn order_does_not_matter() {
    let one = r#"{"raw": [{"key": [1,2], "value": [1,2,3]}, {"value": [4,5,6], "key": [0,9]}], "cpus": [{"key": 1, "values":
        [{"cpu": 1, "value": 5}, {"cpu": 0, "value": 4}]}]}"#;
    let other = r#"{"cpus": [{"values": [{"value": 4, "cpu": 0}, {"cpu": 1, "value": 5}], "key": 1}],
        "raw": [{"key": [0,9], "value": [4,5,6]}, {"key": [1,2], "value": [1,2,3]}]}"#;
    assert_eq!(parse(one).expect("reads"), parse(other).expect("reads"));
}

#[test]
fn what_does_not_fit_is_named() {
    let replaced = |from: &str, to: &str| ALL.replace(from, to);
    let cases: Vec<(String, Code, &str)> = vec![
        ("[]".into(), code::BAD_MAP_FILE, "not an object with map names"),
        ("{".into(), code::BAD_MAP_FILE, "EOF"),
        (r#"{"words": []} x"#.into(), code::BAD_MAP_FILE, "trailing"),
        (r#"{"words": {}}"#.into(), code::BAD_MAP_FILE, "map words is an object"),
        (r#"{"words": [], "words": []}"#.into(), code::BAD_MAP_FILE, "map words stands there twice"),
        (r#"{"words": [5]}"#.into(), code::BAD_MAP_FILE, "it is a number"),
        (r#"{"words": [{"key": 1}]}"#.into(), code::BAD_MAP_FILE, "wants one \"value\""),
        (r#"{"words": [{"value": [1,2]}]}"#.into(), code::BAD_MAP_FILE, "no key"),
        (r#"{"words": [{"key": 1, "key": 1, "value": [1,2]}]}"#.into(), code::BAD_MAP_FILE, "two members \"key\""),
        (r#"{"words": [{"key": 1, "val": [1,2]}]}"#.into(), code::BAD_MAP_FILE, "a member \"val\""),
        (r#"{"nowhere": []}"#.into(), code::UNKNOWN_MAP, ""),
        (r#"{".rodata": []}"#.into(), code::MAP_NOT_WRITABLE, "read-only"),
        (r#"{"events": []}"#.into(), code::MAP_NOT_WRITABLE, "ringbuf"),
        (r#"{"words": [{"key": 2, "value": [1,2]}]}"#.into(), code::BAD_MAP_ENTRY, "key: index 2 is not below 2"),
        (r#"{"words": [{"key": 1, "value": [1,2,3]}]}"#.into(), code::BAD_MAP_ENTRY, "value: an array of 3 items"),
        (r#"{"words": [{"key": 1, "value": [1,-2]}]}"#.into(), code::BAD_MAP_ENTRY, "value[1]: -2 does not fit"),
        (r#"{"words": [{"key": 1, "value": [1,1.5]}]}"#.into(), code::BAD_MAP_ENTRY, "value[1]: a number that is no"),
        (r#"{"words": [{"key": 4294967296, "value": [1,2]}]}"#.into(), code::BAD_MAP_ENTRY, "key: 4294967296 does not"),
        (r#"{"raw": [{"key": 1, "value": [1,2,3]}]}"#.into(), code::BAD_MAP_ENTRY, "key: BTF does not tell its type"),
        (r#"{"raw": [{"key": [1,256], "value": [1,2,3]}]}"#.into(), code::BAD_MAP_ENTRY, "key[1]: not a byte"),
        (
            r#"{"raw": [{"key": [1,2], "value": [1,2,3]}, {"key": [1,2], "value": [1,2,3]}]}"#.into(),
            code::BAD_MAP_ENTRY,
            "",
        ),
        (r#"{"cpus": [{"key": 1, "value": 5}]}"#.into(), code::BAD_MAP_FILE, "a per-CPU map wants"),
        (r#"{"cpus": [{"key": 1, "values": 5}]}"#.into(), code::BAD_MAP_FILE, "\"values\" is a number"),
        (r#"{"cpus": [{"key": 1, "values": [{"cpu": 1}]}]}"#.into(), code::BAD_MAP_FILE, "values[0] wants"),
        (
            r#"{"cpus": [{"key": 1, "values": [{"cpu": 1, "value": 5}, {"cpu": 1, "value": 6}]}]}"#.into(),
            code::BAD_MAP_FILE,
            "CPU 1 is given twice",
        ),
        (
            r#"{"cpus": [{"key": 1, "values": [{"cpu": 0, "value": "x"}]}]}"#.into(),
            code::BAD_MAP_ENTRY,
            "values[0].value: a string",
        ),
        (replaced("\"low3\": 5", "\"low3\": 8"), code::BAD_MAP_ENTRY, "value.low3: 8 does not fit"),
        (replaced("\"BLUE\"", "\"GREEN\""), code::BAD_MAP_ENTRY, "value.color: \"GREEN\" is no value of enum color"),
        (replaced("\"yes\": true", "\"yes\": 300"), code::BAD_MAP_ENTRY, "value.yes: 300"),
        (replaced("\"yes\": true,", ""), code::BAD_MAP_ENTRY, "value.yes: not given"),
        (replaced("\"low\": 65535,", ""), code::BAD_MAP_ENTRY, "value.low: not given"),
        (replaced("\"yes\"", "\"no\""), code::BAD_MAP_ENTRY, "value.no: no such member"),
        (replaced("\"high\": -2", "\"high\": -2, \"high\": -2"), code::BAD_MAP_ENTRY, "value.high: given twice"),
        (replaced("\"high\": -2", "\"high\": -2, \"v4\": 5"), code::BAD_MAP_ENTRY, "value.v6[0]: it overlaps"),
        (
            replaced("\"eth0\"", "\"much too long\""),
            code::BAD_MAP_ENTRY,
            "value.name: a string of 13 bytes for char[8]",
        ),
        (replaced("3,4,5,6,7,255", "3,4,5,6,7"), code::BAD_MAP_ENTRY, "value.pointer: an array of 7 items"),
        (
            replaced("9223372036854775808", "9223372036854775809"),
            code::BAD_MAP_ENTRY,
            "value.signed: a number that is no",
        ),
    ];
    for (text, expected, reason) in cases {
        let diagnostic = parse(&text).map(drop).expect_err(&text);
        assert_eq!(diagnostic.code, expected, "{text}\n{diagnostic}");
        let said = format!("{} {}", diagnostic.message, diagnostic.reason.clone().unwrap_or_default());
        assert!(said.contains(reason), "{text}\n{said:?} should contain {reason:?}");
    }
    let unknown = parse(r#"{"nowhere": []}"#).map(drop).expect_err("unknown");
    assert!(unknown.help.is_some_and(|help| help.contains("all, cpus, raw")), "the maps that exist are listed");
    let consistent = replaced("\"high\": -2", "\"high\": -2, \"v4\": 67305985");
    fn check(text: &str) {
        assert_eq!(value(text)[24], 1, "members of a union that agree are fine, as bpftool prints all of them");
    }
    check(&consistent);
}

#[test]
fn mutated_map_files_never_panic() {
    let object = object();
    let seeds = [
        ALL,
        r#"{"cpus": [{"key": 1, "values": [{"cpu": 1, "value": 5}]}], "raw": [{"key": [1,2], "value": ["0x1",2,3]}]}"#,
    ];
    let pieces: [&str; 16] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "-",
        "1e999",
        "99999999999999999999",
        "null",
        "true",
        "\"0x\"",
        "\"-\"",
        "\\u0000",
        "\u{e9}",
    ];
    let mut rng = Rng(9);
    let mut readable = 0;
    for round in 0..6000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..1 + rng.below(2) {
            let at = rng.below(text.len());
            match rng.below(4) {
                0 => text[at] = rng.next() as u8,
                1 => drop(text.remove(at)),
                2 => text.splice(at..at, rng.pick(&pieces).bytes()).for_each(drop),
                _ => {
                    let end = (at + rng.below(12)).min(text.len());
                    text.splice(at..end, rng.pick(&pieces).bytes()).for_each(drop);
                }
            }
        }
        if let Ok(contents) = mapfile::parse(&text, &object) {
            readable += 1;
            let dumped = mapfile::dump(&object, &contents).to_string();
            assert_eq!(mapfile::parse(dumped.as_bytes(), &object).expect("a dump reads"), contents);
        }
    }
    assert!(readable > 200, "mutation is so hard that only the first checks are reached: {readable}");
    let deep = "[".repeat(100_000);
    assert!(mapfile::parse(deep.as_bytes(), &object).is_err(), "depth must not overflow the stack");
}

/// Programs, maps and devices go by their names, and come back by them.
#[test]
fn values_that_name_something() {
    let insns = [common::mov(common::R0, 2), offload_compiler::ebpf::Insn::Exit];
    let maps = [
        map_spec("next", MapKind::ProgArray, 4, 4, 2),
        map_spec("rings", MapKind::HashOfMaps, 4, 4, 2),
        map_spec("ports", MapKind::Devmap, 4, 8, 4),
        map_spec("few", MapKind::DevmapHash, 4, 4, 4),
    ];
    let object = common::object(&insns, &maps);
    let text = r#"{"next": [{"key": [1,0,0,0], "value": "test"}], "rings": [{"key": [9,0,0,0], "value": "few"}],
        "ports": [{"key": [0,0,0,0], "value": 3}, {"key": [1,0,0,0], "value": {"ifindex": 4, "prog": "test"}}],
        "few": [{"key": [7,0,0,0], "value": {"ifindex": 2}}]}"#;
    let contents = mapfile::parse(text.as_bytes(), &object).unwrap_or_else(|d| panic!("{d}"));
    let one = |key: u8, value: &[u8]| Entry { key: vec![key, 0, 0, 0], value: EntryValue::One(value.to_vec()) };
    let wanted = vec![
        (MapIdx(0), vec![one(1, &[0, 0, 0, 0])]),
        (MapIdx(1), vec![one(9, &[3, 0, 0, 0])]),
        (MapIdx(2), vec![one(0, &[3, 0, 0, 0, 0, 0, 0, 0]), one(1, &[4, 0, 0, 0, 1, 0, 0, 0])]),
        (MapIdx(3), vec![one(7, &[2, 0, 0, 0])]),
    ];
    assert_eq!(contents, wanted);
    let dumped = mapfile::dump(&object, &contents).to_string();
    assert_eq!(mapfile::parse(dumped.as_bytes(), &object), Ok(contents), "{dumped}");
    for (map, key, value, reason) in [
        ("next", 1, r#""other""#, "no program other"),
        ("next", 2, r#""test""#, "not below 2"),
        ("next", 1, "0", "the name of a program"),
        ("rings", 1, r#""next2""#, "no map next2"),
        ("ports", 1, "0", "an ifindex is a number from 1"),
        ("ports", 1, r#"{"ifindex": 1, "port": 2}"#, "a device is"),
        ("few", 1, r#"{"ifindex": 1, "prog": "test"}"#, "no room"),
    ] {
        let text = format!(r#"{{"{map}": [{{"key": [{key},0,0,0], "value": {value}}}]}}"#);
        let refusal = mapfile::parse(text.as_bytes(), &object).expect_err(&text);
        assert_eq!(refusal.code, code::BAD_MAP_ENTRY, "{text}");
        assert!(refusal.reason.as_ref().is_some_and(|text| text.contains(reason)), "{text}: {refusal}");
    }
}
