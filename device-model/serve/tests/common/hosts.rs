//! Hosts in network namespaces of their own.

use std::process::{Child, Command, Output, Stdio};
use std::thread;

use offwire_harness::require::skip_or_fail;

/// Runs a command and gives what it says.
pub(crate) fn run(line: &str) -> Output {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a command"));
    command.args(words).stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Runs a command that must succeed.
pub(crate) fn must(line: &str) -> String {
    let output = run(line);
    assert!(
        output.status.success(),
        "{line}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A network namespace that lives as long as its process.
pub(crate) struct Host(pub(crate) Child);

impl Host {
    pub(crate) fn new() -> Self {
        // `cat` waits for this process to end.
        let child = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare starts");
        let host = Host(child);
        let ours = std::fs::read_link("/proc/thread-self/ns/net").expect("Linux");
        super::until("the host has a namespace of its own", || {
            std::fs::read_link(format!("/proc/{}/ns/net", host.0.id())).is_ok_and(|theirs| theirs != ours)
        });
        host
    }

    pub(crate) fn line(&self, line: &str) -> String {
        format!("nsenter --target {} --net {line}", self.0.id())
    }

    pub(crate) fn must(&self, line: &str) -> String {
        must(&self.line(line))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a test in a thread with a network namespace of its own, which its children share; says why if that cannot be.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    let worker = thread::spawn(move || {
        // SAFETY: unshare takes a number; this thread alone changes its namespace.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err("CAP_SYS_ADMIN for a network namespace");
        }
        for tool in ["ip -V", "unshare -V", "nsenter -V", "ping -V"] {
            let name = tool.split(' ').next().unwrap_or_default();
            if Command::new(name).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                return Err("the tools ip, unshare, nsenter and ping");
            }
        }
        test();
        Ok(())
    });
    match worker.join() {
        Ok(Ok(())) => {}
        Ok(Err(lacking)) => skip_or_fail("namespaces", &format!("it needs {lacking}")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Two hosts with a veth each whose other ends, `sw0` and `sw1`, are here.
pub(crate) fn two_hosts() -> [Host; 2] {
    let hosts = [Host::new(), Host::new()];
    for (n, host) in hosts.iter().enumerate() {
        must(&format!("ip link add sw{n} type veth peer name eth0 netns {}", host.0.id()));
        // Without IPv6's own chatter frames can be counted.
        must(&format!("sysctl -qw net.ipv6.conf.sw{n}.disable_ipv6=1"));
        must(&format!("ip link set sw{n} up"));
        host.must("ip link set lo up");
        host.must(&format!("ip addr add 10.9.0.{}/24 dev eth0", n + 1));
        host.must("ip link set eth0 up");
    }
    hosts
}
