//! Every instruction of eBPF on the device: interpreter and model side by side over pairs of corner values.

mod common;

use offload_compiler::CompileOptions;
use offwire_cli::args::{DispatchArg, On};
use offwire_cli::backends::{self, Prepared};
use offwire_harness::diff::{self, Options, Outcome};
use offwire_harness::{Backend, classes};
use offwire_isa::Profile;

/// Beginnings of the names of cases that the compiler may refuse. Whatever it takes must be right, listed or not.
const NOT_ON_DEVICE: &[&str] = &[];

fn profile() -> &'static Profile {
    Profile::by_name("x16").expect("the profile x16")
}

#[test]
fn each_instruction_is_right_on_the_device() {
    let packets = classes::packets();
    let mut refused = Vec::new();
    for case in classes::cases() {
        let chosen = (0, &case.object.programs[0]);
        let prepared =
            match Prepared::new(&case.object, chosen, profile(), &CompileOptions::default(), DispatchArg::Auto) {
                Ok(prepared) => prepared,
                Err(diagnostic) => {
                    let listed = NOT_ON_DEVICE.iter().any(|name| case.name.starts_with(name));
                    if !listed {
                        refused.push(format!("{}: {diagnostic}", case.name));
                    }
                    continue;
                }
            };
        let mut made: Vec<Box<dyn Backend + '_>> = Vec::new();
        for on in [On::Ref, On::Model] {
            made.push(backends::make(on, &prepared).unwrap_or_else(|d| panic!("{}: {d}", case.name)));
        }
        let report = diff::run(&mut made, &case.object, &Vec::new(), packets.iter().cloned(), Options::default());
        assert_eq!(report.result, Outcome::Equal, "{}: {report:?}", case.name);
        assert_eq!(report.not_comparable, 0, "{}", case.name);
    }
    assert!(refused.is_empty(), "the compiler refuses {} cases:\n{}", refused.len(), refused.join("\n"));
}
