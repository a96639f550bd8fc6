// Generated from hw/spec by `cargo xtask codegen`; do not edit.

use super::consts::*;
use super::enums::{AluOp, Base, CmpOp, RequestOp, Space, Src, StoreOp};
use super::word::Word;
use crate::bits::Bits;
use crate::{DecodeError, Target};

impl Word {
    /// The 288-bit encoding; bit 0 of the word is bit 0 of byte 0.
    ///
    /// Never fails: a number too large for its field is cut to the field's bits. [`Word::check`] tells whether anything would
    /// be cut, or refused by [`Word::decode`]; whoever makes words calls it first.
    pub fn encode(&self) -> [u8; WORD_BYTES] {
        let mut bits = Bits::default();
        bits.put(282, 6, self.ra as u64);
        bits.put(276, 6, self.rb as u64);
        bits.put(270, 6, self.rc as u64);
        bits.put(269, 1, self.g_en as u64);
        bits.put(267, 2, self.g_base.code() as u64);
        bits.put(257, 10, self.g_len as u64);
        bits.put(255, 2, self.ld_space.code() as u64);
        bits.put(253, 2, self.ld_base.code() as u64);
        bits.put(243, 10, self.ld_off as u64);
        bits.put(242, 1, self.ld_dismiss as u64);
        bits.put(238, 4, self.x0_delta as u64);
        bits.put(234, 4, self.x0_size as u64);
        bits.put(233, 1, self.x0_swap as u64);
        bits.put(229, 4, self.x1_delta as u64);
        bits.put(225, 4, self.x1_size as u64);
        bits.put(224, 1, self.x1_swap as u64);
        bits.put(219, 5, self.a1_op.code() as u64);
        bits.put(218, 1, self.a1_w as u64);
        bits.put(214, 4, self.a1_a.code() as u64);
        bits.put(210, 4, self.a1_b.code() as u64);
        bits.put(205, 5, self.a2_op.code() as u64);
        bits.put(204, 1, self.a2_w as u64);
        bits.put(200, 4, self.a2_a.code() as u64);
        bits.put(196, 4, self.a2_b.code() as u64);
        bits.put(192, 4, self.c1_op.code() as u64);
        bits.put(191, 1, self.c1_w as u64);
        bits.put(187, 4, self.c1_a.code() as u64);
        bits.put(183, 4, self.c1_b.code() as u64);
        bits.put(179, 4, self.c2_op.code() as u64);
        bits.put(178, 1, self.c2_w as u64);
        bits.put(174, 4, self.c2_a.code() as u64);
        bits.put(170, 4, self.c2_b.code() as u64);
        bits.put(167, 3, self.st_op.code() as u64);
        bits.put(165, 2, self.st_space.code() as u64);
        bits.put(163, 2, self.st_base.code() as u64);
        bits.put(153, 10, self.st_off as u64);
        bits.put(152, 1, self.st_kill1 as u64);
        bits.put(151, 1, self.st_kill2 as u64);
        bits.put(147, 4, self.s0_delta as u64);
        bits.put(143, 4, self.s0_size as u64);
        bits.put(139, 4, self.s0_src.code() as u64);
        bits.put(138, 1, self.s0_swap as u64);
        bits.put(134, 4, self.s1_delta as u64);
        bits.put(130, 4, self.s1_size as u64);
        bits.put(126, 4, self.s1_src.code() as u64);
        bits.put(125, 1, self.s1_swap as u64);
        bits.put(121, 4, self.w0_src.code() as u64);
        bits.put(118, 3, self.w0_reg as u64);
        bits.put(114, 4, self.w1_src.code() as u64);
        bits.put(111, 3, self.w1_reg as u64);
        bits.put(95, 16, self.i0 as u64);
        bits.put(79, 16, self.i1 as u64);
        bits.put(73, 6, self.q_op.code() as u64);
        bits.put(65, 8, self.q_map as u64);
        bits.put(63, 2, self.q_kspace.code() as u64);
        bits.put(61, 2, self.q_kbase.code() as u64);
        bits.put(51, 10, self.q_koff as u64);
        bits.put(49, 2, self.q_vspace.code() as u64);
        bits.put(45, 4, self.q_vsrc.code() as u64);
        bits.put(41, 4, self.q_dst as u64);
        bits.put(40, 1, self.q_null as u64);
        bits.put(27, 13, self.t1.encode() as u64);
        bits.put(14, 13, self.t2.encode() as u64);
        bits.put(1, 13, self.next.encode() as u64);
        bits.to_bytes()
    }

