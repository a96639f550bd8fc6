//! Maps in maps that come and go while programs run. If this fails, a program reaches a map that it does not have, or loses one
//! that it has.

mod common;

use common::{TINY, load_text as load, map};
use device_model::{Arrival, Device, FaultCause, MapError, MapFreeError, MapId, PendingFrees, Scheduler, Update};
use offwire_image::{MapKind, MapSpec};
use offwire_isa::SMALL;

fn packet() -> Arrival {
    Arrival { bytes: vec![0; 60], ..Arrival::default() }
}

fn put(device: &mut Device, outer: MapId, key: u32, map: MapId) -> Result<(), MapError> {
    device.map_update_bytes(outer, &key.to_le_bytes(), &u32::from(map.0).to_le_bytes(), Update::Any)
}

/// An array of one element of 8 B, all of this value.
fn inner(device: &mut Device, value: u8) -> MapId {
    let spec = MapSpec { init: vec![value; 8], ..map(MapKind::Array, 4, 8, 1) };
    device.map_create(&spec, None, None).unwrap()
}

/// Puts what map 0 holds at key 0, and what that holds at key 0, into the packet; 7 in byte 8 if there is none.
const NESTED: &str = "
    q.lookup map=0 key=stack[0+0] dst=r2 null; t2=@3 next=@1
    rc=r2; q.lookup_in key=stack[0+0] dst=r4 null; t2=@3 next=@2
    ra=r4; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=pass
    i0=7; st pkt[0+8] s0=i0:1@0; next=pass
";

