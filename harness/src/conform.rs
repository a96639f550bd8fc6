//! Bare programs: what `bpf_conformance` (github.com/Alan-Jowett/bpf_conformance) hands to a plugin.
//!
//! A program of raw instructions gets the address of some memory in r1 and its length in r2, and gives r0. It is no XDP program. The
//! interpreter runs it as it is, unverified but with all bounds checked; for a device [`wrap`] makes an XDP program of it, whose packet
//! begins with the memory.

use crate::programs::{
    R0, R1, R2, R3, R4, add, copy, jump_if, load, map_spec, map_value, mov, object_of, program, store,
};
use crate::reference::Ref;
use crate::{MIN_FRAME, PacketIn};
use offload_compiler::ebpf::{Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Size, decode};
use offload_compiler::object::{Object, Program};
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};

/// The map of a wrapped program whose only value is r0 at its end, 8 bytes.
pub const RESULT: MapIdx = MapIdx(0);

/// Instructions in front of a wrapped program.
const FRONT: usize = 8;

/// Bytes from hexadecimal digits; white space does not count. `None` for anything else, or half a byte.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn refuse(what: String) -> Diagnostic {
    Diagnostic::error(codes::host::REF_UNSUPPORTED, "this is no program that can run").with_reason(what)
}

/// The instructions, and their decoded form.
fn instructions(bytes: &[u8]) -> Result<(Vec<[u8; 8]>, Vec<Insn>), Diagnostic> {
    let (raw, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() || raw.is_empty() {
        return Err(refuse(format!("{} bytes are no number of whole instructions", bytes.len())));
    }
    let insns = decode(raw).map_err(|error| refuse(error.to_string()))?;
    Ok((raw.to_vec(), insns))
}

/// Runs a program in the interpreter; gives r0.
///
/// # Errors
/// `OW0814` for bytes that are no program and for what the interpreter does not know, `OW0811` for an access out of bounds,
/// `OW0813` for a program without an end.
pub fn run(bytes: &[u8], memory: &[u8]) -> Result<u64, Diagnostic> {
    let (raw, insns) = instructions(bytes)?;
    let functions = vec![(InsnIdx(0), "main".into())];
    let program = Program { name: "main".into(), section: "xdp".into(), insns, raw, functions, ..Program::default() };
    let size = u32::try_from(memory.len()).map_err(|_| refuse("the memory is too large".into()))?;
    let maps: Vec<MapSpec> = match size {
        0 => Vec::new(),
        _ => vec![MapSpec { init: memory.to_vec(), ..map_spec("memory", MapKind::Array, 4, size, 1) }],
    };
    let mut reference = Ref::new(&object_of(vec![program], &maps), 0)?;
    reference.run_on_value(MapIdx(0), u64::from(size))
}

/// Makes an XDP program and a packet of a program and its memory. After the packet, map [`RESULT`] holds r0.
///
/// # Errors
/// `OW0814` for bytes that are no program.
pub fn wrap(bytes: &[u8], memory: &[u8]) -> Result<(Object, PacketIn), Diagnostic> {
    let (_, insns) = instructions(bytes)?;
    let size = i32::try_from(memory.len()).map_err(|_| refuse("the memory is too large".into()))?;
    let mains = own_exits(&insns);
    // r0 into the map, and out.
    let [wide, second] = map_value(R1, RESULT.0, 0);
    let end = [wide, second, store(Size::B8, R1, 0, R0), mov(R0, 2), Insn::Exit];
    let mut places = Vec::with_capacity(insns.len() + 1);
    let mut at = FRONT;
    for main in mains.iter().copied() {
        places.push(InsnIdx(u32::try_from(at).unwrap_or(u32::MAX)));
        at += if main { end.len() } else { 1 };
    }
    let place =
        |target: InsnIdx| places.get(target.at()).copied().ok_or_else(|| refuse("it jumps out of the program".into()));
    let mut out = vec![
        load(Size::B4, R3, R1, 4),
        load(Size::B4, R1, R1, 0),
        copy(R4, R1),
        add(R4, size),
        mov(R2, size),
        mov(R0, 0),
        jump_if(Cond::Le, R4, Operand::Reg(R3), FRONT),
        Insn::Exit,
    ];
    if memory.is_empty() {
        out.splice(
            ..,
            [mov(R2, 0), mov(R1, 0), mov(R3, 0), mov(R4, 0), mov(R0, 0), mov(R0, 0), mov(R0, 0), mov(R0, 0)],
        );
    }
    for (insn, main) in insns.into_iter().zip(mains) {
        match insn {
            Insn::Exit if main => out.extend(end),
            Insn::Jump { target } => out.push(Insn::Jump { target: place(target)? }),
            Insn::JumpIf { width, cond, dst, src, target } => {
                out.push(Insn::JumpIf { width, cond, dst, src, target: place(target)? });
            }
            Insn::CallLocal { target } => out.push(Insn::CallLocal { target: place(target)? }),
            Insn::LoadImm64 { dst, value: Imm64::Func(target) } => {
                out.push(Insn::LoadImm64 { dst, value: Imm64::Func(place(target)?) });
            }
            Insn::LoadImm64 { value: Imm64::Map(_) | Imm64::MapValue { .. }, .. } => {
                return Err(refuse("it names a map".into()));
            }
            other => out.push(other),
        }
    }
    let program = program("main", &out).map_err(|error| refuse(error.to_string()))?;
    let maps = [map_spec("result", MapKind::Array, 4, 8, 1)];
    let mut packet = memory.to_vec();
    packet.resize(memory.len().max(MIN_FRAME), 0);
    Ok((object_of(vec![program], &maps), PacketIn { bytes: packet, port: 0, rx_queue: 0, arrival_ns: 0 }))
}

/// For each instruction, whether it is an exit that ends the program and not a function that it calls.
fn own_exits(insns: &[Insn]) -> Vec<bool> {
    let mut seen = vec![false; insns.len()];
    let mut todo = vec![0];
    while let Some(at) = todo.pop() {
        match (insns.get(at), seen.get_mut(at)) {
            (Some(insn), Some(seen)) if !*seen => {
                *seen = true;
                if let Insn::Jump { target } | Insn::JumpIf { target, .. } = insn {
                    todo.push(target.at());
                }
                if !matches!(insn, Insn::Jump { .. } | Insn::Exit) {
                    todo.push(at + 1);
                }
            }
            _ => {}
        }
    }
    insns.iter().zip(seen).map(|(insn, seen)| seen && matches!(insn, Insn::Exit)).collect()
}
