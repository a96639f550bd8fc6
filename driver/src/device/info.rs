//! What a device is.

use crate::error::Error;
use crate::regs::Regs;
use offwire_hostif::register::Register;
use offwire_hostif::{INTERFACE_MAJOR, QUEUE_PAIRS, TimeMode, reg};

/// What a device is and has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Version of the host interface, major and minor.
    pub interface: (u32, u32),
    /// ISA version that images must have.
    pub isa_version: u32,
    /// Hash of the profile that images must be made for (`offwire_isa::Profile::hash`).
    pub profile_hash: u64,
    /// Clock, MHz.
    pub clock_mhz: u32,
    /// vCPUs: copies of a per-CPU value.
    pub vcpus: u32,
    /// Words of the instruction store.
    pub store_words: u32,
    /// Map memory, bytes.
    pub map_memory: u32,
    /// Most programs.
    pub max_programs: u32,
    /// Most maps.
    pub max_maps: u32,
    /// Ports.
    pub ports: u16,
    /// Queue pairs.
    pub queue_pairs: u8,
    /// MSI-X vectors.
    pub vectors: u16,
    /// Time mode in force.
    pub time_mode: TimeMode,
    /// Time modes that can be chosen.
    pub time_choices: Vec<TimeMode>,
    /// Which life of the device it is.
    pub life: Life,
}

/// Which life of a device it is: what was loaded in an earlier one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Drawn at power on.
    pub instance: u64,
    /// Resets since then.
    pub resets: u32,
}

impl Life {
    /// Reads it.
    pub(crate) fn read(regs: &Regs) -> Result<Self, Error> {
        let instance = regs.read::<reg::Instance>()?.0;
        let resets = regs.read::<reg::ResetCount>()?.0;
        if resets == u32::MAX && instance == u64::MAX {
            return Err(gone());
        }
        Ok(Life { instance, resets })
    }
}

/// A device that reads as all ones.
pub(crate) fn gone() -> Error {
    Error::Gone("its registers read as all ones".into())
}

/// Checks that there is a device of ours at all, and that we understand it.
pub(crate) fn check(regs: &Regs) -> Result<(), Error> {
    let magic = regs.read::<reg::Magic>()?.0;
    if magic == u32::MAX {
        return Err(gone());
    }
    if u64::from(magic) != reg::Magic::RESET {
        return Err(Error::NotOurs { magic });
    }
    let version = regs.read::<reg::Version>()?;
    if version.major() != INTERFACE_MAJOR {
        return Err(Error::Version { major: version.major(), minor: version.minor() });
    }
    Ok(())
}

impl Info {
    /// Reads it all. What cannot be is an error.
    pub(crate) fn read(regs: &Regs) -> Result<Self, Error> {
        let version = regs.read::<reg::Version>()?;
        let geometry = regs.read::<reg::Geometry>()?;
        let limits = regs.read::<reg::Limits>()?;
        let time = regs.read::<reg::Time>()?;
        let nonsense = |what, value: u32| Error::Nonsense { what, value: value.into() };
        let queue_pairs = u8::try_from(geometry.queue_pairs().min(QUEUE_PAIRS))
            .map_err(|_| nonsense("a number of queue pairs", geometry.queue_pairs()))?;
        let mode = u16::try_from(time.mode()).ok().and_then(TimeMode::from_code);
        let vcpus = regs.read::<reg::Vcpus>()?.0;
        if vcpus == 0 || vcpus > 1 << 16 {
            return Err(nonsense("a number of vCPUs", vcpus));
        }
        Ok(Info {
            interface: (version.major(), version.minor()),
            isa_version: regs.read::<reg::IsaVersion>()?.0,
            profile_hash: regs.read::<reg::ProfileHash>()?.0,
            clock_mhz: regs.read::<reg::ClockMhz>()?.0,
            vcpus,
            store_words: regs.read::<reg::StoreWords>()?.0,
            map_memory: regs.read::<reg::MapMemory>()?.0,
            max_programs: limits.programs(),
            max_maps: limits.maps(),
            ports: geometry.ports() as u16,
            queue_pairs,
            vectors: geometry.vectors() as u16,
            time_mode: mode.ok_or_else(|| nonsense("a time mode", time.mode()))?,
            time_choices: TimeMode::ALL.into_iter().filter(|mode| time.choices() >> mode.code() & 1 != 0).collect(),
            life: Life::read(regs)?,
        })
    }
}
