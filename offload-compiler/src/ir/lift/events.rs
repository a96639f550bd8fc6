//! Helper calls that send something to the host: records of ring buffers, perf events.

use super::build::Builder;
use crate::ebpf::{MapIdx, Reg};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::RequestOp;

impl Builder<'_> {
    /// Bytes in memory with flags.
    pub(super) fn output(
        &mut self,
        op: RequestOp,
        map: MapIdx,
        pointer: Reg,
        size: Reg,
        flags: Reg,
    ) -> Result<Value, Diagnostic> {
        let value = self.number(size)?;
        let third = Some(self.number(flags)?);
        let key_bytes = self.most_bytes(size);
        let key = self.bytes_argument(pointer, key_bytes)?;
        let request =
            Request { map: Some(map), key: Some(key), key_bytes, value: Some(value), third, ..Request::new(op) };
        Ok(self.emit(Op::Request(request)))
    }

    /// bpf_ringbuf_submit and bpf_ringbuf_discard.
    pub(super) fn end_record(&mut self, op: RequestOp) -> Result<Value, Diagnostic> {
        let Fact::Ptr { kind: PtrKind::Record(_), maybe_null: false, .. } = self.fact(Reg(1)) else {
            return Err(self.refuse(compiler::POINTER_UNKNOWN, "it depends on the path which record this is"));
        };
        let value = Some(self.read(Reg(1)));
        let third = Some(self.number(Reg(2))?);
        Ok(self.emit(Op::Request(Request { value, third, ..Request::new(op) })))
    }
}
