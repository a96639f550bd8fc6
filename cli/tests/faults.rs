//! A device whose process dies at any moment, and the driver that goes on with the next one.
#![cfg(target_os = "linux")]

mod common;

use common::server::Server;
use common::{Folder, Random, root};
use driver::transport::{VfioUser, VfioUserOptions};
use driver::{
    Backing, Device, Error, Inject, Journaling, Map, OpenOptions, ProgramId, QueueOptions, QueuePair, TxFrame, Update,
};
use offload_compiler::object::{self, LoadOptions};
use offload_compiler::{CompileOptions, compile};
use offwire_hostif::{DispatchChoice, PortFlag};
use offwire_image::Image;
use offwire_isa::SMALL;
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a driver waits for a device.
const DEADLINE: Duration = Duration::from_secs(2);
/// Beyond the deadline, for a machine that is busy with other tests.
const SLACK: Duration = Duration::from_secs(8);
const PORT: u16 = 5;

fn image() -> Image {
    let bytes = std::fs::read(root().join("examples/count/count.o")).expect("the example is there");
    let object = object::load(&bytes, &LoadOptions::default()).expect("it loads");
    compile(&object, &object.programs[0], &SMALL, &CompileOptions::default()).expect("it compiles").image
}

fn open(socket: &Path) -> Result<Device, Error> {
    let transport = VfioUser::connect(socket, VfioUserOptions { deadline: DEADLINE, ..VfioUserOptions::default() })?;
    let options = OpenOptions {
        deadline: DEADLINE,
        backing: Backing::Guarded,
        journal: Journaling::Contents,
        ..OpenOptions::default()
    };
    Device::open(Arc::new(transport), options)
}

/// What a driver does all day.
struct Work {
    device: Device,
    program: ProgramId,
    map: Map,
    queue: QueuePair,
    /// Entries that the device has confirmed.
    written: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The entry that was being written when the device died: it may be there or not.
    open: Option<Vec<u8>>,
    packets: u64,
}

impl Work {
    fn start(device: Device, image: &Image) -> Result<Self, Error> {
        let program = device.load(image, &[])?;
        let spec = offwire_image::MapSpec {
            name: "ledger".to_owned(),
            kind: offwire_image::MapKind::Hash,
            key_size: 4,
            value_size: 8,
            max_entries: 512,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        };
        let map = device.map(device.create_map(&spec, None, None)?)?;
        device.set_port(PORT, PortFlag::UP | PortFlag::CAPTURE, None)?;
        device.attach(PORT, program, DispatchChoice::Proven, None)?;
        let queue = device.queue_pair(0, &QueueOptions { report: true, ..QueueOptions::default() })?;
        Ok(Work { device, program, map, queue, written: BTreeMap::new(), open: None, packets: 0 })
    }

    /// One thing or another.
    fn step(&mut self, random: &mut Random) -> Result<(), Error> {
        match random.below(6) {
            0 | 1 => {
                let key = (random.below(400) as u32).to_le_bytes().to_vec();
                let value = random.next().to_le_bytes().to_vec();
                self.open = Some(key.clone());
                self.map.update(&key, &value, Update::Any)?;
                self.open = None;
                self.written.insert(key, value);
                Ok(())
            }
            2 => self.device.counters(driver::CounterOf::Device).map(drop),
            3 => {
                self.device.attach(PORT, self.program, DispatchChoice::Cpu, Some(Some(self.program)))?;
                Ok(())
            }
            _ => self.packets(random.below(60) + 1),
        }
    }

    /// Sends packets through the program and waits for all of them.
    fn packets(&mut self, count: usize) -> Result<(), Error> {
        let bytes = [0x5a; 64];
        let frame = TxFrame { port: PORT, bytes: &bytes, inject: Some(Inject::default()) };
        let (mut sent, mut came) = (0, 0);
        while came < count {
            let burst = (count - sent).min(self.queue.tx.room());
            sent += self.queue.tx.transmit_burst(&vec![frame; burst])?;
            self.queue.tx.reclaim(|_| ())?;
            let got = self.queue.rx.receive_burst(64, |packet| assert_eq!(packet.frame, bytes))?;
            came += got;
            if got == 0 && !self.queue.rx.wait(DEADLINE)? {
                return Err(Error::Deadline { what: "packets", after: DEADLINE });
            }
        }
        self.packets += count as u64;
        Ok(())
    }
}

