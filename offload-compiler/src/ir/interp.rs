//! Runs the IR, slowly and with every check. Tests use it to compare passes with each other and the lift with the eBPF
//! interpreter; the shipped path never does.

use super::{Block, Func, Jump, Mem, Op, Term, Value};
use crate::ebpf::MapIdx;
use offwire_image::{MapKind, MapSpec};
use offwire_isa::{
    Handle, METADATA_BYTES, METADATA_EGRESS_IFINDEX, METADATA_INGRESS_IFINDEX, METADATA_PACKET_LEN,
    METADATA_RX_QUEUE_INDEX, METADATA_VCPU, SCRATCH_BYTES, STACK_BYTES, Space,
};
use std::collections::BTreeMap;

/// Bytes before the packet that adjust_head can reach: what the kernel's test_run leaves of XDP_PACKET_HEADROOM.
const HEADROOM: usize = 216;
/// Least packet length after adjust_head (ETH_HLEN).
const MIN_PACKET: usize = 14;
/// Blocks that one run may execute.
const MAX_STEPS: u32 = 1 << 20;
/// -EINVAL, -ENOENT, -E2BIG, -EEXIST as a helper returns them.
const EINVAL: u64 = (-22i64).cast_unsigned();
const ENOENT: u64 = (-2i64).cast_unsigned();
const E2BIG: u64 = (-7i64).cast_unsigned();
const EEXIST: u64 = (-17i64).cast_unsigned();

/// What a verified program never does, and a wrong pass might.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Block in which it happened.
    pub block: Block,
    /// What.
    pub what: String,
}

/// A packet with room in front, and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    buffer: Vec<u8>,
    head: usize,
    /// xdp_md.ingress_ifindex.
    pub ingress_ifindex: u32,
    /// xdp_md.rx_queue_index.
    pub rx_queue_index: u32,
    /// What bpf_get_smp_processor_id returns.
    pub vcpu: u32,
}

impl Packet {
    /// A packet from port 0 (ifindex 1), queue 0, on vCPU 0.
    pub fn new(bytes: &[u8]) -> Self {
        let mut buffer = vec![0; HEADROOM];
        buffer.extend_from_slice(bytes);
        Packet { buffer, head: HEADROOM, ingress_ifindex: 1, rx_queue_index: 0, vcpu: 0 }
    }

    /// The bytes from `data` to `data_end`.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// The same, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.head..]
    }

    pub(crate) fn adjust_head(&mut self, delta: i32) -> u64 {
        let head = self.head as i64 + i64::from(delta);
        let last = self.buffer.len() as i64 - MIN_PACKET as i64;
        if head < 0 || head > last {
            return EINVAL;
        }
        self.head = head as usize;
        0
    }

    pub(crate) fn metadata(&self) -> [u8; METADATA_BYTES as usize] {
        let mut bytes = [0; METADATA_BYTES as usize];
        let mut put = |at: u16, field: &[u8]| bytes[usize::from(at)..][..field.len()].copy_from_slice(field);
        put(METADATA_PACKET_LEN, &(self.bytes().len() as u64).to_le_bytes());
        put(METADATA_INGRESS_IFINDEX, &self.ingress_ifindex.to_le_bytes());
        put(METADATA_RX_QUEUE_INDEX, &self.rx_queue_index.to_le_bytes());
        put(METADATA_EGRESS_IFINDEX, &0u32.to_le_bytes());
        put(METADATA_VCPU, &self.vcpu.to_le_bytes());
        bytes
    }
}

/// The maps of one object, in memory: arrays, hashes and their per-CPU forms with one CPU.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Maps {
    maps: Vec<Store>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) spec: MapSpec,
    /// Element of each key of a hash.
    index: BTreeMap<Vec<u8>, u32>,
    elements: Vec<Vec<u8>>,
    free: Vec<u32>,
}

