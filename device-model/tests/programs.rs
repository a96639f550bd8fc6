//! Several programs: loaded, attached, swapped and unloaded, with the maps that they share.

mod common;

use common::{Random, TINY, load_text as load, load_with, map};
use device_model::{
    Admission, Arrival, AttachError, Departure, Device, Fault, FaultCause, LoadError, MapError, MapId, MapImage,
    Mismatch, PendingFrees, ProgramError, ProgramId, Update,
};
use offwire_image::{DispatchMode, Image, Link, MapKind, MapSpec};
use offwire_isa::{CodeAddr, Profile, SMALL, Word, X16};

fn packet() -> Arrival {
    Arrival { bytes: vec![0; 60], ..Arrival::default() }
}

/// A UDP packet of a flow that makes a program of [`version`] take so many turns.
fn of_flow(flow: u8, turns: u8) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
    bytes[23] = 17;
    bytes[26..34].copy_from_slice(&[10, 0, 0, flow, 10, 0, 0, 1]);
    bytes[34..38].copy_from_slice(&[1, flow.wrapping_mul(91), 2, flow.wrapping_mul(53)]);
    bytes[42] = turns;
    bytes
}

/// Writes its number to byte 46, calls its program 0, takes as many turns as byte 42 says, counts in map 1, writes its number to
/// byte 47.
fn version(number: u8) -> String {
    format!(
        "i0={number}; st pkt[0+46] s0=i0:1@0; q.tail_call map=0 val=0; next=aborted
         ld pkt[0+42] x0=1@0; r2=x0; next=@2
         ra=r2; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r2=a1; t1=@2 next=@3
         q.lookup map=1 key=stack[0+0] dst=r4 null; t2=aborted next=@4
         ra=r4; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=@5
         i0={number}; st pkt[0+47] s0=i0:1@0; next=tx"
    )
}

fn version_maps() -> [MapSpec; 2] {
    [map(MapKind::ProgArray, 4, 4, 1), map(MapKind::Array, 4, 8, 1)]
}

/// Loads a version that counts in `hits`.
fn load_version(device: &mut Device, number: u8, hits: MapId, mode: DispatchMode) -> Result<ProgramId, LoadError> {
    let links = [Link { map: 0, key: 0, to: 0 }];
    let maps = MapImage { maps: &version_maps(), links: &links, ..MapImage::default() };
    load_with(device, &version(number), &[CodeAddr(1)], maps, &[None, Some(hits)], mode)
}

/// Adds to the first element of map 0 and returns `EXIT`.
const COUNT: &str = "
    q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
    ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=EXIT
";

#[test]
fn two_versions_share_a_map() {
    let mut device = Device::new(&SMALL);
    let spec = map(MapKind::Array, 4, 8, 1);
    let hits = device.map_create(&spec, None, None).unwrap();
    let maps = [spec];
    let first = load(&mut device, &COUNT.replace("EXIT", "drop"), &maps, &[Some(hits)]).unwrap();
    let second = load(&mut device, &COUNT.replace("EXIT", "tx"), &maps, &[Some(hits)]).unwrap();
    let passed = device.run_one(packet()).unwrap();
    assert_eq!((passed.program, passed.retval, passed.words), (None, 2, 0));
    assert_eq!(passed.departed - passed.arrival, 2);
    assert_eq!(device.attach(0, first, None), Ok(None));
    let out = device.run_one(packet()).unwrap();
    assert_eq!((out.program, out.retval), (Some(first), 1));
    assert_eq!(device.attach(0, second, None), Ok(Some(first)));
    let out = device.run_one(packet()).unwrap();
    assert_eq!((out.program, out.retval), (Some(second), 3));
    assert_eq!(device.map_lookup(hits, &[0; 4], 0).unwrap().unwrap(), 2u64.to_le_bytes());
    assert_eq!(device.program_unload(second), Err(ProgramError::Attached { port: 0 }));
    device.program_unload(first).unwrap();
    assert!(device.quiesced());
    device.map_update_bytes(hits, &[0; 4], &[0; 8], Update::Any).unwrap();
    let devices = [map(MapKind::Hash, 4, 8, 1)];
    let refused = load(&mut device, "next=pass", &devices, &[Some(hits)]);
    assert_eq!(refused, Err(LoadError::Mismatch { slot: 0, map: hits, what: Mismatch::Kind }));
}

