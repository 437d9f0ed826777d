//! System calls as data: what is asked ([`Call`]), what came ([`Outcome`]), what was wanted (`Wanted`).
//!
//! A script's call is lowered once, before the script runs, so that a misspelt symbol is refused at its place
//! and not in the middle of a run. Descriptors stay the script's own until the engine maps them.

mod buffers;
mod lower;
mod messages;
mod structures;
pub(crate) mod symbols;
mod transfer;

use std::net::SocketAddr;

pub(crate) use lower::{Setting, lower};
pub(crate) use messages::CONTROL_HEADER;

/// A descriptor: the script's number in a lowered call, the target's own once the engine has mapped it.
pub type Fd = i64;

/// Memory that a call is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffer {
    /// So many bytes, zero when they are sent.
    Bytes(usize),
    /// NULL, said to hold so many bytes.
    Null(usize),
}

impl Buffer {
    /// How many bytes the call is told.
    pub fn len(self) -> usize {
        match self {
            Buffer::Bytes(len) | Buffer::Null(len) => len,
        }
    }

    /// True when the call is told of no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A socket address that a call is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// The stack's own address and port.
    Local,
    /// The peer's address and port.
    Remote,
    /// An address that the script spells out.
    Literal(SocketAddr),
    /// AF_UNSPEC: dissolve the association.
    Unspecified,
}

/// Which of the calls that receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiveBy {
    /// read
    Read,
    /// readv
    Readv,
    /// recv
    Recv,
    /// recvfrom
    RecvFrom,
    /// recvmsg
    RecvMsg,
}

/// Which of the calls that send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendBy {
    /// write
    Write,
    /// writev
    Writev,
    /// send
    Send,
    /// sendto
    SendTo,
    /// sendmsg
    SendMsg,
}

/// A system call with everything it needs.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    Socket {
        domain: i32,
        kind: i32,
        protocol: i32,
    },
    Bind {
        fd: Fd,
        address: Address,
    },
    Listen {
        fd: Fd,
        backlog: i32,
    },
    /// accept, and accept4 when there are flags.
    Accept {
        fd: Fd,
        flags: Option<i32>,
    },
    Connect {
        fd: Fd,
        address: Address,
    },
    /// getsockname, and getpeername with `peer`.
    Name {
        fd: Fd,
        peer: bool,
    },
    Receive {
        fd: Fd,
        by: ReceiveBy,
        buffers: Vec<Buffer>,
        flags: i32,
        control: usize,
    },
    Send {
        fd: Fd,
        by: SendBy,
        buffers: Vec<Buffer>,
        flags: i32,
        address: Option<Address>,
        /// Control messages of sendmsg: level, type, data.
        control: Vec<(i32, i32, Vec<u8>)>,
    },
    SendFile {
        output: Fd,
        input: Fd,
        offset: Option<i64>,
        count: usize,
    },
    Splice {
        input: Fd,
        input_offset: Option<i64>,
        output: Fd,
        output_offset: Option<i64>,
        len: usize,
        flags: u32,
    },
    Fcntl {
        fd: Fd,
        command: i32,
        argument: Option<i32>,
    },
    /// An ioctl on an int, which it reads or writes; `None` is a NULL pointer.
    Ioctl {
        fd: Fd,
        request: u64,
        argument: Option<i32>,
    },
    Close {
        fd: Fd,
    },
    Shutdown {
        fd: Fd,
        how: i32,
    },
    /// `null` says that the value's pointer is NULL; the length is what the call is told.
    GetSockOpt {
        fd: Fd,
        level: i32,
        name: i32,
        len: usize,
        null: bool,
    },
    /// `None` is a NULL pointer; the length is what the call is told.
    SetSockOpt {
        fd: Fd,
        level: i32,
        name: i32,
        value: Option<Vec<u8>>,
        len: u32,
    },
    Poll {
        fds: Vec<(Fd, i16)>,
        timeout: i32,
    },
    /// epoll_create, and epoll_create1 when there are flags.
    EpollCreate {
        size: i32,
        flags: Option<i32>,
    },
    EpollCtl {
        epoll: Fd,
        operation: i32,
        fd: Fd,
        events: u32,
        data: u64,
    },
    EpollWait {
        epoll: Fd,
        max: i32,
        timeout: i32,
    },
    /// pipe, and pipe2 when there are flags.
    Pipe {
        flags: Option<i32>,
    },
    Open {
        path: String,
        flags: i32,
        /// Permissions of a file that it makes.
        mode: u32,
    },
}

