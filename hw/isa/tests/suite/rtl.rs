//! The SystemVerilog package against Rust: both come from one specification by two emitters, Verilator is the judge of what
//! the SystemVerilog means.

use crate::random::{self, Random};
use crate::tool;
use offwire_isa::{AluOp, CmpOp, FIELDS, WORD_BITS, WORD_BYTES, Word, extract, insert};
use std::fmt::Write;

const VECTORS: usize = 5_000;

/// If this fails, the packages are not clean SystemVerilog.
#[test]
fn packages_pass_lint() {
    let mut args: Vec<String> = ["--lint-only", "-Wall", "--top-module", "offwire_isa_tb"].map(String::from).into();
    args.extend(
        ["offwire_isa_pkg", "offwire_profiles_pkg", "offwire_isa_tb"]
            .map(|name| tool::hw(&format!("rtl/gen/{name}.sv"))),
    );
    let Some(output) = tool::run("verilator", "verilator", &args) else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", tool::text(&output));
}

/// Everything of the packages that a module uses, as yosys must find it.
const TOP: &str = "
module offwire_isa_top (
  input logic [287:0] raw_i, input logic [4:0] op_i, input logic wide_i, input logic [63:0] a_i, input logic [63:0] b_i,
  input logic [127:0] window_i, input logic [3:0] delta_i, input logic [3:0] size_i, input logic swap_i,
  output logic valid_o, output logic [63:0] alu_o, output logic cmp_o, output logic [63:0] part_o,
  output logic [127:0] window_o, output logic [5:0] ra_o, output logic [12:0] next_o, output logic [31:0] engines_o
);
  offwire_isa_pkg::word_t word;
  assign word = raw_i;
  assign ra_o = word.ra;
  assign next_o = word.next;
  assign valid_o = offwire_isa_pkg::word_valid(raw_i);
  assign alu_o = offwire_isa_pkg::alu(op_i, wide_i, a_i, b_i);
  assign cmp_o = offwire_isa_pkg::cmp(op_i[3:0], wide_i, a_i, b_i);
  assign part_o = offwire_isa_pkg::extract(window_i, delta_i, size_i, swap_i);
  assign window_o = offwire_isa_pkg::insert(window_i, a_i, delta_i, size_i, swap_i);
  assign engines_o = offwire_profiles_pkg::X16Engines;
endmodule
";

/// If this fails, the packages cannot be synthesised with open tools.
#[test]
fn yosys_reads_the_packages() {
    let top = tool::scratch("offwire_isa_top.sv");
    std::fs::write(&top, TOP).unwrap();
    let packages = ["offwire_isa_pkg", "offwire_profiles_pkg"].map(|name| tool::hw(&format!("rtl/gen/{name}.sv")));
    // A wire that yosys declares by itself is a field that it did not find.
    let script = format!(
        "read_verilog -sv {} {}; hierarchy -check -top offwire_isa_top; proc; opt; check -assert",
        packages.join(" "),
        top.display()
    );
    let args = ["-q", "-e", "implicitly declared|Resizing cell port", "-p", &script].map(String::from);
    let Some(output) = tool::run("yosys", "yosys", &args) else { return };
    assert!(output.status.success(), "{}", tool::text(&output));
}

struct Vector {
    bytes: [u8; WORD_BYTES],
    op: u8,
    a: u64,
    b: u64,
    window: u128,
    delta: u8,
    size: u8,
    swap: bool,
}

impl Vector {
    fn random(random: &mut Random) -> Self {
        let mut bytes = random::bytes(random);
        // Half of them with a few bits turned, so that many are no words.
        if random.below(2) == 0 {
            for _ in 0..=random.below(3) {
                let bit = random.below(WORD_BITS);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        let a = random.operand();
        Vector {
            bytes,
            op: random.below(32) as u8,
            a,
            b: if random.below(8) == 0 { a } else { random.operand() },
            window: u128::from(random.next()) << 64 | u128::from(random.next()),
            delta: random.below(16) as u8,
            size: random.below(16) as u8,
            swap: random.below(2) == 1,
        }
    }

    fn input(&self) -> String {
        let raw: String = self.bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        let swap = u8::from(self.swap);
        format!(
            "{raw} {:x} {:x} {:x} {:x} {:x} {:x} {swap}",
            self.op, self.a, self.b, self.window, self.delta, self.size
        )
    }

    /// What Rust says, in the order of the bench.
    fn expected(&self) -> Vec<u128> {
        let alu = |wide| AluOp::from_code(self.op).map_or(0, |op| op.eval(wide, self.a, self.b));
        let cmp = |wide| CmpOp::from_code(self.op & 15).is_some_and(|op| op.eval(wide, self.a, self.b));
        let mut values = vec![
            Word::decode(&self.bytes).is_ok().into(),
            alu(true).into(),
            alu(false).into(),
            cmp(true).into(),
            cmp(false).into(),
            extract(self.window, self.delta, self.size, self.swap).into(),
            insert(self.window, self.a, self.delta, self.size, self.swap),
        ];
        values.extend(FIELDS.iter().map(|field| u128::from(random::get(&self.bytes, field))));
        // The spare bit.
        values.push((self.bytes[0] & 1).into());
        values
    }
}

/// If this fails, the RTL's units compute something else than the model's, or find fields at other places.
#[test]
fn verilator_and_rust_agree() {
    let folder = tool::scratch("offwire_isa_tb");
    let mut args: Vec<String> = [
        "-Wall",
        "--cc",
        "--exe",
        "--main",
        "--build",
        "--no-timing",
        "-CFLAGS",
        "-O1",
        "--top-module",
        "offwire_isa_tb",
        "-Mdir",
    ]
    .map(String::from)
    .into();
    args.push(folder.display().to_string());
    args.extend(["offwire_isa_pkg", "offwire_isa_tb"].map(|name| tool::hw(&format!("rtl/gen/{name}.sv"))));
    let Some(output) = tool::run("verilator", "verilator", &args) else { return };
    assert!(output.status.success(), "{}", tool::text(&output));

    let mut random = Random::new(8);
    let vectors: Vec<Vector> = (0..VECTORS).map(|_| Vector::random(&mut random)).collect();
    let legal = vectors.iter().filter(|vector| Word::decode(&vector.bytes).is_ok()).count();
    assert!((VECTORS / 4..VECTORS * 19 / 20).contains(&legal), "{legal} of {VECTORS} are words");
    let mut text = String::new();
    for vector in &vectors {
        writeln!(text, "{}", vector.input()).unwrap();
    }
    let (input, result) = (tool::scratch("offwire_isa_tb.in"), tool::scratch("offwire_isa_tb.out"));
    std::fs::write(&input, text).unwrap();
    let bench = folder.join("Voffwire_isa_tb").display().to_string();
    let args = [format!("+in={}", input.display()), format!("+out={}", result.display())];
    let output = tool::run("verilator", &bench, &args).expect("the bench has just been built");
    assert!(output.status.success(), "{}", tool::text(&output));

    let result = std::fs::read_to_string(&result).unwrap();
    assert_eq!(result.lines().count(), VECTORS);
    for (vector, line) in vectors.iter().zip(result.lines()) {
        let found: Vec<u128> =
            line.split_whitespace().map(|value| u128::from_str_radix(value, 16).expect(line)).collect();
        assert_eq!(found, vector.expected(), "{}", vector.input());
    }
}
