//! The loader against libbpf: every slot of every program, relocated and with its subprograms appended, must be the same.
//! Builds `oracle/libbpf.c` with the C compiler; skipped by name without it, without libbpf or without bpf(2).

use offload_compiler::object::{Initial, LoadOptions, Object, load};
use offload_compiler::verify::{Limits, verify};
use offwire_diag::Diagnostic;
use offwire_image::{MapKind, MapSpec};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Objects that libbpf takes: no static programs, no legacy maps, no maps that the kernel refuses.
fn objects() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["calls.o", "globals.o", "wide.o", "nested.o", "sections-text.o", "kconfig.o"]
        .map(|name| manifest().join("tests/objects").join(name))
        .into();
    let folders = std::fs::read_dir(manifest().join("../examples")).unwrap().map(|entry| entry.unwrap().path());
    for folder in folders.chain([manifest().join("tests/safe")]).filter(|path| path.is_dir()) {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "o")));
    }
    found.sort();
    found
}

/// What libbpf makes of an object.
#[derive(Default)]
struct Theirs {
    /// Map names by descriptor.
    maps: BTreeMap<String, String>,
    /// Type, key size, value size, entries and flags by name of the map; also of the inner map.
    specs: BTreeMap<String, [u32; 5]>,
    inner: BTreeMap<String, [u32; 5]>,
    /// Global data.
    contents: BTreeMap<String, Vec<u8>>,
    /// What stands in program arrays and maps of maps: map, key, name.
    elements: Vec<(String, u32, String)>,
    /// Slots by program.
    programs: BTreeMap<String, Vec<[u8; 8]>>,
}

fn slots(hex: &str) -> Vec<[u8; 8]> {
    let slot = |n: usize| u64::from_str_radix(&hex[n * 16..(n + 1) * 16], 16).unwrap().to_be_bytes();
    (0..hex.len() / 16).map(slot).collect()
}

fn numbers(words: &[&str]) -> [u32; 5] {
    let numbers: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn parse(text: &str) -> Vec<Theirs> {
    let mut objects: Vec<Theirs> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match *words.as_slice() {
            ["object", _] => objects.push(Theirs::default()),
            ["map", name, fd, ref spec @ ..] => {
                let theirs = objects.last_mut().unwrap();
                theirs.maps.insert(fd.to_owned(), name.to_owned());
                theirs.specs.insert(name.to_owned(), numbers(spec));
            }
            ["inner", name, ref spec @ ..] => {
                objects.last_mut().unwrap().inner.insert(name.to_owned(), numbers(spec));
            }
            ["contents", name, hex] => {
                let bytes = (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[n * 2..n * 2 + 2], 16).unwrap());
                objects.last_mut().unwrap().contents.insert(name.to_owned(), bytes.collect());
            }
            ["element", map, key, name] => {
                let element = (map.to_owned(), key.parse().unwrap(), name.to_owned());
                objects.last_mut().unwrap().elements.push(element);
            }
            ["program", name, hex] => drop(objects.last_mut().unwrap().programs.insert(name.to_owned(), slots(hex))),
            _ => panic!("{line}"),
        }
    }
    objects
}

/// A folder that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        // Tests of one process run side by side.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("offwire-{name}-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Builds and runs an oracle, or says why it cannot.
fn run(name: &str, arguments: &[PathBuf]) -> Result<String, String> {
    let scratch = Scratch::new(name);
    let binary = scratch.0.join("oracle");
    let source = manifest().join("tests/oracle").join(name).with_extension("c");
    let built = Command::new("cc").arg("-o").arg(&binary).arg(source).arg("-lbpf").output();
    let answer = match built {
        Ok(output) if output.status.success() => Command::new(&binary).args(arguments).output(),
        Ok(_) => Err(std::io::Error::other("cc cannot build it; libbpf-dev is missing?")),
        Err(error) => Err(error),
    };
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.status.code() {
        Some(0) => Ok(String::from_utf8(answer.stdout).unwrap()),
        Some(77) => Err("bpf(2) is not permitted".to_owned()),
        _ => panic!("the oracle failed: {}", String::from_utf8_lossy(&answer.stderr)),
    }
}

fn ask(objects: &[PathBuf]) -> Result<Vec<Theirs>, String> {
    run("libbpf", objects).map(|text| parse(&text))
}

/// As the oracle opens objects.
fn open(path: &Path) -> Result<Object, Diagnostic> {
    let mut options = LoadOptions::default();
    if path.ends_with("kconfig.o") {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        options.set = vec![pair("CONFIG_OFFWIRE_LIMIT", "77"), pair("CONFIG_OFFWIRE_FAST", "true")];
    }
    load(&std::fs::read(path).unwrap(), &options)
}

