//! The command queue: many commands in flight, from many threads.
//!
//! A command needs a [`Slot`]: a place in the table of what is in flight, with buffers. Filling buffers happens outside
//! of all locks; the ring itself is behind one. Whoever waits for an answer takes everything that has arrived, for
//! others too; one of those who wait (the leader) sleeps on the interrupt, the others on a condition variable.
//!
//! The device is not believed: a completion must name a command that is in flight, with its generation, in order. If it
//! does not, the queue is broken and says so to everybody until the device is reset. A command that nobody waits for
//! any more keeps its buffers until the device is done with them.

use super::buffers::{Buffers, Pool};
use super::watch::{Wait, Watch, nap};
use crate::device::options::OpenOptions;
use crate::dma::{DmaBuf, DmaSpace};
use crate::error::Error;
use crate::ring::{Consumer, Doorbell, Entries, Producer, Return, RingError};
use crossbeam_queue::ArrayQueue;
use offwire_hostif::{DmaAccess, HostMemory, Iova, RingId, desc};
use offwire_hostmem::EventFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why nothing more can be asked until the device is reset or opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A ring cannot be.
    Ring(RingId, RingError),
    /// A completion cannot be: what of it, and its value.
    Completion(&'static str, u64),
    /// The rings could not be turned on again.
    Off,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Ring(ring, source) => Error::Ring { ring, source },
            Broken::Completion(what, value) => Error::Nonsense { what, value },
            Broken::Off => Error::Stale,
        }
    }
}

/// A command's place in the table.
#[derive(Debug)]
enum Place {
    /// Nobody's, or of somebody who has not posted a command yet.
    Idle,
    /// In flight.
    Posted { opcode: u16 },
    /// Answered, and not yet fetched.
    Done(desc::Completion),
    /// In flight, but nobody waits: the buffers go when the answer comes.
    Abandoned { opcode: u16, buffers: Buffers },
    /// The device was reset before it answered.
    Lost,
}

struct State {
    commands: Producer<Arc<DmaBuf>>,
    completions: Consumer<Arc<DmaBuf>>,
    places: Vec<(u16, Place)>,
    /// Somebody sleeps on the interrupt.
    led: bool,
    /// How many sleep on the condition variable.
    sleepers: u32,
    broken: Option<Broken>,
}

/// The command queue of a device.
pub(crate) struct CommandQueue {
    state: Mutex<State>,
    changed: Condvar,
    free: ArrayQueue<u16>,
    pub(super) pool: Pool,
    entries: Entries,
    command_bell: Doorbell,
    completion_bell: Doorbell,
    interrupt: Option<Arc<EventFd>>,
    space: Arc<DmaSpace>,
    watch: Arc<Watch>,
    bases: (Iova, Iova),
}

/// Rounds that a leader looks without sleeping. Each is a lock and a look at one word, so all of them take some
/// microseconds.
const EAGER_ROUNDS: u32 = 64;
impl CommandQueue {
    /// The queue; its rings are not enabled yet.
    pub(crate) fn new(
        space: &Arc<DmaSpace>,
        options: &OpenOptions,
        mapped: Option<&Arc<dyn HostMemory>>,
        interrupt: Option<Arc<EventFd>>,
        watch: &Arc<Watch>,
    ) -> Result<Self, Error> {
        let entries = options.command_entries.min(Entries::from_log2(15).unwrap_or(Entries::MIN));
        let transport = space.transport();
        // The completion ring is never full: half of it are commands in flight, the other half what the device has not
        // been told of.
        let ring =
            |name, entries: Entries| options.allocate(space, name, entries.bytes(), DmaAccess::ReadWrite).map(Arc::new);
        let (asked, answered) = (ring("offwire commands", entries)?, ring("offwire completions", entries.doubled())?);
        let bases = (asked.iova(), answered.iova());
        let places = (0..entries.count()).map(|_| (0, Place::Idle)).collect();
        let free = ArrayQueue::new(entries.count() as usize);
        for index in 0..entries.count() as u16 {
            // There is room for all.
            let _ = free.push(index);
        }
        let state = State {
            commands: producer(asked, entries)?,
            completions: consumer(answered, entries)?,
            places,
            led: false,
            sleepers: 0,
            broken: None,
        };
        Ok(CommandQueue {
            state: Mutex::new(state),
            changed: Condvar::new(),
            free,
            pool: Pool::new(space, options, entries.count())?,
            entries,
            command_bell: Doorbell::new(transport, mapped, RingId::COMMAND),
            completion_bell: Doorbell::new(transport, mapped, RingId::COMPLETION),
            interrupt,
            space: Arc::clone(space),
            watch: Arc::clone(watch),
            bases,
        })
    }

