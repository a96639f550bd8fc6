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

/// Form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text for people.
    Text,
    /// One JSON document on one line.
    Json,
    /// One JSON document, indented.
    Pretty,
}

/// The two streams. A reader that goes away (head, less) is no failure of ours: write errors are ignored.
pub struct Output<'a> {
    form: Form,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

impl<'a> Output<'a> {
    /// Results go to `stdout`, diagnostics to `stderr`.
    pub fn new(form: Form, stdout: &'a mut dyn Write, stderr: &'a mut dyn Write) -> Self {
        Output { form, stdout, stderr }
    }

    /// Prints the result: `text` for people, `document` with -j.
    pub fn result(&mut self, document: &impl Serialize, text: impl FnOnce() -> String) {
        let text = match self.form {
            Form::Text => text(),
            Form::Json => serde_json::to_string(document).unwrap_or_default() + "\n",
            Form::Pretty => serde_json::to_string_pretty(document).unwrap_or_default() + "\n",
        };
        let _ = self.stdout.write_all(text.as_bytes());
    }

    /// Prints what people want to read after the result; with -j nothing, as the result is the one document.
    pub fn more(&mut self, text: impl FnOnce() -> String) {
        if self.form == Form::Text {
            self.plain(&text());
        }
    }

    /// Prints text as it is: help and version.
    pub fn plain(&mut self, text: &str) {
        let _ = self.stdout.write_all(text.as_bytes());
    }

    /// Prints a diagnostic: text, or one JSON object on a line.
    pub fn diagnostic(&mut self, diagnostic: &Diagnostic) {
        let text = match self.form {
            Form::Text => diagnostic.to_string(),
            Form::Json | Form::Pretty => diagnostic.to_json(),
        };
        let _ = writeln!(self.stderr, "{text}");
    }
}
