//! From a file name to a loaded object, a chosen program and its compiled form.

use crate::args::ProgramArgs;
use crate::output::Failure;
use offload_compiler::object::{self, Object, Program};
use offwire_diag::{Diagnostic, codes};
use offwire_harness::EntryValue;
use offwire_harness::mapfile::{self, Contents};
use offwire_image::{Class, Image, ImageError, MAGIC, MapKind};
use offwire_isa::Profile;
use std::path::Path;

/// Largest input file, bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Reads a whole file.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| -> Failure {
        Diagnostic::error(codes::cli::FILE, format!("cannot read the file: {error}"))
            .with_file(path.display().to_string())
            .into()
    };
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if metadata.len() > MOST_BYTES {
        return Err(failed(&format!("it has {} bytes, more than {MOST_BYTES}", metadata.len())));
    }
    std::fs::read(path).map_err(|error| failed(&error))
}

/// Writes a whole file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| {
        Diagnostic::error(codes::cli::FILE, format!("cannot write the file: {error}"))
            .with_file(path.display().to_string())
            .into()
    })
}

/// Names the file in a diagnostic that came out of a library.
pub fn in_file(path: &Path) -> impl Fn(Diagnostic) -> Failure + '_ {
    move |mut diagnostic| {
        diagnostic.file.get_or_insert_with(|| path.display().to_string());
        diagnostic.into()
    }
}

/// The profile that the user chose.
pub fn profile(args: &ProgramArgs) -> Result<&'static Profile, Failure> {
    Profile::by_name(&args.profile)
        .ok_or_else(|| Failure::usage(codes::cli::USAGE, format!("there is no profile {:?}", args.profile)))
}

/// `--set` and `--map-entries` as the loader has them.
///
/// # Errors
/// Wrong use.
pub fn load_options(set: &[String], map_entries: &[String]) -> Result<object::LoadOptions, Failure> {
    let mut options = object::LoadOptions::default();
    for assignment in set {
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| Failure::usage(codes::cli::USAGE, format!("--set wants VAR=VALUE, not {assignment:?}")))?;
        options.set.push((name.to_owned(), value.to_owned()));
    }
    for assignment in map_entries {
        let wanted = || Failure::usage(codes::cli::USAGE, format!("--map-entries wants NAME=N, not {assignment:?}"));
        let (name, entries) = assignment.split_once('=').ok_or_else(wanted)?;
        options.map_entries.push((name.to_owned(), entries.parse().map_err(|_| wanted())?));
    }
    Ok(options)
}

/// Loads the object.
pub fn load(args: &ProgramArgs) -> Result<Object, Failure> {
    let bytes = read_file(&args.object)?;
    let options = load_options(&args.set, &args.map_entries)?;
    object::load(&bytes, &options).map_err(in_file(&args.object))
}

/// The image, if the file is one and not an object.
///
/// # Errors
/// `OW0501` to `OW0503`: broken, for another device, or refused by the checker.
pub fn image(args: &ProgramArgs) -> Result<Option<Image>, Failure> {
    let bytes = read_file(&args.object)?;
    if !bytes.starts_with(&MAGIC) {
        return Ok(None);
    }
    let refuse = |error: &ImageError| {
        let code = match error.class() {
            Class::Container => codes::image::BAD_IMAGE,
            Class::Binding => codes::image::IMAGE_BINDING,
            Class::Program => codes::image::IMAGE_CHECK,
        };
        in_file(&args.object)(Diagnostic::error(code, "the image is refused").with_reason(error.to_string()))
    };
    let image = Image::from_bytes(&bytes).map_err(|error| refuse(&error))?;
    image.validate().map_err(|error| refuse(&error))?;
    Ok(Some(image))
}

/// The program that is meant, with its number in the object: the named one, or the only one.
pub fn choose<'a>(args: &ProgramArgs, object: &'a Object) -> Result<(usize, &'a Program), Failure> {
    let chosen = object.program(args.prog.as_deref()).map_err(|diagnostic| {
        // A name that is missing or wrong is the command's fault, an object without programs is the object's.
        let wrong_use = diagnostic.code == codes::object::NO_SUCH_PROGRAM && !object.programs.is_empty();
        let failure = in_file(&args.object)(diagnostic);
        Failure { code: if wrong_use { 2 } else { failure.code }, ..failure }
    })?;
    let index = object.programs.iter().position(|program| std::ptr::eq(program, chosen)).unwrap_or_default();
    Ok((index, chosen))
}

/// Programs that the map file puts into program arrays: they belong into the image of a program that calls them.
pub fn tail_programs(contents: &Contents, object: &Object) -> Vec<String> {
    let arrays = contents
        .iter()
        .filter(|(map, _)| object.maps.get(usize::from(map.0)).is_some_and(|map| map.spec.kind == MapKind::ProgArray));
    let mut names = Vec::new();
    for entry in arrays.flat_map(|(_, entries)| entries) {
        let EntryValue::One(value) = &entry.value else { continue };
        let number = value.first_chunk().and_then(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).ok());
        if let Some(program) = number.and_then(|number| object.programs.get(number))
            && !names.contains(&program.name)
        {
            names.push(program.name.clone());
        }
    }
    names
}

/// Reads the map file, if there is one.
pub fn map_contents(path: Option<&Path>, object: &Object) -> Result<Contents, Failure> {
    let Some(path) = path else { return Ok(Contents::new()) };
    mapfile::parse(&read_file(path)?, object).map_err(in_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use offload_compiler::ebpf::MapIdx;
    use offload_compiler::object::Map;
    use offwire_harness::Entry;
    use offwire_image::MapSpec;

    #[test]
    fn programs_of_the_map_file_are_named_once() {
        let map = |kind| {
            let (name, init) = (String::new(), Vec::new());
            Map::from(MapSpec { name, kind, key_size: 4, value_size: 4, max_entries: 8, flags: 0, init, frozen: false })
        };
        let program = |name: &str| Program { name: name.into(), ..Program::default() };
        let object = Object {
            programs: ["a", "b", "c"].map(program).into(),
            maps: vec![map(MapKind::Array), map(MapKind::ProgArray)],
            ..Object::default()
        };
        let entry = |key: u32, to: u32| Entry {
            key: key.to_le_bytes().to_vec(),
            value: EntryValue::One(to.to_le_bytes().to_vec()),
        };
        let contents =
            vec![(MapIdx(0), vec![entry(0, 1)]), (MapIdx(1), vec![entry(3, 2), entry(4, 0), entry(5, 2), entry(6, 9)])];
        assert_eq!(tail_programs(&contents, &object), ["c", "a"]);
    }
}
