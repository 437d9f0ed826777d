//! A host: one endpoint, the batch it sends through, and the links its devices are plugged into.
//!
//! [`Endpoint`] is the engine's doors and nothing else, so that raw packet sources, taps and foreign stacks
//! can stand in for a Cauce stack.

use bytes::Bytes;
use cauce_core::batch::{Batch, Token};
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::time::Instant;
use cauce_device::offload;
use std::collections::VecDeque;

/// Whatever can be plugged into a network: the doors of a stack.
pub trait Endpoint {
    /// A frame has arrived. What the endpoint does not want comes back.
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame>;

    /// The deadline of [`Endpoint::poll_timeout`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// Appends what may leave now to `out`; returns how many entries were appended.
    fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize;

    /// The device has sent the entries with these tokens.
    fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]);

    /// When the endpoint wants to be called next.
    fn poll_timeout(&mut self) -> Option<Instant>;
}

/// Most packets kept that an endpoint did not want.
const FOREIGN_LIMIT: usize = 64;
/// Entries that one call of [`Endpoint::poll_transmit`] may append.
const BATCH_LIMIT: usize = 64;
/// Batches of one moment after which an endpoint is taken to send for ever.
const ENDLESS: u32 = 1_000;

/// What a host has sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Packets that arrived.
    pub received: u64,
    /// Packets that left, after segmentation.
    pub sent: u64,
    /// Packets sent with a device that is plugged into nothing.
    pub unplugged: u64,
    /// Packets that the endpoint gave back.
    pub foreign: u64,
    /// Times its deadline came.
    pub timeouts: u64,
}

/// A host of a world.
#[derive(Debug)]
pub struct Host<E> {
    pub(crate) endpoint: E,
    pub(crate) devices: Vec<Plug>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) stats: HostStats,
    foreign: VecDeque<Frame>,
    batch: Batch,
    tokens: Vec<Token>,
}

/// Which link a device is plugged into, and at which of its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plug {
    pub link: usize,
    pub end: usize,
}

impl<E: Endpoint> Host<E> {
    pub(crate) fn new(endpoint: E) -> Self {
        Host {
            endpoint,
            devices: Vec::new(),
            deadline: None,
            stats: HostStats::default(),
            foreign: VecDeque::new(),
            batch: Batch::new(BATCH_LIMIT),
            tokens: Vec::new(),
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &E {
        &self.endpoint
    }

    /// What it has sent and received.
    pub fn stats(&self) -> HostStats {
        self.stats
    }

    /// The oldest packet that the endpoint gave back. At most 64 are kept, the newest.
    pub fn pop_foreign(&mut self) -> Option<Frame> {
        self.foreign.pop_front()
    }

    /// Hands a packet to the endpoint.
    pub(crate) fn deliver(&mut self, now: Instant, device: DeviceId, packet: Bytes) {
        self.stats.received += 1;
        let mut frame = Frame::new(packet);
        frame.device = device;
        let Some(refused) = self.endpoint.handle_packet(now, frame) else { return };
        self.stats.foreign += 1;
        if self.foreign.len() == FOREIGN_LIMIT {
            self.foreign.pop_front();
        }
        self.foreign.push_back(refused);
    }

    /// Fires the endpoint's timers.
    pub(crate) fn time_out(&mut self, now: Instant) {
        self.stats.timeouts += 1;
        self.endpoint.handle_timeout(now);
    }

    /// Everything the endpoint wants to send now, as finished packets with the plug they leave by.
    pub(crate) fn drain(&mut self, now: Instant, out: &mut Vec<(Plug, Bytes)>) {
        let mut packets = Vec::new();
        let mut rounds = 0;
        while self.endpoint.poll_transmit(now, &mut self.batch) > 0 {
            rounds += 1;
            assert!(rounds < ENDLESS, "an endpoint sends without end at {now:?}");
            while let Some(transmit) = self.batch.pop() {
                packets.extend(offload::packets(&transmit).map(|packet| packet.to_bytes()));
                self.stats.sent += packets.len() as u64;
                match self.devices.get(usize::from(transmit.device.0)) {
                    Some(plug) => out.extend(packets.drain(..).map(|packet| (*plug, packet))),
                    None => {
                        self.stats.unplugged += packets.len() as u64;
                        packets.clear();
                    }
                }
                self.tokens.push(transmit.token);
            }
            self.endpoint.handle_transmitted(now, &self.tokens);
            self.tokens.clear();
        }
        self.deadline = self.endpoint.poll_timeout();
    }
}
