//! The [`Diagnostic`]: what a user sees when something is refused or looks wrong.
//!
//! Every failure that reaches a user is a `Diagnostic`: a stable code (`OW0301`), a severity, one sentence that says
//! what is wrong, where (object, function, instruction, C file and line), the reason, the path that leads there and a
//! way out. The same value prints as text and as one JSON line. Codes are listed in [`codes`]; each has a page that
//! `offwire explain CODE` prints.
//!
//! This crate knows nobody of ours and does no I/O.
#![forbid(unsafe_code)]

pub mod codes;

use serde::Serialize;
use std::fmt;

pub use codes::Code;

/// How bad it is. `Error` makes a command exit 1, `Warning` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The request was refused or failed.
    Error,
    /// The request went on, but the user should know.
    Warning,
}

/// A place in a program. All parts are optional, because objects may lack line information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// eBPF instruction number inside the program (8-byte slots, as the kernel and llvm-objdump count).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insn: Option<u32>,
    /// The instruction as text, in the kernel's syntax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insn_text: Option<String>,
    /// C function or program name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Source file, as BTF line information names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based source line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based source column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The text of the source line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Span {
    /// True if nothing is known about the place.
    pub fn is_empty(&self) -> bool {
        *self == Span::default()
    }
}

/// One step of the path that leads to the failure, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where.
    #[serde(flatten)]
    pub span: Span,
    /// What happened there ("branch taken", "R1 is now a packet pointer").
    pub what: String,
}

/// One message for the user. Build it with [`Diagnostic::error`] and the `with_*` methods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code; see [`codes`].
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// The file that the message is about (object, capture, map file, image).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in the program.
    #[serde(skip_serializing_if = "Span::is_empty")]
    pub span: Span,
    /// Why it is refused, with the values that matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The path that leads there, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Step>,
    /// A way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A new error with nothing but its code and sentence.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message.into())
    }

    /// A new warning with nothing but its code and sentence.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message.into())
    }

    fn new(code: Code, severity: Severity, message: String) -> Self {
        Self { code, severity, message, file: None, span: Span::default(), reason: None, path: Vec::new(), help: None }
    }

    /// Names the file that the message is about.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Sets the place in the program.
    #[must_use]
    pub fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Sets the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the path that leads there.
    #[must_use]
    pub fn with_path(mut self, path: Vec<Step>) -> Self {
        self.path = path;
        self
    }

    /// Sets the way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The message as one JSON object on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|e| format!("{{\"code\":\"{}\",\"message\":\"{e}\"}}", self.code))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            gap = " ";
        }
        if let Some(function) = &self.function {
            write!(f, "{gap}in {function}")?;
            gap = " ";
        }
        if let Some(insn) = self.insn {
            write!(f, "{gap}at instruction {insn}")?;
            if let Some(text) = &self.insn_text {
                write!(f, ": {text}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}[{}]: ", self.code)?;
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        write!(f, "{}", self.message)?;
        if !self.span.is_empty() {
            write!(f, "\n  --> {}", self.span)?;
            if let Some(source) = &self.span.source {
                write!(f, "\n   |  {}", source.trim())?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, "\n  reason: {reason}")?;
        }
        for step in &self.path {
            write!(f, "\n  path: {}", step.what)?;
            if !step.span.is_empty() {
                write!(f, " ({})", step.span)?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
