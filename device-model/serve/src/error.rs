//! What ends a served device, or keeps it from starting.

use std::io;
use std::path::PathBuf;

use offwire_diag::Diagnostic;
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
