//! Requests, each as `docs/isa.md` has it and the kernel's helper does it.

use super::memory::Memory;
use super::{E2BIG, EAGAIN, EFAULT, EINVAL, Event, Redirect};
use crate::ebpf::MapIdx;
use offwire_image::MapKind;
use offwire_isa::{Handle, MapPointer, MapUse, POINTER_FLAGS, PRINTK_ARGUMENTS, PRINTK_TEXT_BYTES, RequestOp, Space};

/// XDP_ABORTED and XDP_REDIRECT.
const ABORTED: u64 = 0;
const REDIRECT: u64 = 4;
/// Flags of bpf_redirect_map: the answer if there is no entry, BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS.
const ACTION: u64 = 3;
const BROADCAST: u64 = 8;
const EXCLUDE_INGRESS: u64 = 16;
/// BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP.
const WAKEUP: u64 = 3;
/// BPF_F_INDEX_MASK and BPF_F_CTXLEN_MASK.
const INDEX: u64 = 0xffff_ffff;
const CTXLEN: u64 = 0xf_ffff << 32;

/// A request with its operands as the device gets them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operands {
    pub(crate) op: RequestOp,
    /// The map-table slot.
    pub(crate) map: Option<MapIdx>,
    /// K.
    pub(crate) key: (Space, u64),
    /// Whose value K must lie in, if it is known.
    pub(crate) key_map: Option<MapIdx>,
    /// Where V is, if it is an address.
    pub(crate) value_space: Space,
    /// V.
    pub(crate) value: u64,
    /// W.
    pub(crate) third: u64,
}

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The program goes on.
    Value(u64),
    /// It goes on in this program instead.
    TailCall(u32),
}

