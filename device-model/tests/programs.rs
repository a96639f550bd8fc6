//! Several programs: loaded, attached, swapped and unloaded, with the maps that they share.

mod common;

use common::map;
use device_model::{Arrival, Device, LoadError, MapId, MapImage, Mismatch, Parts, ProgramError, ProgramId, Update};
use offwire_image::{DispatchMode, MapKind, MapSpec};
use offwire_isa::{CodeAddr, SMALL, Word};

fn words(text: &str) -> Vec<Word> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.parse().unwrap()).collect()
}

/// Loads words with the maps that are given.
fn load(device: &mut Device, text: &str, maps: &[MapSpec], given: &[Option<MapId>]) -> Result<ProgramId, LoadError> {
    let words = words(text);
    let maps = MapImage { maps, ..MapImage::default() };
    let (entry, mode) = (CodeAddr(0), DispatchMode::Any);
    device
        .program_load_parts(&Parts { name: "", words: &words, entry, programs: &[], maps, mode, budget: 10_000 }, given)
}

fn packet() -> Arrival {
    Arrival { bytes: vec![0; 60], ..Arrival::default() }
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
