//! The interpreter loop.

use super::alu;
use super::check::{Broken, Checks};
use super::helpers;
use super::mem::{Mem, Place, Violation};
use offload_compiler::ebpf::{AtomicOp, Imm64, Insn, Operand, Reg};
use offwire_diag::Diagnostic;

/// Registers that an instruction reads and writes, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    pub(crate) reads: u16,
    pub(crate) writes: u16,
    /// Left without a value (r1 to r5 after a call).
    pub(crate) clobbers: u16,
}

/// Address of a function: this and its first instruction. No access hits such an address.
pub(crate) const FUNCTION: u64 = 2 << 32;

/// r1 to r5.
const ARGUMENTS: u16 = 0b11_1110;

/// What an instruction does with registers.
pub(crate) fn uses(insn: &Insn) -> Uses {
    let bit = |reg: Reg| 1u16 << (reg.0 & 15);
    let operand = |operand: Operand| match operand {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    };
    let (reads, writes) = match *insn {
        Insn::Alu { op: offload_compiler::ebpf::AluOp::Mov, dst, src, .. } => (operand(src), bit(dst)),
        Insn::Alu { dst, src, .. } => (bit(dst) | operand(src), bit(dst)),
        Insn::MovSx { dst, src, .. } => (bit(src), bit(dst)),
        Insn::Neg { dst, .. } | Insn::Endian { dst, .. } | Insn::Bswap { dst, .. } => (bit(dst), bit(dst)),
        Insn::LoadImm64 { dst, .. } => (0, bit(dst)),
        Insn::Load { dst, base, .. } => (bit(base), bit(dst)),
        Insn::Store { base, src, .. } => (bit(base) | operand(src), 0),
        Insn::Atomic { op: AtomicOp::Cmpxchg, base, src, .. } => (bit(base) | bit(src) | 1, 1),
        Insn::Atomic { fetch, op, base, src, .. } => {
            (bit(base) | bit(src), if fetch || op == AtomicOp::Xchg { bit(src) } else { 0 })
        }
        Insn::JumpIf { dst, src, .. } => (bit(dst) | operand(src), 0),
        Insn::Exit => (1, 0),
        Insn::CallHelper { id } => {
            // RET_VOID: r0 holds nothing behind it.
            if id == helpers::number::TAIL_CALL {
                return Uses { reads: 0b1110, writes: 0, clobbers: 1 | ARGUMENTS };
            }
            let arguments = helpers::arguments(id).unwrap_or(0);
            return Uses { reads: ((1 << arguments) - 1) << 1, writes: 1 | ARGUMENTS, clobbers: ARGUMENTS };
        }
        Insn::CallKfunc { .. } | Insn::CallLocal { .. } | Insn::Jump { .. } | Insn::Wide => (0, 0),
    };
    Uses { reads, writes, clobbers: 0 }
}

/// How a run ended that should not have.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An access out of bounds, or a helper argument that is none.
    Bounds(Violation),
    /// A read of a register that holds nothing.
    Unwritten(u32),
    /// A broken fact.
    Fact(Broken),
    /// Out of the program, into the middle of an instruction, or beyond eight frames.
    Flow(String),
    /// Too many instructions.
    Limit,
    /// Not known to the interpreter.
    Unsupported(String),
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Fault::Bounds(violation)
    }
}

/// What is fixed for a program.
pub(crate) struct Code {
    /// Map references are constants: addresses.
    pub(crate) insns: Vec<Insn>,
    pub(crate) uses: Vec<Uses>,
    /// Calls of bpf_loop that the kernel does not expand, ascending.
    pub(crate) called_loops: Vec<usize>,
    pub(crate) checks: Option<Checks>,
}

/// A caller that waits.
struct Frame {
    back: usize,
    /// The program that waits: the callee may have gone to another one.
    program: usize,
    saved: [u64; 4],
    written: u16,
    /// A call by bpf_loop, which is called again.
    looping: Option<Loop>,
}

/// bpf_loop at work (kernel/bpf/bpf_iter.c).
#[derive(Clone, Copy)]
struct Loop {
    /// Calls that are done.
    done: u32,
    count: u32,
    callback: usize,
    context: u64,
}

/// BPF_MAX_LOOPS.
const MAX_LOOPS: u32 = 1 << 23;
/// MAX_TAIL_CALL_CNT.
const MAX_TAIL_CALLS: u32 = 33;

