//! Asserting facts while a program runs.
//!
//! The checks are laid out once per program. Where control comes from one instruction only, a fact that the instruction cannot
//! have changed is not asserted a second time; everything else is, at each step.

use super::exec::uses;
use super::mem::{Mem, Place};
use offload_compiler::ebpf::{Insn, MapIdx, Reg};
use offload_compiler::facts::{Fact, Facts, MapSet, PtrKind, Range, State};

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Reg(Reg),
    /// Slot n of the current frame: bytes r10 - 8(n+1) to r10 - 8n - 1.
    Slot(u8),
}

impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Home::Reg(reg) => write!(f, "r{}", reg.0),
            Home::Slot(slot) => write!(f, "the stack slot at r10-{}", 8 * (u32::from(*slot) + 1)),
        }
    }
}

/// Facts of a program, as lists of things to assert.
pub(crate) struct Checks {
    checks: Vec<(Home, Fact)>,
    /// Start of each instruction's list, and the end; `None` where no execution comes.
    lists: Vec<Option<(u32, u32)>>,
}

/// A fact that does not hold.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The facts say that no execution comes here.
    Unreachable,
    /// The place holds a value that the fact excludes.
    Value { home: Home, fact: Fact, value: u64 },
}

impl Checks {
    pub(crate) fn new(insns: &[Insn], facts: &Facts) -> Self {
        let sole = single_predecessors(insns);
        let mut checks = Vec::new();
        let mut lists = Vec::with_capacity(insns.len());
        for at in 0..insns.len() {
            let Some(state) = facts.before.get(at).and_then(Option::as_ref) else {
                lists.push(None);
                continue;
            };
            let start = checks.len() as u32;
            let previous = sole.get(at).copied().flatten();
            let known = previous.and_then(|p| Some((insns.get(p)?, facts.before.get(p)?.as_ref()?)));
            for (home, fact) in homes(state) {
                if *fact != Fact::Unknown && !known.is_some_and(|(insn, before)| unchanged(home, fact, insn, before)) {
                    checks.push((home, *fact));
                }
            }
            lists.push(Some((start, checks.len() as u32)));
        }
        Self { checks, lists }
    }

    /// Asserts all facts before instruction `at`.
    #[inline]
    pub(crate) fn assert(&self, at: usize, regs: &[u64; 16], mem: &Mem) -> Result<(), Broken> {
        let Some(Some((start, end))) = self.lists.get(at) else { return Err(Broken::Unreachable) };
        let list = self.checks.get(*start as usize..*end as usize).unwrap_or(&[]);
        for (home, fact) in list {
            let value = match home {
                Home::Reg(reg) => regs[usize::from(reg.0 & 15)],
                Home::Slot(slot) => mem.stack_slot(*slot),
            };
            if !holds(fact, value, mem) {
                return Err(Broken::Value { home: *home, fact: *fact, value });
            }
        }
        Ok(())
    }
}

fn homes(state: &State) -> impl Iterator<Item = (Home, &Fact)> {
    let regs = state.regs.iter().enumerate().map(|(n, fact)| (Home::Reg(Reg(n as u8)), fact));
    regs.chain(state.slots.iter().enumerate().map(|(n, fact)| (Home::Slot(n as u8), fact)))
}

/// True if `fact` held before the only predecessor `insn`, which cannot have changed its home or meaning.
fn unchanged(home: Home, fact: &Fact, insn: &Insn, before: &State) -> bool {
    let (same, writes) = match home {
        Home::Reg(reg) => (before.regs.get(usize::from(reg.0)), uses(insn).writes & (1 << reg.0) != 0),
        Home::Slot(slot) => {
            (before.slots.get(usize::from(slot)), matches!(insn, Insn::Store { .. } | Insn::Atomic { .. }))
        }
    };
    let moves = matches!(insn, Insn::CallHelper { .. } | Insn::CallLocal { .. } | Insn::CallKfunc { .. } | Insn::Exit);
    !writes && !moves && same == Some(fact)
}

/// For each instruction its predecessor, if there is exactly one and control falls through from it.
fn single_predecessors(insns: &[Insn]) -> Vec<Option<usize>> {
    let mut sole: Vec<Option<usize>> = vec![None; insns.len()];
    for (at, insn) in insns.iter().enumerate() {
        let step = if matches!(insn, Insn::LoadImm64 { .. }) { 2 } else { 1 };
        if !matches!(insn, Insn::Jump { .. } | Insn::Exit | Insn::CallLocal { .. } | Insn::Wide)
            && let Some(entry) = sole.get_mut(at + step)
        {
            *entry = Some(at);
        }
    }
    let joins = insns.iter().filter_map(|insn| match insn {
        Insn::Jump { target } | Insn::JumpIf { target, .. } | Insn::CallLocal { target } => Some(target.at()),
        _ => None,
    });
    for join in joins.chain([0]) {
        if let Some(entry) = sole.get_mut(join) {
            *entry = None;
        }
    }
    sole
}

