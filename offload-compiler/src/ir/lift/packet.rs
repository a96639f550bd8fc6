//! Helper calls about the packet: copies, checksums; and the way out by a tail call.

use super::build::{Builder, exact};
use crate::ebpf::{AluOp as EbpfAlu, Insn, InsnIdx, Operand, Reg};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Mem, Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_image::MapKind;
use offwire_isa::{AluOp, RequestOp};

/// Steps that are followed to see whether a tail call is the last thing that a function does.
const FOLLOWED: usize = 16;

impl Builder<'_> {
    /// bpf_tail_call. On the host a program that a local function calls comes back to that function's caller; on the device it
    /// does not, so the function must be the last thing that the program does.
    pub(super) fn tail_call(&mut self) -> Result<Value, Diagnostic> {
        if !self.returns_at_once() {
            return Err(self
                .refuse(compiler::UNSUPPORTED, "a tail call in a local function, after which the caller goes on")
                .with_reason("on the device a tail call ends the program that makes it, also its callers")
                .with_help("make the tail call in the program itself, or return the function's result at once"));
        }
        let map = self.map_of(Reg(2), &[MapKind::ProgArray])?;
        let value = Some(self.number(Reg(3))?);
        self.emit_effect(Op::Request(Request { map: Some(map), value, ..Request::new(RequestOp::TailCall) }));
        Ok(self.constant(0))
    }

    /// True if all callers of the current function only give its result back.
    fn returns_at_once(&self) -> bool {
        let mut frame = self.frame;
        while let Some((caller, mut at)) = self.expanded.frames[frame].caller {
            // A callback returns to its loop.
            if self.expanded.frames[frame].latch.is_some() {
                return false;
            }
            let mut steps = 0;
            loop {
                steps += 1;
                match self.lifter.program.insns.get(at.at()) {
                    _ if steps > FOLLOWED => return false,
                    Some(Insn::Exit) => break,
                    Some(Insn::Jump { target }) => at = *target,
                    Some(Insn::Alu { op: EbpfAlu::Mov, dst: Reg(0), src: Operand::Reg(Reg(0)), .. }) => {
                        at = InsnIdx(at.0 + 1);
                    }
                    _ => return false,
                }
            }
            frame = caller;
        }
        true
    }

    /// Most bytes that a size in a register may say.
    pub(super) fn most_bytes(&self, reg: Reg) -> u32 {
        match self.fact(reg) {
            Fact::Scalar(range) => u32::try_from(range.umax).unwrap_or(u32::MAX),
            _ => u32::MAX,
        }
    }

    /// bpf_xdp_load_bytes and bpf_xdp_store_bytes (ctx, offset, buffer, length).
    pub(super) fn packet_bytes(&mut self, op: RequestOp) -> Result<Value, Diagnostic> {
        let key_bytes = self.most_bytes(Reg(4));
        let key = match op {
            RequestOp::StoreBytes => self.bytes_argument(Reg(3), key_bytes)?,
            _ => self.address(Reg(3), 0)?,
        };
        let value = Some(self.number(Reg(2))?);
        let third = Some(self.number(Reg(4))?);
        Ok(self.emit(Op::Request(Request { key: Some(key), key_bytes, value, third, ..Request::new(op) })))
    }

    /// bpf_csum_diff (net/core/filter.c): the sum of `to` less that of `from`, folded to 16 bits.
    pub(super) fn csum_diff(&mut self) -> Result<Value, Diagnostic> {
        let ones = self.constant(u64::from(u32::MAX));
        let zero = self.constant(0);
        let seed = self.number(Reg(5))?;
        let seed = self.unary(AluOp::Mov, false, seed);
        let (from, to) = (self.summand(Reg(1), Reg(2))?, self.summand(Reg(3), Reg(4))?);
        let sum = match (&from, &to) {
            (None, None) => seed,
            (None, Some(to)) => self.csum(to, seed),
            (Some(from), None) => {
                let turned = self.alu(AluOp::Xor, false, seed, ones);
                let sum = self.csum(from, turned);
                self.alu(AluOp::Xor, false, sum, ones)
            }
            (Some(from), Some(to)) => {
                let plus = self.csum(to, seed);
                let sum = self.csum(from, zero);
                let minus = self.alu(AluOp::Xor, false, sum, ones);
                let both = self.ones_add(plus, minus);
                let both = match from.may_be_empty {
                    false => both,
                    true => self.select(from.size, both, plus),
                };
                match to.may_be_empty {
                    false => both,
                    true => {
                        let turned = self.alu(AluOp::Xor, false, seed, ones);
                        let sum = self.csum(from, turned);
                        let only = self.alu(AluOp::Xor, false, sum, ones);
                        // Without both it is the seed, which this is, too: its complement's complement.
                        self.select(to.size, both, only)
                    }
                }
            }
        };
        // csum_from32to16
        let half = self.constant(16);
        let high = self.alu(AluOp::Rsh, false, sum, half);
        let low = self.alu(AluOp::Lsh, false, sum, half);
        let turned = self.alu(AluOp::Or, false, high, low);
        let folded = self.alu(AluOp::Add, false, sum, turned);
        Ok(self.alu(AluOp::Rsh, false, folded, half))
    }

    /// Bytes that are summed up; `None` if there are certainly none.
    fn summand(&mut self, pointer: Reg, size: Reg) -> Result<Option<Summand>, Diagnostic> {
        let range = match self.fact(size) {
            Fact::Scalar(range) => range,
            _ => {
                self.number(size)?;
                return Ok(None);
            }
        };
        if exact(&range) == Some(0) {
            return Ok(None);
        }
        let bytes = self.most_bytes(size);
        let mem = self.bytes_argument(pointer, bytes)?;
        let size = self.number(size)?;
        Ok(Some(Summand { mem, bytes, size, may_be_empty: range.umin == 0 }))
    }

    fn csum(&mut self, of: &Summand, seed: Value) -> Value {
        let (key, value, third) = (Some(of.mem), Some(of.size), Some(seed));
        let op = RequestOp::Csum;
        self.emit(Op::Request(Request { key, key_bytes: of.bytes, value, third, ..Request::new(op) }))
    }

    /// Sum of two 32-bit numbers in ones' complement.
    fn ones_add(&mut self, a: Value, b: Value) -> Value {
        let word = self.constant(32);
        let sum = self.alu(AluOp::Add, true, a, b);
        let carry = self.alu(AluOp::Rsh, true, sum, word);
        self.alu(AluOp::Add, false, sum, carry)
    }

    /// `a` if the condition is not 0, else `b`.
    pub(super) fn select(&mut self, condition: Value, a: Value, b: Value) -> Value {
        let (zero, last) = (self.constant(0), self.constant(63));
        let negated = self.alu(AluOp::Sub, true, zero, condition);
        let either = self.alu(AluOp::Or, true, condition, negated);
        // All ones where the condition is not 0.
        let mask = self.alu(AluOp::Arsh, true, either, last);
        let differ = self.alu(AluOp::Xor, true, a, b);
        let kept = self.alu(AluOp::And, true, differ, mask);
        self.alu(AluOp::Xor, true, b, kept)
    }

    /// bpf_spin_lock and bpf_spin_unlock.
    pub(super) fn spin(&mut self, op: RequestOp) -> Result<Value, Diagnostic> {
        let Fact::Ptr {
            kind: PtrKind::MapValue(_) | PtrKind::ValueOf(_) | PtrKind::InnerValue(_),
            maybe_null: false,
            ..
        } = self.fact(Reg(1))
        else {
            return Err(self.refuse(compiler::POINTER_UNKNOWN, "it depends on the path which lock this is"));
        };
        let value = Some(self.read(Reg(1)));
        Ok(self.emit(Op::Request(Request { value, ..Request::new(op) })))
    }
}

/// Bytes that go into a checksum.
struct Summand {
    mem: Mem,
    /// Most bytes.
    bytes: u32,
    /// How many.
    size: Value,
    may_be_empty: bool,
}
