//! Profiles: how much of everything a device has. Values come from `hw/spec/profiles/*.toml`.

/// One device configuration, read alike by model, RTL and compiler. Fields carry the names and units of the TOML files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is explained beside its value in hw/spec/profiles/*.toml")]
pub struct Profile {
    pub name: &'static str,
    pub part: &'static str,
    pub engines: u32,
    pub contexts_per_engine: u32,
    pub pipeline_depth: u32,
    pub clock_mhz: u32,
    pub vcpus: u32,
    pub order_buckets: u32,
    pub instruction_store_words: u32,
    pub port_gbps: u32,
    pub packet_bus_bytes: u32,
    pub packet_window_bytes: u32,
    pub far_lines: u32,
    pub packet_store_cycles: u32,
    pub map_banks: u32,
    pub map_index_cycles: u32,
    pub map_value_cycles: u32,
    pub map_request_cycles: u32,
    pub map_bank_bytes: u32,
    pub value_window_bytes: u32,
    pub adjust_cycles: u32,
    pub divide_cycles: u32,
    pub copy_bytes: u32,
    pub csum_bytes: u32,
    pub random_cycles: u32,
    pub restorer_entries: u32,
    pub ingress_fifo_packets: u32,
    pub map_memory_bytes: u32,
    pub packet_cycles_max: u32,
    pub luts: u32,
    pub bram36: u32,
    pub uram: u32,
    /// Hash of all the other fields and of the ISA version; an image is bound to it.
    pub hash: u64,
}

impl Profile {
    /// Finds a profile by its name.
    pub fn by_name(name: &str) -> Option<&'static Profile> {
        crate::PROFILES.iter().copied().find(|profile| profile.name == name)
    }

    /// Finds a profile by its hash, as images and devices tell it.
    pub fn by_hash(hash: u64) -> Option<&'static Profile> {
        crate::PROFILES.iter().copied().find(|profile| profile.hash == hash)
    }
}
