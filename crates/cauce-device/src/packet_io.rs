//! Packets through a descriptor of the kernel's, one system call a packet: the common part of TUN, TAP and
//! packet sockets.
//!
//! With virtio-net headers super-packets cross whole in both directions; without, segmentation, checksums
//! and coalescing are done here in software.

use crate::device::{Capabilities, DeviceCounters, Medium};
use crate::gro::Gro;
use crate::offload::{packets, remainder};
use crate::pool::{CHUNKS, Pool, Scatter};
use crate::sys::packet_socket::dropped;
use crate::vnet::{Received, VNET_HEADER, VnetHeader};
use arrayvec::ArrayVec;
use bytes::Bytes;
use cauce_core::batch::{Batch, MAX_SLICES, Token, TrafficClass, Transmit};
use cauce_core::frame::Frame;
use rustix::io::Errno;
use socket2::SockRef;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Free chunks that a queue's pool keeps: 4 MiB.
const POOL_LIMIT: usize = 256;
/// Largest super-packet, in bytes.
const MAX_SUPER: usize = 65_535;

/// One queue.
#[derive(Debug)]
pub(crate) struct PacketIo {
    fd: OwnedFd,
    /// Each packet has a virtio-net header before it.
    vnet: bool,
    /// The kernel may be asked to finish packets.
    offload: bool,
    capabilities: Capabilities,
    queue: u16,
    scatter: Scatter,
    /// Coalesces where the kernel hands over single packets.
    gro: Gro,
    counters: DeviceCounters,
    /// A packet socket, whose kernel side counts what it drops, and knows classes of what it sends.
    is_packet_socket: bool,
    /// The class that the packet socket gives to what it sends.
    class: TrafficClass,
    dropped: AtomicU64,
    /// Room for packets in one piece.
    line: Vec<u8>,
}

/// How sending one packet went.
enum Sent {
    Yes,
    /// Not now.
    Blocked,
    /// Never.
    Rejected(Errno),
}

impl PacketIo {
    /// Wraps a non-blocking descriptor that carries one packet a call, each with a virtio-net header if
    /// `vnet` is set.
    pub(crate) fn new(fd: OwnedFd, vnet: bool, mtu: usize, medium: Medium, queue: u16, queues: u16) -> Self {
        let capabilities = Capabilities {
            mtu,
            medium,
            max_gso: MAX_SUPER,
            tso: vnet,
            checksum_tx: vnet,
            checksum_rx: true,
            queues,
        };
        PacketIo {
            fd,
            vnet,
            offload: vnet,
            capabilities,
            queue,
            scatter: Scatter::new(Pool::new(POOL_LIMIT)),
            gro: Gro::new(medium),
            counters: DeviceCounters::default(),
            is_packet_socket: false,
            class: TrafficClass::default(),
            dropped: AtomicU64::new(0),
            line: Vec::new(),
        }
    }

    /// The descriptor is a packet socket.
    pub(crate) fn of_packet_socket(mut self) -> Self {
        self.is_packet_socket = true;
        self
    }

    /// Never asks the kernel to finish a packet.
    pub(crate) fn finish_in_software(mut self) -> Self {
        self.offload = false;
        (self.capabilities.tso, self.capabilities.checksum_tx) = (false, false);
        self
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    pub(crate) fn counters(&self) -> DeviceCounters {
        let mut counters = self.counters;
        if self.is_packet_socket {
            // The kernel starts anew each time it is asked.
            let more = u64::from(dropped(self.fd()).unwrap_or(0));
            counters.rx_dropped = self.dropped.fetch_add(more, Ordering::Relaxed) + more;
        }
        counters
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let mut count = 0;
        let result = loop {
            if count == budget {
                break Ok(count);
            }
            match self.read() {
                Ok((header, len)) => self.accept(header, len, into),
                Err(Errno::INTR) => continue,
                // A packet socket says once that its interface went down; it may come up again.
                Err(Errno::AGAIN | Errno::NETDOWN) => break Ok(count),
                Err(error) => break Err(error.into()),
            }
            count += 1;
        };
        self.gro.finish(into);
        result
    }

    /// Reads one packet into the scatter row. Returns its virtio-net header and its length.
    fn read(&mut self) -> Result<(VnetHeader, usize), Errno> {
        let mut header = [0; VNET_HEADER];
        let mut slices = ArrayVec::<IoSliceMut<'_>, { CHUNKS + 1 }>::new();
        if self.vnet {
            slices.push(IoSliceMut::new(&mut header));
        }
        slices.extend(self.scatter.slices());
        let len = rustix::io::readv(&self.fd, &mut slices)?;
        drop(slices);
        let before = if self.vnet { VNET_HEADER } else { 0 };
        Ok((VnetHeader::parse(header), len.saturating_sub(before)))
    }

    /// Makes a frame of the packet that was just read.
    fn accept(&mut self, header: VnetHeader, len: usize, into: &mut Vec<Frame>) {
        let Some(received) = header.judge(self.scatter.first(), len).filter(|_| len > 0) else {
            self.counters.rx_malformed += 1;
            return;
        };
        if let Received::Complete(partial) = received {
            self.scatter.complete(len, partial);
        }
        let packet = self.scatter.take(len);
        let mut frame = Frame::new(packet.head);
        (frame.frags, frame.truesize, frame.queue) = (packet.frags, packet.truesize, self.queue);
        received.describe(&mut frame);
        self.counters.received(frame.segments, len);
        self.gro.push_frame(frame, into);
    }

    pub(crate) fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        let mut count = 0;
        while let Some(transmit) = batch.pop() {
            self.switch_class(transmit.token.class);
            let vnet = if self.offload { VnetHeader::for_transmit(&transmit) } else { None };
            let left = match vnet {
                Some(header) => self.send_whole(header, &transmit),
                None => self.send_cut(&transmit),
            };
            match left {
                Ok(None) => {
                    sent.push(transmit.token);
                    count += 1;
                }
                Ok(Some(Left::Nothing)) => {
                    self.counters.tx_blocked += 1;
                    batch.unpop(transmit);
                    break;
                }
                Ok(Some(Left::Rest(rest))) => {
                    self.counters.tx_blocked += 1;
                    batch.unpop(*rest);
                    break;
                }
                Err(error) => {
                    batch.unpop(transmit);
                    return Err(error);
                }
            }
        }
        Ok(count)
    }