/// Inner maps are created while programs run: each program that has the outer map reaches them, also one that was loaded before.
#[test]
fn inner_maps_come_and_go_at_run_time() {
    for kind in [MapKind::ArrayOfMaps, MapKind::HashOfMaps] {
        let mut device = Device::new(&SMALL);
        let like = map(MapKind::Array, 4, 8, 1);
        let inner = |device: &mut Device, value: u8| {
            let inner = device.map_create(&like, None, None).unwrap();
            device.map_update_bytes(inner, &[0; 4], &[value; 8], Update::Any).unwrap();
            inner
        };
        let template = inner(&mut device, 0);
        let spec = map(kind, 4, 4, 3);
        let outer = device.map_create(&spec, None, Some(template)).unwrap();
        device.map_free(template).unwrap();
        let program = load(&mut device, NESTED, std::slice::from_ref(&spec), &[Some(outer)]).unwrap();
        device.attach(0, program, None).unwrap();
        let put = |device: &mut Device, map: MapId| {
            device.map_update_bytes(outer, &[0; 4], &u32::from(map.0).to_le_bytes(), Update::Any)
        };
        assert_eq!(device.run_one(packet()).unwrap().bytes[8], 7);
        let first = inner(&mut device, 1);
        assert_eq!(first, template, "its number is free again");
        put(&mut device, first).unwrap();
        assert_eq!(device.run_one(packet()).unwrap().bytes[..9], [1, 1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(device.map_free(first), Err(MapFreeError::InUse { programs: 0, outers: 1 }));
        assert_eq!(device.map_free(outer), Err(MapFreeError::InUse { programs: 1, outers: 0 }));
        let mut value = Vec::new();
        device.map_lookup_into(outer, &[0; 4], &mut value).unwrap();
        assert_eq!(value, [first.0 as u8, 0, 0, 0]);
        let second = inner(&mut device, 2);
        put(&mut device, second).unwrap();
        assert_eq!(device.run_one(packet()).unwrap().bytes[0], 2);
        // A second program finds what is there.
        let other = load(&mut device, NESTED, std::slice::from_ref(&spec), &[Some(outer)]).unwrap();
        device.attach(1, other, None).unwrap();
        assert_eq!(device.run_one(Arrival { port: 1, ..packet() }).unwrap().bytes[0], 2);
        device.map_free(first).unwrap();
        assert_eq!(device.map_info(first), Err(MapError::NoMap(first)));
        // As many as never fit one table at once, one after the other.
        for round in 0..600u32 {
            let next = inner(&mut device, round as u8 | 1);
            put(&mut device, next).unwrap();
            let out = device.run_one(Arrival { port: round as u16 % 2, ..packet() }).unwrap();
            assert_eq!(out.bytes[0], round as u8 | 1);
            if round % 3 == 0 {
                let _ = device.map_free(MapId(next.0.saturating_sub(1)));
            }
        }
        let wrong = device.map_create(&map(MapKind::Array, 4, 16, 1), None, None).unwrap();
        assert_eq!(put(&mut device, wrong), Err(MapError::Reference));
        assert_eq!(put(&mut device, outer), Err(MapError::Reference));
        assert_eq!(put(&mut device, MapId(1023)), Err(MapError::Reference));
        device.map_delete(outer, &[0; 4]).unwrap();
        assert_eq!(device.run_one(packet()).unwrap().bytes[8], 7);
    }
}

/// A packet that has looked an inner map up goes on with it after the user has taken it out and freed it.
#[test]
fn a_packet_keeps_the_inner_map_that_it_has() {
    let mut device = Device::new(&SMALL);
    let like = map(MapKind::Array, 4, 8, 1);
    let inner = device.map_create(&MapSpec { init: vec![9; 8], ..like }, None, None).unwrap();
    let spec = map(MapKind::ArrayOfMaps, 4, 4, 1);
    let outer = device.map_create(&spec, None, Some(inner)).unwrap();
    device.map_update_bytes(outer, &[0; 4], &u32::from(inner.0).to_le_bytes(), Update::Any).unwrap();
    // Looks the inner map up, takes its time, then looks into it and counts there.
    let text = "
        q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
        i0=60; r4=i0; next=@2
        ra=r4; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r4=a1; t1=@2 next=@3
        rc=r2; q.lookup_in key=stack[0+0] dst=r6 null; t2=aborted next=@4
        ra=r6; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=@5
        ra=r6; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=pass
    ";
    let program = load(&mut device, text, std::slice::from_ref(&spec), &[Some(outer)]).unwrap();
    device.attach(0, program, None).unwrap();
    device.offer(packet()).unwrap();
    device.run_until(400);
    device.map_delete(outer, &[0; 4]).unwrap();
    device.map_free(inner).unwrap();
    assert_eq!(device.pending_frees().maps, 1);
    let fresh = device.map_create(&map(MapKind::Array, 4, 8, 1), None, None).unwrap();
    assert!(fresh != inner, "the number of a map that a packet has was given again");
    device.run_until_idle();
    let out = device.departures().next().unwrap();
    assert_eq!((out.fault, out.retval, &out.bytes[..8]), (None, 2, &[9; 8][..]));
    assert_eq!(device.pending_frees(), PendingFrees::default());
    assert_eq!(device.map_create(&map(MapKind::Array, 4, 8, 1), None, None), Ok(inner));
    assert_eq!(device.map_lookup(inner, &[0; 4], 0), Ok(Some(vec![0; 8])), "contents of the map before");
}

/// Runs a packet that looks up key 0 of `outer` and has the inner map in r2, takes its time, then looks into that.
const SLOW: &str = "
    q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1
    i0=60; r4=i0; next=@2
    ra=r4; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r4=a1; t1=@2 next=@3
    rc=r2; q.lookup_in key=stack[0+0] dst=r6 null; t2=aborted next=@4
    ra=r6; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=pass
";

/// A program that has every slot of its map table taken is refused one map more, and gets it when another one has left and no packet
/// has it any more.
#[test]
fn a_map_table_has_256_slots() {
    let mut device = Device::new(&SMALL);
    let specs = [map(MapKind::HashOfMaps, 4, 4, 400)];
    let outer = device.map_create(&specs[0], None, None).unwrap();
    let program = load(&mut device, SLOW, &specs, &[Some(outer)]).unwrap();
    device.attach(0, program, None).unwrap();
    let maps: Vec<MapId> = (0..=255).map(|value| inner(&mut device, value)).collect();
    for (key, &map) in (0..).zip(&maps[..255]) {
        put(&mut device, outer, key, map).unwrap();
    }
    assert_eq!(put(&mut device, outer, 300, maps[255]), Err(MapError::Full));
    assert_eq!(put(&mut device, outer, 300, maps[7]), Ok(()), "one that it has needs no slot");
    device.offer(packet()).unwrap();
    device.run_until(400);
    device.map_delete(outer, &[0; 4]).unwrap();
    assert_eq!(put(&mut device, outer, 301, maps[255]), Err(MapError::Full), "a packet has the map whose slot is free");
    device.run_until_idle();
    let out = device.departures().next().unwrap();
    assert_eq!((out.fault, out.retval, &out.bytes[..8]), (None, 2, &[0; 8][..]));
    put(&mut device, outer, 0, maps[255]).unwrap();
    assert_eq!(device.run_one(packet()).unwrap().bytes[..8], [255; 8]);
    let another = inner(&mut device, 1);
    assert_eq!(put(&mut device, outer, 302, another), Err(MapError::Full));
    // Who comes later and brings the outer map needs as many slots, and one more is too many.
    assert!(load(&mut device, SLOW, &specs, &[Some(outer)]).is_ok());
    let two = [specs[0].clone(), map(MapKind::Hash, 4, 8, 1)];
    let refused = load(&mut device, SLOW, &two, &[Some(outer)]);
    assert_eq!(refused, Err(device_model::LoadError::InnerMaps));
}

/// When an inner map is gone, its slot is: a made-up handle does not reach the map that has its number next.
#[test]
fn the_slot_of_a_map_goes_with_it() {
    let mut device = Device::new(&SMALL);
    let specs = [map(MapKind::ArrayOfMaps, 4, 4, 1)];
    let outer = device.map_create(&specs[0], None, None).unwrap();
    // Reads and writes the first element of slot 1, which the image does not have.
    let text = "
        a1=lsh.64 i0,i1; i0=0x401 i1=52; r2=a1; next=@1
        ra=r2; ld map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=@2
        ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next=pass
    ";
    let program = load(&mut device, text, &specs, &[Some(outer)]).unwrap();
    device.attach(0, program, None).unwrap();
    let fault = |device: &mut Device| device.run_one(packet()).unwrap().fault.map(|fault| fault.cause);
    assert_eq!(fault(&mut device), Some(FaultCause::BadHandle));
    let first = inner(&mut device, 1);
    put(&mut device, outer, 0, first).unwrap();
    assert_eq!(fault(&mut device), None, "a map of its table");
    device.map_delete(outer, &[0; 4]).unwrap();
    // Packets come all the time.
    for _ in 0..20 {
        device.offer(Arrival { cycle: device.now(), ..packet() }).unwrap();
    }
    device.run_until(device.now() + 50);
    device.map_free(first).unwrap();
    assert_eq!(device.pending_frees().maps, 1);
    device.run_until_idle();
    assert_eq!(device.pending_frees().maps, 0);
    let secret = inner(&mut device, 2);
    assert_eq!(secret, first, "its number is used again");
    assert_eq!(fault(&mut device), Some(FaultCause::BadHandle));
    assert_eq!(device.map_lookup(secret, &[0; 4], 0), Ok(Some(vec![2; 8])));
}

/// Writes that are on their way when the last packet has departed are waited for.
#[test]
fn a_map_waits_for_posted_writes() {
    let mut device = Device::new(&SMALL);
    let spec = map(MapKind::Array, 4, 8, 1);
    let mut text = "q.lookup map=0 key=stack[0+0] dst=r2 null; t2=aborted next=@1\n".to_owned();
    for next in ["@2", "@3", "@4", "drop"] {
        text += &format!("ra=r2; i0=1; st.add64 map[ra+0] s0=i0:8@0; next={next}\n");
    }
    let program = load(&mut device, &text, std::slice::from_ref(&spec), &[]).unwrap();
    device.attach(0, program, None).unwrap();
    for flow in 0..16 {
        let mut bytes = vec![0; 60];
        bytes[0] = flow;
        device.offer(Arrival { bytes, ..packet() }).unwrap();
    }
    let mut left = 0;
    while left < 16 {
        device.step();
        left += device.departures().count();
    }
    assert!(!device.is_idle(), "nothing is on its way");
    device.detach(0).unwrap();
    device.program_unload(program).unwrap();
    assert_eq!(device.pending_frees(), PendingFrees { maps: 1, programs: 0 });
    device.run_until_idle();
    assert_eq!(device.pending_frees(), PendingFrees::default());
    assert_eq!((device.counters().map.adds, device.map_memory().0), (64, 0));
}

/// A word that looks at the map table does so in its own slot, under both schedulers: the user gives the program a map while the
/// packet is on its way there.
#[test]
fn words_see_the_map_table_of_their_cycle() {
    let text = "
        a1=lsh.64 i0,i1; i0=0x401 i1=52; r2=a1; next=@1
        i0=30; r4=i0; next=@2
        ra=r4; a1=sub.32 ra,i0; i0=1; c1=ne.32 ra,0; r4=a1; t1=@2 next=@3
        ra=r2; ld.dismiss map[ra+0] x0=8@0; st pkt[0+0] s0=x0:8@0; next=pass
    ";
    let mut found = [0; 2];
    for given in (40..400).step_by(12) {
        let outs = [Scheduler::Fast, Scheduler::Plain].map(|scheduler| {
            let mut device = Device::new(&TINY);
            device.set_scheduler(scheduler);
            let specs = [map(MapKind::ArrayOfMaps, 4, 4, 1)];
            let outer = device.map_create(&specs[0], None, None).unwrap();
            let program = load(&mut device, text, &specs, &[Some(outer)]).unwrap();
            device.attach(0, program, None).unwrap();
            device.offer(packet()).unwrap();
            device.run_until(given);
            let map = inner(&mut device, 5);
            put(&mut device, outer, 0, map).unwrap();
            device.run_until_idle();
            device.departures().next().unwrap()
        });
        assert_eq!(outs[0], outs[1], "given at cycle {given}");
        found[usize::from(outs[0].bytes[0] == 5)] += 1;
    }
    assert!(found.iter().all(|&times| times > 3), "{found:?}");
}
