//! Helper calls that send something to the host: records of ring buffers, perf events, printed lines.

use super::build::Builder;
use crate::ebpf::{MapIdx, Reg};
use crate::facts::{Fact, PtrKind};
use crate::ir::{Func, Mem, Op, Request, Value};
use offwire_diag::Diagnostic;
use offwire_diag::codes::compiler;
use offwire_isa::{PRINTK_ARGUMENTS, RequestOp, Space};

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

    /// bpf_trace_printk: the arguments go into scratch, the text stays where it is. The answer must not be used: it is the length
    /// of the line, which only the host knows.
    pub(super) fn trace_printk(&mut self) -> Result<Value, Diagnostic> {
        let key_bytes = self.most_bytes(Reg(2));
        let key = self.bytes_argument(Reg(1), key_bytes)?;
        let count = self.conversions(key_bytes);
        for (n, reg) in (0i32..).zip([Reg(3), Reg(4), Reg(5)]) {
            let value = match self.fact(reg) {
                _ if count.is_some_and(|count| n >= count) => self.constant(0),
                // Never written: the text does not name it.
                Fact::Unknown if !self.has(reg) => self.constant(0),
                _ => self.number(reg)?,
            };
            let mem = Mem { space: Space::Scratch, map: None, base: None, offset: PRINTK_ARGUMENTS + 8 * n };
            self.emit_effect(Op::Store { mem, size: 8, swap: false, value });
        }
        let value = Some(self.number(Reg(2))?);
        let op = RequestOp::Printk;
        Ok(self.emit(Op::Request(Request { key: Some(key), key_bytes, value, ..Request::new(op) })))
    }

    /// How many arguments the text takes, if it is constant data.
    fn conversions(&self, bytes: u32) -> Option<i32> {
        let Fact::Ptr { kind: PtrKind::MapValue(map), offset, .. } = self.fact(Reg(1)) else { return None };
        let mut count = 0;
        let mut open = false;
        for at in 0..i16::try_from(bytes).ok()? {
            match self.constant_data(map, &offset, at, 1)? {
                0 => break,
                0x25 if open => open = false,
                0x25 => open = true,
                byte if open && u8::try_from(byte).is_ok_and(|byte| byte.is_ascii_alphabetic()) => {
                    // The length modifiers `l` and `ll` stand before the letter that counts.
                    if byte != u64::from(b'l') {
                        count += 1;
                        open = false;
                    }
                }
                _ => {}
            }
        }
        Some(count)
    }
}

/// Refuses programs that look at what bpf_trace_printk returns.
pub(super) fn check_printk(lifter: &super::Lifter, func: &Func) -> Result<(), Diagnostic> {
    let insts = || func.blocks.iter().flat_map(|block| &block.insts);
    let printed: Vec<_> = insts()
        .filter(|inst| matches!(&inst.op, Op::Request(request) if request.op == RequestOp::Printk))
        .filter_map(|inst| Some((inst.result?, inst.insn)))
        .collect();
    if printed.is_empty() {
        return Ok(());
    }
    let mut used = vec![false; func.values as usize];
    let mut note = |value: Value| {
        if let Some(used) = used.get_mut(value.at()) {
            *used = true;
        }
    };
    insts().for_each(|inst| inst.op.for_each_use(&mut note));
    func.blocks.iter().for_each(|block| block.term.for_each_use(&mut note));
    match printed.iter().find(|(value, _)| used.get(value.at()) == Some(&true)) {
        None => Ok(()),
        Some((_, insn)) => Err(lifter
            .refuse(*insn, compiler::HELPER, "the return value of bpf_trace_printk is used")
            .with_reason("it is the length of the line, which is made on the host only after the packet has left")
            .with_help("do not look at what bpf_printk returns")),
    }
}
