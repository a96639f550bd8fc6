//! File tests of the loader: each object under `tests/objects` has beside it, as text, all that the loader makes of it.
//! `BLESS=1` rewrites the texts. What would be wrong if they failed: a map, a type, a relocation, a line or a refusal changed.

use offload_compiler::object::{Initial, LoadOptions, Map, Object, TypeRef, load};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn open(name: &str) -> Object {
    load(&read(name), &LoadOptions::default()).unwrap()
}

fn set(name: &str, pairs: &[(&str, &str)]) -> Result<Object, offwire_diag::Diagnostic> {
    let set = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    load(&read(name), &LoadOptions { set, ..LoadOptions::default() })
}

/// A type on one line.
fn brief(ty: &TypeRef) -> String {
    let members = |members: &[offload_compiler::object::Member]| {
        let one = |m: &offload_compiler::object::Member| {
            let width = if m.bit_width == 0 { String::new() } else { format!(":{}", m.bit_width) };
            format!("{} {}@{}{width}", brief(&m.ty), m.name, m.bit_offset)
        };
        members.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    match ty {
        TypeRef::Int { name, size, signed, is_bool, is_char } => {
            let kind = if *is_bool {
                'b'
            } else if *is_char {
                'c'
            } else if *signed {
                's'
            } else {
                'u'
            };
            format!("{}({kind}{})", name.replace(' ', "-"), size * 8)
        }
        TypeRef::Enum { name, size, signed, values } => {
            let sign = if *signed { 's' } else { 'u' };
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("enum {name}({sign}{}) [{}]", size * 8, values.join(" "))
        }
        TypeRef::Array { element, count } => format!("{}[{count}]", brief(element)),
        TypeRef::Struct { name, size, members: m } => format!("struct {name}({size}) {{ {} }}", members(m)),
        TypeRef::Union { name, size, members: m } => format!("union {name}({size}) {{ {} }}", members(m)),
        TypeRef::Opaque { name, size } => format!("opaque {name}({size})"),
    }
}

fn map_text(out: &mut String, map: &Map, maps: &[Map]) {
    let spec = &map.spec;
    let _ = write!(out, "map {}: {} key {} value {}", spec.name, spec.kind.name(), spec.key_size, spec.value_size);
    let _ = writeln!(out, " entries {} flags {:#x} frozen {}", spec.max_entries, spec.flags, spec.frozen);
    if !spec.init.is_empty() {
        let bytes: Vec<String> = spec.init.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(out, "  init {}", bytes.join(" "));
    }
    if let Some(inner) = &map.inner {
        let _ = write!(out, "  inner {}: {} key {}", inner.name, inner.kind.name(), inner.key_size);
        let _ = writeln!(out, " value {} entries {} flags {:#x}", inner.value_size, inner.max_entries, inner.flags);
    }
    for (key, initial) in &map.initial {
        let _ = match initial {
            Initial::Program(name) => writeln!(out, "  [{key}] = program {name}"),
            Initial::Map(index) => writeln!(out, "  [{key}] = map {}", maps[usize::from(index.0)].spec.name),
        };
    }
    for (what, ty) in [("key", &map.key_type), ("value", &map.value_type)] {
        if let Some(ty) = ty {
            let _ = writeln!(out, "  {what} {}", brief(ty));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    let object = match load(bytes, &LoadOptions::default()) {
        Ok(object) => object,
        Err(diagnostic) => return format!("{diagnostic}\n"),
    };
    let _ = writeln!(out, "license {}", object.license);
    object.maps.iter().for_each(|map| map_text(&mut out, map, &object.maps));
    for warning in &object.warnings {
        let _ = writeln!(out, "{warning}");
    }
    for refused in &object.refused {
        let _ = writeln!(out, "refused {} in {}\n{}", refused.name, refused.section, refused.diagnostic);
    }
    for program in &object.programs {
        let _ = writeln!(out, "program {} in {}", program.name, program.section);
        out.push_str(&program.dump(&object));
    }
    out
}

#[test]
fn objects_load_as_their_texts_say() {
    let mut objects: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    objects.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
    objects.sort();
    assert!(objects.len() >= 10, "objects are missing");
    let mut wrong = Vec::new();
    for path in objects {
        let got = text(&std::fs::read(&path).unwrap());
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &got).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} load differently; see `git diff` after BLESS=1");
}

/// Where a function stands in the file makes no difference; libbpf takes one of these objects and is asked about it elsewhere.
#[test]
fn subprograms_of_any_section_are_linked() {
    let (scattered, text) = (open("sections.o"), open("sections-text.o"));
    for name in ["xdp_entry", "xdp_tail"] {
        let (one, other) = (scattered.program(Some(name)).unwrap(), text.program(Some(name)).unwrap());
        assert_eq!(one.raw, other.raw, "{name}");
        assert_eq!(one.functions, other.functions, "{name}");
    }
    let third = scattered.program(Some("xdp_third")).unwrap();
    let names: Vec<&str> = third.functions.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["xdp_third", "xdp_tail", "in_library", "shared_with_tc", "local_text"]);
}

/// A legacy definition says the same as one in BTF: both layouts of `legacy.c` and `.maps` of the same file.
#[test]
fn legacy_maps_are_those_of_btf() {
    let object = open("legacy.o");
    let map = |name: &str| {
        let found = object.maps.iter().find(|map| map.spec.name == name);
        found.unwrap_or_else(|| panic!("no map {name}"))
    };
    let spec = |name: &str| offwire_image::MapSpec { name: String::new(), ..map(name).spec.clone() };
    for name in ["plain", "long", "extended", "annotated"] {
        assert_eq!(spec(name), spec("modern"), "{name}");
    }
    assert_eq!(map("annotated").key_type, map("modern").key_type);
    assert_eq!(map("annotated").value_type, map("modern").value_type);
    assert!(map("modern").value_type.is_some());
    assert_eq!(map("plain").value_type, None);
    let outer = map("outer");
    assert_eq!(outer.inner.as_ref().unwrap().name, "shown");
    let placed: Vec<(u32, &str)> = outer
        .initial
        .iter()
        .map(|(key, initial)| match initial {
            Initial::Map(index) => (*key, object.maps[usize::from(index.0)].spec.name.as_str()),
            Initial::Program(name) => panic!("program {name}"),
        })
        .collect();
    assert_eq!(placed, [(1, "second"), (3, "fourth")]);
}

/// Each damage of a legacy definition has its code.
#[test]
fn damaged_legacy_maps_are_refused() {
    let good = read("legacy.o");
    let start = place(&good, "maps").start;
    let refusal = |map: &str, word: usize, value: u32| {
        let object = open("legacy.o");
        let at = object.maps.iter().position(|candidate| candidate.spec.name == map).unwrap();
        // The maps before it have 20, 32, 36, 36, ... bytes; all but the first two are extended.
        let offset = match at {
            0 => 0,
            1 => 20,
            n => 52 + (n - 2) * 36,
        };
        let mut bytes = good.clone();
        bytes[start + offset + 4 * word..][..4].copy_from_slice(&value.to_le_bytes());
        let loaded = load(&bytes, &LoadOptions::default()).unwrap();
        let fault = loaded.refused.iter().find(|refused| refused.name == "xdp_old").map(|refused| &refused.diagnostic);
        fault.unwrap_or_else(|| panic!("{map} word {word}: the program loads")).code.to_string()
    };
    assert_eq!(refusal("long", 7, 1), "OW0108", "a word behind struct bpf_map_def");
    assert_eq!(refusal("plain", 0, 7), "OW0114", "a type that the device lacks");
    assert_eq!(refusal("plain", 3, 0), "OW0113", "no entries");
    assert_eq!(refusal("outer", 7, 99), "OW0113", "an inner_id that nothing has");
    assert_eq!(refusal("fourth", 8, 4), "OW0113", "an inner_idx beyond the outer map");
    assert_eq!(refusal("second", 2, 16), "OW0113", "a map that does not look like the inner one");
}

fn sized(name: &str, pairs: &[(&str, u32)]) -> Result<Object, offwire_diag::Diagnostic> {
    let map_entries = pairs.iter().map(|(name, entries)| (name.to_string(), *entries)).collect();
    load(&read(name), &LoadOptions { map_entries, ..LoadOptions::default() })
}

#[test]
fn maps_can_be_sized() {
    let entries = |object: &Object, name: &str| {
        object.maps.iter().find(|map| map.spec.name == name).map(|map| map.spec.max_entries)
    };
    assert_eq!(entries(&open("unsized.o"), "flows"), None, "a map without entries is not made");
    let object = sized("unsized.o", &[("flows", 77), ("old", 5), ("events", 8192)]).unwrap();
    assert_eq!(entries(&object, "flows"), Some(77));
    assert_eq!(entries(&object, "old"), Some(5));
    assert_eq!(entries(&object, "events"), Some(8192));
    assert!(object.refused.is_empty() && object.programs.len() == 2, "{:?}", object.refused);
    // Without sizes the program is refused and the help says what to do.
    let refusal = open("unsized.o").program(Some("xdp_flows")).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0113");
    assert!(refusal.help.unwrap().contains("--map-entries events=N"));
    // What the kernel would refuse stays refused.
    let refusal = sized("unsized.o", &[("flows", 1), ("old", 1), ("events", 5000)]).unwrap();
    assert_eq!(refusal.program(Some("xdp_flows")).unwrap_err().code.to_string(), "OW0113");
    let refusal = sized("unsized.o", &[("nobody", 1)]).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0120");
    assert!(refusal.help.unwrap().contains("flows"));
    assert_eq!(sized("globals.o", &[(".bss", 2)]).unwrap_err().code.to_string(), "OW0120");
}

/// An extern variable without a value is refused by name, says how to give it one, and then reads it.
#[test]
fn extern_variables_need_a_value() {
    let refusal = open("kconfig.o").program(Some("xdp_limit")).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0110");
    assert!(refusal.message.contains("CONFIG_OFFWIRE_FAST"), "{refusal}");
    assert!(refusal.help.unwrap().contains("--set CONFIG_OFFWIRE_FAST=VALUE"));
    let half = set("kconfig.o", &[("CONFIG_OFFWIRE_FAST", "true")]).unwrap();
    assert!(half.program(Some("xdp_limit")).unwrap_err().message.contains("CONFIG_OFFWIRE_LIMIT"));
    let pairs = [("CONFIG_OFFWIRE_FAST", "true"), ("CONFIG_OFFWIRE_LIMIT", "513"), ("CONFIG_OFFWIRE_MORE", "1")];
    let object = set("kconfig.o", &pairs).unwrap();
    assert!(object.refused.is_empty(), "{:?}", object.refused);
    assert_eq!(contents(&object, ".kconfig"), [1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 1]);
    assert!(object.maps.iter().find(|map| map.spec.name == ".kconfig").unwrap().spec.frozen);
    let refusal = set("kconfig.o", &[("CONFIG_OFFWIRE_FAST", "9")]).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0117");
}

/// A byte-for-byte view: what the kernel gets must be what was decoded.
#[test]
fn raw_and_decoded_instructions_agree() {
    for name in ["calls.o", "globals.o", "maps.o", "wide.o", "others.o"] {
        for program in open(name).programs {
            assert_eq!(offload_compiler::ebpf::encode(&program.insns).unwrap(), program.raw, "{name} {}", program.name);
        }
    }
}

/// The loader may not depend on where in memory the file lies.
#[test]
fn an_unaligned_buffer_loads() {
    let mut bytes = vec![0_u8; 1];
    bytes.extend(read("calls.o"));
    for shift in 0..8 {
        let mut shifted = vec![0_u8; shift];
        shifted.extend_from_slice(&bytes[1..]);
        assert_eq!(load(&shifted[shift..], &LoadOptions::default()).unwrap().programs.len(), 3);
    }
}

#[test]
fn programs_are_found_by_name() {
    assert_eq!(open("statics.o").program(Some("xdp_tail")).unwrap().section, "xdp/tail");
    let object = open("calls.o");
    let several = object.program(None).unwrap_err();
    assert_eq!(several.code.to_string(), "OW0105");
    assert!(several.help.unwrap().contains("xdp_first, xdp_second, xdp_alone"));
    assert_eq!(object.program(Some("leaf")).unwrap_err().code.to_string(), "OW0105");
    let object = open("foreign.o");
    assert_eq!(object.program(Some("xdp_core")).unwrap_err().code.to_string(), "OW0109");
    assert_eq!(object.program(Some("xdp_plain")).unwrap().name, "xdp_plain");
}

#[test]
fn a_span_says_function_line_and_text() {
    let object = open("calls.o");
    let program = object.program(Some("xdp_first")).unwrap();
    let (at, _) = program.functions.iter().find(|(_, name)| name == "leaf").unwrap();
    let span = program.span_with_text(at.next(), &object);
    assert_eq!(span.function.as_deref(), Some("leaf"));
    assert_eq!(span.file.as_deref(), Some("./calls.c"));
    assert_eq!(span.insn_text.as_deref(), Some("r1 = map[name:.bss][0]+0"));
    assert_eq!(span.source.as_deref().map(str::trim), Some("seen += x;"));
}

/// A refusal while linking shows the instruction, with the symbol that it refers to.
#[test]
fn refusals_show_the_instruction() {
    let object = open("foreign.o");
    let text = |name: &str| object.program(Some(name)).unwrap_err().span.insn_text.unwrap();
    assert_eq!(text("xdp_kfunc"), "call bpf_xdp_metadata_rx_hash");
    assert_eq!(text("xdp_kconfig"), "r1 = CONFIG_HZ");
    assert_eq!(text("xdp_core"), "r0 = *(u32 *)(r1 +0)");
}

fn contents(object: &Object, name: &str) -> Vec<u8> {
    object.maps.iter().find(|map| map.spec.name == name).unwrap().spec.init.clone()
}

#[test]
fn variables_can_be_set() {
    let object = set(
        "globals.o",
        &[
            ("limit", "0xdeadbeef"),
            ("offset", "-128"),
            ("enabled", "false"),
            ("mode", "AUTO"),
            ("hidden", "513"),
            ("wide", "18446744073709551615"),
            ("special", "7"),
            ("tuned", " 9 "),
        ],
    )
    .unwrap();
    let plain = open("globals.o");
    let mut expected = contents(&plain, ".rodata");
    expected[..4].copy_from_slice(&0xdead_beef_u32.to_le_bytes());
    expected[4] = 0x80;
    expected[5] = 0;
    expected[8..12].copy_from_slice(&0x1234_u32.to_le_bytes());
    expected[16..24].fill(0xff);
    expected[28..30].copy_from_slice(&513_u16.to_le_bytes());
    assert_eq!(contents(&object, ".rodata"), expected);
    assert_eq!(contents(&object, ".data.special"), [7, 0, 0, 0]);
    assert_eq!(contents(&object, ".rodata.tuned"), [9, 0, 0, 0]);
}

/// `.bss` has no contents in the file; setting a variable makes them as long as they must be.
#[test]
fn a_variable_in_bss_can_be_set() {
    let object = set("globals.o", &[("counter", "258")]).unwrap();
    let bytes = contents(&object, ".bss");
    assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 2);
    assert!(bytes.len() <= 76);
}

