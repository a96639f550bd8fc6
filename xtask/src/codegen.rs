//! `cargo xtask codegen [--check]`: everything that is made from `hw/spec/*.toml`.
//!
//! The outputs are checked in. This crate must not depend on a crate that it generates, or a broken output could never be
//! repaired.

mod docs;
mod expr;
mod layout;
mod profiles;
mod regs;
mod rust_codec;
mod rust_expr;
mod rust_sem;
mod rust_word;
mod smt;
mod spec;
mod sv;
mod sv_expr;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// One generated file: path from the workspace root, and its text.
pub(crate) struct Output {
    pub(crate) path: &'static str,
    pub(crate) text: String,
}

/// First line of generated Rust and SystemVerilog.
pub(crate) const MARK: &str = "// Generated from hw/spec by `cargo xtask codegen`; do not edit.\n";

/// The verb.
pub(crate) fn verb(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: cargo xtask codegen [--check]"),
    };
    run(&root(), check)
}

/// Writes what has changed under `root`, or with `check` only compares.
fn run(root: &Path, check: bool) -> Result<()> {
    let outputs = generate(root)?;
    let mut stale = Vec::new();
    for output in &outputs {
        let path = root.join(output.path);
        // A checkout may have turned line ends; the content is what counts.
        let same = std::fs::read_to_string(&path).is_ok_and(|old| old.replace("\r\n", "\n") == output.text);
        if same {
            continue;
        }
        stale.push(output.path);
        if !check {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            std::fs::write(&path, &output.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    match (check, stale.is_empty()) {
        (true, true) => println!("codegen: {} files are up to date", outputs.len()),
        (true, false) => {
            bail!("not what hw/spec says: {}\nrun `cargo xtask codegen` and commit what it writes", stale.join(", "))
        }
        (false, _) => println!("codegen: {} of {} files written", stale.len(), outputs.len()),
    }
    Ok(())
}

/// All outputs, from the specification under `root`.
pub(crate) fn generate(root: &Path) -> Result<Vec<Output>> {
    let isa = read(&root.join("hw/spec/isa.toml"))?;
    let isa = spec::parse(&isa).context("hw/spec/isa.toml")?;
    let isa = layout::resolve(isa).context("hw/spec/isa.toml")?;
    let profiles = profiles::read(&root.join("hw/spec/profiles"))?;
    let template = read(&root.join("hw/spec/isa.md.in"))?;
    let regs = regs::parse(&read(&root.join("hw/spec/regs.toml"))?).context("hw/spec/regs.toml")?;
    let registers = read(&root.join("hw/spec/regs.md.in"))?;
    Ok(vec![
        Output { path: "hw/isa/src/gen/mod.rs", text: rust_word::module() },
        Output { path: "hw/isa/src/gen/word.rs", text: rust_word::word(&isa) },
        Output { path: "hw/isa/src/gen/enums.rs", text: rust_word::enums(&isa) },
        Output { path: "hw/isa/src/gen/codec.rs", text: rust_codec::codec(&isa) },
        Output { path: "hw/isa/src/gen/fields.rs", text: rust_codec::fields(&isa) },
        Output { path: "hw/isa/src/gen/consts.rs", text: rust_word::consts(&isa) },
        Output { path: "hw/isa/src/gen/sem.rs", text: rust_sem::sem(&isa)? },
        Output { path: "hw/isa/src/gen/profiles.rs", text: profiles::rust(&isa, &profiles) },
        Output { path: "hw/rtl/gen/offwire_isa_pkg.sv", text: sv::package(&isa)? },
        Output { path: "hw/rtl/gen/offwire_profiles_pkg.sv", text: sv::profiles(&isa, &profiles)? },
        Output { path: "hw/rtl/gen/offwire_isa_tb.sv", text: sv::bench(&isa)? },
        Output { path: "hw/isa/gen/isa.smt2", text: smt::smt(&isa)? },
        Output { path: "docs/isa.md", text: docs::chapter(&template, &isa, &profiles).context("hw/spec/isa.md.in")? },
        Output { path: "hw/hostif/src/gen/mod.rs", text: regs::rust::module() },
        Output { path: "hw/hostif/src/gen/consts.rs", text: regs::rust::consts(&regs) },
        Output { path: "hw/hostif/src/gen/enums.rs", text: regs::rust::enums(&regs) },
        Output { path: "hw/hostif/src/gen/reg.rs", text: regs::rust::registers(&regs)? },
        Output { path: "hw/hostif/src/gen/desc.rs", text: regs::rust::descriptors(&regs)? },
        Output { path: "hw/rtl/gen/offwire_regs_pkg.sv", text: regs::sv::package(&regs)? },
        Output { path: "hw/rtl/gen/offwire_regs_tb.sv", text: regs::sv::bench(&regs)? },
        Output {
            path: "docs/registers.md",
            text: regs::docs::chapter(&registers, &regs).context("hw/spec/regs.md.in")?,
        },
    ])
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The workspace root: the parent of this crate's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
