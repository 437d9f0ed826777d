//! The system calls of scripts, made on the host's kernel.

use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use super::last_errno;
use super::messages::{self, Control, Iovecs};
use crate::call::{Address, Answer, Buffer, Call, Fd, Outcome, ReceiveBy, SendBy};

/// What the ellipsis stands for in addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// IPv4 addresses are given as IPv4-mapped IPv6 ones.
    pub mapped: bool,
}

/// A socket address in C's form.
struct Sockaddr {
    bytes: [u8; 28],
    len: u32,
}

fn sockaddr(address: Address, names: &Names) -> Sockaddr {
    let address = match address {
        Address::Local => names.local,
        Address::Remote => names.remote,
        Address::Literal(literal) => literal,
        Address::Unspecified => return Sockaddr { bytes: [0; 28], len: 16 },
    };
    let ip = match address.ip() {
        IpAddr::V4(ip) if names.mapped => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    };
    let mut bytes = [0; 28];
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match ip {
        IpAddr::V4(ip) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            bytes[4..8].copy_from_slice(&ip.octets());
            Sockaddr { bytes, len: 16 }
        }
        IpAddr::V6(ip) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            bytes[8..24].copy_from_slice(&ip.octets());
            Sockaddr { bytes, len: 28 }
        }
    }
}

