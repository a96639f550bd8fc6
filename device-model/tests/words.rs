//! File tests: small programs in `tests/files/*.uc`, what goes in, and all that comes out, cycles too.
//!
//! A file holds cases: `== name`, directives that start with `#`, words (the n-th is at address n; an empty line or a comment
//! is none), `--`, and the expected text. `BLESS=1` rewrites it. Directives:
//!
//! * `# profile small|x16|tiny` (x16), `# mode cpu|flow|any` (cpu), `# budget CYCLES` (10000)
//! * `# map NAME KIND KEY VALUE ENTRIES [frozen] [HEX]`: sizes in bytes, initial contents
//! * `# entry NAME KEY VALUE`: in hex
//! * `# link NAME KEY TO`: an initial element, program or map-table slot `TO`; `# lock NAME OFFSET`: a spin lock
//! * `# program ADDRESS`: where the next program starts that tail calls can go to
//! * `# packet HEX [*LENGTH] [port N] [ifindex N] [queue N] [vcpu N]`: filled up with zeros to LENGTH
//! * `# chance KTIME_NS JIFFIES RANDOM_STATE`: time stands still, random numbers start there
//! * `# together`: all packets are offered at cycle 0; else one after the other, on vCPU 0
mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{TINY, map};
use device_model::{Arrival, Departure, Device, DeviceEvent, MapId, MapImage, Redirect, Scheduler, Update};
use offwire_image::{DispatchMode, Link, Lock, MapKind, MapSpec};
use offwire_isa::{CodeAddr, Profile, Word};

struct Case {
    name: String,
    profile: &'static Profile,
    mode: DispatchMode,
    budget: u32,
    maps: Vec<MapSpec>,
    entries: Vec<(usize, Vec<u8>, Vec<u8>)>,
    packets: Vec<Arrival>,
    together: bool,
    chance: Option<[u64; 3]>,
    links: Vec<Link>,
    locks: Vec<Lock>,
    programs: Vec<CodeAddr>,
    words: Vec<Word>,
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.chars().map(|digit| digit.to_digit(16).unwrap_or_else(|| panic!("hex: {text}"))).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Hex; `(N)` stands for N zeros where there are many.
fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = bytes;
    while let Some(&byte) = rest.first() {
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        if zeros > 8 {
            let _ = write!(out, "({zeros})");
            rest = &rest[zeros..];
        } else {
            let _ = write!(out, "{byte:02x}");
            rest = &rest[1..];
        }
    }
    out
}

fn parse(source: &str) -> Case {
    let mut lines = source.lines();
    let mut case = Case {
        name: lines.next().unwrap_or_default().trim().to_owned(),
        profile: &offwire_isa::X16,
        mode: DispatchMode::Cpu,
        budget: 10_000,
        maps: Vec::new(),
        entries: Vec::new(),
        packets: Vec::new(),
        together: false,
        chance: None,
        links: Vec::new(),
        locks: Vec::new(),
        programs: Vec::new(),
        words: Vec::new(),
    };
    for line in lines {
        let Some(directive) = line.strip_prefix('#') else {
            if !line.split("//").next().unwrap_or_default().trim().is_empty() {
                let word = line.parse().unwrap_or_else(|error| panic!("{}: {line}: {error}", case.name));
                case.words.push(word);
            }
            continue;
        };
        let tokens: Vec<&str> = directive.split_whitespace().collect();
        let slot = |name: &str| case.maps.iter().position(|map| map.name == name).expect(name);
        match tokens[..] {
            ["profile", name] => {
                case.profile = if name == "tiny" { &TINY } else { Profile::by_name(name).expect(name) }
            }
            ["mode", name] => {
                case.mode = match name {
                    "cpu" => DispatchMode::Cpu,
                    "flow" => DispatchMode::Flow,
                    _ => DispatchMode::Any,
                }
            }
            ["budget", cycles] => case.budget = cycles.parse().unwrap(),
            ["map", name, kind, key, value, entries, ref rest @ ..] => {
                let kind = (0..40).filter_map(MapKind::from_kernel).find(|k| k.name() == kind);
                let number = |text: &str| text.parse().unwrap();
                let frozen = rest.contains(&"frozen");
                let init = rest.iter().find(|token| **token != "frozen").map_or(Vec::new(), |init| hex(init));
                let plain = map(kind.unwrap(), number(key), number(value), number(entries));
                case.maps.push(MapSpec { name: name.to_owned(), frozen, init, ..plain });
            }
            ["entry", name, key, value] => case.entries.push((slot(name), hex(key), hex(value))),
            ["packet", bytes, ref rest @ ..] => {
                let mut packet = Arrival { bytes: hex(bytes), ..Arrival::default() };
                let mut rest = rest.iter();
                while let Some(token) = rest.next() {
                    if let Some(length) = token.strip_prefix('*') {
                        packet.bytes.resize(length.parse().unwrap(), 0);
                        continue;
                    }
                    let value = rest.next().and_then(|value| value.parse::<u16>().ok()).expect(token);
                    match *token {
                        "port" => packet.port = value,
                        "ifindex" => packet.ingress_ifindex = value.into(),
                        "queue" => packet.rx_queue = value.into(),
                        "vcpu" => packet.vcpu = Some(value),
                        other => panic!("{}: {other}", case.name),
                    }
                }
                case.packets.push(packet);
            }
            ["link", name, key, to] => {
                let (key, to) = (key.parse().unwrap(), to.parse().unwrap());
                case.links.push(Link { map: slot(name) as u8, key, to });
            }
            ["lock", name, offset] => {
                case.locks.push(Lock { map: slot(name) as u8, offset: offset.parse().unwrap() });
            }
            ["program", address] => case.programs.push(CodeAddr(address.parse().unwrap())),
            ["together"] => case.together = true,
            ["chance", time, ticks, state] => {
                case.chance = Some([time, ticks, state].map(|number| number.parse().unwrap()));
            }
            _ => panic!("{}: {line}", case.name),
        }
    }
    case
}

