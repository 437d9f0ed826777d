//! A process's side of the socket interface, still without IO: descriptors and the system calls on them.
//!
//! `cauce-core` has sockets and their POSIX meaning; this crate has what lies between them and a program
//! that speaks in numbers: the descriptor table, system calls by their Linux arguments, socket options by
//! level and name, poll, epoll, pipes, files to send from, splice, and calls that sleep. A call is data: it
//! is *started* ([`Process::call`]), and when it cannot return yet it stands in the process's table until
//! [`Process::turn`] finds that it can. Nothing here waits, so the same code serves virtual time, an event
//! loop, and threads that really sleep.
//!
//! ```
//! use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
//! use cauce_posix::{Call, Process, Progress};
//! # let mut n = 0u64;
//! # let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
//! let mut process = Process::new(1024);
//! let call = Call::Socket { domain: libc::AF_INET, kind: libc::SOCK_STREAM, protocol: 0 };
//! let Progress::Done(outcome) = process.call(&mut stack, Instant::ZERO, call) else { panic!("it sleeps") };
//! assert_eq!(outcome.result, Ok(3));
//! ```
//!
//! [`proc`] prints a stack as the files under `/proc/net` do, [`tools`] as `ss`, `netstat`, `nstat`, `sysctl` and
//! `ip` do: whoever shows a stack to people or scripts prints the same text.
//!
//! What it never does: read a clock, open a file, touch memory of a program (that goes through
//! [`UserMemory`](cauce_core::socket::call::UserMemory), which may fault), or know a stack's insides.
#![forbid(unsafe_code)]

mod address;
mod call;
mod descriptor_calls;
mod epoll;
mod file;
mod message;
mod object;
pub mod options;
mod owner;
mod pipe;
mod poll;
pub mod proc;
mod process;
mod sleep;
mod socket_calls;
mod splice;
mod table;
pub mod tools;
mod transfer;

/// Pieces of memory that readv(), writev(), recvmsg() and sendmsg() take (UIO_MAXIOV). Faces see to it: more are `EINVAL`
/// for the former two, `EMSGSIZE` for the latter.
pub const MOST_PIECES: usize = 1024;

pub use address::{Address, sockaddr};
pub use call::{
    Answer, Call, Control, Event, Fd, Memory, NoMemory, Outcome, PollFd, Progress, Receive, SelectSets,
    Signal, SleepId,
};
pub use file::FileSource;
pub use process::Process;