impl Maps {
    /// Empty maps, arrays with their initial contents.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a MapSpec>) -> Self {
        let store = |spec: &MapSpec| {
            let mut elements = vec![vec![0; spec.value_size as usize]; spec.max_entries as usize];
            if let Some(first) = elements.first_mut() {
                let len = spec.init.len().min(first.len());
                first[..len].copy_from_slice(&spec.init[..len]);
            }
            let free = if is_array(spec.kind) { Vec::new() } else { (0..spec.max_entries).rev().collect() };
            Store { spec: spec.clone(), index: BTreeMap::new(), elements, free }
        };
        Maps { maps: specs.into_iter().map(store).collect() }
    }

    /// All entries by key.
    pub fn entries(&self, map: MapIdx) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let Some(store) = self.maps.get(usize::from(map.0)) else { return BTreeMap::new() };
        let key = |at: usize| (at as u32).to_le_bytes().to_vec();
        if is_array(store.spec.kind) {
            store.elements.iter().enumerate().map(|(at, value)| (key(at), value.clone())).collect()
        } else {
            store.index.iter().map(|(key, at)| (key.clone(), store.elements[*at as usize].clone())).collect()
        }
    }

    pub(crate) fn store(&mut self, map: MapIdx) -> Result<&mut Store, String> {
        self.maps.get_mut(usize::from(map.0)).ok_or_else(|| format!("there is no map {}", map.0))
    }

    /// bpf_map_update_elem.
    ///
    /// # Errors
    /// There is no such map.
    pub fn update(&mut self, map: MapIdx, key: &[u8], value: &[u8], flags: u8) -> Result<u64, String> {
        let store = self.store(map)?;
        let old = store.find(key);
        if is_array(store.spec.kind) {
            return Ok(match old {
                None => E2BIG,
                Some(_) if flags == 1 => EEXIST,
                Some(at) => {
                    store.elements[at as usize].copy_from_slice(value);
                    0
                }
            });
        }
        match (old, flags) {
            (Some(_), 1) => return Ok(EEXIST),
            (None, 2) => return Ok(ENOENT),
            _ => {}
        }
        let at = match (store.free.pop(), old) {
            (Some(at), _) => at,
            // The kernel keeps one spare element per CPU, so that replacing works in a full map.
            (None, Some(old)) => old,
            (None, None) => return Ok(E2BIG),
        };
        store.elements[at as usize].copy_from_slice(value);
        store.index.insert(key.to_vec(), at);
        if let Some(old) = old.filter(|old| *old != at) {
            store.free.push(old);
        }
        Ok(0)
    }

    pub(crate) fn delete(&mut self, map: MapIdx, key: &[u8]) -> Result<u64, String> {
        let store = self.store(map)?;
        if is_array(store.spec.kind) {
            return Ok(EINVAL);
        }
        Ok(match store.index.remove(key) {
            Some(at) => {
                store.free.push(at);
                0
            }
            None => ENOENT,
        })
    }

    pub(crate) fn lookup(&mut self, map: MapIdx, key: &[u8]) -> Result<u64, String> {
        let element = self.store(map)?.find(key);
        Ok(element.map_or(0, |element| Handle { slot: map.0 as u8, element, offset: 0 }.pack()))
    }

    pub(crate) fn bytes(&mut self, address: u64, map: Option<MapIdx>, size: usize) -> Result<&mut [u8], String> {
        let handle = Handle::unpack(address).ok_or_else(|| format!("{address:#x} is no handle"))?;
        if map.is_some_and(|map| map.0 != u16::from(handle.slot)) {
            return Err(format!("{handle:?} is not of {map:?}"));
        }
        let store = self.store(MapIdx(u16::from(handle.slot)))?;
        let value = store.elements.get_mut(handle.element as usize);
        let bytes = value.and_then(|value| value.get_mut(handle.offset as usize..)?.get_mut(..size));
        bytes.ok_or_else(|| format!("{handle:?} with {size} bytes is out of bounds"))
    }
}

impl Store {
    fn find(&self, key: &[u8]) -> Option<u32> {
        if is_array(self.spec.kind) {
            let at = u32::from_le_bytes(key.try_into().ok()?);
            return (at < self.spec.max_entries).then_some(at);
        }
        self.index.get(key).copied()
    }
}

fn is_array(kind: MapKind) -> bool {
    matches!(kind, MapKind::Array | MapKind::PercpuArray)
}

