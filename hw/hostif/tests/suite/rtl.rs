//! The SystemVerilog package of the host interface.

use crate::tool;

fn lint(package: &str) -> Option<std::process::Output> {
    let mut args: Vec<String> = ["--lint-only", "-Wall", "--top-module", "offwire_regs_tb"].map(String::from).into();
    args.extend([package.to_owned(), tool::hw("rtl/gen/offwire_regs_tb.sv")]);
    tool::run("verilator", "verilator", &args)
}

/// If this fails, hardware and driver lay out a descriptor differently, or the package is not clean SystemVerilog.
#[test]
fn fields_lie_where_the_specification_says() {
    let Some(output) = lint(&tool::hw("rtl/gen/offwire_regs_pkg.sv")) else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", tool::text(&output));
}

/// If this fails, the check above cannot fail.
#[test]
fn a_field_that_moves_is_found() {
    let package = std::fs::read_to_string(tool::hw("rtl/gen/offwire_regs_pkg.sv")).unwrap();
    let moved = tool::scratch("offwire_moved_regs_pkg.sv");
    let changed = package.replace("logic [31:0] object;", "logic [15:0] object; logic [15:0] rest;");
    assert_ne!(changed, package);
    std::fs::write(&moved, changed).unwrap();
    let Some(output) = lint(&moved.display().to_string()) else { return };
    assert!(tool::text(&output).contains("Command.object moved"), "{}", tool::text(&output));
}

/// If this fails, the package cannot be read by open synthesis tools.
#[test]
fn yosys_reads_the_package() {
    let script = format!("read_verilog -sv {}", tool::hw("rtl/gen/offwire_regs_pkg.sv"));
    let Some(output) = tool::run("yosys", "yosys", &["-q", "-p", &script].map(String::from)) else { return };
    assert!(output.status.success(), "{}", tool::text(&output));
}
