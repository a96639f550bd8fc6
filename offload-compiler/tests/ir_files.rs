//! File tests of the passes: `tests/files/ir/*.ir`. `BLESS=1` writes what comes out into the files; look at it with git diff.
//!
//! A file has directives, a function, the line `; ==>`, and the function that must come out:
//!
//! - `; pass: simplify, dead`: passes by name, in order; `optimize` for all of them
//! - `; map 0: key 4, value 8, per-cpu`: sizes of a map
//! - other comments say what the test is about

use offload_compiler::ir::{Func, check, parse, print};
use offload_compiler::opt::{MapEntry, MapTable, optimize, run_pass};
use std::fmt::Write;
use std::path::Path;

const ARROW: &str = "; ==>";

/// What the directives say.
#[derive(Default)]
struct Directives {
    passes: Vec<String>,
    maps: MapTable,
}

fn directives(input: &str) -> Result<Directives, String> {
    let mut found = Directives::default();
    for line in input.lines() {
        if let Some(passes) = line.strip_prefix("; pass:") {
            found.passes = passes.split(',').map(|pass| pass.trim().to_string()).collect();
        } else if let Some(map) = line.strip_prefix("; map ") {
            let (_, entry) = map.split_once(':').ok_or("`; map N: key K, value V`")?;
            let mut made = MapEntry::default();
            for part in entry.split(',').map(str::trim) {
                match part.split_once(' ') {
                    Some(("key", size)) => made.key_size = size.parse().map_err(|_| "a key size")?,
                    Some(("value", size)) => made.value_size = size.parse().map_err(|_| "a value size")?,
                    _ if part == "per-cpu" => made.per_cpu = true,
                    _ => return Err(format!("`{part}` in a map directive")),
                }
            }
            found.maps.0.push(made);
        }
    }
    if found.passes.is_empty() { Err("no `; pass:` directive".into()) } else { Ok(found) }
}

fn transform(mut func: Func, directives: &Directives) -> Result<Func, String> {
    check(&func)?;
    for pass in &directives.passes {
        if pass == "optimize" {
            func = optimize(func, &directives.maps);
        } else {
            run_pass(pass, &mut func, &directives.maps).ok_or_else(|| format!("there is no pass `{pass}`"))?;
        }
        check(&func).map_err(|what| format!("after {pass}: {what}\n{func}"))?;
    }
    Ok(func)
}

/// Empty if the file is as it should be.
fn run(path: &Path, bless: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let (input, expected) = text.split_once(ARROW).unwrap_or((&text, ""));
    let func = parse(input).map_err(|e| e.to_string())?;
    let out = print(&transform(func, &directives(input)?)?);
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/ir");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder is there").map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "files are missing in {}", folder.display());
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    for path in &paths {
        if let Err(what) = run(path, bless) {
            writeln!(wrong, "{}: {what}", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
