//! Opening queues of TUN and TAP devices.

use std::ffi::{c_char, c_uint};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

/// What a queue is opened as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    /// Ethernet frames rather than IP packets.
    pub(crate) tap: bool,
    /// A virtio-net header before each packet, with TSO and checksum offload in both directions.
    pub(crate) vnet: bool,
    /// More queues of the same device will follow or exist.
    pub(crate) multi_queue: bool,
}

/// Opens a queue of the device `name`, which is created if need be (an empty name, or one with `%d`, lets
/// the kernel choose). Non-blocking. Returns the queue and the device's name.
pub(crate) fn open(name: &str, flags: Flags) -> io::Result<(OwnedFd, String)> {
    let file =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    let fd = OwnedFd::from(file);
    let mut request = request_for(name)?;
    let mut wanted = libc::IFF_NO_PI | if flags.tap { libc::IFF_TAP } else { libc::IFF_TUN };
    if flags.vnet {
        wanted |= libc::IFF_VNET_HDR;
    }
    if flags.multi_queue {
        wanted |= libc::IFF_MULTI_QUEUE;
    }
    request.ifr_ifru.ifru_flags = wanted as libc::c_short;
    // SAFETY: the descriptor is open, and TUNSETIFF reads and writes one `ifreq`, which outlives the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) })?;
    // UDP super-packets are left out: nothing here would cut them for whoever takes what is not TCP.
    let offload: c_uint = match flags.vnet {
        true => libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN,
        false => 0,
    };
    // SAFETY: the descriptor is open, and TUNSETOFFLOAD takes its argument by value.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::c_ulong::from(offload)) })?;
    Ok((fd, name_of(&request)))
}

/// An interface request that names an interface.
pub(super) fn request_for(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: `ifreq` is made of integers, arrays and unions of such; all zeroes is a value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() || name.contains(['\0', '/', ' ']) {
        let limit = request.ifr_name.len() - 1;
        let what =
            format!("interface name {name:?}: 1 to {limit} bytes without space, slash and NUL are allowed");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    Ok(request)
}

fn name_of(request: &libc::ifreq) -> String {
    let bytes: Vec<u8> =
        request.ifr_name.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
