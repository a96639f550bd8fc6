//! Receive rings: packets to the host.

use offwire_hostif::{DropReason, ReceiveStatus, RedirectKind, RingId, desc};

use super::HostFunction;
use super::ports::Flight;
use crate::{Departure, Redirect};

/// Number that stands for no program and for no fault.
pub(super) const NONE: u16 = 0xffff;

/// The difference of two cycles as reports hold it.
fn after(cycle: u64, start: u64) -> u32 {
    u32::try_from(cycle.saturating_sub(start)).unwrap_or(u32::MAX)
}

/// How a packet went through the device.
fn report(packet: &Departure, events: u32) -> desc::ReceiveReport {
    let (redirect, flags, target, key) = match packet.redirect {
        None => (RedirectKind::None, 0, 0, 0),
        Some(Redirect::Interface { ifindex, flags }) => (RedirectKind::Interface, flags, ifindex, 0),
        Some(Redirect::Map { map, key, flags }) => (RedirectKind::Map, flags, u16::from(map).into(), key),
    };
    desc::ReceiveReport {
        arrival: packet.arrival,
        dispatched: after(packet.dispatched, packet.arrival),
        exited: after(packet.exited, packet.arrival),
        departed: after(packet.departed, packet.arrival),
        words: packet.words,
        slots: packet.slots,
        redirect: redirect.code(),
        fault: packet.fault.map_or(NONE, |fault| fault.cause as u16),
        redirect_flags: flags,
        redirect_target: target,
        redirect_key: key,
        fault_address: packet.fault.map_or(0, |fault| fault.word.0.into()),
        events,
        reserved: 0,
    }
}

impl HostFunction {
    /// Gives a packet to the host on `ring`. A packet for which there is no room is lost.
    pub(super) fn receive(
        &mut self,
        ring: Option<RingId>,
        packet: &Departure,
        flight: Flight,
        captured: bool,
        events: u32,
    ) {
        let lost = match ring.filter(|&ring| self.bus.is_enabled(ring)) {
            None => Some(DropReason::NoQueue),
            Some(ring) => self.try_receive(ring, packet, flight, captured, events),
        };
        match lost {
            None => self.card.totals.received += 1,
            Some(reason) => {
                self.card.totals.lost += 1;
                self.tell_drop(packet.port, packet.seq, packet.program, reason);
            }
        }
    }

    fn try_receive(
        &mut self,
        ring: RingId,
        packet: &Departure,
        flight: Flight,
        captured: bool,
        events: u32,
    ) -> Option<DropReason> {
        let Some(posted) = self.bus.fetch(ring, true) else {
            let ring = self.bus.ring_mut(ring);
            ring.lost = ring.lost.saturating_add(1);
            ring.counters.lost += 1;
            return Some(DropReason::NoBuffer);
        };
        let posted = desc::Receive::decode(&posted);
        let reports = captured || self.bus.ring(ring).control.report();
        let report_bytes = if reports { desc::ReceiveReport::BYTES } else { 0 };
        let bytes = report_bytes + packet.meta.len() + packet.bytes.len();
        let status = if bytes as u64 > u64::from(posted.buffer_bytes) {
            ReceiveStatus::Size
        } else {
            let report = if reports { report(packet, events).encode() } else { [0; desc::ReceiveReport::BYTES] };
            let parts: [&[u8]; 3] = [report.get(..report_bytes).unwrap_or(&[]), &packet.meta, &packet.bytes];
            match self.scatter(posted.buffer, bytes, parts) {
                true => ReceiveStatus::Ok,
                false => ReceiveStatus::DmaFault,
            }
        };
        let descriptor = desc::Receive {
            buffer: posted.buffer,
            buffer_bytes: posted.buffer_bytes,
            packet_bytes: packet.bytes.len() as u32,
            meta_bytes: packet.meta.len() as u16,
            port: packet.port,
            retval: packet.retval,
            program: packet.program.map_or(NONE, |program| program.0),
            status: status.code(),
            flow_hash: flight.hash,
            seq: packet.seq,
            cycle: packet.departed,
            report_bytes: report_bytes as u32,
            ..desc::Receive::default()
        };
        let given = self.bus.give_back(ring, &descriptor.encode());
        match status {
            ReceiveStatus::Size => Some(DropReason::BufferSize),
            ReceiveStatus::DmaFault => Some(DropReason::DmaFault),
            ReceiveStatus::Ok if !given => Some(DropReason::DmaFault),
            ReceiveStatus::Ok => None,
        }
    }

    /// Writes the parts one after the other; nothing if the device may not write all of it.
    fn scatter(&mut self, buffer: u64, bytes: usize, parts: [&[u8]; 3]) -> bool {
        let dma = &mut self.bus.dma;
        if dma.may_write(buffer, bytes).is_err() {
            return false;
        }
        let mut at = buffer;
        for part in parts {
            if dma.write(at, part).is_err() {
                return false;
            }
            at = at.wrapping_add(part.len() as u64);
        }
        true
    }
}