fn holds(fact: &Fact, value: u64, mem: &Mem) -> bool {
    match *fact {
        Fact::Unknown => true,
        Fact::Scalar(range) => within(&range, value),
        Fact::Func(entry) => value == super::exec::FUNCTION + u64::from(entry.0),
        Fact::Ptr { maybe_null: true, .. } if value == 0 => true,
        Fact::Ptr { kind: PtrKind::PacketHalf, offset, .. } => u32::try_from(value)
            .is_ok_and(|half| within(&offset, u64::from(half.wrapping_sub(mem.data_pointer() as u32)))),
        Fact::Ptr { kind, offset, .. } => {
            let (place, at) = mem.place(value);
            let (fits, at) = match (kind, place) {
                (PtrKind::Ctx, Place::Ctx) => (true, at),
                (PtrKind::Stack, Place::Stack(frame)) => (frame + 1 == mem.frames, at),
                (PtrKind::Packet, Place::Packet { stale }) => (!stale, at),
                (PtrKind::PacketEnd, Place::Packet { stale }) => (!stale, at - mem.packet().len() as i64),
                (PtrKind::MapValue(map), Place::Value { map: of, .. }) => (map == of, at),
                (PtrKind::Map(map), Place::Map(of)) => (map == of, at),
                (PtrKind::PacketMeta, Place::Packet { stale }) => (!stale, at + mem.metadata().len() as i64),
                (PtrKind::OneOf(maps), Place::Map(of)) => (maps.contains(of), at),
                (PtrKind::ValueOf(maps), Place::Value { map: of, .. }) => (maps.contains(of), at),
                (PtrKind::InnerMap(map), Place::Map(of)) => (mem.stands_in(of, map), at),
                (PtrKind::InnerValue(map), Place::Value { map: of, .. }) => (mem.stands_in(of, map), at),
                (PtrKind::Record(map), Place::Record(record)) => (mem.record_map(record) == Some(map), at),
                (PtrKind::CallerStack, Place::Stack(frame)) => (frame + 1 < mem.frames, at),
                _ => (false, at),
            };
            fits && within(&offset, at as u64)
        }
    }
}

fn within(range: &Range, value: u64) -> bool {
    (range.umin..=range.umax).contains(&value)
        && (range.smin..=range.smax).contains(&(value as i64))
        && value & !range.bits.mask == range.bits.value
}

/// A fact in words.
pub(crate) fn describe(fact: &Fact, maps: &dyn Fn(MapIdx) -> String) -> String {
    match fact {
        Fact::Unknown => "anything".into(),
        Fact::Func(entry) => format!("the address of the function at {}", entry.0),
        Fact::Scalar(range) => format!("a number {}", describe_range(range)),
        Fact::Ptr { kind, offset, maybe_null } => {
            let kind = match kind {
                PtrKind::Ctx => "a pointer to ctx".to_string(),
                PtrKind::Stack => "a pointer to the stack frame".into(),
                PtrKind::Packet => "a packet pointer".into(),
                PtrKind::PacketEnd => "a pointer to the packet's end".into(),
                PtrKind::PacketHalf => "the low half of a packet pointer".into(),
                PtrKind::MapValue(map) => format!("a pointer to a value of map {}", maps(*map)),
                PtrKind::Map(map) => format!("map {}", maps(*map)),
                PtrKind::OneOf(set) => format!("one of the maps {}", several(set, maps)),
                PtrKind::ValueOf(set) => format!("a pointer to a value of one of the maps {}", several(set, maps)),
                PtrKind::PacketMeta => "a pointer to packet metadata".into(),
                PtrKind::InnerMap(map) => format!("a map in map {}", maps(*map)),
                PtrKind::InnerValue(map) => format!("a pointer to a value of a map in map {}", maps(*map)),
                PtrKind::Record(map) => format!("a pointer to a record of map {}", maps(*map)),
                PtrKind::CallerStack => "a pointer to a caller's stack frame".into(),
            };
            let null = if *maybe_null { " or null" } else { "" };
            format!("{kind}{null} with offset {}", describe_range(offset))
        }
    }
}

fn several(set: &MapSet, maps: &dyn Fn(MapIdx) -> String) -> String {
    set.maps().map(maps).collect::<Vec<_>>().join(", ")
}

fn describe_range(range: &Range) -> String {
    format!(
        "in {:#x}..={:#x} unsigned, {}..={} signed, known bits value {:#x} mask {:#x}",
        range.umin, range.umax, range.smin, range.smax, range.bits.value, range.bits.mask
    )
}

/// A value in words.
pub(crate) fn describe_value(value: u64, mem: &Mem) -> String {
    let (place, offset) = mem.place(value);
    match place {
        Place::Record(at) => format!("record {at} of a ring buffer{offset:+}"),
        Place::Nothing => format!("{value:#x} ({})", value as i64),
        Place::Ctx => format!("a pointer to ctx{offset:+}"),
        Place::Stack(frame) => format!("r10{offset:+} of stack frame {frame}"),
        Place::Packet { stale: false } => format!("data{offset:+} in a packet of {} bytes", mem.packet().len()),
        Place::Packet { stale: true } => "a packet pointer from before bpf_xdp_adjust_head".into(),
        Place::Map(map) => format!("map {}{offset:+}", map.0),
        Place::Value { map, slot } => format!("value {slot} of map {}{offset:+}", map.0),
    }
}
