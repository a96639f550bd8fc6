//! Refusals as diagnostics: with the instruction, its C line, and the path that leads there.

use super::refusal::Refusal;
use super::trace::{Event, Trail, TrailId};
use crate::ebpf::{Cond, Insn, InsnIdx, Operand, Width};
use crate::object::{Object, Program};
use offwire_diag::{Diagnostic, Span, Step};

/// Steps of a path that are shown, the last ones.
const STEPS: usize = 12;

/// The message for the user.
pub(super) fn diagnostic(
    object: &Object,
    program: &Program,
    at: InsnIdx,
    refusal: Refusal,
    path: Option<(&Trail, TrailId)>,
) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(refusal.code, refusal.message);
    if program.insns.get(at.at()).is_some() {
        diagnostic = diagnostic.with_span(program.span_with_text(at, object));
    }
    if let Some(reason) = refusal.reason {
        diagnostic = diagnostic.with_reason(reason);
    }
    if let Some((trail, last)) = path {
        diagnostic = diagnostic.with_path(steps(object, program, trail, last));
    }
    match refusal.help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

fn steps(object: &Object, program: &Program, trail: &Trail, last: TrailId) -> Vec<Step> {
    let (events, earlier) = trail.path(last, STEPS);
    let mut steps = Vec::new();
    if earlier > 0 {
        steps.push(Step { span: Span::default(), what: format!("{earlier} earlier steps") });
    }
    steps.extend(events.into_iter().map(|(insn, event)| {
        let at = InsnIdx(insn);
        let what = match event {
            Event::Taken => format!("branch taken, so {}", condition(program, at, true)),
            Event::NotTaken => format!("branch not taken, so {}", condition(program, at, false)),
            Event::Called => "function called".to_string(),
            Event::Returned => "function returns".to_string(),
            Event::Locked => "the spin lock is taken".to_string(),
            Event::Unlocked => "the spin lock is released".to_string(),
            Event::CalledBack => "the function is called back".to_string(),
            Event::LoopDone => "the loop ends".to_string(),
            Event::Reserved => "a record is reserved".to_string(),
            Event::Released => "the record is given back".to_string(),
            Event::TailCalled => "the tail call succeeds, and the other program returns to the caller".to_string(),
            Event::TailCallFailed => "the tail call fails".to_string(),
            Event::PacketMoved => "the packet moves, pointers into it become stale".to_string(),
        };
        Step { span: program.span_with_text(at, object), what }
    }));
    steps
}

/// What holds on a side of a conditional jump, such as "r2 > r3".
fn condition(program: &Program, at: InsnIdx, taken: bool) -> String {
    let Some(&Insn::JumpIf { width, cond, dst, src, .. }) = program.insns.get(at.at()) else {
        return "branch".to_string();
    };
    let letter = if width == Width::W32 { 'w' } else { 'r' };
    let operand = match src {
        Operand::Reg(reg) => format!("{letter}{}", reg.0),
        Operand::Imm(imm) => imm.to_string(),
    };
    let sign = match (cond, taken) {
        (Cond::Eq, true) | (Cond::Ne, false) => "==",
        (Cond::Ne, true) | (Cond::Eq, false) => "!=",
        (Cond::Gt, true) | (Cond::Le, false) => ">",
        (Cond::Ge, true) | (Cond::Lt, false) => ">=",
        (Cond::Lt, true) | (Cond::Ge, false) => "<",
        (Cond::Le, true) | (Cond::Gt, false) => "<=",
        (Cond::Sgt, true) | (Cond::Sle, false) => "s>",
        (Cond::Sge, true) | (Cond::Slt, false) => "s>=",
        (Cond::Slt, true) | (Cond::Sge, false) => "s<",
        (Cond::Sle, true) | (Cond::Sgt, false) => "s<=",
        (Cond::Set, true) => return format!("{letter}{} & {operand} != 0", dst.0),
        (Cond::Set, false) => return format!("{letter}{} & {operand} == 0", dst.0),
    };
    format!("{letter}{} {sign} {operand}", dst.0)
}
