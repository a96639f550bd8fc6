//! Maps and program into the kernel.

use super::btf::{self, Types};
use super::{Accepted, Rejected, errno, rewrite, sys};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::{Object, Program};
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

/// BPF_F_RDONLY_PROG: with it and a frozen map the verifier knows the contents.
const RDONLY_PROG: u32 = 1 << 7;
/// BPF_F_XDP_HAS_FRAGS.
const XDP_HAS_FRAGS: u32 = 1 << 5;
/// BPF_LOG_STATS and BPF_LOG_LEVEL1 of include/linux/bpf_verifier.h.
const LOG_STATS: u32 = 4;
const LOG_BRANCHES: u32 = 1;
/// The log buffer grows up to this.
const MAX_LOG: usize = 64 << 20;
/// src_reg of a 64-bit immediate load: BPF_PSEUDO_MAP_FD and BPF_PSEUDO_MAP_VALUE.
const PSEUDO_MAP_FD: u8 = 1;
const PSEUDO_MAP_VALUE: u8 = 2;
const LD_IMM64: u8 = 0x18;

/// A loaded program with its maps.
pub(super) struct Loaded {
    pub(super) maps: Vec<sys::Map>,
    pub(super) prog: OwnedFd,
    pub(super) has_frags: bool,
    /// Clocks and random numbers, if a program draws on them.
    pub(super) chance: Option<sys::Map>,
    pub(super) types: Option<Types>,
}

/// A request that failed, with the error number's name.
pub(super) fn failed(what: &str, error: &io::Error) -> Diagnostic {
    let number = errno::name(error);
    if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) {
        let reason = match error.raw_os_error() {
            Some(libc::EPERM) => format!("{what} gave {number}: it needs CAP_BPF and CAP_NET_ADMIN, or root"),
            _ => format!("{what} gave {number}: this kernel was built without bpf(2)"),
        };
        return Diagnostic::error(codes::host::HOST_UNAVAILABLE, "the kernel back end is not available")
            .with_reason(reason)
            .with_help("run as root, or use the back end `ref` or `model`");
    }
    Diagnostic::error(codes::host::HOST_FAILED, format!("the kernel refuses {what}"))
        .with_reason(format!("{number}: {error}"))
}

/// CPUs that per-CPU maps have a copy for.
pub(super) fn possible_cpus() -> io::Result<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    // "0-7": num_possible_cpus counts the set; the copies follow each other without holes.
    let count = text.trim().split(',').map(|part| match part.split_once('-') {
        Some((first, last)) => Some(last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1),
        None => part.parse::<usize>().ok().map(|_| 1),
    });
    match count.sum::<Option<usize>>() {
        Some(count) if count > 0 => Ok(count),
        _ => Err(io::Error::other(format!("cannot read the list of possible CPUs {text:?}"))),
    }
}

/// Bytes that user space exchanges for a value: per-CPU copies stand 8 bytes aligned (kernel/bpf/syscall.c, bpf_map_value_size).
pub(super) fn user_value_size(spec: &MapSpec, cpus: usize) -> usize {
    let size = spec.value_size as usize;
    if spec.kind.is_per_cpu() { size.next_multiple_of(8) * cpus } else { size }
}

/// Entries of a map: a perf event array without a number has one for each CPU (libbpf, map__create).
pub(super) fn max_entries(spec: &MapSpec, cpus: usize) -> u32 {
    match (spec.kind, spec.max_entries) {
        (MapKind::PerfEventArray, 0) => u32::try_from(cpus).unwrap_or(u32::MAX),
        (_, entries) => entries,
    }
}

