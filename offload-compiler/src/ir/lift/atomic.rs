//! Atomic operations: posted adds, requests that answer, and on the stack, which nobody else sees, their parts.

use super::build::Builder;
use crate::ebpf::{AtomicOp, Reg, Size};
use crate::ir::{Mem, Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{AluOp, RequestOp, Space};

impl Builder<'_> {
    pub(super) fn atomic(
        &mut self,
        size: Size,
        op: AtomicOp,
        fetch: bool,
        base: Reg,
        off: i16,
        src: Reg,
    ) -> Result<(), Diagnostic> {
        let mem = self.address(base, off)?;
        let bytes = size.bytes() as u8;
        if !matches!(bytes, 4 | 8) {
            return Err(self.refuse(compiler::INSTRUCTION, "atomic operations have 4 or 8 bytes"));
        }
        let value = self.number(src)?;
        let old = match mem.space {
            Space::MapValue if op == AtomicOp::Add && !fetch => {
                self.emit_effect(Op::AtomicAdd { mem, size: bytes, value });
                return Ok(());
            }
            Space::MapValue => self.atomic_request(mem, bytes, op, value)?,
            Space::Stack => self.atomic_on_stack(mem, bytes, op, value)?,
            _ => {
                let message = format!("the atomic operation {op:?} on packet bytes is not on the device");
                return Err(self.refuse(compiler::INSTRUCTION, message).with_help("load, compute and store"));
            }
        };
        match op {
            AtomicOp::Cmpxchg => self.write(Reg(0), old),
            AtomicOp::Xchg => self.write(src, old),
            _ if fetch => self.write(src, old),
            _ => {}
        }
        Ok(())
    }

    fn atomic_request(&mut self, mem: Mem, bytes: u8, op: AtomicOp, value: Value) -> Result<Value, Diagnostic> {
        let wide = bytes == 8;
        let (narrow, full) = match op {
            AtomicOp::Add => (RequestOp::FetchAdd32, RequestOp::FetchAdd64),
            AtomicOp::Or => (RequestOp::FetchOr32, RequestOp::FetchOr64),
            AtomicOp::And => (RequestOp::FetchAnd32, RequestOp::FetchAnd64),
            AtomicOp::Xor => (RequestOp::FetchXor32, RequestOp::FetchXor64),
            AtomicOp::Xchg => (RequestOp::Xchg32, RequestOp::Xchg64),
            AtomicOp::Cmpxchg => (RequestOp::Cmpxchg32, RequestOp::Cmpxchg64),
        };
        let third = if op == AtomicOp::Cmpxchg { Some(self.number(Reg(0))?) } else { None };
        Ok(self.emit(Op::Request(Request {
            key: Some(mem),
            key_bytes: bytes.into(),
            value: Some(value),
            third,
            ..Request::new(if wide { full } else { narrow })
        })))
    }

    /// The old value.
    fn atomic_on_stack(&mut self, mem: Mem, bytes: u8, op: AtomicOp, value: Value) -> Result<Value, Diagnostic> {
        let wide = bytes == 8;
        self.no_pointer_in(&mem, u32::from(bytes))?;
        let old = self.emit(Op::Load { mem, size: bytes, swap: false, dismiss: false });
        let new = match op {
            AtomicOp::Add => self.alu(AluOp::Add, wide, old, value),
            AtomicOp::Or => self.alu(AluOp::Or, wide, old, value),
            AtomicOp::And => self.alu(AluOp::And, wide, old, value),
            AtomicOp::Xor => self.alu(AluOp::Xor, wide, old, value),
            AtomicOp::Xchg => value,
            AtomicOp::Cmpxchg => {
                let expected = self.number(Reg(0))?;
                let differ = self.alu(AluOp::Xor, wide, old, expected);
                self.select(differ, old, value)
            }
        };
        self.emit_effect(Op::Store { mem, size: bytes, swap: false, value: new });
        Ok(old)
    }
}
