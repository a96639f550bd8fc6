//! One packet of a run with many in flight: the interpreter does what the program says, and hears from the log what maps told it.
//!
//! A compiler may leave out, merge, widen and move reads, and merge writes, as far as one packet alone cannot tell. So requests that
//! change something are matched one by one in their order, lookups by map and key, writes by what is left of them at the end, and a
//! read gets one of the values that the packet did read there. Where there are several, they are tried in turn.

use super::mem::Violation;
use crate::overlap::Op;
use std::collections::{BTreeMap, BTreeSet};

/// What the device is told instead of flags that no map has.
const NO_FLAGS: u64 = 7;

/// A value of a map: number of the map, and slot in the interpreter's store.
type Home = (u16, u32);

/// A packet's own part of the log, and what the interpreter has done of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    log: Vec<(u16, Op)>,
    used: Vec<bool>,
    /// Slots of the elements of maps with keys.
    slots: BTreeMap<(u16, u32), u32>,
    /// The last answer to a lookup of a key.
    found: BTreeMap<(u16, Vec<u8>), Option<u32>>,
    /// Which of several values to take, and how many there were.
    script: Vec<usize>,
    made: Vec<(usize, usize)>,
    /// Bytes that the program stored.
    written: BTreeMap<(u16, u32, u32), u8>,
    /// What the program saw there before its first store.
    before: BTreeMap<(u16, u32, u32), u8>,
    /// Sums that it added, by map, slot, offset and size.
    added: BTreeMap<(u16, u32, u32, u8), u64>,
    /// Maps in which lookups have found elements; in others an element is an index.
    keyed: BTreeSet<u16>,
    /// The first thing that cannot be.
    mismatch: Option<String>,
}

impl Replay {
    /// Starts a packet; `script` says which values to take.
    pub(crate) fn new(log: Vec<(u16, Op)>, script: Vec<usize>) -> Self {
        Self { used: vec![false; log.len()], log, script, ..Self::default() }
    }

    /// The script of the next attempt; `None` if all have been made.
    pub(crate) fn next_script(&self) -> Option<Vec<usize>> {
        let at = self.made.iter().rposition(|(chosen, of)| chosen + 1 < *of)?;
        let mut script: Vec<usize> = self.made.get(..=at)?.iter().map(|(chosen, _)| *chosen).collect();
        *script.last_mut()? += 1;
        Some(script)
    }

    fn choose(&mut self, of: usize) -> usize {
        let chosen = self.script.get(self.made.len()).copied().unwrap_or(0).min(of.saturating_sub(1));
        if of > 1 {
            self.made.push((chosen, of));
            return chosen;
        }
        0
    }

    fn fail<T>(&mut self, what: String) -> Result<T, Violation> {
        self.mismatch.get_or_insert_with(|| what.clone());
        Err(Violation(what))
    }

    /// The next request that nobody has matched, among those that `wanted` picks.
    fn next(&mut self, wanted: impl Fn(u16, &Op) -> bool) -> Option<(u16, Op)> {
        let at = (0..self.log.len()).find(|&at| {
            !self.used.get(at).copied().unwrap_or(true) && self.log.get(at).is_some_and(|(map, op)| wanted(*map, op))
        })?;
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
        self.log.get(at).cloned()
    }

    /// The answer of a helper that draws on something shared; `None` if the packet never asked.
    pub(crate) fn answer(&mut self, helper: u32) -> Option<u64> {
        match self.next(|_, op| matches!(op, Op::Answer { helper: of, .. } if *of == helper))? {
            (_, Op::Answer { answer, .. }) => Some(answer),
            _ => None,
        }
    }

    /// A lookup in a map with keys: the slot of its element. `slots` is how many the interpreter's store has.
    pub(crate) fn lookup(&mut self, map: u16, key: &[u8], slots: u64) -> Result<Option<u32>, Violation> {
        self.keyed.insert(map);
        let logged = self.next(|of, op| of == map && matches!(op, Op::Lookup { key: of, .. } if of == key));
        let element = match logged {
            Some((_, Op::Lookup { element, .. })) => element,
            _ => match self.found.get(&(map, key.to_vec())).cloned() {
                // Asked before, and not again.
                Some(before) => return Ok(before),
                // Never asked: only a program that does not use the answer does so.
                None if self.choose(2) == 0 => return Ok(None),
                None => Some(u32::MAX),
            },
        };
        let slot = match element {
            None => None,
            Some(element) => {
                let next = u32::try_from(self.slots.keys().filter(|(of, _)| *of == map).count()).unwrap_or(u32::MAX);
                let slot = *self.slots.entry((map, element)).or_insert(next);
                if u64::from(slot) >= slots {
                    return self.fail(format!("a packet uses more than {slots} elements of map {map}"));
                }
                Some(slot)
            }
        };
        self.found.insert((map, key.to_vec()), slot);
        Ok(slot)
    }

