//! The image checker: an image that passes can hurt only its own packets, whoever made it.
//!
//! The compiler's output goes through it like any other image. What depends on data (addresses, handles, budgets) the device
//! checks at run time; here is what can be told from the image alone.

use crate::{Image, ImageError, MapKind, MapSpec};
use offwire_isa::{CmpOp, ISA_VERSION, MapUse, Profile, RequestOp, Target, Word};

/// Most maps of an image: a handle names one in 8 bits.
pub const MAPS_MAX: usize = 1 << 8;
/// Most elements of a map, copies for each vCPU counted: a handle names one in 28 bits.
pub const ELEMENTS_MAX: u64 = 1 << 28;
/// Largest value in bytes: a handle names a byte in 24 bits.
pub const VALUE_BYTES_MAX: u32 = 1 << 24;

impl Image {
    /// The profile that the image was made for.
    ///
    /// # Errors
    /// Another ISA version, an unknown profile or one that has changed since.
    pub fn profile(&self) -> Result<&'static Profile, ImageError> {
        if self.isa_version != ISA_VERSION {
            return Err(ImageError::IsaVersion { found: self.isa_version });
        }
        let profile =
            Profile::by_name(&self.profile).ok_or_else(|| ImageError::NoProfile { name: self.profile.clone() })?;
        if profile.hash != self.profile_hash {
            return Err(ImageError::ProfileHash {
                name: self.profile.clone(),
                image: self.profile_hash,
                now: profile.hash,
            });
        }
        Ok(profile)
    }

    /// Checks the whole image and gives its words, decoded.
    ///
    /// Every word decodes; every code address, used or not, lies in the program; the program fits the instruction store;
    /// requests name maps that exist and can serve them; maps are what handles can name; the budget is one that the
    /// profile grants.
    ///
    /// # Errors
    /// The first thing that is wrong, of class [`crate::Class::Binding`] or [`crate::Class::Program`].
    pub fn validate(&self) -> Result<Vec<Word>, ImageError> {
        let profile = self.profile()?;
        let count = self.words.len();
        if count == 0 {
            return Err(ImageError::Empty);
        }
        if count > profile.instruction_store_words as usize {
            return Err(ImageError::TooLong {
                words: count,
                profile: self.profile.clone(),
                store: profile.instruction_store_words,
            });
        }
        if usize::from(self.entry.0) >= count {
            return Err(ImageError::Entry { entry: self.entry.0, words: count });
        }
        if !(1..=profile.packet_cycles_max).contains(&self.budget_cycles) {
            return Err(ImageError::Budget { cycles: self.budget_cycles, max: profile.packet_cycles_max });
        }
        self.check_maps(profile)?;
        self.check_links()?;
        let mut words = Vec::with_capacity(count);
        for (address, bytes) in self.words.iter().enumerate() {
            let word =
                Word::decode(bytes).map_err(|cause| ImageError::Word { address, bytes: Box::new(*bytes), cause })?;
            self.check_word(address, &word)?;
            words.push(word);
        }
        let debug = &self.word_insns;
        if !debug.is_empty() && debug.len() != count || debug.iter().any(|insns| !insns.is_sorted_by(|a, b| a < b)) {
            return Err(ImageError::Debug);
        }
        Ok(words)
    }

    fn check_word(&self, address: usize, word: &Word) -> Result<(), ImageError> {
        for (field, target) in [("t1", word.t1), ("t2", word.t2), ("next", word.next)] {
            if let Target::Goto(goto) = target
                && usize::from(goto.0) >= self.words.len()
            {
                return Err(ImageError::Target { address, field, target: goto.0, words: self.words.len() });
            }
        }
        let shape = word.q_op.shape();
        let slot = word.q_map;
        if word.q_op == RequestOp::Call && (word.g_en || word.q_null || word.c2_op != CmpOp::Never) {
            return Err(ImageError::Call { address });
        }
        if shape.map != MapUse::Slot {
            return Ok(());
        }
        let maps = self.maps.len();
        let map = self.maps.get(usize::from(slot)).ok_or(ImageError::NoMap { address, slot, maps })?;
        let frozen = word.q_op.changes_map() && map.frozen;
        if frozen || !serves(map.kind, word.q_op) {
            return Err(ImageError::Request { address, request: word.q_op.asm(), slot, kind: map.kind, frozen });
        }
        Ok(())
    }

    /// Programs, links and locks name what is there.
    fn check_links(&self) -> Result<(), ImageError> {
        for program in &self.programs {
            if usize::from(program.entry.0) >= self.words.len() {
                return Err(ImageError::Entry { entry: program.entry.0, words: self.words.len() });
            }
        }
        for link in &self.links {
            let kind = |slot: usize| self.maps.get(slot).map(|map| map.kind);
            let array = self.maps.get(usize::from(link.map)).is_some_and(|map| link.key < map.max_entries);
            let right = match kind(usize::from(link.map)) {
                Some(MapKind::ProgArray) => array && (link.to as usize) < self.programs.len(),
                Some(outer @ (MapKind::ArrayOfMaps | MapKind::HashOfMaps)) => {
                    let inner = kind(link.to as usize);
                    (array || outer == MapKind::HashOfMaps)
                        && inner.is_some_and(|inner| !matches!(inner, MapKind::ArrayOfMaps | MapKind::HashOfMaps))
                }
                _ => false,
            };
            if !right {
                return Err(ImageError::Link { map: link.map, key: link.key, to: link.to });
            }
        }
        for lock in &self.locks {
            let size = self.maps.get(usize::from(lock.map)).map_or(0, |map| map.value_size);
            if !lock.offset.is_multiple_of(4) || lock.offset.checked_add(4).is_none_or(|end| end > size) {
                return Err(ImageError::Lock { map: lock.map, offset: lock.offset });
            }
        }
        Ok(())
    }

    fn check_maps(&self, profile: &Profile) -> Result<(), ImageError> {
        if self.maps.len() > MAPS_MAX {
            return Err(ImageError::TooManyMaps { maps: self.maps.len() });
        }
        for (slot, map) in self.maps.iter().enumerate() {
            if let Err(what) = check_map(map, profile) {
                return Err(ImageError::Map { slot, name: map.name.clone(), what });
            }
        }
        Ok(())
    }
}

