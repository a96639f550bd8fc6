//! The thread that talks to the kernel.

use super::load::{self, Loaded, failed, map_at};
use super::{MAX_LINEAR_FRAME, MIN_FRAME, errno, link, perf, printk, rewrite, sys};
use crate::references;
use crate::{Chance, Entry, EntryValue, Event, PacketIn, PacketOut};
use offload_compiler::ebpf::MapIdx;
use offload_compiler::object::Object;
use offwire_diag::{Diagnostic, codes};
use offwire_image::{MapKind, MapSpec};
use std::collections::{BTreeMap, btree_map};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Largest packet that a test run gives back.
const MAX_OUT: usize = 64 << 10;
/// Ports that devices are made for.
const MAX_PORT: u32 = 1023;
/// Entries per batch of a map read.
const BATCH: usize = 1024;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// The other end of the thread; ends it when dropped.
pub(super) struct Handle {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    pub(super) fn spawn(object: &Object, program: usize) -> Result<Self, Diagnostic> {
        let object = object.clone();
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("offwire-host".into())
            .spawn(move || match Worker::new(&object, program) {
                Ok(mut worker) => {
                    if ready.send(Ok(())).is_ok() {
                        for job in inbox {
                            job(&mut worker);
                        }
                    }
                }
                Err(diagnostic) => {
                    // Nobody waits any more if this fails.
                    let _ = ready.send(Err(diagnostic));
                }
            })
            .map_err(|error| failed("a thread", &error))?;
        let handle = Self { jobs: Some(jobs), thread: Some(thread) };
        started.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(handle)
    }

    /// Does a job on the thread and waits for its result.
    pub(super) fn call<R: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Worker) -> R + Send + 'static,
    ) -> Result<R, Diagnostic> {
        let (done, result) = mpsc::channel();
        let boxed: Job = Box::new(move |worker| {
            // The receiver waits below.
            let _ = done.send(job(worker));
        });
        match &self.jobs {
            Some(jobs) if jobs.send(boxed).is_ok() => result.recv().map_err(|_| gone()),
            _ => Err(gone()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // The thread ends when its inbox does; if it panicked, that was reported.
            let _ = thread.join();
        }
    }
}

fn gone() -> Diagnostic {
    Diagnostic::error(codes::host::HOST_FAILED, "the thread that talks to the kernel has ended")
}

/// What the thread holds.
pub(super) struct Worker {
    object: Object,
    specs: Vec<MapSpec>,
    /// Programs that maps name, by number.
    programs: BTreeMap<usize, OwnedFd>,
    /// Entries of maps that name programs, maps and devices: the kernel gives back ids, and no program writes them.
    references: BTreeMap<(MapIdx, Vec<u8>), Vec<u8>>,
    /// Ring buffers, by map number.
    rings: Vec<(u16, sys::Ring)>,
    /// Perf event arrays, by map number.
    perf: Vec<(u16, perf::PerfRing)>,
    /// Lines of bpf_trace_printk, if a program prints any; `Err` says why they cannot be read.
    lines: Option<Result<printk::Lines, String>>,
    loaded: Loaded,
    cpus: usize,
    /// Receive queues by ifindex; `Err` says why a device cannot be made.
    devices: BTreeMap<u32, Result<u32, String>>,
    /// Why there is no namespace of our own, if so.
    no_namespace: Option<String>,
    out: Vec<u8>,
    /// What could not be written into the map of clocks.
    chance_failed: Option<Diagnostic>,
}

