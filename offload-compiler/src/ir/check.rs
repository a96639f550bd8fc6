//! Is a function well formed? Every pass may rely on it, and tests run it after every pass.

use super::cfg::Cfg;
use super::print::is_unary;
use super::{Block, Func, Inst, Jump, Mem, Op, Request, Term, Value};
use offwire_isa::{KeyUse, MapUse, RequestOp, Space, ValueUse};

/// Bytes of stack, of scratch, and of the read-only metadata at the front of scratch.
const STACK: i32 = 512;
const SCRATCH: i32 = 256;
const METADATA: i32 = 64;

/// Checks what `docs/ir.md` demands: block 0 has neither parameters nor predecessors; every value has one definition that
/// dominates its uses; jumps carry as many arguments as their block has parameters; sizes, spaces and flags are what the device
/// has; blocks that cannot be reached are empty.
///
/// # Errors
/// One sentence about the first thing that is wrong.
pub fn check(func: &Func) -> Result<(), String> {
    let Some(entry) = func.blocks.first() else { return Err("there is no block".into()) };
    if !entry.params.is_empty() {
        return Err("b0 has parameters".into());
    }
    for (block, data) in func.block_ids().zip(&func.blocks) {
        for jump in data.term.jumps() {
            check_jump(func, block, jump)?;
        }
        for inst in &data.insts {
            check_inst(inst).map_err(|what| format!("{block}: `{inst}`: {what}"))?;
        }
    }
    let cfg = Cfg::new(func);
    if !cfg.preds[0].is_empty() {
        return Err("something jumps to b0".into());
    }
    for (block, data) in func.block_ids().zip(&func.blocks) {
        let empty = data.insts.is_empty() && data.params.is_empty() && data.term == Term::Unreachable;
        if !cfg.is_reachable(block) && !empty {
            return Err(format!("{block} cannot be reached, but is not empty"));
        }
    }
    check_values(func, &cfg)
}

fn check_jump(func: &Func, from: Block, jump: &Jump) -> Result<(), String> {
    let Some(target) = func.blocks.get(jump.block.at()) else {
        return Err(format!("{from} jumps to {}, which does not exist", jump.block));
    };
    let (given, wanted) = (jump.args.len(), target.params.len());
    if given == wanted {
        Ok(())
    } else {
        Err(format!("{from} gives {given} arguments to {}, which has {wanted} parameters", jump.block))
    }
}

fn check_inst(inst: &Inst) -> Result<(), &'static str> {
    let result = match &inst.op {
        Op::Const(_) | Op::Lookup { .. } => Some(true),
        Op::Alu { op, a, b, .. } => {
            if is_unary(*op) && a != b {
                return Err("the second operand of a unary operation must repeat the first");
            }
            Some(true)
        }
        Op::Load { mem, size, .. } => {
            check_access(mem, *size)?;
            Some(true)
        }
        Op::Store { mem, size, .. } => {
            check_access(mem, *size)?;
            if mem.space == Space::Scratch && mem.offset < METADATA {
                return Err("the packet metadata is read-only");
            }
            Some(false)
        }
        Op::AtomicAdd { mem, size, .. } => {
            check_access(mem, *size)?;
            if !matches!(size, 4 | 8) {
                return Err("an atomic add has 4 or 8 bytes");
            }
            if mem.space != Space::MapValue {
                return Err("only map values are added to atomically");
            }
            Some(false)
        }
        Op::Update { flags, .. } if *flags > 2 => return Err("flags above 2"),
        Op::Update { .. } | Op::Delete { .. } | Op::AdjustHead { .. } => None,
        Op::Named(reg) if *reg > 5 => return Err("named registers are r0 to r5"),
        Op::Named(_) => Some(true),
        Op::Call { args, .. } if args.len() > 5 => return Err("a function has five arguments at most"),
        Op::Call { .. } => None,
        Op::Request(request) => {
            check_request(request)?;
            (!request.op.shape().answers).then_some(false)
        }
    };
    match result {
        Some(true) if inst.result.is_none() => Err("it has no result"),
        Some(false) if inst.result.is_some() => Err("it must have no result"),
        _ => Ok(()),
    }?;
    match &inst.op {
        Op::Lookup { key, .. } | Op::Delete { key, .. } => check_mem(key),
        Op::Update { key, value, .. } => check_mem(key).and_then(|()| check_mem(value)),
        _ => Ok(()),
    }
}

