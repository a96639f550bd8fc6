//! Which fields an opcode uses. The others are 0.

use offwire_hostif::{CommandFlag, Opcode, desc};

use super::{Refused, bad_field};

pub(super) const FLAGS: u32 = 2;
pub(super) const OBJECT: u32 = 8;
pub(super) const ARGUMENT: u32 = 12;
pub(super) const VALUE: u32 = 16;
const INPUT: u32 = 24;
const OUTPUT: u32 = 32;
const INPUT_BYTES: u32 = 40;
const OUTPUT_BYTES: u32 = 44;
pub(super) const COUNT: u32 = 48;
const RESERVED0: u32 = 52;
const RESERVED1: u32 = 56;

/// What an opcode uses.
#[derive(Clone, Copy, Default)]
struct Uses {
    object: bool,
    argument: bool,
    value: bool,
    count: bool,
    input: bool,
    output: bool,
    flags: u16,
}

fn uses(opcode: Opcode, flags: u16) -> Uses {
    let none = Uses::default();
    let object = Uses { object: true, ..none };
    let expects = flags & CommandFlag::EXPECT != 0;
    match opcode {
        Opcode::Nop | Opcode::Quiesce | Opcode::Reset => none,
        Opcode::ProgramLoad | Opcode::MapCreate | Opcode::ChanceSet => Uses { input: true, ..none },
        Opcode::ProgramUnload | Opcode::ProgramNext | Opcode::MapFree | Opcode::MapNext | Opcode::MapFreeze => object,
        Opcode::ProgramInfo | Opcode::PortInfo | Opcode::MapInfo => Uses { output: true, ..object },
        Opcode::PortAttach => {
            Uses { argument: true, value: true, count: expects, flags: CommandFlag::EXPECT, ..object }
        }
        Opcode::PortDetach => Uses { count: expects, flags: CommandFlag::EXPECT, ..object },
        Opcode::PortSet => Uses { argument: true, value: true, ..object },
        Opcode::MapLookup | Opcode::MapNextKey => Uses { input: true, output: true, ..object },
        Opcode::MapUpdate => Uses { value: true, input: true, ..object },
        Opcode::MapDelete => Uses { input: true, ..object },
        Opcode::MapLookupBatch => Uses { count: true, input: true, output: true, ..object },
        Opcode::MapUpdateBatch => Uses { value: true, count: true, input: true, ..object },
        Opcode::MapDeleteBatch => Uses { count: true, input: true, ..object },
        Opcode::CountersRead => Uses { argument: true, output: true, ..object },
        Opcode::TimeSet => {
            Uses { argument: true, value: flags & CommandFlag::BASE != 0, flags: CommandFlag::BASE, ..none }
        }
    }
}

/// Refuses a command with something in a field that its opcode does not use.
pub(super) fn check(opcode: Opcode, command: &desc::Command) -> Result<(), Refused> {
    let uses = uses(opcode, command.flags);
    let rules = [
        (FLAGS, command.flags & !uses.flags == 0),
        (OBJECT, uses.object || command.object == 0),
        (ARGUMENT, uses.argument || command.argument == 0),
        (VALUE, uses.value || command.value == 0),
        (INPUT, uses.input || command.input == 0),
        (OUTPUT, uses.output || command.output == 0),
        (INPUT_BYTES, uses.input || command.input_bytes == 0),
        (OUTPUT_BYTES, uses.output || command.output_bytes == 0),
        (COUNT, uses.count || command.count == 0),
        (RESERVED0, command.reserved0 == 0),
        (RESERVED1, command.reserved1 == 0),
    ];
    match rules.into_iter().find(|&(_, holds)| !holds) {
        Some((offset, _)) => Err(bad_field(offset)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_descriptor() {
        let named = [
            ("flags", FLAGS),
            ("object", OBJECT),
            ("argument", ARGUMENT),
            ("value", VALUE),
            ("input", INPUT),
            ("output", OUTPUT),
            ("input_bytes", INPUT_BYTES),
            ("output_bytes", OUTPUT_BYTES),
            ("count", COUNT),
            ("reserved0", RESERVED0),
            ("reserved1", RESERVED1),
        ];
        for (name, offset) in named {
            assert!(desc::Command::FIELDS.iter().any(|&(field, at, _)| (field, at) == (name, offset)), "{name}");
        }
    }

    /// Whatever is set in a field that an opcode does not use is refused, and named.
    #[test]
    fn unused_fields_are_zero() {
        for opcode in Opcode::ALL {
            let uses = uses(opcode, 0);
            for (name, at, bytes) in desc::Command::FIELDS {
                let used = match name {
                    "opcode" | "tag" | "phase" => true,
                    "object" => uses.object,
                    "argument" => uses.argument,
                    "value" => uses.value,
                    "count" => uses.count,
                    "input" | "input_bytes" => uses.input,
                    "output" | "output_bytes" => uses.output,
                    _ => false,
                };
                let mut raw = desc::Command { opcode: opcode.code(), ..desc::Command::default() }.encode();
                // The highest bit: no opcode knows that flag.
                raw[(at + bytes - 1) as usize] |= 0x80;
                let refused = check(opcode, &desc::Command::decode(&raw)).err();
                assert_eq!(refused.map(|refused| refused.argument), (!used).then_some(at.into()), "{opcode:?} {name}");
            }
        }
    }
}
