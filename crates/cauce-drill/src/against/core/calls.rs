//! System calls of scripts as calls of the engine.

use std::net::{IpAddr, SocketAddr};

use cauce_core::socket::call::{self as engine, Returned};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, ReadFlags, Shutdown, SocketId};

use super::descriptors::Object;
use super::watch::{Epoll, Memory, Sleeper};
use super::{Core, unsupported};
use crate::call::symbols::bits;
use crate::call::{Address, Answer, Call, Fd, Outcome, ReceiveBy};
use crate::settings::IpMode;
use crate::target::{Progress, TargetError};

type Called = Result<Progress, TargetError>;

const SIOCINQ: u64 = 0x541b;
const SIOCOUTQ: u64 = 0x5411;
const SIOCOUTQNSD: u64 = 0x894b;

fn done(outcome: Outcome) -> Called {
    Ok(Progress::Done(outcome))
}

fn errno(error: Errno) -> Outcome {
    Outcome::failed(error.number())
}

/// Success without a value, or the error.
fn plain(result: Result<(), Errno>) -> Called {
    done(result.map_or_else(errno, |()| Outcome::done(0)))
}

impl Core {
    pub(super) fn call(&mut self, call: &Call) -> Called {
        match call {
            Call::Socket { domain, kind, protocol } => self.open(*domain, *kind, *protocol),
            Call::EpollCreate { size, .. } if *size <= 0 => done(Outcome::failed(libc::EINVAL)),
            Call::EpollCreate { .. } => {
                done(Outcome::done(self.descriptors.insert(Object::Epoll(Epoll::default()))))
            }
            Call::EpollCtl { epoll, operation, fd, events, data } => {
                let known = self.descriptors.socket(*fd).is_some();
                let result = match self.descriptors.get_mut(*epoll) {
                    Some(Object::Epoll(set)) if known => set.control(*operation, *fd, *events, *data),
                    Some(Object::Socket { .. }) => Err(libc::EINVAL),
                    _ => Err(libc::EBADF),
                };
                done(result.map_or_else(Outcome::failed, |()| Outcome::done(0)))
            }
            Call::EpollWait { timeout, .. } | Call::Poll { timeout, .. } => Ok(self.wait(call, *timeout)),
            Call::Pipe { .. } => unsupported("pipe"),
            Call::Open { .. } => unsupported("open"),
            Call::SendFile { .. } => unsupported("sendfile"),
            Call::Splice { .. } => unsupported("splice"),
            Call::Close { fd } => self.close(*fd, call),
            Call::Bind { fd, .. }
            | Call::Listen { fd, .. }
            | Call::Accept { fd, .. }
            | Call::Connect { fd, .. }
            | Call::Receive { fd, .. }
            | Call::Send { fd, .. }
            | Call::Fcntl { fd, .. }
            | Call::Ioctl { fd, .. }
            | Call::Shutdown { fd, .. }
            | Call::GetSockOpt { fd, .. }
            | Call::SetSockOpt { fd, .. } => match self.descriptors.get(*fd) {
                Some(Object::Socket { id, nonblocking, .. }) => self.on_socket(*id, *nonblocking, call),
                Some(Object::Epoll(_)) => done(Outcome::failed(libc::ENOTSOCK)),
                None => done(Outcome::failed(libc::EBADF)),
            },
        }
    }

    fn open(&mut self, domain: i32, kind: i32, protocol: i32) -> Called {
        let family = match domain {
            libc::AF_INET => Family::V4,
            libc::AF_INET6 => Family::V6,
            _ => return done(Outcome::failed(libc::EAFNOSUPPORT)),
        };
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        if kind & !flags != libc::SOCK_STREAM {
            return unsupported("sockets other than SOCK_STREAM");
        }
        if ![0, libc::IPPROTO_TCP].contains(&protocol) {
            return unsupported(format!("protocol {protocol}"));
        }
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        match self.stack.open(family) {
            Ok(id) => {
                let object = Object::Socket { id, nonblocking, family: domain };
                done(Outcome::done(self.descriptors.insert(object)))
            }
            Err(error) => done(errno(error)),
        }
    }

