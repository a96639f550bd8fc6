//! The suite against the software device behind a vfio-user socket, as `offwire dev serve` runs it.
#![cfg(target_os = "linux")]

mod suite;

use device_model::host::HostConfig;
use driver::transport::{Transport, VfioUser, VfioUserOptions};
use offwire_isa::SMALL;
use offwire_serve::{Options, Service, Stop};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use suite::Case;

/// A socket that no other test has.
fn socket() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("offwire-suite-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(name)
}

/// Ends the server also if the case fails.
struct Raise<'a>(&'a Stop);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Runs a case on a device of its own.
fn run(case: Case) {
    let (function, doorbells) = offwire_serve::device(HostConfig::new(&SMALL)).expect("a device");
    let options = Options { socket: socket(), ports: Vec::new() };
    let service = Service::new(function, Some(doorbells), &options).expect("it listens");
    let stop = Stop::new().expect("an eventfd");
    let summary = std::thread::scope(|scope| {
        let serving = scope.spawn(|| service.run(&stop));
        {
            let _end = Raise(&stop);
            case(&|| {
                let transport = VfioUser::connect(&options.socket, VfioUserOptions::default()).expect("connected");
                Arc::new(transport) as Arc<dyn Transport>
            });
        }
        serving.join().expect("no panic").expect("served")
    });
    assert_eq!(summary.complaints, [""; 0]);
}

suite!(super::run);
