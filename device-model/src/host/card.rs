//! What a reset clears: the device, its ports, what is in flight, what was counted.

use std::collections::VecDeque;

use offwire_hostif::TimeMode;
use offwire_image::MapKind;
use offwire_isa::Profile;

use super::HostConfig;
use super::ports::{Flight, Flights, Port, Verdicts};
use super::wire::Departed;
use crate::{Arrival, Device, MapId, OfferError, PROGRAMS, ProgramId, flow};

/// Packets that can be in flight, those that will come later included.
pub(crate) const FLIGHTS_MAX: usize = 1 << 16;

/// What is known of a program beside what the device knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProgramUse {
    /// Cycle at which it was loaded.
    pub(crate) loaded: u64,
    /// First bytes of the digest over its words.
    pub(crate) tag: u64,
    /// Packets and their bytes when they came.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Words run.
    pub(crate) words: u64,
    /// Cycles from dispatch to the end of the program.
    pub(crate) cycles: u64,
    pub(crate) verdicts: Verdicts,
}

/// Sizes of a map, as commands need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: MapKind,
    pub(crate) key: usize,
    /// Bytes of a value as the host sees it: of a per-CPU map one for each vCPU, padded to 8 B.
    pub(crate) value: usize,
}

/// What the host was sent and what was lost on the way, since reset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) departures: u64,
    pub(crate) words: u64,
    pub(crate) verdicts: Verdicts,
    pub(crate) received: u64,
    pub(crate) lost: u64,
}

/// The device and what stands around it.
pub(crate) struct Card {
    pub(crate) device: Device,
    pub(crate) profile: &'static Profile,
    pub(crate) ports: Vec<Port>,
    pub(crate) flights: Flights,
    /// Frames that have left on a wire and were not taken.
    pub(crate) departed: VecDeque<Departed>,
    pub(crate) programs: Vec<ProgramUse>,
    pub(crate) totals: Totals,
    pub(crate) time: TimeMode,
    /// Cycle of the last packet that was offered.
    pub(crate) last_arrival: u64,
    /// A packet is to have the device alone: nothing is transmitted until it is idle.
    pub(crate) alone: bool,
    /// The device will never be idle again.
    pub(crate) failed: bool,
    /// Sizes of maps, as far as they were asked for.
    shapes: Vec<Option<Shape>>,
    /// Buffers of packets that have left.
    spare: Vec<Vec<u8>>,
}

/// Buffers that are kept.
const SPARE_MAX: usize = 256;

impl Card {
    /// As after power on.
    pub(crate) fn new(config: &HostConfig) -> Self {
        let mut device = Device::new(config.profile);
        device.report_drops();
        Card {
            device,
            profile: config.profile,
            ports: (0..config.ports).map(Port::new).collect(),
            flights: Flights::default(),
            departed: VecDeque::new(),
            programs: vec![ProgramUse::default(); PROGRAMS],
            totals: Totals::default(),
            time: config.time,
            last_arrival: 0,
            alone: false,
            failed: false,
            shapes: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// The cycle at which a packet can come at the earliest.
    pub(crate) fn earliest(&self) -> u64 {
        self.device.now().max(self.last_arrival)
    }

    /// A packet comes in at a port that there is.
    pub(crate) fn offer(&mut self, arrival: Arrival, pair: Option<u8>) -> Result<u64, OfferError> {
        let (cycle, port, bytes) = (arrival.cycle, usize::from(arrival.port), arrival.bytes.len() as u64);
        let hash = flow::hash(&arrival.bytes);
        let seq = self.device.offer(arrival)?;
        self.last_arrival = cycle;
        self.flights.add(seq, Flight { hash, pair });
        if let Some(port) = self.ports.get_mut(port) {
            port.counters.rx_packets += 1;
            port.counters.rx_bytes += bytes;
        }
        Ok(seq)
    }

    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps a buffer for another packet.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// The sizes of a map.
    pub(crate) fn shape(&mut self, id: MapId) -> Option<Shape> {
        let at = usize::from(id);
        if let Some(Some(shape)) = self.shapes.get(at) {
            return Some(*shape);
        }
        let info = self.device.map_info(id).ok()?;
        let spec = &info.spec;
        let value = spec.value_size as usize;
        let copies = self.device.map_copies(id).ok()? as usize;
        let value = if spec.kind.is_per_cpu() { value.next_multiple_of(8) * copies } else { value };
        let shape = Shape { kind: spec.kind, key: spec.key_size as usize, value };
        if self.shapes.len() <= at {
            self.shapes.resize(at + 1, None);
        }
        self.shapes[at] = Some(shape);
        Some(shape)
    }

    /// Maps came or went.
    pub(crate) fn forget_shapes(&mut self) {
        self.shapes.clear();
    }

    pub(crate) fn program_mut(&mut self, id: ProgramId) -> Option<&mut ProgramUse> {
        self.programs.get_mut(usize::from(id.0))
    }
}
