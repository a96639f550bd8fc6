//! Which programs belong together, and what stands in maps of programs and of maps before the first packet.

use crate::backend::Links;
use crate::ebpf::{Imm64, Insn, MapIdx};
use crate::object::{Initial, Map, Object, Program, TypeRef};
use offwire_diag::{Diagnostic, codes::compiler};
use offwire_image::{Link, Lock, MapKind};
use std::collections::{BTreeMap, BTreeSet};

/// Most programs of one image: the kernel lets a packet see 34 of them, but a program array may hold more to choose from.
const MOST: usize = 256;

/// The programs of one image.
pub(super) struct Set<'a> {
    /// The first one is where packets start.
    pub(super) programs: Vec<&'a Program>,
    /// Program number of those that tail calls may go to, by place in `programs`.
    numbers: BTreeMap<usize, usize>,
    /// Program arrays that some program of the set uses.
    arrays: BTreeSet<MapIdx>,
}

impl<'a> Set<'a> {
    /// The entry, all programs that stand in the program arrays of a program of the set, and the `named` ones.
    ///
    /// # Errors
    /// The object has no such program, or it could not be loaded; or there are too many.
    pub(super) fn of(object: &'a Object, entry: &'a Program, named: &[String]) -> Result<Self, Diagnostic> {
        let mut set = Set { programs: vec![entry], numbers: BTreeMap::new(), arrays: BTreeSet::new() };
        for name in named {
            set.add(object, name)?;
        }
        let mut done = 0;
        while let Some(&program) = set.programs.get(done) {
            done += 1;
            for array in arrays_of(object, program) {
                if !set.arrays.insert(array) {
                    continue;
                }
                let initial = object.maps.get(usize::from(array.0)).map_or(&[][..], |map| &map.initial);
                for (_, element) in initial {
                    if let Initial::Program(name) = element {
                        set.add(object, name)?;
                    }
                }
            }
        }
        Ok(set)
    }

    /// A program that tail calls may go to.
    fn add(&mut self, object: &'a Object, name: &str) -> Result<(), Diagnostic> {
        let program = object.program(Some(name))?;
        let place = match self.programs.iter().position(|known| std::ptr::eq(*known, program)) {
            Some(place) => place,
            None => {
                self.programs.push(program);
                self.programs.len() - 1
            }
        };
        if self.programs.len() > MOST {
            let message = format!("more than {MOST} programs call each other");
            return Err(Diagnostic::error(compiler::TOO_LARGE, message).with_help("compile fewer of them together"));
        }
        let next = self.numbers.len();
        self.numbers.entry(place).or_insert(next);
        Ok(())
    }

    /// Programs by number, initial elements, and locks.
    pub(super) fn links(&self, object: &Object) -> Links {
        let mut programs = vec![0; self.numbers.len()];
        for (place, number) in &self.numbers {
            if let Some(program) = programs.get_mut(*number) {
                *program = *place;
            }
        }
        let mut links = Vec::new();
        let mut locks = Vec::new();
        for (index, map) in (0..).map(MapIdx).zip(&object.maps) {
            // An object with more maps than a map table holds is refused behind this.
            let Ok(slot) = u8::try_from(index.0) else { break };
            for (key, element) in &map.initial {
                let to = match element {
                    Initial::Map(inner) => Some(u32::from(inner.0)),
                    Initial::Program(name) if self.arrays.contains(&index) => self.number(name),
                    Initial::Program(_) => None,
                };
                links.extend(to.map(|to| Link { map: slot, key: *key, to }));
            }
            locks.extend(lock_offset(map).map(|offset| Lock { map: slot, offset }));
        }
        Links { programs, links, locks }
    }

    fn number(&self, name: &str) -> Option<u32> {
        let place = self.programs.iter().position(|program| program.name == name)?;
        u32::try_from(*self.numbers.get(&place)?).ok()
    }
}

/// Program arrays that the program names.
fn arrays_of(object: &Object, program: &Program) -> BTreeSet<MapIdx> {
    let named = program.insns.iter().filter_map(|insn| match insn {
        Insn::LoadImm64 { value: Imm64::Map(map), .. } => Some(*map),
        _ => None,
    });
    let is_array =
        |map: &MapIdx| object.maps.get(usize::from(map.0)).is_some_and(|map| map.spec.kind == MapKind::ProgArray);
    named.filter(is_array).collect()
}