/// The operands are those that the request has.
fn check_request(request: &Request) -> Result<(), &'static str> {
    let shape = request.op.shape();
    if request.map.is_some() != (shape.map != MapUse::None) {
        return Err("a request has a map or has none");
    }
    if request.key.is_some() != (shape.key != KeyUse::None) {
        return Err("a request has an address or has none");
    }
    if request.value_at.is_some() != (shape.value == ValueUse::Value) {
        return Err("only an update has a value in memory");
    }
    if request.value.is_some() != (shape.value == ValueUse::Number) {
        return Err("a request has a number or has none");
    }
    if request.third.is_some() != shape.third {
        return Err("a request has a third operand or has none");
    }
    if matches!(request.op, RequestOp::None | RequestOp::Exit | RequestOp::Call | RequestOp::Ret) {
        return Err("terminators do this");
    }
    let in_value = request.key.is_some_and(|key| key.space == Space::MapValue);
    if matches!(shape.key, KeyUse::Atomic(_)) && !in_value {
        return Err("atomic operations are on map values");
    }
    request.key.iter().chain(&request.value_at).try_for_each(check_mem)
}

fn check_mem(mem: &Mem) -> Result<(), &'static str> {
    match (mem.space, mem.base, mem.map) {
        (Space::MapValue, None, _) => Err("a map value needs a handle as base"),
        (Space::MapValue, ..) => Ok(()),
        (_, _, Some(_)) => Err("only map values belong to a map"),
        (Space::Scratch, Some(_), _) => Err("scratch is reached by constant offsets only"),
        (Space::Stack, None, _) if !(0..STACK).contains(&mem.offset) => Err("outside of the stack"),
        (Space::Scratch, None, _) if !(0..SCRATCH).contains(&mem.offset) => Err("outside of scratch"),
        _ => Ok(()),
    }
}

fn check_access(mem: &Mem, size: u8) -> Result<(), &'static str> {
    if !(1..=8).contains(&size) {
        return Err("accesses have 1 to 8 bytes");
    }
    check_mem(mem)?;
    let end = mem.offset.saturating_add(i32::from(size));
    match (mem.space, mem.base) {
        (Space::Stack, None) if end > STACK => Err("outside of the stack"),
        (Space::Scratch, None) if end > SCRATCH => Err("outside of scratch"),
        _ => Ok(()),
    }
}

/// Where a value is defined: block, and place in it (0: parameter, n + 1: instruction n).
type Site = (Block, usize);

fn check_values(func: &Func, cfg: &Cfg) -> Result<(), String> {
    let mut sites: Vec<Option<Site>> = vec![None; func.values as usize];
    let mut define = |value: Value, site: Site| match sites.get_mut(value.at()) {
        None => Err(format!("{value} is above the number of values, {}", func.values)),
        Some(Some(_)) => Err(format!("{value} is defined twice, again in {}", site.0)),
        Some(free) => {
            *free = Some(site);
            Ok(())
        }
    };
    for (block, data) in func.block_ids().zip(&func.blocks) {
        for param in &data.params {
            define(*param, (block, 0))?;
        }
        for (place, inst) in (1..).zip(&data.insts) {
            if let Some(result) = inst.result {
                define(result, (block, place))?;
            }
        }
    }
    let use_at = |value: Value, (block, place): Site| match sites.get(value.at()).copied().flatten() {
        None => Err(format!("{value} is used in {block}, but nowhere defined")),
        Some((home, at)) if home == block && at < place => Ok(()),
        Some((home, _)) if home != block && cfg.dominates(home, block) => Ok(()),
        Some((home, _)) => Err(format!("{value} is used in {block}, which its definition in {home} does not dominate")),
    };
    for (block, data) in func.block_ids().zip(&func.blocks) {
        let mut result = Ok(());
        for (place, inst) in (1..).zip(&data.insts) {
            inst.op.for_each_use(|value| {
                if result.is_ok() {
                    result = use_at(value, (block, place));
                }
            });
        }
        data.term.for_each_use(|value| {
            if result.is_ok() {
                result = use_at(value, (block, usize::MAX));
            }
        });
        result?;
    }
    Ok(())
}
