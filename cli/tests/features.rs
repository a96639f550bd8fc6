//! Features one by one: each map type, each helper, each corner of the instruction set has a C program in `features/`, with the packets that
//! it gets in comments and what comes out of them beside it. Kernel, interpreter and device do the same, to the byte; where a program
//! calls local functions, also with all of them called and none inlined.
//!
//! `BLESS=1` rewrites the expectations, from the kernel where it can run the program. `FEATURE=name` tests those whose names
//! contain it.

mod common;
#[path = "features/directives.rs"]
mod directives;
#[path = "features/render.rs"]
mod render;

use common::root;
use directives::{Feature, Run};
use offload_compiler::CompileOptions;
use offload_compiler::ebpf::Insn;
use offload_compiler::facts;
use offload_compiler::object::{LoadOptions, Object, Program, load};
use offload_compiler::verify::{Limits, verify};
use offwire_cli::args::DispatchArg;
use offwire_cli::backends::{Model, Prepared};
use offwire_diag::Diagnostic;
use offwire_harness::{Backend, Chance, Event, PacketOut, host, mapfile, reference, require};
use offwire_isa::Profile;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Programs that the verifier or the compiler refuses so far, with the code of the refusal. One that is accepted must leave the list.
const NOT_ON_MODEL: &[(&str, &str)] = &[("tail_call_in_function", "OW0401")];

/// The model's profiles: they differ in engines, memories and times, and must not in results.
const PROFILES: [&str; 3] = ["small", "x16", "x64"];

/// The model, with every call of a local function a call, not inlined.
const CALLS: &str = "small, with calls";

/// C sources of the features, ascending.
fn sources() -> Vec<PathBuf> {
    let folder = root().join("cli/tests/features");
    let wanted = std::env::var("FEATURE").unwrap_or_default();
    let mut list: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "c") && name(path).contains(&wanted))
        .collect();
    list.sort();
    assert!(!list.is_empty(), "no feature has {wanted:?} in its name");
    list
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn refused_code(source: &Path) -> Option<&'static str> {
    let name = name(source);
    NOT_ON_MODEL.iter().find(|(listed, _)| *listed == name).map(|(_, code)| *code)
}

fn object(source: &Path, run: &Run) -> Result<Object, Diagnostic> {
    let bytes = std::fs::read(source.with_extension("o"))
        .unwrap_or_else(|error| panic!("{}: {error}: run cargo xtask examples --objects", source.display()));
    load(&bytes, &LoadOptions { set: run.set.clone(), map_entries: run.map_entries.clone() })
}

fn program<'a>(object: &'a Object, run: &Run) -> Result<(usize, &'a Program), Diagnostic> {
    let program = object.program(run.prog.as_deref())?;
    let index = object.programs.iter().position(|other| std::ptr::eq(other, program)).unwrap_or_default();
    Ok((index, program))
}

fn compile<'a>(object: &'a Object, run: &Run, on: &str) -> Option<Result<Prepared<'a>, Diagnostic>> {
    let profile = Profile::by_name(if on == CALLS { "small" } else { on })?;
    let options = CompileOptions { inline_insns: (on == CALLS).then_some(0), ..CompileOptions::default() };
    let prepared = || Prepared::new(object, program(object, run)?, profile, &options, DispatchArg::Auto);
    Some(prepared())
}

/// True if some program calls a local function.
fn calls(source: &Path, feature: &Feature) -> bool {
    let object = feature.runs.first().and_then(|run| object(source, run).ok());
    let insns = object.iter().flat_map(|object| &object.programs).flat_map(|program| &program.insns);
    insns.into_iter().any(|insn| matches!(insn, Insn::CallLocal { .. }))
}

/// The interpreter, which asserts what is known of each program that the verifier accepts.
fn interpreter(object: &Object, index: usize, refused: Option<&str>) -> Result<reference::Ref, Diagnostic> {
    let mut interpreter = reference::Ref::new(object, index)?;
    for (number, program) in object.programs.iter().enumerate() {
        match verify(object, program, &Limits::default()) {
            Ok(_) => interpreter = interpreter.with_facts_of(number, &facts::analyze(object, program)?),
            Err(diagnostic) if refused == Some(&diagnostic.code.to_string()) => {}
            Err(diagnostic) => return Err(diagnostic),
        }
    }
    Ok(interpreter)
}

