//! Captures: played with their times, written with the device's.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use offwire_capture::{Capture, write_header, write_packet};

use crate::error::ServeError;

/// Largest capture, bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Bytes that are collected before they are written.
const CHUNK: usize = 64 << 10;

/// Reads a capture; all its packets belong to one port.
pub(crate) fn read(path: &Path) -> Result<Capture, ServeError> {
    let failed = |source| ServeError::File { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MOST_BYTES {
        return Err(failed(io::Error::other(format!("it has {size} bytes, more than {MOST_BYTES}"))));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    offwire_capture::read(&bytes)
        .map_err(|diagnostic| ServeError::Capture { path: path.to_owned(), diagnostic: Box::new(diagnostic) })
}

/// A packet that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Nanoseconds since the first packet of all captures.
    pub(crate) ns: u64,
    pub(crate) port: u16,
    pub(crate) frame: Vec<u8>,
}

/// The captures of all ports in one order: by time, then port, then place in the file.
#[derive(Debug, Default)]
pub(crate) struct Playback {
    due: VecDeque<Due>,
    /// Ports with a capture.
    ports: Vec<u16>,
    /// Time of the first packet, nanoseconds since 1970.
    start_ns: u64,
}

impl Playback {
    pub(crate) fn new(captures: Vec<(u16, Capture)>) -> Self {
        let first = |capture: &Capture| capture.packets.first().map(|packet| packet.ts_ns);
        let start_ns = captures.iter().filter_map(|(_, capture)| first(capture)).min().unwrap_or(0);
        let ports = captures.iter().map(|&(port, _)| port).collect();
        let mut due = Vec::new();
        for (port, capture) in captures {
            // Time in a capture may run back; on a wire it does not.
            let mut last = 0;
            for packet in capture.packets {
                last = last.max(packet.ts_ns.saturating_sub(start_ns));
                due.push(Due { ns: last, port, frame: packet.bytes });
            }
        }
        due.sort_by_key(|due| (due.ns, due.port));
        Playback { due: due.into(), ports, start_ns }
    }

    /// Ports that must be open before it starts.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Time of the first packet, nanoseconds since 1970.
    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    pub(crate) fn next(&self) -> Option<&Due> {
        self.due.front()
    }

    pub(crate) fn take(&mut self) -> Option<Due> {
        self.due.pop_front()
    }
}

/// Writes what leaves a port.
pub(crate) struct Recorder {
    file: File,
    pending: Vec<u8>,
}

impl Recorder {
    pub(crate) fn create(path: &Path) -> Result<Self, ServeError> {
        let file = File::create(path).map_err(|source| ServeError::File { path: path.to_owned(), source })?;
        let mut pending = Vec::with_capacity(CHUNK);
        write_header(&mut pending);
        Ok(Recorder { file, pending })
    }

    pub(crate) fn packet(&mut self, ts_ns: u64, frame: &[u8]) -> io::Result<()> {
        write_packet(&mut self.pending, ts_ns, frame);
        if self.pending.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Writes what was collected. What the file does not take is lost.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.pending);
        self.pending.clear();
        result
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Who wants to know of an error flushes before.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offwire_capture::Captured;

    fn capture(times: &[u64], byte: u8) -> Capture {
        let packet = |&ts_ns: &u64| Captured { ts_ns, interface: 0, rx_queue: 0, bytes: vec![byte; 60], wire_len: 60 };
        Capture { packets: times.iter().map(packet).collect() }
    }

    #[test]
    fn captures_are_merged_by_time_and_time_does_not_run_back() {
        let mut playback =
            Playback::new(vec![(1, capture(&[1000, 1500, 1200], 1)), (0, capture(&[1500, 1400, 2000], 0))]);
        assert_eq!(playback.start_ns(), 1000);
        let mut order = Vec::new();
        while let Some(due) = playback.take() {
            order.push((due.ns, due.port));
        }
        assert_eq!(order, [(0, 1), (500, 0), (500, 0), (500, 1), (500, 1), (1000, 0)]);
    }
}
