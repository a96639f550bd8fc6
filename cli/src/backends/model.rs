//! The device model as a back end.

use super::numbers::Numbers;
use super::{Prepared, TimedBackend, Timing};
use device_model::{
    Arrival, Departure, Device, DeviceEvent, MapError, MapId, OfferError, Redirect, Trace, Update, geometry,
};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::mapfile::Contents;
use offwire_harness::reference::printk::{self, Printed};
use offwire_harness::{Backend, Chance, Entry, EntryValue, Event, PacketIn, PacketOut, RedirectTarget, Verdict};
use offwire_image::{DispatchMode, MapSpec};
use offwire_isa::PRINTK_TEXT;
use std::collections::BTreeMap;

/// The device model with one program; packets run one at a time on vCPU 0.
#[derive(Debug)]
pub struct Model {
    device: Device,
    maps: Vec<MapSpec>,
    numbers: Numbers,
    timing: Timing,
}

impl Model {
    /// A device of the prepared profile with the program loaded.
    ///
    /// # Errors
    /// `OW0601` if the device refuses the image.
    pub fn new(prepared: &Prepared<'_>) -> Result<Self, Diagnostic> {
        let maps = prepared.compiled.image.maps.clone();
        let numbers = Numbers::new(prepared.object, &prepared.compiled.image);
        let mut model = Model { device: loaded(prepared)?, maps, numbers, timing: Timing::default() };
        model.set_chance(Chance::default());
        Ok(model)
    }
}

fn spec(maps: &[MapSpec], map: MapIdx) -> Result<&MapSpec, Diagnostic> {
    maps.get(usize::from(map.0))
        .ok_or_else(|| Diagnostic::error(codes::device::MAP, format!("the image has no map number {}", map.0)))
}

fn loaded(prepared: &Prepared<'_>) -> Result<Device, Diagnostic> {
    let mut device = Device::new(prepared.profile);
    load(&mut device, prepared, prepared.dispatch)?;
    Ok(device)
}

fn load<T: Trace>(
    device: &mut Device<T>,
    prepared: &Prepared<'_>,
    mode: Option<DispatchMode>,
) -> Result<(), Diagnostic> {
    device.load(&prepared.compiled.image, mode).map_err(|error| {
        Diagnostic::error(codes::device::LOAD_REFUSED, "the device refused the image").with_reason(error.to_string())
    })
}

fn fill<T: Trace>(device: &mut Device<T>, prepared: &Prepared<'_>, contents: &Contents) -> Result<(), Diagnostic> {
    let mut numbers = Numbers::new(prepared.object, &prepared.compiled.image);
    for (map, entries) in contents {
        let spec = spec(&prepared.compiled.image.maps, *map)?;
        entries.iter().try_for_each(|entry| write_entry(device, spec, &mut numbers, *map, entry))?;
    }
    Ok(())
}

/// The same, which tells `trace` what happens, in another dispatch mode.
///
/// # Errors
/// As [`device`].
pub fn traced_device<T: Trace>(
    prepared: &Prepared<'_>,
    mode: DispatchMode,
    contents: &Contents,
    trace: T,
) -> Result<Device<T>, Diagnostic> {
    let mut device = Device::with_trace(prepared.profile, trace);
    load(&mut device, prepared, Some(mode))?;
    fill(&mut device, prepared, contents)?;
    Ok(device)
}

/// A device with the program loaded and its maps filled.
///
/// # Errors
/// `OW0601` if the device refuses the image, `OW0602` if it refuses an entry.
pub fn device(prepared: &Prepared<'_>, contents: &Contents) -> Result<Device, Diagnostic> {
    let mut device = loaded(prepared)?;
    fill(&mut device, prepared, contents)?;
    Ok(device)
}

/// True if the packet has a length that a device takes.
pub fn fits_device(packet: &PacketIn) -> bool {
    (geometry::MIN_PACKET as usize..=geometry::MAX_PACKET as usize).contains(&packet.bytes.len())
}

/// Says why, if a device does not take packets of this length.
pub(super) fn admits(packet: &PacketIn) -> Result<(), Diagnostic> {
    if fits_device(packet) {
        return Ok(());
    }
    Err(Diagnostic::error(
        codes::device::PACKET,
        format!("a device does not take packets of {} bytes", packet.bytes.len()),
    )
    .with_reason(format!("a frame has {} to {} bytes", geometry::MIN_PACKET, geometry::MAX_PACKET)))
}

