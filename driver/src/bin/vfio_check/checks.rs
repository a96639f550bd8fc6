//! The checks in their order.

use crate::guest::{Outcome, ensure, equal, huge_pages, open};
use crate::{crash, packets};
use driver::bus::{self, Bdf, Root};
use driver::transport::vfio::diagnose;
use driver::{Backing, Device, Error, ProgramId, TypedMap, Update};
use offwire_hostif::DispatchChoice;
use offwire_image::{MapKind, MapSpec};
use std::time::Instant;

/// Prints as it goes.
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    fn check(&mut self, name: &str, run: impl FnOnce() -> Outcome) -> bool {
        let start = Instant::now();
        let outcome = run();
        let took = start.elapsed().as_millis();
        match &outcome {
            Ok(()) => {
                self.passed += 1;
                println!("PASS {name} ({took} ms)");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name} ({took} ms): {}", error.to_string().replace('\n', "; "));
            }
        }
        outcome.is_ok()
    }
}

/// Runs all of them.
pub(crate) fn all(image: &str) -> Outcome {
    let program = std::fs::read(image).map_err(|error| format!("{image}: {error}"))?;
    let functions = bus::ours(&Root::system())?;
    let [function] = &functions[..] else { return Err(format!("{} offwire functions, not 1", functions.len()).into()) };
    let bdf = function.bdf;
    let mut tally = Tally { passed: 0, failed: 0 };
    if tally.check("bind", || bind(bdf)) {
        for (backing, pages) in [(Backing::Normal, "ordinary pages"), (Backing::Huge, "huge pages")] {
            let mut device = None;
            tally.check(&format!("open, {pages}"), || {
                device = Some(open(bdf, backing)?);
                let taken = backing != Backing::Huge || huge_pages("Free")? < huge_pages("Total")?;
                ensure(taken, "no huge page was taken; are there any in /proc/sys/vm/nr_hugepages?")
            });
            if let Some(device) = device {
                on(&mut tally, &device, bdf, &program);
                tally.check("close", || close(device));
            }
        }
        tally.check("crash, reset at open", || crash::loses_all(bdf, image));
        if crash::is_behind_a_port(bdf)? {
            tally.check("crash, no reset method, bus reset", || crash::loses_all_by_the_bus(bdf, image));
        } else {
            tally.check("crash, no reset method, adopt", || crash::leaves_all(bdf, image));
        }
        tally.check("unbind", || unbind(bdf));
    }
    println!("DONE {} passed, {} failed", tally.passed, tally.failed);
    ensure(tally.failed == 0, format!("{} checks failed", tally.failed))
}

/// What is checked on one open device.
fn on(tally: &mut Tally, device: &Device, bdf: Bdf, image: &[u8]) {
    tally.check("information", || information(device));
    let mut loaded = None;
    tally.check("load and attach", || {
        loaded = Some(load(device, image)?);
        Ok(())
    });
    tally.check("map: update, lookup, delete, batches", || maps(device));
    if let Some(program) = loaded {
        tally.check("packets with reports", || packets::with_reports(device, program));
        tally.check("interrupts wake a sleeping reader", || packets::wake(device, bdf));
        tally.check("events", || packets::events(device, bdf));
    }
    tally.check("second opener is busy", || crash::busy(bdf));
    tally.check("reset", || reset(device, image));
}

fn bind(bdf: Bdf) -> Outcome {
    let root = Root::system();
    let before = bus::function(&root, bdf)?;
    ensure(before.iommu_group.is_some(), "no IOMMU group")?;
    if before.driver.as_deref() != Some(bus::VFIO_PCI) {
        ensure(!diagnose(&root, bdf).is_empty(), "nothing was in the way before vfio-pci had it")?;
    }
    bus::bind(&root, bdf, bus::VFIO_PCI)?;
    equal("driver", &bus::function(&root, bdf)?.driver.as_deref(), &Some(bus::VFIO_PCI))?;
    let obstacles = diagnose(&root, bdf);
    ensure(obstacles.is_empty(), format!("in the way: {obstacles:?}"))
}

