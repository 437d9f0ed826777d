//! System calls as data: what is asked ([`Call`]), what comes back ([`Outcome`], [`Answer`]), and how far a
//! call has come ([`Progress`]).

use crate::Address;
use cauce_core::socket::call::UserMemory;
use cauce_core::socket::errno::Errno;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A descriptor as programs pass it; negative ones are never open.
pub type Fd = i32;

/// Memory of the program that calls. It must stay valid while the call sleeps.
pub type Memory = Box<dyn UserMemory + Send>;

slotmap::new_key_type! {
    /// Names a call that sleeps.
    pub struct SleepId;
}

/// Memory of no bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl UserMemory for NoMemory {
    fn len(&self) -> usize {
        0
    }

    fn copy_in(&self, _: usize, _: &mut [u8]) -> usize {
        0
    }

    fn copy_out(&mut self, _: usize, _: &[u8]) -> usize {
        0
    }
}

/// One descriptor of poll().
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollFd {
    /// The descriptor; a negative one is passed over.
    pub fd: Fd,
    /// The events that are asked for.
    pub events: i16,
}

/// The three sets of select(), or those of their descriptors that are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectSets {
    /// `readfds`: a read would not wait.
    pub read: Vec<Fd>,
    /// `writefds`: a write would not wait.
    pub write: Vec<Fd>,
    /// `exceptfds`: an urgent byte is there.
    pub except: Vec<Fd>,
}

/// One event of an epoll set: its bits, and the program's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// EPOLLIN and so on, and EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE when it is given to epoll_ctl().
    pub events: u32,
    /// `epoll_data`.
    pub data: u64,
}

/// A control message of sendmsg() and recvmsg().
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `cmsg_level`.
    pub level: i32,
    /// `cmsg_type`.
    pub kind: i32,
    /// What follows its header.
    pub data: Vec<u8>,
}

/// Which of the receiving calls: they differ in what they tell beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// read() and readv().
    Read,
    /// recv() and recvfrom().
    Recv,
    /// recvmsg(), with room for so many bytes of control messages.
    Message {
        /// `msg_controllen`.
        control: usize,
    },
}