/// A run in progress; kept after a fault for the message.
pub(crate) struct Run {
    pub(crate) regs: [u64; 16],
    /// Number of the program that runs.
    pub(crate) program: usize,
    pub(crate) at: usize,
    tail_calls: u32,
    /// Instructions executed.
    pub(crate) count: u64,
    /// Registers that hold something.
    written: u16,
    /// The last branches of this program: instruction, and whether it was taken.
    pub(crate) branches: [(u32, bool); 8],
    /// Number of branches so far.
    pub(crate) branch_count: u64,
}

impl Run {
    pub(crate) fn new(mem: &Mem, program: usize) -> Self {
        let mut regs = [0; 16];
        regs[1] = mem.ctx_pointer();
        regs[10] = mem.frame_pointer();
        Self {
            regs,
            program,
            at: 0,
            tail_calls: 0,
            count: 0,
            written: 1 << 1 | 1 << 10,
            branches: [(0, false); 8],
            branch_count: 0,
        }
    }

    /// A run that begins with these values in r1 and r2.
    pub(crate) fn with_arguments(mem: &Mem, program: usize, r1: u64, r2: u64) -> Self {
        let mut run = Self::new(mem, program);
        run.regs[1] = r1;
        run.regs[2] = r2;
        run.written |= 1 << 2;
        run
    }

    /// The last conditional branch.
    pub(crate) fn last_branch(&self) -> Option<u32> {
        let last = self.branch_count.checked_sub(1)?;
        Some(self.branches[(last & 7) as usize].0)
    }