#[test]
fn what_cannot_be_set_is_refused() {
    let cases = [
        ("limit", "4294967296", "OW0117"),
        ("limit", "-1", "OW0117"),
        ("limit", "", "OW0117"),
        ("limit", "0x", "OW0117"),
        ("limit", "1 2", "OW0117"),
        ("limit", "--1", "OW0117"),
        ("offset", "128", "OW0117"),
        ("offset", "-129", "OW0117"),
        ("wide", "18446744073709551616", "OW0117"),
        ("enabled", "2", "OW0117"),
        ("mode", "SLEEP", "OW0117"),
        ("aggregate", "1", "OW0117"),
        ("buffer", "1", "OW0117"),
        ("nobody", "1", "OW0116"),
        ("xdp_globals", "1", "OW0116"),
    ];
    for (name, value, code) in cases {
        let refusal = set("globals.o", &[(name, value)]).expect_err(&format!("{name}={value}"));
        assert_eq!(refusal.code.to_string(), code, "{name}={value}");
    }
    let refusal = set("calls-v1-nobtf.o", &[("seen", "1")]).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0202");
}

#[test]
fn files_that_are_no_bpf_objects_are_refused() {
    let good = read("others.o");
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        load(&bytes, &LoadOptions::default()).map(|_| ()).unwrap_err().code.to_string()
    };
    assert_eq!(changed(0, 0), "OW0101", "magic");
    assert_eq!(changed(4, 1), "OW0101", "32 bits");
    assert_eq!(changed(5, 3), "OW0101", "byte order");
    assert_eq!(changed(16, 2), "OW0101", "executable");
    assert_eq!(changed(18, 62), "OW0101", "x86-64");
    for length in [0, 3, 20, 63, good.len() / 2, good.len() - 1] {
        assert!(load(&good[..length], &LoadOptions::default()).is_err(), "{length} bytes");
    }
}

