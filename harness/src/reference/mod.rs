//! `ref`: an interpreter of eBPF that checks what it runs.
//!
//! It executes RFC 9669 (instruction set versions 1 to 4) from the RFC's text, gives the kernel's answers for maps and helpers,
//! and knows bounds of its own: each access is checked against the region its pointer comes from, each register read against
//! what was written, and, if facts are given, each fact at each step. So a program that runs through here without a Diagnostic
//! has confirmed its verifier and its facts for that packet.

mod alu;
mod check;
mod exec;
mod helpers;
mod maps;
mod mem;

use crate::{Backend, Entry, PacketIn, PacketOut};
use check::{Broken, Checks};
use exec::{Code, Fault, Run};
use maps::MapStore;
use mem::Mem;
use offload_compiler::ebpf::{Imm64, Insn, InsnIdx, MapIdx, Names, disasm};
use offload_compiler::facts::Facts;
use offload_compiler::object::{Object, Program};
use offwire_diag::{Diagnostic, Span, Step, codes};

/// Instructions that one packet may execute, unless [`Ref::with_limit`] says otherwise. The verifier bounds what it explores
/// by one million; calls can multiply that.
pub const DEFAULT_LIMIT: u64 = 1 << 24;
/// Largest packet that is taken in.
const MAX_PACKET: usize = 1 << 16;

/// The reference interpreter with one program and its maps.
pub struct Ref {
    program: Program,
    code: Code,
    mem: Mem,
    coverage: Option<Vec<u64>>,
    insns: u64,
    last_branch: Option<u32>,
}

impl Ref {
    /// Makes maps with their initial contents and takes program number `program` of the object.
    ///
    /// # Errors
    /// `OW0814` if the program uses a helper, map kind or instruction that the interpreter does not know.
    pub fn new(object: &Object, program: usize) -> Result<Self, Diagnostic> {
        let Some(program) = object.programs.get(program) else {
            return Err(Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("the object has no program number {program}"),
            ));
        };
        let maps = object.maps.iter().map(|map| MapStore::new(&map.spec)).collect::<Result<Vec<_>, _>>()?;
        let Some(mem) = Mem::new(maps) else {
            return Err(Diagnostic::error(codes::host::REF_UNSUPPORTED, "the object's maps have too many entries"));
        };
        let mut insns = Vec::with_capacity(program.insns.len());
        for (at, insn) in program.insns.iter().enumerate() {
            insns.push(resolve(insn, &mem).map_err(|what| {
                Diagnostic::error(
                    codes::host::REF_UNSUPPORTED,
                    format!("{what} is not supported by the reference interpreter"),
                )
                .with_span(span(program, at, &mem))
            })?);
        }
        let uses = insns.iter().map(exec::uses).collect();
        let code = Code { insns, uses, checks: None, limit: DEFAULT_LIMIT };
        Ok(Self { program: program.clone(), code, mem, coverage: None, insns: 0, last_branch: None })
    }

    /// Asserts these facts at each step.
    #[must_use]
    pub fn with_facts(mut self, facts: &Facts) -> Self {
        self.code.checks = Some(Checks::new(&self.code.insns, facts));
        self
    }

    /// Counts how often each instruction runs; see [`Ref::coverage`].
    #[must_use]
    pub fn with_coverage(mut self) -> Self {
        self.coverage = Some(vec![0; self.code.insns.len()]);
        self
    }

    /// Instructions that one packet may execute.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.code.limit = limit;
        self
    }

    /// Executions of each instruction slot since the start; empty without [`Ref::with_coverage`].
    pub fn coverage(&self) -> &[u64] {
        self.coverage.as_deref().unwrap_or(&[])
    }

    /// eBPF instructions executed over all packets; a 64-bit immediate load counts once.
    pub fn insns(&self) -> u64 {
        self.insns
    }

    fn fault(&self, run: &Run, fault: Fault) -> Diagnostic {
        let name = &self.program.name;
        let diagnostic = match fault {
            Fault::Bounds(violation) => {
                Diagnostic::error(codes::host::REF_BOUNDS, format!("verified program {name} leaves its bounds"))
                    .with_reason(violation.0)
            }
            Fault::Unwritten(reg) => {
                Diagnostic::error(codes::host::REF_BOUNDS, format!("verified program {name} leaves its bounds"))
                    .with_reason(format!("it reads r{reg}, which holds nothing here"))
            }
            Fault::Flow(what) => {
                Diagnostic::error(codes::host::REF_BOUNDS, format!("verified program {name} leaves its bounds"))
                    .with_reason(what)
            }
            Fault::Fact(Broken::Unreachable) => {
                Diagnostic::error(codes::host::REF_FACT, format!("a fact of program {name} does not hold"))
                    .with_reason("the facts say that no execution comes here")
            }
            Fault::Fact(Broken::Value { home, fact, value }) => {
                let map = |map: MapIdx| match self.mem.maps.get(usize::from(map.0)) {
                    Some(store) => store.spec().name.clone(),
                    None => format!("number {}", map.0),
                };
                Diagnostic::error(codes::host::REF_FACT, format!("a fact of program {name} does not hold")).with_reason(
                    format!(
                        "{home} should be {}, but is {}",
                        check::describe(&fact, &map),
                        check::describe_value(value, &self.mem)
                    ),
                )
            }
            Fault::Limit => Diagnostic::error(codes::host::REF_LIMIT, format!("program {name} runs too long"))
                .with_reason(format!(
                    "it executed {} instructions for one packet without coming to an end",
                    self.code.limit
                )),
            Fault::Unsupported(what) => Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("{what} is not supported by the reference interpreter"),
            ),
        };
        diagnostic.with_span(span(&self.program, run.at, &self.mem)).with_path(self.path(run))
    }

    /// The last branches of a run, oldest first.
    fn path(&self, run: &Run) -> Vec<Step> {
        let last = run.branch_count;
        (last.saturating_sub(8)..last)
            .filter_map(|n| run.branches.get((n & 7) as usize))
            .map(|&(at, taken)| Step {
                span: span(&self.program, at as usize, &self.mem),
                what: if taken { "branch taken".into() } else { "branch not taken".into() },
            })
            .collect()
    }
}

