//! The peer's urgent data as the user meets it (RFC 9293 3.8.5, RFC 6093, S-43).
//!
//! Linux's rules: one urgent byte at a time, which is taken out of the stream unless SO_OOBINLINE is set; a
//! read stops before it, and a read that starts at it leaves it behind for good. Which pointers of the peer
//! count is decided in `segment_arrives/urgent`.

use super::Connection;
use super::user_calls::ReadFlags;
use super::{State, flag};
use crate::context::Context;
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;

/// What is known of the urgent byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrgentByte {
    /// Its place is known, it has not arrived.
    Awaited,
    /// It is here.
    Here(u8),
    /// It has been read by MSG_OOB.
    Read,
}

/// The peer's urgent pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerUrgent {
    /// The offset of the urgent byte (Linux's `urg_seq`).
    pub(crate) at: u64,
    pub(crate) byte: UrgentByte,
    /// SIGURG is due.
    pub(crate) notice: bool,
}

impl Connection {
    /// SIOCATMARK: the next byte to be read is the urgent one, or the one after it.
    pub(crate) fn at_mark(&self) -> bool {
        self.peer_urgent().is_some_and(|urgent| urgent.at == self.recv.read_position())
    }

    /// The reader stands before an urgent byte that is no part of the stream.
    fn at_hole(&self) -> bool {
        self.at_mark() && !self.options.has(option::OOBINLINE)
    }

    /// Where reads stop: at the urgent byte, while it lies ahead.
    pub(crate) fn read_stop(&self) -> Option<u64> {
        self.peer_urgent().map(|urgent| urgent.at).filter(|at| *at > self.recv.read_position())
    }

    /// Bytes that a reader can get, without the urgent one that he stands before.
    pub(crate) fn stream_bytes(&self) -> usize {
        self.recv.readable().saturating_sub(usize::from(self.at_hole()))
    }

    /// SIOCINQ: bytes up to the mark, or all when there is none ahead.
    pub(crate) fn bytes_to_read(&self) -> usize {
        if self.options.has(option::OOBINLINE) {
            return self.recv.readable();
        }
        match self.peer_urgent() {
            Some(urgent) if urgent.at >= self.recv.read_position() => {
                let ahead = usize::try_from(urgent.at - self.recv.read_position()).unwrap_or(usize::MAX);
                ahead.min(self.recv.readable())
            }
            _ => self.recv.readable(),
        }
    }

    /// A read that starts at the mark leaves the urgent byte out; a peek only looks past it. Returns how many
    /// bytes a peek has to skip.
    pub(crate) fn step_over_urgent(&mut self, peek: bool, cx: &mut Context<'_>) -> usize {
        if !self.at_hole() || self.recv.readable() == 0 {
            return 0;
        }
        if peek {
            return 1;
        }
        self.recv.discard(1, None, cx);
        self.forget_passed_urgent();
        0
    }

    /// An urgent byte that the reader has passed is urgent no more.
    pub(crate) fn forget_passed_urgent(&mut self) {
        let position = self.recv.read_position();
        if let Some(rare) = &mut self.rare
            && rare.urgent.is_some_and(|urgent| urgent.at < position)
        {
            rare.urgent = None;
        }
    }

    /// MSG_OOB: reads the urgent byte, which is not in the stream. It never waits.
    pub(crate) fn receive_urgent(
        &mut self,
        max: usize,
        flags: ReadFlags,
        sink: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<usize, Errno> {
        let inline = self.options.has(option::OOBINLINE);
        let closed = self.state == State::Closed;
        let over = self.has(flag::RCV_SHUTDOWN | flag::FIN_RECEIVED) || closed;
        let lost = closed && !self.has(flag::FIN_RECEIVED);
        let Some(urgent) = self.rare.as_mut().and_then(|rare| rare.urgent.as_mut()).filter(|_| !inline)
        else {
            return Err(Errno::EINVAL);
        };
        if urgent.byte != UrgentByte::Read && lost {
            return Err(Errno::ENOTCONN);
        }
        match urgent.byte {
            UrgentByte::Read => Err(Errno::EINVAL),
            UrgentByte::Here(byte) => {
                let faulted = max > 0 && !flags.discard && sink(&[byte]) == 0;
                if !flags.peek {
                    urgent.byte = UrgentByte::Read;
                }
                if faulted { Err(Errno::EFAULT) } else { Ok(max.min(1)) }
            }
            UrgentByte::Awaited if over => Ok(0),
            UrgentByte::Awaited => Err(Errno::EAGAIN),
        }
    }

    /// True once for each new urgent pointer: SIGURG is due.
    pub(crate) fn take_urgent_notice(&mut self) -> bool {
        let urgent = self.rare.as_mut().and_then(|rare| rare.urgent.as_mut());
        urgent.is_some_and(|urgent| core::mem::take(&mut urgent.notice))
    }
}
