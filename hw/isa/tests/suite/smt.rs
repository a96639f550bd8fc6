//! The SMT-LIB functions: z3 reads them, proves what must hold, and finds the same values as Rust.

use crate::random::Random;
use crate::tool;
use offwire_isa::{AluOp, CmpOp, extract, insert};
use std::fmt::Write;

const FUNCTIONS: &str = include_str!("../../gen/isa.smt2");

/// What z3 answers to the functions and `script`, line by line.
fn z3(name: &str, script: &str) -> Option<Vec<String>> {
    let file = tool::scratch(name);
    std::fs::write(&file, format!("{FUNCTIONS}\n{script}")).unwrap();
    let output = tool::run("z3", "z3", &["-T:120".into(), file.display().to_string()])?;
    let text = tool::text(&output);
    assert!(output.status.success() && !text.contains("error"), "{text}");
    Some(text.lines().map(str::to_owned).collect())
}

/// True for all a, b (64 bits), v, w (128 bits), d, s (4 bits), f (truth value).
const LAWS: &[(&str, &str)] = &[
    (
        "subtraction adds the complement",
        "(= (alu64.sub a b) (alu64.add (alu64.add a (alu64.xor b (bvnot (_ bv0 64)))) (_ bv1 64)))",
    ),
    ("byte swap undoes itself", "(= a (alu64.bswap64 (alu64.bswap64 a b) b))"),
    ("bswap32 is half of bswap64", "(= (alu64.bswap32 a b) (alu64.rsh (alu64.bswap64 a b) (_ bv32 64)))"),
    (
        "bswap16 as shifts",
        "(= (alu64.bswap16 a b) (bvor (bvand (bvshl a (_ bv8 64)) (_ bv65280 64)) (bvand (bvlshr a (_ bv8 64)) (_ bv255 64))))",
    ),
    ("sign extension as a shift pair", "(= (alu64.sext16 a b) (alu64.arsh (alu64.lsh a (_ bv48 64)) (_ bv48 64)))"),
    ("zero extension as a shift pair", "(= (alu64.zext8 a b) (alu64.rsh (alu64.lsh a (_ bv56 64)) (_ bv56 64)))"),
    ("shifts count modulo the width", "(= (alu64.lsh a b) (alu64.lsh a (bvand b (_ bv63 64))))"),
    ("32-bit shifts count modulo 32", "(= (alu32.arsh a b) (alu32.arsh a (bvand b (_ bv31 64))))"),
    (
        "32-bit and 64-bit addition share the low half",
        "(= (alu32.add a b) (alu64.and (alu64.add a b) (_ bv4294967295 64)))",
    ),
    ("pack joins halves", "(= (alu64.pack (alu64.rsh a (_ bv32 64)) a) a)"),
    ("geu is not ltu", "(distinct (cmp64.geu a b) (cmp64.ltu a b))"),
    ("ges is not lts", "(distinct (cmp32.ges a b) (cmp32.lts a b))"),
    ("ntst is not tst", "(distinct (cmp64.ntst a b) (cmp64.tst a b))"),
    (
        "signed order is unsigned order with the sign bit turned",
        "(= (cmp64.lts a b) (cmp64.ltu (bvxor a (bvshl (_ bv1 64) (_ bv63 64))) (bvxor b (bvshl (_ bv1 64) (_ bv63 64)))))",
    ),
    ("never is never", "(and (not (cmp64.never a b)) (not (cmp32.never a b)))"),
    (
        "what is inserted is extracted",
        "(=> legal (= (extract (insert w a d s f) d s f) (extract ((_ zero_extend 64) a) (_ bv0 4) s false)))",
    ),
    ("an insert leaves other bytes alone", "(=> legal (= (bvand w outside) (bvand (insert w a d s f) outside)))"),
    ("size 0 does nothing", "(and (= (insert w a d (_ bv0 4) f) w) (= (extract w d (_ bv0 4) f) (_ bv0 64)))"),
];

