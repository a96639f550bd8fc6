//! `cargo xtask vm`: the driver against the kernel's VFIO, in a virtual machine whose PCI function is `offwire dev serve`.
//!
//! Host: the served device and QEMU, joined by vfio-user. Guest: a stock Debian kernel with an emulated IOMMU and vfio-pci, and
//! driver/src/bin/vfio_check, which says PASS or FAIL for each check. No KVM, and no root once the cache is there.

mod cache;
mod console;
mod initrd;
mod machine;

use anyhow::{Context, Result, bail, ensure};
use cache::Cache;
use machine::Place;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: cargo xtask vm [--keep] [--timeout SECONDS]

  --keep              leave initrd, image and logs in target/vm-run
  --timeout SECONDS   longest time for a machine, 300 by default; there are two

QEMU and kernel are in target/vm, or in $OFFWIRE_VM_CACHE; they are made if they are not there (300 MB, as root).";

/// The guest's programs are linked statically.
const TARGET: &str = "x86_64-unknown-linux-musl";
/// The program that runs on the device, below the repository.
const PROGRAM: &str = "examples/count/count.o";
/// Device and image.
const PROFILE: &str = "x16";

/// The verb.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut keep, mut timeout) = (false, Duration::from_secs(300));
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--keep" => keep = true,
            "--timeout" => {
                let seconds = rest.next().context("--timeout wants a number of seconds")?;
                timeout = Duration::from_secs(seconds.parse().with_context(|| format!("--timeout {seconds}"))?);
            }
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            other => bail!("vm: unknown argument {other}\n{USAGE}"),
        }
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("vm: SKIP host: QEMU and kernel are made for Linux on x86-64");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    let target = target()?;
    let cache = Cache::make(&std::env::var_os("OFFWIRE_VM_CACHE").map_or_else(|| target.join("vm"), PathBuf::from))?;
    let (offwire, check) = programs(root, &target)?;

    let folder = target.join("vm-run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let outcome = check_in(&folder, &cache, &offwire, &root.join(PROGRAM), &check, timeout);
    if keep {
        println!("vm: {} is kept", folder.display());
    } else {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    outcome
}

/// Boots a machine with the function on the root bus, and one with it behind a port.
fn check_in(
    folder: &Path,
    cache: &Cache,
    offwire: &Path,
    program: &Path,
    check: &Path,
    timeout: Duration,
) -> Result<()> {
    let image = folder.join("program.img");
    let mut build = Command::new(offwire);
    build.args(["prog", "build", "--profile", PROFILE, "--output"]).arg(&image).arg(program);
    succeed(build, "offwire prog build")?;
    let initrd = folder.join("initrd");
    fs::write(&initrd, initrd::make(cache, check, &image)?).context("cannot write the initrd")?;
    let mut outcome = Ok(());
    for (place, name) in [(Place::RootBus, "root-bus"), (Place::Port, "port")] {
        let folder = folder.join(name);
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let start = Instant::now();
        let verdict = machine::boot(&folder, cache, offwire, PROFILE, &initrd, place, timeout)?;
        let took = start.elapsed().as_secs_f32();
        println!("vm: {name}: {} passed, {} failed, {took:.1} s", verdict.passed, verdict.failed);
        // The other machine may tell why.
        outcome = outcome.and(verdict.judge());
    }
    outcome
}

/// Builds the command and the guest's program: their paths.
fn programs(root: &Path, target: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut add = Command::new("rustup");
    succeed(quiet(add.args(["target", "add", TARGET])), "rustup target add")
        .with_context(|| format!("vm: SKIP {TARGET}: the compiler has no such target"))?;
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet"]).current_dir(root);
        cargo
    };
    let mut host = cargo();
    host.args(["--package", "offwire-cli"]);
    succeed(host, "cargo build --package offwire-cli")?;
    let mut guest = cargo();
    guest.args(["--package", "driver", "--bin", "vfio_check", "--target", TARGET]);
    succeed(guest, "cargo build of driver/src/bin/vfio_check")?;
    Ok((target.join("debug/offwire"), target.join(TARGET).join("debug/vfio_check")))
}

/// The folder that cargo builds into: xtask lies in `debug` of it.
fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("where xtask is")?;
    let target = exe.parent().and_then(Path::parent).context("xtask lies in the target folder")?;
    Ok(target.to_owned())
}

/// Silences a command's standard output.
fn quiet(command: &mut Command) -> Command {
    let mut silent = Command::new(command.get_program());
    silent.args(command.get_args()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    silent
}

/// Runs a command that must succeed.
fn succeed(mut command: Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| what.to_owned())?;
    ensure!(status.success(), "{what}: {status}");
    Ok(())
}
