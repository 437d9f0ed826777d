//! The same link in real time, between two devices.
//!
//! A bridge reads packets from either device, cuts super-packets and completes checksums first, applies the
//! link and its faults, and writes what survives to the other device when its time comes. It is how
//! another TCP, the kernel's for one, is met over a bad path. This is the only module of the laboratory that
//! reads a clock; the faults stay seeded, but which packet meets which fault depends on when packets come.

use crate::faults::{FaultCounts, FaultOptions, Faults};
use crate::link::{Arrival, Direction, DropCause, LinkOptions, LinkStats};
use crate::rng::LabRng;
use crate::router;
use bytes::Bytes;
use cauce_core::batch::{Batch, Gso, MAX_HEADER, PartialChecksum, SendReason, Token, Transmit};
use cauce_core::frame::{ChecksumState, DeviceId, Frame};
use cauce_core::rng::Rng;
use cauce_core::time::Instant;
use cauce_device::Device;
use cauce_wire::IpHeader;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant as WallClock};

/// What a bridge is like. The first entry of each pair goes from the left device to the right.
#[derive(Clone, Copy, Debug, Default)]
pub struct BridgeOptions {
    /// Where the faults' randomness comes from.
    pub seed: u64,
    /// Rate, delay, queue and MTU of each direction.
    pub links: [LinkOptions; 2],
    /// Faults of each direction.
    pub faults: [FaultOptions; 2],
}

