//! File tests of selection and scheduling: `tests/files/words/*.ir`. `BLESS=1` writes what comes out into the files; look at it with
//! git diff.
//!
//! A file has comments that say what the test is about, directives `; map 0: key 4, value 8`, with a kind behind that if they are no
//! arrays (key of 4 bytes) or hashes, a function and those that it calls (f1, f2 and so on), the line `; ==>`, and the microcode that must come out. Further functions, behind
//! lines `; ---`, are programs that tail calls go to.

use offload_compiler::backend::{Links, generate};
use offload_compiler::emit::dump;
use offload_compiler::ir::{Func, check, parse_all};
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode, MapKind, MapSpec};
use std::fmt::Write;
use std::path::Path;

const ARROW: &str = "; ==>";

fn maps(input: &str) -> Result<Vec<MapSpec>, String> {
    let mut maps = Vec::new();
    for line in input.lines() {
        let Some((_, sizes)) = line.strip_prefix("; map ").and_then(|map| map.split_once(':')) else { continue };
        let mut bytes = sizes.split(',').map(|part| part.split_whitespace().nth(1)?.parse::<u32>().ok());
        let (Some(Some(key_size)), Some(Some(value_size))) = (bytes.next(), bytes.next()) else {
            return Err(format!("`{line}`: want `; map N: key K, value V`"));
        };
        let kind = match sizes.split(", ").nth(2) {
            Some(name) => kind(name).ok_or_else(|| format!("`{line}`: no such kind of map"))?,
            None if key_size == 4 => MapKind::Array,
            None => MapKind::Hash,
        };
        let name = format!("map{}", maps.len());
        maps.push(MapSpec {
            name,
            kind,
            key_size,
            value_size,
            max_entries: 16,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        });
    }
    Ok(maps)
}

fn kind(name: &str) -> Option<MapKind> {
    (0..64).filter_map(MapKind::from_kernel).find(|kind| kind.name() == name)
}

fn words(input: &str) -> Result<String, String> {
    let mut funcs: Vec<Func> = Vec::new();
    let mut entries = Vec::new();
    for program in input.split("; ---") {
        entries.push(funcs.len());
        funcs.extend(parse_all(program).map_err(|error| error.to_string())?);
    }
    funcs.iter().try_for_each(check)?;
    let links = Links { programs: entries.split_off(1), ..Links::default() };
    let dispatch = Dispatch { mode: DispatchMode::Cpu, reason: "a test".into() };
    let made = generate(&funcs, &maps(input)?, links, dispatch, &offwire_isa::SMALL, |_, _| Span::default());
    Ok(match made {
        Ok(made) => dump(&made.image, None),
        Err(error) => format!("{error}\n"),
    })
}

/// Empty if the file is as it should be.
fn run(path: &Path, bless: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let (input, expected) = text.split_once(ARROW).unwrap_or((&text, ""));
    let out = words(input)?;
    if out == expected.trim_start() {
        return Ok(());
    }
    if bless {
        return std::fs::write(path, format!("{}\n\n{ARROW}\n{out}", input.trim_end())).map_err(|e| e.to_string());
    }
    Err(format!("expected:\n{}\ngot:\n{out}", expected.trim_start()))
}

#[test]
fn files_come_out_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/words");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder is there").map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 15, "files are missing in {}", folder.display());
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    for path in &paths {
        if let Err(what) = run(path, bless) {
            writeln!(wrong, "{}: {what}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