    /// A packet socket sends with one class at a time. Few senders have another than their neighbours.
    fn switch_class(&mut self, class: TrafficClass) {
        if !self.is_packet_socket || class == self.class {
            return;
        }
        let before = std::mem::replace(&mut self.class, class);
        let fd = self.fd();
        let socket = SockRef::from(&fd);
        let mut done = Ok(());
        if class.priority != before.priority {
            done = socket.set_priority(class.priority);
        }
        if class.mark != before.mark {
            done = done.and(socket.set_mark(class.mark));
        }
        if done.is_err() {
            self.counters.tx_unclassed += 1;
        }
    }

    /// Sends an entry as it is and lets the kernel finish it.
    fn send_whole(&mut self, header: VnetHeader, transmit: &Transmit) -> io::Result<Option<Left>> {
        let sent = self.write(Some(header), &transmit.header, &transmit.payload)?;
        Ok(self.account(sent, transmit.segments(), transmit.len()).then_some(Left::Nothing))
    }

    /// Sends an entry as finished packets, one by one.
    fn send_cut(&mut self, transmit: &Transmit) -> io::Result<Option<Left>> {
        let header = self.vnet.then(VnetHeader::default);
        for (index, packet) in packets(transmit).enumerate() {
            let sent = self.write(header, &packet.header, &packet.payload)?;
            if self.account(sent, 1, packet.len()) {
                return Ok(Some(match index {
                    0 => Left::Nothing,
                    _ => Left::Rest(Box::new(remainder(transmit, index))),
                }));
            }
        }
        Ok(None)
    }

    /// Counts how sending went; true when the device is full.
    fn account(&mut self, sent: Sent, segments: usize, bytes: usize) -> bool {
        match sent {
            Sent::Yes => self.counters.sent(segments, bytes),
            Sent::Blocked => return true,
            Sent::Rejected(errno) => {
                self.counters.tx_rejected += 1;
                self.counters.tx_last_errno = errno.raw_os_error();
            }
        }
        false
    }

    /// Hands one packet to the kernel.
    fn write(&mut self, vnet: Option<VnetHeader>, header: &[u8], payload: &[Bytes]) -> io::Result<Sent> {
        let vnet = vnet.map(VnetHeader::emit);
        let mut slices = ArrayVec::<IoSlice<'_>, { MAX_SLICES + 2 }>::new();
        slices.extend(vnet.iter().map(|vnet| IoSlice::new(vnet)));
        slices.push(IoSlice::new(header));
        if payload.len() <= MAX_SLICES {
            slices.extend(payload.iter().map(|part| IoSlice::new(part)));
        } else {
            self.line.clear();
            payload.iter().for_each(|part| self.line.extend_from_slice(part));
            slices.push(IoSlice::new(&self.line));
        }
        loop {
            return match rustix::io::writev(&self.fd, &slices) {
                Ok(_) => Ok(Sent::Yes),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN | Errno::NOBUFS) => Ok(Sent::Blocked),
                Err(gone @ (Errno::BADF | Errno::BADFD | Errno::NODEV | Errno::NXIO)) => Err(gone.into()),
                Err(errno) => Ok(Sent::Rejected(errno)),
            };
        }
    }
}

/// What is left of an entry when the device is full.
enum Left {
    /// Nothing was sent: the entry as it was.
    Nothing,
    /// Some segments were sent: an entry with the others.
    Rest(Box<Transmit>),
}

/// Implements [`crate::Device`] for a type with a field `io: PacketIo`.
macro_rules! device_over_packet_io {
    ($device:ty) => {
        impl $crate::device::Device for $device {
            fn capabilities(&self) -> $crate::device::Capabilities {
                self.io.capabilities()
            }
            fn receive(
                &mut self,
                budget: usize,
                into: &mut Vec<cauce_core::frame::Frame>,
            ) -> std::io::Result<usize> {
                self.io.receive(budget, into)
            }
            fn transmit(
                &mut self,
                batch: &mut cauce_core::batch::Batch,
                sent: &mut Vec<cauce_core::batch::Token>,
            ) -> std::io::Result<usize> {
                self.io.transmit(batch, sent)
            }
            fn counters(&self) -> $crate::device::DeviceCounters {
                self.io.counters()
            }
            fn readiness(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
                Some(self.io.fd())
            }
        }

        impl std::os::fd::AsFd for $device {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.fd()
            }
        }
    };
}
pub(crate) use device_over_packet_io;