    /// Where the rings of commands and completions are, and how large.
    pub(crate) fn rings(&self) -> [(RingId, Iova, Entries); 2] {
        [(RingId::COMMAND, self.bases.0, self.entries), (RingId::COMPLETION, self.bases.1, self.entries.doubled())]
    }

    /// Commands that can be in flight.
    pub(crate) fn depth(&self) -> usize {
        self.entries.count() as usize
    }

    /// Starts anew, after the device has forgotten its rings: what was in flight is lost. `enable` turns the rings on;
    /// nobody posts until it is done.
    pub(crate) fn restart(&self, enable: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        let mut state = self.lock();
        state.commands = producer(Arc::clone(state.commands.memory()), self.entries)?;
        state.completions = consumer(Arc::clone(state.completions.memory()), self.entries)?;
        state.broken = None;
        for index in 0..state.places.len() {
            let (generation, place) = &mut state.places[index];
            match std::mem::replace(place, Place::Lost) {
                Place::Idle => *place = Place::Idle,
                Place::Done(completion) => *place = Place::Done(completion),
                Place::Posted { .. } | Place::Lost => {}
                Place::Abandoned { buffers, .. } => {
                    *generation = generation.wrapping_add(1);
                    *place = Place::Idle;
                    self.give_back(index as u16, buffers);
                }
            }
        }
        let enabled = enable();
        if enabled.is_err() {
            state.broken = Some(Broken::Off);
        }
        self.wake(&state);
        enabled
    }