/// Runs the program on one packet; gives its return value.
///
/// # Errors
/// An access out of bounds, a value that is not defined, or too many steps.
pub fn run(func: &Func, packet: &mut Packet, maps: &mut Maps) -> Result<u32, Fault> {
    let mut machine = Machine {
        values: vec![None; func.values as usize],
        stack: [0; STACK_BYTES as usize],
        scratch: [0; SCRATCH_BYTES as usize],
        packet,
        maps,
    };
    let mut block = Block::ENTRY;
    for _ in 0..MAX_STEPS {
        match machine.block(func, block).map_err(|what| Fault { block, what })? {
            Next::Block(next) => block = next,
            Next::Exit(value) => return Ok(value),
        }
    }
    Err(Fault { block, what: "too many steps".into() })
}

enum Next {
    Block(Block),
    Exit(u32),
}

struct Machine<'a> {
    values: Vec<Option<u64>>,
    stack: [u8; STACK_BYTES as usize],
    scratch: [u8; SCRATCH_BYTES as usize],
    packet: &'a mut Packet,
    maps: &'a mut Maps,
}

impl Machine<'_> {
    fn get(&self, value: Value) -> Result<u64, String> {
        self.values.get(value.at()).copied().flatten().ok_or_else(|| format!("{value} has no value"))
    }

    fn set(&mut self, value: Value, to: u64) -> Result<(), String> {
        *self.values.get_mut(value.at()).ok_or("value out of range")? = Some(to);
        Ok(())
    }

    fn go(&mut self, func: &Func, jump: &Jump) -> Result<Next, String> {
        let args: Vec<u64> = jump.args.iter().map(|arg| self.get(*arg)).collect::<Result<_, _>>()?;
        let target = func.blocks.get(jump.block.at()).ok_or("no such block")?;
        for (param, arg) in target.params.iter().zip(args) {
            self.set(*param, arg)?;
        }
        Ok(Next::Block(jump.block))
    }

    fn block(&mut self, func: &Func, block: Block) -> Result<Next, String> {
        let data = func.blocks.get(block.at()).ok_or("no such block")?;
        for inst in &data.insts {
            let result = self.op(&inst.op).map_err(|what| format!("`{inst}`: {what}"))?;
            if let Some(value) = inst.result {
                self.set(value, result)?;
            }
        }
        match &data.term {
            Term::Jump(jump) => self.go(func, jump),
            Term::Branch { op, wide, a, b, then, els } => {
                let taken = op.eval(*wide, self.get(*a)?, self.get(*b)?);
                self.go(func, if taken { then } else { els })
            }
            Term::Guard { base, len, pass, fail } => {
                let base = base.map_or(Ok(0), |base| self.get(base))?.cast_signed();
                let fits = i128::from(base) + i128::from(*len) <= self.packet.bytes().len() as i128;
                self.go(func, if fits { pass } else { fail })
            }
            Term::Exit(value) => Ok(Next::Exit(self.get(*value)? as u32)),
            Term::Unreachable => Err("an unreachable block is reached".into()),
        }
    }

    fn op(&mut self, op: &Op) -> Result<u64, String> {
        match op {
            Op::Const(value) => Ok(*value),
            Op::Alu { op, wide, a, b } => Ok(op.eval(*wide, self.get(*a)?, self.get(*b)?)),
            Op::Load { mem, size, swap, dismiss } => {
                let mut bytes = [0; 8];
                match self.bytes(mem, usize::from(*size)) {
                    Ok(from) => bytes[..from.len()].copy_from_slice(from),
                    Err(_) if *dismiss => {}
                    Err(what) => return Err(what),
                }
                if *swap {
                    bytes[..usize::from(*size)].reverse();
                }
                Ok(u64::from_le_bytes(bytes))
            }
            Op::Store { mem, size, swap, value } => {
                let mut bytes = self.get(*value)?.to_le_bytes();
                let bytes = &mut bytes[..usize::from(*size)];
                if *swap {
                    bytes.reverse();
                }
                if mem.space == Space::Scratch && mem.offset < i32::from(METADATA_BYTES) {
                    return Err("the metadata is read-only".into());
                }
                self.bytes(mem, bytes.len())?.copy_from_slice(bytes);
                Ok(0)
            }
            Op::AtomicAdd { mem, size, value } => {
                let addend = self.get(*value)?;
                let to = self.bytes(mem, usize::from(*size))?;
                let mut bytes = [0; 8];
                bytes[..to.len()].copy_from_slice(to);
                let sum = u64::from_le_bytes(bytes).wrapping_add(addend).to_le_bytes();
                to.copy_from_slice(&sum[..to.len()]);
                Ok(0)
            }
            Op::Lookup { map, key } => {
                let key = self.key(*map, key)?;
                self.maps.lookup(*map, &key)
            }
            Op::Update { map, key, value, flags } => {
                let key = self.key(*map, key)?;
                let size = self.maps.store(*map)?.spec.value_size as usize;
                let value = self.bytes(value, size)?.to_vec();
                self.maps.update(*map, &key, &value, *flags)
            }
            Op::Delete { map, key } => {
                let key = self.key(*map, key)?;
                self.maps.delete(*map, &key)
            }
            Op::AdjustHead { delta } => {
                let delta = (self.get(*delta)? as u32).cast_signed();
                Ok(self.packet.adjust_head(delta))
            }
            Op::Request(request) => Err(format!("the interpreter does not know {request}")),
        }
    }

    fn key(&mut self, map: MapIdx, key: &Mem) -> Result<Vec<u8>, String> {
        let size = self.maps.store(map)?.spec.key_size as usize;
        Ok(self.bytes(key, size)?.to_vec())
    }

    fn bytes(&mut self, mem: &Mem, size: usize) -> Result<&mut [u8], String> {
        let base = mem.base.map_or(Ok(0), |base| self.get(base))?;
        let address = base.wrapping_add(i64::from(mem.offset).cast_unsigned());
        let place = usize::try_from(address).unwrap_or(usize::MAX);
        let memory = match mem.space {
            Space::MapValue => return self.maps.bytes(address, mem.map, size),
            Space::Packet => &mut self.packet.buffer[self.packet.head..],
            Space::Stack => &mut self.stack[..],
            Space::Scratch => {
                self.scratch[..usize::from(METADATA_BYTES)].copy_from_slice(&self.packet.metadata());
                &mut self.scratch[..]
            }
        };
        let bytes = memory.get_mut(place..).and_then(|rest| rest.get_mut(..size));
        bytes.ok_or_else(|| format!("address {} with {size} bytes is out of bounds", address.cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    #[test]
    fn a_hand_made_program_runs() {
        let func = parse(
            "func f
b0:
  guard 14 then b1 else b2
b1:
  v0 = load.2be pkt[12]
  v1 = const 0
  store.4 stack[508], v1
  v2 = lookup map0, stack[508]
  v3 = load.8 map0[v2]
  v4 = add.64 v3, v0
  store.8 map0[v2], v4
  atomic_add.4 map0[v2 + 4], v0
  v5 = const 2
  exit v5
b2:
  v6 = const 1
  exit v6
",
        )
        .unwrap();
        let spec = MapSpec {
            name: "m".into(),
            kind: MapKind::Array,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            flags: 0,
            init: Vec::new(),
            frozen: false,
        };
        let mut maps = Maps::new([&spec]);
        let mut bytes = [0; 20];
        bytes[12..14].copy_from_slice(&[8, 6]);
        assert_eq!(run(&func, &mut Packet::new(&bytes), &mut maps), Ok(2));
        assert_eq!(maps.entries(MapIdx(0))[&vec![0; 4]], [6, 8, 0, 0, 6, 8, 0, 0]);
        assert_eq!(run(&func, &mut Packet::new(&bytes[..13]), &mut maps), Ok(1));
    }

    #[test]
    fn adjust_head_keeps_an_ethernet_header_and_the_headroom() {
        let mut packet = Packet::new(&[7; 20]);
        assert_eq!(packet.adjust_head(7), EINVAL);
        assert_eq!(packet.adjust_head(6), 0);
        assert_eq!(packet.bytes().len(), 14);
        assert_eq!(packet.adjust_head(-6 - 217), EINVAL);
        assert_eq!(packet.adjust_head(-6 - 216), 0);
        assert_eq!(packet.bytes().len(), 236);
    }
}
