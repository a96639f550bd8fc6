//! Sustained rate of a program on the device model: packets over and over at wire rate, many in flight.

use crate::backends::{self, Prepared};
use device_model::{Arrival, Counters, Device, Empty, Stall};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::PacketIn;
use offwire_harness::mapfile::Contents;
use offwire_isa::Profile;

/// Packets offered in a measurement, at the least.
const PACKETS: usize = 32_768;

/// Preamble, start delimiter, FCS and gap, bytes on the wire beside the frame.
const WIRE_OVERHEAD: u64 = 24;

/// Shortest frame on the wire without FCS, bytes.
const WIRE_MINIMUM: u64 = 60;

/// A sustained rate.
#[derive(Clone, Debug)]
pub struct Throughput {
    /// Million packets a second at the profile's clock.
    pub mpps: f64,
    /// What bounds it.
    pub limit: String,
}

/// When frames that follow each other without a gap have arrived, in cycles, at the profile's wire rate.
#[derive(Debug)]
pub struct WireClock {
    gbps: u64,
    mhz: u64,
    bytes: u64,
}

impl WireClock {
    /// A wire with the port rate and the clock of the profile.
    pub fn new(profile: &Profile) -> Self {
        WireClock { gbps: u64::from(profile.port_gbps), mhz: u64::from(profile.clock_mhz), bytes: 0 }
    }

    /// The cycle at which the next frame has arrived.
    pub fn arrival(&mut self, frame_bytes: usize) -> u64 {
        self.bytes += (frame_bytes as u64).max(WIRE_MINIMUM) + WIRE_OVERHEAD;
        // 8 bits a byte, gbps * 1000 bits a microsecond, mhz cycles a microsecond.
        self.bytes * 8 * self.mhz / (self.gbps * 1000)
    }
}

/// Measures the sustained rate of the packets, repeated in order.
///
/// # Errors
/// What the device refuses: image, map entry, packet.
pub fn measure<'p>(
    prepared: &Prepared<'_>,
    packets: impl Iterator<Item = &'p PacketIn>,
    contents: &Contents,
) -> Result<Throughput, Diagnostic> {
    let packets: Vec<&PacketIn> = packets.filter(|packet| backends::fits_device(packet)).collect();
    if packets.is_empty() {
        return Ok(Throughput { mpps: 0.0, limit: "no packet that a device takes".to_owned() });
    }
    let mut device = backends::device(prepared, contents)?;
    let total = PACKETS.div_ceil(packets.len()) * packets.len();
    let departed = saturate(&mut device, &packets, total, |_| ())?;
    // The first quarter fills the pipes; the last packets drain them.
    let steady = departed.get(departed.len() / 4..).unwrap_or_default();
    let (Some(first), Some(last)) = (steady.first(), steady.last()) else {
        return Ok(Throughput { mpps: 0.0, limit: "no packet left the device".to_owned() });
    };
    let cycles = (last - first).max(1);
    let mpps = (steady.len() - 1) as f64 * f64::from(prepared.profile.clock_mhz) / cycles as f64;
    Ok(Throughput { mpps, limit: limit(prepared.profile, &device.counters()) })
}

/// Offers `total` packets at wire rate, taking the list over and over, and lets the device run dry. Gives the cycles of departure,
/// ascending. `each` sees every departure (benches count slots).
///
/// # Errors
/// A packet that the device does not take.
pub fn saturate(
    device: &mut Device,
    packets: &[&PacketIn],
    total: usize,
    mut each: impl FnMut(&device_model::Departure),
) -> Result<Vec<u64>, Diagnostic> {
    let mut wire = WireClock::new(device.profile());
    let mut departed = Vec::with_capacity(total);
    let start = device.now();
    let mut spare: Vec<Vec<u8>> = Vec::new();
    for (offered, packet) in packets.iter().cycle().take(total).enumerate() {
        let cycle = start + wire.arrival(packet.bytes.len());
        let mut bytes = spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(&packet.bytes);
        let arrival = Arrival {
            cycle,
            port: u16::try_from(packet.port).unwrap_or(u16::MAX),
            ingress_ifindex: packet.port.saturating_add(1),
            rx_queue: packet.rx_queue,
            bytes,
            vcpu: None,
        };
        device.offer(arrival).map_err(|error| {
            Diagnostic::error(codes::device::PACKET, "the device did not take the packet")
                .with_reason(error.to_string())
        })?;
        // Now and then, so that neither arrivals nor departures pile up.
        if offered % 256 == 255 {
            device.run_until(cycle);
            for departure in device.departures() {
                departed.push(departure.departed);
                each(&departure);
                spare.push(departure.bytes);
            }
        }
    }
    device.run_until_idle();
    for departure in device.departures() {
        departed.push(departure.departed);
        each(&departure);
    }
    departed.sort_unstable();
    Ok(departed)
}

/// What bounds the rate: the wire if nothing was lost, else what kept the dispatcher from placing a packet most often.
fn limit(profile: &Profile, counters: &Counters) -> String {
    if counters.tail_drops == 0 {
        return format!("the wire ({} Gb/s)", profile.port_gbps);
    }
    let stalls = |stall: Stall| counters.stalls.get(stall as usize).copied().unwrap_or(0);
    let worst =
        [Stall::Serialised, Stall::RestorerFull, Stall::ContextsFull].into_iter().max_by_key(|&stall| stalls(stall));
    match worst {
        Some(stall) if stalls(stall) == 0 => "the dispatcher".to_owned(),
        Some(Stall::Serialised) => "serialisation (dispatch mode)".to_owned(),
        Some(Stall::RestorerFull) => "the order restorer".to_owned(),
        _ => {
            let slots = &counters.slots;
            if slots.used() * 100 >= slots.total() * 85 {
                return "issue slots of the engines".to_owned();
            }
            let cause = Empty::ALL
                .into_iter()
                .filter(|&cause| cause != Empty::NoContext)
                .max_by_key(|&cause| slots.empty.get(cause as usize).copied().unwrap_or(0));
            match cause {
                Some(Empty::Transfer) => "packet transfer into the engines".to_owned(),
                Some(Empty::PacketStore) => "the packet store".to_owned(),
                Some(Empty::Map) => "contexts that wait for the map unit".to_owned(),
                Some(Empty::Unit) => "contexts that wait for a unit of their engine".to_owned(),
                _ => "contexts (pipeline distance)".to_owned(),
            }
        }
    }
}