    /// Reads an encoded word. Total: any bytes give a word or an error that names the field.
    ///
    /// # Errors
    /// Spare bits that are not zero, codes that an enumeration lacks, bad targets, and all that [`Word::check`] refuses.
    pub fn decode(bytes: &[u8; WORD_BYTES]) -> Result<Word, DecodeError> {
        let bits = Bits::from_bytes(bytes);
        if bits.get(0, 1) != 0 {
            return Err(DecodeError::Spare);
        }
        let word = Word {
            ra: bits.get(282, 6) as u8,
            rb: bits.get(276, 6) as u8,
            rc: bits.get(270, 6) as u8,
            g_en: bits.get(269, 1) != 0,
            g_base: Base::from_code(bits.get(267, 2) as u8).ok_or(DecodeError::code("g_base", bits.get(267, 2)))?,
            g_len: bits.get(257, 10) as u16,
            ld_space: Space::from_code(bits.get(255, 2) as u8).ok_or(DecodeError::code("ld_space", bits.get(255, 2)))?,
            ld_base: Base::from_code(bits.get(253, 2) as u8).ok_or(DecodeError::code("ld_base", bits.get(253, 2)))?,
            ld_off: bits.get_signed(243, 10),
            ld_dismiss: bits.get(242, 1) != 0,
            x0_delta: bits.get(238, 4) as u8,
            x0_size: bits.get(234, 4) as u8,
            x0_swap: bits.get(233, 1) != 0,
            x1_delta: bits.get(229, 4) as u8,
            x1_size: bits.get(225, 4) as u8,
            x1_swap: bits.get(224, 1) != 0,
            a1_op: AluOp::from_code(bits.get(219, 5) as u8).ok_or(DecodeError::code("a1_op", bits.get(219, 5)))?,
            a1_w: bits.get(218, 1) != 0,
            a1_a: Src::from_code(bits.get(214, 4) as u8).ok_or(DecodeError::code("a1_a", bits.get(214, 4)))?,
            a1_b: Src::from_code(bits.get(210, 4) as u8).ok_or(DecodeError::code("a1_b", bits.get(210, 4)))?,
            a2_op: AluOp::from_code(bits.get(205, 5) as u8).ok_or(DecodeError::code("a2_op", bits.get(205, 5)))?,
            a2_w: bits.get(204, 1) != 0,
            a2_a: Src::from_code(bits.get(200, 4) as u8).ok_or(DecodeError::code("a2_a", bits.get(200, 4)))?,
            a2_b: Src::from_code(bits.get(196, 4) as u8).ok_or(DecodeError::code("a2_b", bits.get(196, 4)))?,
            c1_op: CmpOp::from_code(bits.get(192, 4) as u8).ok_or(DecodeError::code("c1_op", bits.get(192, 4)))?,
            c1_w: bits.get(191, 1) != 0,
            c1_a: Src::from_code(bits.get(187, 4) as u8).ok_or(DecodeError::code("c1_a", bits.get(187, 4)))?,
            c1_b: Src::from_code(bits.get(183, 4) as u8).ok_or(DecodeError::code("c1_b", bits.get(183, 4)))?,
            c2_op: CmpOp::from_code(bits.get(179, 4) as u8).ok_or(DecodeError::code("c2_op", bits.get(179, 4)))?,
            c2_w: bits.get(178, 1) != 0,
            c2_a: Src::from_code(bits.get(174, 4) as u8).ok_or(DecodeError::code("c2_a", bits.get(174, 4)))?,
            c2_b: Src::from_code(bits.get(170, 4) as u8).ok_or(DecodeError::code("c2_b", bits.get(170, 4)))?,
            st_op: StoreOp::from_code(bits.get(167, 3) as u8).ok_or(DecodeError::code("st_op", bits.get(167, 3)))?,
            st_space: Space::from_code(bits.get(165, 2) as u8).ok_or(DecodeError::code("st_space", bits.get(165, 2)))?,
            st_base: Base::from_code(bits.get(163, 2) as u8).ok_or(DecodeError::code("st_base", bits.get(163, 2)))?,
            st_off: bits.get_signed(153, 10),
            st_kill1: bits.get(152, 1) != 0,
            st_kill2: bits.get(151, 1) != 0,
            s0_delta: bits.get(147, 4) as u8,
            s0_size: bits.get(143, 4) as u8,
            s0_src: Src::from_code(bits.get(139, 4) as u8).ok_or(DecodeError::code("s0_src", bits.get(139, 4)))?,
            s0_swap: bits.get(138, 1) != 0,
            s1_delta: bits.get(134, 4) as u8,
            s1_size: bits.get(130, 4) as u8,
            s1_src: Src::from_code(bits.get(126, 4) as u8).ok_or(DecodeError::code("s1_src", bits.get(126, 4)))?,
            s1_swap: bits.get(125, 1) != 0,
            w0_src: Src::from_code(bits.get(121, 4) as u8).ok_or(DecodeError::code("w0_src", bits.get(121, 4)))?,
            w0_reg: bits.get(118, 3) as u8,
            w1_src: Src::from_code(bits.get(114, 4) as u8).ok_or(DecodeError::code("w1_src", bits.get(114, 4)))?,
            w1_reg: bits.get(111, 3) as u8,
            i0: bits.get_signed(95, 16),
            i1: bits.get_signed(79, 16),
            q_op: RequestOp::from_code(bits.get(73, 6) as u8).ok_or(DecodeError::code("q_op", bits.get(73, 6)))?,
            q_map: bits.get(65, 8) as u8,
            q_kspace: Space::from_code(bits.get(63, 2) as u8).ok_or(DecodeError::code("q_kspace", bits.get(63, 2)))?,
            q_kbase: Base::from_code(bits.get(61, 2) as u8).ok_or(DecodeError::code("q_kbase", bits.get(61, 2)))?,
            q_koff: bits.get_signed(51, 10),
            q_vspace: Space::from_code(bits.get(49, 2) as u8).ok_or(DecodeError::code("q_vspace", bits.get(49, 2)))?,
            q_vsrc: Src::from_code(bits.get(45, 4) as u8).ok_or(DecodeError::code("q_vsrc", bits.get(45, 4)))?,
            q_dst: bits.get(41, 4) as u8,
            q_null: bits.get(40, 1) != 0,
            t1: Target::decode(bits.get(27, 13) as u16).ok_or(DecodeError::target("t1", bits.get(27, 13)))?,
            t2: Target::decode(bits.get(14, 13) as u16).ok_or(DecodeError::target("t2", bits.get(14, 13)))?,
            next: Target::decode(bits.get(1, 13) as u16).ok_or(DecodeError::target("next", bits.get(1, 13)))?,
        };
        word.check_rules()?;
        Ok(word)
    }

