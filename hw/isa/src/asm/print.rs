//! The disassembler.

use crate::{AluOp, Base, CmpOp, KeyUse, MapUse, Read, RequestOp, Space, Src, StoreOp, Target, ValueUse, Word};
use std::fmt;

/// Writes units with "; " between them.
struct Line<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    started: bool,
}

impl Line<'_, '_> {
    /// Starts a unit.
    fn unit(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        if std::mem::replace(&mut self.started, true) {
            self.f.write_str("; ")?;
        }
        self.f.write_fmt(text)
    }

    /// Goes on with the unit if `wanted`.
    fn more(&mut self, wanted: bool, text: fmt::Arguments<'_>) -> fmt::Result {
        if wanted { self.f.write_fmt(text) } else { Ok(()) }
    }
}

/// `pkt[ra+12]`.
struct Address(Space, Base, i16);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}{:+}]", self.0.asm(), self.1.asm(), self.2)
    }
}

/// `2@12.swap`: bytes, place in the window.
struct Part(u8, u8, bool);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}{}", self.0, self.1, if self.2 { ".swap" } else { "" })
    }
}

impl Part {
    fn is_idle(&self) -> bool {
        self.0 == 0 && self.1 == 0 && !self.2
    }
}

/// `add.64 x0,i0`.
struct Operation(&'static str, bool, Src, Src);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {}", self.0, if self.1 { 64 } else { 32 }, self.2.asm())?;
        if self.3 == Src::Zero { Ok(()) } else { write!(f, ",{}", self.3.asm()) }
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Read::Reg(register) => write!(f, "r{register}"),
            Read::Const(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Target {
    /// `@12`, or the XDP action's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Goto(address) => write!(f, "@{}", address.0),
            Target::Exit(value) => match super::parse::ACTIONS.get(usize::from(*value)) {
                Some(name) => f.write_str(name),
                None => write!(f, "exit{value}"),
            },
        }
    }
}

impl Word {
    fn operands(&self) -> [Src; 13] {
        [
            self.a1_a,
            self.a1_b,
            self.a2_a,
            self.a2_b,
            self.c1_a,
            self.c1_b,
            self.c2_a,
            self.c2_b,
            self.s0_src,
            self.s1_src,
            self.w0_src,
            self.w1_src,
            self.q_vsrc,
        ]
    }

    fn uses(&self, source: Src, base: Base) -> bool {
        self.operands().contains(&source) || [self.g_base, self.ld_base, self.st_base, self.q_kbase].contains(&base)
    }
}

impl fmt::Display for Word {
    /// The disassembly, one line, without idle units.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &mut Line { f, started: false };
        for (name, field, source, base) in
            [("ra", self.ra, Src::Ra, Base::Ra), ("rb", self.rb, Src::Rb, Base::Rb), ("rc", self.rc, Src::Rc, Base::Rc)]
        {
            let third = source == Src::Rc && self.q_op.shape().third;
            if field != 0 || self.uses(source, base) || third {
                line.unit(format_args!("{name}={}", Read::decode(field)))?;
            }
        }
        if self.g_en || self.g_base != Base::Zero || self.g_len != 0 {
            let off = if self.g_en { "" } else { ".off" };
            line.unit(format_args!("guard{off} {}+{}", self.g_base.asm(), self.g_len))?;
        }
        self.load(line)?;
        self.alus(line)?;
        self.store(line)?;
        if self.w0_src != Src::Zero || self.w0_reg != 0 {
            line.unit(format_args!("r{}={}", u16::from(self.w0_reg) * 2, self.w0_src.asm()))?;
        }
        if self.w1_src != Src::Zero || self.w1_reg != 0 {
            line.unit(format_args!("r{}={}", u16::from(self.w1_reg) * 2 + 1, self.w1_src.asm()))?;
        }
        self.immediates(line)?;
        self.request(line)?;
        if self.t1 != Target::default() || self.c1_op != CmpOp::Never {
            line.unit(format_args!("t1={}", self.t1))?;
        }
        if self.t2 != Target::default()
            || self.g_en
            || self.c2_op != CmpOp::Never
            || self.q_null
            || self.q_op == RequestOp::Call
        {
            line.unit(format_args!("t2={}", self.t2))?;
        }
        line.unit(format_args!("next={}", self.next))
    }
}

impl Word {
    fn load(&self, line: &mut Line<'_, '_>) -> fmt::Result {
        let address = Address(self.ld_space, self.ld_base, self.ld_off);
        let x0 = Part(self.x0_size, self.x0_delta, self.x0_swap);
        let x1 = Part(self.x1_size, self.x1_delta, self.x1_swap);
        let idle = self.ld_space == Space::Packet && self.ld_base == Base::Zero && self.ld_off == 0;
        if idle && !self.ld_dismiss && x0.is_idle() && x1.is_idle() {
            return Ok(());
        }
        line.unit(format_args!("ld{} {address}", if self.ld_dismiss { ".dismiss" } else { "" }))?;
        line.more(!x0.is_idle(), format_args!(" x0={x0}"))?;
        line.more(!x1.is_idle(), format_args!(" x1={x1}"))
    }

