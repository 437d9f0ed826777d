//! Packets on their way out of the engine.
//!
//! A [`Transmit`] owns everything a device needs: headers inline, payload as counted slices shared with the
//! write queue, and the instructions for checksum and segmentation offload, as a virtio-net header states
//! them. Nothing borrows from the stack. What a device refuses stays in its [`Batch`]: that is the
//! back-pressure, and no packet is dropped in silence.

use crate::frame::DeviceId;
use crate::socket::SocketId;
use alloc::collections::VecDeque;
use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// Room for link, network and transport headers: 14 + 40 + 60, rounded up.
pub const MAX_HEADER: usize = 128;
/// Most payload slices of one entry: with its header they fit one `writev` of modest size.
pub const MAX_SLICES: usize = 17;
/// Most payload bytes of one super-segment: an IPv4 packet's 65,535 less its largest headers.
pub const MAX_SUPER_PAYLOAD: usize = 65_535 - 60 - 60;

/// Why a segment was sent, for traces and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendReason {
    /// New data within the window.
    Data,
    /// A SYN or SYN,ACK, first or repeated.
    Handshake,
    /// A pure acknowledgement that was due.
    Ack,
    /// A reply owed to one unacceptable segment (duplicate or challenge ACK).
    ChallengeAck,
    /// Data sent again by fast recovery.
    Retransmit,
    /// Data sent again after the retransmission time-out.
    Timeout,
    /// A tail-loss probe.
    TailLossProbe,
    /// New data in a segment larger than the others, to learn whether the path carries it.
    PathMtuProbe,
    /// A zero-window probe.
    WindowProbe,
    /// A keepalive probe.
    Keepalive,
    /// A reset.
    Reset,
    /// The stack forwards or answers for another layer (ARP, NDP, loopback).
    Control,
}

/// Segmentation that the device still has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// Payload bytes of each segment.
    pub size: u16,
    /// How many segments come out.
    pub segments: u16,
}

/// The checksum that the device still has to complete: sum from `start` to the end of the packet and write
/// the folded complement at `start + offset`, where the pseudo-header's sum already stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where summing starts, in bytes from the first byte of the header.
    pub start: u16,
    /// Where the result goes, in bytes from `start`.
    pub offset: u16,
}

/// Says whose bytes a transmitted entry carried. Devices hand it back through `Stack::handle_transmitted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The connection, if the entry belonged to one that counts its bytes below the socket.
    pub socket: Option<SocketId>,
    /// Bytes of memory the entry held.
    pub bytes: u32,
    /// The stream offset just past the entry's payload, for transmit notices.
    pub end: u64,
    /// What the user asked of a device that schedules.
    pub class: TrafficClass,
}

/// The sender's wishes for a device that schedules or filters (O-42). A packet socket hands them to its interface; TUN and
/// TAP have no place for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficClass {
    /// SO_PRIORITY, or what IP_TOS implies.
    pub priority: u32,
    /// SO_MARK.
    pub mark: u32,
}

impl Token {
    /// A token for packets that nobody waits for.
    pub const NONE: Token =
        Token { socket: None, bytes: 0, end: 0, class: TrafficClass { priority: 0, mark: 0 } };
}

/// One packet, or one super-packet, to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// Link (layer-2 devices), IP and TCP headers.
    pub header: ArrayVec<u8, MAX_HEADER>,
    /// The payload in order, at most [`MAX_SLICES`] slices.
    pub payload: SmallVec<[Bytes; 2]>,
    /// Segmentation left to do; `None` for a packet that fits the MTU.
    pub gso: Option<Gso>,
    /// Checksum left to complete; `None` when the packet is finished.
    pub checksum: Option<PartialChecksum>,
    /// Where the network header starts in `header`: 0, or 14 behind an Ethernet header.
    pub network_offset: u8,
    /// Where the transport header starts in `header`.
    pub transport_offset: u8,
    /// The device to send it with.
    pub device: DeviceId,
    /// Why it was sent.
    pub reason: SendReason,
    /// Comes back when it is sent.
    pub token: Token,
}

impl Transmit {
    /// Headers and payload in one piece.
    pub fn whole(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.header.len() + self.payload_len());
        whole.extend_from_slice(&self.header);
        self.payload.iter().for_each(|part| whole.extend_from_slice(part));
        whole.freeze()
    }

    /// Payload bytes.
    pub fn payload_len(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum()
    }

    /// Bytes of the whole packet or super-packet.
    pub fn len(&self) -> usize {
        self.header.len() + self.payload_len()
    }

    /// True when there is nothing to send at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many packets reach the wire.
    pub fn segments(&self) -> usize {
        self.gso.map_or(1, |gso| usize::from(gso.segments))
    }
}

/// A bounded queue of packets between a stack and its device.
#[derive(Debug)]
pub struct Batch {
    queue: VecDeque<Transmit>,
    limit: usize,
}

impl Batch {
    /// A batch that takes at most `limit` entries (at least one).
    pub fn new(limit: usize) -> Self {
        Batch { queue: VecDeque::new(), limit: limit.max(1) }
    }

    /// How many more entries fit.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.queue.len())
    }

    /// Entries waiting.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Appends an entry. The engine asks for [`Batch::room`] first; an entry pushed beyond it is kept too,
    /// because losing it would be worse.
    pub fn push(&mut self, transmit: Transmit) {
        self.queue.push_back(transmit);
    }

    /// Takes the oldest entry.
    pub fn pop(&mut self) -> Option<Transmit> {
        self.queue.pop_front()
    }

    /// Gives an entry back that the device refused; it is the next to be popped.
    pub fn unpop(&mut self, transmit: Transmit) {
        self.queue.push_front(transmit);
    }

    /// Takes all entries from the `at`th on.
    pub fn split_off(&mut self, at: usize) -> VecDeque<Transmit> {
        self.queue.split_off(at.min(self.queue.len()))
    }

    /// The oldest entry.
    pub fn front(&self) -> Option<&Transmit> {
        self.queue.front()
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Transmit> {
        self.queue.iter()
    }
}