fn map_error(spec: &MapSpec, error: &MapError) -> Diagnostic {
    Diagnostic::error(codes::device::MAP, format!("the device refused an operation on map {}", spec.name))
        .with_reason(error.to_string())
}

/// Inserts or replaces an entry (BPF_ANY).
fn write_entry<T: Trace>(
    device: &mut Device<T>,
    spec: &MapSpec,
    numbers: &mut Numbers,
    map: MapIdx,
    entry: &Entry,
) -> Result<(), Diagnostic> {
    if numbers.keep(map, entry) {
        return Ok(());
    }
    let values: Vec<Vec<u8>> = match &entry.value {
        EntryValue::One(value) => vec![numbers.to_device(spec, value)?],
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
    device.map_update(MapId(map.0), &entry.key, &values, Update::Any).map_err(|error| map_error(spec, &error))
}

impl Backend for Model {
    fn name(&self) -> &'static str {
        "model"
    }

    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        write_entry(&mut self.device, spec(&self.maps, map)?, &mut self.numbers, map, entry)
    }

    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        let spec = spec(&self.maps, map)?;
        if let Some(kept) = self.numbers.kept(map) {
            let entry =
                |(key, value): (&Vec<u8>, &Vec<u8>)| Entry { key: key.clone(), value: EntryValue::One(value.clone()) };
            return Ok(kept.iter().map(entry).collect());
        }
        let entries = self.device.map_entries(MapId(map.0)).map_err(|error| map_error(spec, &error))?;
        let per_cpu = spec.kind.is_per_cpu();
        let mut entries: Vec<Entry> = entries
            .into_iter()
            .map(|(key, values)| {
                let value = if per_cpu {
                    let written = (0..).zip(values).filter(|(_, value)| value.iter().any(|&byte| byte != 0));
                    EntryValue::PerCpu(written.collect())
                } else {
                    let value = values.into_iter().next().unwrap_or_default();
                    EntryValue::One(self.numbers.to_object(spec.kind, &value))
                };
                Entry { key, value }
            })
            .collect();
        // The device lists arrays by index; as bytes a little-endian index does not ascend beyond 255.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        admits(packet)
    }

    fn set_chance(&mut self, chance: Chance) {
        self.device.set_chance(chance.ktime_ns, chance.jiffies, chance.random_state);
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
        packet_out(departure)
    }
}

/// What became of a packet, as the harness compares it.
///
/// # Errors
/// `OW0604` for an event that cannot be told without the device's memory.
pub fn packet_out(departure: Departure) -> Result<PacketOut, Diagnostic> {
    let events = departure.events.into_iter().filter_map(|told| event(told).transpose());
    let redirected = Verdict::from_retval(departure.retval) == Verdict::Redirect;
    Ok(PacketOut {
        retval: departure.retval,
        bytes: departure.bytes,
        meta: departure.meta,
        events: events.collect::<Result<_, _>>()?,
        redirect: departure.redirect.filter(|_| redirected).map(target),
        words: Some(u64::from(departure.words)),
        slots: Some(u64::from(departure.slots)),
        fault: departure.fault.map(|fault| format!("{} at word {}", fault.cause.name(), fault.word.0)),
        ..PacketOut::default()
    })
}

impl TimedBackend for Model {
    fn timing(&self) -> Option<Timing> {
        Some(self.timing.clone())
    }
}

/// Why a fault ended a packet, by the number that the device gives.
pub fn fault_name(cause: u16) -> Option<&'static str> {
    device_model::FaultCause::ALL.into_iter().find(|&known| known as u16 == cause).map(device_model::FaultCause::name)
}

/// A text of bpf_trace_printk, formatted; `None` if the format is none.
///
/// # Errors
/// `OW0604` for a format that names an address.
pub fn printed(format: Vec<u8>, arguments: [u64; 3]) -> Result<Option<Event>, Diagnostic> {
    event(DeviceEvent::Printk { format, arguments })
}

