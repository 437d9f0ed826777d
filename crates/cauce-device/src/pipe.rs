//! Two devices joined in memory: what one transmits, the other receives.
//!
//! Without `tso` the pipe is an honest link of its MTU: every super-segment is cut into packets of at most
//! `mtu` bytes, each with its own headers and checksums, and the receiving end verifies each of them
//! before it coalesces. Payload is shared all the way. With `tso` super-segments cross whole and their
//! checksums are never computed, as on Linux's loopback device.

use crate::device::{Capabilities, Device, DeviceCounters, Medium};
use crate::gro::{Gro, Part};
use crate::offload::Burst;
use bytes::Bytes;
use cauce_core::batch::{Batch, Gso, Token, Transmit};
use cauce_core::frame::{ChecksumState, Frame};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// How a pipe behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeOptions {
    /// Largest IP packet in bytes; 68 is the least.
    pub mtu: usize,
    /// How many packets wait in each direction before the sender has to keep its own. A super-segment
    /// enters whole or not at all, so that a queue may exceed this by one super-segment.
    pub capacity: usize,
    /// Pass super-segments whole and trust that memory does not corrupt.
    pub tso: bool,
    /// Coalesce at the receiving end (only without `tso`). Otherwise each packet becomes a frame and the
    /// engine verifies it.
    pub gro: bool,
    /// What packets start with. For Ethernet the two ends have the address given and that plus one.
    pub medium: Medium,
}

impl Default for PipeOptions {
    fn default() -> Self {
        PipeOptions { mtu: 1500, capacity: 1024, tso: false, gro: true, medium: Medium::Ip }
    }
}

/// Largest super-packet, in bytes.
const MAX_SUPER: usize = 65_535;

/// What lies on the wire: one entry of a batch, as one super-segment or cut into packets.
#[derive(Debug, Default)]
struct Waiting {
    burst: Burst,
    gso: Option<Gso>,
    partial: bool,
}

#[derive(Debug, Default)]
struct Queue {
    bursts: VecDeque<Waiting>,
    /// Packets in them.
    packets: usize,
    /// Empty bursts whose memory is used again.
    spare: Vec<Waiting>,
    /// The receiver sleeps until something arrives.
    reader: Option<Waker>,
    /// The sender sleeps until there is room.
    writer: Option<Waker>,
    /// The sender was refused since room last returned.
    refused: bool,
    /// One of the ends is gone.
    closed: bool,
}

/// Empty bursts kept for each direction.
const SPARE: usize = 64;

type Shared = Arc<Mutex<Queue>>;

fn lock(queue: &Shared) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of a pipe.
#[derive(Debug)]
pub struct Pipe {
    options: PipeOptions,
    incoming: Shared,
    outgoing: Shared,
    gro: Gro,
    counters: DeviceCounters,
}

/// Makes a pipe.
///
/// ```
/// use cauce_device::{Device, PipeOptions, pipe};
/// let (left, right) = pipe(PipeOptions { mtu: 9000, ..PipeOptions::default() });
/// assert_eq!((left.capabilities().mtu, right.capabilities().mtu), (9000, 9000));
/// ```
pub fn pipe(options: PipeOptions) -> (Pipe, Pipe) {
    let options = PipeOptions { mtu: options.mtu.max(68), capacity: options.capacity.max(1), ..options };
    let (there, back) = (Shared::default(), Shared::default());
    let end = |medium, incoming: &Shared, outgoing: &Shared| Pipe {
        options: PipeOptions { medium, ..options },
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        gro: Gro::new(medium),
        counters: DeviceCounters::default(),
    };
    let other = match options.medium {
        Medium::Ip => Medium::Ip,
        Medium::Ethernet { mut mac } => {
            mac[5] = mac[5].wrapping_add(1);
            Medium::Ethernet { mac }
        }
    };
    (end(options.medium, &back, &there), end(other, &there, &back))
}

impl Pipe {
    /// True once the other end is gone.
    pub fn is_closed(&self) -> bool {
        lock(&self.outgoing).closed
    }

    fn coalesces(&self) -> bool {
        self.options.gro && !self.options.tso
    }
}

