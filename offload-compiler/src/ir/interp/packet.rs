//! The packet: its bytes, the room around them, and what the device knows of it.

use super::EINVAL;
use offwire_isa::{
    METADATA_BYTES, METADATA_EGRESS_IFINDEX, METADATA_INGRESS_IFINDEX, METADATA_META_LEN, METADATA_PACKET_LEN,
    METADATA_RX_QUEUE_INDEX, METADATA_VCPU,
};

/// Bytes before the packet that adjust_head can reach: what the kernel's test_run leaves of XDP_PACKET_HEADROOM.
const HEADROOM: usize = 216;
/// Most bytes from the start of that room to `data_end`: a page less sizeof(struct skb_shared_info) and sizeof(struct xdp_frame).
const BUFFER: usize = 4096 - 320 - 40;
/// Least packet length (ETH_HLEN).
const MIN_PACKET: usize = 14;
/// Most bytes of metadata (xdp_metalen_invalid).
const MAX_META: usize = 255;
/// -EACCES.
const EACCES: u64 = (-13i64).cast_unsigned();

/// A packet with room in front, and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    buffer: Vec<u8>,
    head: usize,
    /// Bytes of metadata in front of `head`.
    meta: usize,
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
        Packet { buffer, head: HEADROOM, meta: 0, ingress_ifindex: 1, rx_queue_index: 0, vcpu: 0 }
    }

    /// The bytes from `data` to `data_end`.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// The same, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.head..]
    }

    /// The bytes from `data_meta` to `data`.
    pub fn meta(&self) -> &[u8] {
        &self.buffer[self.head - self.meta..self.head]
    }

    /// The bytes at a signed offset from `data`, which may lie in the metadata; `None` out of bounds.
    pub(crate) fn at(&mut self, address: i64, size: usize) -> Option<&mut [u8]> {
        if address < -(self.meta as i64) {
            return None;
        }
        let start = usize::try_from(address.checked_add(self.head as i64)?).ok()?;
        self.buffer.get_mut(start..)?.get_mut(..size)
    }

    /// bpf_xdp_adjust_head: the metadata goes along.
    pub(crate) fn adjust_head(&mut self, delta: i32) -> u64 {
        let head = self.head as i64 + i64::from(delta);
        let last = self.buffer.len() as i64 - MIN_PACKET as i64;
        if head < self.meta as i64 || head > last {
            return EINVAL;
        }
        let (from, to) = (self.head - self.meta, head as usize - self.meta);
        self.buffer.copy_within(from..self.head, to);
        self.head = head as usize;
        0
    }

    /// bpf_xdp_adjust_tail: new bytes are zero.
    pub(crate) fn adjust_tail(&mut self, delta: i32) -> u64 {
        let end = self.buffer.len() as i64 + i64::from(delta);
        if end > BUFFER as i64 || end < (self.head + MIN_PACKET) as i64 {
            return EINVAL;
        }
        self.buffer.resize(end as usize, 0);
        0
    }

    /// bpf_xdp_adjust_meta.
    pub(crate) fn adjust_meta(&mut self, delta: i32) -> u64 {
        let meta = self.meta as i64 - i64::from(delta);
        if meta < 0 || meta > self.head as i64 {
            return EINVAL;
        }
        if meta % 4 != 0 || meta > MAX_META as i64 {
            return EACCES;
        }
        self.meta = meta as usize;
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
        put(METADATA_META_LEN, &(self.meta as u64).to_le_bytes());
        bytes
    }
}
