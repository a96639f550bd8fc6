//! Commands in flight, as users see them.

use super::command::padded;
use super::queue::{Answer, Posted, Slot};
use super::{CommandError, Device, Request};
use crate::error::Error;
use offwire_hostif::{Opcode, RingId, Status, desc};

/// A command in flight. Dropped, it is still done, but nobody hears of it.
#[must_use = "a command is sent when its answer, or a later one, is waited for"]
pub struct Pending<'a> {
    device: &'a Device,
    posted: Posted<'a>,
    opcode: Opcode,
    object: u32,
}

/// What the device answered to a command that it did.
pub struct Reply<'a> {
    answer: Answer<'a>,
}

impl Device {
    /// Posts a command. The doorbell is rung when somebody waits, once for all commands that were posted until then. At
    /// most as many as [`super::OpenOptions::command_entries`] can be in flight or waited for at a time.
    ///
    /// # Errors
    /// [`Error::Deadline`] if all places stay taken; [`Error::TooLarge`]; whatever is wrong with the device.
    pub fn submit(&self, request: &Request<'_>) -> Result<Pending<'_>, Error> {
        let slot = self.slot(request.input_bytes(), request.output)?;
        self.fill(slot, request)
    }

    /// As [`Device::submit`], but `None` if all places are taken. Who has commands in flight himself waits for these
    /// then: of several who only wait for places that the others hold, nobody would go on.
    ///
    /// # Errors
    /// As [`Device::submit`].
    pub fn try_submit(&self, request: &Request<'_>) -> Result<Option<Pending<'_>>, Error> {
        let slot = self.inner.queue.free_slot(request.input_bytes(), request.output)?;
        slot.map(|slot| self.fill(slot, request)).transpose()
    }

    /// Writes the input and posts the command.
    fn fill<'a>(&'a self, slot: Slot<'a>, request: &Request<'_>) -> Result<Pending<'a>, Error> {
        let mut at = 0;
        for (number, part) in request.input.iter().enumerate() {
            slot.write(at, part)?;
            let end = at + part.len();
            at += padded(part.len());
            if end < at && number + 1 < request.input.len() {
                slot.write(end, &[0; 8][..at - end])?;
            }
        }
        let posted = slot.post(&request.descriptor(), request.input_bytes(), request.output)?;
        Ok(Pending { device: self, posted, opcode: request.opcode, object: request.object })
    }

    /// Posts a command and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Command`] if the device refuses; whatever is wrong with it.
    pub fn run(&self, request: &Request<'_>) -> Result<Reply<'_>, Error> {
        self.submit(request)?.wait()
    }

    /// Rings the doorbell for what has been posted, without waiting.
    ///
    /// # Errors
    /// The transport's.
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.queue.flush()
    }

    /// Commands that can be in flight.
    pub fn depth(&self) -> usize {
        self.inner.queue.depth()
    }

    /// A place for a command.
    fn slot(&self, input: usize, output: usize) -> Result<Slot<'_>, Error> {
        self.inner.queue.slot(input, output, self.deadline()).map_err(|error| self.explain(error))
    }

    /// Finds the reason of a deadline that has passed, if there is one.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Deadline { .. } => {
                let reason = self.inner.watch.check(&[RingId::COMMAND, RingId::COMPLETION]);
                reason.err().unwrap_or(error)
            }
            error => error,
        }
    }
}

impl<'a> Pending<'a> {
    /// Waits for the answer, for as long as a command may take.
    ///
    /// # Errors
    /// [`Error::Command`] if the device refused; [`Error::Deadline`]; [`Error::Stale`] if the device was reset
    /// meanwhile; whatever is wrong with it.
    pub fn wait(self) -> Result<Reply<'a>, Error> {
        let (reply, refused) = self.outcome()?;
        match refused {
            None => Ok(reply),
            Some(error) => Err(error.into()),
        }
    }

    /// Waits for the answer; of batches the answer says something also if it is a refusal.
    pub(crate) fn outcome(self) -> Result<(Reply<'a>, Option<CommandError>), Error> {
        let Pending { device, posted, opcode, object } = self;
        let answer = posted.wait(device.wait()).map_err(|error| device.explain(error))?;
        let desc::Completion { status, argument, .. } = answer.completion;
        let status = Status::from_code(status)
            .ok_or(Error::Nonsense { what: "the status of a command", value: status.into() })?;
        let refused = (status != Status::Ok).then_some(CommandError { opcode, object, status, argument });
        Ok((Reply { answer }, refused))
    }
}

impl Reply<'_> {
    /// By opcode.
    pub fn result(&self) -> u64 {
        self.answer.completion.result
    }

    /// By opcode.
    pub fn count(&self) -> u32 {
        self.answer.completion.count
    }

    /// Device cycle at which it took effect.
    pub fn cycle(&self) -> u64 {
        self.answer.completion.cycle
    }

    /// Bytes of the output.
    pub fn output_bytes(&self) -> usize {
        self.answer.output_bytes()
    }

    /// Copies the output out, or its beginning if `bytes` is shorter.
    ///
    /// # Errors
    /// None but an output that is larger than its buffer.
    pub fn read(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.answer.read(bytes)
    }

    /// Copies the output out in place of what is in `bytes`.
    ///
    /// # Errors
    /// As [`Reply::read`].
    pub fn read_into(&self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        self.answer.read_into(bytes)
    }

    /// The output, which must have `N` bytes.
    pub(crate) fn record<const N: usize>(&self, what: &'static str) -> Result<[u8; N], Error> {
        let size = self.output_bytes();
        if size < N {
            return Err(Error::Nonsense { what, value: size as u64 });
        }
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }
}

/// An id of a program or map in an answer.
pub(crate) fn id(value: u64, what: &'static str) -> Result<u16, Error> {
    match u16::try_from(value) {
        Ok(id) if id != u16::MAX => Ok(id),
        _ => Err(Error::Nonsense { what, value }),
    }
}
