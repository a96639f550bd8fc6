//! Instructions of each region to IR.

use super::callers::{Callers, Taken};
use super::expand::{End, Expanded, FrameIdx};
use super::live::{FrameReg, LiveSet};
use super::{Function, Lifter};
use crate::ebpf::{AluOp as EbpfAlu, Imm64, Insn, InsnIdx, MapIdx, Operand, Reg, Width};
use crate::facts::{Fact, PtrKind, Range, State, Tnum};
use crate::ir::{Block, Cfg, Func, Inst, Jump, Op, Term, Value, clear_unreachable};
use offwire_diag::codes::compiler;
use offwire_diag::{Code, Diagnostic};
use offwire_isa::{AluOp, Handle, MapPointer};
use std::collections::BTreeMap;

/// Values of the registers that hold one.
type Regs = BTreeMap<FrameReg, Value>;

/// Fills the skeleton.
pub(super) fn build(
    lifter: &Lifter,
    expanded: &Expanded,
    cfg: &Cfg,
    live: &[LiveSet],
    mut func: Func,
    callers: &mut Callers,
) -> Result<Func, Diagnostic> {
    // A block with one predecessor takes over its registers, others get parameters for the live ones.
    let has_params = |block: Block| cfg.preds[block.at()].len() > 1;
    for &block in cfg.order.iter().filter(|block| has_params(**block)) {
        let count = live[block.at()].len() as u32;
        func.blocks[block.at()].params = (func.values..func.values + count).map(Value).collect();
        func.values += count;
    }
    let mut built = vec![false; func.blocks.len()];
    let mut ends: Vec<Regs> = vec![Regs::new(); func.blocks.len()];
    for &block in &cfg.order {
        let regs: Regs = if has_params(block) {
            live[block.at()].iter().copied().zip(func.blocks[block.at()].params.iter().copied()).collect()
        } else {
            let from = cfg.preds[block.at()].first().map(|pred| &ends[pred.at()]);
            let wanted = |reg: &FrameReg| live[block.at()].contains(reg);
            from.into_iter().flatten().filter(|(reg, _)| wanted(reg)).map(|(reg, value)| (*reg, *value)).collect()
        };
        // What all predecessors so far agree on; those that come later are asked at the end.
        for (n, param) in func.blocks[block.at()].params.iter().enumerate() {
            let jumps = cfg.preds[block.at()].iter().filter(|pred| built[pred.at()]);
            let jumps = jumps.flat_map(|pred| func.blocks[pred.at()].term.jumps()).filter(|jump| jump.block == block);
            let args: Vec<Value> = jumps.filter_map(|jump| jump.args.get(n).copied()).collect();
            if let Some(taken) = callers.common(args.iter().copied()) {
                callers.taken.insert(*param, taken);
            }
            if let Some(address) = callers.common_address(args.iter().copied()) {
                callers.addresses.insert(*param, address);
            }
        }
        built[block.at()] = true;
        let frame = expanded.regions[block.at()].frame;
        let mut builder = Builder {
            lifter,
            expanded,
            live,
            has_params: &has_params,
            values: &mut func.values,
            callers: &mut *callers,
            frame,
            at: InsnIdx(0),
            regs,
            insts: Vec::new(),
        };
        if block == Block::ENTRY {
            builder.arguments();
        }
        let term = builder.region(block)?;
        let regs = builder.regs;
        let insts = builder.insts;
        ends[block.at()] = regs;
        let data = &mut func.blocks[block.at()];
        data.insts = insts;
        data.term = term;
    }
    // Comparisons that the facts decide leave blocks behind that nothing jumps to.
    clear_unreachable(&mut func);
    Ok(func)
}

/// Translates one region.
pub(super) struct Builder<'a> {
    pub(super) lifter: &'a Lifter<'a>,
    pub(super) expanded: &'a Expanded,
    live: &'a [LiveSet],
    has_params: &'a dyn Fn(Block) -> bool,
    /// Values handed out so far, in the whole function.
    values: &'a mut u32,
    pub(super) callers: &'a mut Callers,
    pub(super) frame: FrameIdx,
    /// The instruction that is being translated.
    pub(super) at: InsnIdx,
    pub(super) regs: Regs,
    insts: Vec<Inst>,
}

