//! The PCI bus as sysfs shows it: which devices there are, whose they are, and how to give them to somebody else.
//!
//! Everything is read below a [`Root`], which is `/` on a machine and a made-up tree in tests.

use crate::error::Error;
use offwire_hostif::{PCI_DEVICE, PCI_VENDOR};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Driver of the kernel that hands a device to a process.
pub const VFIO_PCI: &str = "vfio-pci";
/// Longest time until a driver that was asked has taken the device, or let it go.
const PROBE: Duration = Duration::from_secs(2);

/// Where `sys`, `proc` and `dev` are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The machine's own.
    pub fn system() -> Self {
        Root(PathBuf::from("/"))
    }

    /// Those below a folder.
    pub fn at(folder: &Path) -> Self {
        Root(folder.to_owned())
    }

    /// A path below it, given without the leading slash.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// The folder of a PCI function.
    pub(crate) fn function(&self, bdf: Bdf) -> PathBuf {
        self.path("sys/bus/pci/devices").join(bdf.to_string())
    }
}

/// Address of a PCI function: domain, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdf {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.device, self.function)
    }
}

impl FromStr for Bdf {
    type Err = Error;

    /// Reads `0000:03:00.0`, or `03:00.0` for domain 0.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::NoPciAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Bdf> {
    let hex = |text: &str, most: usize| {
        let plain = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if plain { u32::from_str_radix(text, 16).ok() } else { None }
    };
    let (rest, function) = text.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
    let device = hex(device, 2).filter(|&device| device < 32)?;
    let function = hex(function, 1).filter(|&function| function < 8)?;
    Some(Bdf {
        domain: hex(domain, 8)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        device: u8::try_from(device).ok()?,
        function: u8::try_from(function).ok()?,
    })
}

/// A PCI function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Address.
    pub bdf: Bdf,
    /// Vendor identity.
    pub vendor: u32,
    /// Device identity.
    pub device: u32,
    /// Driver that has it.
    pub driver: Option<String>,
    /// IOMMU group; none if the IOMMU is off.
    pub iommu_group: Option<u32>,
    /// NUMA node that it is close to.
    pub numa_node: Option<u32>,
}

/// A function by its address.
pub fn function(root: &Root, bdf: Bdf) -> Result<Function, Error> {
    let folder = root.function(bdf);
    let identity = |name: &str| {
        let path = folder.join(name);
        let text = read(&path)?;
        let digits = text.trim().trim_start_matches("0x");
        u32::from_str_radix(digits, 16).map_err(|_| Error::Bus(format!("{} is no number: {text:?}", path.display())))
    };
    Ok(Function {
        bdf,
        vendor: identity("vendor")?,
        device: identity("device")?,
        driver: link(&folder.join("driver")),
        iommu_group: link(&folder.join("iommu_group")).and_then(|group| group.parse().ok()),
        // No node is -1.
        numa_node: read(&folder.join("numa_node")).ok().and_then(|node| node.trim().parse().ok()),
    })
}

/// Functions with these identities, by address.
pub fn list(root: &Root, vendor: u32, device: u32) -> Result<Vec<Function>, Error> {
    let folder = root.path("sys/bus/pci/devices");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        // A machine without PCI.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::System { call: format!("read {}", folder.display()).into(), source }),
    };
    let mut found: Vec<Function> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        // One that went away meanwhile is not there.
        .filter_map(|bdf| function(root, bdf).ok())
        .filter(|function| (function.vendor, function.device) == (vendor, device))
        .collect();
    found.sort_by_key(|function| function.bdf);
    Ok(found)
}

/// Our cards.
pub fn ours(root: &Root) -> Result<Vec<Function>, Error> {
    list(root, PCI_VENDOR, PCI_DEVICE)
}

/// Takes the function from the driver that has it and gives it to `driver`, and to no other until [`unbind`]. Wants root's rights.
pub fn bind(root: &Root, bdf: Bdf, driver: &str) -> Result<(), Error> {
    let now = function(root, bdf)?.driver;
    if now.as_deref() == Some(driver) {
        return Ok(());
    }
    if !root.path("sys/bus/pci/drivers").join(driver).is_dir() {
        return Err(Error::Bus(format!("the kernel has no driver {driver}: modprobe {driver}")));
    }
    write(&root.function(bdf).join("driver_override"), driver)?;
    if now.is_some() {
        release(root, bdf)?;
    }
    write(&root.path("sys/bus/pci/drivers_probe"), &bdf.to_string())?;
    until(
        || link(&root.function(bdf).join("driver")).as_deref() == Some(driver),
        || format!("{driver} did not take {bdf}; the kernel's log says why"),
    )
}

/// Takes the function from its driver and lets the kernel choose one.
pub fn unbind(root: &Root, bdf: Bdf) -> Result<(), Error> {
    let now = function(root, bdf)?.driver;
    write(&root.function(bdf).join("driver_override"), "\n")?;
    if now.is_some() {
        release(root, bdf)?;
    }
    write(&root.path("sys/bus/pci/drivers_probe"), &bdf.to_string())
}

fn release(root: &Root, bdf: Bdf) -> Result<(), Error> {
    let driver = root.function(bdf).join("driver");
    write(&driver.join("unbind"), &bdf.to_string())?;
    until(|| link(&driver).is_none(), || format!("the driver does not let {bdf} go; somebody uses it"))
}

fn until(done: impl Fn() -> bool, otherwise: impl Fn() -> String) -> Result<(), Error> {
    let deadline = Instant::now() + PROBE;
    while !done() {
        if Instant::now() >= deadline {
            return Err(Error::Bus(otherwise()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Last part of what a symbolic link points to.
pub(crate) fn link(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_str()?.to_owned())
}

/// Text of a file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::System { call: format!("read {}", path.display()).into(), source })
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let done = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    done.map_err(|source| Error::System { call: format!("write {}", path.display()).into(), source })
}