fn make_map(
    spec: &MapSpec,
    inner: Option<&MapSpec>,
    cpus: usize,
    types: Option<&Types>,
) -> Result<sys::Map, Diagnostic> {
    let inner = inner.map(|inner| make_map(inner, None, cpus, types)).transpose()?;
    let flags = if spec.frozen { spec.flags | RDONLY_PROG } else { spec.flags };
    let size = user_value_size(spec, cpus);
    let params = sys::MapParams {
        kind: spec.kind as u32,
        key_size: spec.key_size,
        value_size: spec.value_size,
        max_entries: max_entries(spec, cpus),
        flags,
        name: &spec.name,
        user_value_size: size,
        inner: inner.as_ref(),
        types: types.and_then(|types| types.of(spec)),
    };
    let map = match sys::Map::create(&params) {
        // Without types where the kernel does not take them, as libbpf does.
        Err(_) if params.types.is_some() => sys::Map::create(&sys::MapParams { types: None, ..params }),
        other => other,
    }
    .map_err(|error| failed(&format!("to make map {}", spec.name), &error))?;
    if !spec.init.is_empty() {
        if spec.kind.is_per_cpu() || spec.init.len() > size {
            return Err(Diagnostic::error(
                codes::host::HOST_FAILED,
                format!("the initial contents of map {} do not fit it", spec.name),
            ));
        }
        let mut value = spec.init.clone();
        value.resize(size, 0);
        map.update(&0u32.to_ne_bytes(), &value)
            .map_err(|error| failed(&format!("to fill map {}", spec.name), &error))?;
    }
    if spec.frozen {
        map.freeze().map_err(|error| failed(&format!("to freeze map {}", spec.name), &error))?;
    }
    Ok(map)
}

/// The instructions with file descriptors in place of map indices.
fn patch(program: &Program, maps: &[sys::Map]) -> Result<Vec<[u8; 8]>, Diagnostic> {
    let mut insns = program.raw.clone();
    let mut second = false;
    for insn in &mut insns {
        let [opcode, regs, _, _, imm @ ..] = insn;
        if std::mem::take(&mut second) {
            continue;
        }
        if *opcode != LD_IMM64 {
            continue;
        }
        second = true;
        if matches!(*regs >> 4, PSEUDO_MAP_FD | PSEUDO_MAP_VALUE) {
            let index = u32::from_le_bytes(*imm);
            let Some(map) = usize::try_from(index).ok().and_then(|index| maps.get(index)) else {
                return Err(Diagnostic::error(
                    codes::host::HOST_FAILED,
                    format!("program {} refers to map number {index}, which does not exist", program.name),
                ));
            };
            *imm = map.raw_fd().to_le_bytes();
        }
    }
    Ok(insns)
}

fn select(object: &Object, program: usize) -> Result<&Program, Diagnostic> {
    object.programs.get(program).ok_or_else(|| {
        Diagnostic::error(codes::host::HOST_FAILED, format!("the object has no program number {program}"))
    })
}

fn make_maps(object: &Object, types: Option<&Types>) -> Result<Vec<sys::Map>, Diagnostic> {
    let cpus = possible_cpus().map_err(|error| failed("the number of possible CPUs", &error))?;
    object.maps.iter().map(|map| make_map(&map.spec, map.inner.as_deref(), cpus, types)).collect()
}

/// The map that holds the sources of chance, if a program of the object draws on one.
fn make_chance(object: &Object) -> Result<Option<sys::Map>, Diagnostic> {
    if !object.programs.iter().any(|program| rewrite::any(&program.raw)) {
        return Ok(None);
    }
    let spec = MapSpec {
        name: "chance".into(),
        kind: MapKind::Array,
        key_size: 4,
        value_size: rewrite::VALUE_SIZE as u32,
        max_entries: 1,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    };
    make_map(&spec, None, 1, None).map(Some)
}

/// Expected attach type of a section (include/uapi/linux/bpf.h, enum bpf_attach_type; names as in libbpf).
fn attach_type(section: &str) -> u32 {
    const DEVMAP: u32 = 35;
    const CPUMAP: u32 = 36;
    const XDP: u32 = 37;
    match section.split_once('/') {
        Some((_, "devmap")) => DEVMAP,
        Some((_, "cpumap")) => CPUMAP,
        _ => XDP,
    }
}

type Verdict = Result<(OwnedFd, Accepted), Rejected>;

