//! A served device: its socket, its ports, its threads.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offwire_diag::Diagnostic;
use offwire_hostmem::SharedMemory;

use crate::desk::{Broken, Desk};
use crate::error::ServeError;
use crate::nic::Nic;
use crate::ports::{self, Playback, PortCounters, PortKind, PortSpec, Recorder};
use crate::runner::{Port, Runner};
use crate::session::{ClientCounters, End, Session};
use crate::socket::Bound;
use crate::stop::{RaiseAtEnd, Stop};
use crate::sys::{self, Watch};

/// How to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Path of the vfio-user socket.
    pub socket: PathBuf,
    /// Wires; a port without one loses what leaves it.
    pub ports: Vec<PortSpec>,
}

/// What a served device has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Ports with a wire, and what went over it.
    pub ports: Vec<(u16, PortCounters)>,
    /// Clients.
    pub clients: ClientCounters,
    /// Wires that stopped working, and what the last client that broke the protocol did.
    pub complaints: Vec<String>,
}

/// A device that listens: all it needs is open, and nothing runs yet.
pub struct Service<N> {
    desk: Desk<N>,
    doorbells: Option<Arc<SharedMemory>>,
    listener: Bound,
    ports: Vec<Port>,
    wired: Vec<u16>,
    playback: Playback,
    warnings: Vec<Diagnostic>,
}

impl<N: Nic> Service<N> {
    /// Opens ports and socket. `doorbells` is the memory behind BAR2 if clients may map it.
    ///
    /// # Errors
    /// Whatever cannot be had, before anything is served.
    pub fn new(nic: N, doorbells: Option<Arc<SharedMemory>>, options: &Options) -> Result<Self, ServeError> {
        let count = nic.ports();
        let mut ports: Vec<Port> = (0..count).map(|_| Port::default()).collect();
        let (mut captures, mut warnings, mut wired) = (Vec::new(), Vec::new(), Vec::new());
        for spec in &options.ports {
            let number = |reason: String| ServeError::Number { port: spec.port, reason };
            let Some(port) = ports.get_mut(usize::from(spec.port)) else {
                return Err(number(format!("the device has ports 0 to {}", count.saturating_sub(1))));
            };
            if wired.contains(&spec.port) {
                return Err(number("it has one already".to_owned()));
            }
            wired.push(spec.port);
            port.wire = ports::open(spec)?;
            if let PortKind::Capture { input, output } = &spec.kind {
                if let Some(path) = input {
                    let capture = ports::read(path)?;
                    warnings.extend(capture.warning().map(|warning| warning.with_file(path.display().to_string())));
                    captures.push((spec.port, capture));
                }
                port.recorder = output.as_deref().map(Recorder::create).transpose()?;
            }
        }
        wired.sort_unstable();
        let listener = listen(&options.socket)?;
        let desk = Desk::new(nic)?;
        let playback = Playback::new(captures);
        Ok(Service { desk, doorbells, listener, ports, wired, playback, warnings })
    }

    /// What the user should know before it runs.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Serves one client after the other until it is told to stop. The socket is gone when it returns.
    ///
    /// # Errors
    /// [`ServeError::Device`] if the device broke, [`ServeError::System`] if the machine did.
    pub fn run(self, stop: &Stop) -> Result<Summary, ServeError> {
        let Service { desk, doorbells, listener, ports, wired, playback, .. } = self;
        let doorbells = doorbells.as_deref();
        let broken = |Broken| ServeError::Device("it had failed before it was served".to_owned());
        let runner = Runner::new(&desk, stop, ports, playback).map_err(broken)?;
        let (ran, served) = std::thread::scope(|scope| {
            let ran = scope.spawn(|| {
                let _end = RaiseAtEnd(stop);
                runner.run()
            });
            let served = scope.spawn(|| {
                let _end = RaiseAtEnd(stop);
                accept(&desk, &listener, doorbells, stop)
            });
            let waited = stop.wait();
            // If the wait itself failed, the threads end with what they have.
            stop.raise();
            (
                ran.join().map_err(panic_text),
                served
                    .join()
                    .map_err(panic_text)
                    .and_then(|served| waited.map_err(|error| error.to_string()).map(|()| served)),
            )
        });
        // The device's own end says more than that of who used it.
        let ports = ran.map_err(ServeError::Device)??;
        let (clients, complaint) = served.map_err(ServeError::Device)??;
        let dead = |&port: &u16| {
            let error = ports.get(usize::from(port))?.dead.as_ref()?;
            Some(format!("the wire of port {port} stopped working: {error}"))
        };
        let broke = complaint.map(|why| format!("a client lost its connection: {why}"));
        let complaints = wired.iter().filter_map(dead).chain(broke).collect();
        let counters = |&port: &u16| ports.get(usize::from(port)).map(|state| (port, state.counters));
        Ok(Summary { ports: wired.iter().filter_map(counters).collect(), clients, complaints })
    }
}

/// What a thread said when it panicked.
#[expect(clippy::needless_pass_by_value, reason = "it is what join gives")]
fn panic_text(payload: Box<dyn std::any::Any + Send>) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

fn listen(path: &Path) -> Result<Bound, ServeError> {
    let failed = |reason: String| ServeError::Socket { path: path.to_owned(), reason };
    let listener = Bound::new(path, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).map_err(|e| failed(e.to_string()))?;
    listener.listen().map_err(|e| failed(e.to_string()))?;
    Ok(listener)
}

/// One client after the other. Gives what they did, and what the last one that broke the protocol did wrong.
fn accept<N: Nic>(
    desk: &Desk<N>,
    listener: &Bound,
    doorbells: Option<&SharedMemory>,
    stop: &Stop,
) -> Result<(ClientCounters, Option<String>), ServeError> {
    let (mut counters, mut complaint) = (ClientCounters::default(), None);
    let broken = |Broken| ServeError::Device("a thread panicked".to_owned());
    loop {
        let ready = sys::wait(&[Watch::input(stop.fd()), Watch::input(listener.as_fd())], None)?;
        if ready & 1 != 0 {
            return Ok((counters, complaint));
        }
        let Some(stream) = listener.accept()? else { continue };
        desk.set_connected(true);
        let session = Session::new(desk, stream, stop.fd(), doorbells, &mut counters).map_err(broken)?;
        let end = session.run();
        desk.set_connected(false);
        match end {
            End::Client(None) => {}
            End::Client(why) => complaint = why,
            End::Stopped => return Ok((counters, complaint)),
            End::Device => return Err(broken(Broken)),
        }
    }
}