    /// Runs to the end; gives r0.
    pub(crate) fn execute(
        &mut self,
        codes: &[Result<Code, Diagnostic>],
        limit: u64,
        mem: &mut Mem,
        mut coverage: Option<&mut Vec<Vec<u64>>>,
    ) -> Result<u64, Fault> {
        let mut code = self.code(codes)?;
        let mut callers: Vec<Frame> = Vec::new();
        loop {
            let at = self.at;
            let (Some(insn), Some(uses)) = (code.insns.get(at), code.uses.get(at)) else {
                return Err(Fault::Flow(format!("execution leaves the program at instruction {at}")));
            };
            if self.count >= limit {
                return Err(Fault::Limit);
            }
            if let Some(checks) = &code.checks {
                checks.assert(at, &self.regs, mem).map_err(Fault::Fact)?;
            }
            if let Some(counts) = &mut coverage
                && let Some(count) = counts.get_mut(self.program).and_then(|counts| counts.get_mut(at))
            {
                *count += 1;
            }
            let missing = uses.reads & !self.written;
            // A function without a result leaves r0 as it is; it matters where the caller reads it (prepare_func_exit).
            let may_lack = matches!(insn, Insn::Exit) && callers.last().is_some_and(|frame| frame.looping.is_none());
            if missing != 0 && !may_lack {
                return Err(Fault::Unwritten(missing.trailing_zeros()));
            }
            self.written = (self.written | uses.writes) & !uses.clobbers;
            self.count += 1;
            let mut next = at + 1;
            match *insn {
                Insn::Alu { width, op, dst, src } => {
                    let src = self.operand(src);
                    self.put(dst, alu::alu(width, op, self.get(dst), src));
                }
                Insn::MovSx { width, bits, dst, src } => self.put(dst, alu::sign_extend(width, bits, self.get(src))),
                Insn::Neg { width, dst } => self.put(dst, alu::neg(width, self.get(dst))),
                Insn::Endian { bits, to_be: false, dst } => self.put(dst, alu::truncate(bits, self.get(dst))),
                Insn::Endian { bits, to_be: true, dst } | Insn::Bswap { bits, dst } => {
                    self.put(dst, alu::byte_swap(bits, self.get(dst)));
                }
                Insn::LoadImm64 { dst, value: Imm64::Const(value) } => {
                    self.put(dst, value);
                    next = at + 2;
                }
                Insn::Load { size, signed, dst, base, off } => {
                    let addr = self.get(base).wrapping_add(off as i64 as u64);
                    let value = load(mem, addr, size.bytes() as usize)?;
                    let value = match (signed, size.bytes()) {
                        (true, bytes) => alu::sign_extend(offload_compiler::ebpf::Width::W64, bytes as u8 * 8, value),
                        (false, _) => value,
                    };
                    self.put(dst, value);
                }
                Insn::Store { size, base, off, src } => {
                    let addr = self.get(base).wrapping_add(off as i64 as u64);
                    let value = self.operand(src);
                    store(mem, addr, size.bytes() as usize, value)?;
                }
                Insn::Atomic { size, op, fetch, base, off, src } => {
                    let addr = self.get(base).wrapping_add(off as i64 as u64);
                    let len = size.bytes() as usize;
                    if !matches!(mem.place(addr).0, Place::Stack(_) | Place::Value { .. }) {
                        return Err(Violation("atomic operation outside stack and map values".into()).into());
                    }
                    if let Some(old) = self.replayed_atomic(mem, insn, addr)? {
                        match op {
                            AtomicOp::Cmpxchg => self.regs[0] = old,
                            _ if fetch || op == AtomicOp::Xchg => self.put(src, old),
                            _ => {}
                        }
                        self.at = next;
                        continue;
                    }
                    let old = load(mem, addr, len)?;
                    let keep = if len == 4 { u64::from(u32::MAX) } else { u64::MAX };
                    let new = alu::atomic(op, old, self.get(src) & keep, self.regs[0] & keep);
                    store(mem, addr, len, new)?;
                    match op {
                        AtomicOp::Cmpxchg => self.regs[0] = old,
                        AtomicOp::Xchg => self.put(src, old),
                        _ if fetch => self.put(src, old),
                        _ => {}
                    }
                }
                Insn::Jump { target } => next = target.at(),
                Insn::JumpIf { width, cond, dst, src, target } => {
                    let taken = alu::holds(width, cond, self.get(dst), self.operand(src));
                    self.branches[(self.branch_count & 7) as usize] = (at as u32, taken);
                    self.branch_count += 1;
                    if taken {
                        next = target.at();
                    }
                }
                Insn::CallHelper { id: helpers::number::TAIL_CALL } => {
                    let target = helpers::tail_call_target(&self.regs, mem)?;
                    if let Some(target) = target.filter(|_| self.tail_calls < MAX_TAIL_CALLS) {
                        self.tail_calls += 1;
                        self.program = target;
                        code = self.code(codes)?;
                        self.branch_count = 0;
                        self.regs[1] = mem.ctx_pointer();
                        self.written = 1 << 1 | 1 << 10;
                        next = 0;
                    }
                }
                Insn::CallHelper { id: helpers::number::LOOP } => {
                    let [_, r1, r2, context, flags, ..] = self.regs;
                    // An expanded call compares 64 bits and moves the error into w0 (kernel/bpf/verifier.c, inline_bpf_loop); the
                    // function looks at 32 bits of the number and gives 64 of the error (kernel/bpf/bpf_iter.c).
                    let called = code.called_loops.binary_search(&at).is_ok();
                    let count = if called { r1 as u32 } else { u32::try_from(r1).unwrap_or(u32::MAX) };
                    self.regs[0] = match (flags, count) {
                        (1.., _) => super::maps::EINVAL as u64,
                        (0, 0) => 0,
                        (0, count @ 1..=MAX_LOOPS) => {
                            let callback = match r2.checked_sub(FUNCTION) {
                                Some(at @ 0..=0xffff_ffff) => at as usize,
                                _ => return Err(Violation("bpf_loop without a function in r2".into()).into()),
                            };
                            let looping = Loop { done: 0, count, callback, context };
                            self.enter(mem, &mut callers, next, Some(looping))?;
                            next = callback;
                            0
                        }
                        _ if called => super::maps::E2BIG as u64,
                        _ => u64::from(super::maps::E2BIG as u32),
                    };
                }
                Insn::CallHelper { id } => {
                    self.regs[0] = helpers::call(id, &self.regs, mem)?;
                }
                Insn::CallLocal { target } => {
                    self.enter(mem, &mut callers, next, None)?;
                    next = target.at();
                }
                Insn::Exit => {
                    let Some(frame) = callers.pop() else { return Ok(self.regs[0]) };
                    if let Some(looping) = frame.looping {
                        let looping = Loop { done: looping.done + 1, ..looping };
                        if self.regs[0] == 0 && looping.done < looping.count {
                            let again = Frame { looping: Some(looping), ..frame };
                            self.start_callback(&looping);
                            callers.push(again);
                            self.at = looping.callback;
                            continue;
                        }
                        self.regs[0] = u64::from(looping.done);
                        self.written |= 1;
                    }
                    if self.program != frame.program {
                        self.program = frame.program;
                        code = self.code(codes)?;
                    }
                    mem.pop_frame();
                    self.regs[6..10].copy_from_slice(&frame.saved);
                    self.regs[10] = mem.frame_pointer();
                    self.written = (frame.written & !(ARGUMENTS | 1)) | (self.written & 1);
                    next = frame.back;
                }
                Insn::Wide => {
                    return Err(Fault::Flow("a jump into the second half of a 64-bit immediate load".into()));
                }
                Insn::LoadImm64 { .. } => return Err(Fault::Unsupported("function pointers".into())),
                Insn::CallKfunc { btf_id } => {
                    return Err(Fault::Unsupported(format!("the kernel function with BTF id {btf_id}")));
                }
            }
            self.at = next;
        }
    }

