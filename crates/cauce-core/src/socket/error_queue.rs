//! The error queue of a socket: what MSG_ERRQUEUE reads (A-18, A-42, O-50).
//!
//! Messages come from ICMP errors, from the time stamps of sent bytes, and from zero-copy sends that are
//! through. They carry the fields of Linux's `struct sock_extended_err`. The queue is bounded by
//! `cauce.max_error_queue`; what does not fit is lost, as a receive buffer that is full loses it on Linux.

use crate::frame::DeviceId;
use crate::socket::errno::Errno;
use crate::time::Instant;
use alloc::collections::VecDeque;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};

/// Where a message comes from (`ee_origin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorOrigin {
    /// SO_EE_ORIGIN_ICMP.
    Icmp = 2,
    /// SO_EE_ORIGIN_ICMP6.
    Icmp6 = 3,
    /// SO_EE_ORIGIN_TIMESTAMPING.
    Timestamping = 4,
    /// SO_EE_ORIGIN_ZEROCOPY.
    ZeroCopy = 5,
}

/// `ee_code` of a zero-copy notice whose bytes were copied after all (SO_EE_CODE_ZEROCOPY_COPIED).
pub const ZEROCOPY_COPIED: u8 = 1;

/// One message of an error queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// What the message is about: the quoted TCP header of an ICMP error, the bytes of a stamped segment.
    pub payload: Bytes,
    /// `ee_errno`; `None` for success (0).
    pub errno: Option<Errno>,
    /// `ee_origin`.
    pub origin: ErrorOrigin,
    /// `ee_type`: the ICMP type.
    pub kind: u8,
    /// `ee_code`: the ICMP code, or [`ZEROCOPY_COPIED`].
    pub code: u8,
    /// `ee_info`: the path MTU, which moment is stamped, or the first send of a range.
    pub info: u32,
    /// `ee_data`: the key of the stamped byte, or the last send of a range.
    pub data: u32,
    /// Who sent the ICMP error (SO_EE_OFFENDER).
    pub offender: Option<IpAddr>,
    /// The packet that brought the ICMP error.
    pub carrier: Option<Carrier>,
    /// The peer, as the name that recvmsg(2) fills in.
    pub peer: SocketAddr,
    /// The moment that SCM_TIMESTAMPING reports.
    pub timestamp: Option<Instant>,
}

/// What is known of the packet that brought an ICMP error: IP_PKTINFO, IP_RECVTTL, IP_RECVTOS and their like tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Where it arrived.
    pub device: DeviceId,
    /// To which of our addresses.
    pub to: IpAddr,
    /// Its TTL or hop limit.
    pub hop_limit: u8,
    /// Its type of service or traffic class.
    pub traffic_class: u8,
}

/// The messages that wait.
#[derive(Debug, Default)]
pub(crate) struct ErrorQueue {
    messages: VecDeque<ErrorMessage>,
}

impl ErrorQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes that the messages hold.
    pub(crate) fn memory(&self) -> u32 {
        self.messages.iter().map(|message| message.payload.len() as u32 + COST).sum()
    }

    /// Appends a message; false when the queue is full and it is lost. Zero-copy notices that follow the newest
    /// message merge into it.
    pub(crate) fn push(&mut self, message: ErrorMessage, bound: u32) -> bool {
        if let Some(newest) = self.messages.back_mut()
            && newest.absorbs(&message)
        {
            newest.data = message.data;
            return true;
        }
        if self.messages.len() >= bound as usize {
            return false;
        }
        self.messages.push_back(message);
        true
    }

    /// Takes the oldest message. The second value is the error that the next one leaves pending, which Linux
    /// renews for ICMP errors with each read.
    pub(crate) fn pop(&mut self) -> Option<(ErrorMessage, Option<Errno>)> {
        let message = self.messages.pop_front()?;
        let next = self.messages.front().filter(|next| next.is_icmp()).and_then(|next| next.errno);
        Some((message, next))
    }
}

/// What a message costs beside its payload.
const COST: u32 = size_of::<ErrorMessage>() as u32;

impl ErrorMessage {
    pub(crate) fn is_icmp(&self) -> bool {
        matches!(self.origin, ErrorOrigin::Icmp | ErrorOrigin::Icmp6)
    }

    fn absorbs(&self, next: &ErrorMessage) -> bool {
        let both = self.origin == ErrorOrigin::ZeroCopy && next.origin == ErrorOrigin::ZeroCopy;
        both && self.code == next.code && self.data.wrapping_add(1) == next.info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(first: u32, last: u32, code: u8) -> ErrorMessage {
        ErrorMessage {
            payload: Bytes::new(),
            errno: None,
            origin: ErrorOrigin::ZeroCopy,
            kind: 0,
            code,
            info: first,
            data: last,
            offender: None,
            carrier: None,
            peer: ([10, 0, 0, 1], 80).into(),
            timestamp: None,
        }
    }

    /// notices of successive sends become one range, unless one was copied and the other was not.
    #[test]
    fn ranges_merge() {
        let mut queue = ErrorQueue::default();
        for message in [done(0, 0, 1), done(1, 1, 1), done(2, 3, 1), done(4, 4, 0), done(6, 6, 0)] {
            assert!(queue.push(message, 8));
        }
        let mut ranges = std::vec::Vec::new();
        while let Some((message, _)) = queue.pop() {
            ranges.push((message.info, message.data, message.code));
        }
        assert_eq!(ranges, [(0, 3, 1), (4, 4, 0), (6, 6, 0)]);
    }

    /// The bound holds, and what is there stays.
    #[test]
    fn the_queue_is_bounded() {
        let mut queue = ErrorQueue::default();
        assert!(
            queue.push(done(0, 0, 0), 2) && queue.push(done(5, 5, 0), 2) && !queue.push(done(9, 9, 0), 2)
        );
        assert!(queue.push(done(6, 7, 0), 2), "a merge needs no room");
        assert_eq!(queue.pop().map(|(message, _)| message.info), Some(0));
        assert_eq!(queue.pop().map(|(message, _)| (message.info, message.data)), Some((5, 7)));
        assert!(queue.is_empty() && queue.pop().is_none());
    }
}
