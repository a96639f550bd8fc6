//! The suite against the software device in process.
#![cfg(target_os = "linux")]

mod suite;

use device_model::host::{HostConfig, HostFunction};
use driver::transport::{InProcess, Transport};
use offwire_hostif::{BAR2_BYTES, PciFunction};
use offwire_hostmem::SharedMemory;
use offwire_isa::SMALL;
use std::sync::{Arc, Mutex};
use suite::Case;

/// Runs a case on a device of its own.
fn run(case: Case) {
    let doorbells = SharedMemory::guarded("doorbells", BAR2_BYTES.into()).expect("memory");
    let function = HostFunction::new(HostConfig::new(&SMALL), Arc::new(doorbells));
    let function: Arc<Mutex<dyn PciFunction>> = Arc::new(Mutex::new(function));
    case(&|| Arc::new(InProcess::new(Arc::clone(&function))) as Arc<dyn Transport>);
}

suite!(super::run);
