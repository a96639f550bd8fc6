//! Developer tasks: `cargo xtask VERB`. One module a verb.

mod codegen;
mod examples;
mod test;
mod tidy;
mod vm;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask VERB
  codegen [--check]                 write what is generated from hw/spec; with --check only compare
  examples [--check] [...]          rebuild objects, captures and map files; with --check only compare; --help tells more
  test [--require LIST]             set up what the tests need and run them all; LIST: host,clang,verilator,yosys,z3,namespaces,targets
  tidy                              hygiene that no compiler checks
  vm [--keep] [...]                 check the driver against VFIO in a virtual machine; --help tells more";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    match verb.as_str() {
        "codegen" => codegen::verb(&args),
        "examples" => examples::run(&args),
        "test" => test::run(&args),
        "tidy" => tidy::run(&args),
        "vm" => vm::run(&args),
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown verb `{other}`\n{USAGE}"),
    }
}
