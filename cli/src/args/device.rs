//! Arguments of the commands that work on a device through its driver.

use super::{DispatchArg, ProgramArgs, ServeArgs};
use clap::{Args, Subcommand};
use driver::bus::Bdf;
use offwire_isa::Profile;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DevSpec {
    /// A PCI function, bound to vfio-pci: `0000:01:00.0`.
    Pci(Bdf),
    /// A device that another process serves: `vfio-user:PATH`.
    VfioUser(PathBuf),
    /// The device model in this process, new each time: `model`, or `model:PROFILE`.
    Model(&'static Profile),
    /// The device's SystemVerilog in this process.
    Rtl,
}

impl FromStr for DevSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("vfio-user:") {
            return if path.is_empty() {
                Err("vfio-user: wants the path of a socket".to_owned())
            } else {
                Ok(DevSpec::VfioUser(path.into()))
            };
        }
        if text == "rtl" {
            return Ok(DevSpec::Rtl);
        }
        if let Some(profile) = text.strip_prefix("model") {
            let profile = if profile.is_empty() { ":x16" } else { profile };
            let known = profile.strip_prefix(':').and_then(Profile::by_name);
            return known.map(DevSpec::Model).ok_or_else(|| format!("there is no profile {profile:?}"));
        }
        let address = text.parse().map(DevSpec::Pci);
        address.map_err(|_| "a device is a PCI address (0000:01:00.0), vfio-user:PATH, model or rtl".to_owned())
    }
}

impl fmt::Display for DevSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DevSpec::Pci(address) => address.fmt(f),
            DevSpec::VfioUser(path) => write!(f, "vfio-user:{}", path.display()),
            DevSpec::Model(profile) => write!(f, "model:{}", profile.name),
            DevSpec::Rtl => f.write_str("rtl"),
        }
    }
}

/// The device that a command works on.
#[derive(Clone, Debug, Args)]
pub struct DeviceArgs {
    /// Device: a PCI address, vfio-user:PATH, model or rtl; else $OFFWIRE_DEV
    #[arg(long = "dev", value_name = "DEV")]
    pub device: Option<DevSpec>,
    /// Folder that keeps pinned names; else $OFFWIRE_STATE, $XDG_RUNTIME_DIR/offwire or /run/offwire
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Seconds to wait for an answer of the device
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub deadline: u64,
}

/// Which object of a device, as bpftool names them.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Chosen {
    /// By its number
    #[arg(long, value_name = "N")]
    pub id: Option<u16>,
    /// By its name; there must be only one
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// By the name that it was pinned as
    #[arg(long, value_name = "PIN")]
    pub pinned: Option<String>,
}

/// As [`Chosen`], or all.
#[derive(Clone, Debug, Default, Args)]
#[group(required = false, multiple = false)]
pub struct ChosenOrAll {
    /// Only the one with this number
    #[arg(long, value_name = "N")]
    pub id: Option<u16>,
    /// Only those of this name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Only the one that was pinned as this
    #[arg(long, value_name = "PIN")]
    pub pinned: Option<String>,
}

/// Verbs of `dev`.
#[derive(Debug, Subcommand)]
pub enum DevVerb {
    /// Run the software device as a process that drivers and virtual machines connect to (vfio-user)
    Serve(ServeArgs),
    /// List the PCI functions of this machine that are offwire devices, and what they are bound to
    #[command(visible_alias = "ls")]
    List,
    /// Show a device: versions, limits, ports with their programs
    Show(DeviceArgs),
    /// Print the counters of a device, its ports and its programs
    Stats(DeviceArgs),
    /// Reset a device: programs, maps and counters are gone
    Reset(DeviceArgs),
    /// Bind a PCI function to vfio-pci, so that a driver in user space may open it
    Bind {
        /// PCI address
        #[arg(value_name = "BDF")]
        address: Bdf,
    },
    /// Give a PCI function back to the kernel's drivers
    Unbind {
        /// PCI address
        #[arg(value_name = "BDF")]
        address: Bdf,
    },
    /// Set a port: up or down, ifindex
    Port(PortArgs),
}

/// `dev port`.
#[derive(Debug, Args)]
pub struct PortArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Port
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..64))]
    pub port: u16,
    /// It takes and sends frames
    #[arg(long, conflicts_with = "down")]
    pub up: bool,
    /// It does not
    #[arg(long)]
    pub down: bool,
    /// What it sends comes in again
    #[arg(long, value_name = "on|off", value_parser = clap::builder::BoolishValueParser::new())]
    pub loopback: Option<bool>,
    /// ifindex that programs see
    #[arg(long, value_name = "N")]
    pub ifindex: Option<u32>,
}

/// A program for a device that knows its own profile.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// ELF object that clang or rustc made
    pub object: PathBuf,
    /// Program (C function); may be left out if the object has only one
    #[arg(long, value_name = "NAME")]
    pub prog: Option<String>,
    /// Set a global variable before the program is verified
    #[arg(long, value_name = "VAR=VALUE")]
    pub set: Vec<String>,
    /// Give a map another number of entries before it is made
    #[arg(long, value_name = "NAME=N")]
    pub map_entries: Vec<String>,
}

impl Source {
    /// The same with a profile.
    pub fn on(&self, profile: &Profile) -> ProgramArgs {
        ProgramArgs {
            object: self.object.clone(),
            prog: self.prog.clone(),
            profile: profile.name.to_owned(),
            set: self.set.clone(),
            map_entries: self.map_entries.clone(),
        }
    }
}

