//! What a poll does, and packets from the device to where they go.

use offwire_hostif::{DropReason, EventKind, PortFlag, RingId, TimeMode, desc};
use offwire_image::MapKind;

use super::HostFunction;
use super::card::FLIGHTS_MAX;
use super::ports::Flight;
use super::receive::NONE;
use super::wire::{Departed, fits};
use crate::{Arrival, Departure, DeviceEvent, MapId, ProgramId, Redirect, verdict};

/// Windows of cycles that a poll runs at most: well below a millisecond of the model's time.
const WINDOWS: u32 = 256;
/// Frames that wait for whoever takes them from the wires; more are dropped.
const DEPARTED_MAX: usize = 1 << 16;
/// Targets of a broadcast at most.
const TARGETS_MAX: usize = 64;
/// Keys of a map that a broadcast looks at.
const KEYS_MAX: usize = 4096;
/// Flags of bpf_redirect_map (include/uapi/linux/bpf.h): BPF_F_BROADCAST and BPF_F_EXCLUDE_INGRESS.
const BROADCAST: u64 = 8;
const EXCLUDE_INGRESS: u64 = 16;

impl HostFunction {
    /// A share of what there is to do; false if there was nothing.
    pub(super) fn work(&mut self) -> bool {
        if self.card.failed {
            return false;
        }
        self.bus.now = self.card.device.now();
        let mut worked = self.run_commands();
        if !self.holds_time() {
            worked |= self.transmit();
            worked |= self.run_device();
        }
        self.tell_stopped();
        self.bus.signal_due(!worked);
        worked
    }

    /// Runs the device for a share, as far as the time mode lets it, and takes what has left.
    fn run_device(&mut self) -> bool {
        let idle = self.card.device.is_idle();
        let limit = self.limit.unwrap_or(u64::MAX);
        if !idle {
            // Time goes to the last arrival while more wait to be looked at, else until nothing is left.
            let more = self.card.time != TimeMode::Real && !self.card.alone && self.has_transmits();
            let crowded = self.card.flights.len() >= self.unstamped_most();
            let to = if more && !crowded { self.card.last_arrival.min(limit) } else { limit };
            let before = self.card.device.now();
            let done = self.card.device.run_share(WINDOWS, to);
            if !done && self.card.device.now() == before && before < to {
                self.card.failed = true;
            }
            if done {
                self.card.alone = false;
            }
        } else {
            self.card.alone = false;
        }
        if self.card.time == TimeMode::Real
            && let Some(limit) = self.limit
            && self.card.device.is_idle()
        {
            self.card.device.run_until(limit);
        }
        self.bus.now = self.card.device.now();
        self.take_drops() | self.take_departures() | (!idle && self.card.device.now() < limit)
    }

    /// Packets that found the ingress FIFO full.
    fn take_drops(&mut self) -> bool {
        let drops: Vec<_> = self.card.device.drops().collect();
        for &crate::Dropped { seq, port } in &drops {
            self.card.flights.take(seq);
            if let Some(port) = self.card.ports.get_mut(usize::from(port)) {
                port.counters.rx_dropped += 1;
            }
            self.tell_drop(port, seq, None, DropReason::Ingress);
        }
        !drops.is_empty()
    }

    fn take_departures(&mut self) -> bool {
        let mut departures = std::mem::take(&mut self.departures);
        departures.extend(self.card.device.departures());
        let some = !departures.is_empty();
        for packet in departures.drain(..) {
            self.dispose(packet);
        }
        self.departures = departures;
        some
    }

    /// A packet has left the device.
    fn dispose(&mut self, mut packet: Departure) {
        let flight = self.card.flights.take(packet.seq).unwrap_or(Flight { hash: 0, pair: None });
        self.count(&packet);
        let events = std::mem::take(&mut packet.events);
        let count = events.len() as u32;
        for event in &events {
            self.tell(&packet, event);
        }
        if let Some(fault) = packet.fault {
            let told = desc::Event {
                kind: EventKind::Fault.code(),
                code: fault.cause as u16,
                argument: fault.word.0.into(),
                ..told(&packet)
            };
            self.events.write(&mut self.bus, told, &[]);
        }
        let captured = self.card.ports.get(usize::from(packet.port)).is_some_and(|port| port.is(PortFlag::CAPTURE));
        if captured || packet.retval == verdict::PASS {
            let injected = flight.pair.filter(|_| captured).and_then(RingId::receive);
            let ring = injected.or_else(|| {
                let bucket = flight.hash.checked_rem(self.card.profile.order_buckets)?;
                self.bus.receive_ring(bucket)
            });
            self.receive(ring, &packet, flight, captured, count);
            self.card.recycle(packet.bytes);
        } else if packet.retval == verdict::TX {
            self.send(packet.port, packet.departed, packet.bytes, Some((packet.seq, packet.program)));
        } else if packet.retval == verdict::REDIRECT {
            self.redirect(packet);
        } else {
            self.card.recycle(packet.bytes);
        }
    }

