//! What goes to stdout and stderr.

use offwire_diag::{Code, Diagnostic};
use serde::Serialize;
use std::io::Write;

/// Why a command ends without success: messages, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// What to tell the user.
    pub diagnostics: Vec<Diagnostic>,
    /// 1 refused or differing, 2 wrong use.
    pub code: u8,
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure { diagnostics: vec![diagnostic], code: 1 }
    }
}

impl Failure {
    /// Wrong use of the command: exit code 2.
    pub fn usage(code: Code, message: impl Into<String>) -> Self {
        Failure { diagnostics: vec![Diagnostic::error(code, message)], code: 2 }
    }
}

/// Result of a command: its exit code, or why not.
pub type Outcome = Result<u8, Failure>;

/// The two streams.
#[derive(Debug)]
pub struct Output {
    json: bool,
    pretty: bool,
}

impl Output {
    /// `json`: one document on stdout; `pretty`: indented.
    pub fn new(json: bool, pretty: bool) -> Self {
        Output { json, pretty }
    }

    /// True if the user wants JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Prints the result: `text` for people, `document` with -j.
    pub fn result(&mut self, document: &impl Serialize, text: impl FnOnce() -> String) {
        let text = if !self.json {
            text()
        } else if self.pretty {
            serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
        } else {
            serde_json::to_string(document).unwrap_or_default() + "\n"
        };
        // A reader that went away (head, less) is no failure of ours.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Prints a diagnostic on stderr.
    pub fn diagnostic(&mut self, diagnostic: &Diagnostic) {
        let text = if self.json { diagnostic.to_json() } else { diagnostic.to_string() };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
