//! System calls: with `perf`, the only unsafe code of this crate. Each function is safe to call: lengths are checked against what the kernel
//! will read or write before it gets a pointer. Structures follow `union bpf_attr` of include/uapi/linux/bpf.h.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const MAP_CREATE: libc::c_long = 0;
const MAP_LOOKUP_ELEM: libc::c_long = 1;
const MAP_UPDATE_ELEM: libc::c_long = 2;
const MAP_GET_NEXT_KEY: libc::c_long = 4;
const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const BTF_LOAD: libc::c_long = 18;
const MAP_FREEZE: libc::c_long = 22;
const MAP_LOOKUP_BATCH: libc::c_long = 24;

/// BPF_PROG_TYPE_XDP.
const PROG_TYPE_XDP: u32 = 6;

/// Calls bpf(2).
///
/// # Safety
/// `T` is the kernel's structure for the command, and each address and length in it names memory that lives during the call
/// and may be read or written as the command does.
unsafe fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the structure itself is exclusively borrowed and its size is its own; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub(super) fn own(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel has just made this file descriptor for us, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr() as u64
}

fn address_mut(bytes: &mut [u8]) -> u64 {
    bytes.as_mut_ptr() as u64
}

fn wrong_length() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// What MAP_CREATE takes.
#[derive(Clone, Copy)]
pub(super) struct MapParams<'a> {
    pub(super) kind: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
    pub(super) name: &'a str,
    /// Bytes that user space exchanges for a value: all CPUs' copies for per-CPU maps.
    pub(super) user_value_size: usize,
    /// For maps of maps: a map like those that stand in it.
    pub(super) inner: Option<&'a Map>,
    /// Types of key and value.
    pub(super) types: Option<MapTypes<'a>>,
}

/// Types of key and value in BTF that the kernel holds.
#[derive(Clone, Copy)]
pub(super) struct MapTypes<'a> {
    pub(super) btf: &'a OwnedFd,
    pub(super) key: u32,
    pub(super) value: u32,
}

/// A map of the kernel.
pub(super) struct Map {
    fd: OwnedFd,
    key_size: usize,
    user_value_size: usize,
}

#[repr(C)]
#[derive(Default)]
struct MapCreateAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
    map_ifindex: u32,
    btf_fd: u32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
}

#[repr(C)]
#[derive(Default)]
struct MapElemAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value_or_next: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

impl Map {
    pub(super) fn create(params: &MapParams<'_>) -> io::Result<Self> {
        let mut attr = MapCreateAttr {
            map_type: params.kind,
            key_size: params.key_size,
            value_size: params.value_size,
            max_entries: params.max_entries,
            map_flags: params.flags,
            map_name: object_name(params.name),
            inner_map_fd: params.inner.map_or(0, |inner| inner.raw_fd() as u32),
            btf_fd: params.types.map_or(0, |types| types.btf.as_raw_fd() as u32),
            btf_key_type_id: params.types.map_or(0, |types| types.key),
            btf_value_type_id: params.types.map_or(0, |types| types.value),
            ..MapCreateAttr::default()
        };
        // SAFETY: MAP_CREATE takes this structure, which holds no addresses.
        let fd = unsafe { bpf(MAP_CREATE, &mut attr)? };
        Ok(Self { fd: own(fd), key_size: params.key_size as usize, user_value_size: params.user_value_size })
    }

    pub(super) fn raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    fn elem(&self) -> MapElemAttr {
        MapElemAttr { map_fd: self.raw_fd() as u32, ..MapElemAttr::default() }
    }

