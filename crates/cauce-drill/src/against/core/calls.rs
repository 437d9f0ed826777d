//! System calls of scripts as calls of `cauce-posix`, and its answers as the script sees them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cauce_core::socket::call::UserMemory;
use cauce_core::socket::errno::Errno;
use cauce_posix::{self as posix, PollFd};

use super::{Core, unsupported};
use crate::call::{Address, Answer, Buffer, Call, Fd, Outcome, ReceiveBy, SendBy};
use crate::settings::IpMode;
use crate::target::{Progress, TargetError};

/// Memory of the script: zeros to be sent, bytes that nobody looks at. NULL faults.
#[derive(Debug, Clone)]
struct Memory(Vec<Buffer>);

impl UserMemory for Memory {
    fn len(&self) -> usize {
        self.0.iter().map(|buffer| buffer.len()).sum()
    }

    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize {
        let can = self.reachable(offset, to.len());
        to[..can].fill(0);
        can
    }

    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize {
        self.reachable(offset, from.len())
    }
}

impl Memory {
    /// Bytes from `offset` on, at most `want`, before the first NULL.
    fn reachable(&self, offset: usize, want: usize) -> usize {
        let mut start = 0;
        for buffer in &self.0 {
            let end = start + buffer.len();
            if matches!(buffer, Buffer::Null(_)) && end > offset {
                return start.saturating_sub(offset).min(want);
            }
            start = end;
        }
        start.saturating_sub(offset).min(want)
    }
}

/// A script's number as a descriptor; one that no descriptor can be is never open.
fn fd(number: Fd) -> posix::Fd {
    posix::Fd::try_from(number).unwrap_or(-1)
}

/// Milliseconds of poll() and epoll_wait(); negative ones wait for ever.
fn millis(timeout: i32) -> Option<Duration> {
    u64::try_from(timeout).ok().map(Duration::from_millis)
}

fn memory(buffers: &[Buffer]) -> posix::Memory {
    Box::new(Memory(buffers.to_vec()))
}

/// What a call says to more pieces of memory than it may name.
fn too_many_pieces(call: &Call) -> Option<i32> {
    let (buffers, message) = match call {
        Call::Receive { buffers, by, .. } => (buffers, *by == ReceiveBy::RecvMsg),
        Call::Send { buffers, by, .. } => (buffers, *by == SendBy::SendMsg),
        _ => return None,
    };
    let errno = if message { libc::EMSGSIZE } else { libc::EINVAL };
    (buffers.len() > posix::MOST_PIECES).then_some(errno)
}

impl Core {
    /// Makes the call.
    pub(super) fn call(&mut self, call: &Call) -> Result<Progress, TargetError> {
        if let Call::Open { path, flags, .. } = call {
            return self.open(path, *flags);
        }
        if let Some(errno) = too_many_pieces(call) {
            return Ok(Progress::Done(Outcome::failed(errno)));
        }
        // What the kernel would write through the pointer goes nowhere.
        let nowhere =
            matches!(call, Call::GetSockOpt { null: true, .. } | Call::Ioctl { argument: None, .. });
        let given = match call {
            Call::Ioctl { argument, .. } => *argument,
            _ => None,
        };
        let call = self.of_script(call);
        match self.process.call(&mut self.stack, self.now, call) {
            posix::Progress::Done(outcome) if nowhere && outcome.result.is_ok() => {
                Ok(Progress::Done(Outcome::failed(libc::EFAULT)))
            }
            posix::Progress::Done(outcome) => {
                let mut outcome = outcome_of(outcome);
                // An ioctl that only reads its int leaves it as it was.
                if let (Some(int), Answer::Nothing, 0) = (given, &outcome.answer, outcome.errno) {
                    outcome.answer = Answer::Int(int);
                }
                Ok(Progress::Done(outcome))
            }
            posix::Progress::Sleeps(id) => {
                self.sleeper = Some(id);
                Ok(Progress::Blocked)
            }
            posix::Progress::Unsupported(what) => unsupported(what),
        }
    }

    fn address(&self, address: Address) -> posix::Address {
        let address = match address {
            Address::Local => self.local,
            Address::Remote => self.remote,
            Address::Literal(literal) => literal,
            Address::Unspecified => return posix::Address::Unspecified,
        };
        posix::Address::Inet(match address.ip() {
            IpAddr::V4(ip) if self.mode == IpMode::Mapped => (ip.to_ipv6_mapped(), address.port()).into(),
            _ => address,
        })
    }

