//! The device's own thread: frames in, a slice of the device, frames out, sleep.

use std::os::fd::AsFd;
use std::time::Duration;

use offwire_hostif::TimeMode;
use offwire_hostmem::EventFd;

use crate::desk::{Broken, Desk};
use crate::error::ServeError;
use crate::nic::{Departed, Nic, Rates};
use crate::ports::{Playback, PortCounters, Recorder, Wire};
use crate::stop::Stop;
use crate::sys::{self, Watch};
use crate::time::{Spacing, cycle_after, ns_since};

/// Messages taken from one wire, and packets of captures, in one turn.
const BURST: usize = 256;

/// First sleep when there was nothing to do; each further one is twice as long.
const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
/// Longest sleep while a client may ring a mapped doorbell without a wake-up.
const LONGEST_SLEEP: Duration = Duration::from_millis(10);
/// Longest sleep else.
const IDLE_SLEEP: Duration = Duration::from_secs(1);
/// Turns without work before the first sleep.
const PATIENCE: u32 = 4;

/// How far the model may lag behind real time before frames are dropped at the wire.
const LATE_NS: u64 = 20_000_000;

/// A port with what it is connected to.
#[derive(Default)]
pub(crate) struct Port {
    pub(crate) wire: Option<Box<dyn Wire>>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) counters: PortCounters,
    spacing: Spacing,
    /// The wire does not work any more and is left alone; why.
    pub(crate) dead: Option<std::io::Error>,
}

impl Port {
    fn transmit(&mut self, ts_ns: u64, frame: &[u8]) {
        let recorded = match &mut self.recorder {
            Some(recorder) => recorder.packet(ts_ns, frame).is_ok(),
            None => false,
        };
        let sent = match &mut self.wire {
            Some(wire) if self.dead.is_none() => wire.send(frame).unwrap_or_else(|error| {
                self.dead = Some(error);
                false
            }),
            _ => false,
        };
        if sent || recorded {
            self.counters.sent += 1;
        } else {
            self.counters.unsent += 1;
        }
    }
}

/// The thread's state.
pub(crate) struct Runner<'a, N> {
    desk: &'a Desk<N>,
    stop: &'a Stop,
    rates: Rates,
    /// Port n of the device.
    ports: Vec<Port>,
    playback: Playback,
    clock: Clock,
    /// The last slice of the device may not have been all that it could do up to the limit: no more of a capture before
    /// that.
    behind: bool,
    inbox: Vec<(u16, Vec<u8>)>,
    outbox: Vec<Departed>,
}

/// Where device time and the world's meet; anew after each reset and each change of the mode.
#[derive(Clone, Copy, Debug)]
struct Clock {
    mode: TimeMode,
    resets: u32,
    /// The cycle that everything here counts from.
    cycle: u64,
    /// CLOCK_MONOTONIC at that cycle, nanoseconds.
    monotonic_ns: u64,
    /// What stands in written captures for that cycle, nanoseconds since 1970.
    epoch_ns: u64,
    /// Cycle and time in the captures at which they began to play, or went on.
    playing: Option<(u64, u64)>,
}

impl Clock {
    fn new<N: Nic>(nic: &N, playback: &Playback) -> Self {
        let mode = nic.time();
        let epoch_ns = match mode {
            TimeMode::Real => sys::realtime_ns(),
            TimeMode::Virtual | TimeMode::Free => playback.start_ns(),
        };
        let (cycle, monotonic_ns) = (nic.now(), sys::monotonic_ns());
        Clock { mode, resets: nic.resets(), cycle, monotonic_ns, epoch_ns, playing: None }
    }
}

/// What a turn has done.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// There may be more to do at once.
    busy: bool,
    /// Packets wait in the device for time to go on.
    in_flight: bool,
    /// When a capture's next packet is due in real time, nanoseconds from now.
    due_ns: Option<u64>,
}

impl<'a, N: Nic> Runner<'a, N> {
    pub(crate) fn new(desk: &'a Desk<N>, stop: &'a Stop, ports: Vec<Port>, playback: Playback) -> Result<Self, Broken> {
        let (rates, clock) = desk.with(|nic| (nic.rates(), Clock::new(nic, &playback)))?;
        let (inbox, outbox) = (Vec::new(), Vec::new());
        Ok(Runner { desk, stop, rates, ports, playback, clock, behind: false, inbox, outbox })
    }

