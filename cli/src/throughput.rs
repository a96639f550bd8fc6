//! Sustained rate of a program on the device model: the capture over and over at wire rate, many packets in flight.

use crate::backends::{self, Prepared};
use device_model::{Arrival, Device};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::Diagnostic;
use offwire_harness::{Entry, PacketIn};

/// Packets offered in a measurement, at the least.
const PACKETS: usize = 32_768;

/// Preamble, start delimiter, FCS and gap, bytes on the wire beside the frame.
const WIRE_OVERHEAD: u64 = 24;

/// Shortest frame on the wire without FCS, bytes.
const WIRE_MINIMUM: u64 = 60;

/// How packets spread over flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    /// As their headers say.
    AsCaptured,
    /// All in one order bucket on vCPU 0.
    One,
}

/// A sustained rate.
#[derive(Clone, Debug)]
pub struct Throughput {
    /// Million packets a second at the profile's clock.
    pub mpps: f64,
    /// What bounds it.
    pub limit: String,
    /// Packets that the figure comes from.
    pub packets: u64,
}

/// When each packet of an endless repetition of the capture starts to arrive, in cycles, at the profile's wire rate.
#[derive(Debug)]
pub struct WireClock {
    gbps: u64,
    mhz: u64,
    bytes: u64,
}

impl WireClock {
    /// A wire with the port rate and the clock of the profile.
    pub fn new(profile: &offwire_isa::Profile) -> Self {
        WireClock { gbps: u64::from(profile.port_gbps), mhz: u64::from(profile.clock_mhz), bytes: 0 }
    }

    /// The cycle at which a frame has arrived that follows the former ones without a gap.
    pub fn arrival(&mut self, frame_bytes: usize) -> u64 {
        self.bytes += (frame_bytes as u64).max(WIRE_MINIMUM) + WIRE_OVERHEAD;
        // bytes * 8 bits / (gbps * 1000 bits a us) * mhz cycles a us
        self.bytes * 8 * self.mhz / (self.gbps * 1000)
    }
}

/// Measures the sustained rate: departures a cycle after a quarter of the packets has warmed the device up.
pub fn measure(
    prepared: &Prepared<'_>,
    packets: &[PacketIn],
    initial: &[(MapIdx, Entry)],
    flows: Flows,
) -> Result<Throughput, Diagnostic> {
    let runnable: Vec<&PacketIn> = packets.iter().filter(|packet| backends::fits_device(packet)).collect();
    if runnable.is_empty() {
        return Ok(Throughput { mpps: 0.0, limit: "no packet that a device can take".to_owned(), packets: 0 });
    }
    let mut device = backends::device(prepared, initial)?;
    let mut wire = WireClock::new(prepared.profile);
    let rounds = PACKETS.div_ceil(runnable.len());
    let total = rounds * runnable.len();
    let mut departures = Vec::with_capacity(total);
    let mut offered = 0usize;
    for _ in 0..rounds {
        for packet in &runnable {
            let cycle = wire.arrival(packet.bytes.len());
            device.offer(Arrival {
                cycle,
                port: packet.port,
                ingress_ifindex: packet.port + 1,
                rx_queue: packet.rx_queue,
                bytes: packet.bytes.clone(),
                vcpu: (flows == Flows::One).then_some(0),
            });
            offered += 1;
            if offered % 1024 == 0 {
                device.run_until(cycle);
                departures.extend(device.departures().map(|departure| departure.departed));
            }
        }
    }
    device.run_until_idle();
    departures.extend(device.departures().map(|departure| departure.departed));
    departures.sort_unstable();
    Ok(rate(prepared, &device, &departures, total))
}

fn rate(prepared: &Prepared<'_>, device: &Device, departed: &[u64], offered: usize) -> Throughput {
    let from = departed.len() / 4;
    let span = match (departed.get(from), departed.last()) {
        (Some(first), Some(last)) if last > first => last - first,
        _ => 1,
    };
    let packets = (departed.len() - from).saturating_sub(1) as u64;
    let mpps = packets as f64 * f64::from(prepared.profile.clock_mhz) / span as f64;
    Throughput { mpps, limit: limit(prepared, device, departed.len() == offered), packets }
}

/// What bounds the rate: the wire if nothing was lost, else the unit that was busiest.
fn limit(prepared: &Prepared<'_>, device: &Device, lossless: bool) -> String {
    if lossless {
        return format!("the wire ({} Gb/s)", prepared.profile.port_gbps);
    }
    device.busiest().to_string()
}