    fn alus(&self, line: &mut Line<'_, '_>) -> fmt::Result {
        for (name, op, wide, a, b) in
            [("a1", self.a1_op, self.a1_w, self.a1_a, self.a1_b), ("a2", self.a2_op, self.a2_w, self.a2_a, self.a2_b)]
        {
            if op != AluOp::Mov || wide || a != Src::Zero || b != Src::Zero {
                line.unit(format_args!("{name}={}", Operation(op.asm(), wide, a, b)))?;
            }
        }
        for (name, op, wide, a, b) in
            [("c1", self.c1_op, self.c1_w, self.c1_a, self.c1_b), ("c2", self.c2_op, self.c2_w, self.c2_a, self.c2_b)]
        {
            if op != CmpOp::Never || wide || a != Src::Zero || b != Src::Zero {
                line.unit(format_args!("{name}={}", Operation(op.asm(), wide, a, b)))?;
            }
        }
        Ok(())
    }

    fn store(&self, line: &mut Line<'_, '_>) -> fmt::Result {
        let s0 = Part(self.s0_size, self.s0_delta, self.s0_swap);
        let s1 = Part(self.s1_size, self.s1_delta, self.s1_swap);
        let (use0, use1) = (!s0.is_idle() || self.s0_src != Src::Zero, !s1.is_idle() || self.s1_src != Src::Zero);
        let address = self.st_space != Space::Packet || self.st_base != Base::Zero || self.st_off != 0;
        if self.st_op == StoreOp::None && !address && !self.st_kill1 && !self.st_kill2 && !use0 && !use1 {
            return Ok(());
        }
        match self.st_op {
            StoreOp::Store => line.unit(format_args!("{}", self.st_op.asm()))?,
            other => line.unit(format_args!("{}.{}", StoreOp::Store.asm(), other.asm()))?,
        }
        line.more(true, format_args!(" {}", Address(self.st_space, self.st_base, self.st_off)))?;
        line.more(use0, format_args!(" s0={}:{s0}", self.s0_src.asm()))?;
        line.more(use1, format_args!(" s1={}:{s1}", self.s1_src.asm()))?;
        line.more(self.st_kill1, format_args!(" kill1"))?;
        line.more(self.st_kill2, format_args!(" kill2"))
    }

    fn immediates(&self, line: &mut Line<'_, '_>) -> fmt::Result {
        if self.operands().contains(&Src::Iw) {
            let wide = i32::from(self.i1) << 16 | i32::from(self.i0.cast_unsigned());
            return if wide.unsigned_abs() < 10_000 {
                line.unit(format_args!("iw={wide}"))
            } else {
                line.unit(format_args!("iw={wide:#x}"))
            };
        }
        let used = |source| self.operands().contains(&source);
        if self.i0 != 0 || used(Src::I0) {
            line.unit(format_args!("i0={}", self.i0))?;
        }
        if self.i1 != 0 || used(Src::I1) {
            line.unit(format_args!("i1={}", self.i1))?;
        }
        Ok(())
    }

    fn request(&self, line: &mut Line<'_, '_>) -> fmt::Result {
        let key = self.q_kspace != Space::Packet || self.q_kbase != Base::Zero || self.q_koff != 0;
        let value = self.q_vspace != Space::Packet || self.q_vsrc != Src::Zero;
        if self.q_op == RequestOp::None && self.q_map == 0 && !key && !value && self.q_dst == 0 && !self.q_null {
            return Ok(());
        }
        let shape = self.q_op.shape();
        let update = shape.value == ValueUse::Value;
        let map = shape.map == MapUse::Slot;
        let key = key || shape.key != KeyUse::None;
        let value = value || shape.value != ValueUse::None;
        line.unit(format_args!("q.{}", self.q_op.asm()))?;
        line.more(map || self.q_map != 0, format_args!(" map={}", self.q_map))?;
        line.more(key, format_args!(" key={}", Address(self.q_kspace, self.q_kbase, self.q_koff)))?;
        let space = update || self.q_vspace != Space::Packet;
        line.more(value, format_args!(" val="))?;
        line.more(space, format_args!("{}:", self.q_vspace.asm()))?;
        line.more(value, format_args!("{}", self.q_vsrc.asm()))?;
        line.more(shape.answers || self.q_dst != 0, format_args!(" dst=r{}", self.q_dst))?;
        line.more(self.q_null, format_args!(" null"))
    }
}
