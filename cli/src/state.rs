//! What separate commands share about a device: pinned names, and the objects that its programs came from.
//!
//! The device itself is the truth about programs and maps; this folder only adds names to their numbers, and the ELF objects, so
//! that entries print by their types. It is bound to the device's power-on number and its count of resets: what was written
//! before a reset names nothing any more and is thrown away, and the user is told.
//!
//! `STATE/DEVICE/state.json` is the list, `STATE/DEVICE/HASH.o` the objects. A command holds a lock on `STATE/DEVICE/lock` from
//! reading to writing; the list is replaced as a whole.

use crate::args::device::{DevSpec, DeviceArgs};
use crate::output::Failure;
use offwire_diag::{Diagnostic, codes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is known of a program beyond what the device tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// Program (C function).
    pub name: String,
    /// Seconds since 1970 at which it was loaded.
    pub loaded_at: u64,
    /// User that loaded it.
    pub uid: u32,
    /// eBPF instructions as compiled.
    pub insns: usize,
    /// Its object: the file's name in the folder without `.o`.
    pub object: String,
    /// `--set` of the load.
    pub set: Vec<String>,
    /// `--map-entries` of the load.
    pub map_entries: Vec<String>,
    /// Numbers on the device of the object's maps, in the object's order.
    pub maps: Vec<u16>,
    /// Dispatch mode and why no looser one.
    pub dispatch: (String, String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct List {
    instance: u64,
    resets: u32,
    programs: BTreeMap<u16, ProgramRecord>,
    /// Pinned programs by name.
    program_pins: BTreeMap<String, u16>,
    /// Pinned maps by name.
    map_pins: BTreeMap<String, u16>,
}

/// Kinds of objects that have pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Programs.
    Program,
    /// Maps.
    Map,
}

/// The folder of a device, locked.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    list: List,
    /// `None`: nothing is kept (a device that ends with the command).
    lock: Option<File>,
    stale: Option<Diagnostic>,
}

fn failed(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    Diagnostic::error(codes::driver::STATE, format!("cannot {what}: {error}"))
        .with_file(path.display().to_string())
        .with_help("choose another folder with --state DIR or $OFFWIRE_STATE")
        .into()
}

/// The folder of all devices.
fn root(args: &DeviceArgs) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    args.state
        .clone()
        .or_else(|| variable("OFFWIRE_STATE"))
        .or_else(|| variable("XDG_RUNTIME_DIR").map(|folder| folder.join("offwire")))
        .unwrap_or_else(|| PathBuf::from("/run/offwire"))
}

/// A device's name as a folder's. Other characters than letters, digits, `.` and `-` become `_XX`, so no two names meet.
fn folder_name(device: &DevSpec) -> String {
    let text = match device {
        // The same socket by another path is the same device.
        DevSpec::VfioUser(path) => {
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            format!("vfio-user:{}", path.display())
        }
        other => other.to_string(),
    };
    let mut name = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}

