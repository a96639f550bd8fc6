//! Network devices for ifindexes that programs see: made over rtnetlink in the thread's own namespace, never brought up.

use super::sys;
use std::io;

/// Receive queues that a made device has.
pub(super) const QUEUES: u32 = 64;

const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
/// NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE.
const FLAGS: u16 = 0x1 | 0x4 | 0x200 | 0x400;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_INFO_KIND: u16 = 1;

/// Makes a device with this ifindex. Kernels differ in what they can make: the first kind that works is taken.
pub(super) fn make(ifindex: u32) -> io::Result<()> {
    let mut last = Ok(());
    for kind in ["dummy", "ifb", "bridge"] {
        last = make_kind(ifindex, kind);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn make_kind(ifindex: u32, kind: &str) -> io::Result<()> {
    let mut name = format!("ow{ifindex}").into_bytes();
    name.push(0);
    let mut body = vec![0u8; 16];
    body[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    attribute(&mut body, IFLA_IFNAME, &name);
    attribute(&mut body, IFLA_NUM_RX_QUEUES, &QUEUES.to_ne_bytes());
    let mut info = Vec::new();
    attribute(&mut info, IFLA_INFO_KIND, kind.as_bytes());
    attribute(&mut body, IFLA_LINKINFO, &info);

    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&(16 + body.len() as u32).to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&FLAGS.to_ne_bytes());
    message.extend_from_slice(&1u32.to_ne_bytes());
    message.extend_from_slice(&0u32.to_ne_bytes());
    message.extend_from_slice(&body);

    let answer = sys::rtnetlink(&message)?;
    let kind = answer.get(4..6).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(16..20).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::Error::other("rtnetlink gave no answer")),
    }
}

/// Appends a netlink attribute, padded to 4 bytes.
fn attribute(to: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    to.extend_from_slice(&(4 + payload.len() as u16).to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(payload);
    to.resize(to.len().next_multiple_of(4), 0);
}
