//! Commands on a device that another process serves: what a person without a card types.
#![cfg(target_os = "linux")]

mod common;

use common::server::Server;
use common::{Folder, Ran, example_arguments, model_examples, offwire, root};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::{Duration, Instant};

/// A served device with a state folder of its own.
struct Served {
    _server: Server,
    folder: Folder,
    dev: String,
}

impl Served {
    fn new(name: &str, more: &[&str]) -> Self {
        let folder = Folder::new(name);
        let socket = folder.0.join("dev.sock").display().to_string();
        let arguments = [&["dev", "serve", "--socket", &socket], more].concat();
        let (server, line) = Server::start(&arguments);
        assert!(line.contains("listens"), "{line}");
        Served { _server: server, folder, dev: format!("vfio-user:{socket}") }
    }

    /// Runs a command on it.
    fn run(&self, arguments: &[&str]) -> Ran {
        let state = self.folder.0.join("state").display().to_string();
        offwire(&[arguments, &["-j", "--dev", &self.dev, "--state", &state]].concat())
    }

    /// The same, which must do.
    fn done(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{arguments:?}");
        ran.json()
    }

    /// The same, which must be refused with this code.
    fn refused(&self, arguments: &[&str], code: &str) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.stdout);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        let diagnostics = ran.diagnostics();
        assert_eq!(diagnostics.last().expect("one")["code"], code, "{arguments:?}: {}", ran.stderr);
        ran.stderr
    }
}

fn example(name: &str, file: &str) -> String {
    root().join("examples").join(name).join(file).display().to_string()
}

/// What a run must have in common wherever the device is.
const SAME: [&str; 12] = [
    "packets",
    "verdicts",
    "ebpf_insns",
    "words",
    "slots",
    "cycles",
    "latency_cycles",
    "clock_mhz",
    "dispatch",
    "faults",
    "not_comparable",
    "map_changes",
];

/// If this fails, a device behind the socket is another machine than the model.
#[test]
fn runs_over_the_socket_are_the_models() {
    let served = Served::new("runs", &[]);
    for name in model_examples() {
        let run = |on: &str| {
            let file = |what: &str| served.folder.0.join(format!("{name}-{what}-{}", on.len()));
            let mut arguments: Vec<OsString> = vec!["prog".into(), "run".into(), "-j".into(), "--on".into(), on.into()];
            arguments.extend(example_arguments(&name));
            arguments.extend(["--dump-maps".into(), file("maps").into(), "--out".into(), file("out").into()]);
            let ran = offwire(&arguments);
            assert_eq!(ran.code, 0, "{name} on {on}: {}", ran.stderr);
            let read = |what: &str| std::fs::read(file(what)).expect("it was written");
            (ran.json(), read("maps"), read("out"))
        };
        let (there, here) = (run(&served.dev), run("model"));
        for key in SAME {
            assert!(here.0.get(key).is_some(), "{name}: no {key}");
            assert_eq!(there.0[key], here.0[key], "{name}: {key}");
        }
        assert!(here.0["cycles"].as_u64().is_some_and(|cycles| cycles > 0), "{name}");
        assert_eq!(there.1, here.1, "{name}: maps");
        assert_eq!(there.2, here.2, "{name}: packets");
    }
}

