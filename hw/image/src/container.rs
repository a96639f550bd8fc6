//! The bytes of an image. `docs/image.md` draws them.
//!
//! There is exactly one way to write an image: sections in fixed order, without gaps, padding zero. So reading what was
//! written gives the same image, and writing what was read gives the same bytes.

use crate::{Dispatch, DispatchMode, Image, ImageError, Link, Lock, MapKind, MapSpec, ProgramEntry, RawWord};
use offwire_isa::{CodeAddr, WORD_BYTES};
use sha2::{Digest, Sha256};

/// The first 8 bytes: not text, so that no text file is taken for an image.
pub const MAGIC: [u8; 8] = *b"\x89OFFWIRE";
/// Version of the container that this code writes and reads.
pub const CONTAINER_VERSION: u32 = 2;

/// Bytes of the fixed header.
const HEADER_BYTES: usize = 88;
/// Where the digest lies in the header; it is computed with zeros here.
const DIGEST: std::ops::Range<usize> = 56..88;
/// Bytes of an entry of the section table.
const ENTRY_BYTES: usize = 24;
/// Sections start at multiples of this.
const ALIGN: usize = 8;

/// Sections by their number in the table, with the names that errors give them.
const SECTIONS: [(u32, &str); 5] = [(1, "names"), (2, "code"), (3, "maps"), (4, "debug"), (5, "links")];

type Result<T> = std::result::Result<T, ImageError>;

/// Lengths and counts are 32 bits. An image beyond that cannot be read back: its length will not fit its contents.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(count(bytes.len()));
        self.0.extend(bytes);
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
    }
}

struct Reader<'a> {
    part: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(ImageError::Short { part: self.part })?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(ImageError::Short { part: self.part })?;
        self.rest = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of items that take at least `item` bytes each, so nobody reserves memory for what is not there.
    fn count(&mut self, item: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        if count > self.rest.len() / item {
            return Err(ImageError::Short { part: self.part });
        }
        Ok(count)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.count(1)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String> {
        let part = self.part;
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| ImageError::Text { part })?;
        Ok(text.to_owned())
    }

    fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(ImageError::Stray { part: self.part }) }
    }
}