    /// Runs until it is told to stop; gives the ports back.
    pub(crate) fn run(mut self) -> Result<Vec<Port>, ServeError> {
        let broken = |Broken| ServeError::Device("a thread panicked".to_owned());
        let mut idle = 0u32;
        let mut timeout = Duration::ZERO;
        while self.receive(timeout)? {
            let turn = self.turn().map_err(broken)?;
            self.transmit();
            idle = if turn.busy { 0 } else { idle.saturating_add(1) };
            timeout = self.sleep(idle, turn);
            if idle == PATIENCE {
                self.flush();
            }
        }
        self.flush();
        for port in self.ports.iter_mut().filter(|port| port.dead.is_none()) {
            port.dead = port.wire.as_ref().and_then(|wire| wire.check().err());
        }
        Ok(self.ports)
    }

    /// How long to sleep after so many turns without work.
    fn sleep(&self, idle: u32, turn: Turn) -> Duration {
        if idle < PATIENCE {
            return Duration::ZERO;
        }
        let longest = match turn {
            Turn { in_flight: true, .. } if self.clock.mode == TimeMode::Real => SHORTEST_SLEEP,
            Turn { due_ns: Some(ns), .. } => LONGEST_SLEEP.min(Duration::from_nanos(ns)),
            _ if self.desk.is_connected() => LONGEST_SLEEP,
            _ => IDLE_SLEEP,
        };
        (SHORTEST_SLEEP * (1 << (idle - PATIENCE).min(20))).min(longest)
    }

