//! `prog load`: from an object to a program on a device.

use super::show;
use crate::args::DispatchArg;
use crate::args::device::{Chosen, LoadArgs};
use crate::backends::Prepared;
use crate::backends::numbers::Numbers;
use crate::connect::{self, Session, failure};
use crate::output::{Failure, Outcome, Output};
use crate::program;
use crate::state::{self, Kind, ProgramRecord};
use driver::{MapId, ProgramId, Update};
use offload_compiler::CompileOptions;
use offload_compiler::object::{self, Object};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::mapfile::Contents;
use offwire_harness::{Entry, EntryValue};
use offwire_hostif::DispatchChoice;
use offwire_image::MapSpec;

/// The device's number for a dispatch mode that the user chose.
pub(super) fn choice(dispatch: DispatchArg) -> DispatchChoice {
    match dispatch {
        DispatchArg::Auto => DispatchChoice::Proven,
        DispatchArg::Cpu => DispatchChoice::Cpu,
        DispatchArg::Flow => DispatchChoice::Flow,
        DispatchArg::Any => DispatchChoice::Any,
    }
}

pub(super) fn run(args: &LoadArgs, output: &mut Output<'_>) -> Outcome {
    let mut session = connect::open(&args.device, output)?;
    let profile = session.profile()?;
    let program = args.program.on(profile);
    let bytes = program::read_file(&program.object)?;
    let options = program::load_options(&program.set, &program.map_entries)?;
    let object = object::load(&bytes, &options).map_err(program::in_file(&program.object))?;
    for warning in &object.warnings {
        output.diagnostic(warning);
    }
    let chosen = program::choose(&program, &object)?;
    let contents = program::map_contents(args.maps.as_deref(), &object)?;
    let options =
        CompileOptions { tail_programs: program::tail_programs(&contents, &object), ..CompileOptions::default() };
    let prepared =
        Prepared::new(&object, chosen, profile, &options, args.dispatch).map_err(program::in_file(&program.object))?;
    if let Some(warning) = prepared.dispatch_warning() {
        output.diagnostic(&warning);
    }
    check_pins(args, &session, &object)?;
    let bindings = bindings(args, &session, &object)?;
    let image = &prepared.compiled.image;
    let id = session.device.load(image, &bindings).map_err(|error| failure(&error))?;
    let finished = finish(args, &mut session, &prepared, &contents, id, &bytes);
    if let Err(refused) = finished {
        // Nothing stays behind. What cannot be undone is on the device, and `prog show` lists it.
        for &port in &args.port {
            let _ = session.device.detach(port, Some(id));
        }
        let _ = session.device.unload(id);
        return Err(refused);
    }
    let info = session.device.program(id).map_err(|error| failure(&error))?;
    show::print_one(&session, info, output)
}

/// The steps after the device has taken the image: contents, names, ports.
fn finish(
    args: &LoadArgs,
    session: &mut Session,
    prepared: &Prepared<'_>,
    contents: &Contents,
    id: ProgramId,
    bytes: &[u8],
) -> Result<(), Failure> {
    let device = session.device.clone();
    let maps: Vec<u16> = device.program(id).map_err(|error| failure(&error))?.maps.iter().map(|map| map.0).collect();
    let image = &prepared.compiled.image;
    let numbers = Numbers::new(prepared.object, image).with_maps(maps.clone());
    for (map, entries) in contents {
        let at = usize::from(map.0);
        let (Some(spec), Some(&number)) = (image.maps.get(at), maps.get(at)) else { continue };
        if numbers.kept(*map).is_none() {
            fill(&device, spec, &numbers, MapId(number), entries)?;
        }
    }
    let record = ProgramRecord {
        name: image.name.clone(),
        loaded_at: state::now(),
        uid: session.state.uid(),
        insns: prepared.program.insns.len(),
        object: session.state.keep_object(bytes, hash(bytes))?,
        set: args.program.set.clone(),
        map_entries: args.program.map_entries.clone(),
        maps: maps.clone(),
        dispatch: (super::super::mode_name(image.dispatch.mode).to_owned(), image.dispatch.reason.clone()),
    };
    session.state.add_program(id.0, record);
    if let Some(pin) = &args.pin {
        session.state.pin(Kind::Program, pin, id.0);
    }
    if let Some(prefix) = &args.pin_maps {
        for (spec, &map) in image.maps.iter().zip(&maps) {
            if session.state.pins_of(Kind::Map, map).is_empty() {
                session.state.pin(Kind::Map, &format!("{prefix}/{}", spec.name), map);
            }
        }
    }
    for &port in &args.port {
        device.attach(port, id, choice(args.dispatch), None).map_err(|error| failure(&error))?;
    }
    session.state.save()
}

