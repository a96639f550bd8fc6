//! How long the back half takes: `cargo run --release -p offload-compiler --example backend_speed -- FILE.ir...`, functions as
//! `offwire prog dump --as ir` prints them, maps of 4-byte keys and 64-byte values.

use offload_compiler::backend::{Links, generate};
use offload_compiler::ir;
use offwire_diag::Span;
use offwire_image::{Dispatch, DispatchMode, MapKind, MapSpec};
use std::time::{Duration, Instant};

fn main() {
    let maps: Vec<MapSpec> = (0..32)
        .map(|n| MapSpec {
            name: format!("map{n}"),
            kind: MapKind::Hash,
            key_size: 4,
            value_size: 64,
            max_entries: 16,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        })
        .collect();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let func = match ir::parse(&text) {
            Ok(func) => func,
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let dispatch = Dispatch { mode: DispatchMode::Cpu, reason: String::new() };
            let start = Instant::now();
            let made =
                generate(std::slice::from_ref(&func), &maps, Links::default(), dispatch, &offwire_isa::X16, |_, _| {
                    Span::default()
                });
            best = best.min(start.elapsed());
            if let Err(error) = made {
                println!("{path}: {error}");
                break;
            }
            if best > Duration::from_secs(1) {
                break;
            }
        }
        let insts: usize = func.blocks.iter().map(|block| block.insts.len() + 1).sum();
        println!("{path}: {insts} operations, {best:?}");
    }
}
