//! Checks a device behind the kernel's VFIO from end to end: `vfio_check IMAGE`, as root, with one offwire function on the bus.
//!
//! IMAGE is `offwire prog build examples/count/count.o`, made for the device's profile. The function must be idle: it is bound to
//! vfio-pci, loaded, killed over and reset, and given back. Each check prints PASS or FAIL; the exit code is 0 if all passed.
//! `cargo xtask vm` runs it in a virtual machine.

#[cfg(target_os = "linux")]
mod checks;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
mod packets;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        // Roles of the processes that the checks start.
        ["--try", function] => crash::try_to_open(function),
        ["--work", function, image] => crash::work_until_killed(function, image),
        [image] if !image.starts_with('-') => checks::all(image),
        _ => {
            eprintln!("usage: vfio_check IMAGE");
            return 2.into();
        }
    };
    match done {
        Ok(()) => 0.into(),
        Err(error) => {
            println!("error: {error}");
            1.into()
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("vfio_check: VFIO is Linux");
}
