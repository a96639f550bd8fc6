//! Loads, stores and atomic operations: which memory, within which bounds.

use super::alu::MAX_VAR_OFF;
use super::explore::Verifier;
use super::refusal::{Check, Refusal, describe};
use super::stack::{Access, Value};
use super::state::{AT_END, BEYOND_END, Kind, MapRef, Reg, State};
use super::trace::NodeId;
use crate::ebpf::{self, AtomicOp, Operand, Size};
use crate::facts;
use crate::range::Num;
use offwire_diag::codes::verify as codes;
use offwire_image::MapKind;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// `BPF_F_RDONLY_PROG`.
const RDONLY_PROG: u32 = 1 << 7;
/// `BPF_F_WRONLY_PROG`.
const WRONLY_PROG: u32 = 1 << 8;

impl Verifier<'_> {
    pub(super) fn load(
        &mut self,
        state: &mut State,
        size: Size,
        signed: bool,
        dst: ebpf::Reg,
        base: ebpf::Reg,
        off: i16,
    ) -> Check {
        let ptr = self.read(state, base)?;
        let bits = size.bytes().saturating_mul(8);
        let value = match ptr.kind {
            Kind::Ctx => self.load_context(base, &ptr, size, signed, off)?,
            Kind::Stack(depth) => {
                self.stack_read(state, &Access { base, depth, ptr, off, size: size.bytes() }, signed)?
            }
            Kind::MapValue(map) => {
                self.map_access(base, map, &ptr, off.into(), size.bytes(), Mode::Read)?;
                let at = ptr
                    .num
                    .as_const()
                    .and_then(|var| var.checked_add_signed(i64::from(ptr.off).saturating_add(off.into())));
                let frozen =
                    at.filter(|_| !map.inner).and_then(|at| facts::read_frozen(self.object, map.map, at, size));
                let num = match frozen {
                    Some(value) if signed => Num::constant(value).sign_extend(bits),
                    Some(value) => Num::constant(value),
                    None => Num::loaded(bits, signed),
                };
                self.scalar(num, NodeId::NONE, NodeId::NONE)
            }
            _ => {
                self.plain_access(base, &ptr, off.into(), size.bytes(), "read")?;
                self.scalar(Num::loaded(bits, signed), NodeId::NONE, NodeId::NONE)
            }
        };
        state.set(dst.0, value);
        Ok(())
    }

    pub(super) fn store(&mut self, state: &mut State, size: Size, base: ebpf::Reg, off: i16, src: Operand) -> Check {
        let value = match src {
            Operand::Reg(reg) => Value::Reg(reg, self.read(state, reg)?),
            Operand::Imm(imm) => Value::Imm(imm),
        };
        let ptr = self.read(state, base)?;
        if let Kind::Stack(depth) = ptr.kind {
            return self.stack_write(state, &Access { base, depth, ptr, off, size: size.bytes() }, value);
        }
        match ptr.kind {
            Kind::Ctx => {
                return Err(Refusal::new(codes::CONTEXT_ACCESS, "a store to the context")
                    .because("struct xdp_md is read-only")
                    .help("change the packet through ctx->data, or move it with bpf_xdp_adjust_head"));
            }
            Kind::MapValue(map) => self.map_access(base, map, &ptr, off.into(), size.bytes(), Mode::Write)?,
            _ => self.plain_access(base, &ptr, off.into(), size.bytes(), "write")?,
        }
        match value {
            Value::Reg(reg, value) if value.kind != Kind::Scalar => {
                let to = match ptr.kind {
                    Kind::Packet | Kind::PacketMeta => "it is written to the packet",
                    Kind::Record(..) => "it is written to a record",
                    _ => "it is stored in a map",
                };
                Err(self.pointer_as_number(reg, &value, to))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn atomic(
        &mut self,
        state: &mut State,
        (size, op, fetch): (Size, AtomicOp, bool),
        base: ebpf::Reg,
        off: i16,
        src: ebpf::Reg,
    ) -> Check {
        self.read_number(state, src, "it is the operand of an atomic operation")?;
        if op == AtomicOp::Cmpxchg {
            self.read_number(state, ebpf::Reg(0), "it is the operand of an atomic operation")?;
        }
        let ptr = self.read(state, base)?;
        if !matches!(size, Size::B4 | Size::B8) {
            return Err(Refusal::new(codes::ATOMIC, "an atomic operation of fewer than 4 bytes")
                .help("use a 32- or 64-bit variable"));
        }
        let aligned = ptr.num.bits.add(constant_bits(ptr.off, off)).is_aligned(size.bytes().into());
        let mut old = None;
        match ptr.kind {
            Kind::Ctx | Kind::Packet | Kind::PacketMeta | Kind::Record(..) => {
                return Err(Refusal::new(codes::ATOMIC, "an atomic operation on memory that has none")
                    .because(format!(
                        "R{} is {}; only map values and the stack have atomic operations",
                        base.0,
                        describe(self.object, &ptr)
                    ))
                    .help("load, change and store the bytes: no other program sees them yet"));
            }
            Kind::MapValue(_) if !aligned => {
                return Err(Refusal::new(codes::MISALIGNED, "an atomic operation on a misaligned address")
                    .because(format!(
                        "R{} is {}; {} bytes need an offset divisible by {}",
                        base.0,
                        describe(self.object, &ptr),
                        size.bytes(),
                        size.bytes()
                    ))
                    .help("do not pack the structure, or move the counter to a multiple of its size"));
            }
            Kind::MapValue(map) => {
                self.map_access(base, map, &ptr, off.into(), size.bytes(), Mode::Read)?;
                self.map_access(base, map, &ptr, off.into(), size.bytes(), Mode::Write)?;
            }
            Kind::Stack(depth) => {
                let access = Access { base, depth, ptr, off, size: size.bytes() };
                old = Some(self.stack_read(state, &access, false)?);
                if self.holds_pointer(state, &access) {
                    return Err(Refusal::new(
                        codes::POINTER_AS_NUMBER,
                        "a pointer is used as a number: an atomic operation works on it",
                    ));
                }
                self.stack_write(state, &access, Value::Unknown)?;
            }
            _ => self.plain_access(base, &ptr, off.into(), size.bytes(), "change")?,
        }
        let result = match op {
            AtomicOp::Cmpxchg => Some(ebpf::Reg(0)),
            AtomicOp::Xchg => Some(src),
            _ => fetch.then_some(src),
        };
        if let Some(result) = result {
            let bits = size.bytes().saturating_mul(8);
            let old = old.unwrap_or_else(|| self.scalar(Num::loaded(bits, false), NodeId::NONE, NodeId::NONE));
            state.set(result.0, old);
        }
        Ok(())
    }

    /// An access to bytes of the packet or of a record, or to nothing that can be accessed.
    pub(super) fn plain_access(&self, base: ebpf::Reg, ptr: &Reg, off: i64, size: u32, verb: &str) -> Check {
        let is = format!("R{} is {}", base.0, describe(self.object, ptr));
        match ptr.kind {
            Kind::Packet | Kind::PacketMeta => self.packet_access(base, ptr, off, size),
            Kind::Record(_, bytes) => self.record_access(base, ptr, bytes, off, size),
            Kind::Stale(_) | Kind::Released(_) => Err(self.stale(base, ptr)),
            kind if kind.not_null().is_some() => Err(Refusal::new(codes::NULL_POINTER, format!("{verb} through a pointer that may be null"))
                .because(is)
                .help("compare the result of the call with NULL first, and return if it is")),
            Kind::PacketEnd => Err(Refusal::new(codes::BAD_POINTER, format!("{verb} through data_end"))
                .because(is)
                .help("data_end is only for comparisons; use ctx->data")),
            Kind::Map(_) => Err(Refusal::new(codes::BAD_POINTER, format!("{verb} of the map itself"))
                .because(is)
                .help("use bpf_map_lookup_elem to get at a value")),
            Kind::Scalar if ptr.num.as_const() == Some(0) => Err(Refusal::new(codes::NULL_POINTER, format!("{verb} through a null pointer"))
                .because(is)
                .help("return where the pointer is NULL")),
            _ => Err(Refusal::new(codes::BAD_POINTER, format!("{verb} through something that is not a pointer"))
                .because(is)
                .help("only pointers from the context, the packet, the stack, map lookups and reserved records can be followed; a pointer is lost when it is copied in parts or computed as a number")),
        }
    }

    fn packet_access(&self, base: ebpf::Reg, ptr: &Reg, off: i64, size: u32) -> Check {
        let (end, what) = if ptr.kind == Kind::PacketMeta {
            ("data", "access to packet metadata out of bounds")
        } else {
            ("data_end", "packet access out of bounds")
        };
        let refuse =
            |reason: String, help: String| Err(Refusal::new(codes::PACKET_BOUNDS, what).because(reason).help(help));
        let from = i64::from(ptr.off).saturating_add(off);
        let to = from.saturating_add(size.into());
        if ptr.num.wide.smin < 0 {
            return refuse(
                format!("R{} is {}; the variable part may be negative", base.0, describe(self.object, ptr)),
                "compute the offset with unsigned types, or compare it with 0".to_string(),
            );
        }
        if from < 0 {
            return refuse(
                format!(
                    "R{} is {}; the access begins {} bytes before its variable part",
                    base.0,
                    describe(self.object, ptr),
                    from.saturating_neg()
                ),
                format!("add the constant to the variable part before the comparison with {end}"),
            );
        }
        if matches!(ptr.range, BEYOND_END | AT_END) || to > ptr.range.into() {
            let what = if ptr.num.as_const() == Some(0) {
                format!("{} of the packet", needed(from, to))
            } else {
                format!("{} from the variable part on", needed(from, to))
            };
            let known = match ptr.range {
                BEYOND_END | AT_END => "on this path the packet ends before them".to_string(),
                0 => format!("nothing is compared with {end} on this path"),
                range => format!("only {range} bytes are compared with {end} on this path"),
            };
            return refuse(
                format!("{what}: {known} (R{} is {})", base.0, describe(self.object, ptr)),
                format!(
                    "return before it if (void *)p + {to} > {end}, where p is the pointer without its constant offset"
                ),
            );
        }
        Ok(())
    }

    fn load_context(&mut self, base: ebpf::Reg, ptr: &Reg, size: Size, signed: bool, off: i16) -> Check<Reg> {
        self.whole_context(base, ptr)?;
        let refuse = |message: &str| {
            Refusal::new(codes::CONTEXT_ACCESS, message.to_string())
                .because(format!("{} bytes at offset {off} of struct xdp_md (24 bytes) are read", size.bytes()))
                .help("read whole fields of struct xdp_md; each has 32 bits")
        };
        if !(0..24).contains(&off) {
            return Err(refuse("a read outside the context"));
        }
        if size != Size::B4 || off.rem_euclid(4) != 0 || signed {
            return Err(refuse("the context is read in parts"));
        }
        let field =
            |name: &str| Refusal::new(codes::CONTEXT_FIELD, format!("context field ctx->{name} cannot be used here"));
        Ok(match off {
            0 => Reg::pointer(Kind::Packet),
            4 => Reg::pointer(Kind::PacketEnd),
            8 => Reg::pointer(Kind::PacketMeta),
            20 if !self.is_devmap_program() => {
                return Err(field("egress_ifindex")
                    .because("only programs that run on a device map's egress have it (section \"xdp/devmap\")")
                    .help("use ingress_ifindex, or put the program into section \"xdp/devmap\""));
            }
            _ => self.scalar(Num::loaded(32, false), NodeId::NONE, NodeId::NONE),
        })
    }

    fn is_devmap_program(&self) -> bool {
        let section = self.program.section.as_str();
        section
            .strip_prefix("xdp.frags/")
            .or(section.strip_prefix("xdp/"))
            .is_some_and(|kind| kind.starts_with("devmap"))
    }

    /// The context pointer must be the one that the program was given.
    pub(super) fn whole_context(&self, base: ebpf::Reg, ptr: &Reg) -> Check {
        if ptr.off == 0 && ptr.num.as_const() == Some(0) {
            return Ok(());
        }
        Err(Refusal::new(codes::CONTEXT_ACCESS, "the context pointer was moved")
            .because(format!("R{} is {}, {} bytes further", base.0, describe(self.object, ptr), ptr.off))
            .help("use the context pointer as it was given and read its fields by name"))
    }

    /// An access to a map value.
    pub(super) fn map_access(&self, base: ebpf::Reg, map: MapRef, ptr: &Reg, off: i64, size: u32, mode: Mode) -> Check {
        let Some(spec) = map.spec(self.object) else {
            return Err(Refusal::new(codes::BAD_POINTER, "a pointer into a map that the object does not have"));
        };
        // What programs see of a device map is the kernel's own (`dev_map_init_map`).
        let read_only =
            spec.frozen || spec.flags & RDONLY_PROG != 0 || matches!(spec.kind, MapKind::Devmap | MapKind::DevmapHash);
        if mode == Mode::Write && read_only {
            return Err(Refusal::new(codes::READ_ONLY, "a store to read-only data")
                .because(format!("map {} cannot be changed by programs", spec.name))
                .help("make the variable not const, or the map not BPF_F_RDONLY_PROG"));
        }
        if mode == Mode::Read && spec.flags & WRONLY_PROG != 0 {
            return Err(Refusal::new(codes::READ_ONLY, "a read of write-only data")
                .because(format!("map {} cannot be read by programs (BPF_F_WRONLY_PROG)", spec.name))
                .help("create the map without BPF_F_WRONLY_PROG"));
        }
        let (first, end) = self.within(base, ptr, spec.value_size, off, size, "value")?;
        self.special_field(map, first, end)
    }

    /// An access to a reserved record.
    fn record_access(&self, base: ebpf::Reg, ptr: &Reg, bytes: u32, off: i64, size: u32) -> Check {
        self.within(base, ptr, bytes, off, size, "record").map(|_| ())
    }

    /// An access lies within an object of known size: the first byte that it may touch, and the one after the last.
    fn within(&self, base: ebpf::Reg, ptr: &Reg, object: u32, off: i64, size: u32, what: &str) -> Check<(i64, i64)> {
        let refuse = |reason: String, help: &str| {
            let (code, message) = match what {
                "record" => (codes::RECORD_BOUNDS, "record access out of bounds"),
                _ => (codes::MAP_VALUE_BOUNDS, "map value access out of bounds"),
            };
            Err(Refusal::new(code, message)
                .because(format!("{reason} (R{} is {})", base.0, describe(self.object, ptr)))
                .help(help))
        };
        let fixed = i64::from(ptr.off).saturating_add(off);
        let wide = ptr.num.wide;
        let first = fixed.saturating_add(wide.smin);
        if first < 0 {
            return refuse(
                format!("the offset may be {first}"),
                "compute the index with an unsigned type, or compare it with 0",
            );
        }
        if wide.umax >= MAX_VAR_OFF.cast_unsigned() {
            return refuse(
                format!("the index is not bounded, the {what}'s size is {object}"),
                "compare the index with the number of elements before, or mask it",
            );
        }
        let last = fixed.saturating_add_unsigned(wide.umax);
        let end = last.saturating_add(size.into());
        if end > i64::from(object) {
            return refuse(
                format!("{size} bytes at offset {last} are reached, the {what}'s size is {object}"),
                &format!("bound the index so that the whole element lies in the {what}"),
            );
        }
        Ok((first, end))
    }

    /// Locks and timers in map values belong to helpers.
    fn special_field(&self, map: MapRef, from: i64, to: i64) -> Check {
        let fields = self.special_fields(map);
        match fields.iter().find(|field| from < field.to && field.from < to) {
            None => Ok(()),
            Some(field) => {
                Err(Refusal::new(codes::SPECIAL_FIELD, format!("struct {} is accessed directly", field.name))
                    .because(format!(
                        "it stands at bytes {} to {} of the value",
                        field.from,
                        field.to.saturating_sub(1)
                    ))
                    .help("only helpers may touch it"))
            }
        }
    }
}

/// "byte 12 is needed", "bytes 12 to 15 are needed".
fn needed(from: i64, to: i64) -> String {
    match to.saturating_sub(1) {
        last if last == from => format!("byte {from} is needed"),
        last => format!("bytes {from} to {last} are needed"),
    }
}

/// `off + off` as known bits.
pub(super) fn constant_bits(a: i32, b: i16) -> facts::Tnum {
    facts::Tnum::constant(i64::from(a).wrapping_add(b.into()).cast_unsigned())
}