fn action(retval: u32) -> String {
    ["aborted", "drop", "pass", "tx", "redirect"].get(retval as usize).map_or_else(|| retval.to_string(), |&n| n.into())
}

fn event(event: &DeviceEvent) -> String {
    match event {
        DeviceEvent::Ringbuf { map, bytes } => format!("ring {map}: {}", text(bytes)),
        DeviceEvent::Perf { map, index, bytes, packet } => {
            format!("perf {map}[{index}]: {} packet {}", text(bytes), text(packet))
        }
        DeviceEvent::Printk { format, arguments } => format!("printk {} {arguments:x?}", text(format)),
    }
}

fn run(case: &Case, scheduler: Scheduler) -> String {
    let mut device = Device::new(case.profile);
    device.set_scheduler(scheduler);
    let (maps, links, locks, programs) = (&case.maps, &case.links, &case.locks, case.programs.len());
    let image = MapImage { maps, links, locks, programs };
    device.load_linked(&case.words, CodeAddr(0), &case.programs, image, case.mode, case.budget).unwrap();
    if let Some([time, ticks, state]) = case.chance {
        device.set_chance(time, ticks, state);
    }
    for (slot, key, value) in &case.entries {
        let copies = if case.maps[*slot].kind.is_per_cpu() { case.profile.vcpus as usize } else { 1 };
        device.map_update(MapId(*slot as u16), key, &vec![value.clone(); copies], Update::Any).unwrap();
    }
    let mut out = String::new();
    let mut tell = |input: &Arrival, departure: &Departure| {
        let Departure { seq, retval, words, slots, arrival, dispatched, exited, departed, .. } = departure;
        let _ = write!(out, "{seq}: {}; {words} words, {slots} slots; ", action(*retval));
        let _ = write!(out, "dispatch +{}, exit +{}", dispatched - arrival, exited - dispatched);
        let _ = writeln!(out, ", departure +{}", departed - exited);
        if let Some(fault) = departure.fault {
            let _ = writeln!(out, "   fault {} at {}", fault.cause.name(), fault.word.0);
        }
        if !departure.meta.is_empty() {
            let _ = writeln!(out, "   meta {}", text(&departure.meta));
        }
        for event in &departure.events {
            let _ = writeln!(out, "   {}", self::event(event));
        }
        match departure.redirect {
            Some(Redirect::Interface { ifindex, flags }) => {
                let _ = writeln!(out, "   redirect to interface {ifindex}, flags {flags}");
            }
            Some(Redirect::Map { map, key, flags }) => {
                let _ = writeln!(out, "   redirect to entry {key} of map {map}, flags {flags}");
            }
            None => {}
        }
        if departure.bytes != input.bytes {
            let _ = writeln!(out, "   {}", text(&departure.bytes));
        }
    };
    if case.together {
        for packet in &case.packets {
            device.offer(packet.clone()).unwrap();
        }
        device.run_until_idle();
        for departure in device.departures() {
            tell(&case.packets[departure.seq as usize], &departure);
        }
    } else {
        for packet in &case.packets {
            let vcpu = packet.vcpu.or(Some(0));
            let departure = device.run_one(Arrival { vcpu, ..packet.clone() }).unwrap();
            tell(packet, &departure);
        }
    }
    for (slot, spec) in case.maps.iter().enumerate() {
        for (key, values) in device.map_entries(MapId(slot as u16)).unwrap() {
            for (cpu, value) in values.iter().enumerate() {
                let full = !matches!(spec.kind, MapKind::Array | MapKind::PercpuArray | MapKind::PercpuHash);
                let shown = full || value.iter().any(|&byte| byte != 0);
                if shown && !spec.frozen {
                    let cpu = if spec.kind.is_per_cpu() { format!(" cpu {cpu}") } else { String::new() };
                    let _ = writeln!(out, "{} {}{cpu} = {}", spec.name, text(&key), text(value));
                }
            }
        }
    }
    out
}

#[test]
fn files() {
    let bless = std::env::var_os("BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = String::new();
    for path in paths {
        let whole = std::fs::read_to_string(&path).unwrap();
        let (head, cases) = whole.split_once("== ").unwrap();
        let mut blessed = head.to_owned();
        for source in cases.split("\n== ") {
            let (input, expected) = source.split_once("\n--").unwrap_or((source, ""));
            let case = parse(input);
            let got = run(&case, Scheduler::Fast);
            let plain = run(&case, Scheduler::Plain);
            if got != plain {
                let _ = writeln!(wrong, "{}: {}: plain scheduler\n{plain}", path.display(), case.name);
            }
            if got.trim() != expected.trim() {
                let _ = writeln!(wrong, "{}: {}\nexpected\n{expected}\ngot\n{got}", path.display(), case.name);
            }
            if blessed.len() > head.len() {
                blessed.push('\n');
            }
            let _ = write!(blessed, "== {}\n--\n{got}", input.trim_end());
        }
        if bless && blessed != whole {
            std::fs::write(&path, blessed).unwrap();
        }
    }
    assert!(bless || wrong.is_empty(), "{wrong}");
}