impl Call {
    /// The same call with its descriptors replaced; the first that `map` does not know is the error.
    pub(crate) fn map_fds(mut self, map: impl Fn(Fd) -> Fd) -> Call {
        match &mut self {
            Call::Socket { .. } | Call::EpollCreate { .. } | Call::Pipe { .. } | Call::Open { .. } => {}
            Call::Bind { fd, .. }
            | Call::Listen { fd, .. }
            | Call::Accept { fd, .. }
            | Call::Connect { fd, .. }
            | Call::Name { fd, .. }
            | Call::Receive { fd, .. }
            | Call::Send { fd, .. }
            | Call::Fcntl { fd, .. }
            | Call::Ioctl { fd, .. }
            | Call::Close { fd }
            | Call::Shutdown { fd, .. }
            | Call::GetSockOpt { fd, .. }
            | Call::SetSockOpt { fd, .. } => *fd = map(*fd),
            Call::SendFile { output, input, .. } | Call::Splice { output, input, .. } => {
                (*output, *input) = (map(*output), map(*input));
            }
            Call::Poll { fds, .. } => fds.iter_mut().for_each(|(fd, _)| *fd = map(*fd)),
            Call::EpollCtl { epoll, fd, .. } => (*epoll, *fd) = (map(*epoll), map(*fd)),
            Call::EpollWait { epoll, .. } => *epoll = map(*epoll),
        }
        self
    }

    /// True when a result that is not negative is a descriptor.
    pub(crate) fn returns_fd(&self) -> bool {
        matches!(
            self,
            Call::Socket { .. } | Call::Accept { .. } | Call::EpollCreate { .. } | Call::Open { .. }
        )
    }
}

/// What a call returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The result; -1 with `errno`.
    pub result: i64,
    /// The error; 0 without one.
    pub errno: i32,
    /// What the call wrote through its pointers.
    pub answer: Answer,
}

impl Outcome {
    /// Success with `result` and no more.
    pub fn done(result: i64) -> Outcome {
        Outcome { result, errno: 0, answer: Answer::Nothing }
    }

    /// Success with `result` and `answer`.
    pub fn with(result: i64, answer: Answer) -> Outcome {
        Outcome { result, errno: 0, answer }
    }

    /// Failure with `errno`.
    pub fn failed(errno: i32) -> Outcome {
        Outcome { result: -1, errno, answer: Answer::Nothing }
    }

    /// As the script spells it: `= -1 EAGAIN`.
    pub(crate) fn spelled(&self) -> String {
        match self.errno {
            0 => self.result.to_string(),
            errno => format!("{} {}", self.result, symbols::errno_name(errno)),
        }
    }
}

/// What a call wrote through its pointers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Nothing that is looked at.
    Nothing,
    /// A peer's address, from accept; either side's, from getsockname and getpeername.
    Peer(SocketAddr),
    /// The bytes of a socket option.
    Bytes(Vec<u8>),
    /// The int of an ioctl.
    Int(i32),
    /// `revents` of each descriptor given to poll.
    Poll(Vec<i16>),
    /// Events and data from epoll_wait.
    Epoll(Vec<(u32, u64)>),
    /// Both ends of a pipe.
    Pipe(Fd, Fd),
    /// Flags and control messages from recvmsg.
    Message {
        /// `msg_flags`.
        flags: i32,
        /// Control messages: level, type, data.
        controls: Vec<(i32, i32, Vec<u8>)>,
    },
}

/// What the script says must come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// The result; `None` for `?`.
    pub result: Option<i64>,
    pub errno: Option<i32>,
    pub answer: WantedAnswer,
    /// The length that getsockopt is given, and gives back when all of it was used.
    pub len: Option<usize>,
}

/// What the script says about the memory that a call writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WantedAnswer {
    Nothing,
    Bytes(Vec<u8>),
    /// Text in a buffer that zeros may fill up.
    Text(Vec<u8>),
    /// Members of `struct tcp_info` by name.
    Info(Vec<(String, i128)>),
    Int(i32),
    Name(SocketAddr),
    Poll(Vec<i16>),
    Epoll(Vec<(u32, u64)>),
    Pipe(Fd, Fd),
    Message {
        flags: Option<i32>,
        controls: Option<Vec<WantedControl>>,
    },
}

/// A control message that must come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WantedControl {
    pub level: i32,
    pub kind: i32,
    /// `cmsg_len`: of the header and the data.
    pub len: Option<usize>,
    pub data: WantedData,
}

/// Its contents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WantedData {
    Any,
    Int(i32),
    Bytes(Vec<u8>),
    /// Software timestamp, nanoseconds since the script's start.
    Time(i64),
    /// `struct sock_extended_err`: errno, origin, type, code, info, data.
    ExtendedError {
        errno: u32,
        origin: u8,
        kind: u8,
        code: u8,
        info: u32,
        data: u32,
    },
}
