//! What the checks share: errors, opening, counting interrupts.

use driver::bus::Bdf;
use driver::transport::vfio::Vfio;
use driver::{Backing, Device, OpenOptions};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than anything takes, on a slow machine too.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Why a check failed.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Fails with `otherwise` unless it is so.
pub(crate) fn ensure(so: bool, otherwise: impl Into<String>) -> Outcome {
    if so { Ok(()) } else { Err(otherwise.into().into()) }
}

/// Fails unless both are equal.
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, expected: &T) -> Outcome {
    ensure(is == expected, format!("{what}: {is:?}, not {expected:?}"))
}

/// Opens the function with a deadline for slow machines.
pub(crate) fn open(bdf: Bdf, backing: Backing) -> Outcome<Device> {
    let options = OpenOptions { deadline: SOON, queue_pairs: 2, backing, ..OpenOptions::default() };
    Ok(Device::open(Arc::new(Vfio::open(bdf)?), options)?)
}

/// How often the kernel took MSI-X interrupt `vector` of the function since it was enabled, over all processors.
pub(crate) fn interrupts(bdf: Bdf, vector: u32) -> Outcome<u64> {
    let name = format!("vfio-msix[{vector}]({bdf})");
    let table = std::fs::read_to_string("/proc/interrupts")?;
    let line = table.lines().find(|line| line.contains(&name)).ok_or(format!("/proc/interrupts has no {name}"))?;
    Ok(line.split_whitespace().skip(1).map_while(|count| count.parse::<u64>().ok()).sum())
}

/// Waits for more than so many interrupts: what they tell of is in memory first, and may have been seen there.
pub(crate) fn more_interrupts(bdf: Bdf, vector: u32, than: u64) -> Outcome<u64> {
    let by = Instant::now() + SOON;
    loop {
        let count = interrupts(bdf, vector)?;
        if count > than {
            return Ok(count - than);
        }
        ensure(Instant::now() < by, format!("no interrupt of vector {vector} beyond {than}"))?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Huge pages of the machine: `Total` or `Free`.
pub(crate) fn huge_pages(which: &str) -> Outcome<u64> {
    let table = std::fs::read_to_string("/proc/meminfo")?;
    let line = table.lines().find_map(|line| line.strip_prefix(&format!("HugePages_{which}:")));
    Ok(line.ok_or("/proc/meminfo has no huge pages")?.trim().parse()?)
}

/// A UDP frame of 10.0.0.2 with this source port.
pub(crate) fn frame(flow: u16, bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; bytes.max(60)];
    frame[12..15].copy_from_slice(&[8, 0, 0x45]);
    frame[23] = 17;
    frame[26..34].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
    frame[34..36].copy_from_slice(&flow.to_be_bytes());
    frame
}
