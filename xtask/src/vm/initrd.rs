//! The guest's first and only file system: busybox, the modules of VFIO, the checks and their program.

use super::cache::{Cache, MODULES};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Runs as process 1.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "guest: Linux $(uname -r)"
for module in MODULES; do insmod /modules/$module.ko || echo "guest: no $module"; done
echo 32 > /proc/sys/vm/nr_hugepages
cd /
RUST_BACKTRACE=1 /bin/vfio_check /program.img 2>&1
echo "guest: the checks ended with $?"
poweroff -f
"#;

const FOLDER: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const PLAIN: u32 = 0o100_644;

/// A cpio archive of the format `newc` (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst), uncompressed.
pub(super) fn make(cache: &Cache, check: &Path, image: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules", "proc", "sys", "tmp"] {
        archive.entry(folder, FOLDER, &[])?;
    }
    archive.entry("bin/busybox", EXECUTABLE, &read(&cache.busybox())?)?;
    archive.entry("bin/vfio_check", EXECUTABLE, &read(check)?)?;
    archive.entry("program.img", PLAIN, &read(image)?)?;
    for name in MODULES {
        archive.entry(&format!("modules/{name}.ko"), PLAIN, &read(&cache.module(name))?)?;
    }
    archive.entry("init", EXECUTABLE, INIT.replace("MODULES", &MODULES.join(" ")).as_bytes())?;
    archive.finish()
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a file or folder.
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).with_context(|| format!("{name} is too large"))?;
        let links = if mode == FOLDER { 2 } else { 1 };
        let name_bytes = u32::try_from(name.len())? + 1;
        // inode, mode, user, group, links, time, size, device (2), its own device (2), name with its zero, checksum.
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_bytes, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_as_the_format_says() {
        let mut archive = Archive::default();
        archive.entry("bin", FOLDER, &[]).expect("a folder");
        archive.entry("bin/a", EXECUTABLE, b"hello").expect("a file");
        let bytes = archive.finish().expect("an archive");
        let text = String::from_utf8(bytes).expect("text");
        let folder = "070701\
            00000001000041ed00000000000000000000000200000000000000000000000000000000000000000000000000000004\
            00000000bin\0\0\0";
        let file = "070701\
            00000002000081ed00000000000000000000000100000000000000050000000000000000000000000000000000000006\
            00000000bin/a\0hello\0\0\0";
        assert_eq!(text.len() % 4, 0);
        assert_eq!(&text[..folder.len()], folder);
        assert_eq!(&text[folder.len()..][..file.len()], file);
        assert!(text.ends_with("0000000b00000000TRAILER!!!\0\0\0\0"), "{text:?}");
    }
}
