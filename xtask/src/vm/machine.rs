//! The device's process and QEMU, from start to end.

use super::cache::{Cache, with_parent};
use super::console::Verdict;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Where the device listens, in the machine's folder.
const SOCKET: &str = "device.sock";
/// Longest time until the device listens, or has ended.
const SERVE: Duration = Duration::from_secs(30);

/// How often it is looked whether the device is still there.
const GLANCE: Duration = Duration::from_millis(500);

/// The least that the machine needs: memory that can be shared, an IOMMU that tells of what is mapped, and the function behind it.
const MACHINE: &[&str] = &[
    "-M",
    "q35,memory-backend=memory",
    "-object",
    "memory-backend-memfd,id=memory,size=384M,share=on",
    "-m",
    "384",
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max",
    "-smp",
    "1",
    "-nodefaults",
    "-nographic",
    "-no-reboot",
    "-serial",
    "stdio",
    "-device",
    "intel-iommu,caching-mode=on,intremap=on",
    "-append",
    "console=ttyS0 quiet intel_iommu=on panic=-1",
];

/// Where the function is: the kernel can reset the bus below a port, and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the root bus, as a part of the machine.
    RootBus,
    /// Alone behind a port, as a card.
    Port,
}

/// A process that ends with its handle.
struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    fn start(mut command: Command, name: &'static str, errors: File) -> Result<(Self, ChildStdout)> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| format!("vm: SKIP {name}: it cannot be started"))?;
        let output = child.stdout.take().context("stdout")?;
        Ok((Process { child, name }, output))
    }

    /// Waits until it ends by itself.
    fn end(&mut self, by: Instant) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait().context(self.name)? {
                return if status.success() {
                    Ok(())
                } else {
                    bail!("vm: {}: {status}; --keep keeps its log", self.name)
                };
            }
            if Instant::now() >= by {
                bail!("vm: {} does not end", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a process, also written to a file.
fn lines(output: ChildStdout, mut log: File) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for bytes in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
            // A full disk does not make the checks fail.
            let _ = writeln!(log, "{line}");
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Serves the device, boots the guest, and listens until it is off.
pub(super) fn boot(
    folder: &Path,
    cache: &Cache,
    offwire: &Path,
    profile: &str,
    initrd: &Path,
    place: Place,
    timeout: Duration,
) -> Result<Verdict> {
    let log = |name: &str| File::create(folder.join(name)).with_context(|| name.to_owned());
    let mut serve = with_parent(offwire);
    // A path from the root may be longer than a socket's can be.
    serve.args(["dev", "serve", "--profile", profile, "--socket", SOCKET]).current_dir(folder);
    let (mut device, said) = Process::start(serve, "offwire dev serve", log("device.err")?)?;
    let said = lines(said, log("device.log")?);
    match said.recv_timeout(SERVE) {
        Ok(line) => println!("vm: {line}"),
        Err(_) => bail!("vm: the device does not listen; --keep keeps device.err"),
    }

    let mut machine = cache.qemu();
    machine.args(MACHINE).arg("-kernel").arg(cache.kernel()).arg("-initrd").arg(initrd);
    // The socket is a structure, which only this form of -device can have.
    let function =
        r#"{"driver":"vfio-user-pci","bus":"BUS","socket":{"type":"unix","path":"SOCKET"},"x-msg-timeout":60000}"#;
    let bus = match place {
        Place::RootBus => "pcie.0",
        Place::Port => {
            machine.args(["-device", "pcie-root-port,id=above,chassis=1,slot=1"]);
            "above"
        }
    };
    machine.arg("-device").arg(function.replace("SOCKET", SOCKET).replace("BUS", bus)).current_dir(folder);
    let (mut guest, console) = Process::start(machine, "QEMU", log("qemu.err")?)?;
    let console = lines(console, log("console.log")?);
    let by = Instant::now() + timeout;
    let mut verdict = Verdict::default();
    loop {
        match console.recv_timeout(GLANCE) {
            Ok(line) if verdict.line(&line) => println!("{line}"),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // Without its device the guest hangs.
                if let Some(status) = device.child.try_wait()? {
                    bail!("vm: {}: {status}, with the machine running", device.name);
                }
            }
        }
        if Instant::now() >= by {
            println!("vm: the machine was stopped after {} s", timeout.as_secs());
            return Ok(Verdict { counted: None, ..verdict });
        }
    }
    guest.end(by)?;
    let mut stop = Command::new("kill");
    stop.arg(device.child.id().to_string());
    super::succeed(stop, "kill")?;
    device.end(Instant::now() + SERVE)?;
    for line in said.iter() {
        println!("vm: {line}");
    }
    Ok(verdict)
}

/// Whether a command is in the search path.
pub(super) fn present(tool: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).exists()))
}
