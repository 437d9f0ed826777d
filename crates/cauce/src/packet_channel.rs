//! A device whose other end is a pair of packet queues: for programs that carry the packets themselves.
//!
//! A VPN client takes packets from the [`PacketChannel`], encrypts and sends them, and puts those that arrive
//! into it. Packets leave at most MTU-sized with complete checksums; those that come in are verified and
//! coalesced before the engine sees them.

use bytes::Bytes;
use cauce_core::batch::{Batch, Token};
use cauce_core::frame::Frame;
use cauce_device::gro::Gro;
use cauce_device::offload::packets;
use cauce_device::{Capabilities, Device, DeviceCounters, Medium};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Largest super-packet that the engine may hand over.
const MAX_SUPER: usize = 65_535;

/// One direction.
#[derive(Debug)]
struct Queue {
    packets: VecDeque<Bytes>,
    capacity: usize,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
    /// One of the ends is gone.
    closed: bool,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Queue>>);

impl Shared {
    fn new(capacity: usize) -> Shared {
        let capacity = capacity.max(1);
        let (packets, readers, writers) = (VecDeque::new(), Vec::new(), Vec::new());
        Shared(Arc::new(Mutex::new(Queue { packets, capacity, readers, writers, closed: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let wakers: Vec<Waker> = std::mem::take(&mut queue.readers)
            .into_iter()
            .chain(std::mem::take(&mut queue.writers))
            .collect();
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Puts packets in; `None` when it is full, or an error when the other end is gone.
    fn try_push(&self, packets: impl Iterator<Item = Bytes>) -> Option<io::Result<()>> {
        let mut queue = self.lock();
        if queue.closed {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if queue.packets.len() >= queue.capacity {
            return None;
        }
        queue.packets.extend(packets);
        let readers = std::mem::take(&mut queue.readers);
        drop(queue);
        readers.into_iter().for_each(Waker::wake);
        Some(Ok(()))
    }

    /// Takes at most `budget` packets out.
    fn take(&self, budget: usize, mut each: impl FnMut(Bytes)) -> usize {
        let mut queue = self.lock();
        let was_full = queue.packets.len() >= queue.capacity;
        let count = budget.min(queue.packets.len());
        queue.packets.drain(..count).for_each(&mut each);
        let has_room = queue.packets.len() < queue.capacity;
        let writers = if was_full && has_room { std::mem::take(&mut queue.writers) } else { Vec::new() };
        drop(queue);
        writers.into_iter().for_each(Waker::wake);
        count
    }
}

fn add(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

/// Makes a device and the packet queues at its other end. `capacity` packets wait in each direction at most;
/// then senders wait, and the engine keeps what it has.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (device, mut channel) = cauce::packet_channel(1400, 256);
/// let net = cauce::Netstack::builder().address("10.0.0.1/24").device(device).build()?;
/// let connecting = tokio::spawn(async move { net.connect("10.0.0.2:80").await });
/// let syn = channel.recv().await.unwrap();
/// assert_eq!(syn[0] >> 4, 4, "an IPv4 packet, to be carried to its destination");
/// # connecting.abort(); Ok(()) }
/// ```
pub fn packet_channel(mtu: usize, capacity: usize) -> (PacketDevice, PacketChannel) {
    let (inward, outward) = (Shared::new(capacity), Shared::new(capacity));
    let device = PacketDevice {
        mtu: mtu.clamp(68, MAX_SUPER),
        inward: inward.clone(),
        outward: outward.clone(),
        gro: Gro::new(Medium::Ip),
        counters: DeviceCounters::default(),
    };
    (device, PacketChannel { sender: PacketSender(inward), receiver: PacketReceiver(outward) })
}

/// The user's end: what the netstack sends comes out, what is put in arrives at the netstack.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (_device, channel) = cauce::packet_channel(1400, 256);
/// let (sender, receiver) = channel.split();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PacketChannel {
    sender: PacketSender,
    receiver: PacketReceiver,
}

impl PacketChannel {
    /// As [`PacketSender::send`].
    ///
    /// # Errors
    /// `BrokenPipe` when the device is gone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, channel) = cauce::packet_channel(1400, 256);
    /// channel.send(bytes::Bytes::from_static(b"a packet")).await?;
    /// # Ok(()) }
    /// ```
    pub async fn send(&self, packet: Bytes) -> io::Result<()> {
        self.sender.send(packet).await
    }

    /// As [`PacketReceiver::recv`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, mut channel) = cauce::packet_channel(1400, 256);
    /// drop(device);
    /// assert!(channel.recv().await.is_none());
    /// # Ok(()) }
    /// ```
    pub async fn recv(&mut self) -> Option<Bytes> {
        self.receiver.recv().await
    }

    /// Separates the two directions, for two tasks.
    ///
    /// ```
    /// let (_device, channel) = cauce::packet_channel(1400, 256);
    /// let (sender, receiver) = channel.split();
    /// ```
    pub fn split(self) -> (PacketSender, PacketReceiver) {
        (self.sender, self.receiver)
    }
}

/// Puts packets into a netstack.
///
/// ```
/// let (_device, channel) = cauce::packet_channel(1400, 2);
/// let (sender, _receiver) = channel.split();
/// assert!(sender.try_send(bytes::Bytes::from_static(b"a packet")).is_ok());
/// ```
#[derive(Debug)]
pub struct PacketSender(Shared);

impl PacketSender {
    /// Puts an IP packet in, waiting for room. Cancel-safe: a packet whose future was dropped is not sent.
    ///
    /// # Errors
    /// `BrokenPipe` when the device is gone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (_device, channel) = cauce::packet_channel(1400, 256);
    /// let (sender, _receiver) = channel.split();
    /// sender.send(bytes::Bytes::from_static(b"a packet")).await?;
    /// # Ok(()) }
    /// ```
    pub async fn send(&self, packet: Bytes) -> io::Result<()> {
        poll_fn(|cx| {
            if let Some(done) = self.0.try_push(std::iter::once(packet.clone())) {
                return Poll::Ready(done);
            }
            let mut queue = self.0.lock();
            if queue.closed || queue.packets.len() < queue.capacity {
                cx.waker().wake_by_ref();
            } else {
                add(&mut queue.writers, cx.waker());
            }
            Poll::Pending
        })
        .await
    }

    /// Puts an IP packet in if there is room.
    ///
    /// # Errors
    /// `WouldBlock` when the queue is full, `BrokenPipe` when the device is gone.
    ///
    /// ```
    /// let (_device, channel) = cauce::packet_channel(1400, 1);
    /// let (sender, _receiver) = channel.split();
    /// sender.try_send(bytes::Bytes::from_static(b"one")).unwrap();
    /// let full = sender.try_send(bytes::Bytes::from_static(b"two")).unwrap_err();
    /// assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    /// ```
    pub fn try_send(&self, packet: Bytes) -> io::Result<()> {
        self.0.try_push(std::iter::once(packet)).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }
}

impl Drop for PacketSender {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes packets out of a netstack.
///
/// ```
/// let (_device, channel) = cauce::packet_channel(1400, 2);
/// let (_sender, mut receiver) = channel.split();
/// assert!(receiver.try_recv().is_none());
/// ```
#[derive(Debug)]
pub struct PacketReceiver(Shared);

impl PacketReceiver {
    /// Waits for the next IP packet; `None` when the netstack has given its device up. Cancel-safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, channel) = cauce::packet_channel(1400, 256);
    /// let (_sender, mut receiver) = channel.split();
    /// drop(device);
    /// assert!(receiver.recv().await.is_none());
    /// # Ok(()) }
    /// ```
    pub async fn recv(&mut self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next IP packet.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, channel) = cauce::packet_channel(1400, 256);
    /// let (_sender, mut receiver) = channel.split();
    /// drop(device);
    /// assert!(std::future::poll_fn(|cx| receiver.poll_recv(cx)).await.is_none());
    /// # Ok(()) }
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(packet) = self.try_recv() {
            return Poll::Ready(Some(packet));
        }
        let mut queue = self.0.lock();
        if !queue.packets.is_empty() {
            cx.waker().wake_by_ref();
        } else if queue.closed {
            return Poll::Ready(None);
        } else {
            add(&mut queue.readers, cx.waker());
        }
        Poll::Pending
    }

    /// The next IP packet if there is one.
    ///
    /// ```
    /// let (_device, channel) = cauce::packet_channel(1400, 256);
    /// assert!(channel.split().1.try_recv().is_none());
    /// ```
    pub fn try_recv(&mut self) -> Option<Bytes> {
        let mut packet = None;
        self.0.take(1, |next| packet = Some(next));
        packet
    }
}

impl Drop for PacketReceiver {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The netstack's end of a packet channel.
///
/// ```
/// use cauce::device::Device;
/// let (device, _channel) = cauce::packet_channel(1400, 256);
/// assert_eq!(device.capabilities().mtu, 1400);
/// ```
#[derive(Debug)]
pub struct PacketDevice {
    mtu: usize,
    inward: Shared,
    outward: Shared,
    gro: Gro,
    counters: DeviceCounters,
}

impl Device for PacketDevice {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.mtu,
            medium: Medium::Ip,
            max_gso: MAX_SUPER,
            tso: false,
            checksum_tx: false,
            checksum_rx: true,
            queues: 1,
        }
    }

    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let PacketDevice { inward, gro, counters, .. } = self;
        let count = inward.take(budget, |packet| {
            counters.rx_packets += 1;
            counters.rx_segments += 1;
            counters.rx_bytes += packet.len() as u64;
            gro.push_frame(Frame::new(packet), into);
        });
        gro.finish(into);
        Ok(count)
    }

    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        let mut count = 0;
        while let Some(transmit) = batch.pop() {
            let whole = packets(&transmit).map(|packet| packet.to_bytes());
            // As on a wire that nobody listens to: what is sent to an end that is gone is lost.
            if self.outward.try_push(whole).is_none() {
                self.counters.tx_blocked += 1;
                batch.unpop(transmit);
                break;
            }
            self.counters.tx_packets += 1;
            self.counters.tx_segments += transmit.segments() as u64;
            self.counters.tx_bytes += transmit.len() as u64;
            sent.push(transmit.token);
            count += 1;
        }
        Ok(count)
    }

    fn counters(&self) -> DeviceCounters {
        self.counters
    }

    fn wake_when_ready(&mut self, waker: &Waker) {
        add(&mut self.inward.lock().readers, waker);
        add(&mut self.outward.lock().writers, waker);
    }
}

impl Drop for PacketDevice {
    fn drop(&mut self) {
        self.inward.close();
        self.outward.close();
    }
}
