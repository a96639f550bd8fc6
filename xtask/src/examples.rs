//! `cargo xtask examples`: rebuilds the checked-in objects from their C sources, and the captures and map files beside them.
//!
//! Objects come from one compiler (Debian's clang-19) with the machine's paths mapped away, so they can be compared bit for bit.
//! Captures and map files are made here, from fixed seeds.

mod build;
mod capture;
mod packet;
mod traffic;

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const USAGE: &str = "usage: cargo xtask examples [--check] [--traffic | --objects] [--packages]

  (nothing)    rebuild all objects, captures and map files
  --check      compare instead of writing; exit 1 if something differs
  --traffic    only captures and map files (needs no clang)
  --objects    only objects
  --packages   name the Debian packages that objects need, and which are missing";

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Files that are as their sources say.
    pub(crate) equal: usize,
    /// Files that are not, with the reason.
    pub(crate) different: Vec<String>,
    /// What could not be compared, and why.
    pub(crate) skipped: Vec<String>,
}

/// The verb.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let root = root()?;
    let (mut check, mut traffic, mut objects) = (false, true, true);
    for arg in args {
        match arg.as_str() {
            "--check" => check = true,
            "--traffic" => objects = false,
            "--objects" => traffic = false,
            "--packages" => return packages(),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            other => bail!("examples: unknown argument {other}\n{USAGE}"),
        }
    }
    if !(traffic || objects) {
        bail!("examples: --traffic and --objects exclude each other\n{USAGE}");
    }
    if check {
        let outcome = compare(&root, traffic, objects)?;
        for line in outcome.different.iter().chain(&outcome.skipped) {
            println!("{line}");
        }
        println!(
            "examples: {} equal, {} different, {} skipped",
            outcome.equal,
            outcome.different.len(),
            outcome.skipped.len()
        );
        if !outcome.different.is_empty() {
            bail!("examples: run `cargo xtask examples` and look at the difference");
        }
        return Ok(());
    }
    let mut made = Vec::new();
    if traffic {
        made.extend(traffic_files(&root)?);
    }
    if objects {
        made.extend(build::objects(&root, &build::sources(&root)?)?);
    }
    let mut written = 0;
    for (path, bytes) in &made {
        if fs::read(path).ok().as_deref() != Some(bytes) {
            fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", relative(&root, path));
            written += 1;
        }
    }
    println!("examples: {written} of {} files changed", made.len());
    Ok(())
}

/// Compares what is checked in with what the sources give now. Without the one compiler, objects are skipped by name.
pub(crate) fn compare(root: &Path, traffic: bool, objects: bool) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut made = Vec::new();
    if traffic {
        made.extend(traffic_files(root)?);
    }
    if objects {
        let sources = build::sources(root)?;
        match build::unfit()? {
            Some(why) => {
                outcome.skipped.extend(sources.iter().map(|s| format!("skipped {}: {why}", relative(root, s))));
            }
            None => made.extend(build::objects(root, &sources)?),
        }
    }
    for (path, bytes) in made {
        let name = relative(root, &path);
        match fs::read(&path) {
            Ok(present) if present == bytes => outcome.equal += 1,
            Ok(_) => outcome.different.push(format!("different {name}")),
            Err(error) => outcome.different.push(format!("missing {name}: {error}")),
        }
    }
    Ok(outcome)
}

fn packages() -> Result<()> {
    println!("apt-get install {}", build::PACKAGES.join(" "));
    let missing = build::missing_packages();
    if missing.is_empty() {
        println!("examples: nothing is missing");
        return Ok(());
    }
    bail!("examples: missing {}", missing.join(" "));
}

fn traffic_files(root: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut made = Vec::new();
    for folder in build::folders(&root.join("examples"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = traffic::files(&name).with_context(|| format!("examples/{name} has no traffic in xtask"))?;
        made.extend(files.into_iter().map(|file| (folder.join(file.name), file.bytes)));
    }
    Ok(made)
}

/// The repository: the folder above xtask.
fn root() -> Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(xtask.parent().context("xtask stands in the repository")?.to_path_buf())
}

/// A path as the repository sees it, with forward slashes.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests;
