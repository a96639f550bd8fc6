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
    if std::env::var("OFFWIRE_DUMP").is_ok() {
        println!("{}\n{}", compiled.func, emit::dump(&compiled.image, Some(program)));
    }
    compiled
}

#[test]
fn firewall_is_short() {
    let compiled = example("firewall");
    println!("{:?}", compiled.stats);
}

#[test]
fn others_compile() {
    for name in ["pass", "drop", "count", "swap", "decap", "learn"] {
        println!("{name} {:?}", example(name).stats);
    }
}
