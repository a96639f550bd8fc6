//! A device behind its driver as a back end: in another process, on a bus, or in this process.
//!
//! The run has the device for itself: it starts and ends as after power on. Packets are injected one at a time on vCPU 0 and come
//! back with a report, whatever the verdict (a port that captures).

use super::model::{event, fault_name, target};
use super::numbers::Numbers;
use super::{Prepared, TimedBackend, Timing};
use crate::args::device::DevSpec;
use crate::commands::prog::value_bytes;
use crate::connect::{diagnostic, transport};
use crate::entries::Values;
use crate::output::Failure;
use device_model::{DeviceEvent, Redirect};
use driver::{Device, Events, Inject, Map, MapId, OpenOptions, QueueOptions, QueuePair, Rx, Tx, TxFrame, Update};
use offload_compiler::ebpf::MapIdx;
use offwire_diag::{Diagnostic, codes};
use offwire_harness::{Backend, Chance, Entry, EntryValue, Event, PacketIn, PacketOut, Verdict};
use offwire_hostif::{DispatchChoice, PortFlag, TimeMode, TransmitStatus};
use offwire_image::{DispatchMode, MapKind, MapSpec};
use offwire_isa::Profile;
use std::time::Duration;

/// Port at which packets are injected; programs see the capture's.
const PORT: u16 = 0;

/// How long a device may take for one answer in a run.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// An open device that nobody uses.
#[derive(Debug)]
pub struct Idle {
    device: Device,
    /// Its profile.
    pub profile: &'static Profile,
}

impl Idle {
    /// Opens a device for runs that have it for themselves.
    ///
    /// # Errors
    /// `OW1001`, `OW1002`; `OW1003` if programs or maps are loaded, or device time cannot stand still.
    pub fn open(spec: &DevSpec, deadline: Duration) -> Result<Self, Failure> {
        let transport = transport(spec, deadline)?;
        let options = OpenOptions { deadline, event_area: 1 << 24, ..OpenOptions::default() };
        let device = Device::open(transport, options).map_err(|error| diagnostic(&error))?;
        let info = device.info().map_err(|error| diagnostic(&error))?;
        let refuse = |reason: &str, help: &str| {
            Diagnostic::error(codes::driver::REFUSED, "the device cannot be used for a run")
                .with_reason(reason)
                .with_help(help)
        };
        let inventory = device.inventory().map_err(|error| diagnostic(&error))?;
        if !inventory.programs.is_empty() || !inventory.maps.is_empty() {
            return Err(refuse(
                "programs or maps are loaded, and a run resets the device",
                "unload them, or offwire dev reset",
            )
            .into());
        }
        if info.time_mode == TimeMode::Real {
            return Err(refuse("its time goes with the clock", "serve it with --time virtual").into());
        }
        let profile = Profile::by_hash(info.profile_hash);
        let profile = profile
            .ok_or_else(|| refuse("its profile is not known here", "device and offwire must be of one version"))?;
        Ok(Idle { device, profile })
    }
}

/// A device with one program; packets run one at a time on vCPU 0.
pub struct Remote {
    device: Device,
    specs: Vec<MapSpec>,
    maps: Vec<Map>,
    numbers: Numbers,
    rx: Rx,
    tx: Tx,
    events: Events,
    timing: Timing,
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(error: driver::Error) -> Diagnostic {
    diagnostic(&error)
}

impl Remote {
    /// Loads the program to the device.
    ///
    /// # Errors
    /// What the device refuses.
    pub fn new(prepared: &Prepared<'_>, idle: &Idle) -> Result<Self, Diagnostic> {
        let device = idle.device.clone();
        device.clear().map_err(told)?;
        let image = &prepared.compiled.image;
        let program = device.load(image, &[]).map_err(told)?;
        let ids = device.program(program).map_err(told)?.maps;
        let maps = ids.iter().map(|&map| device.map(map)).collect::<Result<Vec<_>, _>>().map_err(told)?;
        let numbers = Numbers::new(prepared.object, image).with_maps(ids.iter().map(|map| map.0).collect());
        device.set_port(PORT, PortFlag::UP | PortFlag::CAPTURE, None).map_err(told)?;
        let choice = match prepared.dispatch {
            None => DispatchChoice::Proven,
            Some(DispatchMode::Cpu) => DispatchChoice::Cpu,
            Some(DispatchMode::Flow) => DispatchChoice::Flow,
            Some(DispatchMode::Any) => DispatchChoice::Any,
        };
        device.attach(PORT, program, choice, None).map_err(told)?;
        let events = device.events().map_err(told)?;
        let options = QueueOptions { report: true, ..QueueOptions::default() };
        let QueuePair { rx, tx } = device.queue_pair(0, &options).map_err(told)?;
        let specs = image.maps.clone();
        let timing = Timing::default();
        let mut remote = Remote { device, specs, maps, numbers, rx, tx, events, timing };
        remote.set_chance(Chance::default());
        Ok(remote)
    }

    fn map(&self, map: MapIdx) -> Result<(&MapSpec, &Map), Diagnostic> {
        let at = usize::from(map.0);
        self.specs
            .get(at)
            .zip(self.maps.get(at))
            .ok_or_else(|| Diagnostic::error(codes::device::MAP, format!("the image has no map number {}", map.0)))
    }

    /// The object's number of a map; a number that no map has stays what it is.
    fn object_map(&self, map: MapId) -> u16 {
        let at = self.maps.iter().position(|known| known.info().id == map);
        at.and_then(|at| u16::try_from(at).ok()).unwrap_or(map.0)
    }