impl State {
    /// Opens and locks the folder of a device that says to be this one.
    ///
    /// # Errors
    /// `OW1005` if the folder cannot be made, locked or read.
    pub fn open(args: &DeviceArgs, device: &DevSpec, instance: u64, resets: u32) -> Result<Self, Failure> {
        let fresh = List { instance, resets, ..List::default() };
        if matches!(device, DevSpec::Model(_) | DevSpec::Rtl) {
            return Ok(State { folder: PathBuf::new(), list: fresh, lock: None, stale: None });
        }
        let folder = root(args).join(folder_name(device));
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, "make the state folder", &error))?;
        let path = folder.join("lock");
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = open.map_err(|error| failed(&path, "open the lock", &error))?;
        lock.lock().map_err(|error| failed(&path, "lock the state folder", &error))?;
        let path = folder.join("state.json");
        let mut list = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice::<List>(&bytes).map_err(|error| failed(&path, "read the state", &error))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => fresh.clone(),
            Err(error) => return Err(failed(&path, "read the state", &error)),
        };
        let mut stale = None;
        if (list.instance, list.resets) != (instance, resets) {
            let pins: Vec<&str> = list.program_pins.keys().chain(list.map_pins.keys()).map(String::as_str).collect();
            if !list.programs.is_empty() || !pins.is_empty() {
                let lost = if pins.is_empty() {
                    "nothing was pinned".to_owned()
                } else {
                    format!("gone are {}", pins.join(", "))
                };
                let why =
                    if list.instance == instance { "it was reset" } else { "it was switched off or started anew" };
                stale = Some(
                    Diagnostic::warning(
                        codes::driver::STALE,
                        "the programs and maps of the device are not there any more",
                    )
                    .with_reason(format!("{why}; {lost}"))
                    .with_help("load the programs again"),
                );
            }
            list = fresh;
        }
        let mut state = State { folder, list, lock: Some(lock), stale };
        if state.stale.is_some() {
            state.save()?;
        }
        Ok(state)
    }

    /// What to tell a user whose names are gone.
    pub fn warning(&mut self) -> Option<Diagnostic> {
        self.stale.take()
    }

    /// Forgets what the device does not have any more.
    pub fn keep_only(&mut self, programs: &[u16], maps: &[u16]) {
        self.list.programs.retain(|id, _| programs.contains(id));
        self.list.program_pins.retain(|_, id| programs.contains(id));
        self.list.map_pins.retain(|_, id| maps.contains(id));
    }

    /// After a reset that this command asked for.
    pub fn clear(&mut self, instance: u64, resets: u32) {
        self.list = List { instance, resets, ..List::default() };
    }

    /// Writes the list and removes objects that nobody names.
    ///
    /// # Errors
    /// `OW1005`.
    pub fn save(&mut self) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Ok(());
        }
        let path = self.folder.join("state.json");
        let new = self.folder.join("state.json.new");
        let text = serde_json::to_vec_pretty(&self.list).map_err(|error| failed(&path, "write the state", &error))?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| failed(&path, "write the state", &error))?;
        let used = |name: &str| self.list.programs.values().any(|program| format!("{}.o", program.object) == name);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".o") && !used(&name) {
                // What cannot be removed only takes room.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Keeps an object and gives its name.
    ///
    /// # Errors
    /// `OW1005`.
    pub fn keep_object(&self, bytes: &[u8], hash: u64) -> Result<String, Failure> {
        let name = format!("{hash:016x}");
        if self.lock.is_some() {
            let path = self.folder.join(format!("{name}.o"));
            fs::write(&path, bytes).map_err(|error| failed(&path, "keep the object", &error))?;
        }
        Ok(name)
    }

    /// Where a kept object is.
    pub fn object_path(&self, program: &ProgramRecord) -> PathBuf {
        self.folder.join(format!("{}.o", program.object))
    }

    /// The user that runs the command: who owns the files that it makes.
    pub fn uid(&self) -> u32 {
        self.lock.as_ref().and_then(|lock| lock.metadata().ok()).map_or(0, |metadata| metadata.uid())
    }

    /// What is known of a program.
    pub fn program(&self, id: u16) -> Option<&ProgramRecord> {
        self.list.programs.get(&id)
    }

    /// Adds a program that was loaded.
    pub fn add_program(&mut self, id: u16, record: ProgramRecord) {
        self.list.programs.insert(id, record);
    }

    /// A program whose object has the map, and the map's place in the object.
    pub fn object_of_map(&self, map: u16) -> Option<(&ProgramRecord, usize)> {
        self.list.programs.values().find_map(|program| {
            let at = program.maps.iter().position(|&id| id == map)?;
            Some((program, at))
        })
    }

    fn pins(&self, kind: Kind) -> &BTreeMap<String, u16> {
        match kind {
            Kind::Program => &self.list.program_pins,
            Kind::Map => &self.list.map_pins,
        }
    }

    /// Names that an object is pinned under.
    pub fn pins_of(&self, kind: Kind, id: u16) -> Vec<String> {
        self.pins(kind).iter().filter(|(_, pinned)| **pinned == id).map(|(name, _)| name.clone()).collect()
    }

    /// The object that is pinned under a name.
    pub fn pinned(&self, kind: Kind, name: &str) -> Option<u16> {
        self.pins(kind).get(name).copied()
    }

    /// All names of a kind, for messages.
    pub fn names(&self, kind: Kind) -> Vec<&str> {
        self.pins(kind).keys().map(String::as_str).collect()
    }

    /// Checks that a name can be pinned.
    ///
    /// # Errors
    /// `OW1007` if it is no name or taken.
    pub fn check_pin(&self, kind: Kind, name: &str) -> Result<(), Diagnostic> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
        if name.is_empty() || !name.bytes().all(letter) {
            return Err(Diagnostic::error(codes::driver::PIN, format!("{name:?} is no name to pin under"))
                .with_help("names have letters, digits, _ - . and /"));
        }
        match self.pinned(kind, name) {
            Some(id) => Err(Diagnostic::error(codes::driver::PIN, format!("{name} is pinned already"))
                .with_reason(format!("it names number {id}"))
                .with_help("choose another name, or unload what has it")),
            None => Ok(()),
        }
    }

    /// Pins an object under a name that [`State::check_pin`] has let through.
    pub fn pin(&mut self, kind: Kind, name: &str, id: u16) {
        let pins = match kind {
            Kind::Program => &mut self.list.program_pins,
            Kind::Map => &mut self.list.map_pins,
        };
        pins.insert(name.to_owned(), id);
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(state: &Path) -> DeviceArgs {
        DeviceArgs { device: None, state: Some(state.to_owned()), deadline: 5 }
    }

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("offwire-state-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn record(object: &str) -> ProgramRecord {
        ProgramRecord {
            name: "xdp_main".to_owned(),
            loaded_at: 1,
            uid: 0,
            insns: 2,
            object: object.to_owned(),
            set: Vec::new(),
            map_entries: Vec::new(),
            maps: vec![7, 9],
            dispatch: ("any".to_owned(), String::new()),
        }
    }

    #[test]
    fn names_come_back_until_the_device_is_another() {
        let folder = scratch("names");
        let device: DevSpec = "0000:01:00.0".parse().unwrap();
        let mut state = State::open(&args(&folder), &device, 5, 0).unwrap();
        let object = state.keep_object(b"elf", 0x1234).unwrap();
        state.add_program(3, record(&object));
        state.check_pin(Kind::Map, "a/b").unwrap();
        state.pin(Kind::Map, "a/b", 9);
        state.save().unwrap();
        drop(state);

        let mut state = State::open(&args(&folder), &device, 5, 0).unwrap();
        assert!(state.warning().is_none());
        assert_eq!(state.pinned(Kind::Map, "a/b"), Some(9));
        assert_eq!(state.pinned(Kind::Program, "a/b"), None);
        assert_eq!(state.object_of_map(9).map(|(program, at)| (program.object.clone(), at)), Some((object, 1)));
        assert_eq!(state.check_pin(Kind::Map, "a/b").unwrap_err().code, codes::driver::PIN);
        assert_eq!(state.check_pin(Kind::Map, "a b").unwrap_err().code, codes::driver::PIN);
        assert!(state.object_path(state.program(3).unwrap()).exists());
        drop(state);

        // One reset later.
        let mut state = State::open(&args(&folder), &device, 5, 1).unwrap();
        assert_eq!(state.warning().unwrap().code, codes::driver::STALE);
        assert_eq!(state.pinned(Kind::Map, "a/b"), None);
        drop(state);
        assert!(State::open(&args(&folder), &device, 5, 1).unwrap().warning().is_none(), "told once");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_the_device_lost_is_forgotten() {
        let folder = scratch("lost");
        let device: DevSpec = "0000:01:00.0".parse().unwrap();
        let mut state = State::open(&args(&folder), &device, 5, 0).unwrap();
        let object = state.keep_object(b"elf", 1).unwrap();
        state.add_program(3, record(&object));
        state.pin(Kind::Program, "p", 3);
        state.pin(Kind::Map, "m", 7);
        let path = state.object_path(state.program(3).unwrap());
        state.keep_only(&[], &[7]);
        state.save().unwrap();
        assert_eq!((state.pinned(Kind::Program, "p"), state.pinned(Kind::Map, "m")), (None, Some(7)));
        assert!(!path.exists(), "an object that nobody names is removed");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_broken_list_is_refused_and_kept() {
        let folder = scratch("broken");
        let device: DevSpec = "0000:01:00.0".parse().unwrap();
        drop(State::open(&args(&folder), &device, 5, 0).unwrap());
        let path = folder.join(folder_name(&device)).join("state.json");
        fs::write(&path, "{").unwrap();
        let failure = State::open(&args(&folder), &device, 5, 0).unwrap_err();
        assert_eq!(failure.diagnostics[0].code, codes::driver::STATE);
        assert_eq!(fs::read(&path).unwrap(), b"{");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn folders_of_devices_never_meet() {
        let name = |text: &str| folder_name(&text.parse().unwrap());
        assert_eq!(name("0000:01:00.0"), "0000_3a01_3a00.0");
        assert_ne!(name("vfio-user:/no/a_b"), name("vfio-user:/no/a/b"));
    }
}
