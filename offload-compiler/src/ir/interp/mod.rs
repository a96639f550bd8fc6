//! Runs the IR, slowly and with every check. Tests use it to compare passes with each other and the lift with the eBPF
//! interpreter; the shipped path never does.
//!
//! It shares no code with device or reference interpreter: packet ([`Packet`]), maps ([`Maps`]) and the rest of the world
//! ([`World`]) are the kernel's semantics written down once more, requests (`request`) those of `docs/isa.md`.

mod maps;
mod memory;
mod packet;
mod request;
#[cfg(test)]
mod tests;
mod world;

pub use maps::Maps;
pub(crate) use memory::Memory;
pub use packet::Packet;
pub(crate) use request::{Answer, Operands};
#[cfg(test)]
pub(crate) use request::{csum, divide};
pub use world::{Event, Outcome, Redirect, World};

use super::{Block, Func, FuncIdx, Jump, Mem, Op, Request, Term, Value};
use crate::ebpf::MapIdx;
use offwire_isa::{METADATA_BYTES, RequestOp, Space};

/// Blocks that one run may execute.
const MAX_STEPS: u32 = 1 << 20;

/// Calls that may be open at a time, as on the device.
const CALLS: usize = 8;

/// Negative error numbers, as a helper returns them.
const ENOENT: u64 = (-2i64).cast_unsigned();
const E2BIG: u64 = (-7i64).cast_unsigned();
const EAGAIN: u64 = (-11i64).cast_unsigned();
const EFAULT: u64 = (-14i64).cast_unsigned();
const EEXIST: u64 = (-17i64).cast_unsigned();
const EINVAL: u64 = (-22i64).cast_unsigned();
const ENOSPC: u64 = (-28i64).cast_unsigned();

/// What a verified program never does, and a wrong pass might.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Block in which it happened.
    pub block: Block,
    /// What.
    pub what: String,
}

/// Runs the program on one packet; gives its return value. Time stands still at 0, and events are dropped.
///
/// # Errors
/// An access out of bounds, a value that is not defined, too many steps, or a tail call, which leads out of the function.
pub fn run(func: &Func, packet: &mut Packet, maps: &mut Maps) -> Result<u32, Fault> {
    match run_in(func, packet, maps, &mut World::default())? {
        Outcome::Exit(value) => Ok(value),
        Outcome::TailCall(to) => Err(Fault { block: Block::ENTRY, what: format!("a tail call to program {to}") }),
    }
}

/// Runs the program on one packet, with time and chance from the world, until it exits or calls another one.
///
/// # Errors
/// An access out of bounds, a value that is not defined, too many steps; a lock that is not given back, or a record.
pub fn run_in(func: &Func, packet: &mut Packet, maps: &mut Maps, world: &mut World) -> Result<Outcome, Fault> {
    run_all(std::slice::from_ref(func), FuncIdx(0), packet, maps, world)
}

/// As [`run_in`]; the program is one of `funcs`, its calls are to others of them.
///
/// # Errors
/// As [`run_in`]; also calls of functions that are not there, or nested too deeply.
pub fn run_all(
    funcs: &[Func],
    entry: FuncIdx,
    packet: &mut Packet,
    maps: &mut Maps,
    world: &mut World,
) -> Result<Outcome, Fault> {
    let mut machine = Machine { values: Vec::new(), named: [None; 6], memory: Memory::new(packet, maps, world) };
    let mut at = Site { func: entry, block: Block::ENTRY, inst: 0 };
    let mut callers: Vec<(Site, Option<Value>, Vec<Option<u64>>)> = Vec::new();
    let start = |func: FuncIdx| funcs.get(func.at()).ok_or("no such function");
    let none = |what: &str| Fault { block: Block::ENTRY, what: what.into() };
    machine.values = vec![None; start(entry).map_err(none)?.values as usize];
    for _ in 0..MAX_STEPS {
        let fault = |what| Fault { block: at.block, what };
        let func = start(at.func).map_err(none)?;
        match machine.block(func, at.block, at.inst).map_err(fault)? {
            Next::Block(block) => at = Site { block, inst: 0, ..at },
            Next::Call { func, inst, result } => {
                if callers.len() >= CALLS {
                    return Err(fault("calls are nested too deeply".into()));
                }
                let values = vec![None; start(func).map_err(none)?.values as usize];
                callers.push((Site { inst: inst + 1, ..at }, result, std::mem::replace(&mut machine.values, values)));
                at = Site { func, block: Block::ENTRY, inst: 0 };
            }
            Next::Return(value) => {
                let Some((caller, result, values)) = callers.pop() else {
                    return Err(fault("a program returns".into()));
                };
                machine.values = values;
                // A call leaves nothing in the other registers.
                machine.named = [None; 6];
                machine.named[0] = Some(value);
                if let Some(result) = result {
                    machine.set(result, value).map_err(fault)?;
                }
                at = caller;
            }
            Next::End(Outcome::Exit(_)) if !callers.is_empty() => {
                return Err(fault("a function that is called ends the program".into()));
            }
            Next::End(outcome) => {
                machine.memory.maps.finish().map_err(fault)?;
                return Ok(outcome);
            }
        }
    }
    Err(Fault { block: at.block, what: "too many steps".into() })
}