/// An event as the host sees it; a text that is no format prints nothing.
pub(super) fn event(event: DeviceEvent) -> Result<Option<Event>, Diagnostic> {
    Ok(Some(match event {
        DeviceEvent::Ringbuf { map, bytes } => Event::Ringbuf { map: map.into(), bytes },
        DeviceEvent::Perf { map, bytes, packet, .. } => {
            Event::Perf { map: map.into(), bytes: [bytes, packet].concat() }
        }
        DeviceEvent::Printk { format, arguments } => {
            // Texts came along; anything else has no memory here, as on the host a number has none.
            let memory = |address: u64, len: usize| {
                let at = usize::try_from(address.checked_sub(PRINTK_TEXT)?).ok()?;
                format.get(at..at.checked_add(len)?).map(<[u8]>::to_vec)
            };
            let printed = printk::format(&format, arguments, &memory);
            let refuse = |why: String| {
                Err(Diagnostic::error(codes::device::EVENT, "the device cannot tell what the program printed")
                    .with_reason(why))
            };
            match printed {
                Printed::Unsupported(what) => return refuse(what),
                Printed::Error(_) => return Ok(None),
                Printed::Line { text, .. } => Event::Trace { text: String::from_utf8_lossy(&text).into_owned() },
            }
        }
    }))
}

/// Flags of bpf_redirect_map (include/uapi/linux/bpf.h): BPF_F_BROADCAST and BPF_F_EXCLUDE_INGRESS.
const BROADCAST: u64 = 8;
const EXCLUDE_INGRESS: u64 = 16;

pub(super) fn target(redirect: Redirect) -> RedirectTarget {
    match redirect {
        Redirect::Interface { ifindex, .. } => RedirectTarget::Ifindex(ifindex),
        Redirect::Map { map, flags, .. } if flags & BROADCAST != 0 => {
            RedirectTarget::Broadcast { map: map.into(), exclude_ingress: flags & EXCLUDE_INGRESS != 0 }
        }
        Redirect::Map { map, key, .. } => RedirectTarget::Entry { map: map.into(), key },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &str, arguments: [u64; 3]) -> Result<Option<Event>, Diagnostic> {
        event(DeviceEvent::Printk { format: format.as_bytes().to_vec(), arguments })
    }

    #[test]
    fn a_line_is_formatted_on_the_host() {
        let text = "length 60, -1, ff".to_owned();
        let line = printed("length %d, %lld, %x\0", [60, u64::MAX, 255]).unwrap();
        assert_eq!(line, Some(Event::Trace { text }));
        assert_eq!(printed("%q\0", [0; 3]).unwrap(), None, "the kernel's -EINVAL prints nothing");
    }

    #[test]
    fn a_line_with_texts_takes_them_from_the_event() {
        let at = |place: u64| PRINTK_TEXT + place;
        let line = printed("%s %pI4 %s\0one\0\x7f\x02\x03\x04\0", [at(11), at(15), 11]).unwrap();
        assert_eq!(line, Some(Event::Trace { text: "one 127.2.3.4 ".to_owned() }), "a number is no text");
        let beyond = printed("%pI4\0\x01\x02\x03", [at(5), 0, 0]).unwrap();
        assert_eq!(beyond, Some(Event::Trace { text: "0.0.0.0".to_owned() }));
    }

    #[test]
    fn a_line_with_an_address_is_refused() {
        for format in ["%p\0", "%px\0", "%pK\0"] {
            assert_eq!(printed(format, [1; 3]).unwrap_err().code, codes::device::EVENT, "{format}");
        }
    }

    #[test]
    fn data_and_packet_of_a_perf_event_follow_each_other() {
        let perf = DeviceEvent::Perf { map: MapId(3), index: 0, bytes: vec![1, 2], packet: vec![3] };
        assert_eq!(event(perf).unwrap(), Some(Event::Perf { map: 3, bytes: vec![1, 2, 3] }));
    }

    #[test]
    fn targets_of_redirects_are_named_as_the_kernel_does() {
        let map = |flags| target(Redirect::Map { map: MapId(2), key: 7, flags });
        assert_eq!(map(0), RedirectTarget::Entry { map: 2, key: 7 });
        assert_eq!(map(8), RedirectTarget::Broadcast { map: 2, exclude_ingress: false });
        assert_eq!(map(24), RedirectTarget::Broadcast { map: 2, exclude_ingress: true });
        assert_eq!(target(Redirect::Interface { ifindex: 5, flags: 0 }), RedirectTarget::Ifindex(5));
    }
}
