//! The whole way: hosts in network namespaces, the software device between them as a process would serve it, a driver
//! that loads compiled programs into it. Needs root; without it the tests say so and pass.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::hosts::{Host, alone, two_hosts};
use common::{Folder, Served};
use device_model::host::HostConfig;
use driver::transport::{VfioUser, VfioUserOptions};
use driver::{Device, MapId, OpenOptions, ProgramId, Update};
use offload_compiler::{CompileOptions, compile, object};
use offwire_hostif::{DispatchChoice, TimeMode};
use offwire_image::Image;
use offwire_isa::Profile;

fn profile() -> &'static Profile {
    Profile::by_name("small").expect("a profile")
}

/// One program of tests/objects/bridge.c.
fn image(program: &str) -> Image {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects/bridge.o");
    let bytes = std::fs::read(path).expect("the object is there");
    let object = object::load(&bytes, &object::LoadOptions::default()).expect("the object loads");
    let chosen = object.programs.iter().find(|found| found.name == program).expect("the program is there");
    compile(&object, chosen, profile(), &CompileOptions::default()).expect("it compiles").image
}

fn serve(folder: &Folder, time: TimeMode, ports: &[&str]) -> Served {
    let mut config = HostConfig::new(profile());
    config.time = time;
    config.wires = (1 << ports.len()) - 1;
    let (function, doorbells) = offwire_serve::device(config).expect("a device");
    Served::start_any(function, doorbells, &folder.path("s"), ports)
}

fn open(served: &Served) -> Device {
    let transport = VfioUser::connect(&served.socket, VfioUserOptions::default()).expect("connected");
    Device::open(Arc::new(transport), OpenOptions::default()).expect("opened")
}

/// Loads the bridge and wires its two ends.
fn bridge(device: &Device) -> (ProgramId, MapId) {
    let program = device.load(&image("bridge"), &[]).expect("loaded");
    let wires = device.map_of(program, "wires").expect("maps").expect("there");
    for (from, to) in [(1u32, 2u32), (2, 1)] {
        wires.update(&from.to_le_bytes(), &to.to_le_bytes(), Update::Any).expect("wired");
    }
    (program, wires.info().id)
}

/// Sends echo requests in the background; waits long for the last answer.
fn ping(host: &Host, to: &str, count: u32) -> Child {
    ping_for(host, to, count, 5)
}

