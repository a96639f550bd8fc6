//! Commands and their answers.

use offwire_hostif::{DispatchChoice, MapRefusal, Opcode, Status, desc};
use std::fmt;

/// A command: docs/registers.md says what each opcode reads of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub opcode: Opcode,
    /// `CommandFlag` bits.
    pub flags: u16,
    /// Program, map or port.
    pub object: u32,
    /// By opcode.
    pub argument: u32,
    /// By opcode.
    pub value: u64,
    /// By opcode.
    pub count: u32,
    /// Parts of the input; each but the last is padded to 8 B.
    pub input: &'a [&'a [u8]],
    /// Bytes that the answer may have.
    pub output: usize,
}

impl<'a> Request<'a> {
    /// A command without buffers, and with zeros for the rest.
    pub const fn new(opcode: Opcode) -> Self {
        Request { opcode, flags: 0, object: 0, argument: 0, value: 0, count: 0, input: &[], output: 0 }
    }

    /// The same about another object.
    #[must_use]
    pub const fn object(self, object: u32) -> Self {
        Request { object, ..self }
    }

    /// The same with another `value`.
    #[must_use]
    pub const fn value(self, value: u64) -> Self {
        Request { value, ..self }
    }

    /// The same with an input.
    #[must_use]
    pub const fn input(self, input: &'a [&'a [u8]]) -> Self {
        Request { input, ..self }
    }

    /// The same with room for an answer, bytes.
    #[must_use]
    pub const fn output(self, output: usize) -> Self {
        Request { output, ..self }
    }

    /// Bytes of the input.
    pub(crate) fn input_bytes(&self) -> usize {
        let whole = self.input.split_last();
        whole.map_or(0, |(last, parts)| parts.iter().map(|part| padded(part.len())).sum::<usize>() + last.len())
    }

    /// The descriptor, without its buffers and tag.
    pub(crate) fn descriptor(&self) -> desc::Command {
        desc::Command {
            opcode: self.opcode.code(),
            flags: self.flags,
            object: self.object,
            argument: self.argument,
            value: self.value,
            count: self.count,
            ..desc::Command::default()
        }
    }
}

/// Bytes up to the next multiple of 8.
pub(crate) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// A command that the device refused. Nothing was changed, but by batches, which stop at the entry that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The command.
    pub opcode: Opcode,
    /// Program, map or port that it was about.
    pub object: u32,
    /// Why.
    pub status: Status,
    /// More about it; docs/registers.md, table of statuses.
    pub argument: u64,
}

impl std::error::Error for CommandError {}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}: ", self.opcode, self.subject())?;
        let argument = self.argument;
        match self.status {
            Status::Ok => write!(f, "done"),
            Status::BadOpcode => write!(f, "the device has no command {argument:#x}"),
            Status::BadField => write!(f, "byte {argument} of the command has a value that it cannot have"),
            Status::BadRecord => write!(f, "byte {argument} of the input has a value that it cannot have"),
            Status::DmaFault => write!(f, "the device may not use the memory at {argument:#x}"),
            Status::BufferSize => write!(f, "the buffer has the wrong size; the device asks for {argument} B"),
            Status::NoSuchProgram => write!(f, "there is no program {argument}"),
            Status::NoSuchMap => write!(f, "there is no map {argument}"),
            Status::NoSuchPort => write!(f, "there is no port {argument}"),
            Status::NotSupported => write!(f, "the device does not have this"),
            Status::Busy => write!(f, "it is in use by {}", self.holder()),
            Status::Changed if argument as u32 == u32::MAX => write!(f, "no program is attached any more"),
            Status::Changed => write!(f, "program {argument} is attached instead of the expected one"),
            Status::NotFound => write!(f, "there is no such key, or no further one (ENOENT)"),
            Status::Exists => write!(f, "the key is there already (EEXIST)"),
            Status::Full => write!(f, "the map is full, or the index is beyond its end (E2BIG)"),
            Status::Invalid => write!(f, "this kind of map cannot do it, or the flags are unknown (EINVAL)"),
            Status::Frozen => write!(f, "the map is frozen (EPERM)"),
            Status::Reference => write!(f, "the value names nothing that may stand in this map (EBADF)"),
            Status::MapMemory => write!(f, "map memory is exhausted; {argument} B are needed (ENOMEM)"),
            Status::MapRefused => self.refusal(f),
            Status::MapMismatch => write!(f, "the given map does not fit the image's map {argument}"),
            Status::StoreFull => write!(f, "the instruction store has no room for {argument} words"),
            Status::TooMany => write!(f, "all {argument} ids are in use"),
            Status::ImageContainer => write!(f, "the bytes are no image"),
            Status::ImageBinding => write!(f, "the image is for another ISA version or profile than the device's"),
            Status::ImageCheck if argument as u32 == u32::MAX => write!(f, "the image breaks a rule"),
            Status::ImageCheck => write!(f, "word {argument} of the image breaks a rule"),
            Status::Internal => write!(f, "the device failed and must be reset"),
        }
    }
}