impl Image {
    /// The container's bytes. An image has one form only.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sections = [
            self.names_section(),
            self.words.concat(),
            self.maps_section(),
            self.debug_section(),
            self.links_section(),
        ];
        let table_end = HEADER_BYTES + SECTIONS.len() * ENTRY_BYTES;
        let total = sections.iter().fold(table_end, |at, section| (at + section.len()).next_multiple_of(ALIGN));

        let mut out = Writer::default();
        out.0.extend(MAGIC);
        out.u32(CONTAINER_VERSION);
        out.u32(count(SECTIONS.len()));
        out.u64(total as u64);
        out.u32(self.isa_version);
        out.u32(self.entry.0.into());
        out.u64(self.profile_hash);
        out.u32(self.budget_cycles);
        out.u32(self.dispatch.mode.code());
        // Room for what the next container version needs; zero in this one.
        out.u64(0);
        out.0.extend([0; 32]);
        let mut at = table_end;
        for ((kind, _), section) in SECTIONS.iter().zip(&sections) {
            out.u32(*kind);
            out.u32(0);
            out.u64(at as u64);
            out.u64(section.len() as u64);
            at = (at + section.len()).next_multiple_of(ALIGN);
        }
        for section in sections {
            out.0.extend(section);
            out.pad();
        }
        let digest = digest(&out.0);
        out.0[DIGEST].copy_from_slice(&digest);
        out.0
    }

    /// The SHA-256 digest over the words: tells programs apart whatever they are called.
    pub fn words_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for word in &self.words {
            hash.update(word);
        }
        hash.finalize().into()
    }

    /// Reads a container. Total: any bytes give an image or an error, without panic and without taking more memory than a
    /// small multiple of the input. The program itself is not looked at; that is [`Image::validate`]'s work.
    ///
    /// # Errors
    /// Errors of class [`crate::Class::Container`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Image> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ImageError::Magic);
        }
        let mut header = Reader { part: "header", rest: bytes.get(..HEADER_BYTES).unwrap_or(bytes) };
        header.take(MAGIC.len())?;
        let found = header.u32()?;
        if found != CONTAINER_VERSION {
            return Err(ImageError::Version { found });
        }
        let sections = header.u32()?;
        let length = header.u64()?;
        if length != bytes.len() as u64 {
            return Err(ImageError::Length { header: length, actual: bytes.len() });
        }
        let isa_version = header.u32()?;
        let entry = header.u32()?;
        let profile_hash = header.u64()?;
        let budget_cycles = header.u32()?;
        let mode = header.u32()?;
        if header.u64()? != 0 {
            return Err(ImageError::Stray { part: "header" });
        }
        if header.array::<32>()? != digest(bytes) {
            return Err(ImageError::Digest);
        }
        let code = |what, value| ImageError::Code { part: "header", what, value };
        let entry = u16::try_from(entry).map_err(|_| code("code address", entry))?;
        let mode = DispatchMode::from_code(mode).ok_or(code("dispatch mode", mode))?;
        if sections as usize != SECTIONS.len() {
            return Err(code("number of sections of this version", sections));
        }
        let [names, words, maps, debug, links] = split(bytes)?;
        let (programs, links, locks) = read_links(links)?;
        let (profile, name, reason) = read_names(names)?;
        Ok(Image {
            isa_version,
            profile,
            profile_hash,
            name,
            words: read_words(&words)?,
            entry: CodeAddr(entry),
            maps: read_maps(maps)?,
            programs,
            links,
            locks,
            dispatch: Dispatch { mode, reason },
            budget_cycles,
            word_insns: read_debug(debug)?,
        })
    }

    fn names_section(&self) -> Vec<u8> {
        let mut out = Writer::default();
        for text in [&self.profile, &self.name, &self.dispatch.reason] {
            out.bytes(text.as_bytes());
        }
        out.0
    }

    fn maps_section(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(count(self.maps.len()));
        for map in &self.maps {
            out.bytes(map.name.as_bytes());
            for number in [map.kind as u32, map.key_size, map.value_size, map.max_entries, map.flags] {
                out.u32(number);
            }
            out.u32(map.frozen.into());
            out.bytes(&map.init);
        }
        out.0
    }

    fn links_section(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(count(self.programs.len()));
        for program in &self.programs {
            out.bytes(program.name.as_bytes());
            out.u32(program.entry.0.into());
        }
        out.u32(count(self.links.len()));
        for link in &self.links {
            for number in [link.map.into(), link.key, link.to] {
                out.u32(number);
            }
        }
        out.u32(count(self.locks.len()));
        for lock in &self.locks {
            for number in [lock.map.into(), lock.offset] {
                out.u32(number);
            }
        }
        out.0
    }

    fn debug_section(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(count(self.word_insns.len()));
        for insns in &self.word_insns {
            out.u32(count(insns.len()));
            for &insn in insns {
                out.u32(insn);
            }
        }
        out.0
    }
}

/// SHA-256 over all bytes, with zeros where the digest itself lies.
fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes.get(..DIGEST.start).unwrap_or_default());
    hash.update([0; 32]);
    hash.update(bytes.get(DIGEST.end..).unwrap_or_default());
    hash.finalize().into()
}