impl Worker {
    fn new(object: &Object, program: usize) -> Result<Self, Diagnostic> {
        sys::pin_to_cpu(0).map_err(|error| {
            Diagnostic::error(codes::host::HOST_UNAVAILABLE, "the kernel back end is not available")
                .with_reason(format!("sched_setaffinity to CPU 0 gave {}", errno::name(&error)))
                .with_help("allow CPU 0 to this process, or use the back end `ref` or `model`")
        })?;
        let no_namespace = sys::unshare_net().err().map(|error| errno::name(&error));
        let loaded = load::load(object, program)?;
        let cpus = load::possible_cpus().map_err(|error| failed("the number of possible CPUs", &error))?;
        let specs = object.maps.iter().map(|map| map.spec.clone()).collect();
        // The loopback device is ifindex 1 in any namespace.
        let devices = BTreeMap::from([(1, Ok(1))]);
        let mut rings = Vec::new();
        for (at, (map, kernel)) in object.maps.iter().zip(&loaded.maps).enumerate() {
            if map.spec.kind == MapKind::Ringbuf {
                let ring = sys::Ring::open(kernel, map.spec.max_entries as usize)
                    .map_err(|error| failed(&format!("to map ring buffer {} into memory", map.spec.name), &error))?;
                rings.push((u16::try_from(at).unwrap_or(u16::MAX), ring));
            }
        }
        let mut perf = Vec::new();
        for (at, (map, kernel)) in object.maps.iter().zip(&loaded.maps).enumerate() {
            if map.spec.kind == MapKind::PerfEventArray {
                let ring = perf::PerfRing::open(kernel, load::max_entries(&map.spec, cpus))
                    .map_err(|error| failed(&format!("readers for perf event array {}", map.spec.name), &error))?;
                perf.push((u16::try_from(at).unwrap_or(u16::MAX), ring));
            }
        }
        let prints = object.programs.iter().any(|program| rewrite::prints(&program.raw));
        let lines = prints.then(|| printk::Lines::open().map_err(|error| errno::name(&error)));
        let mut worker = Self {
            perf,
            lines,
            rings,
            object: object.clone(),
            specs,
            programs: BTreeMap::new(),
            references: BTreeMap::new(),
            loaded,
            cpus,
            devices,
            no_namespace,
            out: vec![0; MAX_OUT],
            chance_failed: None,
        };
        worker.set_chance(Chance::default());
        for (map, entry) in references::initial(object)? {
            worker.update(map, &entry)?;
        }
        Ok(worker)
    }

    /// Whether the kernel can run such a packet: `OW0804` if not.
    pub(super) fn admit(&mut self, len: usize, port: u32, rx_queue: u32) -> Result<(), Diagnostic> {
        let refuse = |reason: String| {
            Err(Diagnostic::error(codes::host::NOT_COMPARABLE, "the kernel cannot run this packet").with_reason(reason))
        };
        if let Some(Err(reason)) = &self.lines {
            return refuse(format!("what bpf_trace_printk prints cannot be read: the kernel's tracer gave {reason}"));
        }
        if len < MIN_FRAME {
            return refuse(format!("the frame has {len} bytes, less than {MIN_FRAME}"));
        }
        if len > MAX_LINEAR_FRAME && !self.loaded.has_frags {
            return refuse(format!(
                "the frame has {len} bytes, more than {MAX_LINEAR_FRAME}, and the program is not in a section xdp.frags"
            ));
        }
        if len > MAX_OUT - MAX_LINEAR_FRAME {
            return refuse(format!("the frame has {len} bytes"));
        }
        if port > MAX_PORT {
            return refuse(format!("port {port} is above {MAX_PORT}"));
        }
        let ifindex = port + 1;
        let no_namespace = &self.no_namespace;
        let device = self.devices.entry(ifindex).or_insert_with(|| match no_namespace {
            Some(number) => Err(format!("a network namespace could not be made ({number})")),
            None => link::make(ifindex).map(|()| link::QUEUES).map_err(|error| errno::name(&error)),
        });
        match device {
            Ok(queues) if rx_queue < *queues => Ok(()),
            Ok(queues) => refuse(format!("receive queue {rx_queue} of port {port}: the device has {queues}")),
            Err(reason) => refuse(format!("there is no device for port {port}: {reason}")),
        }
    }