fn sizes(spec: &MapSpec) -> [u32; 5] {
    [spec.kind as u32, spec.key_size, spec.value_size, spec.max_entries, spec.flags]
}

/// The kernel has made the maps that the specifications describe, and they hold what they must.
fn compare_maps(object: &str, ours: &Object, theirs: &Theirs) {
    let mut elements = Vec::new();
    for map in &ours.maps {
        let name = &map.spec.name;
        let mut their = *theirs.specs.get(name).unwrap_or_else(|| panic!("{object}: libbpf does not make map {name}"));
        if name.starts_with('.') {
            // libbpf maps global data into its process (BPF_F_MMAPABLE); we do not ask for that.
            their[4] &= !(1 << 10);
            let mut contents = map.spec.init.clone();
            contents.resize(their[2] as usize, 0);
            assert_eq!(theirs.contents.get(name), Some(&contents), "{object}: contents of {name}");
        }
        if matches!(map.spec.kind, MapKind::Devmap | MapKind::DevmapHash) {
            // The kernel adds BPF_F_RDONLY_PROG of itself (kernel/bpf/devmap.c, dev_map_alloc).
            their[4] &= !(1 << 7);
        }
        assert_eq!(sizes(&map.spec), their, "{object}: map {name}");
        assert_eq!(
            map.inner.as_ref().map(|inner| sizes(inner)).as_ref(),
            theirs.inner.get(name),
            "{object}: in {name}"
        );
        elements.extend(map.initial.iter().map(|(key, initial)| {
            let what = match initial {
                Initial::Program(program) => program.clone(),
                Initial::Map(map) => ours.maps[usize::from(map.0)].spec.name.clone(),
            };
            (name.clone(), *key, what)
        }));
    }
    let mut their_elements = theirs.elements.clone();
    their_elements.sort();
    elements.sort();
    assert_eq!(elements, their_elements, "{object}");
}

/// Compares all maps and all slots of all programs; the numbers of programs and of initial elements compared.
fn compare(objects: &[PathBuf], theirs: &[Theirs]) -> (usize, usize) {
    assert_eq!(theirs.len(), objects.len());
    let (mut compared, mut elements) = (0, 0);
    for (path, theirs) in objects.iter().zip(theirs) {
        let ours = open(path).unwrap();
        assert_eq!(ours.programs.len(), theirs.programs.len(), "{}", path.display());
        compare_maps(&path.display().to_string(), &ours, theirs);
        elements += theirs.elements.len();
        for program in &ours.programs {
            let theirs_raw = &theirs.programs[&program.name];
            assert_eq!(program.raw.len(), theirs_raw.len(), "{} {}", path.display(), program.name);
            for (at, (our, their)) in program.raw.iter().zip(theirs_raw).enumerate() {
                // Map loads: libbpf has a descriptor where we have the index.
                let our = match (our[0], our[1] >> 4) {
                    (0x18, 1 | 2) => {
                        let index = usize::try_from(u32::from_le_bytes(our[4..].try_into().unwrap())).unwrap();
                        let fd = i32::from_le_bytes(their[4..].try_into().unwrap()).to_string();
                        let name = theirs.maps.get(&fd).map(String::as_str);
                        assert_eq!(name, Some(ours.maps[index].spec.name.as_str()), "{} slot {at}", path.display());
                        [our[0], our[1], our[2], our[3], their[4], their[5], their[6], their[7]]
                    }
                    _ => *our,
                };
                assert_eq!(our, *their, "{} {} slot {at}", path.display(), program.name);
            }
            compared += 1;
        }
    }
    (compared, elements)
}

/// Debian's xdp-tools and libxdp1, fetched once into the build folder; or why they cannot be had. Nothing of them is ours to keep.
fn debian_objects() -> Result<Vec<PathBuf>, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-xdp");
    std::fs::create_dir_all(&cache).map_err(|error| error.to_string())?;
    let find = |folder: &Path, extension: &str| -> Vec<PathBuf> {
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
        files.sort();
        files
    };
    let run = |command: &mut Command| match command.current_dir(&cache).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it failed").to_owned()),
        Err(error) => Err(error.to_string()),
    };
    if find(&cache, "deb").len() < 2 {
        run(Command::new("apt-get").args(["download", "xdp-tools", "libxdp1"]))?;
    }
    for package in find(&cache, "deb") {
        run(Command::new("dpkg-deb").arg("-x").arg(package).arg("files"))?;
    }
    let folders = std::fs::read_dir(cache.join("files/usr/lib")).map_err(|error| error.to_string())?;
    Ok(folders.filter_map(|entry| Some(find(&entry.ok()?.path().join("bpf"), "o"))).flatten().collect())
}

