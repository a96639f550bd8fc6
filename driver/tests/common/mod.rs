//! A small PCI function for tests: a DMA engine that fills memory with a pattern.
#![allow(dead_code, reason = "each test uses its share")]

use offwire_hostif::{AccessError, DmaAccess, DmaError, HostMemory, Interrupt, Iova, PciFunction, Region};
use offwire_hostmem::SharedMemory;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of the regions.
pub(crate) const BAR0_SIZE: u64 = 0x1000;
pub(crate) const BAR2_SIZE: u64 = 0x4000;
pub(crate) const BAR4_SIZE: u64 = 0x800;
pub(crate) const CONFIG_SIZE: u64 = 0x1000;
/// Interrupt vectors.
pub(crate) const VECTORS: u16 = 40;

/// Registers of BAR0: device address (8 B), bytes, pattern, go (vector to signal), result, resets, disconnects.
pub(crate) const ADDRESS: u64 = 0x10;
pub(crate) const LENGTH: u64 = 0x18;
pub(crate) const PATTERN: u64 = 0x1c;
pub(crate) const GO: u64 = 0x20;
pub(crate) const RESULT: u64 = 0x28;
pub(crate) const RESETS: u64 = 0x30;
pub(crate) const SCRATCH: u64 = 0x40;
/// Results.
pub(crate) const DONE: u32 = 1;
pub(crate) const REFUSED: u32 = 2;

struct Mapping {
    size: u64,
    access: DmaAccess,
    memory: Arc<dyn HostMemory>,
    offset: u64,
}

/// The function.
pub(crate) struct Toy {
    registers: Vec<u8>,
    config: Vec<u8>,
    table: Vec<u8>,
    pub(crate) doorbells: Arc<SharedMemory>,
    mappings: BTreeMap<u64, Mapping>,
    interrupts: Vec<Option<Arc<dyn Interrupt>>>,
    /// Fills that were asked for and not done: the vector to signal.
    pending: Vec<u32>,
    /// Finds work to do for ever.
    pub(crate) restless: bool,
    pub(crate) disconnects: u32,
    pub(crate) resets: u32,
}

impl Toy {
    pub(crate) fn new() -> Self {
        let mut config = vec![0; CONFIG_SIZE as usize];
        config[..4].copy_from_slice(&[0x55, 0x1d, 0xf1, 0x0f]);
        Toy {
            registers: vec![0; BAR0_SIZE as usize],
            config,
            table: vec![0; BAR4_SIZE as usize],
            doorbells: Arc::new(SharedMemory::new("toy", BAR2_SIZE).expect("memory")),
            mappings: BTreeMap::new(),
            interrupts: (0..VECTORS).map(|_| None).collect(),
            pending: Vec::new(),
            restless: false,
            disconnects: 0,
            resets: 0,
        }
    }

    pub(crate) fn mappings(&self) -> usize {
        self.mappings.len()
    }

    pub(crate) fn interrupts(&self) -> Vec<usize> {
        (0..self.interrupts.len()).filter(|&vector| self.interrupts[vector].is_some()).collect()
    }

    fn word(&self, at: u64) -> u64 {
        let at = at as usize;
        u64::from_le_bytes(self.registers[at..at + 8].try_into().expect("8 B"))
    }

    fn bytes(&mut self, region: Region) -> Option<&mut Vec<u8>> {
        match region {
            Region::Bar0 => Some(&mut self.registers),
            Region::Bar4 => Some(&mut self.table),
            Region::Config => Some(&mut self.config),
            Region::Bar2 => None,
        }
    }

    /// Fills `size` bytes at `iova`, across mappings.
    fn fill(&self, iova: u64, size: u64, pattern: u8) -> bool {
        (0..size).all(|at| {
            let Some(address) = iova.checked_add(at) else { return false };
            let Some((&start, mapping)) = self.mappings.range(..=address).next_back() else { return false };
            address - start < mapping.size
                && mapping.access.writes()
                && mapping.memory.write(mapping.offset + (address - start), &[pattern.wrapping_add(at as u8)])
        })
    }
}

