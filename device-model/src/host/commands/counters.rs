//! Counters, and waiting for packets to leave.

use offwire_hostif::{
    CounterDomain, DEVICE_COUNTERS, PORT_COUNTERS, PROGRAM_COUNTERS, RING_COUNTERS, RingId, Status, desc,
};

use super::fields::{ARGUMENT, OBJECT};
use super::programs::program;
use super::{Answer, HostFunction, Refused, bad_field, refuse};

/// Cycles after which each write of a packet that has left is done, whatever stood before it: all posted writes of all contexts
/// at one bank.
const SETTLED_CYCLES: u64 = 1 << 18;

/// What Quiesce waits for.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Quiesce {
    /// Packets below this number have to leave.
    before: u64,
    /// Cycle at which the last of them had left.
    left: Option<u64>,
}

impl HostFunction {
    /// Starts to wait.
    pub(super) fn quiesce(&self) -> Quiesce {
        Quiesce { before: self.card.flights.next(), left: None }
    }

    /// True if all that Quiesce waits for is over.
    pub(super) fn is_quiet(&self, wait: &mut Quiesce) -> bool {
        if self.card.device.is_idle() {
            return true;
        }
        let now = self.card.device.now();
        if wait.left.is_none() && self.card.flights.passed(wait.before) {
            wait.left = Some(now);
        }
        wait.left.is_some_and(|left| now.saturating_sub(left) >= SETTLED_CYCLES)
    }

    pub(super) fn counters_read(&mut self, command: &desc::Command) -> Answer {
        let domain = u16::try_from(command.argument).ok().and_then(CounterDomain::from_code);
        let counters = match domain.ok_or(bad_field(ARGUMENT))? {
            CounterDomain::Device if command.object == 0 => self.device_counters().to_vec(),
            CounterDomain::Device => return Err(bad_field(OBJECT)),
            CounterDomain::Port => self.port_counters(command.object)?.to_vec(),
            CounterDomain::Program => self.program_counters(command.object)?.to_vec(),
            CounterDomain::Ring => self.ring_counters(command.object)?.to_vec(),
        };
        let bytes: Vec<u8> = counters.into_iter().flat_map(u64::to_le_bytes).collect();
        self.write_output(command, &bytes)
    }

    fn device_counters(&self) -> [u64; DEVICE_COUNTERS.len()] {
        let (device, totals) = (self.card.device.counters(), &self.card.totals);
        let (verdicts, frees) = (&totals.verdicts, self.card.device.pending_frees());
        [
            device.cycles,
            device.arrivals,
            totals.departures,
            device.tail_drops,
            verdicts.faults,
            verdicts.aborted,
            verdicts.dropped,
            verdicts.passed,
            verdicts.transmitted,
            verdicts.redirected,
            verdicts.other,
            device.slots.words,
            device.slots.used(),
            device.slots.empty.iter().sum(),
            self.events.total,
            self.events.lost_total,
            device.map.lookups,
            device.map.updates,
            device.map.deletes,
            totals.received,
            totals.lost,
            (frees.maps + frees.programs) as u64,
        ]
    }

    fn port_counters(&self, object: u32) -> Result<[u64; PORT_COUNTERS.len()], Refused> {
        let port = usize::try_from(object).ok().and_then(|port| self.card.ports.get(port));
        let counters = &port.ok_or(refuse(Status::NoSuchPort, object))?.counters;
        let verdicts = &counters.verdicts;
        Ok([
            counters.rx_packets,
            counters.rx_bytes,
            counters.tx_packets,
            counters.tx_bytes,
            counters.rx_dropped,
            counters.tx_dropped,
            verdicts.aborted,
            verdicts.dropped,
            verdicts.passed,
            verdicts.transmitted,
            verdicts.redirected,
            verdicts.faults,
        ])
    }

    fn program_counters(&mut self, object: u32) -> Result<[u64; PROGRAM_COUNTERS.len()], Refused> {
        let id = program(object)?;
        let missing = refuse(Status::NoSuchProgram, object);
        self.card.device.program_counters(id).map_err(|_| missing)?;
        let used = *self.card.program_mut(id).ok_or(missing)?;
        let verdicts = &used.verdicts;
        Ok([
            used.packets,
            used.bytes,
            used.words,
            verdicts.aborted,
            verdicts.dropped,
            verdicts.passed,
            verdicts.transmitted,
            verdicts.redirected,
            verdicts.faults,
            used.cycles,
        ])
    }

    fn ring_counters(&self, object: u32) -> Result<[u64; RING_COUNTERS.len()], Refused> {
        let counters = &self.bus.ring(RingId::new(object).ok_or(bad_field(OBJECT))?).counters;
        Ok([counters.entries, counters.lost, counters.interrupts, counters.stops])
    }
}
