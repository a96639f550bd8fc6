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
pub(crate) mod maps;
mod mem;
pub mod printk;
mod replay;

use crate::{Backend, Chance, Entry, Event, PacketIn, PacketOut, Verdict};
use check::{Broken, Checks};
use exec::{Code, Fault, Run};
use maps::MapStore;
use mem::{Mem, RecordState};
use offload_compiler::ebpf::{Imm64, Insn, InsnIdx, MapIdx, Names, disasm};
use offload_compiler::facts::{self, Fact, Facts};
use offload_compiler::object::{Object, Program};
use offwire_diag::{Diagnostic, Span, Step, codes};
use replay::Replay;
use std::collections::BTreeSet;

/// Instructions that one packet may execute, unless [`Ref::with_limit`] says otherwise. The verifier bounds what it explores
/// by one million; calls can multiply that.
pub const DEFAULT_LIMIT: u64 = 1 << 24;
/// Largest packet that is taken in.
const MAX_PACKET: usize = 1 << 16;

/// The reference interpreter with one program and its maps.
pub struct Ref {
    /// Programs of the object, of which tail calls may reach all.
    programs: Vec<Program>,
    /// Their code, or why there is none.
    codes: Vec<Result<Code, Diagnostic>>,
    /// The one that a packet starts in.
    program: usize,
    limit: u64,
    mem: Mem,
    coverage: Option<Vec<Vec<u64>>>,
    insns: u64,
    /// Program and instruction.
    last_branch: Option<(usize, u32)>,
}