fn range(region: Region, offset: u64, size: usize, have: u64) -> Result<std::ops::Range<usize>, AccessError> {
    match offset.checked_add(size as u64) {
        Some(end) if end <= have => Ok(offset as usize..end as usize),
        _ => Err(AccessError { region, offset, size }),
    }
}

impl PciFunction for Toy {
    fn region_size(&self, region: Region) -> u64 {
        match region {
            Region::Bar0 => BAR0_SIZE,
            Region::Bar2 => BAR2_SIZE,
            Region::Bar4 => BAR4_SIZE,
            Region::Config => CONFIG_SIZE,
        }
    }

    fn region_memory(&self, region: Region) -> Option<Arc<dyn HostMemory>> {
        (region == Region::Bar2).then(|| Arc::clone(&self.doorbells) as Arc<dyn HostMemory>)
    }

    fn read(&mut self, region: Region, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        let place = range(region, offset, bytes.len(), self.region_size(region))?;
        match self.bytes(region) {
            Some(from) => bytes.copy_from_slice(&from[place]),
            None => assert!(self.doorbells.read(offset, bytes)),
        }
        Ok(())
    }

    fn write(&mut self, region: Region, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        let place = range(region, offset, bytes.len(), self.region_size(region))?;
        if region == Region::Bar0 && !matches!(bytes.len(), 4 | 8) {
            return Err(AccessError { region, offset, size: bytes.len() });
        }
        match self.bytes(region) {
            Some(to) => to[place].copy_from_slice(bytes),
            None => assert!(self.doorbells.write(offset, bytes)),
        }
        if region == Region::Bar0 && offset == GO {
            self.pending.push(self.word(GO) as u32);
        }
        Ok(())
    }

    fn vectors(&self) -> u16 {
        VECTORS
    }

    fn set_interrupt(&mut self, vector: u16, to: Option<Arc<dyn Interrupt>>) {
        if let Some(target) = self.interrupts.get_mut(usize::from(vector)) {
            *target = to;
        }
    }

    fn dma_map(
        &mut self,
        iova: Iova,
        size: u64,
        access: DmaAccess,
        memory: Arc<dyn HostMemory>,
        offset: u64,
    ) -> Result<(), DmaError> {
        let end = iova.0 + size;
        if self.mappings.iter().any(|(&start, mapping)| start < end && iova.0 < start + mapping.size) {
            return Err(DmaError::Overlap { iova: iova.0, size });
        }
        self.mappings.insert(iova.0, Mapping { size, access, memory, offset });
        Ok(())
    }

    fn dma_unmap(&mut self, iova: Iova, size: u64) -> Result<u64, DmaError> {
        let inside: Vec<u64> = self.mappings.range(iova.0..iova.0 + size).map(|(&start, _)| start).collect();
        Ok(inside.iter().filter_map(|start| self.mappings.remove(start)).map(|mapping| mapping.size).sum())
    }

    fn disconnect(&mut self) {
        self.mappings.clear();
        self.interrupts.fill(None);
        self.disconnects += 1;
    }

    fn reset(&mut self) {
        self.registers.fill(0);
        self.resets += 1;
        self.registers[RESETS as usize] = self.resets as u8;
    }

    fn poll(&mut self) -> bool {
        let Some(vector) = (!self.pending.is_empty()).then(|| self.pending.remove(0)) else { return self.restless };
        let (iova, length, pattern) = (self.word(ADDRESS), self.word(LENGTH) as u32, self.word(PATTERN) as u8);
        let result = if self.fill(iova, u64::from(length), pattern) { DONE } else { REFUSED };
        self.registers[RESULT as usize..][..4].copy_from_slice(&result.to_le_bytes());
        if let Some(Some(target)) = self.interrupts.get(vector as usize) {
            target.signal();
        }
        true
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
