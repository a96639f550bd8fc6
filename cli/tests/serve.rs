//! `dev serve` as a process: what it says, how it ends, how it is found again.
#![cfg(target_os = "linux")]

mod common;

use common::{Folder, offwire};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A served device in a process of its own.
struct Server {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(arguments: &[&str]) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offwire"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        (Server { child, said }, line)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits for the end; gives the rest of what it said.
    fn end(mut self) -> (ExitStatus, String, String) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.said.read_to_string(&mut stdout).expect("text");
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("text");
        (self.child.wait().expect("a child"), stdout, stderr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A vfio-user conversation by hand: the version, then the device's first register.
fn magic(socket: &Path) -> u32 {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let message = |command: u16, body: &[u8]| {
        let header =
            [&0u16.to_le_bytes()[..], &command.to_le_bytes(), &(16 + body.len() as u32).to_le_bytes(), &[0; 8]];
        [&header.concat(), body].concat()
    };
    let mut call = |command: u16, body: &[u8]| {
        stream.write_all(&message(command, body)).expect("sent");
        let mut header = [0; 16];
        stream.read_exact(&mut header).expect("an answer");
        let mut answer = vec![0; u32::from_le_bytes(*header[4..].first_chunk().expect("inside")) as usize - 16];
        stream.read_exact(&mut answer).expect("an answer");
        answer
    };
    call(1, &[0; 4]);
    let answer = call(9, &[&[0; 12][..], &4u32.to_le_bytes()].concat());
    u32::from_le_bytes(*answer[16..].first_chunk().expect("a register"))
}

/// "OFWR".
const MAGIC: u32 = 0x5257_464f;

#[test]
fn a_device_is_served_until_it_is_told_to_end() {
    let folder = Folder::new("serve");
    let socket = folder.0.join("dev.sock");
    let path = socket.display().to_string();
    for signal in ["-TERM", "-INT"] {
        let (server, line) = Server::start(&["dev", "serve", "--socket", &path, "--profile", "small"]);
        assert_eq!(line, format!("{path}: device small listens, virtual time, 0 ports\n"));
        assert_eq!(magic(&socket), MAGIC);
        assert_eq!(magic(&socket), MAGIC, "the next driver finds it too");
        let refused = offwire(&["dev", "serve", "--socket", &path]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("OW0611") && refused.stderr.contains("already"), "{}", refused.stderr);
        server.signal(signal);
        let (status, stdout, stderr) = server.end();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
        assert_eq!(stdout, "ended: 2 clients, 4 messages, 0 of them refused\n");
        assert!(!socket.exists(), "the socket is gone");
    }
}

#[test]
fn a_killed_device_is_replaced() {
    let folder = Folder::new("serve-killed");
    let socket = folder.0.join("dev.sock");
    let path = socket.display().to_string();
    let (server, _) = Server::start(&["dev", "serve", "--socket", &path]);
    assert_eq!(magic(&socket), MAGIC);
    server.signal("-KILL");
    let (status, ..) = server.end();
    assert!(!status.success() && socket.exists(), "it had no time to tidy up");
    let (_server, _) = Server::start(&["dev", "serve", "--socket", &path]);
    assert_eq!(magic(&socket), MAGIC);
}

#[test]
fn with_json_the_only_document_says_what_is_served() {
    let folder = Folder::new("serve-json");
    let socket = folder.0.join("dev.sock");
    let path = socket.display().to_string();
    let (own, peer) = (folder.0.join("own"), folder.0.join("peer"));
    let unix = format!("unix:{},{}", own.display(), peer.display());
    let (server, line) = Server::start(&[
        "-j",
        "dev",
        "serve",
        "--socket",
        &path,
        "--port",
        "0=pcap:,/dev/null",
        "--port",
        &format!("3={unix}"),
    ]);
    let said: serde_json::Value = serde_json::from_str(&line).expect("one document");
    let want = serde_json::json!({
        "socket": path, "profile": "x16", "time": "real",
        "ports": [{"port": 0, "wire": "pcap:,/dev/null"}, {"port": 3, "wire": unix}],
    });
    assert_eq!(said, want);
    // A stranger on the line: told at the end.
    let mut stranger = UnixStream::connect(&socket).expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let _ = stranger.read_to_end(&mut Vec::new());
    server.signal("-TERM");
    let (status, stdout, stderr) = server.end();
    assert_eq!((status.code(), stdout.as_str()), (Some(0), ""));
    let told: serde_json::Value = serde_json::from_str(&stderr).expect("a diagnostic");
    assert_eq!((&told["code"], &told["severity"]), (&"OW0614".into(), &"warning".into()), "{told}");
    assert!(!own.exists());
}

#[test]
fn what_cannot_be_served_is_told() {
    let folder = Folder::new("serve-refused");
    let path = folder.0.join("dev.sock").display().to_string();
    let refused = |port: &str| offwire(&["dev", "serve", "--socket", &path, "--port", port]);
    for (port, code, exit) in [
        ("0", "OW0901", 2),
        ("0=wire:x", "OW0901", 2),
        ("64=pcap:,/dev/null", "OW0612", 1),
        ("0=afpacket:offwire-none", "OW0612", 1),
        ("0=pcap:/nowhere/in.pcap", "OW0902", 1),
        ("0=pcap:/dev/null", "OW0701", 1),
    ] {
        let refused = refused(port);
        assert_eq!(refused.code, exit, "{port}: {}", refused.stderr);
        assert!(refused.stderr.contains(code), "{port}: {}", refused.stderr);
    }
    std::fs::write(&path, "mine").expect("written");
    let refused = offwire(&["dev", "serve", "--socket", &path]);
    assert!(refused.code == 1 && refused.stderr.contains("OW0611"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "mine");
}
