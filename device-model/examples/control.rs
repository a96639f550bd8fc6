//! How fast the control plane works on this machine: updates, lookups, a listing and deletes of a hash map of N entries (16 B
//! keys, 16 B values) and of an array.
//!
//! `cargo run --release -p device-model --example control [entries]`

use std::error::Error;
use std::time::Instant;

use device_model::{Device, MapError, MapId, Update};
use offwire_image::{MapKind, MapSpec};
use offwire_isa::X16;

fn key(key: &mut [u8], entry: u32) {
    // Spread, so that entries do not lie in the order of their keys.
    key[..4].copy_from_slice(&entry.wrapping_mul(0x9e37_79b1).to_le_bytes());
}

fn rate(what: &str, count: u32, start: Instant) {
    println!("    {what}: {:.1} M/s", f64::from(count) / start.elapsed().as_secs_f64() / 1e6);
}

fn hash(device: &mut Device, map: MapId, entries: u32) -> Result<(), Box<dyn Error>> {
    let (mut bytes, mut out) = ([0; 16], Vec::new());
    for what in ["inserts", "updates"] {
        let start = Instant::now();
        for entry in 0..entries {
            key(&mut bytes, entry);
            device.map_update_bytes(map, &bytes, &[entry as u8; 16], Update::Any)?;
        }
        rate(what, entries, start);
    }
    let start = Instant::now();
    for entry in 0..entries {
        key(&mut bytes, entry);
        device.map_lookup_into(map, &bytes, &mut out)?;
    }
    rate("lookups", entries, start);
    let start = Instant::now();
    let (mut before, mut next, mut listed) = (Vec::new(), Vec::new(), 0);
    while device.map_next_key(map, (listed > 0).then_some(&before[..]), &mut next) != Err(MapError::NoSuchKey) {
        device.map_lookup_into(map, &next, &mut out)?;
        std::mem::swap(&mut before, &mut next);
        listed += 1;
    }
    rate("entries listed and read", listed, start);
    let start = Instant::now();
    for entry in 0..entries {
        key(&mut bytes, entry);
        device.map_delete(map, &bytes)?;
    }
    rate("deletes", entries, start);
    Ok(())
}

fn array(device: &mut Device, map: MapId, entries: u32) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    for entry in 0..entries {
        device.map_update_bytes(map, &entry.to_le_bytes(), &[entry as u8; 16], Update::Any)?;
    }
    rate("updates", entries, start);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let entries = std::env::args().nth(1).map_or(Ok(100_000), |entries| entries.parse())?;
    let mut device = Device::new(&X16);
    let spec = |kind, key_size| MapSpec {
        name: "table".into(),
        kind,
        key_size,
        value_size: 16,
        max_entries: entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    let table = device.map_create(&spec(MapKind::Hash, 16), None, None)?;
    println!("hash of {entries}");
    hash(&mut device, table, entries)?;
    let array_map = device.map_create(&spec(MapKind::Array, 4), None, None)?;
    println!("array of {entries}");
    array(&mut device, array_map, entries)
}
