//! For each example: host JIT in nanoseconds a packet, device in issue slots a packet, verify and compile time, model speed.
//!
//! `cargo bench -p offwire-benches`; a filter picks a group: `cargo bench -p offwire-benches -- slots`.

#![allow(missing_docs, reason = "criterion's macros make items without docs")]

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use offload_compiler::object::{LoadOptions, load};
use offload_compiler::{CompileOptions, compile};
use offwire_benches::{Example, examples};
use offwire_cli::args::{DispatchArg, On};
use offwire_cli::backends::{self, Prepared};
use offwire_cli::throughput;
use offwire_harness::host::Host;
use offwire_harness::mapfile;
use offwire_isa::X16;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The examples that the device runs; the others are named.
fn all() -> Vec<Example> {
    let mut all = examples().unwrap_or_else(|error| panic!("the examples do not load: {error}"));
    all.retain(|example| {
        let program = &example.object.programs[example.entry];
        let compiled = compile(&example.object, program, &X16, &CompileOptions::default());
        if let Err(diagnostic) = &compiled {
            eprintln!("skipped {}: {}", example.name, diagnostic.message);
        }
        compiled.is_ok()
    });
    all
}

fn prepared(example: &Example) -> Prepared<'_> {
    let program = (example.entry, &example.object.programs[example.entry]);
    Prepared::new(&example.object, program, &X16, &CompileOptions::default(), DispatchArg::Auto)
        .unwrap_or_else(|error| panic!("{}: {error}", example.name))
}

/// The kernel's JIT over the capture, a packet at a time; the interpreter, named as such, where bpf(2) is not allowed.
fn host(criterion: &mut Criterion) {
    let kernel = offwire_harness::host::available().is_ok();
    let mut group = criterion.benchmark_group(if kernel { "host-jit" } else { "ref-interpreter" });
    for example in all() {
        group.throughput(Throughput::Elements(1));
        if kernel {
            let mut host =
                Host::new(&example.object, example.entry).unwrap_or_else(|error| panic!("{}: {error}", example.name));
            mapfile::apply(&mut host, &example.maps).unwrap_or_else(|error| panic!("{}: {error}", example.name));
            group.bench_function(BenchmarkId::from_parameter(&example.name), |bencher| {
                // One run a call: the kernel resets neither bytes nor headroom between repeats. Its clock reads, some 38 ns a
                // call, are in the figure.
                bencher.iter_custom(|rounds| {
                    let nanoseconds: u64 = (0..rounds)
                        .zip(example.packets.iter().cycle())
                        .map(|(_, packet)| u64::from(host.time(packet, 1).unwrap_or_else(|error| panic!("{error}"))))
                        .sum();
                    Duration::from_nanos(nanoseconds.max(1))
                });
            });
        } else {
            let prepared = prepared(&example);
            let mut reference = backends::make(On::Ref, &prepared).unwrap_or_else(|error| panic!("{error}"));
            mapfile::apply(reference.as_mut(), &example.maps).unwrap_or_else(|error| panic!("{error}"));
            let mut packets = example.packets.iter().cycle();
            group.bench_function(BenchmarkId::from_parameter(&example.name), |bencher| {
                bencher.iter(|| packets.next().map(|packet| black_box(reference.run(packet))));
            });
        }
    }
    group.finish();
}

/// Verify and compile, from the loaded object and from the file's bytes.
fn compile_time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify-and-compile");
    for example in all() {
        group.bench_function(BenchmarkId::from_parameter(&example.name), |bencher| {
            bencher.iter(|| {
                let object =
                    load(black_box(&example.bytes), &LoadOptions::default()).unwrap_or_else(|error| panic!("{error}"));
                compile(&object, &object.programs[example.entry], &X16, &CompileOptions::default())
                    .unwrap_or_else(|error| panic!("{error}"))
            });
        });
    }
    group.finish();
}

/// Packets that the device model runs in a second, saturated.
fn model_speed(criterion: &mut Criterion) {
    const PACKETS: usize = 8192;
    let mut group = criterion.benchmark_group("model-speed");
    group.sample_size(20).throughput(Throughput::Elements(PACKETS as u64));
    for example in all() {
        let prepared = prepared(&example);
        let mut device = backends::device(&prepared, &example.maps).unwrap_or_else(|error| panic!("{error}"));
        let packets: Vec<_> = example.packets.iter().filter(|packet| backends::fits_device(packet)).collect();
        group.bench_function(BenchmarkId::from_parameter(&example.name), |bencher| {
            bencher.iter_custom(|rounds| {
                let start = Instant::now();
                for _ in 0..rounds {
                    throughput::saturate(&mut device, &packets, PACKETS, |_| ())
                        .unwrap_or_else(|error| panic!("{error}"));
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// Issue slots of the device as criterion's unit of measurement: exact counts, the same on every machine.
struct Slots;

struct SlotFormatter;

impl Measurement for Slots {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        0.0
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &SlotFormatter
    }
}

impl ValueFormatter for SlotFormatter {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "slots/packet"
    }

    fn scale_throughputs(&self, _typical: f64, _throughput: &Throughput, _values: &mut [f64]) -> &'static str {
        "slots/packet"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "slots"
    }
}

/// Issue slots a packet, over the whole capture.
fn slots(criterion: &mut Criterion<Slots>) {
    let mut group = criterion.benchmark_group("device-slots");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(10));
    for example in all() {
        let prepared = prepared(&example);
        group.bench_function(BenchmarkId::from_parameter(&example.name), |bencher| {
            // The mean over the capture is what an iteration costs, however many criterion asks for.
            let mut device = backends::make(On::Model, &prepared).unwrap_or_else(|error| panic!("{error}"));
            mapfile::apply(device.as_mut(), &example.maps).unwrap_or_else(|error| panic!("{error}"));
            let mut total = 0;
            let mut packets = 0u32;
            for packet in example.packets.iter().filter(|packet| backends::fits_device(packet)) {
                let out = device.run(packet).unwrap_or_else(|error| panic!("{error}"));
                total += out.slots.unwrap_or(0);
                packets += 1;
            }
            let mean = total as f64 / f64::from(packets);
            // Criterion asks for ever more rounds until time has passed, so this may get large.
            bencher.iter_custom(|rounds| mean * rounds as f64);
        });
    }
    group.finish();
}

fn slot_criterion() -> Criterion<Slots> {
    Criterion::default().with_measurement(Slots).without_plots()
}

criterion_group!(times, host, compile_time, model_speed);
criterion_group!(name = counts; config = slot_criterion(); targets = slots);
criterion_main!(counts, times);
