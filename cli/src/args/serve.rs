//! Arguments of `dev serve`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How device time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeArg {
    /// Only to the next arrival; captures play with their own times, and runs repeat to the cycle
    Virtual,
    /// With the clock of this machine; what the model is too slow for is dropped
    Real,
    /// As fast as it goes; frames arrive when they come, one behind the other at the port's rate
    Free,
}

/// `dev serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where drivers connect (vfio-user); made for you alone, removed at the end
    #[arg(long, value_name = "PATH")]
    pub socket: PathBuf,
    /// Device profile
    #[arg(long, default_value = "x16", value_name = "PROFILE", value_parser = ["small", "x16", "x64"])]
    pub profile: String,
    /// How device time goes; virtual unless a port is live, then real
    #[arg(long, value_enum, value_name = "MODE")]
    pub time: Option<TimeArg>,
    /// Wire of a port: N=pcap:IN,OUT, N=tap:NAME, N=afpacket:INTERFACE or N=unix:OWN,PEER
    #[arg(long = "port", value_name = "N=WIRE")]
    pub ports: Vec<String>,
}