/// Swaps, detaches and unloads at full load: no packet is lost, each is of one version from its first word to its last, those of
/// a port change versions in the order of the swaps, flows stay in order, and versions run side by side.
#[test]
fn a_swap_at_full_load_loses_and_mixes_nothing() {
    const MODES: [DispatchMode; 3] = [DispatchMode::Any, DispatchMode::Cpu, DispatchMode::Flow];
    for (profile, seed) in [(&TINY, 1u64), (&TINY, 2), (&SMALL, 3), (&X16, 4)] {
        let random = &mut Random(seed);
        let mut device = Device::new(profile);
        device.set_admission(Admission::Hold);
        let hits = device.map_create(&version_maps()[1], None, None).unwrap();
        let mut versions: Vec<Vec<Option<(ProgramId, u8)>>> = vec![vec![None]; 2];
        let mut departures: Vec<(Departure, u64)> = Vec::new();
        let (mut offered, mut number, mut over) = (0u64, 0u8, 0);
        for round in 0..60u64 {
            for _ in 0..80 {
                let (flow, turns) = (random.below(9) as u8, random.below(12) as u8);
                let arrival =
                    Arrival { port: random.below(2) as u16, bytes: of_flow(flow, turns), ..Arrival::default() };
                device.offer(Arrival { cycle: device.now(), ..arrival }).unwrap();
                offered += 1;
            }
            // Never empty: what is offered is more than what leaves.
            while offered - (departures.len() as u64) > 300 {
                device.run_until(device.now() + 50);
                departures.extend(device.departures().map(|out| (out, round)));
            }
            let port = round % 2;
            let before = device.attached(port as u16);
            if round % 7 == 6 {
                let _ = device.detach(port as u16);
                versions[port as usize].push(None);
            } else {
                number += 1;
                let program = load_version(&mut device, number, hits, random.pick(&MODES)).unwrap();
                assert_eq!(device.attach(port as u16, program, None), Ok(before.map(|before| before.0)));
                versions[port as usize].push(Some((program, number)));
            }
            if let Some((before, _)) = before {
                device.program_unload(before).unwrap();
                over += device.pending_frees().programs;
            }
        }
        device.run_until_idle();
        departures.extend(device.departures().map(|out| (out, 60)));
        assert_eq!(departures.len() as u64, offered, "packets were lost");
        let mut ran = 0;
        for (out, _) in &departures {
            let own = versions[usize::from(out.port)].iter().flatten().find(|own| own.1 == out.bytes[46]);
            assert_eq!(out.bytes[46], out.bytes[47], "two versions in one packet");
            assert_eq!(out.program, own.map(|own| own.0), "not the version that it says");
            assert_eq!(out.retval, if out.program.is_some() { 3 } else { 2 });
            ran += u64::from(out.program.is_some());
        }
        let counted = u64::from_le_bytes(device.map_lookup(hits, &[0; 4], 0).unwrap().unwrap().try_into().unwrap());
        assert_eq!(counted, ran, "the versions share a map");
        let mut side_by_side = 0;
        for port in 0..2u16 {
            // In order of arrival: the versions one after the other, none comes back.
            let mut of_port: Vec<&Departure> =
                departures.iter().map(|(out, _)| out).filter(|out| out.port == port).collect();
            side_by_side += of_port
                .windows(2)
                .filter(|two| two[0].seq > two[1].seq)
                .filter(|two| two[0].bytes[46] > two[1].bytes[46])
                .count();
            of_port.sort_by_key(|out| out.seq);
            let mut seen: Vec<u8> = of_port.iter().map(|out| out.bytes[46]).collect();
            seen.dedup();
            let swaps: Vec<u8> = versions[usize::from(port)].iter().map(|own| own.map_or(0, |own| own.1)).collect();
            let mut swaps = swaps.into_iter();
            assert!(seen.iter().all(|seen| swaps.any(|swap| swap == *seen)), "{seen:?}");
            assert!(seen.len() > 15, "{seen:?}");
            for flow in 0..9 {
                let flow: Vec<u64> = departures
                    .iter()
                    .map(|(out, _)| out)
                    .filter(|out| out.port == port && out.bytes[29] == flow)
                    .map(|out| out.seq)
                    .collect();
                assert!(flow.is_sorted() && flow.len() > 20, "a flow is out of order: {flow:?}");
            }
        }
        assert!(over > 10, "{}: no program waited for its packets", profile.name);
        assert!(side_by_side > 0, "{}: a newer version never overtook an older one", profile.name);
        assert!(device.quiesced());
        assert_eq!(device.store_words().0, 2 * 6, "more is loaded than is attached");
    }
}