    fn address(&self, address: Address) -> Result<SocketAddr, TargetError> {
        let address = match address {
            Address::Local => self.local,
            Address::Remote => self.remote,
            Address::Literal(literal) => literal,
            Address::Unspecified => return unsupported("AF_UNSPEC"),
        };
        Ok(match address.ip() {
            IpAddr::V4(ip) if self.mode == IpMode::Mapped => (ip.to_ipv6_mapped(), address.port()).into(),
            _ => address,
        })
    }

    fn on_socket(&mut self, id: SocketId, nonblocking: bool, call: &Call) -> Called {
        let now = self.now;
        match call {
            Call::Bind { address, .. } => {
                let address = self.address(*address)?;
                plain(self.stack.socket(id).bind(address))
            }
            Call::Listen { backlog, .. } => {
                // A negative backlog counts as huge, as the kernel's comparison without sign has it.
                plain(self.stack.socket(id).listen(*backlog as u32))
            }
            Call::Accept { .. } if nonblocking => {
                let result = self.stack.socket(id).accept(now).map(Returned::Socket);
                done(self.returned(call, result))
            }
            Call::Accept { .. } => self.engine_call(id, engine::Call::Accept, Memory(Vec::new()), call),
            Call::Connect { address, .. } => {
                let to = self.address(*address)?;
                if nonblocking {
                    return plain(self.stack.socket(id).connect(now, to));
                }
                self.engine_call(id, engine::Call::Connect(to), Memory(Vec::new()), call)
            }
            Call::Receive { flags, .. } => self.receive(id, nonblocking, *flags, call),
            Call::Send { flags, .. } => self.send(id, nonblocking, *flags, call),
            Call::Fcntl { fd, command, argument } => self.fcntl(*fd, *command, argument.unwrap_or(0)),
            Call::Ioctl { request, .. } => {
                let socket = self.stack.socket(id);
                let value = match *request {
                    SIOCINQ => socket.bytes_to_read(),
                    SIOCOUTQ => socket.bytes_queued().0,
                    SIOCOUTQNSD => socket.bytes_queued().1,
                    other => return unsupported(format!("ioctl {other:#x}")),
                };
                done(Outcome::with(0, Answer::Int(value as i32)))
            }
            Call::Shutdown { how, .. } => {
                let how = match *how {
                    libc::SHUT_RD => Shutdown::Read,
                    libc::SHUT_WR => Shutdown::Write,
                    libc::SHUT_RDWR => Shutdown::Both,
                    _ => return done(Outcome::failed(libc::EINVAL)),
                };
                plain(self.stack.socket(id).shutdown(now, how))
            }
            Call::GetSockOpt { level, name, len, .. } => self.get_option(id, *level, *name, *len),
            Call::SetSockOpt { level, name, value, len, .. } => {
                self.set_option(id, *level, *name, value.as_deref(), *len)
            }
            _ => done(Outcome::failed(libc::EINVAL)),
        }
    }

    /// A call that may sleep in the engine.
    fn engine_call(&mut self, id: SocketId, asked: engine::Call, mut memory: Memory, call: &Call) -> Called {
        match self.stack.start_call(self.now, id, asked, &mut memory) {
            engine::Progress::Done(result) => done(self.returned(call, result)),
            engine::Progress::Pending(waiting) => {
                self.sleeper = Some(Sleeper::Engine { id: waiting, memory, call: call.clone() });
                Ok(Progress::Blocked)
            }
        }
    }

    /// What the script sees of what the engine returned.
    pub(super) fn returned(&mut self, call: &Call, result: Result<Returned, Errno>) -> Outcome {
        match result {
            Err(error) => errno(error),
            Ok(Returned::Nothing) => Outcome::done(0),
            Ok(Returned::Bytes(count)) => {
                let answer = match call {
                    Call::Receive { by: ReceiveBy::RecvMsg, .. } => {
                        Answer::Message { flags: 0, controls: Vec::new() }
                    }
                    _ => Answer::Nothing,
                };
                Outcome::with(count as i64, answer)
            }
            Ok(Returned::Socket(id)) => {
                let Call::Accept { fd, flags } = call else { return Outcome::failed(libc::EINVAL) };
                let family = match self.descriptors.get(*fd) {
                    Some(Object::Socket { family, .. }) => *family,
                    _ => libc::AF_INET,
                };
                let nonblocking = flags.unwrap_or(0) & libc::SOCK_NONBLOCK != 0;
                let peer = self.stack.socket(id).peer_addr();
                let fd = self.descriptors.insert(Object::Socket { id, nonblocking, family });
                Outcome::with(fd, peer.map_or(Answer::Nothing, Answer::Peer))
            }
        }
    }