/// A back end's text for all runs of a feature (a profile's name is the model), and what came out of each packet. `known` is what the interpreter made of them: where
/// the kernel does not tell (how long an event's padding is, where a packet is redirected to), the interpreter's word stands.
fn outcome(
    source: &Path,
    feature: &Feature,
    on: &str,
    known: &[PacketOut],
) -> Result<(String, Vec<PacketOut>), Diagnostic> {
    let (mut text, mut outs) = (String::new(), Vec::new());
    for run in &feature.runs {
        let _ = writeln!(text, "{}", format!("run {}", run.title).trim_end());
        let object = object(source, run)?;
        let (index, _) = program(&object, run)?;
        let compiled = compile(&object, run, on).transpose()?;
        let mut backend: Box<dyn Backend + '_> = match (on, &compiled) {
            (_, Some(compiled)) => Box::new(Model::new(compiled)?),
            ("host", _) => Box::new(host::Host::new(&object, index)?),
            _ => Box::new(interpreter(&object, index, refused_code(source))?),
        };
        if let Some(file) = &run.maps {
            let path = source.with_file_name(file);
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            mapfile::apply(backend.as_mut(), &mapfile::parse(&bytes, &object)?)?;
        }
        let mut seen = render::Seen::new();
        text += &render::maps(&object, backend.as_mut(), &feature.capacity, &mut seen)?;
        for (number, (words, packet)) in (0..).zip(&run.packets) {
            let _ = writeln!(text, "{number}: {words}");
            backend.set_chance(Chance::of_packet(number, packet.arrival_ns));
            backend.admits(packet)?;
            let mut out = backend.run(packet)?;
            if let Some(known) = known.get(outs.len()) {
                complete(&mut out, known);
            }
            text += &render::packet(&object, packet, &out);
            outs.push(out);
            text += &render::maps(&object, backend.as_mut(), &feature.capacity, &mut seen)?;
        }
    }
    Ok((text, outs))
}

/// Fills in what the kernel does not tell.
fn complete(out: &mut PacketOut, known: &PacketOut) {
    for (event, known) in out.events.iter_mut().zip(&known.events) {
        if matches!(event, Event::PerfPadded { .. }) && event.same(known) {
            *event = known.clone();
        }
    }
    if out.redirect.is_none() && out.retval == known.retval {
        out.redirect = known.redirect;
    }
}

/// The first line that differs, with the packet above it.
fn first_difference(expected: &str, got: &str) -> Option<String> {
    let mut packet = "";
    let mut lines = (expected.lines(), got.lines());
    for line in 1.. {
        let (ours, theirs) = (lines.0.next(), lines.1.next());
        match (ours, theirs) {
            (None, None) => return None,
            _ if ours != theirs => {
                let show = |line: Option<&str>| line.unwrap_or("nothing more").to_string();
                return Some(format!("line {line}, {packet}\n  expected {}\n  got      {}", show(ours), show(theirs)));
            }
            _ => {}
        }
        packet = ours.filter(|line| !line.starts_with(' ')).unwrap_or(packet);
    }
    None
}

#[test]
fn features_do_the_same_on_host_ref_and_model() {
    let kernel = host::available();
    if let Err(diagnostic) = &kernel {
        require::skip_or_fail("host", &diagnostic.to_string());
    }
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for source in sources() {
        let feature = directives::read(&source);
        let mut said: Vec<(&str, String)> = Vec::new();
        let mut known = Vec::new();
        for on in ["ref", "host"].into_iter().chain(PROFILES).chain([CALLS]) {
            let runs = match on {
                "ref" => true,
                "host" => kernel.is_ok() && feature.not_on_host.is_none(),
                CALLS => refused_code(&source).is_none() && calls(&source, &feature),
                _ => refused_code(&source).is_none(),
            };
            if !runs {
                continue;
            }
            match outcome(&source, &feature, on, if on == "host" { &known } else { &[] }) {
                Ok((text, outs)) => {
                    said.push((on, text));
                    known = outs;
                }
                Err(diagnostic) => {
                    let Diagnostic { code, message, reason, .. } = diagnostic;
                    wrong.push(format!("{} on {on}: {code} {message}: {}", name(&source), reason.unwrap_or_default()));
                }
            }
        }
        let path = source.with_extension("expected");
        // The kernel is right where it runs.
        let first = said.iter().find(|(on, _)| *on == "host").or(said.first());
        if let (true, Some((_, text))) = (bless, first) {
            std::fs::write(&path, text).expect("the expectation can be written");
        }
        match std::fs::read_to_string(&path) {
            Err(_) => wrong.push(format!("{}: no expectations, run with BLESS=1", name(&source))),
            Ok(expected) => {
                for (on, text) in &said {
                    if let Some(difference) = first_difference(&expected, text) {
                        wrong.push(format!("{} on {on}: {difference}", name(&source)));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The list of what the model cannot run is true: each of its programs is refused, with that code, and by nothing but the compiler.
#[test]
fn what_the_model_cannot_run_is_refused_by_name() {
    let mut wrong = Vec::new();
    for (listed, _) in NOT_ON_MODEL {
        let source = root().join("cli/tests/features").join(listed).with_extension("c");
        assert!(source.exists(), "NOT_ON_MODEL names {listed}, which is not there");
    }
    for source in sources() {
        let Some(code) = refused_code(&source) else { continue };
        let feature = directives::read(&source);
        let refusals = feature.runs.iter().filter_map(|run| match object(&source, run) {
            Ok(object) => PROFILES.iter().find_map(|profile| {
                let compiled = compile(&object, run, profile).expect("the profile is there");
                compiled.err().map(|diagnostic| diagnostic.code.to_string())
            }),
            Err(diagnostic) => Some(diagnostic.code.to_string()),
        });
        let refusals: Vec<String> = refusals.collect();
        if refusals.is_empty() {
            wrong.push(format!("{} is compiled now: take it off NOT_ON_MODEL", name(&source)));
        } else if refusals.iter().any(|refusal| refusal != code) {
            wrong.push(format!("{}: listed with {code}, refused with {}", name(&source), refusals.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