/// Where execution stands.
#[derive(Clone, Copy)]
struct Site {
    func: FuncIdx,
    block: Block,
    /// The next instruction of the block.
    inst: usize,
}

enum Next {
    Block(Block),
    Call { func: FuncIdx, inst: usize, result: Option<Value> },
    Return(u64),
    End(Outcome),
}

struct Machine<'a> {
    values: Vec<Option<u64>>,
    /// r0 to r5 of the call interface.
    named: [Option<u64>; 6],
    memory: Memory<'a>,
}

impl Machine<'_> {
    fn get(&self, value: Value) -> Result<u64, String> {
        self.values.get(value.at()).copied().flatten().ok_or_else(|| format!("{value} has no value"))
    }

    fn set(&mut self, value: Value, to: u64) -> Result<(), String> {
        *self.values.get_mut(value.at()).ok_or("value out of range")? = Some(to);
        Ok(())
    }

    fn go(&mut self, func: &Func, jump: &Jump) -> Result<Next, String> {
        let args: Vec<u64> = jump.args.iter().map(|arg| self.get(*arg)).collect::<Result<_, _>>()?;
        let target = func.blocks.get(jump.block.at()).ok_or("no such block")?;
        for (param, arg) in target.params.iter().zip(args) {
            self.set(*param, arg)?;
        }
        Ok(Next::Block(jump.block))
    }

    /// Runs a block from an instruction on.
    fn block(&mut self, func: &Func, block: Block, from: usize) -> Result<Next, String> {
        let data = func.blocks.get(block.at()).ok_or("no such block")?;
        for (at, inst) in data.insts.iter().enumerate().skip(from) {
            if let Op::Call { func, args, .. } = &inst.op {
                self.named = [None; 6];
                for (n, arg) in args.iter().enumerate() {
                    *self.named.get_mut(n + 1).ok_or("too many arguments")? = Some(self.get(*arg)?);
                }
                return Ok(Next::Call { func: *func, inst: at, result: inst.result });
            }
            match self.op(&inst.op).map_err(|what| format!("`{inst}`: {what}"))? {
                Answer::TailCall(to) => return Ok(Next::End(Outcome::TailCall(to))),
                Answer::Value(result) => {
                    if let Some(value) = inst.result {
                        self.set(value, result)?;
                    }
                }
            }
        }
        match &data.term {
            Term::Jump(jump) => self.go(func, jump),
            Term::Branch { op, wide, a, b, then, els } => {
                let taken = op.eval(*wide, self.get(*a)?, self.get(*b)?);
                self.go(func, if taken { then } else { els })
            }
            Term::Guard { base, len, pass, fail } => {
                let base = base.map_or(Ok(0), |base| self.get(base))?.cast_signed();
                let fits = i128::from(base) + i128::from(*len) <= self.memory.packet.bytes().len() as i128;
                self.go(func, if fits { pass } else { fail })
            }
            Term::Exit(value) => Ok(Next::End(Outcome::Exit(self.get(*value)? as u32))),
            Term::Return(value) => Ok(Next::Return(self.get(*value)?)),
            Term::Unreachable => Err("an unreachable block is reached".into()),
        }
    }

    fn op(&mut self, op: &Op) -> Result<Answer, String> {
        Ok(Answer::Value(match op {
            Op::Const(value) => *value,
            Op::Named(reg) => {
                let held = self.named.get(usize::from(*reg)).copied().flatten();
                held.ok_or_else(|| format!("r{reg} holds nothing"))?
            }
            Op::Call { .. } => return Err("a call is no single step".into()),
            Op::Alu { op, wide, a, b } => op.eval(*wide, self.get(*a)?, self.get(*b)?),
            Op::Load { mem, size, swap, dismiss } => {
                let mut bytes = [0; 8];
                match self.bytes(mem, usize::from(*size)) {
                    Ok(from) => bytes[..from.len()].copy_from_slice(from),
                    Err(_) if *dismiss => {}
                    Err(what) => return Err(what),
                }
                if *swap {
                    bytes[..usize::from(*size)].reverse();
                }
                u64::from_le_bytes(bytes)
            }
            Op::Store { mem, size, swap, value } => {
                let mut bytes = self.get(*value)?.to_le_bytes();
                let bytes = &mut bytes[..usize::from(*size)];
                if *swap {
                    bytes.reverse();
                }
                if mem.space == Space::Scratch && mem.offset < i32::from(METADATA_BYTES) {
                    return Err("the metadata is read-only".into());
                }
                self.bytes(mem, bytes.len())?.copy_from_slice(bytes);
                0
            }
            Op::AtomicAdd { mem, size, value } => {
                let addend = self.get(*value)?;
                let to = self.bytes(mem, usize::from(*size))?;
                let mut bytes = [0; 8];
                bytes[..to.len()].copy_from_slice(to);
                let sum = u64::from_le_bytes(bytes).wrapping_add(addend).to_le_bytes();
                to.copy_from_slice(&sum[..to.len()]);
                0
            }
            Op::Lookup { map, key } => return self.request(RequestOp::Lookup, Some(*map), Some(key), None, None, None),
            Op::Update { map, key, value, flags } => {
                let op = match flags {
                    0 => RequestOp::UpdateAny,
                    1 => RequestOp::UpdateNoExist,
                    _ => RequestOp::UpdateExist,
                };
                return self.request(op, Some(*map), Some(key), Some(value), None, None);
            }
            Op::Delete { map, key } => return self.request(RequestOp::Delete, Some(*map), Some(key), None, None, None),
            Op::AdjustHead { delta } => {
                return self.request(RequestOp::AdjustHead, None, None, None, Some(*delta), None);
            }
            Op::Request(Request { op, map, key, value_at, value, third, .. }) => {
                return self.request(*op, *map, key.as_ref(), value_at.as_ref(), *value, *third);
            }
        }))
    }

    fn request(
        &mut self,
        op: RequestOp,
        map: Option<MapIdx>,
        key: Option<&Mem>,
        value_at: Option<&Mem>,
        value: Option<Value>,
        third: Option<Value>,
    ) -> Result<Answer, String> {
        let number = |value: Option<Value>| value.map_or(Ok(0), |value| self.get(value));
        let address = |mem: Option<&Mem>| match mem {
            Some(mem) => self.address(mem).map(|address| (mem.space, address)),
            None => Ok((Space::Packet, 0)),
        };
        let (value_space, at) = address(value_at)?;
        let value = if value_at.is_some() { at } else { number(value)? };
        let key_map = key.and_then(|key| key.map);
        let call = Operands { op, map, key: address(key)?, key_map, value_space, value, third: number(third)? };
        self.memory.request(&call)
    }

    fn address(&self, mem: &Mem) -> Result<u64, String> {
        let base = mem.base.map_or(Ok(0), |base| self.get(base))?;
        Ok(base.wrapping_add(i64::from(mem.offset).cast_unsigned()))
    }

    fn bytes(&mut self, mem: &Mem, size: usize) -> Result<&mut [u8], String> {
        let address = self.address(mem)?;
        self.memory.bytes(mem.space, address, mem.map, size)
    }
}
