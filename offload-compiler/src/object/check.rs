//! What the kernel demands of maps when it creates them.

use offwire_image::{MapKind, MapSpec};

/// Largest per-CPU value (kernel's `PCPU_MIN_UNIT_SIZE`).
const PER_CPU_VALUE: u32 = 32 << 10;

/// What the kernel demands when it creates a map (`array_map_alloc_check`, `htab_map_alloc_check`, `trie_alloc`, ...).
pub(super) fn check(spec: &MapSpec) -> Result<(), String> {
    use MapKind::*;
    let (key, value, entries) = (spec.key_size, spec.value_size, spec.max_entries);
    let name = spec.kind.name();
    let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("a map of type {name} {what}")) };
    let indexed = [Array, PercpuArray, ProgArray, PerfEventArray, Devmap, Cpumap, Xskmap];
    if indexed.contains(&spec.kind) {
        demand(key == 4, &format!("needs a key of 4 bytes, not {key}"))?;
    }
    // The number of CPUs stands in for 0 there.
    demand(entries != 0 || spec.kind == PerfEventArray, "needs `max_entries`")?;
    if spec.kind == Ringbuf {
        demand(key == 0 && value == 0, "has neither key nor value")?;
        return demand(
            entries.is_power_of_two() && entries.is_multiple_of(4096),
            "needs a power of two of whole pages",
        );
    }
    demand(key != 0, "needs a key")?;
    demand(value != 0, "needs a value")?;
    demand(value < 1 << 31, "cannot have values that large")?;
    if spec.kind.is_per_cpu() {
        demand(value <= PER_CPU_VALUE, "cannot have values above 32 KiB")?;
    }
    match spec.kind {
        LpmTrie => {
            demand((5..=260).contains(&key), "needs a key of 4 bytes prefix length and 1 to 256 bytes of data")?;
            demand(spec.flags & 1 != 0, "needs the flag BPF_F_NO_PREALLOC")
        }
        ProgArray | PerfEventArray | Xskmap => demand(value == 4, &format!("needs a value of 4 bytes, not {value}")),
        ArrayOfMaps | HashOfMaps => {
            demand(key == 4 || spec.kind == HashOfMaps, &format!("needs a key of 4 bytes, not {key}"))?;
            demand(value == 4, &format!("needs a value of 4 bytes, not {value}"))
        }
        Devmap | DevmapHash | Cpumap => demand(value == 4 || value == 8, "needs a value of 4 or 8 bytes"),
        Hash | PercpuHash | LruHash => demand(key <= 512 << 10, "cannot have keys that large"),
        _ => Ok(()),
    }
}

/// `BPF_F_INNER_MAP` (include/uapi/linux/bpf.h): arrays of any length may stand in an array of maps.
const INNER_MAP: u32 = 1 << 12;

/// What the kernel demands of a map that shows what stands in a map of maps (`bpf_map_meta_alloc`).
pub(super) fn check_inner(inner: &MapSpec) -> Result<(), String> {
    match inner.kind {
        MapKind::ArrayOfMaps | MapKind::HashOfMaps => Err("maps of maps of maps do not exist".to_owned()),
        MapKind::ProgArray => Err("program arrays cannot stand in maps of maps".to_owned()),
        _ => check(inner).map_err(|reason| format!("of its inner map: {reason}")),
    }
}

/// Whether a map may stand where `inner` shows what stands there (`bpf_map_meta_equal`, `array_map_meta_equal`).
pub(super) fn check_element(inner: &MapSpec, element: &MapSpec) -> Result<(), String> {
    let differs = |what: &str| Err(format!("its {what} differs from that of the inner map"));
    if inner.kind != element.kind {
        return differs("type");
    }
    if inner.key_size != element.key_size {
        return differs("key size");
    }
    if inner.value_size != element.value_size {
        return differs("value size");
    }
    if inner.flags != element.flags {
        return differs("`map_flags`");
    }
    let sized = match inner.kind {
        MapKind::Array => inner.flags & INNER_MAP == 0,
        kind => kind == MapKind::Xskmap,
    };
    if sized && inner.max_entries != element.max_entries {
        return differs("`max_entries`");
    }
    Ok(())
}

/// Types of maps that the kernel has and the device does not.
pub(super) fn kind_name(number: u32) -> String {
    let name = match number {
        7 => "stack_trace",
        8 => "cgroup_array",
        10 => "lru_percpu_hash",
        15 => "sockmap",
        18 => "sockhash",
        19 => "cgroup_storage",
        20 => "reuseport_sockarray",
        21 => "percpu_cgroup_storage",
        22 => "queue",
        23 => "stack",
        24 => "sk_storage",
        26 => "struct_ops",
        28 => "inode_storage",
        29 => "task_storage",
        30 => "bloom_filter",
        31 => "user_ringbuf",
        32 => "cgrp_storage",
        33 => "arena",
        _ => return number.to_string(),
    };
    name.to_owned()
}