/// Puts the entries of a map file into a map.
fn fill(
    device: &driver::Device,
    spec: &MapSpec,
    numbers: &Numbers,
    map: MapId,
    entries: &[Entry],
) -> Result<(), Failure> {
    let map = device.map(map).map_err(|error| failure(&error))?;
    let values = entries.iter().map(|entry| value_bytes(&entry.value, spec, numbers, device.vcpus()));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let pairs = entries.iter().zip(&values).map(|(entry, value)| (entry.key.as_slice(), value.as_slice()));
    map.update_batch(pairs, Update::Any).map_err(|error| failure(&error))?;
    Ok(())
}

/// A value as the device's commands have it: of a per-CPU map one for each vCPU, padded to 8 B.
pub(crate) fn value_bytes(
    value: &EntryValue,
    spec: &MapSpec,
    numbers: &Numbers,
    vcpus: u32,
) -> Result<Vec<u8>, Diagnostic> {
    match value {
        EntryValue::One(value) => numbers.to_device(spec, value),
        EntryValue::PerCpu(values) => {
            let step = (spec.value_size as usize).next_multiple_of(8);
            let mut bytes = vec![0; step * vcpus as usize];
            for (cpu, value) in values {
                let at = *cpu as usize * step;
                let place = bytes.get_mut(at..at + value.len()).ok_or_else(|| {
                    Diagnostic::error(
                        codes::device::MAP,
                        format!("map {} has a value for CPU {cpu}, the device has {vcpus} vCPUs", spec.name),
                    )
                })?;
                place.copy_from_slice(value);
            }
            Ok(bytes)
        }
    }
}

/// Names an object file; files that differ have different names for all that we care.
fn hash(bytes: &[u8]) -> u64 {
    // FNV-1a.
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn check_pins(args: &LoadArgs, session: &Session, object: &Object) -> Result<(), Failure> {
    if let Some(pin) = &args.pin {
        session.state.check_pin(Kind::Program, pin)?;
    }
    if let Some(prefix) = &args.pin_maps {
        for map in &object.maps {
            let reused = args
                .maps_reused
                .iter()
                .any(|reuse| reuse.split_once('=').is_some_and(|(name, _)| name == map.spec.name));
            if !reused {
                session.state.check_pin(Kind::Map, &format!("{prefix}/{}", map.spec.name))?;
            }
        }
    }
    Ok(())
}

/// `--map NAME=id:N`, `NAME=pinned:PIN`, `NAME=name:OTHER`: for each map of the object the one that is used instead.
fn bindings(args: &LoadArgs, session: &Session, object: &Object) -> Result<Vec<Option<MapId>>, Failure> {
    if args.maps_reused.is_empty() {
        return Ok(Vec::new());
    }
    let mut bindings = vec![None; object.maps.len()];
    for reuse in &args.maps_reused {
        let wrong = || {
            Failure::usage(
                codes::cli::USAGE,
                format!("--map wants NAME=id:N, NAME=pinned:PIN or NAME=name:OTHER, not {reuse:?}"),
            )
        };
        let (name, which) = reuse.split_once('=').ok_or_else(wrong)?;
        let mut chosen = Chosen { id: None, name: None, pinned: None };
        match which.split_once(':').ok_or_else(wrong)? {
            ("id", id) => chosen.id = Some(id.parse().map_err(|_| wrong())?),
            ("pinned", pin) => chosen.pinned = Some(pin.to_owned()),
            ("name", name) => chosen.name = Some(name.to_owned()),
            _ => return Err(wrong()),
        }
        let at = object.maps.iter().position(|map| map.spec.name == name).ok_or_else(|| {
            let known: Vec<&str> = object.maps.iter().map(|map| map.spec.name.as_str()).collect();
            Failure::from(
                Diagnostic::error(codes::data::UNKNOWN_MAP, format!("the object has no map {name}"))
                    .with_help(format!("it has {}", known.join(", "))),
            )
        })?;
        let map = session.map(&chosen)?;
        if let Some(binding) = bindings.get_mut(at) {
            *binding = Some(map.id);
        }
    }
    Ok(bindings)
}
