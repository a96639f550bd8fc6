//! Prints how fast shared memory is copied: `cargo run --release -p offwire-hostmem --example copies`.

use offwire_hostif::HostMemory;
use offwire_hostmem::SharedMemory;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = SharedMemory::new("copies", 1 << 16)?;
    for (offset, size) in [(0, 4), (0, 64), (2, 64), (0, 1514), (2, 1514), (0, 9000)] {
        let mut bytes = vec![0u8; size];
        let rounds = (1u32 << 28) / (size as u32 + 64);
        let start = Instant::now();
        for _ in 0..rounds {
            assert!(black_box(&memory).read(offset, black_box(&mut bytes)));
        }
        let read = start.elapsed() / rounds;
        let start = Instant::now();
        for _ in 0..rounds {
            assert!(black_box(&memory).write(offset, black_box(&bytes)));
        }
        let write = start.elapsed() / rounds;
        println!("{size} B at {offset}: read {read:?}, write {write:?}");
    }
    Ok(())
}
