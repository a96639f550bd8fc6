//! What connects device and host: DMA, vectors, doorbells and the rings over them.

use std::sync::Arc;

use offwire_hostif::{AVAIL, DESCRIPTOR_BYTES, HostMemory, RINGS, RingFault, RingId, USED, reg};

use super::dma::{DmaFault, DmaTable};
use super::msix::Msix;
use super::ring::{Ring, RingCounters};

/// A descriptor, its phase word included.
pub(crate) type Descriptor = [u8; DESCRIPTOR_BYTES as usize];

/// Offset of the phase word.
const PHASE: usize = DESCRIPTOR_BYTES as usize - 4;

/// Stopped rings of which the host is told at a time; enabling impossible rings over and over must not fill memory.
const STOPPED_MAX: usize = 64;

/// A ring that has stopped; the host hears of it by an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) ring: RingId,
    pub(crate) fault: RingFault,
    pub(crate) argument: u64,
}

/// The host's side of the function.
pub(crate) struct Bus {
    pub(crate) dma: DmaTable,
    pub(crate) msix: Msix,
    doorbells: Arc<dyn HostMemory>,
    /// By number; number 3 is never enabled.
    rings: Vec<Ring>,
    /// Bit r: entries of ring r wait for their interrupt.
    unsignalled: u64,
    /// Bit q: the receive ring of pair q works.
    receiving: u16,
    /// Rings that have stopped since somebody asked.
    pub(crate) stopped: Vec<Stopped>,
    /// Device cycle, for delays.
    pub(crate) now: u64,
    /// Cycles in a microsecond.
    mhz: u64,
}

impl Bus {
    pub(crate) fn new(doorbells: Arc<dyn HostMemory>, mhz: u32) -> Self {
        Bus {
            dma: DmaTable::default(),
            msix: Msix::new(),
            doorbells,
            rings: (0..RINGS).map(|number| Ring::new(RingId::new(number).unwrap_or(RingId::COMMAND))).collect(),
            unsignalled: 0,
            receiving: 0,
            stopped: Vec::new(),
            now: 0,
            mhz: mhz.into(),
        }
    }

    /// All rings as after power on.
    pub(crate) fn reset_rings(&mut self) {
        for ring in &mut self.rings {
            *ring = Ring::new(ring.id);
            self.doorbells.store_release(ring.id.doorbell().0.into(), 0);
        }
        self.unsignalled = 0;
        self.receiving = 0;
        self.stopped.clear();
    }

    /// Keeps `receiving` true.
    fn note_receive(&mut self, id: RingId) {
        if let Some(pair) = id.pair().filter(|&pair| RingId::receive(pair) == Some(id)) {
            self.receiving = self.receiving & !(1 << pair) | u16::from(self.is_enabled(id)) << pair;
        }
    }

    /// True if a receive ring works.
    pub(crate) fn receives(&self) -> bool {
        self.receiving != 0
    }

    /// The receive ring that packets of an order bucket go to.
    #[inline]
    pub(crate) fn receive_ring(&self, bucket: u32) -> Option<RingId> {
        let mut left = bucket.checked_rem(self.receiving.count_ones())?;
        let mut rings = self.receiving;
        while left != 0 {
            rings &= rings - 1;
            left -= 1;
        }
        RingId::receive(rings.trailing_zeros() as u8)
    }

    /// The counters of the rings start again, and delays with the clock.
    pub(crate) fn reset_counters(&mut self) {
        for ring in &mut self.rings {
            ring.counters = RingCounters::default();
            ring.first = 0;
        }
        self.now = 0;
    }

    /// Memory of the doorbells.
    pub(crate) fn doorbells(&self) -> &Arc<dyn HostMemory> {
        &self.doorbells
    }

    pub(crate) fn ring(&self, id: RingId) -> &Ring {
        &self.rings[id.number() as usize]
    }

    pub(crate) fn ring_mut(&mut self, id: RingId) -> &mut Ring {
        &mut self.rings[id.number() as usize]
    }

    /// True if the ring works.
    #[inline]
    pub(crate) fn is_enabled(&self, id: RingId) -> bool {
        self.ring(id).enabled
    }

    /// Writes RingControl.
    pub(crate) fn control(&mut self, id: RingId, control: reg::RingControl) {
        let ring = self.ring_mut(id);
        let was = ring.control.enable();
        ring.control = reg::RingControl::default().with_enable(control.enable()).with_report(control.report());
        match (was, control.enable()) {
            (false, true) => {
                let enabled = ring.enable();
                self.doorbells.store_release(id.doorbell().0.into(), 0);
                if let Err((fault, argument)) = enabled {
                    self.stop(id, fault, argument);
                }
            }
            (true, false) => ring.disable(),
            _ => {}
        }
        self.note_receive(id);
    }

    /// A fault stops the ring.
    pub(crate) fn stop(&mut self, id: RingId, fault: RingFault, argument: u64) {
        let ring = self.ring_mut(id);
        ring.enabled = false;
        ring.fault = Some((fault, argument));
        ring.counters.stops += 1;
        if self.stopped.len() < STOPPED_MAX {
            self.stopped.push(Stopped { ring: id, fault, argument });
        }
        self.note_receive(id);
        // Whoever waits for the ring is to look at its state.
        self.signal(id);
    }

    fn stop_dma(&mut self, id: RingId, DmaFault(address): DmaFault) {
        self.stop(id, RingFault::DmaFault, address);
    }