impl Device for Pipe {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.options.mtu,
            medium: self.options.medium,
            max_gso: MAX_SUPER,
            tso: self.options.tso,
            checksum_tx: self.options.tso,
            checksum_rx: self.options.tso || self.options.gro,
            queues: 1,
        }
    }

    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let coalesce = self.coalesces();
        let mut queue = lock(&self.incoming);
        let mut count = 0;
        while count < budget
            && let Some(waiting) = queue.bursts.front_mut()
        {
            let (gso, partial) = (waiting.gso, waiting.partial);
            let taken = waiting.burst.take(budget - count, |header, parts| {
                let len = header.len() + parts.iter().map(Part::len).sum::<usize>();
                self.counters.received(gso.map_or(1, |gso| gso.segments), len);
                if coalesce {
                    self.gro.push_parts(header, parts, into);
                } else {
                    into.push(frame_of(header, parts, gso, partial));
                }
            });
            count += taken;
            queue.retire_front();
        }
        queue.packets -= count;
        if coalesce {
            self.gro.finish(into);
        }
        if count > 0 && queue.refused && queue.packets < self.options.capacity {
            queue.refused = false;
            if let Some(writer) = queue.writer.take() {
                drop(queue);
                writer.wake();
            }
        }
        Ok(count)
    }

    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        let mut queue = lock(&self.outgoing);
        let mut count = 0;
        while let Some(transmit) = batch.pop() {
            // As on a wire that nobody listens to: what is sent to an end that is gone is lost.
            if !queue.closed {
                if queue.packets >= self.options.capacity {
                    queue.refused = true;
                    self.counters.tx_blocked += 1;
                    batch.unpop(transmit);
                    break;
                }
                queue.push(&transmit, self.options.tso);
            }
            self.counters.sent(transmit.segments(), transmit.len());
            sent.push(transmit.token);
            count += 1;
        }
        if count > 0
            && let Some(reader) = queue.reader.take()
        {
            drop(queue);
            reader.wake();
        }
        Ok(count)
    }

    fn counters(&self) -> DeviceCounters {
        self.counters
    }

    fn wake_when_ready(&mut self, waker: &Waker) {
        lock(&self.incoming).reader = Some(waker.clone());
        lock(&self.outgoing).writer = Some(waker.clone());
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for (queue, mine_to_read) in [(&self.incoming, true), (&self.outgoing, false)] {
            let mut queue = lock(queue);
            queue.closed = true;
            if mine_to_read {
                queue.bursts.clear();
            }
            let wakers = [queue.reader.take(), queue.writer.take()];
            drop(queue);
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl Queue {
    /// Puts one entry on the wire, cut and finished unless super-segments pass whole.
    fn push(&mut self, transmit: &Transmit, whole: bool) {
        let mut waiting = self.spare.pop().unwrap_or_default();
        (waiting.gso, waiting.partial) = (None, false);
        if whole {
            waiting.burst.fill_whole(transmit);
            (waiting.gso, waiting.partial) = (transmit.gso, transmit.checksum.is_some());
        } else {
            waiting.burst.fill(transmit);
        }
        self.packets += waiting.burst.len();
        self.bursts.push_back(waiting);
    }

    /// Puts the first burst aside when all of it has been taken.
    fn retire_front(&mut self) {
        if self.bursts.front().is_some_and(|first| first.burst.len() == 0)
            && let Some(empty) = self.bursts.pop_front()
            && self.spare.len() < SPARE
        {
            self.spare.push(empty);
        }
    }
}

fn frame_of(header: &[u8], parts: &[Part<'_>], gso: Option<Gso>, partial: bool) -> Frame {
    let mut frame = Frame::new(Bytes::copy_from_slice(header));
    frame.truesize += parts.iter().map(|part| part.len() as u32).sum::<u32>();
    frame.frags = parts.iter().filter(|part| !part.is_empty()).map(Part::to_bytes).collect();
    if let Some(gso) = gso {
        (frame.segments, frame.segment_size) = (gso.segments.max(1), gso.size);
    }
    if partial {
        frame.checksum = ChecksumState::Partial;
    }
    frame
}
