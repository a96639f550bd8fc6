//! Instructions as text, in the syntax of the kernel's verifier log (kernel/bpf/disasm.c, `print_bpf_insn`), without the
//! opcode in brackets. Maps stand with their names where the kernel prints addresses.

use super::{AluOp, AtomicOp, Cond, Imm64, Insn, InsnIdx, MapIdx, Operand, Size, Width, helper_name};

/// Names that the text may use.
pub trait Names {
    /// Name of a map; `None` prints its index.
    fn map(&self, map: MapIdx) -> Option<&str>;
}

/// No names: maps print as `map[0]`.
impl Names for () {
    fn map(&self, _: MapIdx) -> Option<&str> {
        None
    }
}

/// One instruction as text; `at` is where it stands, because jumps print relative ("pc+3"). The second slot of a 64-bit
/// immediate load is empty.
pub fn disasm(at: InsnIdx, insn: &Insn, names: &(impl Names + ?Sized)) -> String {
    match *insn {
        Insn::Alu { width, op, dst, src } => {
            let r = letter(width);
            format!("{r}{} {} {}", dst.0, alu(op), operand(src, r))
        }
        Insn::MovSx { width, bits, dst, src } => {
            let r = letter(width);
            format!("{r}{} = (s{bits}){r}{}", dst.0, src.0)
        }
        Insn::Neg { width, dst } => {
            let r = letter(width);
            format!("{r}{0} = -{r}{0}", dst.0)
        }
        Insn::Endian { bits, to_be, dst } => {
            format!("r{0} = {1}{bits} r{0}", dst.0, if to_be { "be" } else { "le" })
        }
        Insn::Bswap { bits, dst } => format!("r{0} = bswap{bits} r{0}", dst.0),
        Insn::LoadImm64 { dst, value } => format!("r{} = {}", dst.0, imm64(at, value, names)),
        Insn::Wide => String::new(),
        Insn::Load { size, signed, dst, base, off } => {
            let sign = if signed { 's' } else { 'u' };
            format!("r{} = *({sign}{} *)(r{} {off:+})", dst.0, size.bytes() * 8, base.0)
        }
        Insn::Store { size, base, off, src } => {
            format!("*({} *)(r{} {off:+}) = {}", unsigned(size), base.0, operand(src, 'r'))
        }
        Insn::Atomic { size, op, fetch, base, off, src } => {
            let place = format!("({} *)(r{} {off:+})", unsigned(size), base.0);
            let wide = if size == Size::B8 { "64" } else { "" };
            match (op, fetch) {
                (AtomicOp::Cmpxchg, _) => format!("r0 = atomic{wide}_cmpxchg({place}, r0, r{})", src.0),
                (AtomicOp::Xchg, _) => format!("r{0} = atomic{wide}_xchg({place}, r{0})", src.0),
                (_, false) => format!("lock *{place} {} r{}", atomic(op).1, src.0),
                (_, true) => format!("r{0} = atomic{wide}_fetch_{1}({place}, r{0})", src.0, atomic(op).0),
            }
        }
        Insn::Jump { target } => {
            let delta = relative(at, target);
            format!("{} pc{delta:+}", if i16::try_from(delta).is_ok() { "goto" } else { "gotol" })
        }
        Insn::JumpIf { width, cond, dst, src, target } => {
            let r = letter(width);
            let src = match src {
                Operand::Reg(src) => format!("{r}{}", src.0),
                Operand::Imm(imm) => format!("{imm:#x}"),
            };
            format!("if {r}{} {} {src} goto pc{:+}", dst.0, condition(cond), relative(at, target))
        }
        Insn::CallHelper { id } => format!("call {}#{id}", helper_name(id).unwrap_or("unknown")),
        Insn::CallLocal { target } => format!("call pc{:+}", relative(at, target)),
        Insn::CallKfunc { btf_id } => format!("call kernel-function#{btf_id}"),
        Insn::Exit => "exit".to_owned(),
    }
}

fn imm64(at: InsnIdx, value: Imm64, names: &(impl Names + ?Sized)) -> String {
    let map = |map: MapIdx| match names.map(map) {
        Some(name) => format!("map[name:{name}]"),
        None => format!("map[{}]", map.0),
    };
    match value {
        Imm64::Const(value) => format!("{value:#x}"),
        Imm64::Map(index) => map(index),
        Imm64::MapValue { map: index, offset } => format!("{}[0]+{offset}", map(index)),
        Imm64::Func(target) => format!("subprog[{:+}]", relative(at, target)),
    }
}

fn relative(at: InsnIdx, target: InsnIdx) -> i64 {
    i64::from(target.0) - i64::from(at.0) - 1
}

fn letter(width: Width) -> char {
    match width {
        Width::W32 => 'w',
        Width::W64 => 'r',
    }
}

fn unsigned(size: Size) -> &'static str {
    match size {
        Size::B1 => "u8",
        Size::B2 => "u16",
        Size::B4 => "u32",
        Size::B8 => "u64",
    }
}

fn operand(src: Operand, letter: char) -> String {
    match src {
        Operand::Reg(reg) => format!("{letter}{}", reg.0),
        Operand::Imm(imm) => imm.to_string(),
    }
}

fn alu(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+=",
        AluOp::Sub => "-=",
        AluOp::Mul => "*=",
        AluOp::Div => "/=",
        AluOp::Sdiv => "s/=",
        AluOp::Or => "|=",
        AluOp::And => "&=",
        AluOp::Lsh => "<<=",
        AluOp::Rsh => ">>=",
        AluOp::Mod => "%=",
        AluOp::Smod => "s%=",
        AluOp::Xor => "^=",
        AluOp::Mov => "=",
        AluOp::Arsh => "s>>=",
    }
}

/// Name and operator.
fn atomic(op: AtomicOp) -> (&'static str, &'static str) {
    match op {
        AtomicOp::Add => ("add", "+="),
        AtomicOp::Or => ("or", "|="),
        AtomicOp::And => ("and", "&="),
        AtomicOp::Xor => ("xor", "^="),
        AtomicOp::Xchg | AtomicOp::Cmpxchg => ("xchg", "="),
    }
}

fn condition(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "==",
        Cond::Ne => "!=",
        Cond::Gt => ">",
        Cond::Ge => ">=",
        Cond::Lt => "<",
        Cond::Le => "<=",
        Cond::Set => "&",
        Cond::Sgt => "s>",
        Cond::Sge => "s>=",
        Cond::Slt => "s<",
        Cond::Sle => "s<=",
    }
}
