//! Other processes: one that comes second, and ones that are killed at work.
//!
//! The kernel resets a function when a process opens or leaves it, if it knows how. A device whose objects shall outlive their
//! driver must not be reset: `echo > /sys/bus/pci/devices/BDF/reset_method`. If the function is alone behind a port, that is not
//! enough: the kernel then resets the bus when the last process leaves.

use crate::checks::table;
use crate::guest::{Outcome, SOON, ensure, equal, frame, open};
use driver::bus::Bdf;
use driver::{Backing, Device, Inject, QueueOptions, TxFrame, TypedMap, Update};
use offwire_hostif::{DispatchChoice, PortFlag};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Exit code of [`try_to_open`] if the function was free.
const FREE: i32 = 7;
/// What the worker's map holds under key 1.
const KEPT: u64 = 0x6b65_7074;

fn role(arguments: &[&str]) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// Opens the function and says what came of it.
pub(crate) fn try_to_open(function: &str) -> Outcome {
    open(function.parse()?, Backing::Normal)?;
    std::process::exit(FREE);
}

/// While this process has the function, another one is told that it is busy.
pub(crate) fn busy(bdf: Bdf) -> Outcome {
    let answer = role(&["--try", &bdf.to_string()])?.output()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    ensure(answer.status.code() == Some(1), format!("{}: {text}", answer.status))?;
    // EBUSY, as the kernel puts it.
    ensure(text.contains("os error 16"), text.trim())
}

/// Loads, attaches, writes a map, tells what it had, and then sends packets until it is killed.
pub(crate) fn work_until_killed(function: &str, image: &str) -> Outcome {
    let device = open(function.parse()?, Backing::Normal)?;
    let program = device.load_bytes(&fs::read(image)?, &[])?;
    device.attach(3, program, DispatchChoice::Proven, Some(None))?;
    device.set_port(3, PortFlag::UP | PortFlag::CAPTURE, None)?;
    let kept = device.create_map(&table("kept", 64), None, None)?;
    TypedMap::<u32, u64>::new(device.map(kept)?)?.update(&1, &KEPT, Update::Any)?;
    let _events = device.events()?;
    let mut pair = device.queue_pair(0, &QueueOptions::default())?;
    let life = device.info()?.life;
    let bytes = frame(9, 200);
    let mut told = false;
    loop {
        pair.tx.transmit_burst(&[TxFrame { port: 3, bytes: &bytes, inject: Some(Inject::default()) }; 8])?;
        pair.tx.reclaim(|_| ())?;
        pair.rx.wait(SOON)?;
        if pair.rx.receive_burst(64, |_| ())? > 0 && !told {
            told = true;
            println!("{} {}", life.instance, life.resets);
            std::io::stdout().flush()?;
        }
    }
}

/// A process at work, with the life of the device that it saw: instance and resets.
struct Worker {
    child: Child,
    life: (u64, u32),
}

impl Worker {
    fn start(bdf: Bdf, image: &str) -> Outcome<Self> {
        let mut child = role(&["--work", &bdf.to_string(), image])?.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let life = line
            .trim()
            .split_once(' ')
            .and_then(|(instance, resets)| Some((instance.parse().ok()?, resets.parse().ok()?)));
        match (read, life) {
            (Some(Ok(_)), Some(life)) => Ok(Worker { child, life }),
            _ => {
                child.kill()?;
                child.wait()?;
                Err(format!("the worker said {line:?}").into())
            }
        }
    }

    /// SIGKILL, with rings running.
    fn kill(mut self) -> Outcome<(u64, u32)> {
        std::thread::sleep(Duration::from_millis(20));
        let running = self.child.try_wait()?.is_none();
        self.child.kill()?;
        self.child.wait()?;
        ensure(running, "the worker ended by itself")?;
        Ok(self.life)
    }
}

