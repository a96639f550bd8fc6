//! The bus and what is in the way of a device, over made-up trees.
#![cfg(target_os = "linux")]

use driver::bus::{self, Bdf, Root, VFIO_PCI};
use driver::transport::vfio::{Obstacle, diagnose};
use offwire_hostif::{PCI_DEVICE, PCI_VENDOR};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder with `sys`, `proc` and `dev`, removed at the end.
struct Tree(PathBuf);

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Tree {
    /// A machine with an IOMMU, vfio-pci, and a user of number 1000 without privileges.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("offwire-bus-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree(std::env::temp_dir().join(name));
        tree.folder("sys/bus/pci/devices");
        tree.folder("sys/bus/pci/drivers/vfio-pci");
        tree.file("sys/bus/pci/drivers_probe", "");
        tree.file("proc/cmdline", "root=/dev/sda1 intel_iommu=on quiet\n");
        tree.file("proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\nMax locked memory         67108864             67108864             bytes     \n");
        tree.user(1000, 0);
        tree.node("dev/vfio/vfio", 0o666);
        tree
    }

    fn root(&self) -> Root {
        Root::at(&self.0)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    fn folder(&self, below: &str) {
        fs::create_dir_all(self.path(below)).expect("folder");
    }

    fn file(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        fs::write(path, text).expect("file");
    }

    fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).expect("file")
    }

    fn node(&self, below: &str, mode: u32) {
        self.file(below, "");
        fs::set_permissions(self.path(below), fs::Permissions::from_mode(mode)).expect("mode");
    }

    fn user(&self, uid: u32, capabilities: u64) {
        let text = format!(
            "Name:\ttest\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t4242\t4242\t4242\t4242\nGroups:\t7 4343 \nCapEff:\t{capabilities:016x}\n"
        );
        self.file("proc/self/status", &text);
    }

    fn link(&self, at: &str, to: &str) {
        let path = self.path(at);
        let _ = fs::remove_file(&path);
        symlink(to, path).expect("link");
    }

    /// A function of group `group`.
    fn function(&self, bdf: &str, identity: (u32, u32), driver: Option<&str>, group: Option<u32>) {
        let folder = format!("sys/bus/pci/devices/{bdf}");
        self.file(&format!("{folder}/vendor"), &format!("{:#06x}\n", identity.0));
        self.file(&format!("{folder}/device"), &format!("{:#06x}\n", identity.1));
        self.file(&format!("{folder}/driver_override"), "(null)\n");
        self.file(&format!("{folder}/numa_node"), "-1\n");
        if let Some(driver) = driver {
            self.file(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
            self.link(&format!("{folder}/driver"), &format!("../../drivers/{driver}"));
        }
        if let Some(group) = group {
            self.folder(&format!("sys/kernel/iommu_groups/{group}/devices/{bdf}"));
            self.link(&format!("{folder}/iommu_group"), &format!("../../../../kernel/iommu_groups/{group}"));
        }
    }
}

const OURS: (u32, u32) = (PCI_VENDOR, PCI_DEVICE);

fn bdf(text: &str) -> Bdf {
    text.parse().expect("an address")
}

#[test]
fn addresses_are_read_and_shown() {
    for (text, shown) in
        [("0000:03:00.0", "0000:03:00.0"), ("ff:1f.7", "0000:ff:1f.7"), ("10000:00:0A.3", "10000:00:0a.3")]
    {
        assert_eq!(bdf(text).to_string(), shown);
    }
    for wrong in [
        "",
        "03",
        "03:00",
        "0000:03:20.0",
        "0000:03:00.8",
        "0000:100:00.0",
        "a:b:c:d.0",
        "0000:03:00.",
        "+3:00.0",
        "0000:03:0x.0",
        "../..:00.0",
    ] {
        assert!(wrong.parse::<Bdf>().is_err(), "{wrong:?}");
    }
}