fn kills() -> u64 {
    std::env::var("OFFWIRE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// If this fails, a driver hangs when its device dies, or does not know any more what it had done.
#[test]
fn a_device_that_is_killed_is_replaced() {
    let folder = Folder::new("killed");
    let socket = folder.0.join("dev.sock");
    let image = image();
    let arguments = ["dev", "serve", "--socket", &socket.display().to_string(), "--profile", "small", "--time", "free"];
    let mut steps = 0;
    let mut server = Server::start(&arguments).0;
    for seed in 1..=kills() {
        let mut random = Random(seed);
        let device = open(&socket).expect("the device is there");
        let mut work = Work::start(device, &image).expect("it works");
        let delay = Duration::from_micros(random.below(15_000) as u64);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(delay);
            server.signal("-KILL");
            let killed = Instant::now();
            drop(server);
            killed
        });
        let error = loop {
            if let Err(error) = work.step(&mut random) {
                break error;
            }
            steps += 1;
        };
        let seen = Instant::now();
        let killed = killer.join().expect("it kills");
        let took = seen.saturating_duration_since(killed);
        assert!(took < DEADLINE + SLACK, "seed {seed}: {error} only after {took:?}");
        assert!(error.is_gone() || matches!(error, Error::Deadline { .. }), "seed {seed}: {error}");
        // Whatever is asked of it now is refused at once.
        let again = Instant::now();
        assert!(work.device.counters(driver::CounterOf::Device).is_err(), "seed {seed}");
        assert!(again.elapsed() < DEADLINE + SLACK, "seed {seed}");

        // The next device, as it was.
        server = Server::start(&arguments).0;
        let journal = work.device.journal();
        let (written, unsure, packets) = (work.written, work.open, work.packets);
        drop((work.queue, work.map, work.device));
        let device = open(&socket).expect("the next device is there");
        let replayed = device.replay(&journal).expect("what was done can be done again");
        let program = replayed.programs.values().copied().next().expect("the program");
        let made = journal.maps().filter_map(|map| replayed.maps.get(&map).copied());
        let ledger = made.map(|map| device.map(map).expect("it is there")).find(|map| map.info().name == "ledger");
        let ledger = ledger.expect("the map");
        for (key, value) in &written {
            if unsure.as_ref() != Some(key) {
                assert_eq!(ledger.lookup(key).expect("it answers").as_ref(), Some(value), "seed {seed}");
            }
        }
        assert_eq!(device.port(PORT).expect("it answers").program.map(|(id, _)| id), Some(program), "seed {seed}");
        let queue = device.queue_pair(0, &QueueOptions::default()).expect("a queue");
        let mut work = Work { device, program, map: ledger, queue, written, open: None, packets };
        work.packets(20).expect("packets go through");
        work.device.reset().expect("it resets");
    }
    assert!(steps > 0, "no device lived long enough to do anything");
}

