//! Damaged objects: thousands of seeded mutations of real ones. None may panic, hang or take memory out of proportion.

use offload_compiler::object::{LoadOptions, TypeRef, load};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Counts what is allocated, and the most that ever was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above; the pointer came from `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

fn objects() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(root.join("tests/objects")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.push(root.join("../examples/firewall/firewall.o"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "o"));
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// One to eight changes: a flipped bit, a byte, an interesting number, a moved block, a cut.
fn mutate(random: &mut Random, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + random.below(8) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0..=2 => bytes[at] ^= 1 << random.below(8),
            3 | 4 => bytes[at] = random.next().to_le_bytes()[0],
            5 => {
                let number: u32 = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0xffff, 0x1000_0000][random.below(7)];
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            6 => {
                let (from, length) = (random.below(bytes.len()), random.below(64));
                let length = length.min(bytes.len() - at).min(bytes.len() - from);
                bytes.copy_within(from..from + length, at);
            }
            _ if random.below(8) == 0 => bytes.truncate(at.max(1)),
            _ => {}
        }
    }
    bytes
}

/// Bytes that a load of an input of this length may hold at once: debug trees and copies, not what numbers in it ask for.
fn allowance(length: usize) -> usize {
    32 * length + (1 << 18)
}

/// One test, because the counters are for the whole process.
#[test]
fn damaged_objects_are_loaded_or_refused() {
    let (mut loaded, mut refused, mut codes) = (0, 0, std::collections::BTreeSet::new());
    let (mut slowest, mut largest) = (Duration::ZERO, 0.0_f64);
    for (name, good) in objects() {
        let mut random = Random(0x5eed ^ good.len() as u64);
        for round in 0..2_000 {
            let bytes = mutate(&mut random, &good);
            let before = NOW.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            let start = Instant::now();
            let result = load(&bytes, &LoadOptions::default());
            slowest = slowest.max(start.elapsed());
            let used = PEAK.load(Ordering::Relaxed) - before;
            assert!(used <= allowance(bytes.len()), "{name} round {round}: {used} bytes for {}", bytes.len());
            largest = largest.max(used as f64 / bytes.len() as f64);
            match result {
                Ok(object) => {
                    loaded += 1;
                    for program in &object.programs {
                        assert_eq!(program.insns.len(), program.raw.len());
                        assert!(!program.dump(&object).is_empty());
                    }
                }
                Err(diagnostic) => {
                    refused += 1;
                    codes.insert(diagnostic.code);
                }
            }
        }
    }
    println!(
        "{loaded} loaded, {refused} refused with {codes:?}, slowest {slowest:?}, most memory {largest:.1} x input"
    );
    assert!(loaded > 1_000 && refused > 1_000 && codes.len() >= 6, "the mutations are one-sided");
    hostile();
    hostile_types();
}

/// Name, type, flags, link, info, contents.
type Section<'a> = (&'a str, u32, u64, u32, u32, &'a [u8]);

/// A well-formed ELF file around the sections that are given.
fn elf(sections: &[Section<'_>]) -> Vec<u8> {
    let mut names = vec![0_u8];
    let mut body = vec![0_u8; 64];
    let mut headers = vec![0_u8; 64];
    for &(name, kind, flags, link, info, bytes) in sections {
        let name_at = names.len() as u32;
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        headers.extend_from_slice(&name_at.to_le_bytes());
        headers.extend_from_slice(&kind.to_le_bytes());
        for field in [flags, 0, body.len() as u64, bytes.len() as u64] {
            headers.extend_from_slice(&field.to_le_bytes());
        }
        headers.extend_from_slice(&link.to_le_bytes());
        headers.extend_from_slice(&info.to_le_bytes());
        headers.extend_from_slice(&[0; 16]);
        body.extend_from_slice(bytes);
    }
    let name_at = names.len() as u32;
    names.extend_from_slice(b".names\0");
    headers.extend_from_slice(&name_at.to_le_bytes());
    headers.extend_from_slice(&3_u32.to_le_bytes());
    for field in [0, 0, body.len() as u64, names.len() as u64] {
        headers.extend_from_slice(&field.to_le_bytes());
    }
    headers.extend_from_slice(&[0; 24]);
    body.extend_from_slice(&names);
    let table = body.len() as u64;
    body.extend_from_slice(&headers);
    body[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    body[16..24].copy_from_slice(&[1, 0, 247, 0, 1, 0, 0, 0]);
    body[40..48].copy_from_slice(&table.to_le_bytes());
    body[52..54].copy_from_slice(&64_u16.to_le_bytes());
    body[58..60].copy_from_slice(&64_u16.to_le_bytes());
    body[60..62].copy_from_slice(&(sections.len() as u16 + 2).to_le_bytes());
    body[62..64].copy_from_slice(&(sections.len() as u16 + 1).to_le_bytes());
    body
}

fn symbol(name: u32, info: u8, section: u16, value: u64, size: u64) -> Vec<u8> {
    let mut bytes = name.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[info, 0]);
    bytes.extend_from_slice(&section.to_le_bytes());
    bytes.extend_from_slice(&value.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes
}

/// Files that are made to ask for much: each must be refused, or be loaded within the allowance and in time.
fn hostile() {
    let call = |delta: i32| [&[0x85, 0x10, 0, 0][..], &delta.to_le_bytes()].concat();
    let exit = [0x95, 0, 0, 0, 0, 0, 0, 0];
    // 2,000 programs that all call the same function of 10,000 slots: 20 million slots from 150 KB.
    let mut code = Vec::new();
    let mut symbols = symbol(0, 0, 0, 0, 0);
    let programs = 2_000_u64;
    for n in 0..programs {
        let at = code.len() as u64;
        symbols.extend(symbol(1, 0x12, 1, at, 16));
        let to_big = i32::try_from((programs - n) * 2 - 1).unwrap();
        code.extend(call(to_big));
        code.extend(exit);
    }
    symbols.extend(symbol(1, 0x02, 1, code.len() as u64, 80_008));
    for _ in 0..10_000 {
        code.extend([0xb7, 0, 0, 0, 0, 0, 0, 0]);
    }
    code.extend(exit);
    let many = elf(&[("xdp", 1, 6, 0, 0, &code), (".symtab", 2, 0, 3, 1, &symbols), (".strtab", 3, 0, 0, 0, b"\0f\0")]);
    check("programs that share a function", &many, Some("OW0118"), 128 << 20);

    // A chain of 20,000 functions, each of which calls the next: a walk in depth must not use the machine's stack.
    let mut code = Vec::new();
    let mut symbols = symbol(0, 0, 0, 0, 0);
    for n in 0..20_000_u64 {
        symbols.extend(symbol(1, if n == 0 { 0x12 } else { 0x02 }, 1, n * 16, 16));
        code.extend(call(if n == 19_999 { -1 } else { 1 }));
        code.extend(exit);
    }
    let chain =
        elf(&[("xdp", 1, 6, 0, 0, &code), (".symtab", 2, 0, 3, 1, &symbols), (".strtab", 3, 0, 0, 0, b"\0f\0")]);
    check("a long chain of calls", &chain, None, 0);

    // 4,000 arrays of maps, in each of which 4,000 maps stand: 16 million elements from 500 KB.
    let mut maps = Vec::new();
    let mut symbols = [symbol(0, 0, 0, 0, 0), symbol(1, 0x12, 1, 0, 8)].concat();
    for n in 0..8_000_u32 {
        symbols.extend(symbol(1, 0x11, 2, u64::from(n) * 36, 36));
        let inner = [2, 4, 4, 1, 0, 7, 0, 0, n / 2];
        let outer = [12, 4, 4, 4_000, 0, 8, 0, 7, 0];
        maps.extend(if n % 2 == 0 { inner } else { outer }.map(u32::to_le_bytes).concat());
    }
    let nested = elf(&[
        ("xdp", 1, 6, 0, 0, &exit),
        ("maps", 1, 3, 0, 0, &maps),
        (".symtab", 2, 0, 4, 1, &symbols),
        (".strtab", 3, 0, 0, 0, b"\0f\0"),
    ]);
    check("maps in all maps", &nested, Some("OW0118"), 32 << 20);

    // A .bss of 4 GiB, and one of 2^63.
    for size in [u64::from(u32::MAX), 1 << 63] {
        let program = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
        let symbols = [symbol(0, 0, 0, 0, 0), symbol(1, 0x12, 1, 0, 16)].concat();
        let mut file = elf(&[
            ("xdp", 1, 6, 0, 0, &program),
            (".symtab", 2, 0, 3, 1, &symbols),
            (".strtab", 3, 0, 0, 0, b"\0f\0"),
            (".bss", 8, 3, 0, 0, b""),
        ]);
        let table = usize::try_from(u64::from_le_bytes(file[40..48].try_into().unwrap())).unwrap();
        file[table + 4 * 64 + 32..][..8].copy_from_slice(&size.to_le_bytes());
        check("a huge .bss", &file, None, 0);
    }
}

/// BTF of small types that unfold to huge trees, or to no end at all.
fn hostile_types() {
    let record = |name: u32, info: u32, size: u32| [name, info, size].map(u32::to_le_bytes).concat();
    // Type 1 is empty, each further struct holds the former twice: 2^40 nodes as a tree.
    let mut types = record(1, 4 << 24, 0);
    for former in 1..=40_u32 {
        types.extend(record(1, 4 << 24 | 2, 0));
        types.extend([1, former, 0, 1, former, 0].map(u32::to_le_bytes).concat());
    }
    // Typedefs in a circle, an array of itself, a struct of itself.
    types.extend(record(1, 8 << 24, 43));
    types.extend(record(1, 8 << 24, 42));
    types.extend([record(0, 3 << 24, 0), [44_u32, 44, 2].map(u32::to_le_bytes).concat()].concat());
    types.extend([record(1, 4 << 24 | 1, 8), [1_u32, 45, 0].map(u32::to_le_bytes).concat()].concat());
    // Variables 46 to 49 of these types, in .data.
    for ty in [41, 42, 44, 45_u32] {
        types.extend([record(1, 14 << 24, ty), 1_u32.to_le_bytes().to_vec()].concat());
    }
    types.extend(record(3, 15 << 24 | 4, 8));
    for var in 46..50_u32 {
        types.extend([var, 0, 8].map(u32::to_le_bytes).concat());
    }
    let strings = b"\0f\0.data\0";
    let mut btf = vec![0x9f, 0xeb, 1, 0];
    for field in [24, 0, types.len(), types.len(), strings.len()] {
        btf.extend(u32::try_from(field).unwrap().to_le_bytes());
    }
    btf.extend(types);
    btf.extend(strings);
    let program = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let symbols = [symbol(0, 0, 0, 0, 0), symbol(1, 0x12, 1, 0, 16)].concat();
    let file = elf(&[
        ("xdp", 1, 6, 0, 0, &program),
        (".symtab", 2, 0, 3, 1, &symbols),
        (".strtab", 3, 0, 0, 0, b"\0f\0"),
        (".BTF", 1, 0, 0, 0, &btf),
        (".data", 1, 3, 0, 0, &[0; 8]),
    ]);
    check("types that unfold", &file, None, 0);
    let object = load(&file, &LoadOptions::default()).unwrap();
    let Some(TypeRef::Struct { members, .. }) = &object.maps[0].value_type else { panic!("no type") };
    assert!(!members.is_empty());
}

fn check(what: &str, bytes: &[u8], code: Option<&str>, extra: usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = load(bytes, &LoadOptions::default());
    let used = PEAK.load(Ordering::Relaxed) - before;
    println!("{what}: {} bytes, {used} used", bytes.len());
    assert!(used <= allowance(bytes.len()) + extra, "{what}: {used} bytes for {}", bytes.len());
    assert_eq!(result.err().map(|diagnostic| diagnostic.code.to_string()).as_deref(), code, "{what}");
}