/// Programs of different modes on two ports: what a mode serialises never runs beside a packet of another one either.
#[test]
fn a_mode_holds_against_the_packets_of_other_modes() {
    let (mut vcpus, mut flows) = (0, 0);
    for seed in 0..12 {
        let random = &mut Random(seed);
        let mut device = Device::new(if seed % 3 == 0 { &X16 } else { &TINY });
        device.set_admission(Admission::Hold);
        let hits = device.map_create(&version_maps()[1], None, None).unwrap();
        let modes = [DispatchMode::Cpu, DispatchMode::Flow, DispatchMode::Any];
        let programs = modes.map(|mode| load_version(&mut device, 1, hits, mode).unwrap());
        let mut departures = Vec::new();
        for _ in 0..60 {
            let port = random.below(2) as u16;
            if random.once_in(8) {
                let _ = device.detach(port);
            } else {
                device.attach(port, random.pick(&programs), None).unwrap();
            }
            for _ in 0..random.below(16) {
                let (flow, turns) = (random.below(9) as u8, random.below(9) as u8);
                let vcpu = Some(u16::from(flow) % 4);
                let arrival = Arrival { cycle: device.now(), bytes: of_flow(flow, turns), vcpu, ..Arrival::default() };
                device.offer(Arrival { port: random.below(2) as u16, ..arrival }).unwrap();
            }
            device.run_until(device.now() + random.below(200));
            departures.extend(device.departures());
        }
        device.run_until_idle();
        departures.extend(device.departures());
        let mode = |out: &Departure| out.program.map(|program| device.program_info(program).unwrap().mode);
        for first in departures.iter().filter(|out| out.program.is_some()) {
            for second in departures.iter().filter(|out| out.program.is_some()) {
                if first.seq == second.seq || first.dispatched > second.dispatched || second.dispatched > first.exited {
                    continue;
                }
                let modes = [mode(first), mode(second)];
                let (one, other) = (first.bytes[29], second.bytes[29]);
                let wants = |mode| modes.contains(&Some(mode));
                assert!(one % 4 != other % 4 || !wants(DispatchMode::Cpu), "seed {seed}: {modes:?} on one vCPU");
                assert!(one != other || !wants(DispatchMode::Flow), "seed {seed}: {modes:?} in one flow");
                vcpus += usize::from(one % 4 == other % 4 && wants(DispatchMode::Flow));
                flows += usize::from(one == other);
            }
        }
        for port in 0..2 {
            for flow in 0..9 {
                let of_flow = departures.iter().filter(|out| out.port == port && out.bytes[29] == flow);
                assert!(of_flow.map(|out| out.seq).is_sorted(), "seed {seed}: flow {flow}");
            }
        }
    }
    assert!(vcpus > 50 && flows > 50, "{vcpus} {flows}: what may run side by side hardly did");
}

/// What a program has is there as long as one of its packets.
#[test]
fn unloading_waits_for_the_packets_inside() {
    let mut device = Device::new(&SMALL);
    let hits = device.map_create(&version_maps()[1], None, None).unwrap();
    let program = load_version(&mut device, 5, hits, DispatchMode::Any).unwrap();
    let memory = device.map_memory().0;
    device.attach(0, program, None).unwrap();
    device.offer(Arrival { bytes: of_flow(1, 200), ..Arrival::default() }).unwrap();
    device.run_until(100);
    assert_eq!(device.detach(0), Ok(program));
    device.program_unload(program).unwrap();
    assert_eq!(device.program_info(program), Err(ProgramError::NoProgram(program)));
    assert_eq!(device.attach(0, program, None), Err(AttachError::NoProgram(program)));
    assert_eq!(device.map_free(hits), Ok(()), "nobody holds it, but a packet is inside");
    assert_eq!(device.map_lookup(hits, &[0; 4], 0), Err(MapError::NoMap(hits)));
    let pending = PendingFrees { maps: 2, programs: 1 };
    assert_eq!((device.pending_frees(), device.store_words().0, device.map_memory().0), (pending, 6, memory));
    // Neither numbers nor words are given again.
    let other = load(&mut device, "next=drop", &[], &[]).unwrap();
    assert_eq!((other, device.program_info(other).unwrap().base), (ProgramId(1), 6));
    assert_eq!(device.map_create(&version_maps()[1], None, None), Ok(MapId(2)));
    device.run_until_idle();
    let out = device.departures().next().unwrap();
    assert_eq!((out.retval, out.bytes[46], out.bytes[47]), (3, 5, 5));
    assert_eq!((device.pending_frees(), device.store_words().0), (PendingFrees::default(), 1));
    assert_eq!((device.map_next_id(None), device.map_next_id(Some(MapId(2)))), (Some(MapId(2)), None));
    let again = load(&mut device, "next=drop", &[], &[]).unwrap();
    assert_eq!((again, device.program_info(again).unwrap().base), (ProgramId(0), 0));
}