impl Backend for Ref {
    fn name(&self) -> &'static str {
        "ref"
    }

    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        match self.mem.maps.get_mut(usize::from(map.0)) {
            Some(store) => store.set(entry),
            None => Err(Diagnostic::error(codes::host::MAP_UPDATE, format!("there is no map number {}", map.0))),
        }
    }

    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        match self.mem.maps.get(usize::from(map.0)) {
            Some(store) => Ok(store.entries()),
            None => Err(Diagnostic::error(codes::host::MAP_UPDATE, format!("there is no map number {}", map.0))),
        }
    }

    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        if packet.bytes.len() > MAX_PACKET {
            return Err(Diagnostic::error(
                codes::host::NOT_COMPARABLE,
                format!("a packet of {} bytes is more than {MAX_PACKET}", packet.bytes.len()),
            ));
        }
        self.mem.start(&packet.bytes, packet.port.wrapping_add(1), packet.rx_queue);
        let mut run = Run::new(&self.mem);
        let result = run.execute(&self.code, &mut self.mem, self.coverage.as_mut());
        self.insns += run.count;
        self.last_branch = run.last_branch();
        match result {
            Ok(r0) => Ok(PacketOut {
                retval: r0 as u32,
                bytes: self.mem.packet().to_vec(),
                meta: self.mem.metadata().to_vec(),
                insns: Some(run.count),
                ..PacketOut::default()
            }),
            Err(fault) => Err(self.fault(&run, fault)),
        }
    }

    fn last_branch(&self) -> Option<Span> {
        Some(span(&self.program, self.last_branch? as usize, &self.mem))
    }
}

/// Replaces map references by addresses; an `Err` names what is not supported.
fn resolve(insn: &Insn, mem: &Mem) -> Result<Insn, String> {
    Ok(match *insn {
        Insn::LoadImm64 { dst, value } => {
            let value = match value {
                Imm64::Const(value) => value,
                Imm64::Map(map) if usize::from(map.0) < mem.maps.len() => mem.map_pointer(map),
                Imm64::MapValue { map, offset } => match mem.value_pointer(map, 0) {
                    Some(first) => first + u64::from(offset),
                    None => return Err(format!("a reference to map number {}", map.0)),
                },
                Imm64::Map(map) => return Err(format!("a reference to map number {}", map.0)),
                Imm64::Func(_) => return Err("a function pointer".into()),
            };
            Insn::LoadImm64 { dst, value: Imm64::Const(value) }
        }
        Insn::CallHelper { id } if helpers::arguments(id).is_none() => return Err(format!("helper {id}")),
        Insn::CallKfunc { btf_id } => return Err(format!("the kernel function with BTF id {btf_id}")),
        other => other,
    })
}

fn span(program: &Program, at: usize, names: &dyn Names) -> Span {
    let at = InsnIdx(at as u32);
    let mut span = program.span(at);
    span.insn_text = program.insns.get(at.at()).map(|insn| disasm(at, insn, names));
    span
}

impl Names for Mem {
    fn map(&self, map: MapIdx) -> Option<&str> {
        self.maps.get(usize::from(map.0)).map(|store| store.spec().name.as_str())
    }
}
