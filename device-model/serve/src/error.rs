//! What ends a served device, or keeps it from starting.

use std::io;
use std::path::PathBuf;

use offwire_diag::{Diagnostic, codes};
use offwire_hostmem::MemoryError;

/// Why a device is not served, or not any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The path of the socket cannot be used.
    #[error("cannot listen at {}: {reason}", path.display())]
    Socket {
        /// Path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The device has no such port, or it has a wire already.
    #[error("port {port} cannot have a wire: {reason}")]
    Number {
        /// Port.
        port: u16,
        /// Why.
        reason: String,
    },
    /// The wire of a port cannot be had.
    #[error("port {port} cannot be connected to {what}: {source}")]
    Port {
        /// Port.
        port: u16,
        /// Wire.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A capture cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is no capture.
    #[error("{}: {diagnostic}", path.display())]
    Capture {
        /// Path.
        path: PathBuf,
        /// What is wrong.
        diagnostic: Box<Diagnostic>,
    },
    /// No shared memory, no eventfd.
    #[error("the machine refuses what a served device needs: {0}")]
    Memory(#[from] MemoryError),
    /// The system refuses something else.
    #[error("the machine refuses what a served device needs: {0}")]
    System(#[from] io::Error),
    /// The device panicked: a mistake of ours.
    #[error("the device model failed: {0}")]
    Device(String),
}

impl ServeError {
    /// For a user.
    pub fn diagnostic(self) -> Diagnostic {
        match self {
            ServeError::Socket { path, reason } => {
                Diagnostic::error(codes::device::SERVE_SOCKET, "the device cannot be served at this path")
                    .with_file(path.display().to_string())
                    .with_reason(reason)
            }
            ServeError::Number { port, reason } => {
                Diagnostic::error(codes::device::SERVE_PORT, format!("port {port} cannot be connected"))
                    .with_reason(reason)
            }
            ServeError::Port { port, what, source } => {
                let denied = source.kind() == io::ErrorKind::PermissionDenied;
                let diagnostic =
                    Diagnostic::error(codes::device::SERVE_PORT, format!("port {port} cannot be connected to {what}"))
                        .with_reason(source.to_string());
                if denied {
                    diagnostic.with_help("run as root, or with CAP_NET_RAW and CAP_NET_ADMIN")
                } else {
                    diagnostic
                }
            }
            ServeError::File { path, source } => {
                Diagnostic::error(codes::cli::FILE, format!("a capture cannot be read or written: {source}"))
                    .with_file(path.display().to_string())
            }
            ServeError::Capture { path, diagnostic } => diagnostic.with_file(path.display().to_string()),
            error @ (ServeError::Memory(_) | ServeError::System(_) | ServeError::Device(_)) => {
                Diagnostic::error(codes::device::SERVE_FAILED, error.to_string())
            }
        }
    }
}