fn peer_of(bytes: &[u8; 128]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = match i32::from(u16::from_ne_bytes([bytes[0], bytes[1]])) {
        libc::AF_INET => IpAddr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?),
        libc::AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// -1 becomes the error.
fn outcome(result: i64) -> Outcome {
    if result < 0 { Outcome::failed(last_errno()) } else { Outcome::done(result) }
}

/// Success with an answer, made only then.
fn answered(result: i64, answer: impl FnOnce() -> Answer) -> Outcome {
    if result < 0 { Outcome::failed(last_errno()) } else { Outcome::with(result, answer()) }
}

/// Makes the call. Descriptors are made close-on-exec, lest a command that another script starts keeps a socket
/// open that this one closes.
pub(crate) fn execute(call: &Call, names: &Names) -> Outcome {
    match call {
        Call::Socket { domain, kind, protocol } => {
            // SAFETY: no pointers.
            outcome(i64::from(unsafe { libc::socket(*domain, *kind | libc::SOCK_CLOEXEC, *protocol) }))
        }
        Call::Bind { fd, address } => {
            let name = sockaddr(*address, names);
            // SAFETY: the address is alive during the call and as long as it is said to be.
            outcome(i64::from(unsafe { libc::bind(*fd as i32, name.bytes.as_ptr().cast(), name.len) }))
        }
        // SAFETY: no pointers.
        Call::Listen { fd, backlog } => outcome(i64::from(unsafe { libc::listen(*fd as i32, *backlog) })),
        Call::Accept { fd, flags } => accept(*fd, *flags),
        Call::Connect { fd, address } => {
            let name = sockaddr(*address, names);
            // SAFETY: the address is alive during the call and as long as it is said to be.
            outcome(i64::from(unsafe { libc::connect(*fd as i32, name.bytes.as_ptr().cast(), name.len) }))
        }
        Call::Name { fd, peer } => name(*fd, *peer),
        Call::Receive { fd, by, buffers, flags, control } => receive(*fd, *by, buffers, *flags, *control),
        Call::Send { fd, by, buffers, flags, address, control } => {
            let to = address.map(|address| sockaddr(address, names));
            send(*fd, *by, buffers, *flags, to, control)
        }
        Call::SendFile { output, input, offset, count } => {
            let mut at = offset.unwrap_or(0);
            let offset = if offset.is_some() { &raw mut at } else { ptr::null_mut() };
            // SAFETY: the offset is NULL or a local that lives on.
            outcome(unsafe { libc::sendfile(*output as i32, *input as i32, offset, *count) } as i64)
        }
        Call::Splice { input, input_offset, output, output_offset, len, flags } => {
            let (mut from, mut to) = (input_offset.unwrap_or(0), output_offset.unwrap_or(0));
            let from = if input_offset.is_some() { &raw mut from } else { ptr::null_mut() };
            let to = if output_offset.is_some() { &raw mut to } else { ptr::null_mut() };
            // SAFETY: both offsets are NULL or locals that live on.
            outcome(unsafe { libc::splice(*input as i32, from, *output as i32, to, *len, *flags) } as i64)
        }
        Call::Fcntl { fd, command, argument } => {
            // SAFETY: the commands that scripts use take an int or nothing.
            outcome(i64::from(unsafe { libc::fcntl(*fd as i32, *command, argument.unwrap_or(0)) }))
        }
        Call::Ioctl { fd, request, argument } => {
            let mut value = argument.unwrap_or(0);
            let place = if argument.is_some() { &raw mut value } else { ptr::null_mut() };
            // SAFETY: NULL, which gives EFAULT, or one int, which is what the requests of scripts read and write.
            let result = unsafe { libc::ioctl(*fd as i32, *request as libc::c_ulong, place) };
            answered(i64::from(result), || Answer::Int(value))
        }
        // SAFETY: descriptors of scripts are owned by nobody else in this process.
        Call::Close { fd } => outcome(i64::from(unsafe { libc::close(*fd as i32) })),
        // SAFETY: no pointers.
        Call::Shutdown { fd, how } => outcome(i64::from(unsafe { libc::shutdown(*fd as i32, *how) })),
        Call::GetSockOpt { fd, level, name, len, null: true } => {
            let mut len = *len as u32;
            // SAFETY: a NULL value gives EFAULT; the length is a local that lives on.
            let result =
                unsafe { libc::getsockopt(*fd as i32, *level, *name, ptr::null_mut(), &raw mut len) };
            outcome(i64::from(result))
        }
        Call::GetSockOpt { fd, level, name, len, null: false } => get_option(*fd, *level, *name, *len),
        Call::SetSockOpt { fd, level, name, value, len } => {
            let mut value = value.clone();
            if let Some(bytes) = &mut value {
                bytes.resize(bytes.len().max(*len as usize).min(1 << 16), 0);
            }
            let data = value.as_ref().map_or(ptr::null(), |bytes| bytes.as_ptr());
            // SAFETY: NULL, or memory at least as long as it is said to be, up to 64 KiB.
            let result =
                unsafe { libc::setsockopt(*fd as i32, *level, *name, data.cast(), (*len).min(1 << 16)) };
            outcome(i64::from(result))
        }
        Call::Poll { fds, timeout } => {
            let mut list: Vec<_> = fds
                .iter()
                .map(|(fd, events)| libc::pollfd { fd: *fd as i32, events: *events, revents: 0 })
                .collect();
            // SAFETY: the list is alive during the call and as long as it is said to be.
            let result = unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, *timeout) };
            answered(i64::from(result), || Answer::Poll(list.iter().map(|fd| fd.revents).collect()))
        }
        Call::EpollCreate { .. } | Call::EpollCtl { .. } | Call::EpollWait { .. } => epoll(call),
        Call::Pipe { flags } => {
            let mut ends = [0i32; 2];
            // SAFETY: the kernel writes two ints.
            let result = unsafe { libc::pipe2(ends.as_mut_ptr(), flags.unwrap_or(0) | libc::O_CLOEXEC) };
            answered(i64::from(result), || Answer::Pipe(i64::from(ends[0]), i64::from(ends[1])))
        }
        Call::Open { path, flags, mode } => {
            let Ok(path) = CString::new(path.as_str()) else { return Outcome::failed(libc::EINVAL) };
            // SAFETY: a C string that lives on; the mode counts only with O_CREAT.
            outcome(i64::from(unsafe { libc::open(path.as_ptr(), *flags | libc::O_CLOEXEC, *mode) }))
        }
    }
}

fn accept(fd: Fd, flags: Option<i32>) -> Outcome {
    let mut bytes = [0u8; 128];
    let mut len = bytes.len() as u32;
    // SAFETY: the kernel writes at most `len` bytes of the address and the length itself.
    let result = unsafe {
        libc::accept4(fd as i32, bytes.as_mut_ptr().cast(), &mut len, flags.unwrap_or(0) | libc::SOCK_CLOEXEC)
    };
    answered(i64::from(result), || peer_of(&bytes).map_or(Answer::Nothing, Answer::Peer))
}

fn name(fd: Fd, peer: bool) -> Outcome {
    let mut bytes = [0u8; 128];
    let mut len = bytes.len() as u32;
    let call = if peer { libc::getpeername } else { libc::getsockname };
    // SAFETY: the kernel writes at most `len` bytes of the address and the length itself.
    let result = unsafe { call(fd as i32, bytes.as_mut_ptr().cast(), &mut len) };
    answered(i64::from(result), || peer_of(&bytes).map_or(Answer::Nothing, Answer::Peer))
}

