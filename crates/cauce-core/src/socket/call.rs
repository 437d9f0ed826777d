//! A user call that may have to wait, as data (DESIGN 4.11, O-35, O-40).
//!
//! The calls of [`Socket`](super::Socket) never wait. This room adds what a blocking call is made of: a call
//! is *started*; it is done at once, or it stands in the stack's table until its socket gets better or its
//! own limit (SO_RCVTIMEO, SO_SNDTIMEO, the linger time) is reached, and is then *resumed* by whoever owns it.
//! Time is the stack's, so a blocking call in virtual time is exact. Memory is reached through a trait that
//! may fault; a fault loses no byte of the stream.

use super::errno::Errno;
use super::readiness::Readiness;
use super::{ReadFlags, SendFlags, SocketId};
use crate::time::{Duration, Instant};
use core::net::SocketAddr;

slotmap::new_key_type! {
    /// Names a waiting call of one stack.
    pub struct CallId;
}

/// The memory of the user who calls.
pub trait UserMemory {
    /// Bytes of it.
    fn len(&self) -> usize;

    /// True when there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies from `offset` on into `to`. Returns how many bytes could be read; fewer than asked is a fault.
    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize;

    /// Copies `from` to `offset`. Returns how many bytes could be written; fewer than given is a fault.
    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize;
}

/// Memory of this process, which cannot fault.
impl UserMemory for [u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize {
        let there = self.get(offset..).unwrap_or(&[]);
        let count = there.len().min(to.len());
        to[..count].copy_from_slice(&there[..count]);
        count
    }

    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize {
        let there = self.get_mut(offset..).unwrap_or(&mut []);
        let count = there.len().min(from.len());
        there[..count].copy_from_slice(&from[..count]);
        count
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// connect(2): done when the handshake has ended.
    Connect(SocketAddr),
    /// accept(2): done when a connection is there.
    Accept,
    /// send(2): done when all bytes of the memory have found room.
    Send(SendFlags),
    /// sendto(2) with MSG_FASTOPEN: opens the connection with the first bytes, and is done when the handshake has
    /// ended and all bytes have found room.
    SendOpening {
        /// The peer.
        to: Option<SocketAddr>,
        /// As of send(2).
        flags: SendFlags,
    },
    /// recv(2): done when there is something to read (SO_RCVLOWAT bytes of it), or all of it with `wait_all`.
    Recv {
        /// Peeking or discarding.
        flags: ReadFlags,
        /// MSG_WAITALL.
        wait_all: bool,
    },
    /// close(2) of a socket with SO_LINGER: done when everything is acknowledged or the time is over.
    Close,
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Nothing but success.
    Nothing,
    /// Bytes sent or received.
    Bytes(usize),
    /// The accepted socket.
    Socket(SocketId),
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has returned.
    Done(Result<Returned, Errno>),
    /// It waits; the stack's `poll_call` names it when it is worth resuming.
    Pending(CallId),
}

/// A call that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) socket: SocketId,
    pub(crate) call: Call,
    /// Bytes done so far.
    pub(crate) done: usize,
    pub(crate) deadline: Instant,
    /// The connection is opened by this very call.
    pub(crate) opening: Opening,
    /// On the list of calls to be resumed.
    pub(crate) woken: bool,
}

/// A write that opens its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Nothing has been asked yet.
    NotBegun,
    /// The SYN has left, or is about to: the handshake lasts.
    Lasts,
    /// There is a connection.
    Over,
}

impl Waiting {
    /// The limit of a call that starts now; zero means that there is none.
    pub(crate) fn limit(
        call: Call,
        now: Instant,
        recv: Duration,
        send: Duration,
        linger: Duration,
    ) -> Instant {
        let span = match call {
            Call::Accept | Call::Recv { .. } => recv,
            Call::Connect(_) | Call::Send(_) | Call::SendOpening { .. } => send,
            Call::Close => linger,
        };
        if span.is_zero() { Instant::NEVER } else { now + span }
    }

    /// What the call returns when its limit is reached.
    pub(crate) fn expired(&self) -> Result<Returned, Errno> {
        match self.call {
            Call::Close => Ok(Returned::Nothing),
            Call::Connect(_) => Err(Errno::EINPROGRESS),
            _ if self.done > 0 => Ok(Returned::Bytes(self.done)),
            _ if self.opening == Opening::Lasts => Err(Errno::EINPROGRESS),
            _ => Err(Errno::EAGAIN),
        }
    }

    /// True when the socket's readiness makes another try worth while.
    pub(crate) fn is_interested(&self, ready: Readiness) -> bool {
        match self.call {
            Call::Accept | Call::Recv { .. } => ready.is_readable(),
            Call::Send(_) | Call::SendOpening { .. } | Call::Connect(_) => ready.is_writable(),
            Call::Close => true,
        }
    }
}