    fn code<'a>(&self, codes: &'a [Result<Code, Diagnostic>]) -> Result<&'a Code, Fault> {
        match codes.get(self.program) {
            Some(Ok(code)) => Ok(code),
            Some(Err(diagnostic)) => Err(Fault::Unsupported(diagnostic.message.clone())),
            None => Err(Fault::Flow(format!("a tail call to program number {}, which does not exist", self.program))),
        }
    }

    /// An atomic operation on a map value in a replay; gives what was there, or 0 if nobody asks.
    fn replayed_atomic(&self, mem: &mut Mem, insn: &Insn, addr: u64) -> Result<Option<u64>, Violation> {
        let Insn::Atomic { size, op, fetch, src, .. } = *insn else { return Ok(None) };
        let ((Place::Value { map, slot }, offset), true) = (mem.place(addr), mem.replay.is_some()) else {
            return Ok(None);
        };
        let len = size.bytes() as usize;
        // It must be a place that the program may write.
        mem.bytes_mut(addr, len)?;
        let keep = if len == 4 { u64::from(u32::MAX) } else { u64::MAX };
        let (operand, expected) = (self.get(src) & keep, self.regs[0] & keep);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let home = (map.0, slot);
        let Some(replay) = &mut mem.replay else { return Ok(None) };
        if op == AtomicOp::Add && !fetch && !replay.has_atomic(home, offset) {
            replay.add(home, offset, len as u8, operand);
            return Ok(Some(0));
        }
        replay.atomic(home, offset, |old| alu::atomic(op, old, operand, expected)).map(Some)
    }

    /// Goes into a local function.
    fn enter(
        &mut self,
        mem: &mut Mem,
        callers: &mut Vec<Frame>,
        back: usize,
        looping: Option<Loop>,
    ) -> Result<(), Fault> {
        if !mem.push_frame() {
            return Err(Fault::Flow("more than 8 nested calls".into()));
        }
        let saved = [self.regs[6], self.regs[7], self.regs[8], self.regs[9]];
        callers.push(Frame { back, program: self.program, saved, written: self.written, looping });
        self.written = (self.written & ARGUMENTS) | 1 << 10;
        self.regs[10] = mem.frame_pointer();
        if let Some(looping) = &looping {
            self.start_callback(looping);
        }
        Ok(())
    }

    /// What a callback of bpf_loop finds: the number of calls before it, and the context.
    fn start_callback(&mut self, looping: &Loop) {
        self.regs[1] = u64::from(looping.done);
        self.regs[2] = looping.context;
        self.written = 0b110 | 1 << 10;
    }

    #[inline]
    fn get(&self, reg: Reg) -> u64 {
        self.regs[usize::from(reg.0 & 15)]
    }

    #[inline]
    fn put(&mut self, reg: Reg, value: u64) {
        self.regs[usize::from(reg.0 & 15)] = value;
    }

    #[inline]
    fn operand(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Reg(reg) => self.get(reg),
            Operand::Imm(imm) => imm as i64 as u64,
        }
    }
}

#[inline]
fn load(mem: &mut Mem, addr: u64, len: usize) -> Result<u64, Violation> {
    if let (Place::Ctx, offset) = mem.place(addr) {
        return mem.load_ctx(offset, len);
    }
    mem.refresh(addr, len);
    let bytes = mem.bytes(addr, len)?;
    Ok(match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    })
}

#[inline]
fn store(mem: &mut Mem, addr: u64, len: usize, value: u64) -> Result<(), Violation> {
    mem.writes(addr, len);
    let bytes = mem.bytes_mut(addr, len)?;
    let value = value.to_le_bytes();
    match bytes.len() {
        1 => bytes.copy_from_slice(&value[..1]),
        2 => bytes.copy_from_slice(&value[..2]),
        4 => bytes.copy_from_slice(&value[..4]),
        _ => bytes.copy_from_slice(&value),
    }
    mem.wrote(addr, len);
    Ok(())
}