impl Builder<'_> {
    /// Arguments of a function that is called.
    fn arguments(&mut self) {
        let lifter = self.lifter;
        self.at = InsnIdx(self.expanded.regions[0].first);
        let Some(function) = lifter.functions.get(&self.at) else { return };
        for (n, reg) in (1..).zip(&function.arguments) {
            let value = self.emit(Op::Named(n));
            let fact = self.fact(*reg);
            self.pass(value, &fact);
            self.regs.insert(FrameReg::new(self.frame, *reg), value);
        }
    }

    /// A call that is not inlined.
    fn call(&mut self, function: &Function) {
        let mut args = Vec::with_capacity(function.arguments.len());
        let mut stack = false;
        for &reg in &function.arguments {
            let fact = self.fact(reg);
            stack |= matches!(fact, Fact::Unknown | Fact::Ptr { kind: PtrKind::Stack | PtrKind::CallerStack, .. });
            args.push(self.certain(reg));
        }
        let result = self.emit(Op::Call { func: function.number, args, stack });
        let behind = self.lifter.facts.before.get(self.at.next().at()).and_then(Option::as_ref);
        self.pass(result, &behind.map_or(Fact::Unknown, |state| state.regs[0]));
        self.finish_call(result);
    }

    /// Notes what comes from another function: what the facts say, or else a number.
    fn pass(&mut self, value: Value, fact: &Fact) {
        if *fact == Fact::Unknown {
            self.callers.assumed.insert(value);
            self.callers.taken.insert(value, Taken::Number);
        } else if let Some(taken) = Taken::of(fact) {
            self.callers.taken.insert(value, taken);
        }
    }

    /// The register's value, with what the facts say of it noted, because it goes to another function.
    fn certain(&mut self, reg: Reg) -> Value {
        let is_written = self.has(reg) || self.known(reg).is_some();
        let value = self.read(reg);
        if !is_written {
            self.callers.undefined.insert(value);
        } else if let Some(taken) = Taken::of(&self.fact(reg)) {
            self.callers.taken.entry(value).or_insert(taken);
        }
        value
    }

    fn region(&mut self, block: Block) -> Result<Term, Diagnostic> {
        let region = &self.expanded.regions[block.at()];
        let body = match region.how {
            End::Fall(_) | End::Dead => region.end,
            // Only the first part of a loop has instructions: the call is the last of them.
            _ => region.end.saturating_sub(1),
        };
        for at in (region.first..body).map(InsnIdx) {
            self.at = at;
            if let Some(insn) = self.lifter.program.insns.get(at.at()) {
                self.insn(insn)?;
            }
        }
        self.at = region.last();
        if region.first < region.end {
            self.note_facts(matches!(region.how, End::Fall(_)));
        }
        Ok(match region.how {
            End::Jump(to) | End::Fall(to) => Term::Jump(self.jump(to)),
            End::Branch { taken, next } => self.branch(taken, next)?,
            End::Call(to, callee) => {
                for reg in (1..=5).map(Reg) {
                    if let Some(value) = self.regs.get(&FrameReg::new(self.frame, reg)).copied() {
                        let value = self.known_pointer(reg).unwrap_or(value);
                        if let Some(taken) = Taken::of(&self.fact(reg)) {
                            // A frame of this function is a caller's there.
                            let taken = match taken {
                                Taken::Pointer(PtrKind::Stack) => Taken::Pointer(PtrKind::CallerStack),
                                taken => taken,
                            };
                            self.callers.taken.entry(value).or_insert(taken);
                        }
                        if let Some(address) = self.stack_address(reg) {
                            self.callers.addresses.insert(value, address);
                        }
                        self.regs.insert(FrameReg::new(callee, reg), value);
                    }
                }
                Term::Jump(self.jump(to))
            }
            End::Return(to) => {
                let value = self.read(Reg(0));
                if let Some((caller, _)) = self.expanded.frames[self.frame].caller {
                    self.clobber(caller);
                    self.regs.insert(FrameReg::new(caller, Reg(0)), value);
                }
                Term::Jump(self.jump(to))
            }
            End::Exit if self.is_called() => Term::Return(self.certain(Reg(0))),
            End::Exit => Term::Exit(self.number(Reg(0))?),
            End::Loop(step) => self.loop_step(step)?,
            End::Dead => Term::Unreachable,
        })
    }

    /// True in a function that stays one.
    fn is_called(&self) -> bool {
        self.lifter.functions.contains_key(&InsnIdx(self.expanded.regions[0].first))
    }

    /// r0 to r5 of the frame hold nothing any more.
    pub(super) fn clobber(&mut self, frame: FrameIdx) {
        for reg in (0..=5).map(Reg) {
            self.regs.remove(&FrameReg::new(frame, reg));
        }
    }

    /// After a helper call: only the result is left.
    pub(super) fn finish_call(&mut self, result: Value) {
        self.clobber(self.frame);
        self.write(Reg(0), result);
    }

    /// A jump with the registers that are live there.
    pub(super) fn jump(&mut self, to: Block) -> Jump {
        if !(self.has_params)(to) {
            return Jump::to(to);
        }
        let live = self.live;
        let args = live[to.at()].iter().map(|reg| match self.regs.get(reg) {
            Some(value) => *value,
            // Never written on this path, so a verified program never reads it.
            None => {
                let value = self.constant(0);
                self.callers.undefined.insert(value);
                value
            }
        });
        let args = args.collect();
        Jump { block: to, args }
    }

    pub(super) fn refuse(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        self.lifter.refuse(self.at, code, message)
    }

    /// Appends an instruction with a result.
    pub(super) fn emit(&mut self, op: Op) -> Value {
        let value = Value(*self.values);
        *self.values += 1;
        self.insts.push(Inst { result: Some(value), op, insn: self.at });
        value
    }

    /// Appends an instruction without result.
    pub(super) fn emit_effect(&mut self, op: Op) {
        self.insts.push(Inst { result: None, op, insn: self.at });
    }

    pub(super) fn constant(&mut self, value: u64) -> Value {
        self.emit(Op::Const(value))
    }

    pub(super) fn alu(&mut self, op: AluOp, wide: bool, a: Value, b: Value) -> Value {
        self.emit(Op::Alu { op, wide, a, b })
    }

    pub(super) fn unary(&mut self, op: AluOp, wide: bool, a: Value) -> Value {
        self.alu(op, wide, a, a)
    }

    /// The facts before the instruction.
    pub(super) fn state(&self) -> Option<&State> {
        self.lifter.facts.before.get(self.at.at()).and_then(Option::as_ref)
    }

    pub(super) fn fact(&self, reg: Reg) -> Fact {
        let fact = self.state().and_then(|state| state.regs.get(usize::from(reg.0))).copied().unwrap_or(Fact::Unknown);
        match self.taken(reg) {
            Some((value, taken)) if fact == Fact::Unknown => {
                self.callers.used.borrow_mut().insert(value);
                taken.fact()
            }
            _ => fact,
        }
    }

    /// What the register holds on the device, where the facts know it exactly.
    pub(super) fn known(&self, reg: Reg) -> Option<u64> {
        match self.fact(reg) {
            Fact::Scalar(range) => exact(&range),
            Fact::Ptr { kind: PtrKind::Packet | PtrKind::PacketHalf, offset, maybe_null: false } => exact(&offset),
            Fact::Ptr { kind: PtrKind::Stack, offset, maybe_null: false } => {
                let r10 = u64::from(self.expanded.frames[self.frame].r10);
                exact(&offset).map(|offset| r10.wrapping_add(offset))
            }
            _ => None,
        }
    }

    /// The same if it fits the offset of a memory operand.
    pub(super) fn known_i32(&self, reg: Reg) -> Option<i32> {
        self.known(reg).and_then(|known| i32::try_from(known.cast_signed()).ok())
    }

    /// A constant for a register whose pointer is known exactly.
    fn known_pointer(&mut self, reg: Reg) -> Option<Value> {
        self.known(reg).map(|known| self.constant(known))
    }

    /// The register's value, pointer or number.
    pub(super) fn read(&mut self, reg: Reg) -> Value {
        if let Some(known) = self.known(reg) {
            return self.constant(known);
        }
        if reg.0 >= 10 {
            return self.constant(u64::from(self.expanded.frames[self.frame].r10));
        }
        match self.regs.get(&FrameReg::new(self.frame, reg)) {
            Some(value) => *value,
            // Never written on the way here, so nothing depends on it.
            None => self.constant(0),
        }
    }

    /// True if something was written to the register on the way here.
    pub(super) fn has(&self, reg: Reg) -> bool {
        self.regs.contains_key(&FrameReg::new(self.frame, reg))
    }

    /// The register's value if it is certainly a number.
    pub(super) fn number(&mut self, reg: Reg) -> Result<Value, Diagnostic> {
        match self.fact(reg) {
            Fact::Scalar(_) => Ok(self.read(reg)),
            fact => Err(self.not_a_number(reg, &fact)),
        }
    }

    fn not_a_number(&self, reg: Reg, fact: &Fact) -> Diagnostic {
        let (message, reason) = match fact {
            Fact::Ptr { kind, .. } => (
                "a pointer is used as a number".to_string(),
                format!(
                    "r{} is {}; the device holds it in another form than the host, so the result would differ",
                    reg.0,
                    kind_name(*kind)
                ),
            ),
            _ => (
                format!("r{} is not certainly a number here", reg.0),
                "on some path it may be a pointer, which the device holds in another form than the host".to_string(),
            ),
        };
        self.refuse(compiler::POINTER_AS_NUMBER, message)
            .with_reason(reason)
            .with_help("compute with offsets and lengths instead of addresses")
    }

    pub(super) fn operand(&mut self, src: Operand) -> Result<Value, Diagnostic> {
        match src {
            Operand::Reg(reg) => self.number(reg),
            Operand::Imm(imm) => Ok(self.constant(i64::from(imm).cast_unsigned())),
        }
    }

    pub(super) fn write(&mut self, reg: Reg, value: Value) {
        self.regs.insert(FrameReg::new(self.frame, reg), value);
    }

    fn insn(&mut self, insn: &Insn) -> Result<(), Diagnostic> {
        match *insn {
            Insn::Alu { width, op, dst, src } => {
                let result = self.taken_result(width, op, dst, src);
                let address = self.address_result(width, op, dst, src);
                let value = self.alu_insn(width == Width::W64, op, dst, src)?;
                if let Some(taken) = result {
                    self.callers.taken.insert(value, taken);
                }
                if let Some(address) = address {
                    self.callers.addresses.insert(value, address);
                }
                self.write(dst, value);
            }
            Insn::MovSx { width, bits, dst, src } => {
                let a = self.number(src)?;
                let value = self.sign_extend(bits, width == Width::W64, a)?;
                self.write(dst, value);
            }
            Insn::Neg { width, dst } => {
                let b = self.number(dst)?;
                let zero = self.constant(0);
                let value = self.alu(AluOp::Sub, width == Width::W64, zero, b);
                self.write(dst, value);
            }
            Insn::Endian { bits, to_be, dst } => {
                let a = self.number(dst)?;
                let value = match (bits, to_be) {
                    (16, false) => self.unary(AluOp::Zext16, true, a),
                    (32, false) => self.unary(AluOp::Mov, false, a),
                    (64, false) => a,
                    (_, false) => return Err(self.odd_width(bits)),
                    (_, true) => self.swap(bits, a)?,
                };
                self.write(dst, value);
            }
            Insn::Bswap { bits, dst } => {
                let a = self.number(dst)?;
                let value = self.swap(bits, a)?;
                self.write(dst, value);
            }
            Insn::LoadImm64 { dst, value } => {
                let value = self.imm64(value)?;
                self.write(dst, value);
            }
            Insn::Load { size, signed, dst, base, off } => {
                let value = self.load(size, signed, base, off)?;
                self.write(dst, value);
            }
            Insn::Store { size, base, off, src } => self.store(size, base, off, src)?,
            Insn::Atomic { size, op, fetch, base, off, src } => self.atomic(size, op, fetch, base, off, src)?,
            Insn::CallHelper { id } => self.helper(id)?,
            Insn::CallKfunc { btf_id } => {
                return Err(self
                    .refuse(
                        compiler::HELPER,
                        format!("the kernel function with BTF number {btf_id} is not on the device"),
                    )
                    .with_help("run the program on the host"));
            }
            Insn::CallLocal { target } => {
                let lifter = self.lifter;
                if let Some(function) = lifter.functions.get(&target) {
                    self.call(function);
                }
            }
            // Ends of regions, and the second slots of wide instructions.
            Insn::Wide | Insn::Jump { .. } | Insn::JumpIf { .. } | Insn::Exit => {}
        }
        Ok(())
    }

    fn odd_width(&self, bits: u8) -> Diagnostic {
        self.refuse(compiler::INSTRUCTION, format!("an operation on {bits} bits does not exist"))
    }

    fn swap(&mut self, bits: u8, a: Value) -> Result<Value, Diagnostic> {
        let op = match bits {
            16 => AluOp::Bswap16,
            32 => AluOp::Bswap32,
            64 => AluOp::Bswap64,
            _ => return Err(self.odd_width(bits)),
        };
        Ok(self.unary(op, true, a))
    }

    pub(super) fn sign_extend(&mut self, bits: u8, wide: bool, a: Value) -> Result<Value, Diagnostic> {
        let op = match bits {
            8 => AluOp::Sext8,
            16 => AluOp::Sext16,
            32 => AluOp::Sext32,
            _ => return Err(self.odd_width(bits)),
        };
        Ok(self.unary(op, wide, a))
    }

    fn imm64(&mut self, value: Imm64) -> Result<Value, Diagnostic> {
        Ok(match value {
            Imm64::Const(value) => self.constant(value),
            // Where it is one map on all paths, the facts name it.
            Imm64::Map(map) => self.constant(u8::try_from(map.0).map_or(0, |slot| MapPointer { slot }.pack())),
            Imm64::MapValue { map, offset } => {
                let slot = self.slot(map)?;
                self.constant(Handle { slot, element: 0, offset }.pack())
            }
            // Only bpf_loop takes it, which tells functions apart by their first instruction.
            Imm64::Func(entry) => self.constant(entry.0.into()),
        })
    }

    /// The map-table slot; handles have 8 bits for it.
    fn slot(&self, map: MapIdx) -> Result<u8, Diagnostic> {
        u8::try_from(map.0).map_err(|_| self.refuse(compiler::TOO_LARGE, "the object has more than 256 maps"))
    }

    fn alu_insn(&mut self, wide: bool, op: EbpfAlu, dst: Reg, src: Operand) -> Result<Value, Diagnostic> {
        if op == EbpfAlu::Mov {
            return Ok(match src {
                Operand::Reg(reg) if wide => self.read(reg),
                Operand::Reg(reg) => {
                    let a = if is_half(&self.fact(reg)) { self.read(reg) } else { self.number(reg)? };
                    self.unary(AluOp::Mov, false, a)
                }
                Operand::Imm(imm) if wide => self.constant(i64::from(imm).cast_unsigned()),
                Operand::Imm(imm) => self.constant(u64::from(imm.cast_unsigned())),
            });
        }
        if let Some(value) = self.pointer_arithmetic(wide, op, dst, src) {
            return Ok(value);
        }
        let a = self.number(dst)?;
        let device = match op {
            EbpfAlu::Add => AluOp::Add,
            EbpfAlu::Sub => AluOp::Sub,
            EbpfAlu::Mul => AluOp::Mul,
            EbpfAlu::Or => AluOp::Or,
            EbpfAlu::And => AluOp::And,
            EbpfAlu::Lsh => AluOp::Lsh,
            EbpfAlu::Rsh => AluOp::Rsh,
            EbpfAlu::Xor => AluOp::Xor,
            EbpfAlu::Arsh => AluOp::Arsh,
            EbpfAlu::Mov => AluOp::Mov,
            EbpfAlu::Div | EbpfAlu::Mod | EbpfAlu::Sdiv | EbpfAlu::Smod => return self.divide(wide, op, dst, src),
        };
        let b = self.operand(src)?;
        Ok(self.alu(device, wide, a, b))
    }

    /// Pointer plus or minus number, number plus pointer, and differences of pointers into one object. `None` for anything
    /// else, which may still be arithmetic on numbers.
    fn pointer_arithmetic(&mut self, wide: bool, op: EbpfAlu, dst: Reg, src: Operand) -> Option<Value> {
        let a = self.fact(dst);
        let b = match src {
            Operand::Reg(reg) => self.fact(reg),
            Operand::Imm(imm) => immediate(imm),
        };
        let device = match (op, a, b) {
            // The low halves of packet pointers are those of their offsets.
            (EbpfAlu::Sub, ref a, ref b) if !wide && is_half(a) && is_half(b) => AluOp::Sub,
            (EbpfAlu::Add, ref half, Fact::Scalar(_)) | (EbpfAlu::Add, Fact::Scalar(_), ref half)
                if !wide && is_half(half) =>
            {
                AluOp::Add
            }
            (EbpfAlu::Sub, ref half, Fact::Scalar(_)) if !wide && is_half(half) => AluOp::Sub,
            (
                EbpfAlu::Sub,
                Fact::Ptr { kind: a, maybe_null: false, .. },
                Fact::Ptr { kind: b, maybe_null: false, .. },
            ) if same_object(a, b) => AluOp::Sub,
            _ if !wide => return None,
            (EbpfAlu::Add, Fact::Ptr { kind, .. }, Fact::Scalar(_))
            | (EbpfAlu::Add, Fact::Scalar(_), Fact::Ptr { kind, .. })
                if !is_fixed(kind) =>
            {
                AluOp::Add
            }
            (EbpfAlu::Sub, Fact::Ptr { kind, .. }, Fact::Scalar(_)) if !is_fixed(kind) => AluOp::Sub,
            _ => return None,
        };
        let a = self.read(dst);
        let b = match src {
            Operand::Reg(reg) => self.read(reg),
            Operand::Imm(imm) => self.constant(i64::from(imm).cast_unsigned()),
        };
        Some(self.alu(device, wide, a, b))
    }
}

