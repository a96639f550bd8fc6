//! The examples through the whole compiler.

use offload_compiler::object::{self, LoadOptions};
use offload_compiler::{CompileOptions, Compiled, compile, emit};
use std::path::PathBuf;

fn example(name: &str) -> Compiled {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}/{name}.o"));
    let bytes = std::fs::read(&path).unwrap();
    let object = object::load(&bytes, &LoadOptions::default()).unwrap();
    let program = &object.programs[0];
    let compiled = compile(&object, program, &offwire_isa::SMALL, &CompileOptions::default()).unwrap();
    if std::env::var_os("OFFWIRE_DUMP").is_some() {
        println!("{}\n{}", compiled.func, emit::dump(&compiled.image, Some(program)));
    }
    compiled
}

/// Words on the longest way, which no packet exceeds. If this grows, the device got slower for every user of such a program.
#[test]
fn examples_take_few_words() {
    for (name, most) in
        [("pass", 1), ("drop", 1), ("count", 8), ("swap", 4), ("firewall", 7), ("decap", 6), ("learn", 6)]
    {
        let stats = example(name).stats;
        assert!(stats.bound.words.is_some_and(|words| words <= most), "{name}: {stats:?}");
        assert_eq!(stats.spills, 0, "{name}");
    }
}

/// The same input gives the same image, to the byte.
#[test]
fn compiling_twice_gives_the_same() {
    for name in ["count", "firewall", "learn"] {
        assert_eq!(example(name).image, example(name).image, "{name}");
    }
}
