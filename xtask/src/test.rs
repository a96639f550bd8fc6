//! `cargo xtask test`: sets up what the tests need and runs them all.
//!
//! Tests that lack a tool or a privilege print `SKIP <what>: <reason>` on stderr and pass; they are counted here and named in
//! the closing lines. `--require host,clang,verilator,z3,yosys,tcpdump,targets` turns such a skip into a failure.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Debian packages whose tools serve as oracles.
const PACKAGES: &[(&str, &str)] = &[
    ("clang-19", "clang-19"),
    ("llvm-strip-19", "llvm-19"),
    ("verilator", "verilator"),
    ("z3", "z3"),
    ("yosys", "yosys"),
    ("tcpdump", "tcpdump"),
    ("/usr/include/bpf/bpf_helpers.h", "libbpf-dev"),
    ("/usr/include/linux/bpf.h", "linux-libc-dev"),
    ("cc", "gcc"),
    ("g++", "g++"),
    ("make", "make"),
    ("ip", "iproute2"),
    ("ping", "iputils-ping"),
    ("kill", "procps"),
    ("python3", "python3"),
];

/// Other machines that the library crates must build for.
const TARGETS: &[&str] =
    &["aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "x86_64-pc-windows-gnu", "wasm32-unknown-unknown"];

/// The crates that must build everywhere.
const PORTABLE: &[&str] = &["offwire-isa", "offwire-image", "offwire-hostif", "offload-compiler", "device-model"];

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: Vec<String>,
    skipped: BTreeMap<String, u64>,
}

impl Tally {
    fn skip(&mut self, what: &str) {
        *self.skipped.entry(what.to_owned()).or_default() += 1;
    }
}

/// Runs the verb.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut require = Vec::new();
    let mut install = true;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--require" => require.extend(rest.next().context("--require wants a list")?.split(',').map(str::to_owned)),
            "--no-install" => install = false,
            other => bail!("cargo xtask test: unknown argument {other}"),
        }
    }
    let mut tally = Tally::default();
    if install {
        install_tools();
    }
    step(&mut tally, "format", cargo(&["fmt", "--all", "--check"]));
    step(&mut tally, "codegen", cargo(&["xtask", "codegen", "--check"]));
    step(&mut tally, "tidy", cargo(&["xtask", "tidy"]));
    tests(&mut tally, &require)?;
    examples(&mut tally, &require);
    step(
        &mut tally,
        "lints",
        cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    );
    targets(&mut tally, &require);

    for (what, count) in &tally.skipped {
        println!("skipped: {what} ({count})");
    }
    for what in &tally.failed {
        println!("failed: {what}");
    }
    let skipped: u64 = tally.skipped.values().sum();
    println!(
        "{} passed, {} failed, {skipped} skipped",
        tally.passed.saturating_sub(skipped_tests(&tally)),
        tally.failed.len()
    );
    if tally.failed.is_empty() { Ok(()) } else { std::process::exit(1) }
}

/// Skips that a test function reported: libtest counted those functions as passed.
fn skipped_tests(tally: &Tally) -> u64 {
    tally
        .skipped
        .iter()
        .filter(|(what, _)| !what.starts_with("target ") && !what.starts_with("step "))
        .map(|(_, count)| count)
        .sum()
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

fn step(tally: &mut Tally, name: &str, mut command: Command) {
    eprintln!("== {name}");
    match command.status() {
        Ok(status) if status.success() => tally.passed += 1,
        Ok(status) => tally.failed.push(format!("{name}: {status}")),
        Err(error) => tally.failed.push(format!("{name}: {error}")),
    }
}

/// Installs missing tools with apt-get where that is possible; what stays missing shows as skips.
fn install_tools() {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(probe, _)| !present(probe)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return;
    }
    eprintln!("== installing {}", missing.join(" "));
    for args in
        [vec!["update", "-qq"], [vec!["install", "-y", "-qq", "--no-install-recommends"], missing.clone()].concat()]
    {
        let done = Command::new("apt-get")
            .args(&args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !done {
            eprintln!("apt-get {} did not work; install by hand: {}", args[0], missing.join(" "));
            return;
        }
    }
}

fn present(probe: &str) -> bool {
    if probe.starts_with('/') {
        return std::path::Path::new(probe).exists();
    }
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(probe).exists()))
}

/// Runs all tests of the workspace and reads libtest's lines.
fn tests(tally: &mut Tally, require: &[String]) -> Result<()> {
    eprintln!("== tests");
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--", "--nocapture"]);
    let mut child = command
        .env("OFFWIRE_REQUIRE", require.join(","))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo test")?;
    let errors = child.stderr.take().context("stderr of cargo test")?;
    let aside = std::thread::spawn(move || {
        let mut skips = Vec::new();
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            skips.extend(skip_name(&line));
            eprintln!("{line}");
        }
        skips
    });
    let output = child.stdout.take().context("stdout of cargo test")?;
    let mut suites = 0;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        println!("{line}");
        if let Some(name) = skip_name(&line) {
            tally.skip(&name);
        }
        if let Some(rest) = line.split("test result: ").nth(1) {
            suites += 1;
            tally.passed += count(rest, " passed");
            for _ in 0..count(rest, " ignored") {
                tally.skip("ignored test");
                tally.passed += 1;
            }
        } else if line.starts_with("test ") && line.ends_with("... FAILED") {
            tally.failed.push(line.trim_start_matches("test ").trim_end_matches(" ... FAILED").to_owned());
        }
    }
    for name in aside.join().unwrap_or_default() {
        tally.skip(&name);
    }
    let status = child.wait()?;
    if !status.success() && tally.failed.is_empty() || suites == 0 {
        tally.failed.push(format!("cargo test: {status}"));
    }
    Ok(())
}

/// The `what` of a line with `SKIP what: reason` in it.
fn skip_name(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("SKIP ")?;
    let (what, _) = rest.split_once(": ")?;
    Some(what.to_owned())
}

fn count(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(word) else { return 0 };
    let start = line[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    line[start..end].parse().unwrap_or(0)
}

/// Objects, captures and map files of the examples are what the sources say.
fn examples(tally: &mut Tally, require: &[String]) {
    if present("clang-19") {
        step(tally, "examples", cargo(&["xtask", "examples", "--check"]));
        return;
    }
    eprintln!("SKIP clang: clang-19 is not installed");
    if require.iter().any(|name| name == "clang") {
        tally.failed.push("examples: clang-19 is not installed".to_owned());
    } else {
        tally.skip("step examples");
    }
}

/// `cargo check` of the portable crates for other machines.
fn targets(tally: &mut Tally, require: &[String]) {
    for target in TARGETS {
        let added = Command::new("rustup")
            .args(["target", "add", target])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !added {
            let what = format!("target {target}");
            eprintln!("SKIP {what}: rustup target add failed");
            if require.iter().any(|name| name == "targets") {
                tally.failed.push(what);
            } else {
                tally.skip(&what);
            }
            continue;
        }
        let mut command = cargo(&["check", "--quiet", "--target", target]);
        for name in PORTABLE {
            command.args(["--package", name]);
        }
        step(tally, &format!("check for {target}"), command);
    }
}