    /// The doorbell. Memory of the function's own does not fail; if it does, nothing was announced.
    fn doorbell(&self, id: RingId) -> u32 {
        self.doorbells.load_acquire(id.doorbell().0.into()).unwrap_or(self.ring(id).seen)
    }

    /// Descriptors of a ring that the host fills which wait for the device; a doorbell that makes no sense stops the ring.
    #[inline]
    pub(crate) fn announced(&mut self, id: RingId) -> u32 {
        let ring = self.ring(id);
        if !ring.enabled {
            return 0;
        }
        let announced = ring.announced();
        if announced != 0 {
            return announced;
        }
        let doorbell = self.doorbell(id);
        let ring = self.ring_mut(id);
        if !ring.announce(doorbell) {
            self.stop(id, RingFault::BadDoorbell, doorbell.into());
            return 0;
        }
        ring.announced()
    }

    /// The next descriptor of a ring that the host fills, if there is one. It stays the next one until it is consumed or given
    /// back. `twice`: a descriptor that goes back, so that its used bit still has the other phase's value or none.
    pub(crate) fn fetch(&mut self, id: RingId, twice: bool) -> Option<Descriptor> {
        if self.announced(id) == 0 {
            return None;
        }
        let ring = self.ring(id);
        let (address, phase, index) = (ring.address(), ring.phase(), ring.index);
        let word = match self.dma.load(address + PHASE as u64) {
            Ok(word) => word,
            Err(fault) => {
                self.stop_dma(id, fault);
                return None;
            }
        };
        let ignored = if twice { USED } else { 0 };
        if word & !ignored != phase * AVAIL {
            self.stop(id, RingFault::BadPhase, index.into());
            return None;
        }
        let mut descriptor = [0; DESCRIPTOR_BYTES as usize];
        if let Err(fault) = self.dma.read(address, &mut descriptor[..PHASE]) {
            self.stop_dma(id, fault);
            return None;
        }
        Some(descriptor)
    }

    /// The descriptor that was fetched is done with and does not go back.
    pub(crate) fn consume(&mut self, id: RingId) {
        let ring = self.ring_mut(id);
        ring.index = ring.index.wrapping_add(1);
        ring.counters.entries += 1;
    }

    /// Writes the descriptor that was fetched back, with the used phase. False if the ring has stopped.
    pub(crate) fn give_back(&mut self, id: RingId, descriptor: &Descriptor) -> bool {
        let phase = self.ring(id).phase();
        self.put(id, descriptor, phase * (AVAIL | USED))
    }

    /// Descriptors for which a ring that the device fills has room, and by how many entries the host went on since the last look.
    /// A doorbell that makes no sense stops the ring.
    pub(crate) fn look(&mut self, id: RingId) -> (u32, u32) {
        if !self.is_enabled(id) {
            return (0, 0);
        }
        let doorbell = self.doorbell(id);
        let ring = self.ring_mut(id);
        match ring.release(doorbell) {
            Some(by) => (ring.room(), by),
            None => {
                self.stop(id, RingFault::BadDoorbell, doorbell.into());
                (0, 0)
            }
        }
    }

    /// True if a ring that the device fills has room for an entry.
    #[inline]
    pub(crate) fn has_room(&mut self, id: RingId) -> bool {
        let ring = self.ring(id);
        ring.enabled && (ring.room() != 0 || self.look(id).0 != 0)
    }

    /// Writes the next descriptor of a ring that the device fills, for which there is room. False if the ring has stopped.
    pub(crate) fn produce(&mut self, id: RingId, descriptor: &Descriptor) -> bool {
        let phase = self.ring(id).phase();
        self.put(id, descriptor, phase * USED)
    }

    fn put(&mut self, id: RingId, descriptor: &Descriptor, phase: u32) -> bool {
        let address = self.ring(id).address();
        let written = self.dma.write(address, &descriptor[..PHASE]);
        if let Err(fault) = written.and_then(|()| self.dma.store(address + PHASE as u64, phase)) {
            self.stop_dma(id, fault);
            return false;
        }
        self.consume(id);
        let now = self.now;
        let ring = self.ring_mut(id);
        if ring.unsignalled == 0 {
            ring.first = now;
        }
        ring.unsignalled += 1;
        if ring.unsignalled >= ring.moderation.count().max(1) {
            self.signal(id);
        } else {
            self.unsignalled |= 1 << id.number();
        }
        true
    }

    /// Tells the host of a ring.
    fn signal(&mut self, id: RingId) {
        self.unsignalled &= !(1 << id.number());
        let ring = &mut self.rings[id.number() as usize];
        ring.unsignalled = 0;
        if self.msix.raise(ring.vector) {
            ring.counters.interrupts += 1;
        }
    }

    /// Signals what has waited long enough; all if the device has nothing left to do.
    pub(crate) fn signal_due(&mut self, idle: bool) {
        let mut waiting = self.unsignalled;
        while waiting != 0 {
            let number = waiting.trailing_zeros();
            waiting &= waiting - 1;
            let ring = &self.rings[number as usize];
            let (id, delay) = (ring.id, u64::from(ring.moderation.delay_us()));
            let due = delay != 0 && self.now.saturating_sub(ring.first) >= delay * self.mhz;
            if ring.unsignalled == 0 {
                self.unsignalled &= !(1 << number);
            } else if idle || due {
                self.signal(id);
            }
        }
    }
}