fn unbind(bdf: Bdf) -> Outcome {
    let root = Root::system();
    bus::unbind(&root, bdf)?;
    ensure(bus::function(&root, bdf)?.driver.as_deref() != Some(bus::VFIO_PCI), "vfio-pci still has it")?;
    ensure(open(bdf, Backing::Normal).is_err(), "it opens without vfio-pci")
}

fn information(device: &Device) -> Outcome {
    device.check()?;
    let info = device.info()?;
    println!(
        "  {}: interface {}.{}, {} vCPUs, {} MHz, {} vectors, instance {:#x}, {} resets",
        device.describe(),
        info.interface.0,
        info.interface.1,
        info.vcpus,
        info.clock_mhz,
        info.vectors,
        info.life.instance,
        info.life.resets
    );
    let inventory = device.inventory()?;
    ensure(inventory.programs.is_empty() && inventory.maps.is_empty(), format!("it is not empty: {inventory:?}"))
}

fn load(device: &Device, image: &[u8]) -> Outcome<ProgramId> {
    let refused = device.load_bytes(&image[..image.len() / 2], &[]);
    ensure(matches!(&refused, Err(Error::Command { .. })), format!("half an image: {refused:?}"))?;
    let program = device.load_bytes(image, &[])?;
    equal("name", &device.program(program)?.name.as_str(), &"xdp_count")?;
    device.attach(0, program, DispatchChoice::Proven, Some(None))?;
    equal("port 0", &device.port(0)?.program.map(|(program, _)| program), &Some(program))?;
    equal("ports of the program", &device.program(program)?.ports, &vec![0])?;
    Ok(program)
}

fn maps(device: &Device) -> Outcome {
    const ENTRIES: u32 = 3000;
    let id = device.create_map(&table("table", 4096), None, None)?;
    let table = TypedMap::<u32, u64>::new(device.map(id)?)?;
    table.update(&7, &70, Update::New)?;
    ensure(table.update(&7, &71, Update::New).is_err(), "a key was new twice")?;
    equal("key 7", &table.lookup(&7)?, &Some(70))?;
    equal("key 8", &table.lookup(&8)?, &None)?;
    ensure(table.delete(&7)? && !table.delete(&7)?, "a key was deleted not once")?;
    let entries: Vec<(u32, u64)> = (0..ENTRIES).map(|key| (key, u64::from(key) * 3)).collect();
    equal("batch written", &table.update_batch(&entries, Update::Any)?, &entries.len())?;
    let mut read = table.entries().collect::<Result<Vec<_>, _>>()?;
    read.sort_unstable();
    ensure(read == entries, format!("{} entries came back, or others", read.len()))?;
    let keys: Vec<[u8; 4]> = (0..ENTRIES).map(u32::to_le_bytes).collect();
    equal("batch deleted", &table.raw().delete_batch(keys.iter().map(|key| &key[..]))?, &keys.len())?;
    equal("entries left", &table.entries().count(), &0)?;
    device.free_map(id)?;
    Ok(())
}

/// A hash of numbers.
pub(crate) fn table(name: &str, max_entries: u32) -> MapSpec {
    MapSpec {
        name: name.to_owned(),
        kind: MapKind::Hash,
        key_size: 4,
        value_size: 8,
        max_entries,
        flags: 0,
        init: Vec::new(),
        frozen: false,
    }
}

fn reset(device: &Device, image: &[u8]) -> Outcome {
    let before = device.info()?.life;
    let program = device.load_bytes(image, &[])?;
    let packets = device.map_of(program, "packets")?.ok_or("the program has no map `packets`")?;
    device.reset()?;
    let now = device.info()?.life;
    equal("instance", &now.instance, &before.instance)?;
    ensure(now.resets > before.resets, format!("{} resets, and {} before", now.resets, before.resets))?;
    ensure(matches!(packets.lookup(&[0; 4]), Err(Error::Stale)), "a handle from before is not stale")?;
    let inventory = device.inventory()?;
    ensure(inventory.programs.is_empty() && inventory.maps.is_empty(), format!("something is left: {inventory:?}"))?;
    let program = device.load_bytes(image, &[])?;
    device.unload(program)?;
    Ok(())
}

/// All buffers of queues and events were unmapped; then the last handle goes.
fn close(device: Device) -> Outcome {
    device.check()?;
    equal("leaked buffers", &device.leaked(), &0)?;
    drop(device);
    Ok(())
}