/// The contents of the sections, after a strict look at their table.
fn split(bytes: &[u8]) -> Result<[Reader<'_>; SECTIONS.len()]> {
    let mut table = Reader { part: "section table", rest: bytes.get(HEADER_BYTES..).unwrap_or_default() };
    let mut at = HEADER_BYTES + SECTIONS.len() * ENTRY_BYTES;
    let mut readers = SECTIONS.map(|(_, part)| Reader { part, rest: &[] });
    for (index, reader) in readers.iter_mut().enumerate() {
        let (kind, flags) = (table.u32()?, table.u32()?);
        let (offset, length) = (table.u64()?, table.u64()?);
        if kind != SECTIONS[index].0 || flags != 0 || offset != at as u64 {
            return Err(ImageError::Table { index });
        }
        let part = reader.part;
        let length = usize::try_from(length).map_err(|_| ImageError::Short { part })?;
        let end = at.checked_add(length).ok_or(ImageError::Short { part })?;
        let padded = end.checked_next_multiple_of(ALIGN).ok_or(ImageError::Short { part })?;
        reader.rest = bytes.get(at..end).ok_or(ImageError::Short { part })?;
        let padding = bytes.get(end..padded).ok_or(ImageError::Short { part })?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(ImageError::Stray { part });
        }
        at = padded;
    }
    if at != bytes.len() {
        return Err(ImageError::Stray { part: "container" });
    }
    Ok(readers)
}

fn read_names(mut reader: Reader<'_>) -> Result<(String, String, String)> {
    let names = (reader.text()?, reader.text()?, reader.text()?);
    reader.end()?;
    Ok(names)
}

fn read_words(reader: &Reader<'_>) -> Result<Vec<RawWord>> {
    let (words, rest) = reader.rest.as_chunks::<WORD_BYTES>();
    if !rest.is_empty() {
        return Err(ImageError::Stray { part: reader.part });
    }
    Ok(words.to_vec())
}

fn read_maps(mut reader: Reader<'_>) -> Result<Vec<MapSpec>> {
    // A map without name and contents takes 32 bytes.
    let count = reader.count(32)?;
    let mut maps = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text()?;
        let kind = reader.u32()?;
        let kind = MapKind::from_kernel(kind).ok_or(ImageError::Code {
            part: reader.part,
            what: "kind of map",
            value: kind,
        })?;
        let (key_size, value_size, max_entries, flags) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
        let frozen = match reader.u32()? {
            0 => false,
            1 => true,
            value => return Err(ImageError::Code { part: reader.part, what: "truth value", value }),
        };
        let init = reader.bytes()?.to_vec();
        maps.push(MapSpec { name, kind, key_size, value_size, max_entries, flags, init, frozen });
    }
    reader.end()?;
    Ok(maps)
}

fn read_debug(mut reader: Reader<'_>) -> Result<Vec<Vec<u32>>> {
    let count = reader.count(4)?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let count = reader.count(4)?;
        let insns = reader.take(count * 4)?;
        words.push(insns.as_chunks().0.iter().map(|insn| u32::from_le_bytes(*insn)).collect());
    }
    reader.end()?;
    Ok(words)
}

/// A number that has fewer bits than the container gives it.
fn narrow<T: TryFrom<u32>>(reader: &mut Reader<'_>, what: &'static str) -> Result<T> {
    let value = reader.u32()?;
    T::try_from(value).map_err(|_| ImageError::Code { part: reader.part, what, value })
}

fn read_links(mut reader: Reader<'_>) -> Result<(Vec<ProgramEntry>, Vec<Link>, Vec<Lock>)> {
    let count = reader.count(8)?;
    let mut programs = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.text()?;
        programs.push(ProgramEntry { name, entry: CodeAddr(narrow(&mut reader, "code address")?) });
    }
    let count = reader.count(12)?;
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        let map = narrow(&mut reader, "map-table slot")?;
        links.push(Link { map, key: reader.u32()?, to: reader.u32()? });
    }
    let count = reader.count(8)?;
    let mut locks = Vec::with_capacity(count);
    for _ in 0..count {
        let map = narrow(&mut reader, "map-table slot")?;
        locks.push(Lock { map, offset: reader.u32()? });
    }
    reader.end()?;
    Ok((programs, links, locks))
}