const NAMES: &str = "
(declare-const a (_ BitVec 64)) (declare-const b (_ BitVec 64)) (declare-const w (_ BitVec 128))
(declare-const d (_ BitVec 4)) (declare-const s (_ BitVec 4)) (declare-const f Bool)
(define-fun legal () Bool (and (bvule s (_ bv8 4)) (bvule (bvadd ((_ zero_extend 1) d) ((_ zero_extend 1) s)) (_ bv16 5))))
(define-fun inside () (_ BitVec 128) (bvshl (bvsub (bvshl (_ bv1 128) (bvshl ((_ zero_extend 124) s) (_ bv3 128))) (_ bv1 128))
  (bvshl ((_ zero_extend 124) d) (_ bv3 128))))
(define-fun outside () (_ BitVec 128) (bvnot inside))
";

/// If this fails, an operation does not mean what its name says, whatever the inputs.
#[test]
fn z3_proves_the_laws() {
    let mut script = NAMES.to_owned();
    let mut laws: Vec<(String, String)> = LAWS.iter().map(|(name, law)| ((*name).into(), (*law).into())).collect();
    for op in AluOp::ALL {
        let name = op.asm();
        laws.push((
            format!("{name}.32 gives 32 bits"),
            format!("(= ((_ extract 63 32) (alu32.{name} a b)) (_ bv0 32))"),
        ));
        let low = "(bvand a (_ bv4294967295 64)) (bvand b (_ bv4294967295 64))";
        laws.push((format!("{name}.32 sees 32 bits"), format!("(= (alu32.{name} a b) (alu32.{name} {low}))")));
        laws.push((
            format!("{name} has its code"),
            format!("(= (alu64 (_ bv{} 5) a b) (alu64.{name} a b))", op.code()),
        ));
    }
    for op in CmpOp::ALL {
        let (name, code) = (op.asm(), op.code());
        laws.push((format!("{name} has its code"), format!("(= (cmp32 (_ bv{code} 4) a b) (cmp32.{name} a b))")));
    }
    // One claim that is wrong, to see that the others are looked at.
    laws.push(("shr is sar".into(), "(= (alu64.rsh a b) (alu64.arsh a b))".into()));
    for (_, law) in &laws {
        writeln!(script, "(push) (assert (not {law})) (check-sat) (pop)").unwrap();
    }
    let Some(answers) = z3("laws.smt2", &script) else { return };
    assert_eq!(answers.len(), laws.len());
    for ((name, law), answer) in laws.iter().zip(&answers) {
        let expected = if name == "shr is sar" { "sat" } else { "unsat" };
        assert_eq!(answer, expected, "{name}: {law}");
    }
}

/// If this fails, proofs speak of other operations than the ones that run.
#[test]
fn z3_and_rust_agree() {
    let mut random = Random::new(9);
    let mut script = String::new();
    let mut count = 0;
    for _ in 0..100 {
        let (a, b) = (random.operand(), random.operand());
        let mut claims = String::new();
        for (wide, bits) in [(true, 64), (false, 32)] {
            for code in 0..32 {
                let value = AluOp::from_code(code).map_or(0, |op| op.eval(wide, a, b));
                write!(claims, " (= (alu{bits} (_ bv{code} 5) #x{a:016x} #x{b:016x}) #x{value:016x})").unwrap();
            }
            for code in 0..16 {
                let value = CmpOp::from_code(code).is_some_and(|op| op.eval(wide, a, b));
                write!(claims, " (= (cmp{bits} (_ bv{code} 4) #x{a:016x} #x{b:016x}) {value})").unwrap();
            }
        }
        let window = u128::from(random.next()) << 64 | u128::from(b);
        let (delta, size, swap) = (random.below(16) as u8, random.below(16) as u8, random.below(2) == 1);
        let part = extract(window, delta, size, swap);
        write!(claims, " (= (extract #x{window:032x} #x{delta:x} #x{size:x} {swap}) #x{part:016x})").unwrap();
        let whole = insert(window, a, delta, size, swap);
        write!(claims, " (= (insert #x{window:032x} #x{a:016x} #x{delta:x} #x{size:x} {swap}) #x{whole:032x})")
            .unwrap();
        writeln!(script, "(simplify (and{claims}))").unwrap();
        count += 1;
    }
    // One that is wrong, to see that wrong ones are seen.
    script += "(simplify (= (alu64.add #x0000000000000001 #x0000000000000001) #x0000000000000003))\n";
    let Some(answers) = z3("vectors.smt2", &script) else { return };
    let expected: Vec<&str> = (0..count).map(|_| "true").chain(["false"]).collect();
    assert_eq!(answers, expected);
}