/// `prog load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which program
    #[command(flatten)]
    pub program: Source,
    /// Pin the program under this name
    #[arg(long, value_name = "PIN")]
    pub pin: Option<String>,
    /// Pin each map as PREFIX/NAME
    #[arg(long, value_name = "PREFIX")]
    pub pin_maps: Option<String>,
    /// Use a map that is there instead of making one: NAME=id:N, NAME=pinned:PIN or NAME=name:OTHER
    #[arg(long = "map", value_name = "NAME=MAP")]
    pub maps_reused: Vec<String>,
    /// Map contents, JSON
    #[arg(long, value_name = "FILE")]
    pub maps: Option<PathBuf>,
    /// Attach it to this port as well; may be given more than once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(..64))]
    pub port: Vec<u16>,
    /// Serialisation of packets when attached
    #[arg(long, value_enum, default_value = "auto", value_name = "MODE")]
    pub dispatch: DispatchArg,
}

/// `prog attach` and `prog swap`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which program
    #[command(flatten)]
    pub program: Chosen,
    /// Port; may be given more than once
    #[arg(long, required = true, value_name = "N", value_parser = clap::value_parser!(u16).range(..64))]
    pub port: Vec<u16>,
    /// Serialisation of packets
    #[arg(long, value_enum, default_value = "auto", value_name = "MODE")]
    pub dispatch: DispatchArg,
    /// Only if this program is attached now (its number)
    #[arg(long, value_name = "N")]
    pub expect: Option<u16>,
}

/// `prog detach`.
#[derive(Debug, Args)]
pub struct DetachArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Port; may be given more than once
    #[arg(long, required = true, value_name = "N", value_parser = clap::value_parser!(u16).range(..64))]
    pub port: Vec<u16>,
}

/// `prog unload`.
#[derive(Debug, Args)]
pub struct UnloadArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which program
    #[command(flatten)]
    pub program: Chosen,
}

/// `prog show`, `map show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which ones
    #[command(flatten)]
    pub chosen: ChosenOrAll,
}

/// Pinning a program or map.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which one
    #[command(flatten)]
    pub chosen: Chosen,
    /// Name to pin it under
    #[arg(value_name = "PIN")]
    pub pin: String,
}

/// Verbs of `map`.
#[derive(Debug, Subcommand)]
pub enum MapVerb {
    /// Show maps of a device
    #[command(visible_alias = "list")]
    Show(ShowArgs),
    /// Print all entries of a map
    Dump(MapArgs),
    /// Print the value of a key
    Lookup(KeyArgs),
    /// Set the value of a key
    Update(UpdateArgs),
    /// Take a key out
    Delete(KeyArgs),
    /// Print the key after a key, or the first one
    Getnext(NextArgs),
    /// Make a map one that only programs change
    Freeze(MapArgs),
    /// Pin a map under a name
    Pin(PinArgs),
}

/// A map of a device.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which map
    #[command(flatten)]
    pub map: Chosen,
}

/// A map and a key.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which map
    #[command(flatten)]
    pub map: Chosen,
    /// Key: JSON by its type, a number, or its bytes (10 0 0 1, 0x0a 0 0 1, hex 0a 00 00 01)
    #[arg(long, required = true, num_args = 1.., value_name = "KEY", allow_negative_numbers = true)]
    pub key: Vec<String>,
}

/// `map getnext`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which map
    #[command(flatten)]
    pub map: Chosen,
    /// Key: as for lookup; the first key of the map without it
    #[arg(long, num_args = 1.., value_name = "KEY", allow_negative_numbers = true)]
    pub key: Vec<String>,
}

/// `map update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Which map, which key
    #[command(flatten)]
    pub at: KeyArgs,
    /// Value: as the key; of a per-CPU map each CPU gets it
    #[arg(long, required = true, num_args = 1.., value_name = "VALUE", allow_negative_numbers = true)]
    pub value: Vec<String>,
    /// Only if the key is not there
    #[arg(long, conflicts_with = "exist")]
    pub noexist: bool,
    /// Only if the key is there
    #[arg(long)]
    pub exist: bool,
}

/// Verbs of `event`.
#[derive(Debug, Subcommand)]
pub enum EventVerb {
    /// Print what programs tell: ring buffers, perf events, printk, drops and faults
    Pipe(PipeArgs),
}

/// `event pipe`.
#[derive(Debug, Args)]
pub struct PipeArgs {
    /// Which device
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Packets that were lost outside a program's verdict, too
    #[arg(long)]
    pub drops: bool,
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after so many seconds without an event
    #[arg(long, value_name = "SECONDS")]
    pub idle: Option<u64>,
}

/// Verbs of `feature`.
#[derive(Debug, Subcommand)]
pub enum FeatureVerb {
    /// Say what a device and the compiler can do: map types, helpers, limits
    Probe(DeviceArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_in_four_ways() {
        for text in ["0000:01:00.0", "vfio-user:/run/dev.sock", "model:small", "rtl"] {
            let spec: DevSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
        assert_eq!("model".parse::<DevSpec>().unwrap().to_string(), "model:x16");
        for text in ["", "01:00.8", "0000:01:00", "vfio-user:", "eth0", "1:2:3:4.5", "00:zz.0", "model:", "model:y"] {
            assert!(text.parse::<DevSpec>().is_err(), "{text}");
        }
    }
}