/// Where a section lies in a file of ours.
fn place(bytes: &[u8], name: &str) -> std::ops::Range<usize> {
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let header = |index: usize| number(40, 8) + 64 * index;
    let names = number(header(number(62, 2)) + 24, 8);
    let called = |index: &usize| bytes[names + number(header(*index), 4)..].starts_with(format!("{name}\0").as_bytes());
    let index = (0..number(60, 2)).find(called).unwrap();
    let start = number(header(index) + 24, 8);
    start..start + number(header(index) + 32, 8)
}

/// One change, and the code that it must be refused with.
#[test]
fn each_damage_has_its_code() {
    let cases: &[(&str, &str, usize, &[u8], &str)] = &[
        // An opcode that does not exist.
        ("wide.o", "xdp", 0, &[0xff], "OW0106"),
        // A relocation's symbol beyond the table; the type of one; one in the middle of an instruction.
        ("wide.o", ".relxdp", 12, &[0xff, 0xff], "OW0107"),
        ("wide.o", ".relxdp", 8, &[3], "OW0107"),
        ("wide.o", ".relxdp", 0, &[0x21], "OW0107"),
        // Magic number, version and kinds of BTF; the header of .BTF.ext.
        ("globals.o", ".BTF", 0, &[0], "OW0201"),
        ("globals.o", ".BTF", 2, &[9], "OW0201"),
        ("globals.o", ".BTF", 24 + 7, &[0x1f], "OW0201"),
        ("globals.o", ".BTF", 12, &[0xff, 0xff, 0xff, 0x7f], "OW0201"),
        ("globals.o", ".BTF.ext", 0, &[0], "OW0201"),
        ("globals.o", ".BTF.ext", 20, &[1, 2], "OW0201"),
    ];
    for (object, section, offset, change, code) in cases {
        let mut bytes = read(object);
        let start = place(&bytes, section).start + offset;
        bytes[start..start + change.len()].copy_from_slice(change);
        let refusal = load(&bytes, &LoadOptions::default()).expect_err(&format!("{object} {section} {offset}"));
        assert_eq!(refusal.code.to_string(), *code, "{object} {section} {offset}: {refusal}");
    }
    let mut bytes = read("wide.o");
    let strings = place(&bytes, ".strtab");
    let at = strings.start + bytes[strings].windows(4).position(|window| window == b"xdp\0").unwrap();
    bytes[at] = b'y';
    let refusal = load(&bytes, &LoadOptions::default()).unwrap_err();
    assert_eq!(refusal.code.to_string(), "OW0104", "{refusal}");
    assert!(refusal.reason.unwrap().contains("`ydp`"));
    // Two functions in one place.
    let mut bytes = read("maps.o");
    let table = place(&bytes, ".symtab");
    let function = table.step_by(24).rfind(|at| bytes[at + 4] & 15 == 2).unwrap();
    bytes[function + 16] += 8;
    assert_eq!(load(&bytes, &LoadOptions::default()).unwrap_err().code.to_string(), "OW0102");
}

/// A diagnostic's code without a page or a test would help nobody: every code of the loader stands in an expected text or above.
#[test]
fn every_code_of_the_loader_is_tested() {
    let mut texts = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/loader.rs")).unwrap();
    texts += &std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutate.rs")).unwrap();
    for entry in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "txt") {
            texts += &std::fs::read_to_string(entry).unwrap();
        }
    }
    for entry in offwire_diag::codes::object::ENTRIES {
        assert!(texts.contains(&entry.code.to_string()), "{} {} has no test", entry.code, entry.title);
    }
}
