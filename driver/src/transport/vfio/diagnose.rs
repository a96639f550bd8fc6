//! What is in the way of a device, told by name.

use crate::bus::{self, Bdf, Root, VFIO_PCI};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Memory that must be lockable for rings and buffers, bytes.
const WANTED_LOCK: u64 = 64 << 20;
/// Bits of `CapEff` of /proc/PID/status (include/uapi/linux/capability.h).
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_IPC_LOCK: u64 = 1 << 14;
/// Drivers that do no DMA of their own, so that they may share a group with vfio-pci (`vfio_dev_viable` of drivers/vfio).
const HARMLESS: [&str; 3] = ["pci-stub", "pcieport", "pci-pf-stub"];

/// Something that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// There is no such PCI function.
    NoDevice {
        /// Address.
        bdf: Bdf,
    },
    /// It is in no IOMMU group.
    NoIommu {
        /// Address.
        bdf: Bdf,
        /// The kernel was told to use an IOMMU, so firmware or machine lack it.
        asked_for: bool,
    },
    /// The kernel has no vfio-pci.
    NoDriver,
    /// Another driver has it, or none.
    OtherDriver {
        /// Address.
        bdf: Bdf,
        /// Who has it.
        driver: Option<String>,
    },
    /// Other devices of the group are in use by the kernel.
    NotViable {
        /// Group.
        group: u32,
        /// Devices and their drivers.
        others: Vec<(Bdf, String)>,
    },
    /// A device node is not there.
    NoNode {
        /// Path.
        path: PathBuf,
    },
    /// A device node may not be opened by this user.
    Forbidden {
        /// Path.
        path: PathBuf,
        /// Rights, as `ls` would show in octal.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group of the file.
        gid: u32,
    },
    /// Less memory than wanted may be locked.
    LockLimit {
        /// `RLIMIT_MEMLOCK`, bytes.
        limit: u64,
        /// What rings and buffers want.
        wanted: u64,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::NoDevice { bdf } => {
                write!(f, "there is no PCI function {bdf}; lspci -D lists those that there are")
            }
            Obstacle::NoIommu { bdf, asked_for: true } => {
                write!(
                    f,
                    "{bdf} is in no IOMMU group though the kernel was told to use one: switch it on in the firmware (VT-d, AMD-Vi)"
                )
            }
            Obstacle::NoIommu { bdf, asked_for: false } => {
                write!(
                    f,
                    "{bdf} is in no IOMMU group: start the kernel with intel_iommu=on (Intel), or switch AMD-Vi on in the firmware"
                )
            }
            Obstacle::NoDriver => f.write_str("the kernel has no driver vfio-pci: modprobe vfio-pci"),
            Obstacle::OtherDriver { bdf, driver } => {
                match driver {
                    Some(driver) => write!(f, "{driver} has {bdf}: ")?,
                    None => write!(f, "{bdf} has no driver: ")?,
                }
                write!(f, "echo vfio-pci > /sys/bus/pci/devices/{bdf}/driver_override; ")?;
                if driver.is_some() {
                    write!(f, "echo {bdf} > /sys/bus/pci/devices/{bdf}/driver/unbind; ")?;
                }
                write!(f, "echo {bdf} > /sys/bus/pci/drivers_probe")
            }
            Obstacle::NotViable { group, others } => {
                write!(f, "group {group} is not viable, the kernel uses other devices of it:")?;
                others.iter().try_for_each(|(bdf, driver)| write!(f, " {bdf} ({driver})"))
            }
            Obstacle::NoNode { path } => {
                write!(
                    f,
                    "there is no {}; another process may have the group, or this container lacks the node",
                    path.display()
                )
            }
            Obstacle::Forbidden { path, mode, uid, gid } => write!(
                f,
                "{} may not be opened: mode {mode:03o}, owner {uid}, group {gid}; chown it to the user who runs this",
                path.display()
            ),
            Obstacle::LockLimit { limit, wanted } => write!(
                f,
                "only {} KiB may be locked, {} are wanted: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=)",
                limit >> 10,
                wanted >> 10
            ),
        }
    }
}