/// The fact of an immediate operand.
pub(super) fn immediate(imm: i32) -> Fact {
    let value = i64::from(imm);
    let unsigned = value.cast_unsigned();
    let bits = Tnum { value: unsigned, mask: 0 };
    Fact::Scalar(Range { umin: unsigned, umax: unsigned, smin: value, smax: value, bits })
}

/// The number, if there is only one in the range.
pub(super) fn exact(range: &Range) -> Option<u64> {
    if range.umin == range.umax {
        Some(range.umin)
    } else if range.bits.mask == 0 {
        Some(range.bits.value)
    } else {
        None
    }
}

/// Pointers of one object subtract alike on host and device. Values of a map do not: two elements may stand elsewhere.
fn same_object(a: PtrKind, b: PtrKind) -> bool {
    let packet = |kind| matches!(kind, PtrKind::Packet | PtrKind::PacketEnd | PtrKind::PacketMeta);
    (packet(a) && packet(b)) || (a == b && matches!(a, PtrKind::Stack | PtrKind::Ctx))
}

/// True if the low 32 bits are those of a pointer into the packet.
pub(super) fn is_half(fact: &Fact) -> bool {
    use PtrKind::{Packet, PacketEnd, PacketHalf, PacketMeta};
    matches!(fact, Fact::Ptr { kind: Packet | PacketEnd | PacketMeta | PacketHalf, maybe_null: false, .. })
}

/// True for what is not moved by 64-bit arithmetic.
fn is_fixed(kind: PtrKind) -> bool {
    matches!(kind, PtrKind::Map(_) | PtrKind::OneOf(_) | PtrKind::InnerMap(_) | PtrKind::PacketHalf)
}

/// For messages.
pub(super) fn kind_name(kind: PtrKind) -> &'static str {
    match kind {
        PtrKind::Ctx => "a pointer to the context",
        PtrKind::Stack => "a pointer to the stack",
        PtrKind::Packet => "a packet pointer",
        PtrKind::PacketEnd => "the end of the packet",
        PtrKind::PacketHalf => "the low half of a packet pointer",
        PtrKind::PacketMeta => "a pointer to the packet's metadata",
        PtrKind::MapValue(_) | PtrKind::ValueOf(_) | PtrKind::InnerValue(_) => "a pointer to a map value",
        PtrKind::Map(_) | PtrKind::OneOf(_) | PtrKind::InnerMap(_) => "a pointer to a map",
        PtrKind::Record(_) => "a pointer to a record of a ring buffer",
        PtrKind::CallerStack => "a pointer to a caller's stack",
    }
}
