//! An interface of this machine, through a packet socket (packet(7)).
//!
//! What a network stack sends is not yet what is on a wire: checksums are left to the card, segments of TCP are larger
//! than the MTU, VLAN tags stand beside the frame. A veth pair hands all of that to its other end as it is. So frames
//! come with the kernel's virtio_net_hdr (PACKET_VNET_HDR) and its auxiliary data, and [`offload`](super::offload) does
//! what a card would do.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::offload::{self, HEADER, Tag};
use super::{PortCounters, Wire};
use crate::sys::{self, check, check_size, control_len, len_of};

/// The largest segment that a stack gives to a card, with its headers.
const SEGMENT: usize = (64 << 10) + 512;

/// A request about the interface of the name.
pub(super) fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: an all-zero ifreq is a valid value of the type.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays NUL.
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, &from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

/// A socket that interfaces can be asked about with.
fn control() -> io::Result<OwnedFd> {
    // SAFETY: socket takes numbers only.
    let fd = check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call above made it.
    Ok(unsafe { sys::own(fd) })
}

/// Sets the interface up, as `ip link set up` does.
pub(super) fn set_up(name: &str) -> io::Result<()> {
    let control = control()?;
    let mut request = interface_request(name)?;
    // SAFETY: the kernel reads and writes one ifreq, which lives in this frame.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: SIOCGIFFLAGS has written the flags.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    // SAFETY: as above.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) }).map(|_| ())
}

/// Number of the interface.
fn index(name: &str) -> io::Result<libc::c_int> {
    let control = control()?;
    let mut request = interface_request(name)?;
    // SAFETY: the kernel reads and writes one ifreq, which lives in this frame.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) })?;
    // SAFETY: SIOCGIFINDEX has written the index.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

pub(super) struct Interface {
    name: String,
    index: libc::c_int,
    socket: OwnedFd,
    buffer: Box<[u8]>,
    /// A frame on its way out, behind an empty header.
    out: Vec<u8>,
}

impl Interface {
    /// Opens the interface for all frames, those for other stations too, but not for what goes out of it.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let index = index(name)?;
        // Protocol 0: nothing comes before the socket is bound to its interface.
        // SAFETY: socket takes numbers only.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
        // SAFETY: the call above made it.
        let socket = unsafe { sys::own(fd) };
        for option in [libc::PACKET_IGNORE_OUTGOING, libc::PACKET_AUXDATA, libc::PACKET_VNET_HDR] {
            set_option(&socket, option, &1i32)?;
        }
        // SAFETY: an all-zero packet_mreq is a valid value of the type.
        let mut membership: libc::packet_mreq = unsafe { std::mem::zeroed() };
        membership.mr_ifindex = index;
        membership.mr_type = libc::PACKET_MR_PROMISC as _;
        set_option(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
        // SAFETY: an all-zero sockaddr_ll is a valid value of the type.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index;
        // SAFETY: the address lives in this frame and has the length that is given.
        check(unsafe {
            libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), len_of::<libc::sockaddr_ll>())
        })?;
        let name = name.to_owned();
        Ok(Interface { name, index, socket, buffer: vec![0; HEADER + SEGMENT].into(), out: Vec::new() })
    }

    /// One message of the kernel: bytes of it, and the tag beside it. `None`: there is none.
    fn message(&mut self) -> io::Result<Option<(usize, Option<Tag>)>> {
        #[repr(C, align(8))]
        struct Control([u8; 128]);
        let mut control = Control([0; 128]);
        let mut part = libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
        // SAFETY: an all-zero msghdr is a valid value of the type.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len() as _;
        // SAFETY: the message points to one part, which is the buffer, and to the control buffer, each with its length.
        let result =
            unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT | libc::MSG_TRUNC) };
        let len = match check_size(result) {
            Ok(len) => len,
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => return Ok(None),
                // The interface went down; it may come back.
                Some(libc::ENETDOWN) => return Ok(None),
                _ => return Err(error),
            },
        };
        let mut tag = None;
        // SAFETY: the kernel has filled `msg_controllen` bytes of the control buffer; CMSG_FIRSTHDR and CMSG_NXTHDR
        // stay inside of them; a PACKET_AUXDATA message holds a tpacket_auxdata, whose length is checked.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while let Some(found) = header.as_ref() {
                let whole = libc::CMSG_LEN(size_of::<libc::tpacket_auxdata>() as libc::c_uint) as usize;
                if (found.cmsg_level, found.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA)
                    && control_len(found) >= whole
                {
                    let data = libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>().read_unaligned();
                    if data.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                        let known = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
                        let tpid = if known { data.tp_vlan_tpid } else { libc::ETH_P_8021Q as u16 };
                        tag = Some(Tag { tpid, tci: data.tp_vlan_tci });
                    }
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Ok(Some((len, tag)))
    }
}

fn set_option<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value lives as long as the call and has the length that is given.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, std::ptr::from_ref(value).cast(), len_of::<T>())
    };
    check(result).map(|_| ())
}

impl Wire for Interface {
    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, counters: &mut PortCounters, frames: &mut Vec<Vec<u8>>) -> io::Result<bool> {
        let Some((len, tag)) = self.message()? else { return Ok(false) };
        let finished = self.buffer.get(..len).and_then(|message| offload::finish(message, tag, frames));
        if finished.is_none() {
            counters.refused += 1;
        }
        Ok(true)
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        // An empty header: nothing is left to do.
        self.out.clear();
        self.out.resize(HEADER, 0);
        self.out.extend_from_slice(frame);
        // SAFETY: the kernel reads `out.len()` bytes of `out`.
        let result = unsafe {
            libc::send(self.socket.as_raw_fd(), self.out.as_ptr().cast(), self.out.len(), libc::MSG_DONTWAIT)
        };
        match check_size(result) {
            Ok(_) => Ok(true),
            Err(error) => match error.raw_os_error() {
                // No room; down; longer than the MTU; shorter than a header.
                Some(
                    libc::EAGAIN
                    | libc::EINTR
                    | libc::ENOBUFS
                    | libc::ENETDOWN
                    | libc::ENXIO
                    | libc::EMSGSIZE
                    | libc::EINVAL,
                ) => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// A socket whose interface was deleted says nothing: another one of the same name is another one.
    fn check(&self) -> io::Result<()> {
        if index(&self.name)? == self.index { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENODEV)) }
    }
}