    pub(super) fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if key.len() != self.key_size || value.len() != self.user_value_size {
            return Err(wrong_length());
        }
        let mut attr = MapElemAttr { key: address(key), value_or_next: address(value), ..self.elem() };
        // SAFETY: the kernel reads key_size and user_value_size bytes, which key and value have.
        unsafe { bpf(MAP_UPDATE_ELEM, &mut attr)? };
        Ok(())
    }

    pub(super) fn lookup(&self, key: &[u8], value: &mut [u8]) -> io::Result<()> {
        if key.len() != self.key_size || value.len() != self.user_value_size {
            return Err(wrong_length());
        }
        let mut attr = MapElemAttr { key: address(key), value_or_next: address_mut(value), ..self.elem() };
        // SAFETY: the kernel reads key_size bytes and writes user_value_size bytes, which key and value have.
        unsafe { bpf(MAP_LOOKUP_ELEM, &mut attr)? };
        Ok(())
    }

    /// The key after `key`, or the first one; false at the end.
    pub(super) fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
        if key.is_some_and(|key| key.len() != self.key_size) || next.len() != self.key_size {
            return Err(wrong_length());
        }
        let mut attr = MapElemAttr { key: key.map_or(0, address), value_or_next: address_mut(next), ..self.elem() };
        // SAFETY: the kernel reads key_size bytes (or takes a null key) and writes key_size bytes, which key and next have.
        match unsafe { bpf(MAP_GET_NEXT_KEY, &mut attr) } {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Up to `keys.len() / key_size` entries, starting at `from` (`None`: at the start). `token` receives where to go on. Gives
    /// the number of entries and whether there are more.
    pub(super) fn lookup_batch(
        &self,
        from: Option<&[u8]>,
        token: &mut [u8],
        keys: &mut [u8],
        values: &mut [u8],
    ) -> io::Result<(usize, bool)> {
        // Hash maps use a 4-byte token, arrays a key (kernel/bpf/syscall.c, generic_map_lookup_batch).
        let token_size = self.key_size.max(4);
        let count = keys.len() / self.key_size;
        if from.is_some_and(|from| from.len() < token_size)
            || token.len() < token_size
            || values.len() < count * self.user_value_size
        {
            return Err(wrong_length());
        }
        let mut attr = BatchAttr {
            in_batch: from.map_or(0, address),
            out_batch: address_mut(token),
            keys: address_mut(keys),
            values: address_mut(values),
            count: u32::try_from(count).map_err(|_| wrong_length())?,
            map_fd: self.raw_fd() as u32,
            ..BatchAttr::default()
        };
        // SAFETY: the kernel writes at most `count` keys and values and one token, and reads one token; all lengths are checked.
        match unsafe { bpf(MAP_LOOKUP_BATCH, &mut attr) } {
            Ok(_) => Ok((attr.count as usize, true)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok((attr.count as usize, false)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn freeze(&self) -> io::Result<()> {
        let mut attr = self.elem();
        // SAFETY: MAP_FREEZE reads map_fd only; the rest is zero.
        unsafe { bpf(MAP_FREEZE, &mut attr)? };
        Ok(())
    }
}

#[repr(C)]
#[derive(Default)]
struct ProgLoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    pad: u32,
}

/// What PROG_LOAD takes.
#[derive(Clone, Copy)]
pub(super) struct ProgParams<'a> {
    pub(super) insns: &'a [[u8; 8]],
    pub(super) license: &'a std::ffi::CStr,
    pub(super) name: &'a str,
    pub(super) flags: u32,
    pub(super) expected_attach_type: u32,
    pub(super) log_level: u32,
    /// BTF and the functions' types in it (`struct bpf_func_info`).
    pub(super) functions: Option<(&'a OwnedFd, &'a [[u32; 2]])>,
}

/// Loads BTF.
pub(super) fn btf_load(bytes: &[u8]) -> io::Result<OwnedFd> {
    let size = u32::try_from(bytes.len()).map_err(|_| wrong_length())?;
    let mut attr = BtfLoadAttr { btf: address(bytes), btf_size: size, ..BtfLoadAttr::default() };
    // SAFETY: the kernel reads btf_size bytes; there is no log buffer.
    let fd = unsafe { bpf(BTF_LOAD, &mut attr)? };
    Ok(own(fd))
}

#[repr(C)]
#[derive(Default)]
struct BtfLoadAttr {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    pad: u32,
}

/// Loads a program; `log` may be empty if the level is 0.
pub(super) fn prog_load(params: &ProgParams<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = ProgLoadAttr {
        prog_type: PROG_TYPE_XDP,
        insn_cnt: u32::try_from(params.insns.len()).map_err(|_| wrong_length())?,
        insns: params.insns.as_ptr() as u64,
        license: params.license.as_ptr() as u64,
        log_level: params.log_level,
        log_size: if params.log_level == 0 { 0 } else { u32::try_from(log.len()).map_err(|_| wrong_length())? },
        log_buf: if params.log_level == 0 { 0 } else { address_mut(log) },
        prog_flags: params.flags,
        prog_name: object_name(params.name),
        expected_attach_type: params.expected_attach_type,
        prog_btf_fd: params.functions.map_or(0, |(btf, _)| btf.as_raw_fd() as u32),
        func_info_rec_size: params.functions.map_or(0, |_| size_of::<[u32; 2]>() as u32),
        func_info: params.functions.map_or(0, |(_, functions)| functions.as_ptr() as u64),
        func_info_cnt: params.functions.map_or(0, |(_, functions)| functions.len() as u32),
        ..ProgLoadAttr::default()
    };
    // SAFETY: the kernel reads insn_cnt instructions, func_info_cnt records and the license up to its NUL, and writes log_size
    // bytes at most.
    let fd = unsafe { bpf(PROG_LOAD, &mut attr)? };
    Ok(own(fd))
}

#[repr(C)]
#[derive(Default)]
struct TestRunAttr {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    pad: u32,
}

/// What a test run gives.
pub(super) struct TestRun {
    pub(super) retval: u32,
    /// Bytes written to `out`: metadata, then the frame.
    pub(super) len: usize,
    /// How many of them are metadata.
    pub(super) meta: usize,
    /// Mean nanoseconds a run.
    pub(super) duration: u32,
}

/// Runs a program on a packet. `ctx` is a struct xdp_md.
pub(super) fn test_run(
    prog: &OwnedFd,
    packet: &[u8],
    out: &mut [u8],
    ctx: &[u8; 24],
    repeat: u32,
) -> io::Result<TestRun> {
    let mut after = [0; 24];
    let mut attr = TestRunAttr {
        prog_fd: prog.as_raw_fd() as u32,
        data_size_in: u32::try_from(packet.len()).map_err(|_| wrong_length())?,
        data_size_out: u32::try_from(out.len()).map_err(|_| wrong_length())?,
        data_in: address(packet),
        data_out: address_mut(out),
        repeat,
        ctx_size_in: u32::try_from(ctx.len()).map_err(|_| wrong_length())?,
        ctx_in: address(ctx),
        ctx_size_out: after.len() as u32,
        ctx_out: address_mut(&mut after),
        ..TestRunAttr::default()
    };
    // SAFETY: the kernel reads data_size_in and ctx_size_in bytes and writes data_size_out and ctx_size_out bytes
    // at most.
    unsafe { bpf(PROG_TEST_RUN, &mut attr)? };
    let len = (attr.data_size_out as usize).min(out.len());
    // xdp_convert_buff_to_md counts `data` from `data_meta`.
    let meta = after.first_chunk().map_or(0, |data| u32::from_ne_bytes(*data) as usize).min(len);
    Ok(TestRun { retval: attr.retval, len, meta, duration: attr.duration })
}

/// Puts the calling thread into a network namespace of its own.
pub(super) fn unshare_net() -> io::Result<()> {
    // SAFETY: unshare(2) with CLONE_NEWNET touches no memory of ours.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Mounts tracefs where only the calling thread sees it.
pub(super) fn mount_tracefs(at: &std::ffi::CStr) -> io::Result<()> {
    let done = |result: i32| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: unshare(2) with CLONE_NEWNS touches no memory of ours.
    done(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let none = std::ptr::null();
    // SAFETY: all strings end with NUL; null pointers stand for arguments that these calls do not use.
    done(unsafe { libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) })?;
    // SAFETY: as above.
    done(unsafe { libc::mount(c"tracefs".as_ptr(), at.as_ptr(), c"tracefs".as_ptr(), 0, none.cast()) })
}

/// The kernel's number of the calling thread.
pub(super) fn thread_id() -> i32 {
    // SAFETY: gettid(2) takes nothing.
    unsafe { libc::gettid() }
}

/// Binds the calling thread to one CPU.
pub(super) fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    let mut set = [0u8; 128];
    let byte = set.get_mut(cpu / 8).ok_or_else(wrong_length)?;
    *byte = 1 << (cpu % 8);
    // SAFETY: the kernel reads `set.len()` bytes of the set; pid 0 is the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, set.len(), set.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends one rtnetlink request and gives the answer's bytes.
pub(super) fn rtnetlink(request: &[u8]) -> io::Result<Vec<u8>> {
    // SAFETY: socket(2) takes plain numbers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let socket = own(libc::c_long::from(fd));
    // SAFETY: the kernel reads request.len() bytes.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = vec![0u8; 4096];
    // SAFETY: the kernel writes answer.len() bytes at most.
    let got = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    match usize::try_from(got) {
        Ok(len) => {
            answer.truncate(len);
            Ok(answer)
        }
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// A name as the kernel takes it: 15 bytes of [A-Za-z0-9_.] (kernel/bpf/syscall.c, bpf_obj_name_cpy).
fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let allowed = name.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'.');
    for (to, from) in out.iter_mut().take(15).zip(allowed) {
        *to = from;
    }
    out
}

/// A ring buffer map, mapped into memory (kernel/bpf/ringbuf.c, struct bpf_ringbuf): a page with the reader's position, which
/// we write, then a page with the writers' position and the data, twice in a row so that no record is cut.
pub(super) struct Ring {
    consumer: *mut libc::c_void,
    producer: *mut libc::c_void,
    page: usize,
    size: usize,
}

/// Bits of a record's length (BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT).
const RECORD_BUSY: u32 = 1 << 31;
const RECORD_DISCARDED: u32 = 1 << 30;
const RECORD_HEADER: usize = 8;

impl Ring {
    /// Maps a ring buffer whose data area has `size` bytes, a power of two.
    pub(super) fn open(map: &Map, size: usize) -> io::Result<Self> {
        // SAFETY: sysconf(3) takes a plain number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).map_err(|_| wrong_length())?;
        if !size.is_power_of_two() || size < page {
            return Err(wrong_length());
        }
        let map_at = |length: usize, protection: i32, offset: usize| {
            // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
            let at = unsafe {
                let offset = libc::off_t::try_from(offset).map_err(|_| wrong_length())?;
                libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, map.raw_fd(), offset)
            };
            if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at) }
        };
        let consumer = map_at(page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        match map_at(page + 2 * size, libc::PROT_READ, page) {
            Ok(producer) => Ok(Self { consumer, producer, page, size }),
            Err(error) => {
                // SAFETY: the page was mapped above and nobody holds a pointer into it.
                unsafe { libc::munmap(consumer, page) };
                Err(error)
            }
        }
    }

    /// Takes all records out of the ring, oldest first, without the discarded ones.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
        let mut records = Vec::new();
        // SAFETY: both pages begin with an aligned position, live as long as `self`, and are shared with the kernel, which
        // uses atomic accesses as we do.
        let (read, written) = unsafe { (&*self.consumer.cast::<AtomicUsize>(), &*self.producer.cast::<AtomicUsize>()) };
        let mut at = read.load(Ordering::Acquire);
        while at < written.load(Ordering::Acquire) {
            let offset = self.page + (at & (self.size - 1));
            // SAFETY: records start 8 bytes aligned inside the data area; a header never leaves its second copy.
            let header = unsafe { &*self.producer.byte_add(offset).cast::<AtomicU32>() };
            let word = header.load(Ordering::Acquire);
            if word & RECORD_BUSY != 0 {
                break;
            }
            let len = (word & !RECORD_DISCARDED) as usize;
            if word & RECORD_DISCARDED == 0 && len <= self.size {
                // SAFETY: the record has at most `size` bytes behind its header and so ends inside the second copy; a
                // submitted record does not change until the position below is written.
                let bytes = unsafe {
                    let first = self.producer.byte_add(offset + RECORD_HEADER).cast::<u8>();
                    std::slice::from_raw_parts(first, len)
                };
                records.push(bytes.to_vec());
            }
            at += (len + RECORD_HEADER).next_multiple_of(8);
            read.store(at, Ordering::Release);
        }
        records
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: both were mapped by `open` with these lengths, and no pointer into them is left.
        unsafe {
            libc::munmap(self.consumer, self.page);
            libc::munmap(self.producer, self.page + 2 * self.size);
        }
    }
}