/// Where a map's values hold a `struct bpf_spin_lock` (kernel/bpf/btf.c, btf_parse_fields).
fn lock_offset(map: &Map) -> Option<u32> {
    lock_in(map.value_type.as_ref()?, 0)
}

fn lock_in(ty: &TypeRef, at: u32) -> Option<u32> {
    match ty {
        TypeRef::Struct { name, .. } if name == "bpf_spin_lock" => Some(at),
        TypeRef::Struct { members, .. } => {
            members.iter().find_map(|member| lock_in(&member.ty, at.checked_add(member.bit_offset / 8)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Member;
    use crate::testing::{mov_imm, program};
    use offwire_image::MapSpec;

    fn map(name: &str, kind: MapKind, initial: Vec<(u32, Initial)>) -> Map {
        let spec = MapSpec {
            name: name.into(),
            kind,
            key_size: 4,
            value_size: 4,
            max_entries: 8,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        };
        Map { initial, ..Map::from(spec) }
    }

    fn named(name: &str, arrays: &[u16]) -> Program {
        let load = |array: &u16| Insn::LoadImm64 { dst: crate::ebpf::Reg(2), value: Imm64::Map(MapIdx(*array)) };
        let mut insns: Vec<Insn> = arrays.iter().flat_map(|array| [load(array), Insn::Wide]).collect();
        insns.extend([mov_imm(0, 2), Insn::Exit]);
        Program { name: name.into(), ..program(insns) }
    }

    fn to(name: &str) -> Initial {
        Initial::Program(name.into())
    }

    fn object() -> Object {
        let maps = vec![
            map("first", MapKind::ProgArray, vec![(1, to("b")), (4, to("a"))]),
            map("second", MapKind::ProgArray, vec![(0, to("c")), (2, to("b"))]),
            map("unused", MapKind::ProgArray, vec![(0, to("d"))]),
            map("outer", MapKind::ArrayOfMaps, vec![(3, Initial::Map(MapIdx(4)))]),
            map("inner", MapKind::Array, Vec::new()),
        ];
        let programs = vec![named("a", &[0]), named("b", &[1]), named("c", &[]), named("d", &[])];
        Object { programs, maps, ..Object::default() }
    }

    #[test]
    fn programs_are_found_through_their_arrays() {
        let object = object();
        let set = Set::of(&object, &object.programs[0], &[]).unwrap();
        let names: Vec<&str> = set.programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let links = set.links(&object);
        assert_eq!(links.programs, [1, 0, 2], "b, a and c in the order in which they are named");
        let link = |map, key, to| Link { map, key, to };
        assert_eq!(links.links, [link(0, 1, 0), link(0, 4, 1), link(1, 0, 2), link(1, 2, 0), link(3, 3, 4)]);
    }

    #[test]
    fn callers_add_programs_by_name() {
        let object = object();
        let set = Set::of(&object, &object.programs[2], &["d".into()]).unwrap();
        assert_eq!(set.links(&object).programs, [1]);
        let missing = Set::of(&object, &object.programs[2], &["nobody".into()]).err().map(|error| error.code);
        assert_eq!(missing, Some(offwire_diag::codes::object::NO_SUCH_PROGRAM));
    }

    #[test]
    fn locks_are_found_in_value_types() {
        let int = TypeRef::Int { name: "u32".into(), size: 4, signed: false, is_bool: false, is_char: false };
        let member = |bit_offset, ty| Member { name: "m".into(), bit_offset, bit_width: 0, ty };
        let lock = TypeRef::Struct { name: "bpf_spin_lock".into(), size: 4, members: vec![member(0, int.clone())] };
        let value = TypeRef::Struct { name: "v".into(), size: 8, members: vec![member(0, int), member(32, lock)] };
        let mut object = object();
        object.maps[4].value_type = Some(value);
        let set = Set::of(&object, &object.programs[2], &[]).unwrap();
        assert_eq!(set.links(&object).locks, [Lock { map: 4, offset: 4 }]);
    }
}