impl CommandError {
    /// What the command was about.
    fn subject(&self) -> String {
        let object = self.object;
        match self.opcode {
            Opcode::ProgramUnload | Opcode::ProgramInfo | Opcode::ProgramNext => format!("program {object}"),
            Opcode::PortAttach | Opcode::PortDetach | Opcode::PortInfo | Opcode::PortSet => format!("port {object}"),
            Opcode::MapFree
            | Opcode::MapInfo
            | Opcode::MapNext
            | Opcode::MapFreeze
            | Opcode::MapLookup
            | Opcode::MapUpdate
            | Opcode::MapDelete
            | Opcode::MapNextKey
            | Opcode::MapLookupBatch
            | Opcode::MapUpdateBatch
            | Opcode::MapDeleteBatch => format!("map {object}"),
            Opcode::ProgramLoad => "an image".to_owned(),
            Opcode::MapCreate => "a map".to_owned(),
            Opcode::Nop
            | Opcode::CountersRead
            | Opcode::TimeSet
            | Opcode::ChanceSet
            | Opcode::Quiesce
            | Opcode::Reset => "the device".to_owned(),
        }
    }

    /// Who holds a busy object.
    fn holder(&self) -> String {
        match self.opcode {
            Opcode::ProgramUnload => format!("port {}", self.argument),
            Opcode::MapFree => format!("program or map {}", self.argument),
            _ => format!("{}", self.argument),
        }
    }

    /// Why a map was refused, with the image's slot if it comes from one.
    fn refusal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal = MapRefusal::from_code(self.argument as u16);
        let why = refusal.map_or("for a reason that this driver does not know", MapRefusal::doc);
        match self.opcode {
            Opcode::ProgramLoad => write!(f, "the device cannot hold the image's map {}: {why}", self.argument >> 32),
            _ => write!(f, "the device cannot hold the map: {why}"),
        }
    }
}

/// Dispatch modes as people write them.
pub(crate) fn dispatch(code: u32) -> Option<DispatchChoice> {
    DispatchChoice::from_code(u16::try_from(code).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_padded_but_for_the_last() {
        let request = |input| Request::new(Opcode::MapUpdate).input(input).input_bytes();
        assert_eq!(request(&[]), 0);
        assert_eq!(request(&[&[0; 5]]), 5);
        assert_eq!(request(&[&[0; 5], &[0; 9]]), 17);
        assert_eq!(request(&[&[0; 8], &[], &[0; 1]]), 9);
    }

    #[test]
    fn each_refusal_says_what_it_is_about_and_why() {
        let mut texts = std::collections::BTreeSet::new();
        for status in Status::ALL {
            for opcode in Opcode::ALL {
                for argument in [0, 1, 7 << 32 | 4, u64::from(u32::MAX), u64::MAX] {
                    let text = CommandError { opcode, object: 3, status, argument }.to_string();
                    let (about, why) = text.split_once(": ").expect("about and why");
                    assert!(about.starts_with(&format!("{opcode:?} of ")) && why.len() > 3, "{text}");
                    texts.insert(why.to_owned());
                }
            }
        }
        assert!(texts.len() > 2 * Status::ALL.len(), "{texts:?}");
        let refused = |opcode, argument| CommandError { opcode, object: 0, status: Status::MapRefused, argument };
        assert_eq!(
            refused(Opcode::ProgramLoad, 7 << 32 | 4).to_string(),
            "ProgramLoad of an image: the device cannot hold the image's map 7: The key size does not fit the kind."
        );
    }
}