    /// What the program told, up to now, as the device itself has it.
    fn told(&mut self) -> Result<Vec<Event>, Diagnostic> {
        let mut events = Vec::new();
        self.events.drain(&mut events).map_err(told)?;
        if self.events.lost() > 0 {
            return Err(Diagnostic::error(codes::device::EVENT, "the device lost events")
                .with_reason("they are more than the event ring holds"));
        }
        let mut all = Vec::new();
        for told in events {
            let device_model_map = |map: MapId| device_model::MapId(self.object_map(map));
            let told = match told {
                driver::Event::Ringbuf { map, data, .. } => {
                    DeviceEvent::Ringbuf { map: device_model_map(map), bytes: data }
                }
                driver::Event::Perf { map, index, data, packet, .. } => {
                    DeviceEvent::Perf { map: device_model_map(map), index, bytes: data, packet }
                }
                driver::Event::Printk { format, arguments, .. } => DeviceEvent::Printk { format, arguments },
                // Faults are in the packet's report, drops are no event of a program.
                _ => continue,
            };
            all.extend(event(told)?);
        }
        Ok(all)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The device may be gone; then there is nothing to put in order.
        let _ = self.device.clear();
    }
}

impl Backend for Remote {
    fn name(&self) -> &'static str {
        "device"
    }

    fn map_update(&mut self, map: MapIdx, entry: &Entry) -> Result<(), Diagnostic> {
        if self.numbers.keep(map, entry) {
            return Ok(());
        }
        let (spec, on) = self.map(map)?;
        let value = value_bytes(&entry.value, spec, &self.numbers, self.device.vcpus())?;
        on.update(&entry.key, &value, Update::Any).map_err(told)
    }

    fn map_entries(&mut self, map: MapIdx) -> Result<Vec<Entry>, Diagnostic> {
        if let Some(kept) = self.numbers.kept(map) {
            let entry =
                |(key, value): (&Vec<u8>, &Vec<u8>)| Entry { key: key.clone(), value: EntryValue::One(value.clone()) };
            return Ok(kept.iter().map(entry).collect());
        }
        let (spec, on) = self.map(map)?;
        if matches!(spec.kind, MapKind::Ringbuf | MapKind::PerfEventArray) {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        let mut from = on.entries();
        while let Some((key, value)) = from.advance().map_err(told)? {
            let value = match Values::new(value, spec.value_size, spec.kind.is_per_cpu()) {
                Values::One(value) => EntryValue::One(self.numbers.to_object(spec.kind, &value)),
                Values::PerCpu(values) => {
                    let written = (0..).zip(values).filter(|(_, value)| value.iter().any(|&byte| byte != 0));
                    EntryValue::PerCpu(written.collect())
                }
            };
            entries.push(Entry { key: key.to_vec(), value });
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    fn admits(&mut self, packet: &PacketIn) -> Result<(), Diagnostic> {
        super::model::admits(packet)
    }

    fn set_chance(&mut self, chance: Chance) {
        let Chance { ktime_ns, jiffies, random_state } = chance;
        // A device that is gone says so at the next packet.
        let _ = self.device.set_chance(driver::Chance { ktime_ns, jiffies, random_state });
    }

    fn run(&mut self, packet: &PacketIn) -> Result<PacketOut, Diagnostic> {
        let queue = Some((packet.rx_queue, packet.port.saturating_add(1)));
        let inject = Inject { vcpu: Some(0), alone: true, queue, at: None };
        let frame = TxFrame { port: PORT, bytes: &packet.bytes, inject: Some(inject) };
        self.tx.transmit_burst(&[frame]).map_err(told)?;
        let deadline = self.device.deadline();
        let mut status = None;
        let done = self.tx.flush(deadline, |done| status = Some(done.status)).map_err(told)?;
        let refused = |reason: String| {
            Diagnostic::error(codes::device::PACKET, "the device did not take the packet").with_reason(reason)
        };
        match status {
            Some(TransmitStatus::Ok) if done => {}
            Some(status) => return Err(refused(status.doc().to_owned())),
            None => return Err(refused(format!("it did not answer within {deadline:?}"))),
        }
        let mut out = None;
        self.rx.wait(deadline).map_err(told)?;
        self.rx
            .receive_burst(1, |packet| {
                out = packet.report.map(|report| {
                    let out = PacketOut {
                        retval: packet.verdict,
                        bytes: packet.frame.to_vec(),
                        meta: packet.meta.to_vec(),
                        ..PacketOut::default()
                    };
                    (out, report)
                });
            })
            .map_err(told)?;
        let Some((mut out, report)) = out else {
            return Err(refused(format!("it did not come back within {deadline:?}")));
        };
        let latency = u64::from(report.departed);
        self.timing.cycles += latency;
        self.timing.latencies.push(latency);
        out.words = Some(report.words.into());
        out.slots = Some(report.slots.into());
        out.fault = report.fault.map(|(cause, word)| {
            let cause = fault_name(cause).map_or_else(|| format!("cause {cause}"), str::to_owned);
            format!("{cause} at word {word}")
        });
        let redirected = Verdict::from_retval(out.retval) == Verdict::Redirect;
        out.redirect = report.redirect.filter(|_| redirected).map(|redirect| {
            target(match redirect {
                driver::Redirect::Interface { ifindex, flags } => Redirect::Interface { ifindex, flags },
                driver::Redirect::Map { map, key, flags } => {
                    Redirect::Map { map: device_model::MapId(self.object_map(map)), key, flags }
                }
            })
        });
        out.events = self.told()?;
        Ok(out)
    }
}

impl TimedBackend for Remote {
    fn timing(&self) -> Option<Timing> {
        Some(self.timing.clone())
    }
}