    fn test_run(&mut self, packet: &PacketIn, repeat: u32) -> Result<sys::TestRun, Diagnostic> {
        self.admit(packet.bytes.len(), packet.port, packet.rx_queue)?;
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        // ifindex 0 stands for receive queue 0 of the loopback device.
        let ifindex = if packet.port == 0 && packet.rx_queue == 0 { 0 } else { packet.port + 1 };
        let mut ctx = [0; 24];
        let fields = [0, packet.bytes.len() as u32, 0, ifindex, packet.rx_queue, 0];
        for (to, field) in ctx.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *to = field.to_ne_bytes();
        }
        sys::test_run(&self.loaded.prog, &packet.bytes, &mut self.out, &ctx, repeat)
            .map_err(|error| failed(&format!("to run a packet of {} bytes", packet.bytes.len()), &error))
    }

    /// Sets clocks and random generator; a failure shows at the next run.
    pub(super) fn set_chance(&mut self, chance: Chance) {
        if let Some(map) = &self.loaded.chance {
            let written = map.update(&0u32.to_ne_bytes(), &rewrite::value(&chance));
            self.chance_failed = written.err().map(|error| failed("to set the clocks of a program", &error));
        }
    }

    pub(super) fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        if let Some(diagnostic) = &self.chance_failed {
            return Err(diagnostic.clone());
        }
        let run = self.test_run(packet, 1)?;
        let mut events = Vec::new();
        for (map, ring) in &mut self.rings {
            events.extend(ring.drain().into_iter().map(|bytes| Event::Ringbuf { map: *map, bytes }));
        }
        for (map, ring) in &mut self.perf {
            events.extend(ring.drain().into_iter().map(|bytes| Event::PerfPadded { map: *map, bytes }));
        }
        if let Some(Ok(lines)) = &mut self.lines {
            let texts = lines.drain().map_err(|error| failed("to read the tracer", &error))?;
            events.extend(texts.into_iter().map(|text| Event::Trace { text }));
        }
        let (meta, bytes) = self.out.get(..run.len).unwrap_or(&[]).split_at_checked(run.meta).unwrap_or_default();
        Ok(PacketOut { retval: run.retval, bytes: bytes.to_vec(), meta: meta.to_vec(), events, ..PacketOut::default() })
    }

    pub(super) fn time(&mut self, packet: &PacketIn, repeat: u32) -> Result<u32, Diagnostic> {
        Ok(self.test_run(packet, repeat.max(1))?.duration)
    }

    fn spec(&self, map: MapIdx) -> Result<&MapSpec, Diagnostic> {
        self.specs
            .get(usize::from(map.0))
            .ok_or_else(|| Diagnostic::error(codes::host::HOST_FAILED, format!("there is no map number {}", map.0)))
    }

    /// The value as the kernel takes it: file descriptors in place of numbers.
    fn resolve(&mut self, kind: MapKind, value: &[u8]) -> Result<Vec<u8>, Diagnostic> {
        let mut numbers: Vec<u32> = references::numbers(value).collect();
        match (kind, numbers.as_mut_slice()) {
            (MapKind::ProgArray, [program]) => *program = self.program(*program as usize)?,
            (MapKind::ArrayOfMaps | MapKind::HashOfMaps, [inner]) => {
                let inner_map = u16::try_from(*inner).map(MapIdx).unwrap_or(MapIdx(u16::MAX));
                *inner = map_at(&self.loaded.maps, inner_map)?.raw_fd() as u32;
            }
            (MapKind::Devmap | MapKind::DevmapHash, [ifindex, rest @ ..]) => {
                if let Some(port) = ifindex.checked_sub(1) {
                    self.admit(MIN_FRAME, port, 0)?;
                }
                if let [program] = rest
                    && *program != 0
                {
                    *program = self.program(*program as usize - 1)?;
                }
            }
            _ => {}
        }
        Ok(numbers.iter().flat_map(|number| number.to_ne_bytes()).collect())
    }

    /// The file descriptor of the program with this number, which is loaded now if it was not.
    fn program(&mut self, number: usize) -> Result<u32, Diagnostic> {
        let fd = match self.programs.entry(number) {
            btree_map::Entry::Occupied(loaded) => loaded.get().as_raw_fd(),
            btree_map::Entry::Vacant(place) => {
                let Loaded { maps, types, chance, .. } = &self.loaded;
                place.insert(load::another(&self.object, number, maps, types.as_ref(), chance.as_ref())?).as_raw_fd()
            }
        };
        Ok(fd as u32)
    }

    pub(super) fn update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        let spec = self.spec(map)?;
        references::check(spec, entry, self.object.programs.len(), self.specs.len())?;
        let kind = spec.kind;
        let resolved = match &entry.value {
            EntryValue::One(value) if references::holds_references(kind) && value.len() == spec.value_size as usize => {
                Some(self.resolve(kind, value)?)
            }
            _ => None,
        };
        let spec = self.spec(map)?;
        let refuse = |reason: String| {
            Diagnostic::error(codes::host::MAP_UPDATE, format!("map {} refuses an entry", spec.name))
                .with_reason(reason)
        };
        let size = spec.value_size as usize;
        let check = |value: &[u8]| {
            if value.len() == size {
                Ok(())
            } else {
                Err(refuse(format!("the value has {} bytes, not {size}", value.len())))
            }
        };
        if entry.key.len() != spec.key_size as usize {
            return Err(refuse(format!("the key has {} bytes, not {}", entry.key.len(), spec.key_size)));
        }
        let value = match (&entry.value, spec.kind.is_per_cpu()) {
            (EntryValue::One(value), false) => {
                check(value)?;
                resolved.unwrap_or_else(|| value.clone())
            }
            (EntryValue::PerCpu(values), true) => {
                let stride = size.next_multiple_of(8);
                let mut all = vec![0; stride * self.cpus];
                for (cpu, value) in values {
                    check(value)?;
                    let start = stride * *cpu as usize;
                    let Some(slot) = all.get_mut(start..start + size) else {
                        return Err(refuse(format!("CPU {cpu}: this machine has {}", self.cpus)));
                    };
                    slot.copy_from_slice(value);
                }
                all
            }
            (_, true) => return Err(refuse("a per-CPU map takes one value for each CPU".into())),
            (_, false) => return Err(refuse("only per-CPU maps take values by CPU".into())),
        };
        map_at(&self.loaded.maps, map)?.update(&entry.key, &value).map_err(|error| {
            refuse(match error.raw_os_error() {
                Some(libc::ENOSPC) => format!("ENOSPC: it is full with {} entries", spec.max_entries),
                Some(libc::E2BIG)
                    if matches!(
                        spec.kind,
                        MapKind::Array
                            | MapKind::PercpuArray
                            | MapKind::Devmap
                            | MapKind::ProgArray
                            | MapKind::ArrayOfMaps
                    ) =>
                {
                    format!("E2BIG: the index is not below {}", spec.max_entries)
                }
                Some(libc::E2BIG) => format!("E2BIG: it is full with {} entries", spec.max_entries),
                Some(libc::EPERM) => "EPERM: the map is read-only".into(),
                _ => errno::name(&error),
            })
        })?;
        if let (true, EntryValue::One(value)) = (references::holds_references(kind), &entry.value) {
            self.references.insert((map, entry.key.clone()), value.clone());
        }
        Ok(())
    }

    pub(super) fn entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        let spec = self.spec(map)?;
        if matches!(spec.kind, MapKind::Ringbuf | MapKind::PerfEventArray) {
            return Ok(Vec::new());
        }
        if references::holds_references(spec.kind) {
            let own = self.references.iter().filter(|((at, _), _)| *at == map);
            let entry =
                |key: &Vec<u8>, value: &Vec<u8>| Entry { key: key.clone(), value: EntryValue::One(value.clone()) };
            return Ok(own.map(|((_, key), value)| entry(key, value)).collect());
        }
        let kernel = map_at(&self.loaded.maps, map)?;
        let read = match self.read_batches(spec, kernel) {
            // Kinds without batches.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | errno::ENOTSUPP | libc::EOPNOTSUPP)) => {
                self.read_one_by_one(spec, kernel)
            }
            other => other,
        };
        let mut entries = read.map_err(|error| failed(&format!("to read map {}", spec.name), &error))?;
        entries.sort_unstable();
        Ok(entries)
    }

    fn read_batches(&self, spec: &MapSpec, kernel: &sys::Map) -> std::io::Result<Vec<Entry>> {
        let key_size = spec.key_size as usize;
        let value_size = load::user_value_size(spec, self.cpus);
        let mut count = BATCH.min(spec.max_entries as usize).max(1);
        let (mut keys, mut values) = (vec![0; key_size * count], vec![0; value_size * count]);
        let mut from = None;
        let mut token = vec![0; key_size.max(4)];
        let mut entries = Vec::new();
        loop {
            match kernel.lookup_batch(from.as_deref(), &mut token, &mut keys, &mut values) {
                Ok((got, more)) => {
                    let pairs = keys.chunks_exact(key_size).zip(values.chunks_exact(value_size)).take(got);
                    entries.extend(pairs.map(|(key, value)| self.entry(spec, key, value)));
                    if !more {
                        return Ok(entries);
                    }
                    from = Some(token.clone());
                }
                // One bucket of a hash map holds more than fits.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && count < 1 << 24 => {
                    count *= 2;
                    keys.resize(key_size * count, 0);
                    values.resize(value_size * count, 0);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn read_one_by_one(&self, spec: &MapSpec, kernel: &sys::Map) -> std::io::Result<Vec<Entry>> {
        let mut value = vec![0; load::user_value_size(spec, self.cpus)];
        let mut next = vec![0; spec.key_size as usize];
        let mut key: Option<Vec<u8>> = None;
        let mut entries = Vec::new();
        while kernel.next_key(key.as_deref(), &mut next)? {
            match kernel.lookup(&next, &mut value) {
                Ok(()) => entries.push(self.entry(spec, &next, &value)),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
            key = Some(next.clone());
        }
        Ok(entries)
    }

    fn entry(&self, spec: &MapSpec, key: &[u8], value: &[u8]) -> Entry {
        let value = if spec.kind.is_per_cpu() {
            let size = spec.value_size as usize;
            let copies = value.chunks(size.next_multiple_of(8)).enumerate();
            let own = copies.filter_map(|(cpu, copy)| Some((cpu as u32, copy.get(..size)?.to_vec())));
            EntryValue::PerCpu(own.filter(|(_, copy)| copy.iter().any(|&b| b != 0)).collect())
        } else {
            EntryValue::One(value.to_vec())
        };
        Entry { key: key.to_vec(), value }
    }
}
