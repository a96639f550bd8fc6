//! QEMU and the guest's kernel: a Debian tree that is made once.
//!
//! vfio-user came with QEMU 10.1, which is in Debian's backports. The tree is never entered: QEMU is started with the tree's own
//! loader and libraries, so that only making it wants root.

use super::succeed;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian release whose kernel the guest runs.
const RELEASE: &str = "trixie";
/// Checks the archive's signatures.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// The mirror if apt has none.
const MIRROR: &str = "http://deb.debian.org/debian";
/// First QEMU with the device `vfio-user-pci`.
const LEAST_QEMU: (u32, u32) = (10, 1);
/// Modules of the kernel, in the order in which they are loaded.
pub(super) const MODULES: [&str; 5] = ["irqbypass", "vfio", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci"];

/// Runs in the tree: QEMU from backports, busybox, and the kernel with its modules unpacked into /vm.
const FILL: &str = r#"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends -t RELEASE-backports qemu-system-x86
apt-get install -y -q --no-install-recommends busybox-static xz-utils
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *//p' | head -n 1)
cd /vm
apt-get download -q "$kernel"
dpkg -x linux-image-*.deb kernel
mv kernel/boot/vmlinuz-* vmlinuz
for module in MODULES; do
    found=$(find kernel -name "$module.ko*")
    case $found in
        *.xz) xz -dc "$found" > "$module.ko" ;;
        *) cp "$found" "$module.ko" ;;
    esac