impl Memory<'_> {
    /// Does it. Exits, calls and returns are not for it.
    pub(crate) fn request(&mut self, call: &Operands) -> Result<Answer, String> {
        use RequestOp::*;
        let &Operands { op, map: slot, value, third, .. } = call;
        let low = |number: u64| number as u32;
        let map = match op.shape().map {
            MapUse::Pointer => {
                let flags = if op == UpdateInFlags { POINTER_FLAGS } else { 0 };
                let pointer =
                    MapPointer::unpack(third & !flags).ok_or_else(|| format!("{third:#x} is no map pointer"))?;
                MapIdx(pointer.slot.into())
            }
            _ => slot.unwrap_or(MapIdx(u16::MAX)),
        };
        Ok(Answer::Value(match op {
            None | Exit | Call | Ret => return Err(format!("{} is no request with an answer", op.asm())),
            Lookup | LookupIn => {
                let key = self.key(call, map)?;
                self.maps.lookup(map, &key)?
            }
            UpdateAny | UpdateInAny => self.update(call, map, 0)?,
            UpdateNoExist | UpdateInNoExist => self.update(call, map, 1)?,
            UpdateExist | UpdateInExist => self.update(call, map, 2)?,
            UpdateFlags => self.update(call, map, third)?,
            UpdateInFlags => self.update(call, map, third & POINTER_FLAGS)?,
            Delete | DeleteIn => {
                let key = self.key(call, map)?;
                self.maps.delete(map, &key)?
            }
            AdjustHead => self.packet.adjust_head(low(value).cast_signed()),
            AdjustTail => self.packet.adjust_tail(low(value).cast_signed()),
            AdjustMeta => self.packet.adjust_meta(low(value).cast_signed()),
            LoadBytes => match self.packet_range(value, third) {
                Ok((from, len)) => {
                    let bytes = self.packet.bytes()[from..from + len].to_vec();
                    self.at_key(call, len)?.copy_from_slice(&bytes);
                    0
                }
                Err(code) => code,
            },
            StoreBytes => match self.packet_range(value, third) {
                Ok((to, len)) => {
                    let bytes = self.at_key(call, len)?.to_vec();
                    self.packet.bytes_mut()[to..to + len].copy_from_slice(&bytes);
                    0
                }
                Err(code) => code,
            },
            Csum => csum(self.at_key(call, value as usize)?, low(third)).into(),
            Redirect if third != 0 => ABORTED,
            Redirect => {
                self.world.redirect = Some(super::Redirect::Interface { ifindex: low(value) });
                REDIRECT
            }
            RedirectMap => self.redirect_map(map, low(value), third)?,
            TailCall => {
                let to = self.maps.store(map)?.linked(&low(value).to_le_bytes());
                match to {
                    Some(to) if self.world.tail_call() => return Ok(Answer::TailCall(to)),
                    _ => 0,
                }
            }
            KtimeNs => self.world.ktime_ns,
            Jiffies => self.world.jiffies,
            Prandom => self.world.chance(),
            RingReserve => {
                let element = if third == 0 { self.ring(map)?.reserve(value) } else { Option::None };
                let handle = |element| Handle { slot: map.0 as u8, element, offset: 0 }.pack();
                element.map_or(0, handle)
            }
            RingSubmit | RingDiscard => {
                let (map, store, element) = self.maps.element(value)?;
                let bytes = store.commit(element).ok_or("what is submitted is no reserved record")?;
                if op == RingSubmit {
                    self.world.events.push(Event::Ring { map, bytes });
                }
                0
            }
            RingOutput if third & !WAKEUP != 0 => EINVAL,
            RingOutput => {
                let len = usize::try_from(value).map_err(|_| "a record of that size".to_string())?;
                let bytes = self.at_key(call, len)?.to_vec();
                let store = self.ring(map)?;
                match store.reserve(value).and_then(|element| store.commit(element)) {
                    Some(_) => {
                        self.world.events.push(Event::Ring { map, bytes });
                        0
                    }
                    Option::None => EAGAIN,
                }
            }
            RingQuery => self.ring(map)?.query(value),
            PerfOutput => self.perf_output(call, map)?,
            PrintkText => {
                let text = self.at_key(call, value as usize)?.to_vec();
                let (before, most) = (self.world.text.len(), PRINTK_TEXT_BYTES as usize);
                self.world.text.extend(text.into_iter().chain([0]));
                if self.world.text.len() > most {
                    self.world.text.truncate(most);
                    self.world.text[most - 1] = 0;
                }
                before as u64
            }
            Printk => {
                let mut format = self.at_key(call, value as usize)?.to_vec();
                format.append(&mut self.world.text);
                let mut arguments = [0; 3];
                for (at, argument) in (0u64..).zip(&mut arguments) {
                    let place = u64::from(PRINTK_ARGUMENTS.unsigned_abs()) + 8 * at;
                    let bytes = self.bytes(Space::Scratch, place, Option::None, 8)?;
                    *argument = u64::from_le_bytes((&*bytes).try_into().unwrap_or_default());
                }
                self.world.events.push(Event::Print { format, arguments });
                0
            }
            SpinLock | SpinUnlock => {
                self.maps.spin(value, op == SpinLock)?;
                0
            }
            FetchAdd32 => self.atomic(call, 4, |old| old.wrapping_add(value))?,
            FetchAdd64 => self.atomic(call, 8, |old| old.wrapping_add(value))?,
            FetchOr32 => self.atomic(call, 4, |old| old | value)?,
            FetchOr64 => self.atomic(call, 8, |old| old | value)?,
            FetchAnd32 => self.atomic(call, 4, |old| old & value)?,
            FetchAnd64 => self.atomic(call, 8, |old| old & value)?,
            FetchXor32 => self.atomic(call, 4, |old| old ^ value)?,
            FetchXor64 => self.atomic(call, 8, |old| old ^ value)?,
            Xchg32 => self.atomic(call, 4, |_| value)?,
            Xchg64 => self.atomic(call, 8, |_| value)?,
            Cmpxchg32 => self.atomic(call, 4, |old| if old == u64::from(low(third)) { value } else { old })?,
            Cmpxchg64 => self.atomic(call, 8, |old| if old == third { value } else { old })?,
            DivU32 | DivU64 | DivS32 | DivS64 | ModU32 | ModU64 | ModS32 | ModS64 => divide(op, value, third),
        }))
    }

    fn at_key(&mut self, call: &Operands, size: usize) -> Result<&mut [u8], String> {
        if size == 0 {
            return Ok(&mut []);
        }
        self.bytes(call.key.0, call.key.1, call.key_map, size)
    }

    fn key(&mut self, call: &Operands, map: MapIdx) -> Result<Vec<u8>, String> {
        let size = self.maps.store(map)?.spec.key_size as usize;
        Ok(self.at_key(call, size)?.to_vec())
    }

    fn update(&mut self, call: &Operands, map: MapIdx, flags: u64) -> Result<u64, String> {
        let key = self.key(call, map)?;
        let size = self.maps.store(map)?.spec.value_size as usize;
        let value = self.bytes(call.value_space, call.value, Option::None, size)?.to_vec();
        self.maps.update(map, &key, &value, flags)
    }

    fn ring(&mut self, map: MapIdx) -> Result<&mut super::maps::Store, String> {
        match self.maps.store(map)? {
            store if store.spec.kind == MapKind::Ringbuf => Ok(store),
            store => Err(format!("map {} is no ring buffer", store.spec.name)),
        }
    }

    /// bpf_xdp_pointer: first byte and length, or the error. Both arguments have 32 bits.
    fn packet_range(&self, offset: u64, len: u64) -> Result<(usize, usize), u64> {
        let (offset, len) = (offset as u32 as usize, len as u32 as usize);
        if offset > 0xffff || len > 0xffff {
            return Err(EFAULT);
        }
        if offset + len > self.packet.bytes().len() { Err(EINVAL) } else { Ok((offset, len)) }
    }

    /// __bpf_xdp_redirect_map (include/linux/filter.h).
    fn redirect_map(&mut self, map: MapIdx, key: u32, flags: u64) -> Result<u64, String> {
        let store = self.maps.store(map)?;
        let allowed = match store.spec.kind {
            MapKind::Devmap | MapKind::DevmapHash => BROADCAST | EXCLUDE_INGRESS,
            MapKind::Cpumap | MapKind::Xskmap => 0,
            kind => return Err(format!("no redirect goes into a map of kind {}", kind.name())),
        };
        if flags & !(ACTION | allowed) != 0 {
            return Ok(ABORTED);
        }
        if !store.has(&key.to_le_bytes()) && flags & BROADCAST == 0 {
            // The last lookup takes precedence, also one that finds nothing.
            self.world.redirect = None;
            return Ok(flags & ACTION);
        }
        self.world.redirect = Some(Redirect::Map { map, key, flags });
        Ok(REDIRECT)
    }

    /// bpf_xdp_event_output and __bpf_perf_event_output. The host has opened every element.
    fn perf_output(&mut self, call: &Operands, map: MapIdx) -> Result<u64, String> {
        let flags = call.third;
        if flags & !(INDEX | CTXLEN) != 0 {
            return Ok(EINVAL);
        }
        let taken = ((flags & CTXLEN) >> 32) as usize;
        let Some(packet) = self.packet.bytes().get(..taken) else { return Ok(EFAULT) };
        let packet = packet.to_vec();
        let index = match (flags & INDEX) as u32 {
            u32::MAX => self.packet.vcpu,
            index => index,
        };
        if index >= self.maps.store(map)?.spec.max_entries {
            return Ok(E2BIG);
        }
        let len = usize::try_from(call.value).map_err(|_| "an event of that size".to_string())?;
        let bytes = self.at_key(call, len)?.to_vec();
        self.world.events.push(Event::Perf { map, index, bytes, packet });
        Ok(0)
    }

    /// The old number, zero-extended.
    fn atomic(&mut self, call: &Operands, size: usize, new: impl Fn(u64) -> u64) -> Result<u64, String> {
        if call.key.0 != Space::MapValue {
            return Err("an atomic operation outside of map values".into());
        }
        let bytes = self.at_key(call, size)?;
        let mut old = [0; 8];
        old[..size].copy_from_slice(bytes);
        let old = u64::from_le_bytes(old);
        bytes.copy_from_slice(&new(old).to_le_bytes()[..size]);
        Ok(old)
    }
}