impl Ref {
    /// Makes maps with their initial contents and takes program number `program` of the object.
    ///
    /// # Errors
    /// `OW0814` if the program uses a helper, map kind or instruction that the interpreter does not know.
    pub fn new(object: &Object, program: usize) -> Result<Self, Diagnostic> {
        if program >= object.programs.len() {
            return Err(Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("the object has no program number {program}"),
            ));
        }
        let maps = object.maps.iter().map(MapStore::of).collect::<Result<Vec<_>, _>>()?;
        let Some(mem) = Mem::new(maps) else {
            return Err(Diagnostic::error(codes::host::REF_UNSUPPORTED, "the object's maps have too many entries"));
        };
        let codes: Vec<_> = object.programs.iter().map(|program| code(object, program, &mem)).collect();
        if let Some(Err(diagnostic)) = codes.get(program) {
            return Err(diagnostic.clone());
        }
        let programs = object.programs.clone();
        let limit = DEFAULT_LIMIT;
        let mut made = Self { programs, codes, program, limit, mem, coverage: None, insns: 0, last_branch: None };
        for (map, entry) in crate::references::initial(object)? {
            made.map_update(map, &entry)?;
        }
        Ok(made)
    }

    /// Asserts these facts at each step.
    #[must_use]
    pub fn with_facts(self, facts: &Facts) -> Self {
        let program = self.program;
        self.with_facts_of(program, facts)
    }

    /// Asserts these facts in the program with this number, which tail calls may reach.
    #[must_use]
    pub fn with_facts_of(mut self, program: usize, facts: &Facts) -> Self {
        if let Some(Ok(code)) = self.codes.get_mut(program) {
            code.checks = Some(Checks::new(&code.insns, facts));
        }
        self
    }

    /// Counts how often each instruction runs; see [`Ref::coverage`].
    #[must_use]
    pub fn with_coverage(mut self) -> Self {
        self.coverage = Some(self.programs.iter().map(|program| vec![0; program.insns.len()]).collect());
        self
    }

    /// Instructions that one packet may execute.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Executions of each instruction slot since the start; empty without [`Ref::with_coverage`].
    pub fn coverage(&self) -> &[u64] {
        self.coverage_of(self.program)
    }

    /// The same for the program with this number, which tail calls may reach.
    pub fn coverage_of(&self, program: usize) -> &[u64] {
        self.coverage.as_ref().and_then(|counts| counts.get(program)).map_or(&[], Vec::as_slice)
    }

    /// eBPF instructions executed over all packets; a 64-bit immediate load counts once.
    pub fn insns(&self) -> u64 {
        self.insns
    }

    /// Runs the program as a bare function: r1 is the address of the first value of a map (0 if `len` is 0), r2 is `len`. Gives r0.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub(crate) fn run_on_value(&mut self, map: MapIdx, len: u64) -> Result<u64, Diagnostic> {
        self.mem.start(&[], 1, 0);
        let address = if len == 0 { None } else { self.mem.value_pointer(map, 0) };
        let mut run = Run::with_arguments(&self.mem, self.program, address.unwrap_or(0), len);
        let result = run.execute(&self.codes, self.limit, &mut self.mem, self.coverage.as_mut());
        self.insns += run.count;
        result.map_err(|fault| self.fault(&run, fault))
    }

    /// Runs a packet of a run with many in flight: maps answer what its log says. Gives what comes out, or what the log does not
    /// explain, and the script of another attempt, if there is one.
    pub(crate) fn replay(
        &mut self,
        packet: &PacketIn,
        cpu: u32,
        log: Vec<(u16, crate::overlap::Op)>,
        script: Vec<usize>,
    ) -> (Result<PacketOut, String>, Option<Vec<usize>>) {
        self.mem.replay = Some(Box::new(Replay::new(log, script)));
        self.mem.cpu = cpu;
        let out = self.run(packet);
        self.mem.cpu = 0;
        let Some(replay) = self.mem.replay.take() else { return (Err("the replay is gone".into()), None) };
        let result = match (replay.mismatch(), out) {
            (Some(what), _) => Err(what.to_owned()),
            (None, Err(diagnostic)) => Err(diagnostic.to_string()),
            (None, Ok(out)) => replay.finish().map(|()| out),
        };
        (result, replay.next_script())
    }

    fn fault(&self, run: &Run, fault: Fault) -> Diagnostic {
        let program = self.programs.get(run.program);
        let name = program.map_or("?", |program| program.name.as_str());
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
                    self.limit
                )),
            Fault::Unsupported(what) => Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("{what} is not supported by the reference interpreter"),
            ),
        };
        diagnostic.with_span(self.span(run.program, run.at)).with_path(self.path(run))
    }

    /// Records that were submitted, in the order in which a reader finds them, then perf events and trace lines.
    fn events(&self) -> Vec<Event> {
        let submitted = self.mem.records.iter().filter(|record| record.state == RecordState::Submitted);
        let records = submitted.map(|record| Event::Ringbuf { map: record.map.0, bytes: record.bytes.clone() });
        records.chain(self.mem.other_events.iter().cloned()).collect()
    }

    fn span(&self, program: usize, at: usize) -> Span {
        self.programs.get(program).map_or_else(Span::default, |program| span(program, at, &self.mem))
    }

    /// The last branches of a run, oldest first.
    fn path(&self, run: &Run) -> Vec<Step> {
        let last = run.branch_count;
        (last.saturating_sub(8)..last)
            .filter_map(|n| run.branches.get((n & 7) as usize))
            .map(|&(at, taken)| Step {
                span: self.span(run.program, at as usize),
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
        if let Some(store) = self.mem.maps.get(usize::from(map.0)) {
            crate::references::check(store.spec(), entry, self.programs.len(), self.mem.maps.len())?;
        }
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

    fn filled_lru(&self) -> bool {
        self.mem.maps.iter().any(MapStore::filled)
    }

    fn set_chance(&mut self, chance: Chance) {
        self.mem.chance = chance;
    }

    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        if packet.bytes.len() > MAX_PACKET {
            return Err(Diagnostic::error(
                codes::host::NOT_COMPARABLE,
                format!("a packet of {} bytes is more than {MAX_PACKET}", packet.bytes.len()),
            ));
        }
        self.mem.start(&packet.bytes, packet.port.wrapping_add(1), packet.rx_queue);
        let mut run = Run::new(&self.mem, self.program);
        let result = run.execute(&self.codes, self.limit, &mut self.mem, self.coverage.as_mut());
        self.insns += run.count;
        self.last_branch = run.last_branch().map(|at| (run.program, at));
        match result {
            Ok(r0) => Ok(PacketOut {
                retval: r0 as u32,
                bytes: self.mem.packet().to_vec(),
                meta: self.mem.metadata().to_vec(),
                events: self.events(),
                redirect: self.mem.redirect.filter(|_| Verdict::from_retval(r0 as u32) == Verdict::Redirect),
                insns: Some(run.count),
                ..PacketOut::default()
            }),
            Err(fault) => Err(self.fault(&run, fault)),
        }
    }

    fn last_branch(&self) -> Option<Span> {
        let (program, at) = self.last_branch?;
        Some(self.span(program, at as usize))
    }
}

/// The program, ready to run.
fn code(object: &Object, program: &Program, mem: &Mem) -> Result<Code, Diagnostic> {
    let mut insns = Vec::with_capacity(program.insns.len());
    for (at, insn) in program.insns.iter().enumerate() {
        insns.push(resolve(insn, mem).map_err(|what| {
            Diagnostic::error(
                codes::host::REF_UNSUPPORTED,
                format!("{what} is not supported by the reference interpreter"),
            )
            .with_span(span(program, at, mem))
        })?);
    }
    let uses = insns.iter().map(exec::uses).collect();
    let called_loops = called_loops(object, program)?;
    Ok(Code { insns, uses, called_loops, checks: None })
}

/// Calls of bpf_loop that the kernel does not expand, because the flags are not the constant 0 or the callback depends on the path.
fn called_loops(object: &Object, program: &Program) -> Result<Vec<usize>, Diagnostic> {
    let is_loop = |insn: &Insn| matches!(insn, Insn::CallHelper { id: helpers::number::LOOP });
    if !program.insns.iter().any(is_loop) {
        return Ok(Vec::new());
    }
    let facts = facts::analyze(object, program)?;
    let fact =
        |at: usize, reg: usize| facts.before.get(at).and_then(Option::as_ref).and_then(|state| state.regs.get(reg));
    let no_flags = |at: usize| matches!(fact(at, 4), Some(Fact::Scalar(range)) if range.umax == 0);
    let function = |insn: &Insn| match insn {
        Insn::LoadImm64 { value: Imm64::Func(entry), .. } => Some(*entry),
        _ => None,
    };
    let functions: BTreeSet<InsnIdx> = program.insns.iter().filter_map(function).collect();
    let one = |at: usize| functions.len() == 1 || matches!(fact(at, 2), Some(Fact::Func(_)));
    let loops = program.insns.iter().enumerate().filter(|(at, insn)| is_loop(insn) && !(no_flags(*at) && one(*at)));
    Ok(loops.map(|(at, _)| at).collect())
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
                Imm64::Func(at) => exec::FUNCTION + u64::from(at.0),
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
