//! What a port is connected to, as text: `N=KIND:ARGUMENTS`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest name of an interface (IFNAMSIZ less the NUL).
const NAME: usize = 15;

/// A port and its wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// Port of the device.
    pub port: u16,
    /// What it is connected to.
    pub kind: PortKind,
}

/// What a port is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A capture that is played, and one that is written.
    Capture {
        /// pcap or pcapng.
        input: Option<PathBuf>,
        /// pcap.
        output: Option<PathBuf>,
    },
    /// A TAP device of this machine, made if it is not there.
    Tap(String),
    /// An interface of this machine, through a packet socket.
    Interface(String),
    /// A datagram socket; one frame a datagram.
    Datagram {
        /// Where frames come in.
        own: PathBuf,
        /// Where frames go.
        peer: PathBuf,
    },
}

/// Why a text is no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No `N=` in front.
    #[error("a port is N=KIND:ARGUMENTS with N from 0 on, not {0:?}")]
    Number(String),
    /// Another kind.
    #[error("a port is connected by pcap:IN,OUT, tap:NAME, afpacket:INTERFACE or unix:OWN,PEER, not {0:?}")]
    Kind(String),
    /// Too few, too many, empty.
    #[error("{kind} wants {wants}, not {given:?}")]
    Arguments {
        /// Kind.
        kind: &'static str,
        /// What it wants.
        wants: &'static str,
        /// What it got.
        given: String,
    },
}

impl FromStr for PortSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let number = || SpecError::Number(text.to_owned());
        let (port, wire) = text.split_once('=').ok_or_else(number)?;
        let port = port.parse().map_err(|_| number())?;
        let (kind, arguments) = wire.split_once(':').ok_or_else(|| SpecError::Kind(wire.to_owned()))?;
        let wrong = |kind, wants| move || SpecError::Arguments { kind, wants, given: arguments.to_owned() };
        let name = |kind| {
            let fits = !arguments.is_empty() && arguments.len() <= NAME && !arguments.contains(['/', ',', '\0']);
            if fits { Ok(arguments.to_owned()) } else { Err(wrong(kind, "the name of an interface")()) }
        };
        let kind = match kind {
            "pcap" => {
                let wrong = wrong("pcap", "IN, IN,OUT or ,OUT");
                let (input, output) = arguments.split_once(',').unwrap_or((arguments, ""));
                if arguments.len() <= 1 && (arguments.is_empty() || arguments == ",") || output.contains(',') {
                    return Err(wrong());
                }
                let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
                PortKind::Capture { input: path(input), output: path(output) }
            }
            "tap" => PortKind::Tap(name("tap")?),
            "afpacket" => PortKind::Interface(name("afpacket")?),
            "unix" => {
                let wrong = wrong("unix", "OWN,PEER");
                match arguments.split_once(',') {
                    Some((own, peer)) if !own.is_empty() && !peer.is_empty() && !peer.contains(',') && own != peer => {
                        PortKind::Datagram { own: own.into(), peer: peer.into() }
                    }
                    _ => return Err(wrong()),
                }
            }
            _ => return Err(SpecError::Kind(wire.to_owned())),
        };
        Ok(PortSpec { port, kind })
    }
}

impl fmt::Display for PortKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortKind::Capture { input, output } => {
                let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(String::new, |p| p.display().to_string());
                write!(f, "pcap:{}", path(input))?;
                if output.is_some() { write!(f, ",{}", path(output)) } else { Ok(()) }
            }
            PortKind::Tap(name) => write!(f, "tap:{name}"),
            PortKind::Interface(name) => write!(f, "afpacket:{name}"),
            PortKind::Datagram { own, peer } => write!(f, "unix:{},{}", own.display(), peer.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_reads_and_prints() {
        for text in [
            "0=pcap:in.pcap,out.pcap",
            "1=pcap:in.pcap",
            "2=pcap:,out.pcap",
            "3=tap:t0",
            "63=afpacket:veth0",
            "4=unix:/tmp/a,/tmp/b",
        ] {
            let spec: PortSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(format!("{}={}", spec.port, spec.kind), text);
        }
        let spec: PortSpec = "1=pcap:in.pcap".parse().expect("reads");
        assert_eq!(spec.kind, PortKind::Capture { input: Some("in.pcap".into()), output: None });
    }

    #[test]
    fn what_is_no_port_is_told_why() {
        for (text, reason) in [
            ("", "N=KIND"),
            ("pcap:a", "N=KIND"),
            ("x=pcap:a", "N=KIND"),
            ("-1=tap:a", "N=KIND"),
            ("65536=tap:a", "N=KIND"),
            ("0=tap", "is connected by"),
            ("0=dpdk:a", "is connected by"),
            ("0=pcap:", "IN,OUT"),
            ("0=pcap:,", "IN,OUT"),
            ("0=pcap:a,b,c", "IN,OUT"),
            ("0=tap:", "the name"),
            ("0=tap:a/b", "the name"),
            ("0=afpacket:sixteen-letters-", "the name"),
            ("0=unix:a", "OWN,PEER"),
            ("0=unix:a,", "OWN,PEER"),
            ("0=unix:a,a", "OWN,PEER"),
        ] {
            let error = text.parse::<PortSpec>().expect_err(text);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