    /// The call as the process takes it.
    fn of_script(&self, call: &Call) -> posix::Call {
        match call {
            Call::Socket { domain, kind, protocol } => {
                posix::Call::Socket { domain: *domain, kind: *kind, protocol: *protocol }
            }
            Call::Bind { fd: number, address } => {
                posix::Call::Bind { fd: fd(*number), address: self.address(*address) }
            }
            Call::Listen { fd: number, backlog } => {
                posix::Call::Listen { fd: fd(*number), backlog: *backlog }
            }
            Call::Accept { fd: number, flags } => {
                posix::Call::Accept { fd: fd(*number), flags: flags.unwrap_or(0) }
            }
            Call::Connect { fd: number, address } => {
                posix::Call::Connect { fd: fd(*number), address: self.address(*address) }
            }
            Call::Name { fd: number, peer } => posix::Call::Name { fd: fd(*number), peer: *peer },
            Call::Receive { fd: number, by, buffers, flags, control } => posix::Call::Receive {
                fd: fd(*number),
                memory: memory(buffers),
                flags: *flags,
                by: match by {
                    ReceiveBy::Read | ReceiveBy::Readv => posix::Receive::Read,
                    ReceiveBy::Recv | ReceiveBy::RecvFrom => posix::Receive::Recv,
                    ReceiveBy::RecvMsg => posix::Receive::Message { control: *control },
                },
            },
            Call::Send { fd: number, buffers, flags, address, control, .. } => posix::Call::Send {
                fd: fd(*number),
                memory: memory(buffers),
                flags: *flags,
                to: address.map(|address| self.address(address)),
                controls: control
                    .iter()
                    .map(|(level, kind, data)| posix::Control {
                        level: *level,
                        kind: *kind,
                        data: data.clone(),
                    })
                    .collect(),
            },
            Call::SendFile { output, input, offset, count } => posix::Call::SendFile {
                output: fd(*output),
                input: fd(*input),
                offset: offset.map(|offset| offset.max(0) as u64),
                count: *count,
            },
            Call::Splice { input, input_offset, output, output_offset, len, flags } => posix::Call::Splice {
                input: fd(*input),
                input_offset: input_offset.map(|offset| offset.max(0) as u64),
                output: fd(*output),
                output_offset: output_offset.map(|offset| offset.max(0) as u64),
                len: *len,
                flags: *flags,
            },
            Call::Fcntl { fd: number, command, argument } => posix::Call::Fcntl {
                fd: fd(*number),
                command: *command,
                argument: i64::from(argument.unwrap_or(0)),
            },
            Call::Ioctl { fd: number, request, argument } => {
                posix::Call::Ioctl { fd: fd(*number), request: *request, argument: argument.unwrap_or(0) }
            }
            Call::Close { fd: number } => posix::Call::Close { fd: fd(*number) },
            Call::Shutdown { fd: number, how } => posix::Call::Shutdown { fd: fd(*number), how: *how },
            Call::GetSockOpt { fd: number, level, name, len, .. } => posix::Call::GetOption {
                fd: fd(*number),
                level: *level,
                name: *name,
                len: i32::try_from(*len).unwrap_or(i32::MAX),
            },
            Call::SetSockOpt { fd: number, level, name, value, len } => {
                let value = value.as_ref().map(|bytes| {
                    let mut bytes = bytes.clone();
                    bytes.resize((*len).min(1 << 16) as usize, 0);
                    bytes
                });
                posix::Call::SetOption { fd: fd(*number), level: *level, name: *name, value }
            }
            Call::Poll { fds, timeout } => {
                let fds = fds.iter().map(|(number, events)| PollFd { fd: fd(*number), events: *events });
                posix::Call::Poll { fds: fds.collect(), timeout: millis(*timeout) }
            }
            // Linux refuses a size that is not positive and looks at it no further.
            Call::EpollCreate { size, flags: None } if *size <= 0 => posix::Call::EpollCreate { flags: -1 },
            Call::EpollCreate { flags, .. } => posix::Call::EpollCreate { flags: flags.unwrap_or(0) },
            Call::EpollCtl { epoll, operation, fd: number, events, data } => posix::Call::EpollCtl {
                epoll: fd(*epoll),
                operation: *operation,
                fd: fd(*number),
                event: posix::Event { events: *events, data: *data },
            },
            Call::EpollWait { epoll, max, timeout } => {
                posix::Call::EpollWait { epoll: fd(*epoll), max: *max, timeout: millis(*timeout) }
            }
            Call::Pipe { flags } => posix::Call::Pipe { flags: flags.unwrap_or(0) },
            // Handled before; an open file is the host's.
            Call::Open { .. } => posix::Call::Dup { fd: -1 },
        }
    }

    /// open(): a file of the host, to send from.
    fn open(&mut self, path: &str, flags: i32) -> Result<Progress, TargetError> {
        if flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_CREAT != 0 {
            return unsupported("files that are written");
        }
        let outcome = match std::fs::File::open(self.directory.join(path)) {
            Ok(file) => match self.process.insert_file(Box::new(file), flags & libc::O_CLOEXEC != 0) {
                Ok(fd) => Outcome::done(i64::from(fd)),
                Err(error) => Outcome::failed(error.number()),
            },
            Err(error) => Outcome::failed(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        Ok(Progress::Done(outcome))
    }
}

/// What the script sees of an outcome.
pub(super) fn outcome_of(outcome: posix::Outcome) -> Outcome {
    match outcome.result {
        Ok(result) => Outcome::with(result, answer_of(outcome.answer)),
        Err(error) => Outcome::failed(Errno::number(error)),
    }
}

fn answer_of(answer: posix::Answer) -> Answer {
    match answer {
        posix::Answer::Nothing | posix::Answer::Offsets(..) => Answer::Nothing,
        posix::Answer::Address(peer) => Answer::Peer(unmapped(peer)),
        posix::Answer::Bytes(bytes) => Answer::Bytes(bytes),
        posix::Answer::Int(value) => Answer::Int(value),
        posix::Answer::Poll(revents) => Answer::Poll(revents),
        // Scripts have no select().
        posix::Answer::Select(_) => Answer::Nothing,
        posix::Answer::Events(events) => {
            Answer::Epoll(events.iter().map(|event| (event.events, event.data)).collect())
        }
        posix::Answer::Pipe(reader, writer) => Answer::Pipe(i64::from(reader), i64::from(writer)),
        posix::Answer::Message { flags, controls, .. } => {
            let controls =
                controls.into_iter().map(|control| (control.level, control.kind, control.data)).collect();
            Answer::Message { flags, controls }
        }
    }
}

/// Scripts know a peer by its port alone; its address is as packets have it.
fn unmapped(peer: SocketAddr) -> SocketAddr {
    (peer.ip().to_canonical(), peer.port()).into()
}
