//! BTF as the kernel takes it: compilers leave sizes and offsets of data sections to the loader.

use super::{Btf, Kind, index, u32_at};

/// Where the variables of a data section lie.
pub trait Layout {
    /// Size of the ELF section with this name.
    fn size(&self, section: &str) -> Option<u32>;
    /// Offset of a global variable in its section.
    fn offset(&self, section: &str, variable: &str) -> Option<u32>;
}

/// A copy of section `.BTF` with the sizes of data sections and the offsets of their variables filled in and sorted (libbpf.c,
/// `btf_fixup_datasec`). `None` if a data section has no counterpart in the file, as those of the kernel's own symbols.
pub fn for_kernel(section: &[u8], btf: &Btf<'_>, layout: &impl Layout) -> Option<Vec<u8>> {
    let mut bytes = section.to_vec();
    let types = index(u32_at(section, 4)?).checked_add(index(u32_at(section, 8)?))?;
    for ty in btf.types().filter(|ty| ty.kind == Kind::Datasec) {
        let name = btf.name(&ty);
        let size = layout.size(&name)?;
        let start = types.checked_add(ty.extra)?;
        put(&mut bytes, start.checked_sub(4)?, size)?;
        let mut entries: Vec<[u32; 3]> = btf
            .vars(&ty)
            .map(|entry| {
                let var = btf.get(entry.var).filter(|var| var.kind == Kind::Var && !btf.is_static_var(var));
                let offset = var.and_then(|var| layout.offset(&name, &btf.name(&var)));
                [entry.var.0, offset.unwrap_or(entry.offset), entry.size]
            })
            .collect();
        entries.sort_by_key(|entry| entry[1]);
        let mut at = start;
        for word in entries.into_iter().flatten() {
            put(&mut bytes, at, word)?;
            at = at.checked_add(4)?;
        }
    }
    Some(bytes)
}

fn put(bytes: &mut [u8], at: usize, word: u32) -> Option<()> {
    bytes.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&word.to_le_bytes());
    Some(())
}
