//! `cargo xtask tidy`: hygiene that no compiler checks.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Longest source file, in lines; generated ones are free.
const MOST_LINES: usize = 800;

/// Runs the verb.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        bail!("cargo xtask tidy: unknown argument {arg}");
    }
    let problems = problems()?;
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    if problems.is_empty() { Ok(()) } else { bail!("{} problems", problems.len()) }
}

/// All that is wrong, a line each.
fn problems() -> Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    let listing = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().context("git ls-files")?;
    let names = String::from_utf8_lossy(&listing.stdout).into_owned();
    let mut problems = Vec::new();
    for name in names.split_terminator('\0') {
        let Ok(bytes) = std::fs::read(root.join(name)) else { continue };
        if !name.starts_with("xtask/src/tidy") {
            for private in ["/root/", "/home/", "/work/", "/tmp/."] {
                if bytes.windows(private.len()).any(|window| window == private.as_bytes()) {
                    problems.push(format!("{name}: has {private:?} in it, a path of somebody's machine"));
                }
            }
        }
        let source = [".rs", ".sv", ".c", ".toml", ".md"].iter().any(|ending| name.ends_with(ending));
        let Ok(text) = std::str::from_utf8(&bytes) else {
            if source {
                problems.push(format!("{name}: not UTF-8"));
            }
            continue;
        };
        if !source {
            continue;
        }
        if text.lines().any(|line| line.ends_with([' ', '\t'])) {
            problems.push(format!("{name}: white space at the end of a line"));
        }
        let lines = text.lines().count();
        if (name.ends_with(".rs") || name.ends_with(".sv")) && !name.contains("/gen/") && lines > MOST_LINES {
            problems.push(format!("{name}: {lines} lines, more than {MOST_LINES}; split it"));
        }
    }
    let manifest: toml::Table = std::fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let workspace = manifest.get("workspace").and_then(toml::Value::as_table).context("no [workspace]")?;
    let reasons = std::fs::read_to_string(root.join("docs/dependencies.md")).context("docs/dependencies.md")?;
    let dependencies = workspace.get("dependencies").and_then(toml::Value::as_table).context("no dependencies")?;
    for (name, value) in dependencies {
        if value.get("path").is_none() && !reasons.contains(&format!("`{name}`")) {
            problems.push(format!("docs/dependencies.md: does not say why `{name}` is there"));
        }
    }
    let plan = std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    for member in workspace.get("members").and_then(toml::Value::as_array).context("no members")? {
        let folder = member.as_str().context("member is no string")?;
        if !plan.contains(&format!("`{folder}/`")) {
            problems.push(format!("ARCHITECTURE.md: does not name `{folder}/`"));
        }
    }
    Ok(problems)
}
