//! What the tests of the command line share.
#![allow(dead_code, reason = "each test file uses its own part")]

#[cfg(target_os = "linux")]
pub(crate) mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Stdout as the one JSON document that it must be.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("stdout is not one JSON document: {error}\n{}\n{}", self.stdout, self.stderr)
        })
    }

    /// Stderr as the JSON lines that it must be with -j: each an object with code, severity and message.
    pub(crate) fn diagnostics(&self) -> Vec<serde_json::Value> {
        let one = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not a JSON line: {error}\n{line}\nof\n{}", self.stderr));
            let has = |key: &str| value[key].as_str().is_some_and(|text| !text.is_empty());
            assert!(has("code") && has("severity") && has("message"), "not a diagnostic: {line}");
            value
        };
        self.stderr.lines().map(one).collect()
    }
}

/// Runs the command in this process.
pub(crate) fn offwire<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    let mut line: Vec<OsString> = vec!["offwire".into()];
    line.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = offwire_cli::run(line, &mut stdout, &mut stderr);
    Ran {
        code,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A folder of this test process, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("offwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test's files");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of the examples, ascending.
pub(crate) fn examples() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("examples"))
        .expect("examples/ is there")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Examples that the device cannot run yet: the compiler refuses one of their instructions, helpers or maps.
pub(crate) const NOT_ON_MODEL: [&str; 0] = [];

/// Examples that the device runs, ascending.
pub(crate) fn model_examples() -> Vec<String> {
    let all = examples();
    for name in NOT_ON_MODEL {
        assert!(all.iter().any(|example| example == name), "there is no example {name}");
    }
    all.into_iter().filter(|name| !NOT_ON_MODEL.contains(&name.as_str())).collect()
}

/// The arguments that name an example's object, program, capture and maps.
pub(crate) fn example_arguments(name: &str) -> Vec<OsString> {
    let folder = root().join("examples").join(name);
    let mut arguments: Vec<OsString> = vec![folder.join(format!("{name}.o")).into()];
    arguments.extend(["--prog".into(), format!("xdp_{name}").into()]);
    arguments.extend(["--pcap".into(), folder.join("traffic.pcap").into()]);
    let maps = folder.join("maps.json");
    if maps.exists() {
        arguments.extend(["--maps".into(), maps.into()]);
    }
    arguments
}

/// Back ends to compare: the kernel too where bpf(2) works.
pub(crate) fn all_backends() -> &'static str {
    match offwire_harness::host::available() {
        Ok(()) => "host,ref,model",
        Err(diagnostic) => {
            offwire_harness::require::skip_or_fail("host", &diagnostic.to_string());
            "ref,model"
        }
    }
}

/// xorshift64*, so that a failure can be repeated by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}