    /// Tells whether [`Word::decode`] gives this word back from its encoding: every number fits its field, every operand is
    /// in reach of its unit, limits and rules hold.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), DecodeError> {
        if self.ra > 63 {
            return Err(DecodeError::Range { field: "ra", value: self.ra.into() });
        }
        if self.rb > 63 {
            return Err(DecodeError::Range { field: "rb", value: self.rb.into() });
        }
        if self.rc > 63 {
            return Err(DecodeError::Range { field: "rc", value: self.rc.into() });
        }
        if self.g_len > 1023 {
            return Err(DecodeError::Range { field: "g_len", value: self.g_len.into() });
        }
        if self.ld_off < -512 || self.ld_off > 511 {
            return Err(DecodeError::Range { field: "ld_off", value: self.ld_off.into() });
        }
        if self.x0_delta > 15 {
            return Err(DecodeError::Range { field: "x0_delta", value: self.x0_delta.into() });
        }
        if self.x0_size > 15 {
            return Err(DecodeError::Range { field: "x0_size", value: self.x0_size.into() });
        }
        if self.x1_delta > 15 {
            return Err(DecodeError::Range { field: "x1_delta", value: self.x1_delta.into() });
        }
        if self.x1_size > 15 {
            return Err(DecodeError::Range { field: "x1_size", value: self.x1_size.into() });
        }
        if self.st_off < -512 || self.st_off > 511 {
            return Err(DecodeError::Range { field: "st_off", value: self.st_off.into() });
        }
        if self.s0_delta > 15 {
            return Err(DecodeError::Range { field: "s0_delta", value: self.s0_delta.into() });
        }
        if self.s0_size > 15 {
            return Err(DecodeError::Range { field: "s0_size", value: self.s0_size.into() });
        }
        if self.s1_delta > 15 {
            return Err(DecodeError::Range { field: "s1_delta", value: self.s1_delta.into() });
        }
        if self.s1_size > 15 {
            return Err(DecodeError::Range { field: "s1_size", value: self.s1_size.into() });
        }
        if self.w0_reg > 7 {
            return Err(DecodeError::Range { field: "w0_reg", value: self.w0_reg.into() });
        }
        if self.w1_reg > 7 {
            return Err(DecodeError::Range { field: "w1_reg", value: self.w1_reg.into() });
        }
        if self.q_koff < -512 || self.q_koff > 511 {
            return Err(DecodeError::Range { field: "q_koff", value: self.q_koff.into() });
        }
        if self.q_dst > 15 {
            return Err(DecodeError::Range { field: "q_dst", value: self.q_dst.into() });
        }
        if Target::decode(self.t1.encode()) != Some(self.t1) {
            return Err(DecodeError::target("t1", self.t1.encode() as u64));
        }
        if Target::decode(self.t2.encode()) != Some(self.t2) {
            return Err(DecodeError::target("t2", self.t2.encode() as u64));
        }
        if Target::decode(self.next.encode()) != Some(self.next) {
            return Err(DecodeError::target("next", self.next.encode() as u64));
        }
        self.check_rules()
    }

    /// Operand sources, limits and rules.
    fn check_rules(&self) -> Result<(), DecodeError> {
        if !ALU1_SOURCES.contains(&self.a1_a) {
            return Err(DecodeError::Source { field: "a1_a", source: self.a1_a });
        }
        if !ALU1_SOURCES.contains(&self.a1_b) {
            return Err(DecodeError::Source { field: "a1_b", source: self.a1_b });
        }
        if !ALU2_SOURCES.contains(&self.a2_a) {
            return Err(DecodeError::Source { field: "a2_a", source: self.a2_a });
        }
        if !ALU2_SOURCES.contains(&self.a2_b) {
            return Err(DecodeError::Source { field: "a2_b", source: self.a2_b });
        }
        if !COMPARE1_SOURCES.contains(&self.c1_a) {
            return Err(DecodeError::Source { field: "c1_a", source: self.c1_a });
        }
        if !COMPARE1_SOURCES.contains(&self.c1_b) {
            return Err(DecodeError::Source { field: "c1_b", source: self.c1_b });
        }
        if !COMPARE2_SOURCES.contains(&self.c2_a) {
            return Err(DecodeError::Source { field: "c2_a", source: self.c2_a });
        }
        if !COMPARE2_SOURCES.contains(&self.c2_b) {
            return Err(DecodeError::Source { field: "c2_b", source: self.c2_b });
        }
        if !STORE_SOURCES.contains(&self.s0_src) {
            return Err(DecodeError::Source { field: "s0_src", source: self.s0_src });
        }
        if !STORE_SOURCES.contains(&self.s1_src) {
            return Err(DecodeError::Source { field: "s1_src", source: self.s1_src });
        }
        if !WRITE_SOURCES.contains(&self.w0_src) {
            return Err(DecodeError::Source { field: "w0_src", source: self.w0_src });
        }
        if !WRITE_SOURCES.contains(&self.w1_src) {
            return Err(DecodeError::Source { field: "w1_src", source: self.w1_src });
        }
        if !REQUEST_SOURCES.contains(&self.q_vsrc) {
            return Err(DecodeError::Source { field: "q_vsrc", source: self.q_vsrc });
        }
        if self.x0_size > 8 {
            return Err(DecodeError::Limit { field: "x0_size", limit: "x0_size <= 8" });
        }
        if self.x1_size > 8 {
            return Err(DecodeError::Limit { field: "x1_size", limit: "x1_size <= 8" });
        }
        if self.x0_delta as u32 + self.x0_size as u32 > 16 {
            return Err(DecodeError::Limit { field: "x0_size", limit: "x0_delta + x0_size <= 16" });
        }
        if self.x1_delta as u32 + self.x1_size as u32 > 16 {
            return Err(DecodeError::Limit { field: "x1_size", limit: "x1_delta + x1_size <= 16" });
        }
        if self.s0_size > 8 {
            return Err(DecodeError::Limit { field: "s0_size", limit: "s0_size <= 8" });
        }
        if self.s1_size > 8 {
            return Err(DecodeError::Limit { field: "s1_size", limit: "s1_size <= 8" });
        }
        if self.s0_delta as u32 + self.s0_size as u32 > 16 {
            return Err(DecodeError::Limit { field: "s0_size", limit: "s0_delta + s0_size <= 16" });
        }
        if self.s1_delta as u32 + self.s1_size as u32 > 16 {
            return Err(DecodeError::Limit { field: "s1_size", limit: "s1_delta + s1_size <= 16" });
        }
        if self.st_op == StoreOp::Add32 {
            if self.s0_size != 4 {
                return Err(DecodeError::Limit { field: "s0_size", limit: "st_op = Add32: s0_size = 4, s0_swap = 0, s1_size = 0" });
            }
            if self.s0_swap {
                return Err(DecodeError::Limit { field: "s0_swap", limit: "st_op = Add32: s0_size = 4, s0_swap = 0, s1_size = 0" });
            }
            if self.s1_size != 0 {
                return Err(DecodeError::Limit { field: "s1_size", limit: "st_op = Add32: s0_size = 4, s0_swap = 0, s1_size = 0" });
            }
        }
        if self.st_op == StoreOp::Add64 {
            if self.s0_size != 8 {
                return Err(DecodeError::Limit { field: "s0_size", limit: "st_op = Add64: s0_size = 8, s0_swap = 0, s1_size = 0" });
            }
            if self.s0_swap {
                return Err(DecodeError::Limit { field: "s0_swap", limit: "st_op = Add64: s0_size = 8, s0_swap = 0, s1_size = 0" });
            }
            if self.s1_size != 0 {
                return Err(DecodeError::Limit { field: "s1_size", limit: "st_op = Add64: s0_size = 8, s0_swap = 0, s1_size = 0" });
            }
        }
        Ok(())
    }
}
