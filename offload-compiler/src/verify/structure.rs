//! What can be said of a program without following its paths: every instruction is well-formed and reachable, and jumps stay
//! inside their function (`check_subprogs`, `check_cfg`).

use super::refusal::{Check, Refusal};
use crate::ebpf::{AluOp, AtomicOp, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Size, Width};
use crate::object::{Object, Program};
use offwire_diag::codes::verify as codes;

type Found = Result<(), (InsnIdx, Box<Refusal>)>;

/// Checks the program; the error tells where.
pub(super) fn check(object: &Object, program: &Program) -> Found {
    let insns = program.insns.as_slice();
    if insns.is_empty() {
        return Err((InsnIdx(0), Refusal::new(codes::BAD_JUMP, "the program has no instructions")));
    }
    let entries = entries(insns);
    for (at, insn) in (0u32..).zip(insns) {
        let at = InsnIdx(at);
        let next = insns.get(at.next().at());
        operands(insn)
            .and_then(|()| wide(insn, next))
            .and_then(|()| maps(object, insn))
            .map_err(|refusal| (at, refusal))?;
        control(insns, &entries, at, insn).map_err(|refusal| (at, refusal))?;
    }
    reachable(insns)?;
    nesting(insns, &entries)
}

/// Functions in a chain of calls (`MAX_CALL_FRAMES`).
pub(super) const MAX_FRAMES: usize = 8;

/// No chain of calls is too long, also where no path leads; a function that calls itself makes an endless one.
fn nesting(insns: &[Insn], entries: &[u32]) -> Found {
    let calls: Vec<(usize, usize, u32)> = (0u32..)
        .zip(insns)
        .filter_map(|(at, insn)| match insn {
            Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } => {
                let caller = entries.partition_point(|&entry| entry <= at).wrapping_sub(1);
                Some((caller, entries.binary_search(&target.0).ok()?, at))
            }
            _ => None,
        })
        .collect();
    // Levels below each function; they settle after as many rounds as the longest chain has calls.
    let mut levels = vec![1usize; entries.len()];
    for _ in 0..MAX_FRAMES {
        for &(caller, callee, at) in &calls {
            let below = levels.get(callee).copied().unwrap_or(0).saturating_add(1);
            if let Some(level) = levels.get_mut(caller) {
                *level = below.max(*level);
                if *level > MAX_FRAMES {
                    return Err((InsnIdx(at), too_deep()));
                }
            }
        }
    }
    Ok(())
}

/// Refuses a long chain of calls.
pub(super) fn too_deep() -> Box<Refusal> {
    Refusal::new(codes::CALL_DEPTH, "calls are nested too deeply")
        .because(format!("a chain of calls has more than {MAX_FRAMES} functions, or a function calls itself"))
        .help("mark functions __always_inline, and write loops instead of recursion")
}

/// First instructions of the functions, ascending.
pub(super) fn entries(insns: &[Insn]) -> Vec<u32> {
    let called = insns.iter().filter_map(|insn| match insn {
        Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } => Some(target.0),
        _ => None,
    });
    let mut entries: Vec<u32> = called.chain([0]).collect();
    entries.sort_unstable();
    entries.dedup();
    entries
}

fn bad(message: impl Into<String>) -> Box<Refusal> {
    Refusal::new(codes::BAD_INSTRUCTION, message)
}

/// Registers exist, r10 is only read, constants make sense.
fn operands(insn: &Insn) -> Check {
    let (reads, writes): (Vec<Reg>, Option<Reg>) = match *insn {
        Insn::Alu { width, op, dst, src } => {
            if let Operand::Imm(imm) = src {
                let bits = if width == Width::W64 { 64 } else { 32 };
                match op {
                    AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if !(0..bits).contains(&imm) => {
                        return Err(bad(format!("a shift of {bits} bits by {imm}"))
                            .help(format!("shift by 0 to {}", bits.wrapping_sub(1))));
                    }
                    AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod if imm == 0 => {
                        return Err(bad("a division by the constant 0").help("divide by something else"));
                    }
                    _ => {}
                }
            }
            (register(src).into_iter().chain([dst]).collect(), Some(dst))
        }
        Insn::MovSx { width, bits, dst, src } => {
            if !matches!((width, bits), (_, 8 | 16) | (Width::W64, 32)) {
                return Err(bad(format!("a sign extension from {bits} bits")));
            }
            (vec![src], Some(dst))
        }
        Insn::Endian { bits, dst, .. } | Insn::Bswap { bits, dst } => {
            if !matches!(bits, 16 | 32 | 64) {
                return Err(bad(format!("a byte swap of {bits} bits")));
            }
            (vec![dst], Some(dst))
        }
        Insn::Neg { dst, .. } => (vec![dst], Some(dst)),
        Insn::LoadImm64 { dst, .. } => (vec![], Some(dst)),
        Insn::Load { size, signed, dst, base, .. } => {
            if signed && size == Size::B8 {
                return Err(bad("a sign-extending load of 8 bytes"));
            }
            (vec![base], Some(dst))
        }
        Insn::Store { base, src, .. } => (register(src).into_iter().chain([base]).collect(), None),
        Insn::Atomic { op, fetch, base, src, .. } => {
            (vec![base, src], (fetch && op != AtomicOp::Cmpxchg || op == AtomicOp::Xchg).then_some(src))
        }
        Insn::JumpIf { dst, src, .. } => (register(src).into_iter().chain([dst]).collect(), None),
        _ => (vec![], None),
    };
    if let Some(reg) = reads.into_iter().chain(writes).find(|reg| reg.0 > 10) {
        return Err(bad(format!("register r{} does not exist", reg.0)));
    }
    if writes == Some(Reg(10)) {
        return Err(Refusal::new(codes::FRAME_POINTER, "the frame pointer is written")
            .because("r10 is read-only")
            .help("copy it to another register first"));
    }
    Ok(())
}