/// What Debian ships loads: every XDP program of every object, but for what needs the types or functions of a kernel; and as
/// libbpf loads it. It is found safe, too.
#[test]
fn debians_xdp_objects_load() {
    let objects = match debian_objects() {
        Ok(objects) => objects,
        Err(reason) => {
            eprintln!("SKIP debian: objects of xdp-tools and libxdp1: {reason}");
            return;
        }
    };
    assert!(objects.len() >= 12, "{objects:?}");
    let mut whole = Vec::new();
    let mut programs = 0;
    for path in objects {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match load(&std::fs::read(&path).unwrap(), &LoadOptions::default()) {
            Ok(object) => {
                for refused in &object.refused {
                    let code = refused.diagnostic.code.to_string();
                    assert!(["OW0109", "OW0110"].contains(&code.as_str()), "{name}: {}", refused.diagnostic);
                }
                programs += object.programs.len();
                for program in &object.programs {
                    match verify(&object, program, &Limits::default()) {
                        Ok(_) => {}
                        // It looks a socket up.
                        Err(diagnostic) if name == "xsk_def_xdp_prog_5.3.o" => {
                            assert_eq!(diagnostic.code.to_string(), "OW0321");
                        }
                        Err(diagnostic) => panic!("{name} {}: {diagnostic}", program.name),
                    }
                }
                if object.refused.is_empty() {
                    whole.push(path);
                }
            }
            // It watches other XDP programs from tracing hooks.
            Err(diagnostic) if name == "xdpdump_bpf.o" => assert_eq!(diagnostic.code.to_string(), "OW0104"),
            Err(diagnostic) => panic!("{name}: {diagnostic}"),
        }
    }
    assert!(programs >= 12, "only {programs} programs load");
    match ask(&whole) {
        Ok(theirs) => assert!(compare(&whole, &theirs).0 >= 12),
        Err(reason) => eprintln!("SKIP host: comparison with libbpf: {reason}"),
    }
}

#[test]
fn programs_are_what_libbpf_makes_of_them() {
    let objects = objects();
    assert!(objects.len() > 8, "objects are missing");
    let theirs = match ask(&objects) {
        Ok(theirs) => theirs,
        Err(reason) => {
            eprintln!("SKIP host: comparison with libbpf: {reason}");
            return;
        }
    };
    let (compared, elements) = compare(&objects, &theirs);
    assert!(compared > 8, "only {compared} programs were compared");
    assert!(elements >= 6, "only {elements} initial elements were compared");
}

/// The kernel takes the BTF of every object, and a program with a callback with the types of its functions; without them, or
/// with those of another function, it would not.
#[test]
fn the_kernel_takes_btf_and_types_of_functions() {
    let scratch = Scratch::new("btf-files");
    let mut arguments = Vec::new();
    let write = |name: String, bytes: &[u8]| {
        let path = scratch.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (n, path) in objects().iter().enumerate() {
        let object = load(&std::fs::read(path).unwrap(), &LoadOptions::default()).unwrap();
        // Libbpf rewrites declarations of variables that are the loader's; we keep no BTF of such objects.
        let declares = path.ends_with("kconfig.o");
        assert_eq!(object.btf.is_empty(), declares, "{}", path.display());
        if declares {
            continue;
        }
        arguments.extend([write(format!("{n}.btf"), &object.btf), "-".into(), "-".into()]);
    }
    let object = load(&std::fs::read(manifest().join("tests/objects/callback.o")).unwrap(), &LoadOptions::default());
    let object = object.unwrap();
    let program = object.program(Some("xdp_sum")).unwrap();
    assert_eq!(program.func_info.len(), 2);
    let records = |swapped: bool| -> Vec<u8> {
        let mut types: Vec<u32> = program.func_info.iter().map(|(_, ty)| ty.0).collect();
        if swapped {
            types.reverse();
        }
        let pairs = program.func_info.iter().zip(types);
        pairs.flat_map(|((insn, _), ty)| [insn.0.to_le_bytes(), ty.to_le_bytes()].concat()).collect()
    };
    let btf = write("callback.btf".into(), &object.btf);
    let slots = write("callback.slots".into(), &program.raw.concat());
    let right = write("callback.right".into(), &records(false));
    let wrong = write("callback.wrong".into(), &records(true));
    arguments.extend([btf.clone(), slots.clone(), right, btf, slots, wrong]);
    let answer = match run("btf", &arguments) {
        Ok(answer) => answer,
        Err(reason) => {
            eprintln!("SKIP host: BTF for the kernel: {reason}");
            return;
        }
    };
    let lines: Vec<&str> = answer.lines().collect();
    let (last, others) = lines.split_last().unwrap();
    assert_eq!(lines.len(), arguments.len() / 3);
    assert!(others.iter().all(|line| *line == "ok"), "{answer}");
    assert!(last.contains("error"), "the kernel does not look at the types of functions");
}
