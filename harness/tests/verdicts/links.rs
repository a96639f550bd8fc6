//! A link between two numbers that the kernel (6.18) keeps although they differ, and what it accepts because of that.
//!
//! A number of at most 16 bits that is spilled and loaded again as 16 bits is the same number, and what a branch tells of one holds
//! for the other. The kernel links them also if the load extends the sign, so that 0x8000 comes back as -32,768
//! (`check_stack_read_fixed_off` keeps the id, `coerce_reg_to_size_sx` does not drop it). Here such a load is linked only if it
//! cannot change the number.

use crate::common::*;
use offload_compiler::ebpf::{AluOp, Cond, Imm64, Insn, InsnIdx, Operand, Reg, Size, Width};
use offload_compiler::object::Object;
use offload_compiler::verify::{Limits, verify};
use offwire_diag::codes;
use offwire_harness::host::load_verdict;
use offwire_harness::reference::Ref;
use offwire_harness::{Backend, Entry, EntryValue};
use offwire_image::{MapKind, MapSpec};

/// The program with the link of each sign-extending load from the stack cut: `dst s>>= 0` behind it gives the same
/// number, of which the kernel knows the same bounds.
fn cut(insns: &[Insn]) -> Vec<Insn> {
    let links = |insn: &Insn| matches!(insn, Insn::Load { signed: true, base: Reg(10), .. });
    let mut places = Vec::new();
    let mut out: Vec<Insn> = Vec::new();
    for insn in insns {
        places.push(InsnIdx(out.len() as u32));
        out.push(*insn);
        if let (true, &Insn::Load { dst, .. }) = (links(insn), insn) {
            out.push(Insn::Alu { width: Width::W64, op: AluOp::Arsh, dst, src: Operand::Imm(0) });
        }
    }
    for insn in &mut out {
        if let Insn::Jump { target }
        | Insn::JumpIf { target, .. }
        | Insn::CallLocal { target }
        | Insn::LoadImm64 { value: Imm64::Func(target), .. } = insn
        {
            *target = places[target.0 as usize];
        }
    }
    out
}

/// True if the kernel refuses the program, which it accepts, once it has no such link.
pub(crate) fn taken_for_a_wrong_link(insns: &[Insn], object: impl Fn(&[Insn]) -> Object) -> bool {
    let cut = cut(insns);
    cut.len() > insns.len() && load_verdict(&object(&cut), 0).expect("bpf(2) works").is_err()
}

fn cells() -> [MapSpec; 1] {
    [map_spec("cells", MapKind::Array, 4, 8, 2)]
}

/// r8 = the first cell; r9 = 16 bits of the packet, spilled; r7 = the same loaded with its sign, negative; then `rest`.
fn with_linked(rest: impl FnOnce(&mut Asm)) -> Vec<Insn> {
    let mut asm = Asm::default();
    asm.put(prologue(64)).put([load(Size::B2, R9, R5, 0), store_imm(Size::B4, R10, -16, 0), copy(Reg(2), R10)]);
    asm.put([add(Reg(2), -16)]).put(map(R1, 0)).helper(1).jump_if(Cond::Eq, R0, 0, "out").put([copy(R8, R0)]);
    asm.put([store(Size::B8, R10, -8, R9), Insn::Load { size: Size::B2, signed: true, dst: R7, base: R10, off: -8 }]);
    asm.jump_if(Cond::Sge, R7, 0, "out");
    rest(&mut asm);
    asm.label("out").put([mov(R0, 2), Insn::Exit]).done()
}

/// The kernel takes the 16 bits for negative, too, so their sign for 1. It is 0, and the access goes to the next cell.
#[test]
fn the_kernel_accepts_an_access_out_of_bounds() {
    let shift = |op, imm| Insn::Alu { width: Width::W64, op, dst: R9, src: Operand::Imm(imm) };
    let insns = with_linked(|asm| {
        asm.put([shift(AluOp::Rsh, 63), shift(AluOp::Xor, 1), shift(AluOp::Lsh, 3)]);
        asm.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R8, src: Operand::Reg(R9) }]);
        asm.put([load(Size::B4, R0, R8, 0), Insn::Exit]);
    });
    let object = object(&insns, &cells());
    let refused = verify(&object, &object.programs[0], &Limits::default()).expect_err("it is not safe");
    assert_eq!(refused.code, codes::verify::MAP_VALUE_BOUNDS, "{refused}");

    // An execution that leaves the value.
    let mut bytes = [0; 64];
    bytes[1] = 0x80;
    let fault = Ref::new(&object, 0).expect("it loads").run(&packet(&bytes)).expect_err("it leaves its bounds");
    assert_eq!(fault.code, codes::host::REF_BOUNDS, "{fault}");

    // The same execution in the kernel reads the cell behind.
    if !host_works() || !crate::reference_kernel() {
        return;
    }
    let mut kernel = host(&object);
    for (key, value) in [(0, 0x1111_1111u64), (1, 0x2222_2222)] {
        let entry = Entry { key: vec![key, 0, 0, 0], value: EntryValue::One(value.to_le_bytes().to_vec()) };
        kernel.map_update(offload_compiler::ebpf::MapIdx(0), &entry).expect("an entry");
    }
    assert_eq!(kernel.run(&packet(&bytes)).expect("it runs").retval, 0x2222_2222);
    assert!(taken_for_a_wrong_link(&insns, |insns| super::object(insns, &cells())), "there is another reason");
}

/// The smallest form of a random program on which verdicts differed. What the kernel concludes is true here: 16 bits of which the
/// highest is set are more than 14. But its reason is the link above; nothing that holds in general tells so.
#[test]
fn a_dead_side_that_only_a_wrong_link_shows_is_looked_at() {
    let insns = with_linked(|asm| {
        asm.jump_if(Cond::Gt, R9, 14, "out");
        asm.put([Insn::Alu { width: Width::W64, op: AluOp::Add, dst: R8, src: Operand::Reg(R7) }]);
        asm.put([load(Size::B1, R0, R8, 0), Insn::Exit]);
    });
    let object = object(&insns, &cells());
    let refused = verify(&object, &object.programs[0], &Limits::default()).expect_err("its index may be negative");
    assert_eq!(refused.code, codes::verify::MAP_VALUE_BOUNDS, "{refused}");
    if host_works() && crate::reference_kernel() {
        assert!(load_verdict(&object, 0).expect("bpf(2) works").is_ok(), "the kernel refuses it by now");
        assert!(taken_for_a_wrong_link(&insns, |insns| super::object(insns, &cells())), "there is another reason");
    }
}
