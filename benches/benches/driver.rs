//! What the driver and the software device in process cost together: commands, map entries, packets, loading.
//!
//! `cargo bench -p offwire-benches --bench driver`. Aims: 100,000 single and 1,000,000 batched map updates a second,
//! 1,000,000 packets a second through transmit and receive ring, an image of 1,000 words loaded in 5 ms.

#![allow(missing_docs, reason = "criterion's macros make items without docs")]

#[path = "../../driver/tests/suite/images.rs"]
#[allow(dead_code, reason = "the suite's other programs")]
mod images;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use device_model::host::{HostConfig, HostFunction};
use driver::transport::InProcess;
use driver::{Device, Inject, OpenOptions, QueueOptions, Request, TxFrame, Update};
use offwire_hostif::{BAR2_BYTES, DispatchChoice, Opcode};
use offwire_hostmem::SharedMemory;
use offwire_image::MapKind;
use offwire_isa::SMALL;
use std::sync::{Arc, Mutex};

fn device() -> Device {
    let doorbells = SharedMemory::new("doorbells", BAR2_BYTES.into()).expect("memory");
    let function = HostFunction::new(HostConfig::new(&SMALL), Arc::new(doorbells));
    let transport = Arc::new(InProcess::new(Arc::new(Mutex::new(function))));
    // Whoever waits runs the device itself, so nobody needs to be woken.
    let options = OpenOptions { interrupts: false, ..OpenOptions::default() };
    Device::open(transport, options).expect("the device opens")
}

fn commands(criterion: &mut Criterion) {
    let device = device();
    let mut group = criterion.benchmark_group("command");
    group.throughput(Throughput::Elements(1));
    group.bench_function("nop", |bench| bench.iter(|| device.run(&Request::new(Opcode::Nop)).map(drop).unwrap()));
    group.throughput(Throughput::Elements(32));
    group.bench_function("nop, 32 in flight", |bench| {
        bench.iter(|| {
            let pending: Vec<_> = (0..32).map(|_| device.submit(&Request::new(Opcode::Nop)).unwrap()).collect();
            pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
        });
    });
}

fn maps(criterion: &mut Criterion) {
    const ENTRIES: u32 = 16384;
    let device = device();
    let id = device.create_map(&images::map("m", MapKind::Hash, 4, 8, ENTRIES), None, None).unwrap();
    let map = device.map(id).unwrap();
    let mut group = criterion.benchmark_group("map");
    group.throughput(Throughput::Elements(1));
    let mut number = 0u32;
    group.bench_function("update", |bench| {
        bench.iter(|| {
            number = (number + 1) % ENTRIES;
            map.update(&number.to_le_bytes(), &[1; 8], Update::Any).unwrap();
        });
    });
    let mut value = Vec::new();
    group.bench_function("lookup", |bench| {
        bench.iter(|| {
            number = (number + 1) % ENTRIES;
            map.lookup_into(&number.to_le_bytes(), &mut value).unwrap()
        });
    });
    group.throughput(Throughput::Elements(ENTRIES.into()));
    let keys: Vec<_> = (0..ENTRIES).map(u32::to_le_bytes).collect();
    group.bench_function("update, batched", |bench| {
        bench.iter(|| map.update_batch(keys.iter().map(|key| (&key[..], &[2; 8][..])), Update::Any).unwrap());
    });
    group.bench_function("entries", |bench| {
        bench.iter(|| {
            let mut entries = map.entries();
            let mut count = 0;
            while entries.advance().unwrap().is_some() {
                count += 1;
            }
            count
        });
    });
}

fn packets(criterion: &mut Criterion) {
    const BURST: usize = 64;
    let device = device();
    let mut pair = device.queue_pair(0, &QueueOptions::default()).unwrap();
    let mut group = criterion.benchmark_group("packet");
    group.throughput(Throughput::Elements(BURST as u64));
    let program = device.load(&images::mark(1, "pass"), &[]).unwrap();
    device.attach(1, program, DispatchChoice::Proven, None).unwrap();
    let frames: Vec<_> = (0..BURST as u16).map(|flow| images::frame(flow, 64)).collect();
    for (name, port) in [("there and back, no program", 0), ("there and back, one word", 1)] {
        let burst: Vec<_> =
            frames.iter().map(|frame| TxFrame { port, bytes: frame, inject: Some(Inject::default()) }).collect();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut received = 0;
                assert_eq!(pair.tx.transmit_burst(&burst).unwrap(), BURST);
                while received < BURST {
                    received += pair.rx.receive_burst(BURST, |_| ()).unwrap();
                }
                pair.tx.reclaim(|_| ()).unwrap()
            });
        });
    }
    let burst: Vec<_> = frames.iter().map(|frame| TxFrame { port: 0, bytes: frame, inject: None }).collect();
    group.bench_function("out", |bench| {
        bench.iter(|| {
            assert_eq!(pair.tx.transmit_burst(&burst).unwrap(), BURST);
            pair.tx.reclaim(|_| ()).unwrap()
        });
    });
}

fn loading(criterion: &mut Criterion) {
    let device = device();
    let image = images::long(1000);
    criterion.bench_function("load 1,000 words", |bench| {
        bench.iter(|| {
            let program = device.load(&image, &[]).unwrap();
            device.unload(program).unwrap();
        });
    });
}

criterion_group!(benches, commands, maps, packets, loading);
criterion_main!(benches);