done
rm -rf kernel linux-image-*.deb
apt-get clean
rm -rf /var/lib/apt/lists/*
"#;

/// The tree.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The tree in this folder; it is made if it is not there.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let cache = Cache { folder: std::path::absolute(folder).context("$OFFWIRE_VM_CACHE")? };
        if !cache.folder.exists() {
            cache.create().context("vm: SKIP qemu: the tree with QEMU and kernel cannot be made")?;
        }
        let needed = ["irqbypass", "vfio"].map(|name| cache.module(name));
        for path in [cache.folder.join("vm/vmlinuz"), cache.busybox()].iter().chain(&needed) {
            ensure!(
                path.is_file(),
                "vm: SKIP qemu: {} is missing; remove {} and it is made anew",
                path.display(),
                cache.folder.display()
            );
        }
        let version = cache.qemu().arg("--version").output().context("vm: SKIP qemu: it cannot be started")?;
        let text = String::from_utf8_lossy(&version.stdout).into_owned();
        match qemu_version(&text) {
            Some(version) if version >= LEAST_QEMU => Ok(cache),
            Some((major, minor)) => bail!("vm: SKIP qemu: it is {major}.{minor}, and vfio-user came with 10.1"),
            None => bail!("vm: SKIP qemu: --version says {text:?} {}", String::from_utf8_lossy(&version.stderr)),
        }
    }

    /// QEMU, by the tree's loader.
    pub(super) fn qemu(&self) -> Command {
        let libraries = self.folder.join("usr/lib/x86_64-linux-gnu");
        let mut path = libraries.clone().into_os_string();
        path.push(":");
        path.push(libraries.join("systemd"));
        let mut qemu = with_parent(&self.folder.join("usr/lib64/ld-linux-x86-64.so.2"));
        qemu.arg("--library-path").arg(path).arg(self.folder.join("usr/bin/qemu-system-x86_64"));
        for data in ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"] {
            qemu.arg("-L").arg(self.folder.join(data));
        }
        qemu
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("vm/vmlinuz")
    }

    pub(super) fn module(&self, name: &str) -> PathBuf {
        self.folder.join(format!("vm/{name}.ko"))
    }

    pub(super) fn busybox(&self) -> PathBuf {
        self.folder.join("usr/bin/busybox")
    }

    /// Makes the tree beside its place and moves it there when it is whole.
    fn create(&self) -> Result<()> {
        let name = self.folder.file_name().context("the cache is no folder")?.to_string_lossy().into_owned();
        let making = self.folder.with_file_name(format!("{name}.making"));
        if making.exists() {
            bail!("{} is there: another run makes it, or was stopped; then remove it", making.display());
        }
        ensure!(is_root()?, "debootstrap wants root; or let $OFFWIRE_VM_CACHE name a tree that somebody else has made");
        for tool in ["debootstrap", "setpriv"] {
            ensure!(super::machine::present(tool), "{tool} is not installed");
        }
        ensure!(Path::new(KEYRING).is_file(), "{KEYRING} is missing: apt-get install debian-archive-keyring");
        let mirror = mirror();
        println!("vm: making {} from {mirror}, some minutes", self.folder.display());
        if let Some(above) = making.parent() {
            fs::create_dir_all(above)?;
        }
        let done = fill(&making, &mirror);
        if done.is_err() {
            let _ = fs::remove_dir_all(&making);
        }
        done?;
        fs::rename(&making, &self.folder).with_context(|| self.folder.display().to_string())
    }
}

/// Debootstrap, then what is in [`FILL`].
fn fill(tree: &Path, mirror: &str) -> Result<()> {
    let log = tree.with_extension("log");
    let logged = |mut command: Command, what: &str| -> Result<()> {
        let file = fs::File::options().create(true).append(true).open(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        succeed(command, what).with_context(|| format!("{} tells more", log.display()))
    };
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", "--include=ca-certificates"]).arg(format!("--keyring={KEYRING}"));
    bootstrap.arg(RELEASE).arg(tree).arg(mirror);
    logged(bootstrap, "debootstrap")?;
    fs::write(tree.join("etc/apt/sources.list.d/backports.list"), format!("deb {mirror} {RELEASE}-backports main\n"))?;
    fs::write(tree.join("etc/apt/apt.conf.d/90host"), proxies())?;
    fs::create_dir(tree.join("vm"))?;
    let script = FILL.replace("RELEASE", RELEASE).replace("MODULES", &MODULES.join(" "));
    let mut chroot = Command::new("chroot");
    chroot.arg(tree).args(["sh", "-ec", &script]);
    logged(chroot, "apt-get in the tree")
}

/// A command that is killed when this process ends, however it ends.
pub(super) fn with_parent(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("id -u")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

/// The mirror that apt uses.
fn mirror() -> String {
    let targets = Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]).output();
    let text = targets.map(|targets| String::from_utf8_lossy(&targets.stdout).into_owned()).unwrap_or_default();
    debian_mirror(&text).unwrap_or(MIRROR).to_owned()
}

/// The first of Debian's own mirrors among addresses, a line each.
fn debian_mirror(addresses: &str) -> Option<&str> {
    addresses.lines().map(|line| line.trim_end_matches('/')).find(|address| address.ends_with("/debian"))
}

/// How apt gets out of here.
fn proxies() -> String {
    let dump = Command::new("apt-config").arg("dump").output();
    let text = dump.map(|dump| String::from_utf8_lossy(&dump.stdout).into_owned()).unwrap_or_default();
    let is_proxy = |line: &&str| line.starts_with("Acquire::") && line.contains("::Proxy");
    text.lines().filter(is_proxy).map(|line| format!("{line}\n")).collect()
}

/// Major and minor version in what `--version` says.
fn qemu_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version ")?.1.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let of = |text| qemu_version(text);
        assert_eq!(of("QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\nCopyright"), Some((11, 1)));
        assert!(of("QEMU emulator version 9.2.0") < Some(LEAST_QEMU));
        assert!(of("QEMU emulator version 10.0.11") < Some(LEAST_QEMU));
        assert_eq!(of("error while loading shared libraries"), None);
    }

    #[test]
    fn security_and_others_are_no_mirror() {
        let addresses = "http://deb.debian.org/debian-security/\nhttps://deb.nodesource.com/node/\n\
            http://mirror.example/debian/\nhttp://other.example/debian/\n";
        assert_eq!(debian_mirror(addresses), Some("http://mirror.example/debian"));
        assert_eq!(debian_mirror("http://archive.ubuntu.com/ubuntu/\n"), None);
    }
}
