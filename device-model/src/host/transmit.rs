//! Transmit rings: frames of the host, to the wire or into a port as from the wire.

use offwire_hostif::{PortFlag, QUEUE_PAIRS, RingId, TimeMode, TransmitFlag, TransmitStatus, desc};

use super::HostFunction;
use super::wire::fits;
use crate::{Arrival, OfferError};

/// Descriptors of a ring that a poll looks at before the next ring's turn.
const BURST: u32 = 64;
/// Stamped packets that wait in the device for their cycle.
const STAMPED_MOST: usize = 4096;

/// What becomes of a descriptor.
enum Turn {
    /// It is done with.
    Done { status: TransmitStatus, seq: u64 },
    /// It has to wait; later ones of its ring too.
    Wait,
}

fn done(status: TransmitStatus) -> Turn {
    Turn::Done { status, seq: 0 }
}

impl HostFunction {
    /// Packets in flight with which one that is not stamped waits: the ingress FIFO has room for it whatever the others do.
    pub(super) fn unstamped_most(&self) -> usize {
        self.card.profile.ingress_fifo_packets as usize
    }

    /// The transmit rings, each once, from the one on whose turn it is.
    fn transmit_rings(&self) -> impl Iterator<Item = RingId> + use<> {
        let (turn, pairs) = (self.turn, QUEUE_PAIRS as u8);
        (0..pairs).filter_map(move |by| RingId::transmit((turn + by) % pairs))
    }

    /// True if a descriptor of the host waits.
    pub(super) fn has_transmits(&mut self) -> bool {
        self.transmit_rings().any(|ring| self.bus.announced(ring) != 0)
    }

    /// Looks at a share of what the host wants to send; false if there was nothing or it has to wait.
    pub(super) fn transmit(&mut self) -> bool {
        let mut worked = false;
        for ring in self.transmit_rings() {
            for _ in 0..BURST {
                if self.card.alone || !self.transmit_one(ring) {
                    break;
                }
                worked = true;
            }
        }
        self.turn = (self.turn + 1) % QUEUE_PAIRS as u8;
        worked
    }

    fn transmit_one(&mut self, ring: RingId) -> bool {
        let Some(descriptor) = self.bus.fetch(ring, true) else { return false };
        let frame = desc::Transmit::decode(&descriptor);
        let turn = match self.check(&frame) {
            Err(status) => done(status),
            Ok(()) if frame.flags & TransmitFlag::INJECT != 0 => self.inject(ring, &frame),
            Ok(()) => self.transmit_frame(&frame),
        };
        let Turn::Done { status, seq } = turn else { return false };
        let back = desc::Transmit { status: status.code(), seq, ..frame };
        self.bus.give_back(ring, &back.encode());
        true
    }

    /// What can be told from the descriptor alone.
    fn check(&self, frame: &desc::Transmit) -> Result<(), TransmitStatus> {
        let alone = frame.flags & TransmitFlag::ALONE != 0;
        let unknown = frame.flags & !TransmitFlag::ALL != 0;
        // All other flags say how a frame comes in.
        let pointless = frame.flags & TransmitFlag::INJECT == 0 && frame.flags != 0;
        let reserved = frame.reserved0 != 0 || frame.reserved1 != 0 || frame.reserved2 != 0;
        if unknown || pointless || reserved || (alone && self.card.time == TimeMode::Real) {
            return Err(TransmitStatus::BadField);
        }
        if !self.card.ports.get(usize::from(frame.port)).is_some_and(|port| port.is(PortFlag::UP)) {
            return Err(TransmitStatus::Port);
        }
        if frame.flags & TransmitFlag::VCPU != 0 && u32::from(frame.vcpu) >= self.card.profile.vcpus {
            return Err(TransmitStatus::Vcpu);
        }
        if !usize::try_from(frame.bytes).is_ok_and(fits) {
            return Err(TransmitStatus::Length);
        }
        Ok(())
    }

    /// The frame's bytes, copied once.
    fn frame(&mut self, frame: &desc::Transmit) -> Option<Vec<u8>> {
        let mut bytes = self.card.buffer();
        bytes.resize(frame.bytes as usize, 0);
        if self.bus.dma.read(frame.buffer, &mut bytes).is_err() {
            self.card.recycle(bytes);
            return None;
        }
        Some(bytes)
    }

    fn transmit_frame(&mut self, frame: &desc::Transmit) -> Turn {
        let Some(bytes) = self.frame(frame) else { return done(TransmitStatus::DmaFault) };
        let cycle = self.card.device.now();
        self.send(frame.port, cycle, bytes, None);
        done(TransmitStatus::Ok)
    }

    fn inject(&mut self, ring: RingId, frame: &desc::Transmit) -> Turn {
        let has = |flag| frame.flags & flag != 0;
        let stamped = has(TransmitFlag::STAMPED);
        let most = if stamped { STAMPED_MOST } else { self.unstamped_most() };
        if self.card.flights.len() >= most {
            return Turn::Wait;
        }
        let earliest = self.card.earliest();
        if stamped && frame.cycle < earliest {
            return done(TransmitStatus::Past);
        }
        let Some(bytes) = self.frame(frame) else { return done(TransmitStatus::DmaFault) };
        let port = self.card.ports.get(usize::from(frame.port)).map_or(0, |port| port.ifindex);
        let queue = has(TransmitFlag::QUEUE);
        let arrival = Arrival {
            cycle: if stamped { frame.cycle } else { earliest },
            port: frame.port,
            ingress_ifindex: if queue { frame.ingress_ifindex } else { port },
            rx_queue: if queue { frame.rx_queue } else { 0 },
            bytes,
            vcpu: has(TransmitFlag::VCPU).then_some(frame.vcpu),
        };
        match self.card.offer(arrival, ring.pair()) {
            Ok(seq) => {
                self.card.alone = has(TransmitFlag::ALONE);
                Turn::Done { status: TransmitStatus::Ok, seq }
            }
            // The rest was checked before.
            Err(OfferError::Length(_)) => done(TransmitStatus::Length),
            Err(OfferError::Port(_)) => done(TransmitStatus::Port),
            Err(OfferError::Vcpu(_)) => done(TransmitStatus::Vcpu),
            Err(_) => done(TransmitStatus::Past),
        }
    }
}