/// A system call with everything it needs. Flags, levels and names are Linux's numbers.
pub enum Call {
    /// socket()
    Socket {
        /// AF_INET or AF_INET6.
        domain: i32,
        /// SOCK_STREAM, with SOCK_NONBLOCK and SOCK_CLOEXEC.
        kind: i32,
        /// 0 or IPPROTO_TCP.
        protocol: i32,
    },
    /// socketpair()
    SocketPair {
        /// As for socket().
        domain: i32,
        /// As for socket().
        kind: i32,
        /// As for socket().
        protocol: i32,
    },
    /// bind()
    Bind {
        /// The socket.
        fd: Fd,
        /// Where.
        address: Address,
    },
    /// listen()
    Listen {
        /// The socket.
        fd: Fd,
        /// A negative one counts as huge.
        backlog: i32,
    },
    /// accept() and accept4()
    Accept {
        /// The listener.
        fd: Fd,
        /// SOCK_NONBLOCK and SOCK_CLOEXEC.
        flags: i32,
    },
    /// connect()
    Connect {
        /// The socket.
        fd: Fd,
        /// To whom.
        address: Address,
    },
    /// getsockname(), and getpeername() with `peer`
    Name {
        /// The socket.
        fd: Fd,
        /// The other side's.
        peer: bool,
    },
    /// read(), readv(), recv(), recvfrom(), recvmsg()
    Receive {
        /// A socket, the reading end of a pipe, or a file.
        fd: Fd,
        /// Where the bytes go.
        memory: Memory,
        /// MSG_…
        flags: i32,
        /// Which call.
        by: Receive,
    },
    /// write(), writev(), send(), sendto(), sendmsg()
    Send {
        /// A socket, or the writing end of a pipe.
        fd: Fd,
        /// Where the bytes come from.
        memory: Memory,
        /// MSG_…
        flags: i32,
        /// The address of sendto() and sendmsg().
        to: Option<Address>,
        /// The control messages of sendmsg().
        controls: Vec<Control>,
    },
    /// sendfile()
    SendFile {
        /// The socket.
        output: Fd,
        /// The file.
        input: Fd,
        /// Where in the file; without one the file's own position is used and moved.
        offset: Option<u64>,
        /// Bytes.
        count: usize,
    },
    /// splice()
    Splice {
        /// From.
        input: Fd,
        /// Where in a file; `ESPIPE` for pipes and sockets.
        input_offset: Option<u64>,
        /// To.
        output: Fd,
        /// The same.
        output_offset: Option<u64>,
        /// Bytes.
        len: usize,
        /// SPLICE_F_…
        flags: u32,
    },
    /// close()
    Close {
        /// The descriptor.
        fd: Fd,
    },
    /// shutdown()
    Shutdown {
        /// The socket.
        fd: Fd,
        /// SHUT_RD, SHUT_WR or SHUT_RDWR.
        how: i32,
    },
    /// getsockopt()
    GetOption {
        /// The socket.
        fd: Fd,
        /// SOL_…
        level: i32,
        /// The option.
        name: i32,
        /// Room for the value, bytes.
        len: i32,
    },
    /// setsockopt()
    SetOption {
        /// The socket.
        fd: Fd,
        /// SOL_…
        level: i32,
        /// The option.
        name: i32,
        /// The value, as long as it is said to be; `None` for a pointer that cannot be read.
        value: Option<Vec<u8>>,
    },
    /// fcntl()
    Fcntl {
        /// The descriptor.
        fd: Fd,
        /// F_…
        command: i32,
        /// Its argument, 0 when there is none.
        argument: i64,
    },
    /// ioctl()
    Ioctl {
        /// The descriptor.
        fd: Fd,
        /// The request.
        request: u64,
        /// The int that the pointer points to before the call.
        argument: i32,
    },
    /// poll(), ppoll() without a mask
    Poll {
        /// The descriptors.
        fds: Vec<PollFd>,
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// select(), pselect() without a mask
    Select {
        /// The descriptors.
        sets: SelectSets,
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// epoll_create1()
    EpollCreate {
        /// EPOLL_CLOEXEC.
        flags: i32,
    },
    /// epoll_ctl()
    EpollCtl {
        /// The set.
        epoll: Fd,
        /// EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL.
        operation: i32,
        /// The member.
        fd: Fd,
        /// What to watch.
        event: Event,
    },
    /// epoll_wait()
    EpollWait {
        /// The set.
        epoll: Fd,
        /// Most events.
        max: i32,
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// pipe2()
    Pipe {
        /// O_NONBLOCK and O_CLOEXEC.
        flags: i32,
    },
    /// dup()
    Dup {
        /// The descriptor.
        fd: Fd,
    },
    /// dup3(): `to` names what `fd` names from now on.
    DupTo {
        /// The descriptor.
        fd: Fd,
        /// Its second name.
        to: Fd,
        /// O_CLOEXEC.
        flags: i32,
    },
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Call {
    /// The name of the call, the plainest one where several share it.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Socket { .. } => "socket",
            Call::SocketPair { .. } => "socketpair",
            Call::Bind { .. } => "bind",
            Call::Listen { .. } => "listen",
            Call::Accept { .. } => "accept",
            Call::Connect { .. } => "connect",
            Call::Name { peer: false, .. } => "getsockname",
            Call::Name { .. } => "getpeername",
            Call::Receive { by: Receive::Read, .. } => "read",
            Call::Receive { by: Receive::Recv, .. } => "recv",
            Call::Receive { .. } => "recvmsg",
            Call::Send { .. } => "send",
            Call::SendFile { .. } => "sendfile",
            Call::Splice { .. } => "splice",
            Call::Close { .. } => "close",
            Call::Shutdown { .. } => "shutdown",
            Call::GetOption { .. } => "getsockopt",
            Call::SetOption { .. } => "setsockopt",
            Call::Fcntl { .. } => "fcntl",
            Call::Ioctl { .. } => "ioctl",
            Call::Poll { .. } => "poll",
            Call::Select { .. } => "select",
            Call::EpollCreate { .. } => "epoll_create1",
            Call::EpollCtl { .. } => "epoll_ctl",
            Call::EpollWait { .. } => "epoll_wait",
            Call::Pipe { .. } => "pipe2",
            Call::Dup { .. } => "dup",
            Call::DupTo { .. } => "dup3",
        }
    }
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result, or the error.
    pub result: Result<i64, Errno>,
    /// What the call wrote through its pointers.
    pub answer: Answer,
}

/// What a call wrote through its pointers, beside the bytes of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// An address.
    Address(SocketAddr),
    /// The value of a socket option; a call told of less room gets its first bytes.
    Bytes(Vec<u8>),
    /// The int of an ioctl.
    Int(i32),
    /// `revents` of each descriptor given to poll().
    Poll(Vec<i16>),
    /// What select() leaves in its sets.
    Select(SelectSets),
    /// Events of epoll_wait().
    Events(Vec<Event>),
    /// Both ends of a pipe, the reading one first.
    Pipe(Fd, Fd),
    /// The position after sendfile() or splice() with an offset of its own: of the input, of the output.
    Offsets(Option<u64>, Option<u64>),
    /// Flags, address and control messages of recvmsg().
    Message {
        /// `msg_flags`.
        flags: i32,
        /// `msg_name`, for messages of the error queue.
        name: Option<SocketAddr>,
        /// In order.
        controls: Vec<Control>,
    },
}

impl Outcome {
    /// Success with `result` and no more.
    pub fn done(result: impl Into<i64>) -> Outcome {
        Outcome { result: Ok(result.into()), answer: Answer::Nothing }
    }

    /// Success with `result` and `answer`.
    pub fn with(result: i64, answer: Answer) -> Outcome {
        Outcome { result: Ok(result), answer }
    }

    /// Failure.
    pub fn failed(error: Errno) -> Outcome {
        Outcome { result: Err(error), answer: Answer::Nothing }
    }
}

impl From<Result<(), Errno>> for Outcome {
    fn from(result: Result<(), Errno>) -> Outcome {
        Outcome { result: result.map(|()| 0), answer: Answer::Nothing }
    }
}

/// A signal that is due to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGPIPE, to the thread whose call failed with `EPIPE`.
    Pipe,
    /// SIGURG, to the owner of a socket: a process, or a group when negative.
    Urgent {
        /// What F_SETOWN said.
        owner: i32,
    },
    /// SIGIO, to the owner of a socket with O_ASYNC that got ready for something, or failed (U-08).
    Io {
        /// What F_SETOWN said.
        owner: i32,
    },
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has returned.
    Done(Outcome),
    /// It sleeps; [`Process::poll_returned`](crate::Process::poll_returned) tells when it has returned.
    Sleeps(SleepId),
    /// Linux knows this call or option and we do not have it: a face that must answer a program says
    /// `EOPNOTSUPP` or `ENOPROTOOPT`. The text names it.
    Unsupported(String),
}

impl From<Outcome> for Progress {
    fn from(outcome: Outcome) -> Progress {
        Progress::Done(outcome)
    }
}

impl From<Errno> for Progress {
    fn from(error: Errno) -> Progress {
        Progress::Done(Outcome::failed(error))
    }
}

impl From<Result<(), Errno>> for Progress {
    fn from(result: Result<(), Errno>) -> Progress {
        Progress::Done(result.into())
    }
}