    /// An update or delete: the next one of the packet must be the same.
    pub(crate) fn change(&mut self, map: u16, ours: &Op) -> Result<i64, Violation> {
        let logged = self.next(|_, op| matches!(op, Op::Update { .. } | Op::Delete { .. }));
        self.found.retain(|(of, _), _| *of != map);
        match (logged, ours) {
            (
                Some((of, Op::Update { key, value, flags, answer })),
                Op::Update { key: our_key, value: our_value, flags: our_flags, .. },
            ) if of == map && key == *our_key && value == *our_value && is_same(flags, *our_flags) => Ok(answer),
            (Some((of, Op::Delete { key, answer })), Op::Delete { key: ours, .. }) if of == map && key == *ours => {
                Ok(answer)
            }
            (logged, ours) => self.fail(format!("the program does {ours:?} to map {map}, the device did {logged:?}")),
        }
    }

    fn is_home(&self, (map, slot): Home, of: u16, element: u32) -> bool {
        let own = if self.keyed.contains(&map) { self.slots.get(&(map, element)).copied() } else { Some(element) };
        of == map && own == Some(slot)
    }

    /// Before a read of a value: the bytes that stand there for this packet.
    pub(crate) fn refresh(&mut self, home: Home, offset: usize, view: &mut [u8]) {
        // What the packet read there, each over what it had read before.
        let (mut seen, mut before) = (Vec::new(), Vec::new());
        let mut bytes = view.to_vec();
        let request = self
            .log
            .iter()
            .zip(&self.used)
            .position(|((_, op), used)| !used && op.is_ordered())
            .unwrap_or(self.log.len());
        for (at, (of, op)) in self.log.iter().enumerate() {
            if let Op::Read { element, offset: from, bytes: read } = op
                && self.is_home(home, *of, *element)
                && overlay(&mut bytes, offset, read, *from as usize)
            {
                seen.push(bytes.clone());
                before.push(at < request);
            }
        }
        let own = (offset..offset + view.len())
            .any(|at| u32::try_from(at).is_ok_and(|at| self.written.contains_key(&(home.0, home.1, at))));
        if seen.is_empty() {
            return;
        }
        // What was read last before the next request comes first; what the packet wrote itself goes before that.
        let likely = before.iter().rposition(|before| *before).unwrap_or(0);
        let mut candidates = Vec::new();
        if own {
            let mut mixed = seen.get(likely).cloned().unwrap_or_default();
            for (at, byte) in mixed.iter_mut().enumerate() {
                let at = u32::try_from(offset + at).unwrap_or(u32::MAX);
                if let Some(written) = self.written.get(&(home.0, home.1, at)) {
                    *byte = *written;
                }
            }
            candidates.push(mixed);
        }
        candidates.extend(seen.get(likely).cloned());
        candidates.extend(seen.iter().rev().cloned());
        let mut distinct: Vec<Vec<u8>> = Vec::new();
        for candidate in candidates {
            if !distinct.contains(&candidate) {
                distinct.push(candidate);
            }
        }
        let chosen = self.choose(distinct.len());
        if let Some(bytes) = distinct.get(chosen) {
            view.copy_from_slice(bytes);
        }
    }

