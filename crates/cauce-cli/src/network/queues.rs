//! The queues of one TUN device as one device for one stack.
//!
//! A flow always leaves by the same queue: the kernel sends what belongs to it to the queue that it was last
//! seen on, and the order of its packets never changes.

use cauce_core::batch::{Batch, Token, Transmit};
use cauce_core::frame::Frame;
use cauce_device::{Capabilities, Device, DeviceCounters};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, Waker};
use tokio::io::unix::AsyncFd;

/// Several queues that are used as one.
pub struct Queues<D> {
    list: Vec<Queue<D>>,
    /// The queue that is asked first, in turn.
    first: usize,
    blocked: Option<usize>,
}

struct Queue<D> {
    device: D,
    ready: AsyncFd<OwnedFd>,
    waiting: Batch,
}

impl<D: Device> Queues<D> {
    /// Joins queues that have descriptors. Within a tokio runtime.
    pub fn new(queues: impl IntoIterator<Item = D>) -> io::Result<Self> {
        #[expect(deprecated, reason = "safe here: the AsyncFd owns the descriptor that it watches")]
        let queue = |device: D| {
            let fd = device.readiness().ok_or(io::ErrorKind::Unsupported)?.as_fd().try_clone_to_owned()?;
            Ok(Queue { device, ready: AsyncFd::try_new(fd)?, waiting: Batch::new(1) })
        };
        let list = queues.into_iter().map(queue).collect::<io::Result<Vec<_>>>()?;
        if list.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a device has at least one queue"));
        }
        Ok(Queues { list, first: 0, blocked: None })
    }
}

/// The queue for a packet: the same for all packets of a flow.
fn choose(packet: &Transmit, queues: usize) -> usize {
    let transport = usize::from(packet.transport_offset);
    let mut hasher = DefaultHasher::new();
    packet.header.get(transport..transport + 4).hash(&mut hasher);
    (hasher.finish() % queues.max(1) as u64) as usize
}

impl<D: Device> Device for Queues<D> {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.list[0].device.capabilities();
        capabilities.queues = 1;
        capabilities
    }

    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let (mut taken, count) = (0, self.list.len());
        self.first = (self.first + 1) % count;
        for index in 0..count {
            let share = (budget - taken) / (count - index);
            let queue = &mut self.list[(self.first + index) % count];
            taken += queue.device.receive(share.max(1).min(budget - taken), into)?;
        }
        Ok(taken)
    }

    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        self.blocked = None;
        let mut left = 0;
        while let Some(packet) = batch.pop() {
            let index = choose(&packet, self.list.len());
            let queue = &mut self.list[index];
            queue.waiting.push(packet);
            let result = queue.device.transmit(&mut queue.waiting, sent);
            if let Some(refused) = queue.waiting.pop() {
                batch.unpop(refused);
                self.blocked = Some(index);
                result?;
                break;
            }
            left += result?;
        }
        Ok(left)
    }

    fn counters(&self) -> DeviceCounters {
        let mut sum = DeviceCounters::default();
        for counters in self.list.iter().map(|queue| queue.device.counters()) {
            sum.rx_packets += counters.rx_packets;
            sum.rx_segments += counters.rx_segments;
            sum.rx_bytes += counters.rx_bytes;
            sum.rx_dropped += counters.rx_dropped;
            sum.rx_malformed += counters.rx_malformed;
            sum.tx_packets += counters.tx_packets;
            sum.tx_segments += counters.tx_segments;
            sum.tx_bytes += counters.tx_bytes;
            sum.tx_blocked += counters.tx_blocked;
            sum.tx_rejected += counters.tx_rejected;
            sum.tx_unclassed += counters.tx_unclassed;
            if counters.tx_last_errno != 0 {
                sum.tx_last_errno = counters.tx_last_errno;
            }
        }
        sum
    }

    fn wake_when_ready(&mut self, waker: &Waker) {
        let mut cx = Context::from_waker(waker);
        let mut ready = false;
        for (index, queue) in self.list.iter().enumerate() {
            // Old news is forgotten: what is there now is found by receiving after this call.
            while let Poll::Ready(Ok(mut guard)) = queue.ready.poll_read_ready(&mut cx) {
                guard.clear_ready();
                ready = true;
            }
            while self.blocked == Some(index)
                && let Poll::Ready(Ok(mut guard)) = queue.ready.poll_write_ready(&mut cx)
            {
                guard.clear_ready();
                ready = true;
            }
        }
        if ready {
            waker.wake_by_ref();
        }
    }
}