/// What a bridge has carried.
#[derive(Clone, Debug, Default)]
pub struct BridgeReport {
    /// Packets of each direction.
    pub links: [LinkStats; 2],
    /// What the faults of each direction did, in their order.
    pub faults: [Vec<(&'static str, FaultCounts)>; 2],
    /// Packets from each device that were no IP packets and went nowhere.
    pub malformed: [u64; 2],
    /// Packets for each device that were dropped because it took no more.
    pub refused: [u64; 2],
}

/// Packets taken from a device at once.
const BUDGET: usize = 64;
/// Packets that wait for a device which takes no more; those beyond are dropped and counted.
const BACKLOG: usize = 4096;
/// How often a bridge looks whether it is to stop.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// A link between two devices, in real time.
///
/// ```
/// use cauce_device::{PipeOptions, pipe};
/// use cauce_lab::bridge::{Bridge, BridgeOptions};
/// use std::sync::atomic::{AtomicBool, Ordering};
/// let (_a, left) = pipe(PipeOptions::default());
/// let (_b, right) = pipe(PipeOptions::default());
/// let stop = AtomicBool::new(false);
/// let bridge = Bridge::new(Box::new(left), Box::new(right), &BridgeOptions::default()).unwrap();
/// std::thread::scope(|scope| {
///     let running = scope.spawn(|| bridge.run(&stop));
///     stop.store(true, Ordering::Relaxed);
///     assert_eq!(running.join().unwrap().unwrap().links[0].offered, 0);
/// });
/// ```
pub struct Bridge {
    sides: [Port; 2],
    ways: [Direction; 2],
    on_the_way: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    epoch: WallClock,
    bell: Arc<Bell>,
    waker: Waker,
    arrivals: Vec<Arrival>,
}

/// One device and what waits for it.
struct Port {
    device: Box<dyn Device>,
    batch: Batch,
    malformed: u64,
    refused: u64,
}

#[derive(Debug)]
struct Due {
    at: Instant,
    sequence: u64,
    towards: usize,
    packet: Bytes,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Wakes a bridge for devices that have no descriptor: a descriptor of its own, which is waited for beside
/// those of the others.
struct Bell(OwnedFd);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // It fails only when the bell has rung more often than it can count.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

impl Bell {
    fn silence(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl Bridge {
    /// A bridge between two layer-3 devices (their packets start with an IP header).
    ///
    /// # Errors
    /// When the system refuses a descriptor.
    pub fn new(left: Box<dyn Device>, right: Box<dyn Device>, options: &BridgeOptions) -> io::Result<Self> {
        let port = |device| Port { device, batch: Batch::new(BACKLOG), malformed: 0, refused: 0 };
        let mut seeds = LabRng::new(options.seed, 0);
        let mut way = |index: usize| {
            let mut faults = Faults::new(seeds.next_u64());
            options.faults[index].install(&mut faults);
            Direction::with_faults(options.links[index], faults)
        };
        let bell = Arc::new(Bell(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?));
        Ok(Bridge {
            sides: [port(left), port(right)],
            ways: [way(0), way(1)],
            on_the_way: BinaryHeap::new(),
            sequence: 0,
            epoch: WallClock::now(),
            waker: Waker::from(bell.clone()),
            bell,
            arrivals: Vec::new(),
        })
    }

    /// Carries packets until `stop` is true, and says what was carried. Packets that are still on the way
    /// then are lost.
    ///
    /// # Errors
    /// When one of the devices is broken or gone.
    pub fn run(mut self, stop: &AtomicBool) -> io::Result<BridgeReport> {
        let (mut frames, mut sent) = (Vec::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            for port in &mut self.sides {
                port.device.wake_when_ready(&self.waker);
            }
            let mut moved = 0;
            for side in 0..2 {
                moved += self.read(side, &mut frames)?;
            }
            moved += self.hand_over();
            for port in &mut self.sides {
                moved += port.device.transmit(&mut port.batch, &mut sent)?;
                sent.clear();
            }
            if moved == 0 {
                self.wait()?;
            }
        }
        Ok(self.report())
    }

    /// What was carried so far.
    fn report(&self) -> BridgeReport {
        BridgeReport {
            links: [0, 1].map(|way: usize| self.ways[way].stats()),
            faults: [0, 1].map(|way: usize| self.ways[way].faults().counts().collect()),
            malformed: [0, 1].map(|side: usize| self.sides[side].malformed),
            refused: [0, 1].map(|side: usize| self.sides[side].refused),
        }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// Takes packets from a device and offers them to the link.
    fn read(&mut self, side: usize, frames: &mut Vec<Frame>) -> io::Result<usize> {
        self.sides[side].device.receive(BUDGET, frames)?;
        let (taken, now) = (frames.len(), self.now());
        let mut answers = Vec::new();
        for frame in frames.drain(..) {
            let Some(transmit) = unfinished(&frame) else {
                self.sides[side].malformed += 1;
                continue;
            };
            for packet in cauce_device::offload::packets(&transmit) {
                let packet = packet.to_bytes();
                let link = *self.ways[side].options();
                // What is dropped is counted by the link.
                let offered = self.ways[side].offer(now, packet.clone(), &mut self.arrivals);
                if offered == Err(DropCause::TooBig) && link.tells_too_big {
                    answers.extend(router::too_big(&packet, link.mtu));
                }
            }
        }
        for arrival in self.arrivals.drain(..) {
            let due =
                Due { at: arrival.at, sequence: self.sequence, towards: 1 - side, packet: arrival.packet };
            self.sequence += 1;
            self.on_the_way.push(Reverse(due));
        }
        Ok(taken)
    }

    /// Moves what has arrived by now to the batches of its devices.
    fn hand_over(&mut self) -> usize {
        let (now, mut moved) = (self.now(), 0);
        while let Some(Reverse(due)) = self.on_the_way.peek()
            && due.at <= now
        {
            let Some(Reverse(due)) = self.on_the_way.pop() else { break };
            let port = &mut self.sides[due.towards];
            if port.batch.room() == 0 {
                port.refused += 1;
            } else {
                port.batch.push(finished(due.packet));
            }
            moved += 1;
        }
        moved
    }

    /// Sleeps until a device is ready, a packet is due, or it is time to look at the stop flag.
    fn wait(&self) -> io::Result<()> {
        let due = self.on_the_way.peek().map(|Reverse(due)| due.at.since(self.now()));
        let span = due.unwrap_or(HEARTBEAT).min(HEARTBEAT);
        if span.is_zero() {
            return Ok(());
        }
        let mut waits = vec![PollFd::from_borrowed_fd(self.bell.0.as_fd(), PollFlags::IN)];
        for port in &self.sides {
            let Some(descriptor) = port.device.readiness() else { continue };
            let writing = if port.batch.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            waits.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN | writing));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(span.subsec_nanos()),
        };
        match poll(&mut waits, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if waits[0].revents().contains(PollFlags::IN) {
            self.bell.silence();
        }
        Ok(())
    }
}

/// A received frame as the packet that still has to be finished. `None` for what is no IP packet.
fn unfinished(frame: &Frame) -> Option<Transmit> {
    let whole = frame.to_bytes();
    let headers = Headers::find(&whole)?;
    let checksum = headers.checksum.filter(|_| frame.checksum == ChecksumState::Partial);
    let gso = (frame.segment_size > 0 && frame.segments > 1)
        .then_some(Gso { size: frame.segment_size, segments: frame.segments });
    Some(Transmit { gso, checksum, ..headers.split(whole) })
}

/// A packet that needs nothing more, ready for a device. Faults may have made its headers senseless.
fn finished(packet: Bytes) -> Transmit {
    let headers = Headers::find(&packet).unwrap_or_else(|| Headers {
        transport: 0,
        len: packet.len().min(MAX_HEADER),
        checksum: None,
    });
    headers.split(packet)
}

/// Where the headers of a packet end.
struct Headers {
    transport: usize,
    len: usize,
    checksum: Option<PartialChecksum>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;

impl Headers {
    fn find(whole: &[u8]) -> Option<Headers> {
        let ip = IpHeader::parse(whole, whole.len()).ok()?;
        let transport = ip.header_len;
        let (transport_len, field) = match ip.protocol {
            _ if ip.fragment.is_some() => (0, None),
            TCP => (usize::from(whole.get(transport + 12)? >> 4) * 4, Some(16)),
            UDP => (8, Some(6)),
            _ => (0, None),
        };
        let len = transport + transport_len;
        if len > whole.len().min(MAX_HEADER) {
            return None;
        }
        let start = u16::try_from(transport).ok()?;
        Some(Headers { transport, len, checksum: field.map(|offset| PartialChecksum { start, offset }) })
    }

    fn split(&self, packet: Bytes) -> Transmit {
        Transmit {
            header: packet[..self.len].iter().copied().collect(),
            payload: [packet.slice(self.len..)].into_iter().filter(|rest| !rest.is_empty()).collect(),
            gso: None,
            checksum: None,
            network_offset: 0,
            transport_offset: u8::try_from(self.transport).unwrap_or(u8::MAX),
            device: DeviceId(0),
            reason: SendReason::Control,
            token: Token::NONE,
        }
    }
}