/// True if there is a port between the function and the root bus.
pub(crate) fn is_behind_a_port(bdf: Bdf) -> Outcome<bool> {
    let folder = fs::canonicalize(format!("/sys/bus/pci/devices/{bdf}"))?;
    let above = folder.parent().and_then(|above| above.file_name()).and_then(|name| name.to_str());
    Ok(above.is_some_and(|name| name.parse::<Bdf>().is_ok()))
}

/// As it comes, a function is reset for the next process: all is gone, and the device says so.
pub(crate) fn loses_all(bdf: Bdf, image: &str) -> Outcome {
    let before = Worker::start(bdf, image)?.kill()?;
    let device = open(bdf, Backing::Normal)?;
    let life = device.info()?.life;
    equal("instance", &life.instance, &before.0)?;
    ensure(life.resets > before.1, format!("{} resets, as before the crash", life.resets))?;
    let inventory = device.inventory()?;
    ensure(inventory.programs.is_empty() && inventory.maps.is_empty(), format!("something is left: {inventory:?}"))?;
    ensure(inventory.ports.iter().all(|port| port.program.is_none()), "a port has a program")
}

/// Without a way to reset it the function keeps everything, and the next process goes on with it.
pub(crate) fn leaves_all(bdf: Bdf, image: &str) -> Outcome {
    without_methods(bdf, || adopt(bdf, image))
}

/// Behind a port the bus is reset, and the device says so.
pub(crate) fn loses_all_by_the_bus(bdf: Bdf, image: &str) -> Outcome {
    without_methods(bdf, || loses_all(bdf, image))
}

/// Does something while the kernel knows no way to reset the function.
fn without_methods(bdf: Bdf, run: impl FnOnce() -> Outcome) -> Outcome {
    let method = format!("/sys/bus/pci/devices/{bdf}/reset_method");
    let had = fs::read_to_string(&method)?;
    fs::write(&method, "\n")?;
    let done = run();
    fs::write(&method, "default\n")?;
    done?;
    equal("reset methods", &fs::read_to_string(&method)?, &had)
}

fn adopt(bdf: Bdf, image: &str) -> Outcome {
    let before = Worker::start(bdf, image)?.kill()?;
    let device = open(bdf, Backing::Normal)?;
    let life = device.info()?.life;
    equal("life", &(life.instance, life.resets), &before)?;
    let inventory = device.inventory()?;
    let [program] = &inventory.programs[..] else { return Err(format!("{:?}", inventory.programs).into()) };
    equal("name", &program.name.as_str(), &"xdp_count")?;
    equal("port 3", &device.port(3)?.program.map(|(id, _)| id), &Some(program.id))?;
    let kept = inventory.maps.iter().find(|map| map.name == "kept").ok_or("the map `kept` is gone")?;
    equal("key 1", &TypedMap::<u32, u64>::new(device.map(kept.id)?)?.lookup(&1)?, &Some(KEPT))?;
    goes_on(&device)?;
    device.detach(3, Some(program.id))?;
    device.unload(program.id)?;
    device.free_map(kept.id)?;
    equal("leaked buffers", &device.leaked(), &0)?;
    // The next users get an empty device also without the kernel's reset.
    Ok(device.reset()?)
}

/// The adopted program takes packets of this process.
fn goes_on(device: &Device) -> Outcome {
    let mut pair = device.queue_pair(0, &QueueOptions::default())?;
    let bytes = frame(5, 77);
    let frames = [TxFrame { port: 3, bytes: &bytes, inject: Some(Inject::default()) }];
    equal("frames taken", &pair.tx.transmit_burst(&frames)?, &1)?;
    let mut sizes = Vec::new();
    // Packets of the dead process may still be on their way.
    while !sizes.contains(&77) {
        ensure(pair.rx.wait(SOON)?, format!("not ours among the packets: {sizes:?}"))?;
        pair.rx.receive_burst(64, |packet| sizes.push(packet.frame.len()))?;
    }
    Ok(())
}
