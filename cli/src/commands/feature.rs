//! `feature probe`: what a device and the compiler can do, with bpftool's keys.

use crate::args::device::DeviceArgs;
use crate::connect::{self, failure};
use crate::output::{Outcome, Output};
use driver::Error;
use offload_compiler::verify::supported_helpers;
use offwire_hostif::Status;
use offwire_image::{MapKind, MapSpec};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// All kinds of maps that offwire has a name for.
const KINDS: [MapKind; 15] = [
    MapKind::Hash,
    MapKind::Array,
    MapKind::ProgArray,
    MapKind::PerfEventArray,
    MapKind::PercpuHash,
    MapKind::PercpuArray,
    MapKind::LruHash,
    MapKind::LpmTrie,
    MapKind::ArrayOfMaps,
    MapKind::HashOfMaps,
    MapKind::Devmap,
    MapKind::Cpumap,
    MapKind::Xskmap,
    MapKind::DevmapHash,
    MapKind::Ringbuf,
];

#[derive(Serialize)]
struct Limits {
    programs: u32,
    maps: u32,
    instruction_store_words: u32,
    map_memory_bytes: u32,
    vcpus: u32,
    ports: u16,
    queue_pairs: u8,
}

#[derive(Serialize)]
struct Report {
    device: String,
    profile: Option<&'static str>,
    isa_version: u32,
    interface: String,
    limits: Limits,
    program_types: BTreeMap<&'static str, bool>,
    map_types: BTreeMap<String, bool>,
    helpers: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Makes a map of each kind on the device and frees it again: what it takes is what it has. Program arrays come with a program.
pub(super) fn probe(args: &DeviceArgs, output: &mut Output<'_>) -> Outcome {
    let session = connect::open(args, output)?;
    let device = &session.device;
    let mut map_types = BTreeMap::new();
    let inner = device.create_map(&smallest(MapKind::Array), None, None).map_err(|error| failure(&error))?;
    for kind in KINDS {
        let takes = match kind {
            MapKind::ProgArray => true,
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => takes(device, kind, Some(inner))?,
            _ => takes(device, kind, None)?,
        };
        map_types.insert(format!("have_{}_map_type", kind.name()), takes);
    }
    device.free_map(inner).map_err(|error| failure(&error))?;
    let info = &session.info;
    let report = Report {
        device: session.spec.to_string(),
        profile: session.profile().ok().map(|profile| profile.name),
        isa_version: info.isa_version,
        interface: format!("{}.{}", info.interface.0, info.interface.1),
        limits: Limits {
            programs: info.max_programs,
            maps: info.max_maps,
            instruction_store_words: info.store_words,
            map_memory_bytes: info.map_memory,
            vcpus: info.vcpus,
            ports: info.ports,
            queue_pairs: info.queue_pairs,
        },
        program_types: BTreeMap::from([("have_xdp_prog_type", true)]),
        map_types,
        helpers: BTreeMap::from([("xdp_available_helpers", supported_helpers())]),
    };
    output.result(&report, || text(&report));
    Ok(0)
}

fn takes(device: &driver::Device, kind: MapKind, inner: Option<driver::MapId>) -> Result<bool, crate::output::Failure> {
    match device.create_map(&smallest(kind), None, inner) {
        Ok(map) => {
            device.free_map(map).map_err(|error| failure(&error))?;
            Ok(true)
        }
        Err(Error::Command(refused)) if matches!(refused.status, Status::MapRefused | Status::NotSupported) => {
            Ok(false)
        }
        Err(error) => Err(failure(&error)),
    }
}

/// A map of the kind that takes little memory.
fn smallest(kind: MapKind) -> MapSpec {
    /// `BPF_F_NO_PREALLOC`, which tries want.
    const NO_PREALLOC: u32 = 1;
    let (key_size, value_size, max_entries) = match kind {
        MapKind::Ringbuf => (0, 0, 4096),
        MapKind::LpmTrie => (8, 4, 1),
        _ => (4, 4, 1),
    };
    let flags = if kind == MapKind::LpmTrie { NO_PREALLOC } else { 0 };
    let name = "probe".to_owned();
    MapSpec { name, kind, key_size, value_size, max_entries, flags, init: Vec::new(), frozen: false }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{}: profile {}, ISA version {}, interface {}\n",
        report.device,
        report.profile.unwrap_or("unknown"),
        report.isa_version,
        report.interface
    );
    let limits = &report.limits;
    let _ = writeln!(
        text,
        "{} programs, {} maps, {} words of instruction store, {} B of map memory, {} vCPUs, {} ports, {} queue pairs",
        limits.programs,
        limits.maps,
        limits.instruction_store_words,
        limits.map_memory_bytes,
        limits.vcpus,
        limits.ports,
        limits.queue_pairs
    );
    text += "\nprogram types:\n  xdp is available\n\nmap types:\n";
    for (name, there) in &report.map_types {
        let kind = name.trim_start_matches("have_").trim_end_matches("_map_type");
        let _ = writeln!(text, "  {kind} is {}available", if *there { "" } else { "NOT " });
    }
    text += "\nhelpers of xdp programs:\n";
    for helper in report.helpers.values().flatten() {
        let _ = writeln!(text, "  - {helper}");
    }
    text
}
