//! Calls clang and llvm-strip so that the same source gives the same object on every machine.

use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Debian packages that a rebuild needs.
pub(super) const PACKAGES: [&str; 4] = ["clang-19", "llvm-19", "libbpf-dev", "linux-libc-dev"];

const CLANG: &str = "clang-19";
const STRIP: &str = "llvm-strip-19";

/// The compiler that made the checked-in objects, and the headers: types of the headers stand in BTF.
const CLANG_VERSION: &str = "19.1.7";
const HEADERS: [(&str, &str); 2] = [("libbpf-dev", "1.1"), ("linux-libc-dev", "6.1")];

/// Folders whose C files are one object each.
const FLAT: [&str; 5] = [
    "cli/tests/features",
    "device-model/serve/tests/objects",
    "offload-compiler/tests/refused",
    "offload-compiler/tests/safe",
    "offload-compiler/tests/unsafe",
];

/// The C sources of all checked-in objects, sorted: each example, each program that must be accepted or refused.
pub(super) fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders(&root.join("examples"))? {
        found.extend(c_files(&folder)?);
    }
    for folder in FLAT {
        found.extend(c_files(&root.join(folder))?);
    }
    Ok(found)
}

/// The folders in a folder, sorted.
pub(super) fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(path)?.into_iter().filter(|p| p.is_dir()).collect())
}

fn c_files(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(path)?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "c")).collect())
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

/// Builds each source; gives the path of each object and its bytes.
pub(super) fn objects(root: &Path, sources: &[PathBuf]) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let missing = missing_packages();
    if !missing.is_empty() {
        bail!("examples: this needs apt-get install {}", missing.join(" "));
    }
    let scratch = Scratch::new()?;
    let one = |(n, source): (usize, &PathBuf)| {
        Ok((source.with_extension("o"), object(root, source, &scratch.0.join(format!("{n}.o")))?))
    };
    // Each thread takes every n-th source; the answer is sorted by path.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut made = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let share = |t: usize| sources.iter().enumerate().skip(t).step_by(threads).map(one).collect::<Result<Vec<_>>>();
        let workers: Vec<_> = (0..threads).map(|t| scope.spawn(move || share(t))).collect();
        for worker in workers {
            made.extend(worker.join().map_err(|_| anyhow!("a build thread ended early"))??);
        }
        Ok(())
    })?;
    made.sort();
    Ok(made)
}

fn object(root: &Path, source: &Path, out: &Path) -> Result<Vec<u8>> {
    let mut clang = Command::new(CLANG);
    clang.current_dir(root).args(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror"]);
    clang.args(["-fdebug-compilation-dir=.", "-fno-ident"]);
    clang.arg(format!("-ffile-prefix-map={}/=", root.display()));
    // clang takes the last prefix that fits.
    clang.arg("-ffile-prefix-map=/usr/include=include");
    if let Some(multiarch) = multiarch() {
        clang.arg("-isystem").arg(&multiarch);
        clang.arg(format!("-ffile-prefix-map={}=include", multiarch.display()));
    }
    clang.args(own_arguments(source)?);
    run(clang.arg("-c").arg(source).arg("-o").arg(out))?;
    // DWARF goes, BTF stays.
    run(Command::new(STRIP).arg("-g").arg(out))?;
    fs::read(out).with_context(|| format!("cannot read {}", out.display()))
}

/// What a source asks of clang: `// clang: ARGUMENTS`, a line of its own. Of two -mcpu the last one counts.
fn own_arguments(source: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(source).with_context(|| format!("cannot read {}", source.display()))?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("// clang: "));
    Ok(lines.flat_map(str::split_whitespace).map(str::to_owned).collect())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Where Debian puts <asm/types.h>: a folder per architecture, of which clang does not know when it compiles for BPF.
fn multiarch() -> Option<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let path = Path::new("/usr/include").join(triplet);
    path.join("asm/types.h").exists().then_some(path)
}

/// Why a rebuild cannot be compared bit for bit here, if so.
pub(super) fn unfit() -> Result<Option<String>> {
    let missing = missing_packages();
    if !missing.is_empty() {
        return Ok(Some(format!("missing {}", missing.join(" "))));
    }
    let output = Command::new(CLANG).arg("--version").output().context("cannot run clang-19")?;
    let version = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string();
    if !version.contains(&format!("version {CLANG_VERSION} ")) {
        return Ok(Some(format!("needs {CLANG} {CLANG_VERSION}, here is \"{version}\"")));
    }
    for (package, wanted) in HEADERS {
        let version = package_version(package).unwrap_or_default();
        let upstream = version.split_once(':').map_or(version.as_str(), |(_, v)| v);
        if !upstream.starts_with(&format!("{wanted}.")) {
            return Ok(Some(format!("needs {package} {wanted}, here is \"{version}\"")));
        }
    }
    Ok(None)
}

/// The packages whose files are not there.
pub(super) fn missing_packages() -> Vec<&'static str> {
    let present = |package: &str| match package {
        "clang-19" => answers(CLANG),
        "llvm-19" => answers(STRIP),
        "libbpf-dev" => Path::new("/usr/include/bpf/bpf_helpers.h").exists(),
        _ => Path::new("/usr/include/linux/bpf.h").exists(),
    };
    PACKAGES.into_iter().filter(|p| !present(p)).collect()
}

fn answers(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
}

fn package_version(package: &str) -> Option<String> {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder of our own that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("offwire-examples-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost if it stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}