    fn count(&mut self, packet: &Departure) {
        let fault = packet.fault.is_some();
        let card = &mut self.card;
        card.totals.departures += 1;
        card.totals.words += u64::from(packet.words);
        card.totals.verdicts.count(packet.retval, fault);
        if let Some(port) = card.ports.get_mut(usize::from(packet.port)) {
            port.counters.verdicts.count(packet.retval, fault);
        }
        if let Some(used) = packet.program.and_then(|program| card.program_mut(program)) {
            used.packets += 1;
            used.bytes += packet.bytes.len() as u64;
            used.words += u64::from(packet.words);
            used.cycles += packet.exited.saturating_sub(packet.dispatched);
            used.verdicts.count(packet.retval, fault);
        }
    }

    /// A packet that its program redirected.
    fn redirect(&mut self, packet: Departure) {
        let from = Some((packet.seq, packet.program));
        let targets = match packet.redirect {
            Some(Redirect::Interface { ifindex, .. }) => self.port_of(ifindex).into_iter().collect(),
            Some(Redirect::Map { map, flags, .. }) if flags & BROADCAST != 0 => {
                let mut targets = self.all_of(map);
                if flags & EXCLUDE_INGRESS != 0 {
                    targets.retain(|&port| port != packet.port);
                }
                // To nobody: that is no error.
                if targets.is_empty() {
                    self.card.recycle(packet.bytes);
                    return;
                }
                targets
            }
            Some(Redirect::Map { map, key, .. }) => self.entry_of(map, key).into_iter().collect::<Vec<_>>(),
            None => Vec::new(),
        };
        let Some((&last, others)) = targets.split_last() else {
            self.tell_drop(packet.port, packet.seq, packet.program, DropReason::Redirect);
            self.card.recycle(packet.bytes);
            return;
        };
        for &port in others {
            self.send(port, packet.departed, packet.bytes.clone(), from);
        }
        self.send(last, packet.departed, packet.bytes, from);
    }

    /// The port that programs see under an ifindex.
    fn port_of(&self, ifindex: u32) -> Option<u16> {
        let at = self.card.ports.iter().position(|port| port.ifindex == ifindex)?;
        u16::try_from(at).ok()
    }

    fn is_devmap(&mut self, map: MapId) -> bool {
        self.card.shape(map).is_some_and(|shape| matches!(shape.kind, MapKind::Devmap | MapKind::DevmapHash))
    }

    /// The port that an entry of a device map names.
    fn entry_of(&mut self, map: MapId, key: u32) -> Option<u16> {
        if !self.is_devmap(map) {
            return None;
        }
        let mut value = std::mem::take(&mut self.output);
        let found = self.card.device.map_lookup_into(map, &key.to_le_bytes(), &mut value);
        let ifindex = value.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        self.output = value;
        found.ok().and(ifindex).and_then(|ifindex| self.port_of(ifindex))
    }

    /// The ports that a device map names.
    fn all_of(&mut self, map: MapId) -> Vec<u16> {
        let mut ports = Vec::new();
        if !self.is_devmap(map) {
            return ports;
        }
        let (mut key, mut next) = (None::<Vec<u8>>, Vec::new());
        // An array of devices has a key for each place, also for those where nothing is.
        for _ in 0..KEYS_MAX {
            if self.card.device.map_next_key(map, key.as_deref(), &mut next).is_err() || ports.len() == TARGETS_MAX {
                break;
            }
            if let Some(word) = next.first_chunk() {
                ports.extend(self.entry_of(map, u32::from_le_bytes(*word)));
            }
            key = Some(next.clone());
        }
        ports
    }