/// The instruction store is shared: what does not fit is refused, and fits when another program has gone.
#[test]
fn the_store_is_exhausted_and_used_again() {
    static FEW: Profile = Profile { instruction_store_words: 10, ..TINY };
    let mut device = Device::new(&FEW);
    let text = |words: usize| vec!["next=drop"; words].join("\n");
    let ids = [4, 3, 3].map(|words| load(&mut device, &text(words), &[], &[]).unwrap());
    assert_eq!(load(&mut device, &text(1), &[], &[]), Err(LoadError::StoreFull { words: 1, longest: 0 }));
    device.program_unload(ids[0]).unwrap();
    device.program_unload(ids[2]).unwrap();
    assert_eq!(load(&mut device, &text(5), &[], &[]), Err(LoadError::StoreFull { words: 5, longest: 4 }));
    assert_eq!(load(&mut device, &text(11), &[], &[]), Err(LoadError::CodeSize { words: 11, store: 10 }));
    let placed = [3, 3].map(|words| {
        let program = load(&mut device, &text(words), &[], &[]).unwrap();
        device.program_info(program).unwrap().base
    });
    assert_eq!(placed, [0, 7]);
    let mut device = Device::new(&SMALL);
    for _ in 0..64 {
        load(&mut device, "next=drop", &[], &[]).unwrap();
    }
    assert_eq!(load(&mut device, "next=drop", &[], &[]), Err(LoadError::TooManyPrograms));
}

/// A program reaches the maps of its own table: made-up handles and map pointers fault, whatever maps the device has besides.
#[test]
fn made_up_pointers_reach_no_foreign_map() {
    let mut device = Device::new(&SMALL);
    let own = map(MapKind::Array, 4, 8, 1);
    let secret = device.map_create(&own, None, None).unwrap();
    let foreign = load(&mut device, "next=pass", &[own.clone(), own.clone()], &[None, Some(secret)]).unwrap();
    assert_eq!(device.program_info(foreign).unwrap().maps, [MapId(1), MapId(0)]);
    for slot in 0..256u32 {
        let handle = format!("a1=lsh.64 i0,i1; i0={:#x} i1=52; r2=a1; next=@1", 0x400 | slot);
        let pointer = format!("a1=lsh.64 i0,i1; i0={:#x} i1=52; r2=a1; next=@1", 0x500 | slot);
        let uses = [
            (&handle, "rc=r2; ld map[rc+0] x0=8@0; r3=x0; next=pass"),
            (&handle, "rc=r2; i0=9; st map[rc+0] s0=i0:8@0; next=pass"),
            (&handle, "rc=r2; i0=9; st.add64 map[rc+0] s0=i0:8@0; next=pass"),
            (&handle, "rc=r2; i0=9; q.xchg64 key=map[rc+0] val=i0 dst=r4; next=pass"),
            (&pointer, "rc=r2; q.lookup_in key=stack[0+0] dst=r4; next=pass"),
            (&pointer, "rc=r2; q.delete_in key=stack[0+0] dst=r4; next=pass"),
        ];
        for (made, used) in uses {
            let program = load(&mut device, &format!("{made}\n{used}"), std::slice::from_ref(&own), &[]).unwrap();
            device.attach(0, program, None).unwrap();
            let out = device.run_one(packet()).unwrap();
            let fault = Fault { cause: FaultCause::BadHandle, word: CodeAddr(1) };
            assert_eq!(out.fault, (slot != 0).then_some(fault), "slot {slot}: {used}");
            device.detach(0).unwrap();
            device.program_unload(program).unwrap();
        }
    }
    assert_eq!(device.map_lookup(secret, &[0; 4], 0), Ok(Some(vec![0; 8])), "somebody wrote there");
}

/// A device can go to another thread, and back to how it was built.
#[test]
fn a_device_can_be_sent_and_reset() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let mut device = sent(Device::new(&SMALL));
    let hits = device.map_create(&version_maps()[1], None, None).unwrap();
    let program = load_version(&mut device, 1, hits, DispatchMode::Any).unwrap();
    device.attach(3, program, Some(DispatchMode::Flow)).unwrap();
    assert_eq!(device.attached(3), Some((program, DispatchMode::Flow)));
    for _ in 0..40 {
        device.offer(Arrival { port: 3, bytes: of_flow(1, 9), ..Arrival::default() }).unwrap();
    }
    device.run_until(300);
    device.reset_all();
    assert!(device.quiesced());
    assert_eq!((device.now(), device.map_next_id(None), device.program_next_id(None)), (0, None, None));
    assert_eq!((device.attached(3), device.map_memory().0, device.store_words().0), (None, 0, 0));
    assert_eq!(device.counters(), Device::new(&SMALL).counters());
    let out = device.run_one(Arrival { port: 3, ..packet() }).unwrap();
    assert_eq!((out.seq, out.retval), (0, 2));
}