/// Loads a program as it is, or with its sources of chance in a map.
fn load_program(
    object: &Object,
    program: &Program,
    maps: &[sys::Map],
    types: Option<&Types>,
    chance: Option<&sys::Map>,
) -> Result<Verdict, Diagnostic> {
    let mut insns = patch(program, maps)?;
    let rewritten = match chance {
        None => None,
        Some(chance) => Some(rewrite::replace(&insns, chance.raw_fd()).ok_or_else(|| {
            Diagnostic::error(codes::host::HOST_FAILED, format!("program {} cannot be given its clocks", program.name))
                .with_reason("a jump over a call of a clock or of the random generator would become too long")
        })?),
    };
    let functions = btf::func_info(program, rewritten.as_ref());
    if let Some(rewritten) = rewritten {
        insns = rewritten.insns;
    }
    let license = CString::new(object.license.replace('\0', "")).unwrap_or_default();
    let has_frags = program.section.starts_with("xdp.frags");
    let mut params = sys::ProgParams {
        insns: &insns,
        license: &license,
        name: &program.name,
        flags: if has_frags { XDP_HAS_FRAGS } else { 0 },
        expected_attach_type: attach_type(&program.section),
        log_level: LOG_STATS,
        functions: types.filter(|_| !functions.is_empty()).map(|types| (&types.fd, functions.as_slice())),
    };
    let mut log = vec![0; 1 << 14];
    let error = match sys::prog_load(&params, &mut log) {
        Ok(prog) => return Ok(Ok((prog, Accepted { processed: processed(&text(&log)) }))),
        Err(error) => error,
    };
    if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) && text(&log).trim().is_empty() {
        return Err(failed("to load a program", &error));
    }
    // Once more for the reasons. The kernel says ENOSPC while the buffer is too short.
    params.log_level = LOG_BRANCHES | LOG_STATS;
    let mut size = 1 << 18;
    loop {
        let mut log = vec![0; size];
        match sys::prog_load(&params, &mut log) {
            Err(full) if full.raw_os_error() == Some(libc::ENOSPC) && size < MAX_LOG => size *= 4,
            _ => return Ok(Err(Rejected { errno: errno::name(&error), log: text(&log) })),
        }
    }
}

/// The log up to its NUL.
fn text(log: &[u8]) -> String {
    let end = log.iter().position(|&b| b == 0).unwrap_or(log.len());
    String::from_utf8_lossy(log.get(..end).unwrap_or(&[])).into_owned()
}

/// "processed 42 insns (limit ...": the number.
fn processed(log: &str) -> Option<u64> {
    log.lines().find_map(|line| line.strip_prefix("processed ")?.split(' ').next()?.parse().ok())
}

/// Makes maps and loads the program.
pub(super) fn load(object: &Object, program: usize) -> Result<Loaded, Diagnostic> {
    let has_frags = select(object, program)?.section.starts_with("xdp.frags");
    let types = Types::load(object);
    let maps = make_maps(object, types.as_ref())?;
    let chance = make_chance(object)?;
    let prog = another(object, program, &maps, types.as_ref(), chance.as_ref())?;
    Ok(Loaded { maps, prog, has_frags, chance, types })
}

/// Loads a program that uses these maps.
pub(super) fn another(
    object: &Object,
    program: usize,
    maps: &[sys::Map],
    types: Option<&Types>,
    chance: Option<&sys::Map>,
) -> Result<OwnedFd, Diagnostic> {
    let program = select(object, program)?;
    match load_program(object, program, maps, types, chance)? {
        Ok((prog, _)) => Ok(prog),
        Err(rejected) => Err(Diagnostic::error(
            codes::host::HOST_REJECTED,
            format!("the kernel's verifier refuses program {}", program.name),
        )
        .with_reason(format!("{}: {}", rejected.errno, rejected.reason()))),
    }
}

/// See [`super::load_verdict`].
pub(super) fn verdict(object: &Object, program: usize) -> Result<Result<Accepted, Rejected>, Diagnostic> {
    let program = select(object, program)?;
    let types = Types::load(object);
    let maps = make_maps(object, types.as_ref())?;
    Ok(load_program(object, program, &maps, types.as_ref(), None)?.map(|(_, accepted)| accepted))
}

/// See [`super::available`].
pub(super) fn available() -> Result<(), Diagnostic> {
    // r0 = 2; exit
    let insns = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let license = CString::default();
    let params = sys::ProgParams {
        insns: &insns,
        license: &license,
        name: "probe",
        flags: 0,
        expected_attach_type: attach_type("xdp"),
        log_level: 0,
        functions: None,
    };
    let prog = sys::prog_load(&params, &mut []).map_err(|error| failed("to load a program", &error))?;
    let mut out = [0; 64];
    // struct xdp_md: data_end is 64.
    let mut ctx = [0; 24];
    ctx[4] = 64;
    sys::test_run(&prog, &[0; 64], &mut out, &ctx, 1).map_err(|error| failed("to run a program", &error))?;
    Ok(())
}

/// The number of a map as an index.
pub(super) fn map_at(maps: &[sys::Map], map: MapIdx) -> Result<&sys::Map, Diagnostic> {
    maps.get(usize::from(map.0))
        .ok_or_else(|| Diagnostic::error(codes::host::HOST_FAILED, format!("there is no map number {}", map.0)))
}