/// True if maps of this kind can serve this request.
fn serves(kind: MapKind, op: RequestOp) -> bool {
    use MapKind::{ArrayOfMaps, Cpumap, Devmap, DevmapHash, HashOfMaps, PerfEventArray, ProgArray, Ringbuf, Xskmap};
    match op {
        RequestOp::Lookup => has_values(kind) || matches!(kind, ArrayOfMaps | HashOfMaps | Devmap | DevmapHash),
        RequestOp::RedirectMap => matches!(kind, Devmap | DevmapHash | Cpumap | Xskmap),
        RequestOp::TailCall => kind == ProgArray,
        RequestOp::PerfOutput => kind == PerfEventArray,
        RequestOp::RingReserve | RequestOp::RingOutput | RequestOp::RingQuery => kind == Ringbuf,
        _ => has_values(kind),
    }
}

/// Kinds whose elements are values in map memory, found by key.
fn has_values(kind: MapKind) -> bool {
    use MapKind::*;
    match kind {
        Hash | Array | PercpuHash | PercpuArray | LruHash | LpmTrie => true,
        ProgArray | PerfEventArray | ArrayOfMaps | HashOfMaps | Devmap | Cpumap | Xskmap | DevmapHash | Ringbuf => {
            false
        }
    }
}

fn check_map(map: &MapSpec, profile: &Profile) -> Result<(), &'static str> {
    let array = matches!(map.kind, MapKind::Array | MapKind::PercpuArray);
    // A perf event array without a size has an entry for each vCPU, as libbpf makes it.
    if map.max_entries == 0 && map.kind != MapKind::PerfEventArray {
        return Err("max_entries is 0");
    }
    if has_values(map.kind) && (map.key_size == 0 || map.value_size == 0) {
        return Err("key or value have no bytes");
    }
    if array && map.key_size != 4 {
        return Err("an array's key has 4 bytes");
    }
    if map.value_size > VALUE_BYTES_MAX {
        return Err("a value is larger than a handle can name");
    }
    let copies = if map.kind.is_per_cpu() { u64::from(profile.vcpus) } else { 1 };
    if u64::from(map.max_entries) * copies > ELEMENTS_MAX {
        return Err("more elements than a handle can name");
    }
    if !map.init.is_empty() && map.kind != MapKind::Array {
        return Err("only an array has initial contents");
    }
    if map.init.len() > map.value_size as usize {
        return Err("initial contents are longer than the value");
    }
    Ok(())
}