/// If this fails, the device sees other packets, events or redirects than the interpreter.
#[test]
fn a_device_can_be_compared() {
    let served = Served::new("compared", &["--profile", "x64"]);
    for name in ["dns", "redirect_map", "tailparse", "balancer", "rxq"] {
        let on = format!("ref,{}", served.dev);
        let mut arguments: Vec<OsString> = vec!["diff".into(), "-j".into(), "--on".into(), on.into()];
        arguments.extend(example_arguments(name));
        arguments.extend(["--random".into(), "500".into()]);
        let ran = offwire(&arguments);
        assert_eq!(ran.code, 0, "{name}: {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(ran.json()["result"], "equal", "{name}");
    }
}

/// If this fails, separate commands do not see the same programs and maps.
#[test]
fn a_program_lives_from_command_to_command() {
    let served = Served::new("lives", &[]);
    let object = example("firewall", "firewall.o");
    let maps = example("firewall", "maps.json");
    let loaded = served.done(&[
        "prog",
        "load",
        &object,
        "--pin",
        "fw",
        "--pin-maps",
        "fw",
        "--maps",
        &maps,
        "--port",
        "1",
        "--port",
        "2",
    ]);
    assert_eq!(
        (&loaded["type"], &loaded["name"], &loaded["pinned"][0]),
        (&"xdp".into(), &"xdp_firewall".into(), &"fw".into())
    );
    assert_eq!(loaded["ports"], serde_json::json!([1, 2]));
    let id = loaded["id"].to_string();
    assert_eq!(served.done(&["prog", "show", "--id", &id]), loaded);
    assert_eq!(served.done(&["prog", "show"]), serde_json::json!([loaded]));

    let map = served.done(&["map", "show", "--pinned", "fw/flows"]);
    assert_eq!((&map["type"], &map["bytes_key"], &map["frozen"]), (&"hash".into(), &16.into(), &0.into()));
    let dump = served.done(&["map", "dump", "--name", "flows"]);
    let filled: Value = serde_json::from_slice(&std::fs::read(&maps).expect("it is there")).expect("JSON");
    assert_eq!(dump.as_array().map(Vec::len), filled["flows"].as_array().map(Vec::len));
    assert!(dump[0]["formatted"]["key"]["saddr"].is_number(), "{dump}");

    let key = r#"{"saddr":1,"daddr":2,"sport":3,"dport":4,"protocol":6}"#;
    let entry = ["--pinned", "fw/flows", "--key", key];
    served.refused(&[&["map", "lookup"][..], &entry].concat(), "OW1003");
    served.refused(&[&["map", "update", "--exist", "--value", "hex"][..], &["00"; 16], &entry].concat(), "OW1003");
    served.done(&[&["map", "update"][..], &entry, &["--value", r#"{"packets":5,"bytes":6}"#]].concat());
    served.refused(&[&["map", "update", "--noexist", "--value", "7"][..], &entry].concat(), "OW1003");
    let found = served.done(&[&["map", "lookup"][..], &entry].concat());
    assert_eq!(found["formatted"]["value"], serde_json::json!({"packets": 5, "bytes": 6}));
    assert_eq!(found["value"][0], "0x05");

    // All keys, one after the other.
    let mut keys = 0;
    let mut next = served.done(&["map", "getnext", "--name", "flows"]);
    loop {
        keys += 1;
        let list = next["next_key"].as_array().expect("a key").clone();
        let key: Vec<&str> = list.iter().map(|byte| byte.as_str().expect("text")).collect();
        let ran = served.run(&[&["map", "getnext", "--name", "flows", "--key"][..], &key].concat());
        if ran.code != 0 {
            break;
        }
        next = ran.json();
    }
    assert_eq!(keys, dump.as_array().map_or(0, Vec::len) + 1);
    served.done(&[&["map", "delete"][..], &entry].concat());
    served.refused(&[&["map", "delete"][..], &entry].concat(), "OW1003");

    // A second version that keeps the flows.
    let second = served.done(&["prog", "load", &object, "--map", "flows=pinned:fw/flows", "--pin", "fw2"]);
    assert_eq!(second["map_ids"], loaded["map_ids"]);
    served.refused(&["prog", "load", &object, "--pin", "fw"], "OW1007");
    served.refused(&["prog", "unload", "--pinned", "fw"], "OW1003");
    served.refused(&["prog", "swap", "--pinned", "fw2", "--port", "1", "--port", "9"], "OW1003");
    assert_eq!(served.done(&["prog", "show", "--id", &id])["ports"], serde_json::json!([1, 2]), "nothing was swapped");
    let swapped = served.done(&["prog", "swap", "--pinned", "fw2", "--port", "1", "--port", "2"]);
    assert_eq!(swapped[0], serde_json::json!({"port": 1, "program": second["id"], "former": loaded["id"]}));
    served.done(&["prog", "unload", "--pinned", "fw"]);
    served.refused(&["prog", "show", "--pinned", "fw"], "OW1004");
    served.refused(&["prog", "attach", "--pinned", "fw2", "--port", "1", "--expect", "77"], "OW1003");
    served.done(&["prog", "detach", "--port", "2"]);
    served.refused(&["prog", "detach", "--port", "2"], "OW1003");

    served.done(&["map", "freeze", "--pinned", "fw/flows"]);
    served.refused(&[&["map", "update", "--value", "7"][..], &entry].concat(), "OW1003");
}

/// If this fails, names of before a reset name something else afterwards.
#[test]
fn names_end_with_the_device() {
    let served = Served::new("names", &[]);
    let object = example("count", "count.o");
    served.done(&["prog", "load", &object, "--pin", "p", "--pin-maps", "m"]);
    assert_eq!(served.done(&["dev", "reset"])["resets"], 1);
    served.refused(&["prog", "show", "--pinned", "p"], "OW1004");
    served.done(&["prog", "load", &object, "--pin", "p"]);
    // Somebody else resets it.
    let other = served.folder.0.join("other").display().to_string();
    assert_eq!(offwire(&["dev", "reset", "--dev", &served.dev, "--state", &other]).code, 0);
    let ran = served.run(&["prog", "show"]);
    assert_eq!((ran.code, ran.json()), (0, serde_json::json!([])));
    assert_eq!(ran.diagnostics()[0]["code"], "OW1006");
    assert_eq!(served.run(&["prog", "show"]).stderr, "", "told once");
}

/// If this fails, a user reads numbers of the device where names of the object belong, or another CPU's value.
#[test]
fn maps_are_shown_by_their_types() {
    let served = Served::new("types", &["--profile", "small"]);
    served.done(&["prog", "load", &example("count", "count.o")]);
    let maps = served.done(&["map", "show"]);
    let per_cpu = maps.as_array().expect("maps").iter().find(|map| map["type"] == "percpu_array").expect("one");
    let id = per_cpu["id"].to_string();
    let size = per_cpu["bytes_value"].as_u64().expect("a size") as usize;
    let bytes: Vec<String> = (0..size).map(|byte| (byte as u8).to_string()).collect();
    let value: Vec<&str> = bytes.iter().map(String::as_str).collect();
    served.done(&[&["map", "update", "--id", &id, "--key", "1", "--value"][..], &value].concat());
    let found = served.done(&["map", "lookup", "--id", &id, "--key", "1"]);
    assert_eq!(found["values"].as_array().map(Vec::len), Some(4), "one for each vCPU");
    assert_eq!(found["values"][3]["cpu"], 3);
    assert_eq!(found["values"][3]["value"][1], "0x01");
    served.refused(&["map", "lookup", "--id", &id, "--key", "1", "2", "3"], "OW1010");
    served.refused(&["map", "lookup", "--id", "999", "--key", "1"], "OW1004");
}

/// If this fails, what programs tell does not reach a user.
#[test]
fn events_come_out_of_the_pipe() {
    let folder = Folder::new("wire");
    let (device, host) = (folder.0.join("device"), folder.0.join("host"));
    let wire = UnixDatagram::bind(&host).expect("a socket");
    let port = format!("3=unix:{},{}", device.display(), host.display());
    let served = Served::new("events", &["--port", &port, "--time", "free"]);
    let maps = example("dns", "maps.json");
    served.done(&["prog", "load", &example("dns", "dns.o"), "--maps", &maps, "--port", "3"]);
    let ran = offwire(&["event", "pipe", "--idle", "1", "-j", "--dev", &served.dev]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "nothing came in yet: {}", ran.stderr);

    let bytes = std::fs::read(example("dns", "traffic.pcap")).expect("it is there");
    let packets = offwire_harness::capture::read(&bytes).expect("a capture").packets_in();
    let dev = served.dev.clone();
    let pipe =
        std::thread::spawn(move || offwire(&["event", "pipe", "--count", "3", "--idle", "20", "-j", "--dev", &dev]));
    // Again and again: nobody knows when the pipe is open.
    let end = Instant::now() + Duration::from_secs(20);
    while !pipe.is_finished() && Instant::now() < end {
        for packet in &packets {
            // The device drops what it is too slow for; so does a full socket.
            let _ = wire.send_to(&packet.bytes, &device);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = pipe.join().expect("it ends");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    for line in &lines {
        assert_eq!((&line["event"], &line["port"]), (&"ringbuf".into(), &3.into()), "{line}");
        assert!(line["map_name"].is_string() && line["data"].as_array().is_some_and(|data| !data.is_empty()), "{line}");
    }
    let stats = served.done(&["dev", "stats"]);
    assert!(stats["device"]["host_lost"].as_u64().is_some_and(|lost| lost > 0), "nobody received: {stats}");
    let port = &stats["ports"][0];
    assert_eq!(port["port"], 3);
    assert!(port["rx_packets"].as_u64().is_some_and(|packets| packets >= 3), "{stats}");
    assert!(stats["device"]["events"].as_u64().is_some_and(|events| events >= 3), "{stats}");
}

/// If this fails, a user does not learn what is wrong with the device that was asked for.
#[test]
fn devices_that_are_not_there_are_refused() {
    let folder = Folder::new("absent");
    let socket = format!("vfio-user:{}", folder.0.join("no.sock").display());
    for (dev, code, exit) in [
        (socket.as_str(), "OW1001", 1),
        ("0000:7f:1f.7", "OW1001", 1),
        ("rtl", "OW1008", 1),
        ("eth0", "OW0901", 2),
        ("model:big", "OW0901", 2),
    ] {
        let ran = offwire(&["dev", "show", "-j", "--dev", dev]);
        assert_eq!(ran.code, exit, "{dev}: {}", ran.stderr);
        assert_eq!(ran.diagnostics()[0]["code"], code, "{dev}: {}", ran.stderr);
    }
    // A server that never says anything.
    let silent = folder.0.join("silent.sock");
    let _listener = UnixListener::bind(&silent).expect("a socket");
    let dev = format!("vfio-user:{}", silent.display());
    let ran = offwire(&["dev", "show", "-j", "--deadline", "1", "--dev", &dev]);
    assert_eq!((ran.code, &ran.diagnostics()[0]["code"]), (1, &"OW1002".into()), "{}", ran.stderr);
    let ran = offwire(&["dev", "bind", "-j", "0000:7f:1f.7"]);
    assert_eq!((ran.code, &ran.diagnostics()[0]["code"]), (1, &"OW1009".into()));
    let state = folder.0.join("file");
    std::fs::write(&state, "").expect("a file");
    let served = Served::new("state", &[]);
    let ran = offwire(&["prog", "show", "-j", "--dev", &served.dev, "--state", &state.display().to_string()]);
    assert_eq!((ran.code, &ran.diagnostics()[0]["code"]), (1, &"OW1005".into()));
}

/// If this fails, the program that a device in this process was probed for is not the compiler's.
#[test]
fn features_have_bpftools_keys() {
    let ran = offwire(&["feature", "probe", "-j", "--dev", "model:small"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["program_types"]["have_xdp_prog_type"], true);
    assert_eq!(report["map_types"]["have_lru_hash_map_type"], true);
    assert_eq!(report["map_types"]["have_xskmap_map_type"], false);
    let helpers = report["helpers"]["xdp_available_helpers"].as_array().expect("a list");
    assert!(helpers.contains(&"bpf_redirect_map".into()));
    assert_eq!(report["profile"], "small");
    let list = offwire(&["dev", "list", "-j"]);
    assert_eq!((list.code, list.json()), (0, serde_json::json!([])), "{}", list.stderr);
}
