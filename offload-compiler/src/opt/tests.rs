//! The passes on the examples.
use crate::{facts, ir, object, opt};

#[test]
fn dump() {
    for name in ["drop", "pass", "count", "firewall", "learn", "decap", "swap"] {
        let path = format!("{}/../examples/{name}/{name}.o", env!("CARGO_MANIFEST_DIR"));
        let object = object::load(&std::fs::read(path).unwrap(), &object::LoadOptions::default()).unwrap();
        for program in &object.programs {
            let facts = facts::analyze(&object, program).unwrap();
            let func = ir::lift(&object, program, &facts).unwrap();
            let func = opt::optimize(func, &opt::MapTable::of(&object));
            println!("{func}");
        }
    }
}
