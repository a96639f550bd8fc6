//! What a test needs and may not find: a privilege, a tool.
//!
//! A test that cannot run says so in one line, `SKIP <what>: <reason> (in <test>)`, which `cargo xtask test` counts. The environment
//! variable `OFFWIRE_REQUIRE` (`host,rtl`) turns a skip into a failure.

use std::io::Write;

/// Environment variable: names, separated by commas, of what must be there.
pub const VARIABLE: &str = "OFFWIRE_REQUIRE";

/// Prints the line that says that the current test is skipped because `what` ("host", "rtl", "z3", ...) is missing.
///
/// # Panics
/// If `OFFWIRE_REQUIRE` names `what`: then missing it is a failure.
pub fn skip_or_fail(what: &str, reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    let required = std::env::var(VARIABLE).unwrap_or_default();
    assert!(!is_required(&required, what), "{what} is required ({VARIABLE}={required}): {reason}");
    // Not eprintln!, which the test runner would swallow. Losing the line is no reason to fail.
    let line = format!("SKIP {what}: {} (in {test})\n", reason.replace('\n', "; "));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn is_required(list: &str, what: &str) -> bool {
    list.split(',').any(|name| name.trim() == what)
}

#[cfg(test)]
mod tests {
    use super::is_required;

    #[test]
    fn a_list_names_what_is_required() {
        assert!(is_required("host", "host"));
        assert!(is_required("rtl, host", "host"));
        assert!(!is_required("", "host"));
        assert!(!is_required("hostile,rtl", "host"), "a name must match as a whole");
    }
}