#[test]
fn our_functions_are_listed() {
    let tree = Tree::new();
    assert_eq!(bus::ours(&tree.root()).expect("a bus"), []);
    tree.function("0000:04:00.0", OURS, Some(VFIO_PCI), Some(12));
    tree.function("0000:03:00.0", OURS, None, None);
    tree.function("0000:00:1f.6", (0x8086, 0x15fb), Some("e1000e"), Some(9));
    tree.file("sys/bus/pci/devices/0000:03:00.0/numa_node", "1\n");
    tree.folder("sys/bus/pci/devices/0000:05:00.0");
    let found = bus::ours(&tree.root()).expect("a bus");
    assert_eq!(
        found.iter().map(|function| function.bdf.to_string()).collect::<Vec<_>>(),
        ["0000:03:00.0", "0000:04:00.0"]
    );
    assert_eq!((found[0].driver.as_deref(), found[0].iommu_group, found[0].numa_node), (None, None, Some(1)));
    assert_eq!(
        (found[1].driver.as_deref(), found[1].iommu_group, found[1].numa_node),
        (Some(VFIO_PCI), Some(12), None)
    );
    assert_eq!(bus::list(&tree.root(), 0x8086, 0x15fb).expect("a bus").len(), 1);
    assert_eq!(bus::ours(&Root::at(Path::new("/nonexistent"))).expect("no bus"), []);
}

#[test]
fn a_function_without_obstacles_has_none() {
    let tree = Tree::new();
    tree.function("0000:03:00.0", OURS, Some(VFIO_PCI), Some(3));
    tree.function("0000:00:01.0", (0x8086, 0x1901), Some("pcieport"), Some(3));
    tree.function("0000:03:00.1", OURS, None, Some(3));
    tree.node("dev/vfio/3", 0o666);
    assert_eq!(diagnose(&tree.root(), bdf("03:00.0")), []);
}

#[test]
fn each_obstacle_is_named() {
    let tree = Tree::new();
    let ours = bdf("03:00.0");
    assert_eq!(diagnose(&tree.root(), ours), [Obstacle::NoDevice { bdf: ours }]);

    tree.function("0000:03:00.0", OURS, Some("offnet"), Some(3));
    tree.node("dev/vfio/3", 0o666);
    let found = diagnose(&tree.root(), ours);
    assert_eq!(found, [Obstacle::OtherDriver { bdf: ours, driver: Some("offnet".to_owned()) }]);
    let text = found[0].to_string();
    assert!(text.contains("offnet has 0000:03:00.0") && text.contains("drivers_probe"), "{text}");

    tree.function("0000:03:00.0", OURS, Some(VFIO_PCI), Some(3));
    tree.function("0000:00:1f.6", (0x8086, 0x15fb), Some("e1000e"), Some(3));
    let found = diagnose(&tree.root(), ours);
    let others = vec![(bdf("00:1f.6"), "e1000e".to_owned())];
    assert_eq!(found, [Obstacle::NotViable { group: 3, others }]);
    assert!(found[0].to_string().ends_with("0000:00:1f.6 (e1000e)"), "{}", found[0]);
    fs::remove_dir(tree.path("sys/kernel/iommu_groups/3/devices/0000:00:1f.6")).expect("folder");

    tree.node("dev/vfio/3", 0o600);
    let facts = fs::metadata(tree.path("dev/vfio/3")).expect("node");
    if facts.uid() != 1000 {
        let forbidden =
            Obstacle::Forbidden { path: tree.path("dev/vfio/3"), mode: 0o600, uid: facts.uid(), gid: facts.gid() };
        let found = diagnose(&tree.root(), ours);
        assert_eq!(found, [forbidden]);
        assert!(found[0].to_string().contains(&format!("mode 600, owner {}", facts.uid())), "{}", found[0]);
        tree.user(1000, 2);
        assert_eq!(diagnose(&tree.root(), ours), [], "CAP_DAC_OVERRIDE");
        tree.user(facts.uid(), 0);
        assert_eq!(diagnose(&tree.root(), ours), [], "the owner");
        tree.user(1000, 0);
    }
    fs::remove_file(tree.path("dev/vfio/3")).expect("node");
    assert_eq!(diagnose(&tree.root(), ours), [Obstacle::NoNode { path: tree.path("dev/vfio/3") }]);
    tree.node("dev/vfio/3", 0o666);

    tree.file("proc/self/limits", "Max locked memory         8388608              8388608              bytes     \n");
    let found = diagnose(&tree.root(), ours);
    assert_eq!(found, [Obstacle::LockLimit { limit: 8 << 20, wanted: 64 << 20 }]);
    assert!(found[0].to_string().contains("only 8192 KiB"), "{}", found[0]);
    tree.user(1000, 1 << 14);
    assert_eq!(diagnose(&tree.root(), ours), [], "CAP_IPC_LOCK");
    tree.file("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes     \n");
    tree.user(1000, 0);
    assert_eq!(diagnose(&tree.root(), ours), []);

    fs::remove_dir_all(tree.path("sys/bus/pci/drivers/vfio-pci")).expect("folder");
    fs::remove_file(tree.path("sys/bus/pci/devices/0000:03:00.0/driver")).expect("link");
    fs::remove_file(tree.path("sys/bus/pci/devices/0000:03:00.0/iommu_group")).expect("link");
    let nothing = [
        Obstacle::NoDriver,
        Obstacle::NoIommu { bdf: ours, asked_for: true },
        Obstacle::OtherDriver { bdf: ours, driver: None },
    ];
    assert_eq!(diagnose(&tree.root(), ours), nothing);
    tree.file("proc/cmdline", "quiet\n");
    let found = diagnose(&tree.root(), ours);
    assert_eq!(found[1], Obstacle::NoIommu { bdf: ours, asked_for: false });
    assert!(found[1].to_string().contains("intel_iommu=on"), "{}", found[1]);
}

