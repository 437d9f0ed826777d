//! Packet sockets: what safe wrappers do not cover of AF_PACKET, and an interface's own data.

use super::tuntap::{check, request_for};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Opens a non-blocking packet socket for all protocols on the interface `index`, whose own outgoing
/// packets it does not see. Packets have virtio-net headers; `promiscuous` asks for frames to any address.
pub(crate) fn open(index: u32, promiscuous: bool) -> io::Result<OwnedFd> {
    // No protocol yet: nothing arrives, from whatever interface, until the socket is bound and set up.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    set(&socket, libc::PACKET_IGNORE_OUTGOING, &1)?;
    set(&socket, libc::PACKET_VNET_HDR, &1)?;
    if promiscuous {
        let membership = libc::packet_mreq {
            mr_ifindex: index as c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    }
    // Beyond the system's limit only with CAP_NET_ADMIN; otherwise as far as the limit goes.
    if set_at(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER).is_err() {
        set_at(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &BUFFER)?;
    }
    if set_at(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER).is_err() {
        set_at(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, &BUFFER)?;
    }
    socket.bind(&address(index)?)?;
    Ok(socket.into())
}

/// Bytes of packets that wait in the kernel for their reader, or for the interface: the default holds three
/// super-packets.
const BUFFER: c_int = 8 << 20;

/// Packets that the kernel dropped since the last call because their reader was late.
pub(crate) fn dropped(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the socket is open, and the value is writable for the length given.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    })?;
    Ok(stats.tp_drops)
}

fn set<T: Copy>(socket: &Socket, option: c_int, value: &T) -> io::Result<()> {
    set_at(socket, libc::SOL_PACKET, option, value)
}

/// Sets an option. `T` has to be the plain C type that the option takes.
fn set_at<T: Copy>(socket: &Socket, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the socket is open, and the value is readable for the length given.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), len) })
}

/// The address that binds to all protocols of one interface.
fn address(index: u32) -> io::Result<SockAddr> {
    // SAFETY: the storage is larger than a `sockaddr_ll` and aligned for any address; the family and the
    // length written are those of a `sockaddr_ll`.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, len| {
            let link = storage.cast::<libc::sockaddr_ll>();
            (*link).sll_family = libc::AF_PACKET as libc::sa_family_t;
            (*link).sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            (*link).sll_ifindex = index as c_int;
            *len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}

/// The hardware address of an interface. Any socket will do for `socket`.
pub(crate) fn hardware_address(socket: BorrowedFd<'_>, name: &str) -> io::Result<[u8; 6]> {
    let mut request = request_for(name)?;
    // SAFETY: the descriptor is open, and SIOCGIFHWADDR reads and writes one `ifreq`; on success its
    // `ifru_hwaddr` is the union's live member.
    let data = unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request))?;
        request.ifr_ifru.ifru_hwaddr.sa_data
    };
    Ok(std::array::from_fn(|at| data[at] as u8))
}

/// The MTU of an interface. Any socket will do for `socket`.
pub(crate) fn mtu(socket: BorrowedFd<'_>, name: &str) -> io::Result<usize> {
    let mut request = request_for(name)?;
    // SAFETY: the descriptor is open, and SIOCGIFMTU reads and writes one `ifreq`; on success its
    // `ifru_mtu` is the union's live member.
    let mtu = unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request))?;
        request.ifr_ifru.ifru_mtu
    };
    Ok(usize::try_from(mtu).unwrap_or(0))
}
