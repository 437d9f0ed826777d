//! Calls on sockets that move no bytes: socket, bind, listen, accept, connect, names, shutdown
//!

use crate::object::{Kind, Object, SocketEnd};
use crate::sleep::Then;
use crate::{Address, Answer, Fd, NoMemory, Outcome, Process, Progress, Signal};
use cauce_core::socket::call::{self as engine, Returned};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, Shutdown, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Flags beside the type of a socket.
const KIND_FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
/// The part of a socket's kind that is its type.
const SOCK_TYPE_MASK: i32 = 15;
/// Multipath TCP, which Linux has beside TCP.
const IPPROTO_MPTCP: i32 = 262;
/// Beyond all protocols (IPPROTO_MAX).
const MAX_PROTOCOL: i32 = 263;

/// The family of a socket that can be, or why it cannot.
fn family_of(domain: i32, kind: i32, protocol: i32) -> Result<Family, Progress> {
    if kind & !(KIND_FLAGS | SOCK_TYPE_MASK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let family = match domain {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => return Err(Errno::EAFNOSUPPORT.into()),
    };
    if kind & !KIND_FLAGS != libc::SOCK_STREAM {
        return Err(Progress::Unsupported("sockets other than SOCK_STREAM".to_owned()));
    }
    match protocol {
        0 | libc::IPPROTO_TCP => Ok(family),
        IPPROTO_MPTCP => Err(Progress::Unsupported("IPPROTO_MPTCP".to_owned())),
        MAX_PROTOCOL.. | ..0 => Err(Errno::EINVAL.into()),
        _ => Err(Errno::EPROTONOSUPPORT.into()),
    }
}

/// socketpair(): TCP makes no pairs, whoever may open a socket.
pub(crate) fn socket_pair(domain: i32, kind: i32, protocol: i32) -> Progress {
    family_of(domain, kind, protocol).map_or_else(|answer| answer, |_| Errno::EOPNOTSUPP.into())
}

impl Process {
    pub(crate) fn socket(&mut self, stack: &mut Stack, domain: i32, kind: i32, protocol: i32) -> Progress {
        let family = match family_of(domain, kind, protocol) {
            Ok(family) => family,
            Err(answer) => return answer,
        };
        match stack.open(family) {
            Ok(id) => self.install_socket(stack, id, family, kind, Answer::Nothing).into(),
            Err(error) => error.into(),
        }
    }

    /// A descriptor for a socket of the stack; without one left the socket is closed.
    fn install_socket(
        &mut self,
        stack: &mut Stack,
        id: SocketId,
        family: Family,
        flags: i32,
        answer: Answer,
    ) -> Outcome {
        let end = SocketEnd { id, family, owner: 0 };
        let object = Object::new(Kind::Socket(end), flags & libc::SOCK_NONBLOCK != 0);
        let fd = self.install(object, flags & libc::SOCK_CLOEXEC != 0);
        if fd.is_err() {
            let _ = stack.socket(id).abort(Instant::ZERO);
        }
        Process::descriptor(fd, answer)
    }

    pub(crate) fn bind(&mut self, stack: &mut Stack, fd: Fd, address: Address) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        // An IPv4 socket takes AF_UNSPEC for "any address", as old programs wrote it.
        let address = match address {
            Address::Unspecified if end.family == Family::V4 => Ok(SocketAddr::from(([0, 0, 0, 0], 0))),
            address => address.inet(),
        };
        let first = stack.sysctl().ip_unprivileged_port_start;
        let may = |address: &SocketAddr| {
            self.privileged || address.port() == 0 || u32::from(address.port()) >= first
        };
        match address {
            Ok(address) if !may(&address) => Errno::EACCES.into(),
            address => address.and_then(|address| stack.socket(end.id).bind(address)).into(),
        }
    }

    pub(crate) fn listen(&mut self, stack: &mut Stack, fd: Fd, backlog: i32) -> Progress {
        match self.socket_end(fd) {
            // Linux compares without sign: a negative backlog is a huge one.
            Ok((_, end)) => stack.socket(end.id).listen(backlog as u32).into(),
            Err(error) => error.into(),
        }
    }

    pub(crate) fn accept(&mut self, stack: &mut Stack, now: Instant, fd: Fd, flags: i32) -> Progress {
        if flags & !KIND_FLAGS != 0 {
            return Errno::EINVAL.into();
        }
        let (object, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        if !self.table.has_room() {
            // The connection stays in the queue.
            return Errno::EMFILE.into();
        }
        let then = Then::Accept { family: end.family, flags };
        let nonblocking = self.is_nonblocking(object);
        self.engine_call(
            stack,
            now,
            object,
            (end.id, engine::Call::Accept),
            (Box::new(NoMemory), then),
            nonblocking,
        )
    }

    pub(crate) fn connect(&mut self, stack: &mut Stack, now: Instant, fd: Fd, address: Address) -> Progress {
        let (object, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        if address == Address::Unspecified {
            return stack.socket(end.id).disconnect(now).into();
        }
        let to = match address.inet() {
            Ok(to) => to,
            Err(error) => return error.into(),
        };
        if self.is_nonblocking(object) {
            return stack.socket(end.id).connect(now, to).into();
        }
        let call = (end.id, engine::Call::Connect(to));
        self.engine_call(stack, now, object, call, (Box::new(NoMemory), Then::Plain), false)
    }

    pub(crate) fn name(&mut self, stack: &mut Stack, fd: Fd, peer: bool) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let socket = stack.socket(end.id);
        let address = if peer {
            socket.peer_addr()
        } else {
            // A socket without an address has the wildcard one.
            socket.local_addr().or(match end.family {
                Family::V4 => Ok(SocketAddr::from(([0, 0, 0, 0], 0))),
                Family::V6 => Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
            })
        };
        match address {
            Ok(address) => Outcome::with(0, Answer::Address(seen_by(end.family, address))).into(),
            Err(error) => error.into(),
        }
    }

    pub(crate) fn shutdown(&mut self, stack: &mut Stack, now: Instant, fd: Fd, how: i32) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let how = match how {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return Errno::EINVAL.into(),
        };
        stack.socket(end.id).shutdown(now, how).into()
    }

    pub(crate) fn is_nonblocking(&self, object: crate::object::ObjectId) -> bool {
        self.objects.get(object).is_some_and(|object| object.nonblocking)
    }

    /// What the program is told of what the engine returned.
    pub(crate) fn returned_by_engine(
        &mut self,
        stack: &mut Stack,
        socket: SocketId,
        then: Then,
        result: Result<Returned, Errno>,
    ) -> Outcome {
        match (result, then) {
            (Err(Errno::EPIPE), Then::Send { quiet: false }) => {
                self.raise(Signal::Pipe);
                Outcome::failed(Errno::EPIPE)
            }
            (Err(error), _) => Outcome::failed(error),
            (Ok(Returned::Nothing), _) => Outcome::done(0),
            (Ok(Returned::Bytes(count)), Then::Receive(received)) => {
                self.received(stack, socket, count, received)
            }
            (Ok(Returned::Bytes(count)), _) => Outcome::done(count as i64),
            (Ok(Returned::Socket(child)), Then::Accept { family, flags }) => {
                let peer = stack.socket(child).accepted_from();
                let answer = peer.map_or(Answer::Nothing, |peer| Answer::Address(seen_by(family, peer)));
                self.install_socket(stack, child, family, flags, answer)
            }
            (Ok(Returned::Socket(child)), _) => {
                let _ = stack.socket(child).abort(Instant::ZERO);
                Outcome::failed(Errno::EINVAL)
            }
        }
    }
}

/// An address as a socket of this family shows it: IPv4 ones as IPv4-mapped on an IPv6 socket.
pub(crate) fn seen_by(family: Family, address: SocketAddr) -> SocketAddr {
    match (family, address.ip()) {
        (Family::V6, IpAddr::V4(ip)) => (ip.to_ipv6_mapped(), address.port()).into(),
        _ => address,
    }
}
