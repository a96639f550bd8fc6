//! The command ring: descriptors in, completions out, in order.
//!
//! A command is copied once and checked before anything happens; a field or buffer that it does not use is 0. What it does is
//! done in one piece between two cycles, or not at all. Batches go entry by entry, a share a poll, while device time stands still;
//! Quiesce lets time go on.

mod batch;
mod counters;
mod fields;
mod maps;
mod port;
mod programs;

use offwire_hostif::{CommandFlag, Opcode, RingId, Status, TimeMode, desc};

use super::HostFunction;
use super::dma::DmaFault;
use batch::Batch;
use counters::Quiesce;

/// Commands that a poll does at most.
const BURST: u64 = 256;
/// Bytes of input that count as a command.
const BURST_BYTES: u64 = 4096;
/// Most bytes of a buffer that is copied at once.
const BUFFER_MAX: u32 = 32 << 20;
/// An id that stands for none.
const NO_ID: u32 = u32::MAX;

/// A command that takes several polls.
pub(super) enum Job {
    /// Entries of a map, a share at a time.
    Batch(Batch),
    /// Waits for packets.
    Quiesce(desc::Command, Quiesce),
}

/// How a command ended well.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    result: u64,
    output_bytes: u32,
    count: u32,
}

/// A command that did not, and why.
#[derive(Clone, Copy, Debug)]
struct Refused {
    status: Status,
    argument: u64,
    /// Batches: what was done before.
    count: u32,
}

type Answer = Result<Done, Refused>;

/// A refusal.
fn refuse(status: Status, argument: impl Into<u64>) -> Refused {
    Refused { status, argument: argument.into(), count: 0 }
}

/// A field that is not what it can be, by its offset.
fn bad_field(offset: u32) -> Refused {
    refuse(Status::BadField, offset)
}

fn result(result: impl Into<u64>) -> Answer {
    Ok(Done { result: result.into(), ..Done::default() })
}

impl From<DmaFault> for Refused {
    fn from(DmaFault(address): DmaFault) -> Self {
        refuse(Status::DmaFault, address)
    }
}

/// What a command led to.
enum Outcome {
    Answer(Answer),
    /// It goes on in a later poll.
    Later(Job),
}

impl HostFunction {
    /// True while a command is under way that has to see the device stand still.
    pub(super) fn holds_time(&self) -> bool {
        matches!(self.job, Some(Job::Batch(_)))
    }

    /// Does a share of the commands; false if there was nothing to do.
    pub(super) fn run_commands(&mut self) -> bool {
        let (mut worked, mut cost) = (false, 0);
        while cost < BURST {
            if let Some(job) = self.job.take() {
                if !self.bus.is_enabled(RingId::COMPLETION) {
                    self.job = Some(job);
                    break;
                }
                // A batch has done its share, Quiesce has to wait.
                let (advanced, going) = self.go_on(job);
                worked |= advanced;
                if going {
                    break;
                }
                cost += 1;
                continue;
            }
            if !self.bus.has_room(RingId::COMPLETION) {
                break;
            }
            let Some(descriptor) = self.bus.fetch(RingId::COMMAND, false) else { break };
            self.bus.consume(RingId::COMMAND);
            worked = true;
            let command = desc::Command::decode(&descriptor);
            cost += 1 + u64::from(command.input_bytes) / BURST_BYTES;
            match self.execute(&command) {
                Outcome::Answer(answer) => self.complete(&command, answer),
                Outcome::Later(job) => self.job = Some(job),
            }
        }
        worked
    }

    /// Goes on with a job: whether it came further, and whether it has to go on later.
    fn go_on(&mut self, job: Job) -> (bool, bool) {
        match job {
            Job::Batch(mut batch) => {
                let answer = self.run_batch(&mut batch);
                let command = batch.command;
                match answer {
                    Some(answer) => self.complete(&command, answer),
                    None => {
                        self.job = Some(Job::Batch(batch));
                        return (true, true);
                    }
                }
            }
            Job::Quiesce(command, mut wait) => {
                if !self.is_quiet(&mut wait) {
                    self.job = Some(Job::Quiesce(command, wait));
                    return (false, true);
                }
                self.complete(&command, Ok(Done::default()));
            }
        }
        (true, false)
    }

    fn complete(&mut self, command: &desc::Command, answer: Answer) {
        let (status, argument, done) = match answer {
            Ok(done) => (Status::Ok, 0, done),
            Err(Refused { status, argument, count }) => (status, argument, Done { count, ..Done::default() }),
        };
        let completion = desc::Completion {
            tag: command.tag,
            opcode: command.opcode,
            status: status.code(),
            argument,
            result: done.result,
            output_bytes: done.output_bytes,
            count: done.count,
            cycle: self.card.device.now(),
            command_index: self.bus.ring(RingId::COMMAND).index,
            ..desc::Completion::default()
        };
        self.bus.produce(RingId::COMPLETION, &completion.encode());
    }