    fn receive(&mut self, id: SocketId, nonblocking: bool, flags: i32, call: &Call) -> Called {
        let Call::Receive { buffers, .. } = call else { return done(Outcome::failed(libc::EINVAL)) };
        let known =
            libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_WAITALL | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        if flags & !known != 0 {
            return unsupported(bits((flags & !known) as u32, "MSG_"));
        }
        let read = ReadFlags { peek: flags & libc::MSG_PEEK != 0, discard: flags & libc::MSG_TRUNC != 0 };
        let asked = engine::Call::Recv { flags: read, wait_all: flags & libc::MSG_WAITALL != 0 };
        self.maybe_waiting(id, nonblocking || flags & libc::MSG_DONTWAIT != 0, asked, buffers, call)
    }

    fn send(&mut self, id: SocketId, nonblocking: bool, flags: i32, call: &Call) -> Called {
        let Call::Send { buffers, .. } = call else { return done(Outcome::failed(libc::EINVAL)) };
        let known = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_MORE;
        if flags & !known != 0 {
            return unsupported(bits((flags & !known) as u32, "MSG_"));
        }
        let nonblocking = nonblocking || flags & libc::MSG_DONTWAIT != 0;
        if flags & libc::MSG_MORE != 0 {
            let zeros = vec![0; buffers.iter().map(|buffer| buffer.len()).sum()];
            let sent = self.stack.socket(id).send_more(self.now, &zeros);
            return done(sent.map_or_else(errno, |sent| Outcome::done(sent as i64)));
        }
        self.maybe_waiting(id, nonblocking, engine::Call::Send, buffers, call)
    }

    /// Starts a call; without leave to wait it is taken back at once, with what it has done.
    fn maybe_waiting(
        &mut self,
        id: SocketId,
        nonblocking: bool,
        asked: engine::Call,
        buffers: &[crate::call::Buffer],
        call: &Call,
    ) -> Called {
        let mut memory = Memory(buffers.to_vec());
        if !nonblocking {
            return self.engine_call(id, asked, memory, call);
        }
        match self.stack.start_call(self.now, id, asked, &mut memory) {
            engine::Progress::Done(result) => done(self.returned(call, result)),
            engine::Progress::Pending(waiting) => match self.stack.cancel_call(waiting) {
                Some(0) | None => done(Outcome::failed(libc::EAGAIN)),
                Some(count) => done(self.returned(call, Ok(Returned::Bytes(count)))),
            },
        }
    }

    fn fcntl(&mut self, fd: Fd, command: i32, argument: i32) -> Called {
        let Some(Object::Socket { nonblocking, .. }) = self.descriptors.get_mut(fd) else {
            return done(Outcome::failed(libc::EBADF));
        };
        match command {
            libc::F_GETFL => {
                let flags = libc::O_RDWR | if *nonblocking { libc::O_NONBLOCK } else { 0 };
                done(Outcome::done(i64::from(flags)))
            }
            libc::F_SETFL => {
                *nonblocking = argument & libc::O_NONBLOCK != 0;
                done(Outcome::done(0))
            }
            other => unsupported(format!("fcntl command {other}")),
        }
    }

    fn close(&mut self, fd: Fd, call: &Call) -> Called {
        match self.descriptors.remove(fd) {
            None => done(Outcome::failed(libc::EBADF)),
            Some(Object::Epoll(_)) => done(Outcome::done(0)),
            Some(Object::Socket { id, .. }) => {
                self.edges.remove(&id);
                self.engine_call(id, engine::Call::Close, Memory(Vec::new()), call)
            }
        }
    }
}