    /// A frame goes out of a port; `from`: the packet that it was, and its program.
    pub(super) fn send(
        &mut self,
        number: u16,
        cycle: u64,
        bytes: Vec<u8>,
        from: Option<(u64, Option<ProgramId>)>,
    ) -> bool {
        let room = self.card.departed.len() < DEPARTED_MAX;
        let Some(port) = self.card.ports.get_mut(usize::from(number)) else { return false };
        let wired = self.config.wires >> number & 1 != 0;
        let (looped, up) = (port.is(PortFlag::LOOPBACK), port.is(PortFlag::UP));
        if !up || (wired && !looped && !room) {
            port.counters.tx_dropped += 1;
            if let Some((seq, program)) = from.filter(|_| !up) {
                self.tell_drop(number, seq, program, DropReason::PortDown);
            }
            self.card.recycle(bytes);
            return false;
        }
        port.counters.tx_packets += 1;
        port.counters.tx_bytes += bytes.len() as u64;
        if looped {
            self.come_again(number, bytes);
        } else if wired {
            self.card.departed.push_back(Departed { port: number, cycle, bytes });
        } else {
            self.card.recycle(bytes);
        }
        true
    }

    /// A frame that a port in loopback has sent comes in there.
    fn come_again(&mut self, port: u16, bytes: Vec<u8>) {
        let ingress_ifindex = self.card.ports.get(usize::from(port)).map_or(0, |port| port.ifindex);
        let reason = if !fits(bytes.len()) {
            Some(DropReason::Length)
        } else if self.card.flights.len() >= FLIGHTS_MAX {
            Some(DropReason::Ingress)
        } else {
            let cycle = self.card.earliest();
            let arrival = Arrival { cycle, port, ingress_ifindex, rx_queue: 0, bytes, vcpu: None };
            self.card.offer(arrival, None).err().map(|_| DropReason::Ingress)
        };
        if let Some(reason) = reason {
            self.lose_arrival(port, reason);
        }
    }

    /// A frame was lost before it had a number.
    pub(super) fn lose_arrival(&mut self, port: u16, reason: DropReason) {
        if let Some(port) = self.card.ports.get_mut(usize::from(port)) {
            port.counters.rx_dropped += 1;
        }
        self.tell_drop(port, u64::MAX, None, reason);
    }

    /// Tells the host of a lost packet.
    pub(super) fn tell_drop(&mut self, port: u16, seq: u64, program: Option<ProgramId>, reason: DropReason) {
        let told = desc::Event {
            kind: EventKind::Drop.code(),
            port,
            seq,
            cycle: self.card.device.now(),
            program: program.map_or(NONE, |program| program.0),
            code: reason.code(),
            ..desc::Event::default()
        };
        self.events.write(&mut self.bus, told, &[]);
    }

    /// Tells the host of rings that have stopped.
    fn tell_stopped(&mut self) {
        for stopped in std::mem::take(&mut self.bus.stopped) {
            if stopped.ring == RingId::EVENT {
                continue;
            }
            let told = desc::Event {
                kind: EventKind::Ring.code(),
                cycle: self.card.device.now(),
                index: stopped.ring.number(),
                program: NONE,
                code: stopped.fault.code(),
                argument: stopped.argument,
                ..desc::Event::default()
            };
            self.events.write(&mut self.bus, told, &[]);
        }
    }

    /// Tells the host what a packet's program told.
    fn tell(&mut self, packet: &Departure, event: &DeviceEvent) {
        let told = told(packet);
        match event {
            DeviceEvent::Ringbuf { map, bytes } => {
                let told = desc::Event { kind: EventKind::Ringbuf.code(), map: u16::from(*map).into(), ..told };
                self.events.write(&mut self.bus, told, &[bytes]);
            }
            DeviceEvent::Perf { map, index, bytes, packet } => {
                let told = desc::Event {
                    kind: EventKind::Perf.code(),
                    map: u16::from(*map).into(),
                    index: *index,
                    packet_bytes: packet.len() as u32,
                    ..told
                };
                self.events.write(&mut self.bus, told, &[bytes, packet]);
            }
            DeviceEvent::Printk { format, arguments } => {
                let told = desc::Event { kind: EventKind::Printk.code(), index: format.len() as u32, ..told };
                let padding = [0; 8];
                let padding = padding.get(..format.len().next_multiple_of(8) - format.len()).unwrap_or(&[]);
                let arguments = arguments.map(u64::to_le_bytes).concat();
                self.events.write(&mut self.bus, told, &[format, padding, &arguments]);
            }
        }
    }
}

/// What all events of a packet tell.
fn told(packet: &Departure) -> desc::Event {
    desc::Event {
        port: packet.port,
        seq: packet.seq,
        cycle: packet.departed,
        program: packet.program.map_or(NONE, |program| program.0),
        ..desc::Event::default()
    }
}