    /// Waits for something to happen and takes frames from the wires. False: told to stop.
    fn receive(&mut self, timeout: Duration) -> Result<bool, ServeError> {
        let Runner { desk, stop, ports, inbox, .. } = self;
        let bell: &EventFd = desk.bell();
        let mut watches = vec![Watch::input(stop.fd()), Watch::input(bell.as_fd())];
        let live = |port: &Port| port.wire.is_some() && port.dead.is_none();
        watches.extend(
            ports
                .iter()
                .filter(|port| live(port))
                .filter_map(|port| port.wire.as_ref())
                .map(|wire| Watch::input(wire.fd())),
        );
        let ready = sys::wait(&watches, Some(timeout))?;
        drop(watches);
        if ready & 1 != 0 {
            return Ok(false);
        }
        if ready & 2 != 0 {
            bell.take()?;
        }
        let mut frames = Vec::new();
        let wired = ports.iter_mut().enumerate().filter(|(_, port)| live(port));
        for (n, (number, port)) in wired.enumerate() {
            if ready >> (n + 2) & 1 == 0 {
                continue;
            }
            let Some(wire) = &mut port.wire else { continue };
            for _ in 0..BURST {
                match wire.receive(&mut port.counters, &mut frames) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        port.dead = Some(error);
                        break;
                    }
                }
            }
            port.counters.received += frames.len() as u64;
            inbox.extend(frames.drain(..).map(|frame| (number as u16, frame)));
        }
        Ok(true)
    }

    /// One slice of the device.
    fn turn(&mut self) -> Result<Turn, Broken> {
        let desk = self.desk;
        let mut nic = desk.take()?;
        let nic = &mut *nic;
        let mut turn = Turn { busy: !self.inbox.is_empty(), ..Turn::default() };
        if (nic.resets(), nic.time()) != (self.clock.resets, self.clock.mode) {
            self.clock = Clock::new(nic, &self.playback);
            self.ports.iter_mut().for_each(|port| port.spacing = Spacing::default());
        }
        self.start_playback(nic);
        let limit = match self.clock.mode {
            TimeMode::Virtual => self.feed_virtual(nic, &mut turn),
            TimeMode::Real => Some(self.feed_real(nic, &mut turn)),
            TimeMode::Free => self.feed_free(nic, &mut turn),
        };
        nic.set_limit(limit);
        let done = nic.poll();
        turn.busy |= done;
        while let Some(departed) = nic.depart() {
            self.outbox.push(departed);
        }
        turn.busy |= !self.outbox.is_empty();
        turn.in_flight = nic.in_flight();
        self.behind = done && turn.in_flight;
        Ok(turn)
    }

    /// Captures start, and go on after a reset, once a driver has opened all of their ports.
    fn start_playback(&mut self, nic: &N) {
        let Some(next) = self.playback.next().filter(|_| self.clock.playing.is_none()) else { return };
        if self.playback.ports().iter().all(|&port| nic.is_open(port)) {
            let now = match self.clock.mode {
                TimeMode::Real => self.real_cycle(),
                TimeMode::Virtual | TimeMode::Free => nic.now(),
            };
            self.clock.playing = Some((now, next.ns));
        }
    }

    /// The cycle that real time has come to.
    fn real_cycle(&self) -> u64 {
        let ns = sys::monotonic_ns().saturating_sub(self.clock.monotonic_ns);
        cycle_after(self.clock.cycle, ns, self.rates)
    }

    fn arrive(&mut self, nic: &mut N, port: u16, cycle: u64, frame: Vec<u8>) {
        let taken = nic.arrive(port, cycle, frame);
        if let Some(port) = self.ports.get_mut(usize::from(port)).filter(|_| !taken) {
            port.counters.refused += 1;
        }
    }

    /// Frames of live wires, one behind the other from `earliest` on.
    fn feed_live(&mut self, nic: &mut N, earliest: u64) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for (port, frame) in inbox.drain(..) {
            let Some(spacing) = self.ports.get_mut(usize::from(port)).map(|port| &mut port.spacing) else { continue };
            let cycle = spacing.next(earliest, frame.len(), self.rates);
            self.arrive(nic, port, cycle, frame);
        }
        self.inbox = inbox;
    }

    /// The next packet of the captures if they play, and its cycle.
    fn due(&self) -> Option<u64> {
        let (cycle, ns) = self.clock.playing?;
        self.playback.next().map(|due| cycle_after(cycle, due.ns.saturating_sub(ns), self.rates))
    }

    /// Lets the next packet of the captures arrive.
    fn play(&mut self, nic: &mut N, cycle: impl FnOnce(&mut Spacing, usize) -> u64) {
        let Some(due) = self.playback.take() else { return };
        let Some(port) = self.ports.get_mut(usize::from(due.port)) else { return };
        port.counters.received += 1;
        let cycle = cycle(&mut port.spacing, due.frame.len());
        self.arrive(nic, due.port, cycle, due.frame);
    }

    /// Packets of captures that may be given to the device now.
    fn burst(&self) -> usize {
        if self.behind { 0 } else { BURST }
    }

    /// Captures at their own times; the device does not run beyond what it knows to come. Gives the limit.
    fn feed_virtual(&mut self, nic: &mut N, turn: &mut Turn) -> Option<u64> {
        self.feed_live(nic, nic.now());
        for _ in 0..self.burst() {
            let Some(cycle) = self.due() else { break };
            self.play(nic, |_, _| cycle);
            turn.busy = true;
        }
        self.due()
    }

    /// All as the clock has it. Gives the limit.
    fn feed_real(&mut self, nic: &mut N, turn: &mut Turn) -> u64 {
        let horizon = self.real_cycle();
        let lag_ns = ns_since(nic.now(), horizon, self.rates);
        let late = nic.in_flight() && lag_ns > LATE_NS;
        if late {
            for (port, _) in self.inbox.drain(..) {
                if let Some(port) = self.ports.get_mut(usize::from(port)) {
                    port.counters.late += 1;
                }
            }
        }
        self.feed_live(nic, horizon);
        for _ in 0..BURST {
            match self.due() {
                Some(cycle) if cycle <= horizon && late => {
                    let port = self.playback.take().and_then(|due| self.ports.get_mut(usize::from(due.port)));
                    if let Some(port) = port {
                        port.counters.received += 1;
                        port.counters.late += 1;
                    }
                    turn.busy = true;
                }
                Some(cycle) if cycle <= horizon => {
                    self.play(nic, |_, _| cycle);
                    turn.busy = true;
                }
                Some(cycle) => {
                    turn.due_ns = Some(ns_since(horizon, cycle, self.rates));
                    break;
                }
                None => break,
            }
        }
        horizon
    }

    /// All as fast as the ports carry it; the device does not run beyond the time at which more of the captures can
    /// come. Gives the limit.
    fn feed_free(&mut self, nic: &mut N, turn: &mut Turn) -> Option<u64> {
        let (now, rates) = (nic.now(), self.rates);
        self.feed_live(nic, now);
        for _ in 0..self.burst() {
            if self.due().is_none() {
                break;
            }
            self.play(nic, |spacing, len| spacing.next(now, len, rates));
            turn.busy = true;
        }
        self.due()?;
        let next = self.playback.next().and_then(|due| self.ports.get(usize::from(due.port)))?;
        Some(next.spacing.ready(rates).max(now))
    }

    /// What left the device goes out.
    fn transmit(&mut self) {
        // What is written has the times of what is played; without that, device time counts.
        let (base, ns) = match self.clock.playing {
            Some(playing) if self.clock.mode != TimeMode::Real => playing,
            _ => (self.clock.cycle, 0),
        };
        for departed in self.outbox.drain(..) {
            let ns = ns.saturating_add(ns_since(base, departed.cycle, self.rates));
            let ts_ns = self.clock.epoch_ns.saturating_add(ns);
            if let Some(port) = self.ports.get_mut(usize::from(departed.port)) {
                port.transmit(ts_ns, &departed.frame);
            }
        }
    }

    fn flush(&mut self) {
        for port in &mut self.ports {
            if let Some(recorder) = &mut port.recorder {
                // A full disk: what could not be written is lost, the device goes on.
                let _ = recorder.flush();
            }
        }
    }
}
