//! Arguments of helpers (`check_func_arg`, `check_mem_size_reg`, `check_helper_mem_access`).

use super::alu::MAX_VAR_OFF;
use super::explore::Verifier;
use super::memory::Mode;
use super::protos::{self, Arg, Proto, number};
use super::refusal::{Check, Refusal, describe};
use super::stack::Access;
use super::state::{Kind, MapRef, Reg, State};
use crate::ebpf::{self, MapIdx};
use offwire_diag::codes::verify as codes;
use offwire_image::MapKind;

/// What the arguments of a call told so far.
#[derive(Default)]
pub(super) struct Call {
    /// The map that it works on.
    pub(super) map: Option<MapRef>,
    /// Size of the memory that it returns.
    pub(super) alloc: u32,
    /// The record that it gives back.
    pub(super) record: Option<Reg>,
    /// The lock that it takes or releases.
    pub(super) lock: Option<(MapRef, u32)>,
    /// The function that it calls back.
    pub(super) callback: Option<u32>,
}

/// `BPF_F_RDONLY_PROG`.
const RDONLY_PROG: u32 = 1 << 7;

impl Verifier<'_> {
    pub(super) fn argument(
        &mut self,
        state: &mut State,
        proto: &Proto,
        name: &str,
        (reg, arg): (ebpf::Reg, Arg),
        call: &mut Call,
    ) -> Check {
        if arg == Arg::Any {
            return Ok(());
        }
        let value = self.read(state, reg)?;
        if let Kind::Stale(_) | Kind::Released(_) = value.kind {
            return Err(self.stale(reg, &value));
        }
        let wrong = |wanted: &str| {
            Refusal::new(codes::HELPER_ARGUMENT, format!("argument {} of {name} must be {wanted}", reg.0))
                .because(format!("R{} is {}", reg.0, describe(self.object, &value)))
                .help("pass &map, ctx, or the address of a variable of the right type")
        };
        match arg {
            Arg::Any => Ok(()),
            Arg::Map => match value.kind {
                Kind::Map(map) => {
                    call.map = Some(map);
                    self.map_takes(map, proto, name)
                }
                Kind::MapOrNull(_) => self.plain_access(reg, &value, 0, 0, "a call"),
                _ => Err(wrong("the address of a map")),
            },
            Arg::Ctx => match value.kind {
                Kind::Ctx => self.whole_context(reg, &value),
                _ => Err(wrong("the context pointer")),
            },
            Arg::Number => self.number_argument(reg, &value, name),
            Arg::MapKey | Arg::MapValue => {
                let Some(spec) = call.map.and_then(|map| map.spec(self.object)) else {
                    return Err(wrong("preceded by a map"));
                };
                let (size, what) = match arg {
                    Arg::MapKey => (spec.key_size, "key"),
                    _ => (spec.value_size, "value"),
                };
                let what = format!("a pointer to a {what} of map {} ({size} bytes)", spec.name);
                match self.memory(state, proto, reg, &value, size, Mode::Read)? {
                    true => Ok(()),
                    false => Err(wrong(&what)),
                }
            }
            Arg::Mem | Arg::UninitMem => match value.kind {
                Kind::Scalar | Kind::Ctx | Kind::Map(_) | Kind::PacketEnd | Kind::PacketHalf | Kind::Func(_) => {
                    Err(wrong("a pointer to memory"))
                }
                _ => Ok(()),
            },
            Arg::MemOrNull => match value.kind {
                Kind::Scalar if value.num.as_const() == Some(0) => {
                    self.nodes.mark(value.node);
                    Ok(())
                }
                Kind::Scalar | Kind::Ctx | Kind::Map(_) | Kind::PacketEnd | Kind::PacketHalf | Kind::Func(_) => {
                    Err(wrong("a pointer to memory, or NULL"))
                }
                _ => Ok(()),
            },
            Arg::Size | Arg::SizeOrZero => {
                self.number_argument(reg, &value, name)?;
                self.sized_memory(state, proto, name, (reg, arg), &value)
            }
            Arg::AllocSize => {
                self.number_argument(reg, &value, name)?;
                let Some(size) = value.num.as_const() else {
                    return Err(wrong("a constant").help("reserve a fixed size, the largest that is needed"));
                };
                self.nodes.mark(value.node);
                // Larger ones are never there; less may be used of what is promised.
                call.alloc = u32::try_from(size).unwrap_or(u32::MAX);
                Ok(())
            }
            Arg::SpinLock => self.lock_argument(state, proto, reg, &value).map(|lock| call.lock = Some(lock)),
            Arg::Callback => match value.kind {
                Kind::Func(entry) => {
                    call.callback = Some(entry);
                    Ok(())
                }
                _ => Err(wrong("a function")),
            },
            Arg::CallbackContext => match value.kind {
                Kind::Stack(_) => Ok(()),
                Kind::Scalar if value.num.as_const() == Some(0) => {
                    self.nodes.mark(value.node);
                    Ok(())
                }
                _ => Err(wrong("the address of a variable on the stack, or NULL")),
            },
            Arg::Record => match value.kind {
                Kind::Record(..) if value.off == 0 && value.num.as_const() == Some(0) => {
                    call.record = Some(value);
                    Ok(())
                }
                Kind::Record(..) => {
                    Err(wrong("a record as it was reserved").help("pass the pointer that bpf_ringbuf_reserve returned"))
                }
                Kind::RecordOrNull(..) => self.plain_access(reg, &value, 0, 0, "a call"),
                _ => Err(wrong("a record that bpf_ringbuf_reserve returned")),
            },
        }
    }

    /// A lock in a map value, and whether it may be taken or released (`process_spin_lock`).
    fn lock_argument(&self, state: &State, proto: &Proto, reg: ebpf::Reg, value: &Reg) -> Check<(MapRef, u32)> {
        let refuse = |message: &str, reason: String, help: &str| {
            Err(Refusal::new(codes::LOCK, message).because(reason).help(help))
        };
        let is = || format!("R{} is {}", reg.0, describe(self.object, value));
        let Kind::MapValue(map) = value.kind else {
            if value.kind.not_null().is_some() {
                return self.plain_access(reg, value, 0, 0, "a call").map(|()| (MapRef::new(MapIdx(0)), 0));
            }
            return refuse(
                "a spin lock outside map values",
                is(),
                "put the lock into the value of a hash or array map",
            );
        };
        let lock = self.special_fields(map).iter().find(|field| field.name == "bpf_spin_lock");
        let kind = map.spec(self.object).map(|spec| spec.kind);
        let (Some(lock), Some(MapKind::Hash | MapKind::Array)) = (lock, kind) else {
            return refuse(
                "a spin lock in a map whose values have none",
                is(),
                "let the map be a hash or an array, and its value type have a struct bpf_spin_lock",
            );
        };
        let Some(var) = value.num.as_const() else {
            return refuse("a spin lock at a variable offset", is(), "put one lock into each value");
        };
        let at = i64::from(value.off).saturating_add(var.cast_signed());
        if at != lock.from {
            return refuse(
                "the address is not that of the spin lock",
                format!("{}; the lock stands at offset {}", is(), lock.from),
                "pass the address of the struct bpf_spin_lock",
            );
        }
        match (state.lock, proto.id == number::SPIN_LOCK) {
            (None, true) => Ok((map, value.id)),
            (Some(held), true) => refuse(
                "a second spin lock is taken",
                format!("the call at instruction {} took one that is still held", held.insn),
                "release the first one before",
            ),
            (None, false) => refuse("a spin lock is released that is not held", is(), "take it before"),
            (Some(held), false) if (held.map, held.id) == (map, value.id) => Ok((map, value.id)),
            (Some(held), false) => refuse(
                "another spin lock is released than the one that is held",
                format!("{}; the call at instruction {} took one of another value", is(), held.insn),
                "release the lock through the same lookup's pointer",
            ),
        }
    }

    fn number_argument(&self, reg: ebpf::Reg, value: &Reg, name: &str) -> Check {
        match value.kind {
            Kind::Scalar => Ok(()),
            _ => Err(self.pointer_as_number(reg, value, &format!("it is argument {} of {name}", reg.0))),
        }
    }

    /// The memory in the argument before has the size in this one, at most.
    fn sized_memory(
        &mut self,
        state: &mut State,
        proto: &Proto,
        name: &str,
        (reg, arg): (ebpf::Reg, Arg),
        size: &Reg,
    ) -> Check {
        let before = ebpf::Reg(reg.0.wrapping_sub(1));
        let wide = size.num.wide;
        let refuse = |message: String, help: &str| {
            Err(Refusal::new(codes::HELPER_SIZE, message)
                .because(format!("R{} is {}", reg.0, describe(self.object, size)))
                .help(help))
        };
        self.nodes.mark(size.node);
        if wide.smin < 0 {
            return refuse(
                format!("the size in argument {} of {name} may be negative", reg.0),
                "compute the size with an unsigned type, or mask it",
            );
        }
        if wide.umin == 0 && arg == Arg::Size {
            return refuse(
                format!("the size in argument {} of {name} may be 0", reg.0),
                "return before the call if the size is 0",
            );
        }
        if wide.umax >= MAX_VAR_OFF.cast_unsigned() {
            return refuse(
                format!("the size in argument {} of {name} is not bounded", reg.0),
                "compare the size with the size of the memory before, or mask it",
            );
        }
        let bytes = u32::try_from(wide.umax).unwrap_or(u32::MAX);
        let ptr = self.read(state, before)?;
        if ptr.kind == Kind::Scalar {
            if bytes == 0 {
                return Ok(());
            }
            return Err(Refusal::new(
                codes::NULL_POINTER,
                format!("argument {} of {name} is NULL, but its size may be {bytes}", before.0),
            )
            .because(format!("R{} is {}", reg.0, describe(self.object, size)))
            .help("pass NULL with the constant 0 only"));
        }
        let fills = before.0.checked_sub(1).and_then(|index| proto.args.get(usize::from(index)));
        let mode = if fills == Some(&Arg::UninitMem) { Mode::Write } else { Mode::Read };
        if let (Kind::Stack(depth), Mode::Write) = (ptr.kind, mode) {
            let access = Access { base: before, depth, ptr, off: 0, size: bytes };
            return self.stack_filled(state, &access, wide.umin == wide.umax);
        }
        self.memory(state, proto, before, &ptr, bytes, mode).map(|_| ())
    }

    /// The helper may access the memory; false if it is none.
    fn memory(
        &mut self,
        state: &State,
        proto: &Proto,
        reg: ebpf::Reg,
        ptr: &Reg,
        size: u32,
        mode: Mode,
    ) -> Check<bool> {
        match ptr.kind {
            Kind::Stack(depth) => {
                self.stack_argument(state, &Access { base: reg, depth, ptr: *ptr, off: 0, size })?;
            }
            Kind::MapValue(map) => self.map_access(reg, map, ptr, 0, size, mode)?,
            Kind::Packet | Kind::PacketMeta if !proto.reads_packet => {
                return Err(Refusal::new(codes::HELPER_ARGUMENT, "a helper is given the packet that does not take it")
                    .because(format!("R{} is {}", reg.0, describe(self.object, ptr)))
                    .help("copy the bytes to the stack first, or use bpf_xdp_load_bytes"));
            }
            Kind::Scalar
            | Kind::Ctx
            | Kind::Map(_)
            | Kind::PacketEnd
            | Kind::PacketHalf
            | Kind::Func(_)
            | Kind::Uninit => {
                return Ok(false);
            }
            _ => self.plain_access(reg, ptr, 0, size, if mode == Mode::Read { "read" } else { "write" })?,
        }
        Ok(true)
    }

    /// The map must be of a kind that the helper works on.
    fn map_takes(&self, map: MapRef, proto: &Proto, name: &str) -> Check {
        let Some(spec) = map.spec(self.object) else {
            return Err(Refusal::new(codes::HELPER_ARGUMENT, format!("{name} on a map that the object does not have")));
        };
        if !protos::takes_map(proto.id, spec.kind) {
            return Err(Refusal::new(
                codes::MAP_UNSUPPORTED,
                format!("{name} does not work on a map of kind {}", spec.kind.name()),
            )
            .because(format!("map {} is a {}", spec.name, spec.kind.name()))
            .help("use a map of another kind, or the helper that belongs to this one"));
        }
        if proto.writes_map && (spec.frozen || spec.flags & RDONLY_PROG != 0) {
            return Err(Refusal::new(codes::READ_ONLY, "a store to read-only data")
                .because(format!("map {} cannot be changed by programs", spec.name))
                .help("create the map without BPF_F_RDONLY_PROG"));
        }
        Ok(())
    }
}