/// What is in the way of opening the function, in the order to be solved; nothing if all seems well. Reads only.
pub fn diagnose(root: &Root, bdf: Bdf) -> Vec<Obstacle> {
    let user = User::of(root);
    let Ok(function) = bus::function(root, bdf) else { return vec![Obstacle::NoDevice { bdf }] };
    let mut found = Vec::new();
    if !root.path("sys/bus/pci/drivers").join(VFIO_PCI).is_dir() {
        found.push(Obstacle::NoDriver);
    }
    match function.iommu_group {
        None => found.push(Obstacle::NoIommu { bdf, asked_for: asked_for_iommu(root) }),
        Some(group) => {
            let others = users_of_group(root, bdf);
            if !others.is_empty() {
                found.push(Obstacle::NotViable { group, others });
            }
        }
    }
    if function.driver.as_deref() == Some(VFIO_PCI) {
        let nodes = ["vfio".to_owned()].into_iter().chain(function.iommu_group.map(|group| group.to_string()));
        found.extend(nodes.filter_map(|node| user.may_open(root.path("dev/vfio").join(node))));
    } else {
        found.push(Obstacle::OtherDriver { bdf, driver: function.driver });
    }
    if let Some(limit) = lock_limit(root)
        && limit < WANTED_LOCK
        && user.capabilities & CAP_IPC_LOCK == 0
    {
        found.push(Obstacle::LockLimit { limit, wanted: WANTED_LOCK });
    }
    found
}

/// True if the kernel's command line speaks of an IOMMU.
fn asked_for_iommu(root: &Root) -> bool {
    let line = bus::read(&root.path("proc/cmdline")).unwrap_or_default();
    line.split_whitespace().any(|word| word.starts_with("intel_iommu=on") || word.starts_with("amd_iommu=on"))
}

/// Other devices of the group that a driver has which is not VFIO's.
fn users_of_group(root: &Root, bdf: Bdf) -> Vec<(Bdf, String)> {
    let Ok(entries) = fs::read_dir(root.function(bdf).join("iommu_group/devices")) else { return Vec::new() };
    let mut found: Vec<(Bdf, String)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&other| other != bdf)
        .filter_map(|other| Some((other, bus::link(&root.function(other).join("driver"))?)))
        .filter(|(_, driver)| !driver.starts_with("vfio") && !HARMLESS.contains(&driver.as_str()))
        .collect();
    found.sort();
    found
}

/// `RLIMIT_MEMLOCK` of this process, bytes; `None` if there is no limit.
fn lock_limit(root: &Root) -> Option<u64> {
    let limits = bus::read(&root.path("proc/self/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Who we are, as the kernel sees it.
#[derive(Debug, Default)]
struct User {
    uid: u32,
    gids: Vec<u32>,
    capabilities: u64,
}

impl User {
    fn of(root: &Root) -> Self {
        let status = bus::read(&root.path("proc/self/status")).unwrap_or_default();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // Real, effective, saved, file system.
        let effective = |name| line(name).and_then(|ids| ids.split_whitespace().nth(3)?.parse().ok());
        let groups = line("Groups").unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok());
        let capabilities = line("CapEff").and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        User {
            uid: effective("Uid").unwrap_or(u32::MAX),
            gids: groups.chain(effective("Gid")).collect(),
            capabilities: capabilities.unwrap_or(0),
        }
    }

    /// Why the node cannot be opened for reading and writing. Access lists are not looked at.
    fn may_open(&self, path: PathBuf) -> Option<Obstacle> {
        let Some((mode, uid, gid)) = rights(&path) else { return Some(Obstacle::NoNode { path }) };
        let bits = if uid == self.uid {
            mode >> 6
        } else if self.gids.contains(&gid) {
            mode >> 3
        } else {
            mode
        };
        let may = bits & 6 == 6 || self.capabilities & CAP_DAC_OVERRIDE != 0;
        if may { None } else { Some(Obstacle::Forbidden { path, mode, uid, gid }) }
    }
}

fn rights(path: &Path) -> Option<(u32, u32, u32)> {
    let facts = fs::metadata(path).ok()?;
    Some((facts.mode() & 0o7777, facts.uid(), facts.gid()))
}