/// If this fails, a driver that crashes takes the device's programs with it, or the next one cannot have them.
#[test]
fn a_driver_that_crashes_leaves_its_programs() {
    let folder = Folder::new("adopted");
    let socket = folder.0.join("dev.sock");
    let path = socket.display().to_string();
    let (_server, _) = Server::start(&["dev", "serve", "--socket", &path, "--profile", "small", "--time", "free"]);
    let mut work = Work::start(open(&socket).expect("the device"), &image()).expect("it works");
    work.map.update(&[1, 0, 0, 0], &[7; 8], Update::Any).expect("written");
    work.packets(100).expect("they go through");
    let (program, map) = (work.program, work.map.info().id);
    let before = work.device.info().expect("it answers").life;
    drop((work.queue, work.map, work.device));
    // A driver with its rings on dies without a word.
    let mut crashing = Command::new(env!("CARGO_BIN_EXE_offwire"))
        .args(["event", "pipe", "--dev", &format!("vfio-user:{path}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    std::thread::sleep(Duration::from_millis(300));
    assert!(crashing.try_wait().expect("a child").is_none(), "it waits for events");
    crashing.kill().expect("it dies");
    crashing.wait().expect("it is dead");

    let device = open(&socket).expect("the next driver opens it");
    let inventory = device.inventory().expect("it answers");
    assert_eq!(device.info().expect("it answers").life, before, "nobody has reset it");
    assert_eq!(inventory.programs.iter().map(|info| info.id).collect::<Vec<_>>(), [program]);
    assert_eq!(inventory.ports[usize::from(PORT)].program.map(|(id, _)| id), Some(program));
    let map = device.map(map).expect("the map is there");
    assert_eq!(map.lookup(&[1, 0, 0, 0]).expect("it answers"), Some(vec![7; 8]));
    let queue = device.queue_pair(0, &QueueOptions::default()).expect("a queue");
    let mut work = Work { device, program, map, queue, written: BTreeMap::new(), open: None, packets: 0 };
    work.packets(100).expect("packets go through the adopted program");
}

/// If this fails, a host that does not read for a second stops the device, or is not told what it has lost.
#[test]
fn a_host_that_does_not_read_for_a_second_loses_packets_only() {
    let folder = Folder::new("asleep");
    let (socket, device_end, host_end) = (folder.0.join("dev.sock"), folder.0.join("device"), folder.0.join("host"));
    let wire = UnixDatagram::bind(&host_end).expect("a socket");
    wire.set_write_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let port = format!("{PORT}=unix:{},{}", device_end.display(), host_end.display());
    let path = socket.display().to_string();
    let (_server, _) =
        Server::start(&["dev", "serve", "--socket", &path, "--profile", "small", "--time", "free", "--port", &port]);
    let device = open(&socket).expect("the device");
    let small =
        QueueOptions { receive_entries: driver::ring::Entries::from_log2(3).expect("8"), ..QueueOptions::default() };
    let mut queue = device.queue_pair(0, &small).expect("a queue");
    let mut events = device.events().expect("the events");

    let (begin, mut sent) = (Instant::now(), 0u64);
    while begin.elapsed() < Duration::from_secs(1) {
        wire.send_to(&[0x33; 80], &device_end).expect("the device takes frames");
        sent += 1;
        if sent.is_multiple_of(512) {
            // It answers all the while.
            assert!(device.counters(driver::CounterOf::Port(PORT)).is_ok());
        }
    }
    let until = Instant::now() + DEADLINE + SLACK;
    let counted = loop {
        let counters = device.counters(driver::CounterOf::Device).expect("it answers");
        let (there, lost) =
            (counters.get("host_received").expect("it is one"), counters.get("host_lost").expect("it is one"));
        if there + lost >= sent || Instant::now() > until {
            break (there, lost);
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(counted, (8, sent - 8), "as many as there are buffers, and not one that nobody knows of");
    assert_eq!(u64::from(queue.rx.lost().expect("it answers")), sent - 8);
    // Drops were told, as far as there was room for that.
    let mut told = Vec::new();
    events.drain(&mut told).expect("the ring is whole");
    assert!(told.iter().any(|event| matches!(event, driver::Event::Drop { .. })), "{told:?}");

    // Awake again: what is left, then new ones.
    let mut seen = 0;
    queue.rx.receive_burst(64, |packet| seen += usize::from(packet.frame == [0x33; 80])).expect("they are there");
    assert_eq!(seen, 8);
    wire.send_to(&[0x44; 80], &device_end).expect("the device takes frames");
    assert!(queue.rx.wait(DEADLINE + SLACK).expect("the ring works"));
    queue.rx.receive_burst(1, |packet| assert_eq!(packet.frame, [0x44; 80])).expect("it is there");
}