    fn execute(&mut self, command: &desc::Command) -> Outcome {
        let Some(opcode) = Opcode::from_code(command.opcode) else {
            return Outcome::Answer(Err(refuse(Status::BadOpcode, command.opcode)));
        };
        if let Err(refused) = fields::check(opcode, command) {
            return Outcome::Answer(Err(refused));
        }
        Outcome::Answer(match opcode {
            Opcode::Nop => Ok(Done::default()),
            Opcode::ProgramLoad => self.program_load(command),
            Opcode::ProgramUnload => self.program_unload(command),
            Opcode::ProgramInfo => self.program_info(command),
            Opcode::ProgramNext => self.program_next(command),
            Opcode::PortAttach => self.port_attach(command),
            Opcode::PortDetach => self.port_detach(command),
            Opcode::PortInfo => self.port_info(command),
            Opcode::PortSet => self.port_set(command),
            Opcode::MapCreate => self.map_create(command),
            Opcode::MapFree => self.map_free(command),
            Opcode::MapInfo => self.map_info(command),
            Opcode::MapNext => self.map_next(command),
            Opcode::MapFreeze => self.map_freeze(command),
            Opcode::MapLookup => self.map_lookup(command),
            Opcode::MapUpdate => self.map_update(command),
            Opcode::MapDelete => self.map_delete(command),
            Opcode::MapNextKey => self.map_next_key(command),
            Opcode::MapLookupBatch | Opcode::MapUpdateBatch | Opcode::MapDeleteBatch => {
                match self.start_batch(opcode, command) {
                    Ok(batch) => return Outcome::Later(Job::Batch(batch)),
                    Err(refused) => Err(refused),
                }
            }
            Opcode::CountersRead => self.counters_read(command),
            Opcode::TimeSet => self.time_set(command),
            Opcode::ChanceSet => self.chance_set(command),
            Opcode::Quiesce => return Outcome::Later(Job::Quiesce(*command, self.quiesce())),
            Opcode::Reset => {
                self.reset_card();
                Ok(Done::default())
            }
        })
    }

    /// Copies a command's input into `self.input`, once.
    fn read_input(&mut self, command: &desc::Command) -> Result<(), Refused> {
        if command.input_bytes > BUFFER_MAX {
            return Err(refuse(Status::BufferSize, BUFFER_MAX));
        }
        let bytes = command.input_bytes as usize;
        // Nothing is set aside for what the device may not read anyway.
        if bytes > 4096 {
            self.bus.dma.may_read(command.input, bytes)?;
        }
        self.input.resize(bytes, 0);
        self.bus.dma.read(command.input, &mut self.input)?;
        Ok(())
    }

    /// Copies an input of exactly so many bytes.
    fn read_exactly(&mut self, command: &desc::Command, bytes: usize) -> Result<(), Refused> {
        if command.input_bytes as usize != bytes {
            return Err(refuse(Status::BufferSize, bytes as u64));
        }
        self.read_input(command)
    }

    /// Refuses an output buffer with less room.
    fn needs_output(command: &desc::Command, bytes: usize) -> Result<(), Refused> {
        if (command.output_bytes as usize) < bytes {
            return Err(refuse(Status::BufferSize, bytes as u64));
        }
        Ok(())
    }

    /// Writes a command's output.
    fn write_output(&mut self, command: &desc::Command, bytes: &[u8]) -> Answer {
        Self::needs_output(command, bytes.len())?;
        self.bus.dma.may_write(command.output, bytes.len())?;
        self.bus.dma.write(command.output, bytes)?;
        Ok(Done { output_bytes: bytes.len() as u32, ..Done::default() })
    }

    /// TimeSet.
    fn time_set(&mut self, command: &desc::Command) -> Answer {
        let mode =
            u16::try_from(command.argument).ok().and_then(TimeMode::from_code).ok_or(bad_field(fields::ARGUMENT))?;
        if mode != self.card.time && self.config.choices >> mode.code() & 1 == 0 {
            return Err(refuse(Status::NotSupported, 0u32));
        }
        self.card.time = mode;
        if command.flags & CommandFlag::BASE != 0 {
            self.card.device.set_ktime(command.value);
        }
        Ok(Done::default())
    }

    /// ChanceSet.
    fn chance_set(&mut self, command: &desc::Command) -> Answer {
        self.read_exactly(command, desc::Chance::BYTES)?;
        let bytes = self.input.first_chunk().ok_or(refuse(Status::BufferSize, desc::Chance::BYTES as u64))?;
        let chance = desc::Chance::decode(bytes);
        self.card.device.set_chance(chance.ktime_ns, chance.jiffies, chance.random_state);
        Ok(Done::default())
    }
}