/// csum_partial: the words of the bytes, the last one filled up with zeros, added one after the other with end-around carry.
pub(crate) fn csum(bytes: &[u8], seed: u32) -> u32 {
    bytes.chunks(4).fold(seed, |sum, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        let (sum, carry) = sum.overflowing_add(u32::from_le_bytes(word));
        sum + u32::from(carry)
    })
}

/// RFC 9669, section 4.1. Unsigned or signed by the operation's name.
pub(crate) fn divide(op: RequestOp, a: u64, b: u64) -> u64 {
    use RequestOp::*;
    let (low_a, low_b) = (a as u32, b as u32);
    let (signed_a, signed_b) = (a.cast_signed(), b.cast_signed());
    let (small_a, small_b) = (low_a.cast_signed(), low_b.cast_signed());
    match op {
        DivU32 => low_a.checked_div(low_b).unwrap_or(0).into(),
        DivU64 => a.checked_div(b).unwrap_or(0),
        ModU32 => low_a.checked_rem(low_b).unwrap_or(low_a).into(),
        ModU64 => a.checked_rem(b).unwrap_or(a),
        DivS32 if small_b == 0 => 0,
        DivS32 => small_a.wrapping_div(small_b).cast_unsigned().into(),
        DivS64 if b == 0 => 0,
        DivS64 => signed_a.wrapping_div(signed_b).cast_unsigned(),
        ModS32 if small_b == 0 => low_a.into(),
        ModS32 => small_a.wrapping_rem(small_b).cast_unsigned().into(),
        ModS64 if b == 0 => a,
        _ => signed_a.wrapping_rem(signed_b).cast_unsigned(),
    }
}
