//! Arithmetic: on numbers by [`crate::range`], on pointers by the kernel's rules (`adjust_ptr_min_max_vals`).

use super::explore::Verifier;
use super::refusal::{Check, Refusal, describe};
use super::state::{Kind, MapRef, Reg, State};
use super::trace::NodeId;
use crate::ebpf::{self, AluOp, Operand, Width};
use crate::range::Num;
use offwire_diag::codes::verify as codes;

/// Pointers may be moved by less than this (kernel: `BPF_MAX_VAR_OFF`).
pub(super) const MAX_VAR_OFF: i64 = 1 << 29;

impl Verifier<'_> {
    /// The register, which must have been written.
    pub(super) fn read(&self, state: &State, reg: ebpf::Reg) -> Check<Reg> {
        let value = *state.reg(reg.0);
        if value.kind != Kind::Uninit {
            return Ok(value);
        }
        let refusal = Refusal::new(codes::UNINITIALISED, format!("R{} is read before it is written", reg.0));
        Err(match reg.0 {
            1..=5 => refusal
                .because("r1 to r5 do not survive a call, and nothing was written to it since the program or function began or the last call")
                .help("give the variable a value on every path; keep what has to survive a call in another variable"),
            0 => refusal.because("no instruction on this path gives the result a value").help("return a value on every path"),
            _ => refusal
                .because("no instruction on this path gives it a value")
                .help("initialise the variable where it is declared"),
        })
    }

    /// The register, which must be a number.
    pub(super) fn read_number(&self, state: &State, reg: ebpf::Reg, what: &str) -> Check<Reg> {
        let value = self.read(state, reg)?;
        if value.kind == Kind::Scalar { Ok(value) } else { Err(self.pointer_as_number(reg, &value, what)) }
    }

    /// Refuses a pointer where only a number makes sense.
    pub(super) fn pointer_as_number(&self, reg: ebpf::Reg, value: &Reg, what: &str) -> Box<Refusal> {
        Refusal::new(codes::POINTER_AS_NUMBER, format!("a pointer is used as a number: {what}"))
            .because(format!(
                "R{} is {}; the device does not have the host's addresses",
                reg.0,
                describe(self.object, value)
            ))
            .help("store or compare what the pointer points to, or the difference of two pointers into the same object")
    }

    /// A number, for an instruction that computes it from others.
    pub(super) fn scalar(&mut self, num: Num, a: NodeId, b: NodeId) -> Reg {
        Reg::scalar(num, self.nodes.derive(a, b))
    }

    /// A constant operand has no node.
    fn operand(&self, state: &State, src: Operand) -> Check<Reg> {
        match src {
            Operand::Reg(reg) => self.read(state, reg),
            Operand::Imm(imm) => Ok(Reg::scalar(Num::signed_constant(imm.into()), NodeId::NONE)),
        }
    }

    /// Instruction `dst = dst op src` or `dst = src`.
    pub(super) fn alu(&mut self, state: &mut State, width: Width, op: AluOp, dst: ebpf::Reg, src: Operand) -> Check {
        if op == AluOp::Mov {
            return self.mov(state, width, dst, src);
        }
        let a = self.read(state, dst)?;
        let b = self.operand(state, src)?;
        let mut result = match (a.kind, b.kind) {
            (x, y) if x == Kind::PacketHalf || y == Kind::PacketHalf => self.half_arithmetic(width, op, &a, &b)?,
            (Kind::Scalar, Kind::Scalar) => {
                let mut result = self.scalar(Num::alu(op, width, a.num, b.num), a.node, b.node);
                if let (AluOp::Add | AluOp::Sub, Some(by)) = (op, b.num.as_const()) {
                    link_sum(&mut result, &a, width, if op == AluOp::Add { by } else { by.wrapping_neg() });
                }
                result
            }
            (_, Kind::Scalar) => self.move_pointer(width, op, dst, &a, &b)?,
            (Kind::Scalar, _) if op == AluOp::Add => {
                let Operand::Reg(src) = src else { return Ok(()) };
                self.move_pointer(width, op, src, &b, &a)?
            }
            (Kind::Scalar, _) => {
                let refusal = Refusal::new(
                    codes::POINTER_ARITHMETIC,
                    format!("pointer arithmetic: {} of a number and a pointer", name(op)),
                );
                return Err(refusal
                    .because(self.operands(&a, &b))
                    .help("a pointer can only be subtracted from a pointer into the same object"));
            }
            _ => self.difference(width, op, &a, &b)?,
        };
        result.precise = false;
        state.set(dst.0, result);
        Ok(())
    }

    fn operands(&self, a: &Reg, b: &Reg) -> String {
        format!("the operands are {} and {}", describe(self.object, a), describe(self.object, b))
    }

    fn mov(&mut self, state: &mut State, width: Width, dst: ebpf::Reg, src: Operand) -> Check {
        let reg = match src {
            Operand::Imm(imm) => {
                let num = Num::alu(AluOp::Mov, width, Num::ANY, Num::signed_constant(imm.into()));
                state.set(dst.0, Reg::scalar(num, self.nodes.fresh()));
                return Ok(());
            }
            Operand::Reg(reg) => reg,
        };
        let value = self.read(state, reg)?;
        match value.kind {
            Kind::Scalar => {}
            Kind::Stale(_) | Kind::Released(_) if width == Width::W32 => return Err(self.stale(reg, &value)),
            kind if width == Width::W32 && kind.has_packet_half() => {
                state.set(dst.0, Reg::pointer(Kind::PacketHalf));
                return Ok(());
            }
            _ if width == Width::W32 => {
                return Err(self.pointer_as_number(reg, &value, "its low 32 bits are copied"));
            }
            _ => {}
        }
        if value.kind == Kind::Scalar && width == Width::W32 && value.num.wide.umax > u64::from(u32::MAX) {
            let low = self.scalar(value.num.zero_extend(32), value.node, NodeId::NONE);
            state.set(dst.0, low);
            return Ok(());
        }
        let value = self.linked(state, reg);
        state.set(dst.0, value);
        Ok(())
    }

    /// `dst = (s8/s16/s32) src`; a copy if the sign bit is known to be clear.
    pub(super) fn mov_sign_extended(
        &mut self,
        state: &mut State,
        width: Width,
        bits: u8,
        dst: ebpf::Reg,
        src: ebpf::Reg,
    ) -> Check {
        let value = self.read_number(state, src, "its sign is extended")?;
        let magnitude = u32::from(bits).saturating_sub(1);
        let result = if value.num.wide.umax <= crate::range::low_mask(magnitude) {
            self.linked(state, src)
        } else {
            self.scalar(Num::mov_sign_extend(width, bits.into(), value.num), value.node, NodeId::NONE)
        };
        state.set(dst.0, result);
        Ok(())
    }

    /// The register, with an id if it is a number that copies should stay linked with.
    pub(super) fn linked(&mut self, state: &mut State, reg: ebpf::Reg) -> Reg {
        let mut value = *state.reg(reg.0);
        if value.kind == Kind::Scalar && value.id == 0 && value.num.as_const().is_none() {
            value.id = self.new_id();
            value.delta = 0;
            value.half = false;
            state.set(reg.0, value);
        }
        value
    }

    /// Instructions with one operand that compute a number.
    pub(super) fn unary(
        &mut self,
        state: &mut State,
        dst: ebpf::Reg,
        src: ebpf::Reg,
        what: &str,
        f: impl Fn(Num) -> Num,
    ) -> Check {
        let value = self.read_number(state, src, what)?;
        let result = self.scalar(f(value.num), value.node, NodeId::NONE);
        state.set(dst.0, result);
        Ok(())
    }

    /// `pointer + number` and `pointer - number`; `reg` names the pointer in messages.
    fn move_pointer(&mut self, width: Width, op: AluOp, reg: ebpf::Reg, ptr: &Reg, by: &Reg) -> Check<Reg> {
        let refuse = |message: String| Refusal::new(codes::POINTER_ARITHMETIC, message);
        let is = || format!("R{} is {}", reg.0, describe(self.object, ptr));
        if let Kind::Stale(_) | Kind::Released(_) = ptr.kind {
            return Err(self.stale(reg, ptr));
        }
        if width == Width::W32 && op == AluOp::Sub && ptr.kind.is_packet() {
            return Ok(Reg::pointer(Kind::PacketHalf));
        }
        if width == Width::W32 {
            return Err(refuse("32-bit pointer arithmetic".to_string())
                .because(is())
                .help("pointers have 64 bits: use a variable of pointer type"));
        }
        if !matches!(op, AluOp::Add | AluOp::Sub) {
            return Err(refuse(format!("pointer arithmetic: {} of a pointer", name(op)))
                .because(is())
                .help("pointers can only be moved by adding and subtracting"));
        }
        match ptr.kind {
            kind if kind.not_null().is_some() => {
                return Err(Refusal::new(codes::NULL_POINTER, "arithmetic on a pointer that may be null")
                    .because(is())
                    .help("compare the result of the call with NULL first, and return if it is"));
            }
            Kind::Map(_) if op == AluOp::Add && by.num.as_const() == Some(0) => return Ok(*ptr),
            Kind::PacketEnd | Kind::Map(_) | Kind::Func(_) => {
                return Err(refuse(format!("arithmetic on {}", describe(self.object, ptr)))
                    .because(is())
                    .help("move the pointer that is compared with it instead"));
            }
            Kind::Stack(_) if op == AluOp::Sub => {
                return Err(refuse("subtraction from a stack pointer".to_string())
                    .because(is())
                    .help("add a negative number instead"));
            }
            _ => {}
        }
        // The number decides where the pointer points.
        self.nodes.mark(by.node);
        self.sane_number(ptr, by)?;
        let mut moved = *ptr;
        let constant =
            by.num.as_const().map(u64::cast_signed).and_then(|by| i32::try_from(by).ok()).and_then(|by| match op {
                AluOp::Add => ptr.off.checked_add(by),
                _ => ptr.off.checked_sub(by),
            });
        if let Some(off) = constant {
            moved.off = off;
        } else {
            moved.num = Num::alu(op, Width::W64, ptr.num, by.num);
            // Bounds and bits together may leave one value only.
            let known = moved.num.as_const().and_then(|sum| i32::try_from(sum.cast_signed()).ok());
            if let Some(off) = known.and_then(|sum| moved.off.checked_add(sum)) {
                (moved.num, moved.off) = (Num::constant(0), off);
            }
            if matches!(ptr.kind, Kind::Packet | Kind::PacketMeta) {
                moved.id = self.new_id();
                // Known bytes move out of reach, unless the pointer can only go back.
                if op == AluOp::Add || by.num.wide.smin < 0 {
                    moved.range = 0;
                }
            }
        }
        self.sane_pointer(reg, &moved)?;
        Ok(moved)
    }

    fn sane_number(&self, ptr: &Reg, by: &Reg) -> Check {
        let wide = by.num.wide;
        let bad = wide.smin <= MAX_VAR_OFF.saturating_neg() || (wide.smin == wide.smax && wide.smin >= MAX_VAR_OFF);
        if !bad {
            return Ok(());
        }
        Err(Refusal::new(codes::POINTER_RANGE, "a pointer is moved by a number that is not bounded")
            .because(format!("{} is moved by {}", describe(self.object, ptr), describe(self.object, by)))
            .help("bound the number before: use an unsigned type and compare it with a limit, or mask it"))
    }

    fn sane_pointer(&self, reg: ebpf::Reg, ptr: &Reg) -> Check {
        let off = i64::from(ptr.off);
        let wide = ptr.num.wide;
        let bad = wide.smin <= MAX_VAR_OFF.saturating_neg()
            || (wide.smin == wide.smax && wide.smin >= MAX_VAR_OFF)
            || off >= MAX_VAR_OFF
            || off <= MAX_VAR_OFF.saturating_neg();
        if !bad {
            return Ok(());
        }
        Err(Refusal::new(codes::POINTER_RANGE, "a pointer is moved too far from its object")
            .because(format!("R{} is {}", reg.0, describe(self.object, ptr)))
            .help(
                "bound the number that is added before: use an unsigned type and compare it with a limit, or mask it",
            ))
    }

    /// `pointer op pointer`: only the difference of two pointers into one object.
    fn difference(&mut self, width: Width, op: AluOp, a: &Reg, b: &Reg) -> Check<Reg> {
        for stale in [a, b] {
            if let Kind::Stale(_) | Kind::Released(_) = stale.kind {
                return Err(self.stale(ebpf::Reg(0), stale));
            }
        }
        let same = match (a.kind, b.kind) {
            (x, y) if x.is_packet() && y.is_packet() => true,
            (Kind::Stack(x), Kind::Stack(y)) => x == y,
            (Kind::MapValue(_), Kind::MapValue(_)) => self.same_value(a, b),
            (Kind::Record(..), Kind::Record(..)) => a.id == b.id,
            _ => false,
        };
        if op == AluOp::Sub && same {
            return Ok(self.scalar(
                Num::loaded(if width == Width::W32 { 32 } else { 64 }, false),
                NodeId::NONE,
                NodeId::NONE,
            ));
        }
        let what = format!("pointer arithmetic: {} of two pointers", name(op));
        let refusal = Refusal::new(codes::POINTER_ARITHMETIC, what).because(self.operands(a, b));
        Err(refusal.help("only pointers into the same object can be subtracted, and none added"))
    }

    /// Arithmetic with the low half of a packet pointer: it may be moved, and subtracted from another one, in 32 bits. For the kernel
    /// it is a number like any other.
    fn half_arithmetic(&mut self, width: Width, op: AluOp, a: &Reg, b: &Reg) -> Check<Reg> {
        for stale in [a, b] {
            if let Kind::Stale(_) | Kind::Released(_) = stale.kind {
                return Err(self.stale(ebpf::Reg(0), stale));
            }
        }
        match (width, op, a.kind, b.kind) {
            (Width::W32, AluOp::Sub, x, y) if x.has_packet_half() && y.has_packet_half() => {
                Ok(self.scalar(Num::loaded(32, false), NodeId::NONE, NodeId::NONE))
            }
            (Width::W32, AluOp::Add | AluOp::Sub, Kind::PacketHalf, Kind::Scalar)
            | (Width::W32, AluOp::Add, Kind::Scalar, Kind::PacketHalf) => Ok(Reg::pointer(Kind::PacketHalf)),
            _ => {
                let what = format!("a pointer is used as a number: {} of half a packet pointer", name(op));
                let bits = if width == Width::W32 { "" } else { ", and the operation has 64 bits" };
                Err(Refusal::new(codes::POINTER_AS_NUMBER, what)
                    .because(format!("{}{bits}", self.operands(a, b)))
                    .help("subtract two pointers into the packet first, and compute with the difference"))
            }
        }
    }

    /// True if two map value pointers surely point into the same value.
    pub(super) fn same_value(&self, a: &Reg, b: &Reg) -> bool {
        let (Kind::MapValue(x), Kind::MapValue(y)) = (a.kind, b.kind) else { return false };
        let global = |map: MapRef| {
            !map.inner && map.spec(self.object).is_some_and(|spec| spec.max_entries == 1 && !spec.kind.is_per_cpu())
        };
        x == y && (a.id != 0 && a.id == b.id || global(x))
    }

    /// Refuses the use of a packet pointer from before the packet moved, or of a record that was given back.
    pub(super) fn stale(&self, reg: ebpf::Reg, ptr: &Reg) -> Box<Refusal> {
        if let Kind::Released(at) = ptr.kind {
            return Refusal::new(codes::RELEASED, "a record is used after it was submitted or discarded")
                .because(format!(
                    "R{} was given back by the call at instruction {at}; it may be somebody else's now",
                    reg.0
                ))
                .help("write and read the record before bpf_ringbuf_submit or bpf_ringbuf_discard");
        }
        let at = if let Kind::Stale(at) = ptr.kind { at } else { 0 };
        Refusal::new(
            codes::STALE_PACKET,
            "a packet pointer is used after the packet moved: it is not a pointer any more",
        )
        .because(format!(
            "R{} was loaded before the call at instruction {at}, which may move or resize the packet",
            reg.0
        ))
        .help("load ctx->data and ctx->data_end again after the call, and check bounds again")
    }
}

/// Keeps `dst = src + by` linked with the copies of `src`.
fn link_sum(result: &mut Reg, a: &Reg, width: Width, by: u64) {
    let half = width == Width::W32 || a.half;
    // Modulo 2^32 any sum is one of 32 bits.
    let low = i32::try_from(crate::range::sign_extend(by, 32)).unwrap_or(0);
    let delta = if half {
        Some(a.delta.wrapping_add(low))
    } else {
        i32::try_from(by.cast_signed()).ok().and_then(|by| a.delta.checked_add(by))
    };
    if let (true, Some(delta)) = (a.id != 0, delta) {
        (result.id, result.delta, result.half) = (a.id, delta, half);
    }
}

/// The operation, as a noun.
fn name(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "addition",
        AluOp::Sub => "subtraction",
        AluOp::Mul => "multiplication",
        AluOp::Div | AluOp::Sdiv => "division",
        AluOp::Mod | AluOp::Smod => "remainder",
        AluOp::Or => "bitwise or",
        AluOp::And => "bitwise and",
        AluOp::Xor => "exclusive or",
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => "shift",
        AluOp::Mov => "copy",
    }
}