    /// Before a store to a value: what stands there now.
    pub(crate) fn writes(&mut self, (map, slot): Home, offset: usize, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            self.before.entry((map, slot, u32::try_from(at).unwrap_or(u32::MAX))).or_insert(*byte);
        }
    }

    /// After a store to a value.
    pub(crate) fn wrote(&mut self, (map, slot): Home, offset: usize, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            self.written.insert((map, slot, u32::try_from(at).unwrap_or(u32::MAX)), *byte);
        }
    }

    /// An addition without an answer.
    pub(crate) fn add(&mut self, (map, slot): Home, offset: usize, size: u8, value: u64) {
        let sum = self.added.entry((map, slot, u32::try_from(offset).unwrap_or(u32::MAX), size)).or_default();
        *sum = cut(sum.wrapping_add(value), size);
    }

    /// An atomic operation with an answer: what was there before; `new` makes of it what is there then.
    pub(crate) fn atomic(&mut self, home: Home, offset: usize, new: impl Fn(u64) -> u64) -> Result<u64, Violation> {
        let logged = self.next(|_, op| matches!(op, Op::Atomic { .. }));
        match logged {
            Some((of, Op::Atomic { element, offset: at, size, old, new: theirs }))
                if self.is_home(home, of, element) && at as usize == offset =>
            {
                let ours = cut(new(old), size);
                if ours != theirs {
                    return self
                        .fail(format!("an atomic operation makes {ours:#x} of {old:#x}, the device {theirs:#x}"));
                }
                Ok(old)
            }
            other => self.fail(format!("an atomic operation at {home:?}+{offset}, the device did {other:?}")),
        }
    }

    /// A lock is taken or given back. A compiler may leave locks out where packets do not run side by side.
    pub(crate) fn lock(&mut self, home: Home, offset: usize, taken: bool) -> Result<(), Violation> {
        if !self.log.iter().any(|(_, op)| matches!(op, Op::Lock { .. })) {
            return Ok(());
        }
        match self.next(|_, op| matches!(op, Op::Lock { .. })) {
            Some((of, Op::Lock { element, offset: at, taken: theirs }))
                if self.is_home(home, of, element) && at as usize == offset && theirs == taken =>
            {
                Ok(())
            }
            other => self.fail(format!("a lock at {home:?}+{offset} (taken: {taken}), the device did {other:?}")),
        }
    }

    /// True if the packet's log has an atomic operation that nobody has matched at this place.
    pub(crate) fn has_atomic(&self, home: Home, offset: usize) -> bool {
        self.log.iter().zip(&self.used).any(|((of, op), used)| match op {
            Op::Atomic { element, offset: at, .. } => {
                !used && self.is_home(home, *of, *element) && *at as usize == offset
            }
            _ => false,
        })
    }

    /// What the log contradicted while the program ran.
    pub(crate) fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }

    /// After the packet: whether all that the device changed is what the program changes.
    pub(crate) fn finish(&self) -> Result<(), String> {
        let (mut written, mut added) = (BTreeMap::new(), BTreeMap::<_, u64>::new());
        for ((map, op), used) in self.log.iter().zip(&self.used) {
            let slot = |element: &u32| self.slots.get(&(*map, *element)).copied().unwrap_or(*element);
            match op {
                Op::Update { .. } | Op::Delete { .. } | Op::Atomic { .. } if !used => {
                    return Err(format!("the device did {op:?} to map {map}, the program does not"));
                }
                Op::Store { element, offset, bytes } => {
                    for (at, byte) in (*offset..).zip(bytes) {
                        written.insert((*map, slot(element), at), *byte);
                    }
                }
                Op::Add { element, offset, size, value } => {
                    let sum = added.entry((*map, slot(element), *offset, *size)).or_default();
                    *sum = cut(sum.wrapping_add(*value), *size);
                }
                _ => {}
            }
        }
        let (mut our_written, mut our_added) = (self.written.clone(), self.added.clone());
        // A number that is read, added to and stored may be added to where it stands, if nobody looks at it.
        for (key @ (map, slot, offset, size), theirs) in &added {
            let places = (*offset..offset.saturating_add(u32::from(*size))).map(|at| (*map, *slot, at));
            let number = |from: &BTreeMap<(u16, u32, u32), u8>| {
                places.clone().rev().try_fold(0u64, |number, at| Some(number << 8 | u64::from(*from.get(&at)?)))
            };
            let ours = our_added.get(key).copied().unwrap_or(0);
            if places.clone().all(|at| !written.contains_key(&at))
                && let (Some(before), Some(now)) = (number(&self.before), number(&self.written))
                && cut(now.wrapping_sub(before).wrapping_add(ours), *size) == *theirs
            {
                our_written.retain(|at, _| !places.clone().any(|place| place == *at));
                our_added.insert(*key, *theirs);
            }
        }
        if written != our_written {
            let keys: BTreeSet<_> = written.keys().chain(our_written.keys()).collect();
            let at = keys.into_iter().find(|key| written.get(key) != our_written.get(key));
            let theirs = at.and_then(|at| written.get(at));
            let ours = at.and_then(|at| our_written.get(at));
            return Err(format!(
                "at (map, slot, offset) {at:?} the program leaves byte {ours:?}, the device {theirs:?}"
            ));
        }
        let full = |sums: &BTreeMap<(u16, u32, u32, u8), u64>| -> Vec<_> {
            sums.iter().filter(|(_, sum)| **sum != 0).map(|(key, sum)| (*key, *sum)).collect()
        };
        if full(&added) != full(&our_added) {
            return Err(format!("the program adds {:?}, the device {:?}", full(&our_added), full(&added)));
        }
        Ok(())
    }
}

/// The low `size` bytes.
fn cut(value: u64, size: u8) -> u64 {
    if size == 4 { value & 0xffff_ffff } else { value }
}

/// Puts `read`, which stands at `from`, over `view`, which stands at `offset`; false if they do not meet.
fn overlay(view: &mut [u8], offset: usize, read: &[u8], from: usize) -> bool {
    let mut met = false;
    for (at, byte) in (offset..).zip(view.iter_mut()) {
        if let Some(value) = at.checked_sub(from).and_then(|at| read.get(at)) {
            *byte = *value;
            met = true;
        }
    }
    met
}

/// True if the device was asked for the same update: of flags that no map has it is told that they are such.
fn is_same(told: u64, flags: u64) -> bool {
    told == flags || (told == NO_FLAGS && flags > NO_FLAGS)
}
