//! Tools that a test needs and may not find.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs `program`; `None` if it is not installed. Then a line `SKIP <test>: <what>: <reason>` says so, which `cargo xtask test`
/// counts, unless `OFFWIRE_REQUIRE` names `what`: then it is a failure.
pub(crate) fn run(what: &str, program: &str, args: &[String]) -> Option<Output> {
    match Command::new(program).args(args).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let required = std::env::var("OFFWIRE_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|name| name.trim() == what), "{what} is required: no {program}");
            let thread = std::thread::current();
            let test = thread.name().and_then(|name| name.rsplit("::").next()).unwrap_or("?");
            let line = format!("SKIP {test}: {what}: {program} is not installed\n");
            // Not eprintln!, which the test runner would swallow.
            let _ = std::io::stderr().write_all(line.as_bytes());
            None
        }
        Err(error) => panic!("cannot run {program}: {error}"),
    }
}

/// Both streams as text, for messages.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A file of this name in the build folder.
pub(crate) fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The folder `hw`.
pub(crate) fn hw(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}
