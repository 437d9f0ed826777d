//! What a device is: packets in, packets out, and what it can do for the engine.
//!
//! A device never blocks, never drops in silence and never reads a clock. It knows nothing of TCP beyond
//! the headers that checksum and segmentation offload have to touch.

use cauce_core::batch::{Batch, MAX_SUPER_PAYLOAD, Token};
use cauce_core::frame::Frame;
use cauce_core::stack::{self, InterfaceConfig};
use std::io;
use std::os::fd::BorrowedFd;
use std::task::Waker;

/// What a packet starts with on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Packets start with their IP header.
    Ip,
    /// Packets start with an Ethernet header; the engine resolves neighbours by ARP and NDP.
    Ethernet {
        /// The device's own hardware address.
        mac: [u8; 6],
    },
}

impl Medium {
    /// Bytes before the IP header.
    pub const fn link_header_len(self) -> usize {
        match self {
            Medium::Ip => 0,
            Medium::Ethernet { .. } => 14,
        }
    }
}

/// What a device can do. The engine reads it once, when the device is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Largest IP packet, in bytes, link header not counted.
    pub mtu: usize,
    /// What packets start with.
    pub medium: Medium,
    /// Largest super-packet that [`Device::transmit`] takes, in bytes of IP packet; equal to `mtu` when it
    /// takes none.
    pub max_gso: usize,
    /// Super-packets leave whole; otherwise they are segmented in software inside `transmit`.
    pub tso: bool,
    /// Partial checksums leave as they are; otherwise they are completed in software inside `transmit`.
    pub checksum_tx: bool,
    /// Received frames may say that their checksum is verified or was never completed.
    pub checksum_rx: bool,
    /// How many queues the device as a whole has; each is a `Device` of its own.
    pub queues: u16,
}

impl Capabilities {
    /// What a stack must know of the device, under a name for people.
    pub fn interface(&self, name: &str) -> InterfaceConfig {
        let longest = self.max_gso.saturating_sub(65_535 - MAX_SUPER_PAYLOAD);
        InterfaceConfig {
            name: name.to_owned(),
            mtu: u16::try_from(self.mtu).unwrap_or(u16::MAX),
            medium: match self.medium {
                Medium::Ip => stack::Medium::Ip,
                Medium::Ethernet { mac } => stack::Medium::Ethernet { mac },
            },
            max_super: if self.max_gso > self.mtu { longest as u16 } else { 0 },
        }
    }
}

/// What a device has done so far. Packets count as they cross this interface: a super-packet is one packet
/// and several segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Packets and super-packets received.
    pub rx_packets: u64,
    /// Segments that they stood for.
    pub rx_segments: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Packets received that could not be made sense of and were dropped: truncated, or with an impossible
    /// offload header.
    pub rx_malformed: u64,
    /// Packets that the kernel dropped because nobody fetched them in time, where it says so.
    pub rx_dropped: u64,
    /// Packets and super-packets sent.
    pub tx_packets: u64,
    /// Segments that they stood for.
    pub tx_segments: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// How often the device was full and a packet stayed in the batch.
    pub tx_blocked: u64,
    /// Packets that the kernel rejects for good (`EINVAL`, `EMSGSIZE` and the like); they are lost, as on
    /// a wire, and their tokens come back.
    pub tx_rejected: u64,
    /// The error of the last rejected packet, as `errno`; 0 if there was none.
    pub tx_last_errno: i32,
    /// How often a packet socket was refused the priority or the mark of what it sends, for want of privilege; the packets
    /// went without.
    pub tx_unclassed: u64,
}

impl DeviceCounters {
    /// Counts one received packet.
    pub(crate) fn received(&mut self, segments: u16, bytes: usize) {
        self.rx_packets += 1;
        self.rx_segments += u64::from(segments.max(1));
        self.rx_bytes += bytes as u64;
    }

    /// Counts one sent packet.
    pub(crate) fn sent(&mut self, segments: usize, bytes: usize) {
        self.tx_packets += 1;
        self.tx_segments += segments as u64;
        self.tx_bytes += bytes as u64;
    }
}

/// Carries packets. Everything is non-blocking.
///
/// ```
/// use cauce_core::batch::Batch;
/// use cauce_device::{Device, PipeOptions, pipe};
/// let (mut left, _right) = pipe(PipeOptions::default());
/// let (mut frames, mut sent) = (Vec::new(), Vec::new());
/// assert_eq!(left.receive(64, &mut frames).unwrap(), 0);
/// assert_eq!(left.transmit(&mut Batch::new(64), &mut sent).unwrap(), 0);
/// ```
pub trait Device: Send {
    /// What the device can do. Constant over its life.
    fn capabilities(&self) -> Capabilities;

    /// Takes at most `budget` packets that have arrived and appends them, coalesced where the device does
    /// that, to `into`. Returns how many packets were taken; less than `budget` means that the device is
    /// drained for now.
    ///
    /// # Errors
    /// Only when the device itself is broken or gone; nothing that a peer sends is an error.
    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize>;

    /// Sends from the front of `batch` what the device takes now and appends the tokens of what left to
    /// `sent`. The rest stays in the batch, in order. Packets that can never be sent are counted in
    /// [`DeviceCounters::tx_rejected`], and their tokens come back too. Returns how many entries left the
    /// batch.
    ///
    /// # Errors
    /// Only when the device itself is broken or gone; the packet at hand stays in the batch.
    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize>;

    /// What the device has done so far.
    fn counters(&self) -> DeviceCounters;

    /// The descriptor that becomes readable and writable with the device, when it has one.
    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// For devices without a descriptor: wakes `waker` once, as soon as something arrives or, after a
    /// transmit that left packets behind, room returns. Register first, then receive and transmit until
    /// nothing moves, then sleep. The latest waker replaces earlier ones.
    fn wake_when_ready(&mut self, waker: &Waker) {
        let _ = waker;
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        (**self).receive(budget, into)
    }
    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        (**self).transmit(batch, sent)
    }
    fn counters(&self) -> DeviceCounters {
        (**self).counters()
    }
    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        (**self).readiness()
    }
    fn wake_when_ready(&mut self, waker: &Waker) {
        (**self).wake_when_ready(waker);
    }
}
