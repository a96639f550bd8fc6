//! Lines of bpf_trace_printk, read from an instance of the kernel's tracer that is ours alone.

use super::sys;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where tracefs is.
const TRACEFS: &str = "/sys/kernel/tracing";
/// What stands before each line, after task, CPU and time.
const MARK: &str = ": bpf_trace_printk: ";

/// An instance of the tracer that sees the calling thread's lines.
pub(super) struct Lines {
    folder: PathBuf,
    pipe: Option<File>,
    /// What a line of this thread carries: "-TID ".
    task: String,
}

impl Lines {
    /// Makes the instance; tracefs is mounted for this thread if it was not.
    pub(super) fn open() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let instances = Path::new(TRACEFS).join("instances");
        if !instances.exists() {
            sys::mount_tracefs(c"/sys/kernel/tracing")?;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = instances.join(format!("offwire-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let task = sys::thread_id();
        let mut lines = Self { folder, pipe: None, task: format!("-{task} ") };
        fs::write(lines.folder.join("set_event_pid"), task.to_string())?;
        fs::write(lines.folder.join("events/bpf_trace/bpf_trace_printk/enable"), "1")?;
        let pipe =
            fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(lines.folder.join("trace_pipe"))?;
        lines.pipe = Some(pipe);
        Ok(lines)
    }

    /// All lines since the last call, oldest first.
    pub(super) fn drain(&mut self) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        if let Some(pipe) = &mut self.pipe {
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(len) => bytes.extend_from_slice(buffer.get(..len).unwrap_or(&[])),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(split(&String::from_utf8_lossy(&bytes), &self.task))
    }
}

/// Texts of the lines of a task. A text may have line ends of its own: it goes on to the next line that begins like one.
fn split(all: &str, task: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for line in all.split_inclusive('\n') {
        match line.split_once(MARK) {
            Some((before, text)) if before.contains(task) => texts.push(text.to_owned()),
            _ => {
                if let Some(last) = texts.last_mut() {
                    last.push_str(line);
                }
            }
        }
    }
    for text in &mut texts {
        // The tracer ends each line.
        if text.ends_with('\n') {
            text.pop();
        }
    }
    texts
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.pipe = None;
        // An instance that stays is empty and harmless.
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_may_have_line_ends() {
        let all = " offwire-host-7      [000] ....1  12.5: bpf_trace_printk: a\nb\n\n offwire-host-7   [000] b..1 13: bpf_trace_printk: \n";
        assert_eq!(super::split(all, "-7 "), ["a\nb\n", ""]);
        assert!(super::split(all, "-8 ").is_empty());
    }
}