fn ping_for(host: &Host, to: &str, count: u32, seconds: u32) -> Child {
    let line = host.line(&format!("ping -c {count} -i 0.005 -W {seconds} -q {to}"));
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("nsenter"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("starts")
}

/// What became of them: lost, in percent.
fn lost(ping: Child) -> String {
    let output = ping.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lost = said
        .split(", ")
        .find_map(|part| part.strip_suffix("packet loss").or(part.split_once("% packet loss").map(|(lost, _)| lost)));
    lost.unwrap_or_else(|| panic!("ping said: {said}")).trim_end_matches(['%', ' ']).to_owned()
}

#[test]
fn hosts_talk_through_programs_that_a_driver_loads_and_swaps() {
    alone(|| {
        let folder = Folder::new("live");
        let hosts = two_hosts();
        let served = serve(&folder, TimeMode::Real, &["0=afpacket:sw0", "1=afpacket:sw1"]);
        let device = open(&served);
        // Without a program what comes in goes to the host of the device, which is not there: no bridge.
        assert_eq!(lost(ping_for(&hosts[0], "10.9.0.2", 3, 1)), "100");

        let (bridge, wires) = bridge(&device);
        for port in [0, 1] {
            device.attach(port, bridge, DispatchChoice::Proven, None).expect("attached");
        }
        assert_eq!(lost(ping(&hosts[0], "10.9.0.2", 20)), "0");

        // The guard takes the bridge's place while a ping is under way: not one is lost.
        let image = image("guard");
        let slots: Vec<Option<MapId>> = image.maps.iter().map(|map| (map.name == "wires").then_some(wires)).collect();
        let guard = device.load(&image, &slots).expect("loaded");
        let pinging = ping(&hosts[0], "10.9.0.2", 200);
        for (from, to) in [(bridge, guard), (guard, bridge)].into_iter().cycle().take(101) {
            device.swap(0, from, to, DispatchChoice::Proven).expect("swapped");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(lost(pinging), "0", "a swap loses packets");

        // Host 0 may not ping any more, and is still answered to what it answers.
        let silenced = device.map_of(guard, "silenced").expect("maps").expect("there");
        silenced.update(&[10, 9, 0, 1], &0u64.to_le_bytes(), Update::New).expect("silenced");
        assert_eq!(lost(ping_for(&hosts[0], "10.9.0.2", 7, 1)), "100");
        assert_eq!(lost(ping(&hosts[1], "10.9.0.1", 20)), "0");
        assert_eq!(silenced.lookup(&[10, 9, 0, 1]).expect("read"), Some(7u64.to_le_bytes().to_vec()));

        // The driver goes; the programs work on, and the next one finds them.
        let id = silenced.info().id;
        drop((silenced, device));
        assert_eq!(lost(ping(&hosts[1], "10.9.0.1", 20)), "0");
        let device = open(&served);
        assert_eq!(device.port(0).expect("a port").program.map(|(program, _)| program), Some(guard));
        assert!(device.map(id).expect("there").delete(&[10, 9, 0, 1]).expect("spoken to"));
        assert_eq!(lost(ping(&hosts[0], "10.9.0.2", 20)), "0");
        device.detach(1, Some(bridge)).expect("detached");
        assert_eq!(lost(ping_for(&hosts[0], "10.9.0.2", 3, 1)), "100");
        drop(device);
        let summary = served.stop().expect("a summary");
        assert_eq!((summary.clients.connections, summary.clients.broken), (2, 0), "{summary:?}");
        assert!(summary.complaints.is_empty(), "{summary:?}");
    });
}

#[test]
fn captures_through_a_program_repeat_to_the_cycle() {
    let folder = Folder::new("live-captures");
    let path = |name: &str| folder.path(name);
    // Bursts at the port's rate, with pauses; frames that tell their number.
    let mut ns = 1_767_225_600_000_000_000u64;
    let packets: Vec<(u64, Vec<u8>)> = (0..3000u32)
        .map(|n| {
            let len = 60 + n as usize * 37 % 1400;
            ns += (len as u64 + 24) * 8 / u64::from(profile().port_gbps) + u64::from(n % 500 == 0) * 1_000_000;
            let mut frame = vec![0; len];
            frame[12..14].copy_from_slice(&[0x88, 0xb5]);
            frame[14..18].copy_from_slice(&n.to_be_bytes());
            (ns, frame)
        })
        .collect();
    let file = offwire_capture::write(packets.iter().map(|(ns, frame)| (*ns, frame.as_slice())));
    std::fs::write(path("in.pcap"), file).expect("written");
    let ports = [format!("0=pcap:{}", path("in.pcap").display()), format!("1=pcap:,{}", path("out.pcap").display())];
    let outcomes: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let served = serve(&folder, TimeMode::Virtual, &ports.each_ref().map(String::as_str));
            let device = open(&served);
            let (bridge, _) = bridge(&device);
            device.attach(0, bridge, DispatchChoice::Proven, None).expect("attached");
            let all = std::fs::metadata(path("in.pcap")).expect("there").len();
            common::until("all packets are written", || {
                std::fs::metadata(path("out.pcap")).is_ok_and(|file| file.len() == all)
            });
            device.quiesce().expect("idle");
            let summary = served.stop().expect("a summary");
            assert_eq!((summary.ports[0].1.received, summary.ports[1].1.sent), (3000, 3000), "{summary:?}");
            std::fs::read(path("out.pcap")).expect("there")
        })
        .collect();
    assert!(outcomes[0] == outcomes[1], "two runs differ");
    let out = offwire_capture::read(&outcomes[0]).expect("a capture");
    for (packet, (ns, frame)) in out.packets.iter().zip(&packets) {
        assert!(packet.bytes == *frame, "order and bytes are kept");
        assert!(
            packet.ts_ns > *ns && packet.ts_ns < ns + 100_000,
            "{} ns in the device",
            packet.ts_ns as i64 - *ns as i64
        );
    }
}
