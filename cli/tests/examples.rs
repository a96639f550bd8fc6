//! The examples mean the same everywhere.

mod common;

use common::{all_backends, example_arguments, model_examples, offwire};
use std::ffi::OsString;

/// A program that behaves on the device as in the kernel, for its own traffic and for 10,000 packets that nobody thought of.
#[test]
fn host_ref_and_model_agree_on_all_examples() {
    let on = all_backends();
    for name in model_examples() {
        let mut arguments: Vec<OsString> = vec!["diff".into(), "-j".into(), "--on".into(), on.into()];
        arguments.extend(example_arguments(&name));
        arguments.extend(["--random".into(), "10000".into(), "--seed".into(), "2".into()]);
        let ran = offwire(&arguments);
        assert_eq!(ran.code, 0, "{name}: {}\n{}", ran.stdout, ran.stderr);
        let report = ran.json();
        assert_eq!(report["result"], "equal", "{name}: {report}");
        assert!(report["packets"].as_u64().is_some_and(|packets| packets >= 10_000), "{name}: {report}");
    }
}

/// The point of a chained word: the device needs far fewer words than the program has instructions.
#[test]
fn words_are_few() {
    let (mut insns, mut words) = (0, 0);
    for name in model_examples() {
        let mut arguments: Vec<OsString> = vec!["prog".into(), "run".into(), "-j".into()];
        arguments.extend(example_arguments(&name));
        let ran = offwire(&arguments);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let report = ran.json();
        insns += report["ebpf_insns"].as_u64().expect("ebpf_insns");
        words += report["words"].as_u64().expect("words");
    }
    assert!(insns >= 3 * words, "{insns} eBPF instructions took {words} words");
}
