//! Why a program is refused, before the place and the path are added.

use super::state::{AT_END, BEYOND_END, Kind, MapRef, Reg};
use crate::object::Object;
use offwire_diag::Code;

/// The outcome of a check.
pub(super) type Check<T = ()> = Result<T, Box<Refusal>>;

/// A broken rule.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// One sentence.
    pub(super) message: String,
    /// The values that matter.
    pub(super) reason: Option<String>,
    /// What to write instead.
    pub(super) help: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Box<Self> {
        Box::new(Refusal { code, message: message.into(), reason: None, help: None })
    }

    pub(super) fn because(mut self: Box<Self>, reason: impl Into<String>) -> Box<Self> {
        self.reason = Some(reason.into());
        self
    }

    pub(super) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }
}

/// What a register holds, in words: "a number (0 to 255)", "a packet pointer, offset 14 plus 0 to 60, 14 bytes checked".
pub(super) fn describe(object: &Object, reg: &Reg) -> String {
    let map_name = |map: MapRef| match (object.maps.get(usize::from(map.map.0)), map.inner) {
        (Some(map), false) => format!("map {}", map.spec.name),
        (Some(map), true) => format!("a map in map {}", map.spec.name),
        (None, _) => "an unknown map".to_string(),
    };
    let offset = || match (reg.num.as_const(), reg.off) {
        (Some(0), off) => format!("offset {off}"),
        (_, 0) => format!("offset {}", reg.num),
        (_, off) => format!("offset {off} plus {}", reg.num),
    };
    match reg.kind {
        Kind::Uninit => "nothing".to_string(),
        Kind::Stale(_) => "a packet pointer from before the packet moved".to_string(),
        Kind::Scalar => format!("a number ({})", reg.num),
        Kind::Ctx => "the context pointer".to_string(),
        Kind::Stack(_) => format!("a stack pointer, {}", offset()),
        Kind::PacketMeta if reg.range > 0 => {
            format!(
                "a pointer to packet metadata, {}, of which {} bytes from its variable part on are checked",
                offset(),
                reg.range
            )
        }
        Kind::PacketMeta => format!("a pointer to packet metadata, {}, not compared with data yet", offset()),
        Kind::Packet => match reg.range {
            BEYOND_END => "a packet pointer behind the end of the packet".to_string(),
            AT_END => "a packet pointer at or behind the end of the packet".to_string(),
            0 => format!("a packet pointer, {}, not compared with data_end yet", offset()),
            range => {
                format!("a packet pointer, {}, of which {range} bytes from its variable part on are checked", offset())
            }
        },
        Kind::PacketEnd => "the packet's end (data_end)".to_string(),
        Kind::PacketHalf => "the low 32 bits of a packet pointer".to_string(),
        Kind::Map(map) => format!("the address of {}", map_name(map)),
        Kind::MapValue(map) => format!("a map value pointer ({}), {}", map_name(map), offset()),
        Kind::MapValueOrNull(map) => format!("a map value pointer ({}) or null", map_name(map)),
        Kind::MapOrNull(map) => format!("the address of {}, or null", map_name(map)),
        Kind::Record(map, size) => {
            format!("a pointer to a reserved record of {size} bytes ({}), {}", map_name(map), offset())
        }
        Kind::RecordOrNull(map, size) => {
            format!("a pointer to a reserved record of {size} bytes ({}) or null", map_name(map))
        }
        Kind::Func(_) => "the address of a function".to_string(),
        Kind::Released(_) => "a pointer to a record that was given back".to_string(),
    }
}