/// Plays the kernel: a function whose address is written to `from` gets the link to `driver`, or loses it.
fn kernel(tree: &Tree, from: &str, address: &str, driver: Option<&'static str>) -> std::thread::JoinHandle<()> {
    let (from, address, root) = (tree.path(from), address.to_owned(), tree.0.clone());
    std::thread::spawn(move || {
        let asked = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            fs::read_to_string(&from).is_ok_and(|text| text == address)
        });
        if asked {
            let link = root.join(format!("sys/bus/pci/devices/{address}/driver"));
            let _ = fs::remove_file(&link);
            if let Some(driver) = driver {
                symlink(format!("../../drivers/{driver}"), link).expect("link");
            }
        }
    })
}

#[test]
fn a_function_changes_its_driver() {
    let tree = Tree::new();
    tree.function("0000:03:00.0", OURS, Some("offnet"), Some(3));
    let ours = bdf("03:00.0");
    let lets_go = kernel(&tree, "sys/bus/pci/drivers/offnet/unbind", "0000:03:00.0", None);
    let takes = kernel(&tree, "sys/bus/pci/drivers_probe", "0000:03:00.0", Some(VFIO_PCI));
    bus::bind(&tree.root(), ours, VFIO_PCI).expect("bind");
    for thread in [lets_go, takes] {
        thread.join().expect("kernel");
    }
    // sysfs files are not truncated, ours are neither.
    assert!(tree.text("sys/bus/pci/devices/0000:03:00.0/driver_override").starts_with(VFIO_PCI));
    bus::bind(&tree.root(), ours, VFIO_PCI).expect("nothing to do");

    tree.file("sys/bus/pci/drivers/vfio-pci/unbind", "");
    let lets_go = kernel(&tree, "sys/bus/pci/drivers/vfio-pci/unbind", "0000:03:00.0", None);
    bus::unbind(&tree.root(), ours).expect("unbind");
    lets_go.join().expect("kernel");
    assert!(tree.text("sys/bus/pci/devices/0000:03:00.0/driver_override").starts_with('\n'));
}

#[test]
fn binding_says_what_is_wrong() {
    let tree = Tree::new();
    let ours = bdf("03:00.0");
    let error = bus::bind(&tree.root(), ours, VFIO_PCI).expect_err("no device").to_string();
    assert!(error.contains("0000:03:00.0"), "{error}");
    tree.function("0000:03:00.0", OURS, None, Some(3));
    let error = bus::bind(&tree.root(), ours, "vfio-none").expect_err("no driver").to_string();
    assert!(error.contains("modprobe vfio-none"), "{error}");
    let error = bus::bind(&tree.root(), ours, VFIO_PCI).expect_err("nobody plays the kernel").to_string();
    assert!(error.contains("did not take 0000:03:00.0"), "{error}");
}
