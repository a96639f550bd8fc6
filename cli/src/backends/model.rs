//! The device model as a back end.

use super::{Prepared, TimedBackend, Timing};
use device_model::{Arrival, Device, MapError, OfferError, Update, geometry};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::mapfile::Contents;
use offwire_harness::{Backend, Chance, Entry, EntryValue, PacketIn, PacketOut};
use offwire_image::MapSpec;
use std::collections::BTreeMap;

/// The device model with one program; packets run one at a time on vCPU 0.
#[derive(Debug)]
pub struct Model {
    device: Device,
    maps: Vec<MapSpec>,
    timing: Timing,
    /// For the helpers that draw on it; the compiler refuses them so far.
    chance: Chance,
}

impl Model {
    /// A device of the prepared profile with the program loaded.
    ///
    /// # Errors
    /// `OW0601` if the device refuses the image.
    pub fn new(prepared: &Prepared<'_>) -> Result<Self, Diagnostic> {
        Ok(Model {
            device: loaded(prepared)?,
            maps: prepared.compiled.image.maps.clone(),
            timing: Timing::default(),
            chance: Chance::default(),
        })
    }
}

fn spec(maps: &[MapSpec], map: MapIdx) -> Result<&MapSpec, Diagnostic> {
    maps.get(usize::from(map.0))
        .ok_or_else(|| Diagnostic::error(codes::device::MAP, format!("the image has no map number {}", map.0)))
}

fn loaded(prepared: &Prepared<'_>) -> Result<Device, Diagnostic> {
    let mut device = Device::new(prepared.profile);
    device.load(&prepared.compiled.image, prepared.dispatch).map_err(|error| {
        Diagnostic::error(codes::device::LOAD_REFUSED, "the device refused the image").with_reason(error.to_string())
    })?;
    Ok(device)
}

/// A device with the program loaded and its maps filled.
///
/// # Errors
/// `OW0601` if the device refuses the image, `OW0602` if it refuses an entry.
pub fn device(prepared: &Prepared<'_>, contents: &Contents) -> Result<Device, Diagnostic> {
    let mut device = loaded(prepared)?;
    for (map, entries) in contents {
        let spec = spec(&prepared.compiled.image.maps, *map)?;
        entries.iter().try_for_each(|entry| write_entry(&mut device, spec, *map, entry))?;
    }
    Ok(device)
}

/// True if the packet has a length that a device takes.
pub fn fits_device(packet: &PacketIn) -> bool {
    (geometry::MIN_PACKET as usize..=geometry::MAX_PACKET as usize).contains(&packet.bytes.len())
}

fn map_error(spec: &MapSpec, error: &MapError) -> Diagnostic {
    Diagnostic::error(codes::device::MAP, format!("the device refused an operation on map {}", spec.name))
        .with_reason(error.to_string())
}

/// Inserts or replaces an entry (BPF_ANY).
fn write_entry(device: &mut Device, spec: &MapSpec, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
    let values: Vec<Vec<u8>> = match &entry.value {
        EntryValue::One(value) => vec![value.clone()],
        EntryValue::PerCpu(values) => {
            let named: BTreeMap<u32, &Vec<u8>> = values.iter().map(|(cpu, value)| (*cpu, value)).collect();
            // A dump leaves out values that are zero; an entry of zeros only still has one.
            let copies = named.keys().next_back().map_or(1, |&last| last.saturating_add(1));
            if copies > device.profile().vcpus {
                return Err(Diagnostic::error(
                    codes::device::MAP,
                    format!(
                        "map {} has a value for CPU {}, the device has {} vCPUs",
                        spec.name,
                        copies - 1,
                        device.profile().vcpus
                    ),
                ));
            }
            let zeros = vec![0; spec.value_size as usize];
            (0..copies).map(|cpu| named.get(&cpu).map_or_else(|| zeros.clone(), |value| (*value).clone())).collect()
        }
    };
    device.map_update(usize::from(map.0), &entry.key, &values, Update::Any).map_err(|error| map_error(spec, &error))
}

impl Backend for Model {
    fn name(&self) -> &'static str {
        "model"
    }

    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        write_entry(&mut self.device, spec(&self.maps, map)?, map, entry)
    }

    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        let spec = spec(&self.maps, map)?;
        let entries = self.device.map_entries(usize::from(map.0)).map_err(|error| map_error(spec, &error))?;
        let per_cpu = spec.kind.is_per_cpu();
        let mut entries: Vec<Entry> = entries
            .into_iter()
            .map(|(key, values)| {
                let value = if per_cpu {
                    let written = (0..).zip(values).filter(|(_, value)| value.iter().any(|&byte| byte != 0));
                    EntryValue::PerCpu(written.collect())
                } else {
                    EntryValue::One(values.into_iter().next().unwrap_or_default())
                };
                Entry { key, value }
            })
            .collect();
        // The device lists arrays by index; as bytes a little-endian index does not ascend beyond 255.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        if fits_device(packet) {
            return Ok(());
        }
        Err(Diagnostic::error(
            codes::device::PACKET,
            format!("a device does not take packets of {} bytes", packet.bytes.len()),
        )
        .with_reason(format!("a frame has {} to {} bytes", geometry::MIN_PACKET, geometry::MAX_PACKET)))
    }

    fn tells_redirect(&self) -> bool {
        false
    }

    fn set_chance(&mut self, chance: Chance) {
        self.chance = chance;
    }

    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        let arrival = Arrival { vcpu: Some(0), ..arrival(packet, 0) };
        let departure = self.device.run_one(arrival).map_err(|error: OfferError| {
            Diagnostic::error(codes::device::PACKET, "the device did not take the packet")
                .with_reason(error.to_string())
        })?;
        let latency = departure.departed - departure.arrival;
        self.timing.cycles += latency;
        self.timing.latencies.push(latency);
        Ok(PacketOut {
            retval: departure.retval,
            bytes: departure.bytes,
            words: Some(u64::from(departure.words)),
            slots: Some(u64::from(departure.slots)),
            fault: departure.fault.map(|fault| format!("{} at word {}", fault.cause.name(), fault.word.0)),
            ..PacketOut::default()
        })
    }
}

impl TimedBackend for Model {
    fn timing(&self) -> Option<Timing> {
        Some(self.timing.clone())
    }
}

/// The packet as the device sees it come, at `cycle`.
pub fn arrival(packet: &PacketIn, cycle: u64) -> Arrival {
    Arrival {
        cycle,
        port: u16::try_from(packet.port).unwrap_or(u16::MAX),
        ingress_ifindex: packet.port.saturating_add(1),
        rx_queue: packet.rx_queue,
        bytes: packet.bytes.clone(),
        vcpu: None,
    }
}