/// Counters of ports, programs and maps.
#[test]
fn counters_are_kept_for_each_port_program_and_map() {
    let mut device = Device::new(&TINY);
    let spec = map(MapKind::Array, 4, 8, 1);
    let drops = load(&mut device, &COUNT.replace("EXIT", "drop"), std::slice::from_ref(&spec), &[]).unwrap();
    let faults = load(&mut device, "ld pkt[0+70] x0=1@0; next=pass", &[], &[]).unwrap();
    device.attach(0, drops, None).unwrap();
    device.attach(1, faults, None).unwrap();
    for n in 0..20u16 {
        device.offer(Arrival { port: n % 3, bytes: vec![0; 60 + usize::from(n % 3)], ..Arrival::default() }).unwrap();
    }
    device.run_until_idle();
    let ports = [0, 1, 2].map(|port| device.port_counters(port));
    // Six find room.
    assert_eq!(ports.map(|port| (port.arrivals, port.tail_drops)), [(7, 5), (7, 5), (6, 4)]);
    assert_eq!(ports.map(|port| port.arrived_bytes), [7 * 60, 7 * 61, 6 * 62]);
    assert_eq!(ports.map(|port| (port.left.packets, port.left.bytes)), [(2, 120), (2, 122), (2, 124)]);
    assert_eq!(ports.map(|port| port.left.verdicts[..3].to_vec()), [[0, 2, 0], [2, 0, 0], [0, 0, 2]].map(Vec::from));
    assert_eq!(ports[1].left.faults[FaultCause::PacketBounds as usize], 2);
    assert_eq!(device.program_counters(drops), Ok(ports[0].left));
    assert_eq!(device.program_counters(faults), Ok(ports[1].left));
    let counted = device.map_counters(device.program_info(drops).unwrap().maps[0]).unwrap();
    assert_eq!((counted.requests, counted.posted), (2, 2));
    assert_eq!(device.port_counters(99), device_model::PortCounters::default());
}

/// An image goes the same way as its words.
#[test]
fn images_are_loaded_beside_each_other() {
    let image = |verdict: u8| Image {
        isa_version: offwire_isa::ISA_VERSION,
        profile: SMALL.name.into(),
        profile_hash: SMALL.hash,
        name: format!("exit_{verdict}"),
        words: vec![Word { next: offwire_isa::Target::Exit(verdict), ..Word::default() }.encode()],
        entry: CodeAddr(0),
        maps: vec![map(MapKind::Array, 4, 8, 1)],
        programs: Vec::new(),
        links: Vec::new(),
        locks: Vec::new(),
        dispatch: offwire_image::Dispatch { mode: DispatchMode::Flow, reason: String::new() },
        budget_cycles: 1000,
        word_insns: Vec::new(),
    };
    let mut device = Device::new(&SMALL);
    let first = device.program_load(&image(1), &[]).unwrap();
    let map = device.program_info(first).unwrap().maps[0];
    let second = device.program_load(&image(3), &[Some(map)]).unwrap();
    let state = device.program_info(second).unwrap();
    assert_eq!((state.name.as_str(), state.mode, state.base, state.words), ("exit_3", DispatchMode::Flow, 1, 1));
    assert_eq!(device.map_info(map).unwrap().programs, 2);
    device.attach(0, first, None).unwrap();
    device.attach(5, second, None).unwrap();
    device.attach(63, second, None).unwrap();
    assert_eq!(device.program_info(second).unwrap().ports, 1 << 5 | 1 << 63);
    assert_eq!([0, 5, 63, 7].map(|port| device.run_one(Arrival { port, ..packet() }).unwrap().retval), [1, 3, 3, 2]);
    assert!(matches!(device.program_load(&Image { profile_hash: 1, ..image(1) }, &[]), Err(LoadError::Profile { .. })));
    device.detach(0).unwrap();
    device.program_unload(first).unwrap();
    assert_eq!(device.map_info(map).unwrap().programs, 1, "it came with the first program and stays with the second");
    for port in [5, 63] {
        device.detach(port).unwrap();
    }
    device.program_unload(second).unwrap();
    assert_eq!(device.map_next_id(None), None);
}