    /// A place in the table, with buffers of so many bytes; waits for one if all are taken.
    ///
    /// # Errors
    /// [`Error::Deadline`] if all commands stay in flight, or fetched by nobody.
    pub(crate) fn slot(&self, input: usize, output: usize, budget: Duration) -> Result<Slot<'_>, Error> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.await_place(Wait::of(budget))?,
        };
        self.furnish(index, input, output)
    }

    /// As [`CommandQueue::slot`], but does not wait: `None` if all places are taken.
    pub(crate) fn free_slot(&self, input: usize, output: usize) -> Result<Option<Slot<'_>>, Error> {
        self.free.pop().map(|index| self.furnish(index, input, output)).transpose()
    }

    /// Gives buffers to a place.
    fn furnish(&self, index: u16, input: usize, output: usize) -> Result<Slot<'_>, Error> {
        match self.pool.buffers(&self.space, index, input, output) {
            Ok(buffers) => Ok(Slot { queue: self, index, posted: false, buffers: Some(buffers) }),
            Err(error) => {
                let _ = self.free.push(index);
                Err(error)
            }
        }
    }

    fn await_place(&self, deadline: Wait) -> Result<u16, Error> {
        let mut found = None;
        self.until(deadline, "a free command slot", |_| {
            found = self.free.pop();
            found.is_some()
        })?;
        found.ok_or(Error::Stale)
    }

    /// Posts a command; its doorbell is rung by whoever waits first.
    fn post(&self, index: u16, mut command: desc::Command) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(broken) = state.broken {
            return Err(broken.into());
        }
        let State { places, commands, .. } = &mut *state;
        let (generation, place) = &mut places[usize::from(index)];
        *generation = generation.wrapping_add(1);
        command.tag = u32::from(*generation) << 16 | u32::from(index);
        match commands.push(&command.encode()) {
            Ok(Some(_)) => {
                *place = Place::Posted { opcode: command.opcode };
                Ok(())
            }
            // As many places as entries, and a place is free only when its entry is.
            Ok(None) => {
                Err(Error::Nonsense { what: "a command ring that is full", value: commands.outstanding().into() })
            }
            Err(error) => Err(Error::Ring { ring: RingId::COMMAND, source: error }),
        }
    }

    /// Waits for the answer to what `index` asked.
    fn answer(&self, index: u16, deadline: Wait) -> Result<desc::Completion, Error> {
        let mut answer = None;
        self.until(deadline, "a command", |state| {
            let (_, place) = &mut state.places[usize::from(index)];
            if matches!(place, Place::Done(_) | Place::Lost) {
                answer = Some(std::mem::replace(place, Place::Idle));
            }
            answer.is_some()
        })?;
        match answer {
            Some(Place::Done(completion)) => Ok(completion),
            _ => Err(Error::Stale),
        }
    }

    /// Takes what arrives until `done`, or the deadline.
    fn until(&self, wait: Wait, what: &'static str, mut done: impl FnMut(&mut State) -> bool) -> Result<(), Error> {
        let mut round = 0;
        let mut state = self.lock();
        self.announce(&mut state)?;
        loop {
            if state.broken.is_none() {
                self.drain(&mut state)?;
            }
            if done(&mut state) {
                return Ok(());
            }
            if let Some(broken) = state.broken {
                return Err(broken.into());
            }
            // The first look is free, also of asking for the time.
            let left = if round == 0 { Duration::MAX } else { wait.left() };
            if left.is_zero() {
                return Err(wait.over(what));
            }
            if state.led {
                state.sleepers += 1;
                state = self.changed.wait_timeout(state, wait.left()).unwrap_or_else(PoisonError::into_inner).0;
                state.sleepers -= 1;
                round += 1;
                continue;
            }
            state.led = true;
            drop(state);
            let rested = self.rest(round, left);
            round += 1;
            state = self.lock();
            state.led = false;
            self.wake(&state);
            rested?;
        }
    }

    /// Rings the doorbell for what has been posted.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.announce(&mut self.lock())
    }

    /// The doorbell is rung under the lock: of two threads the later must not be overtaken.
    fn announce(&self, state: &mut State) -> Result<(), Error> {
        match state.commands.news() {
            Some(index) => self.command_bell.announce(index),
            None => Ok(()),
        }
    }

    /// Lets the device work, and gives it time.
    fn rest(&self, round: u32, left: Duration) -> Result<(), Error> {
        self.space.transport().kick()?;
        if round < EAGER_ROUNDS {
            if round > 0 {
                std::hint::spin_loop();
            }
            return Ok(());
        }
        if !nap(self.interrupt.as_deref(), round - EAGER_ROUNDS, left)? {
            self.watch.check(&[RingId::COMMAND, RingId::COMPLETION])?;
        }
        Ok(())
    }

    /// Takes all completions that have arrived.
    fn drain(&self, state: &mut State) -> Result<(), Error> {
        let before = state.completions.head();
        // No more than are in flight: what a device writes beyond is not looked at before it was asked for.
        while state.commands.outstanding() > 0 {
            let bytes = match state.completions.take() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => {
                    state.broken = Some(Broken::Ring(RingId::COMPLETION, error));
                    break;
                }
            };
            let completion = desc::Completion::decode(&bytes);
            state.commands.retire(1);
            if let Err(broken) = self.settle(state, completion) {
                state.broken = Some(broken);
                break;
            }
        }
        if state.completions.head() != before || state.broken.is_some() {
            self.wake(state);
        }
        match state.completions.news(self.entries.count() / 2) {
            Some(index) => self.completion_bell.tell(index).map(drop),
            None => Ok(()),
        }
    }

    /// Gives a completion to whom it belongs.
    fn settle(&self, state: &mut State, completion: desc::Completion) -> Result<(), Broken> {
        let nonsense = |what, value: u32| Err(Broken::Completion(what, value.into()));
        // Commands complete in order, so the index follows from what has come back.
        let expected = state.commands.head().wrapping_sub(state.commands.outstanding());
        if completion.command_index != expected {
            return nonsense("a completion's command index", completion.command_index);
        }
        let (index, generation) = (completion.tag as u16, (completion.tag >> 16) as u16);
        let Some((current, place)) = state.places.get_mut(usize::from(index)) else {
            return nonsense("a completion's tag", completion.tag);
        };
        let opcode = match place {
            Place::Posted { opcode } | Place::Abandoned { opcode, .. } if *current == generation => *opcode,
            _ => return nonsense("a completion's tag", completion.tag),
        };
        if completion.opcode != opcode {
            return nonsense("a completion's opcode", completion.opcode.into());
        }
        match std::mem::replace(place, Place::Idle) {
            Place::Abandoned { buffers, .. } => self.give_back(index, buffers),
            _ => *place = Place::Done(completion),
        }
        Ok(())
    }

    /// Wakes those who wait behind a leader. Costs a system call, so only if there are any.
    fn wake(&self, state: &State) {
        if state.sleepers > 0 {
            self.changed.notify_all();
        }
    }

    /// The place and its buffers may be used by others.
    fn give_back(&self, index: u16, buffers: Buffers) {
        self.pool.give_back(buffers);
        let _ = self.free.push(index);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of the state is whole before anything that may panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn producer(memory: Arc<DmaBuf>, entries: Entries) -> Result<Producer<Arc<DmaBuf>>, Error> {
    Producer::new(memory, entries, Return::Elsewhere).map_err(|source| Error::Ring { ring: RingId::COMMAND, source })
}

fn consumer(memory: Arc<DmaBuf>, entries: Entries) -> Result<Consumer<Arc<DmaBuf>>, Error> {
    Consumer::new(memory, entries.doubled()).map_err(|source| Error::Ring { ring: RingId::COMPLETION, source })
}

/// A place in the table with its buffers. Dropped while the command is in flight, it leaves both to the device until it
/// answers.
pub(crate) struct Slot<'a> {
    queue: &'a CommandQueue,
    index: u16,
    /// The device may have the buffers.
    posted: bool,
    /// `None` only while dropping.
    buffers: Option<Buffers>,
}