fn register(src: Operand) -> Option<Reg> {
    match src {
        Operand::Reg(reg) => Some(reg),
        Operand::Imm(_) => None,
    }
}

/// A 64-bit immediate has two slots.
fn wide(insn: &Insn, next: Option<&Insn>) -> Check {
    match (insn, next) {
        (Insn::LoadImm64 { .. }, Some(Insn::Wide)) => Ok(()),
        (Insn::LoadImm64 { .. }, _) => Err(bad("a 64-bit constant without its second half")),
        (_, Some(Insn::Wide)) => Err(bad("half of a 64-bit constant")),
        _ => Ok(()),
    }
}

fn maps(object: &Object, insn: &Insn) -> Check {
    let (map, offset) = match *insn {
        Insn::LoadImm64 { value: Imm64::Map(map), .. } => (map, None),
        Insn::LoadImm64 { value: Imm64::MapValue { map, offset }, .. } => (map, Some(offset)),
        _ => return Ok(()),
    };
    let MapIdx(index) = map;
    let Some(map) = object.maps.get(usize::from(index)) else {
        return Err(bad(format!("map {index} does not exist")));
    };
    let spec = &map.spec;
    match offset {
        Some(_) if spec.kind != offwire_image::MapKind::Array || spec.max_entries != 1 => {
            Err(bad(format!("the address of a value of map {}, which is not global data", spec.name))
                .because("only arrays of one element have an address that is known at load time")
                .help("use bpf_map_lookup_elem"))
        }
        Some(offset) if offset >= spec.value_size => {
            Err(Refusal::new(codes::MAP_VALUE_BOUNDS, "an address outside global data")
                .because(format!("offset {offset} of {} bytes of {}", spec.value_size, spec.name)))
        }
        _ => Ok(()),
    }
}

/// Jumps stay inside the function, and no function runs into the next.
fn control(insns: &[Insn], entries: &[u32], at: InsnIdx, insn: &Insn) -> Check {
    let after = entries.partition_point(|&entry| entry <= at.0);
    let start = entries.get(after.wrapping_sub(1)).copied().unwrap_or(0);
    let end = entries.get(after).copied().unwrap_or(u32::try_from(insns.len()).unwrap_or(u32::MAX));
    let lands = |target: InsnIdx| insns.get(target.at()).is_some_and(|insn| *insn != Insn::Wide);
    match *insn {
        Insn::Jump { target } | Insn::JumpIf { target, .. } if !(start..end).contains(&target.0) || !lands(target) => {
            return Err(Refusal::new(codes::BAD_JUMP, "a jump out of its function").because(format!(
                "the target is instruction {}, the function has instructions {start} to {}",
                target.0,
                end.wrapping_sub(1)
            )));
        }
        Insn::CallLocal { target } | Insn::LoadImm64 { value: Imm64::Func(target), .. } if !lands(target) => {
            return Err(Refusal::new(codes::BAD_JUMP, "a call of something that is no function")
                .because(format!("the target is instruction {}", target.0)));
        }
        _ => {}
    }
    let last = at.0.checked_add(1) == Some(end);
    if last && !matches!(insn, Insn::Exit | Insn::Jump { .. }) {
        return Err(Refusal::new(codes::BAD_JUMP, "a function runs past its end")
            .because("its last instruction is neither exit nor a jump")
            .help("return on every path"));
    }
    Ok(())
}

/// Every instruction can be reached by jumps and calls.
fn reachable(insns: &[Insn]) -> Found {
    let mut reached = vec![false; insns.len()];
    let mut pending = vec![InsnIdx(0)];
    while let Some(at) = pending.pop() {
        let (Some(seen), Some(insn)) = (reached.get_mut(at.at()), insns.get(at.at())) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        match *insn {
            Insn::Jump { target } => pending.push(target),
            Insn::JumpIf { target, .. } | Insn::CallLocal { target } => pending.extend([target, at.next()]),
            Insn::Exit => {}
            Insn::LoadImm64 { value: Imm64::Func(target), .. } => pending.extend([target, at.next()]),
            _ => pending.push(at.next()),
        }
    }
    match (0u32..).zip(reached).find(|&(_, reached)| !reached) {
        None => Ok(()),
        Some((at, _)) => Err((
            InsnIdx(at),
            Refusal::new(codes::UNREACHABLE, "unreachable code")
                .because("no jump leads here")
                .help("remove it; compilers do so by themselves"),
        )),
    }
}
