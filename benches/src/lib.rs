//! What the benches share: the examples, ready to run.
#![forbid(unsafe_code)]

use offload_compiler::object::{LoadOptions, Object, load};
use offwire_harness::mapfile::{self, Contents};
use offwire_harness::{PacketIn, capture};
use std::path::{Path, PathBuf};

/// One example of `examples/`.
#[derive(Debug)]
pub struct Example {
    /// Folder and program name.
    pub name: String,
    /// The loaded object.
    pub object: Object,
    /// Number of the program that packets start in, `xdp_NAME`.
    pub entry: usize,
    /// The object file.
    pub bytes: Vec<u8>,
    /// Its traffic.
    pub packets: Vec<PacketIn>,
    /// Map contents before the first packet.
    pub maps: Contents,
}

/// The folder with the examples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// All examples, by name.
///
/// # Errors
/// A file that cannot be read, as text.
pub fn examples() -> Result<Vec<Example>, String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .map_err(|error| error.to_string())?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.into_iter().map(|name| example(&name)).collect()
}

/// One example by name.
///
/// # Errors
/// A file that cannot be read, as text.
pub fn example(name: &str) -> Result<Example, String> {
    let folder = folder().join(name);
    let read = |file: &str| {
        let path = folder.join(file);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let bytes = read(&format!("{name}.o"))?;
    let object = load(&bytes, &LoadOptions::default()).map_err(|diagnostic| diagnostic.to_string())?;
    let capture = capture::read(&read("traffic.pcap")?).map_err(|diagnostic| diagnostic.to_string())?;
    let maps = match read("maps.json") {
        Ok(text) => mapfile::parse(&text, &object).map_err(|diagnostic| diagnostic.to_string())?,
        Err(_) => Contents::new(),
    };
    let entry = object.programs.iter().position(|program| program.name == format!("xdp_{name}"));
    let entry = entry.ok_or_else(|| format!("{name}: no program xdp_{name}"))?;
    Ok(Example { name: name.to_owned(), entry, packets: capture.packets_in(), object, bytes, maps })
}