fn receive(fd: Fd, by: ReceiveBy, buffers: &[Buffer], flags: i32, control: usize) -> Outcome {
    let fd = fd as i32;
    if by == ReceiveBy::RecvMsg {
        return messages::receive(fd, buffers, flags, control);
    }
    let iovecs = Iovecs::new(buffers);
    let (base, len) = iovecs.first();
    // SAFETY: every buffer is owned memory as long as it is said to be, or NULL, which gives EFAULT.
    let received = unsafe {
        match by {
            ReceiveBy::Read => libc::read(fd, base, len),
            ReceiveBy::Readv => libc::readv(fd, iovecs.list.as_ptr(), iovecs.list.len() as i32),
            ReceiveBy::Recv => libc::recv(fd, base, len, flags),
            ReceiveBy::RecvFrom | ReceiveBy::RecvMsg => {
                libc::recvfrom(fd, base, len, flags, ptr::null_mut(), ptr::null_mut())
            }
        }
    };
    outcome(received as i64)
}

fn send(
    fd: Fd,
    by: SendBy,
    buffers: &[Buffer],
    flags: i32,
    to: Option<Sockaddr>,
    control: &[Control],
) -> Outcome {
    let fd = fd as i32;
    if by == SendBy::SendMsg {
        let to = to.as_ref().map(|to| to.bytes.get(..to.len as usize).unwrap_or(&to.bytes));
        return messages::send(fd, buffers, flags, to, control);
    }
    let iovecs = Iovecs::new(buffers);
    let (base, len) = iovecs.first();
    let (name, name_len) = to.as_ref().map_or((ptr::null(), 0), |to| (to.bytes.as_ptr(), to.len));
    // SAFETY: every buffer is owned memory as long as it is said to be, or NULL, which gives EFAULT; the
    // address is NULL or alive during the call.
    let sent = unsafe {
        match by {
            SendBy::Write => libc::write(fd, base, len),
            SendBy::Writev => libc::writev(fd, iovecs.list.as_ptr(), iovecs.list.len() as i32),
            SendBy::Send => libc::send(fd, base, len, flags),
            SendBy::SendTo | SendBy::SendMsg => libc::sendto(fd, base, len, flags, name.cast(), name_len),
        }
    };
    outcome(sent as i64)
}

fn get_option(fd: Fd, level: i32, name: i32, len: usize) -> Outcome {
    let mut bytes = vec![0u8; len];
    let mut written = len as u32;
    // SAFETY: the kernel writes at most `written` bytes, which is the length of the memory.
    let result = unsafe { libc::getsockopt(fd as i32, level, name, bytes.as_mut_ptr().cast(), &mut written) };
    bytes.truncate(written as usize);
    answered(i64::from(result), || Answer::Bytes(bytes))
}

/// The bytes of a socket option; `None` when it cannot be had.
pub(crate) fn option_bytes(fd: Fd, level: i32, name: i32, len: usize) -> Option<Vec<u8>> {
    match get_option(fd, level, name, len).answer {
        Answer::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn epoll(call: &Call) -> Outcome {
    match call {
        Call::EpollCreate { size, flags } => {
            // SAFETY: no pointers.
            let result = unsafe {
                match flags {
                    Some(flags) => libc::epoll_create1(*flags | libc::EPOLL_CLOEXEC),
                    None if *size > 0 => libc::epoll_create1(libc::EPOLL_CLOEXEC),
                    None => libc::epoll_create(*size),
                }
            };
            outcome(i64::from(result))
        }
        Call::EpollCtl { epoll, operation, fd, events, data } => {
            let mut event = libc::epoll_event { events: *events, u64: *data };
            // SAFETY: one event that lives on.
            let result = unsafe { libc::epoll_ctl(*epoll as i32, *operation, *fd as i32, &raw mut event) };
            outcome(i64::from(result))
        }
        Call::EpollWait { epoll, max, timeout } => {
            let room = (*max).clamp(1, 1024) as usize;
            let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; room];
            // SAFETY: the kernel writes at most `max` events, for which there is room; a `max` that is not
            // positive is refused by it.
            let result = unsafe {
                libc::epoll_wait(*epoll as i32, events.as_mut_ptr(), (*max).min(room as i32), *timeout)
            };
            events.truncate(result.max(0) as usize);
            answered(i64::from(result), || {
                Answer::Epoll(events.iter().map(|event| (event.events, event.u64)).collect())
            })
        }
        _ => Outcome::failed(libc::EINVAL),
    }
}