impl<'a> Slot<'a> {
    /// Copies bytes to the input buffer.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Error> {
        let written = self.buffers.as_ref().is_some_and(|buffers| self.queue.pool.write(buffers, at, bytes));
        if written { Ok(()) } else { Err(Error::TooLarge { what: "the input of a command", bytes: at + bytes.len() }) }
    }

    /// Posts the command; `input` and `output` are bytes of the buffers.
    pub(crate) fn post(mut self, command: &desc::Command, input: usize, output: usize) -> Result<Posted<'a>, Error> {
        let (from, to) = self.buffers.as_ref().map_or((0, 0), |buffers| self.queue.pool.addresses(buffers));
        let command = desc::Command {
            input: if input == 0 { 0 } else { from },
            output: if output == 0 { 0 } else { to },
            input_bytes: input as u32,
            output_bytes: output as u32,
            ..*command
        };
        self.queue.post(self.index, command)?;
        self.posted = true;
        Ok(Posted { slot: self, output })
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some(buffers) = self.buffers.take() else { return };
        if self.posted {
            let mut state = self.queue.lock();
            let (_, place) = &mut state.places[usize::from(self.index)];
            if let Place::Posted { opcode } = *place {
                *place = Place::Abandoned { opcode, buffers };
                return;
            }
            *place = Place::Idle;
        }
        self.queue.give_back(self.index, buffers);
    }
}

/// A command in flight.
pub(crate) struct Posted<'a> {
    slot: Slot<'a>,
    output: usize,
}

impl<'a> Posted<'a> {
    /// Waits for the answer, whatever its status.
    pub(crate) fn wait(mut self, deadline: Wait) -> Result<Answer<'a>, Error> {
        let completion = self.slot.queue.answer(self.slot.index, deadline)?;
        self.slot.posted = false;
        if completion.output_bytes as usize > self.output {
            return Err(Error::Nonsense { what: "a completion's output size", value: completion.output_bytes.into() });
        }
        Ok(Answer { slot: self.slot, completion })
    }
}

/// An answer, with its output still in the buffer.
pub(crate) struct Answer<'a> {
    slot: Slot<'a>,
    pub(crate) completion: desc::Completion,
}

impl Answer<'_> {
    /// Bytes of the output.
    pub(crate) fn output_bytes(&self) -> usize {
        self.completion.output_bytes as usize
    }

    /// Copies the output out, or its beginning if `bytes` is shorter.
    pub(crate) fn read(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let size = bytes.len().min(self.output_bytes());
        let buffers = self.slot.buffers.as_ref();
        let read = buffers.is_some_and(|buffers| self.slot.queue.pool.read(buffers, &mut bytes[..size]));
        if read || size == 0 { Ok(()) } else { Err(Error::TooLarge { what: "the output of a command", bytes: size }) }
    }

    /// Copies the output out.
    pub(crate) fn read_into(&self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.clear();
        bytes.resize(self.output_bytes(), 0);
        self.read(bytes)
    }
}
