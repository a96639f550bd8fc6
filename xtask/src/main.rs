//! Developer tasks: `cargo xtask VERB`. One module a verb.

mod codegen;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask VERB
  codegen [--check]   write what is generated from hw/spec; with --check only compare";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    match verb.as_str() {
        "codegen" => codegen::verb(&args),
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown verb `{other}`\n{USAGE}"),
    }
}
