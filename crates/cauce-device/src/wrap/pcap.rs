//! Writes what passes a device to a pcapng file, as it would look on a wire.
//!
//! Super-packets are cut and checksums completed before they are written, so that a reader may check them.
//! Times come from the caller's clock; one file takes any number of interfaces.

use crate::device::{Capabilities, Device, DeviceCounters, Medium};
use crate::offload::{packets, packets_of};
use crate::packet::Packet;
use cauce_core::batch::{Batch, Token, Transmit};
use cauce_core::frame::Frame;
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// Which way a packet went, as pcapng numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    Inbound = 1,
    /// It was sent.
    Outbound = 2,
}

type Output = Box<dyn Write + Send>;

/// A capture file. Clones write to the same one.
#[derive(Clone)]
pub struct PcapFile(Arc<Mutex<Capture>>);

struct Capture {
    writer: PcapNgWriter<BufWriter<Output>>,
    interfaces: u32,
    line: Vec<u8>,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
}

impl std::fmt::Debug for PcapFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PcapFile").field("interfaces", &self.lock().interfaces).finish_non_exhaustive()
    }
}

impl PcapFile {
    /// Starts a capture that is written to `output`.
    ///
    /// # Errors
    /// When `output` cannot be written to.
    pub fn new(output: impl Write + Send + 'static) -> io::Result<Self> {
        let writer = PcapNgWriter::new(BufWriter::new(Box::new(output) as Output)).map_err(to_io)?;
        Ok(PcapFile(Arc::new(Mutex::new(Capture { writer, interfaces: 0, line: Vec::new(), failed: None }))))
    }

    fn lock(&self) -> MutexGuard<'_, Capture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an interface and returns its number.
    pub fn add_interface(&self, name: &str, medium: Medium) -> u32 {
        let linktype = if medium == Medium::Ip { DataLink::RAW } else { DataLink::ETHERNET };
        let mut options = vec![InterfaceDescriptionOption::IfName(Cow::Borrowed(name))];
        options.extend(InterfaceTsResolution::new(false, 9).map(InterfaceDescriptionOption::IfTsResol));
        let mut capture = self.lock();
        let number = capture.interfaces;
        capture.interfaces += 1;
        capture.write(|writer| {
            writer.write_pcapng_block(InterfaceDescriptionBlock { linktype, snaplen: 0, options })
        });
        number
    }

    /// Writes a finished packet of an interface, `time` after the Unix epoch.
    pub fn write(&self, interface: u32, time: Duration, direction: Direction, packet: &Packet) {
        self.lock().packet(interface, time, direction, packet);
    }

    /// Writes what is buffered to the file.
    ///
    /// # Errors
    /// The first error since the capture began; the file ends before it.
    pub fn flush(&self) -> io::Result<()> {
        let mut capture = self.lock();
        if let Some(error) = &capture.failed {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        capture.writer.get_mut().flush()
    }
}

impl Capture {
    fn write(
        &mut self,
        block: impl FnOnce(&mut PcapNgWriter<BufWriter<Output>>) -> Result<usize, PcapNgWriteError>,
    ) {
        if self.failed.is_none() {
            self.failed = block(&mut self.writer).err().map(to_io);
        }
    }

    fn packet(&mut self, interface_id: u32, timestamp: Duration, direction: Direction, packet: &Packet) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.extend_from_slice(&packet.header);
        packet.payload.iter().for_each(|part| line.extend_from_slice(part));
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp,
            original_len: line.len() as u32,
            data: Cow::Borrowed(&line),
            options: vec![EnhancedPacketOption::Flags(direction as u32)],
        };
        self.write(|writer| writer.write_pcapng_block(block));
        self.line = line;
    }
}

fn to_io(error: PcapNgWriteError) -> io::Error {
    io::Error::other(error)
}

/// A device whose packets are captured.
///
/// ```
/// use cauce_device::wrap::pcap::{Pcap, PcapFile};
/// use cauce_device::{PipeOptions, pipe};
/// let file = PcapFile::new(std::io::sink())?;
/// let clock = || std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
/// let (left, right) = pipe(PipeOptions::default());
/// let left = Pcap::new(left, "left", &file, clock);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Pcap<D, C> {
    device: D,
    clock: C,
    file: PcapFile,
    interface: u32,
    network: usize,
    /// The entries before they were sent.
    before: Vec<Transmit>,
}

impl<D: Device, C: FnMut() -> Duration + Send> Pcap<D, C> {
    /// Captures what passes `device` under the interface name `name`. `clock` gives the time since the Unix
    /// epoch.
    pub fn new(device: D, name: &str, file: &PcapFile, clock: C) -> Self {
        let medium = device.capabilities().medium;
        let interface = file.add_interface(name, medium);
        let network = medium.link_header_len();
        Pcap { device, clock, file: file.clone(), interface, network, before: Vec::new() }
    }

    /// The device inside.
    pub fn get_ref(&self) -> &D {
        &self.device
    }
}

impl<D: Device, C: FnMut() -> Duration + Send> Device for Pcap<D, C> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let from = into.len();
        let result = self.device.receive(budget, into);
        if into.len() > from {
            let time = (self.clock)();
            let mut capture = self.file.lock();
            for frame in &into[from..] {
                for packet in packets_of(frame, self.network) {
                    capture.packet(self.interface, time, Direction::Inbound, &packet);
                }
            }
            capture.write(|writer| Ok(writer.get_mut().flush().map(|()| 0)?));
        }
        result
    }

    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        if batch.is_empty() {
            return Ok(0);
        }
        let time = (self.clock)();
        self.before.extend(batch.iter().cloned());
        let waiting = batch.len();
        let result = self.device.transmit(batch, sent);
        let left = waiting.saturating_sub(batch.len());
        let mut capture = self.file.lock();
        for (index, entry) in self.before.drain(..).take(left + 1).enumerate() {
            // Of a super-segment that was sent in part, what is left is at the front of the batch.
            let unsent = if index < left { 0 } else { batch.front().map_or(0, Transmit::segments) };
            for packet in packets(&entry).take(entry.segments().saturating_sub(unsent)) {
                capture.packet(self.interface, time, Direction::Outbound, &packet);
            }
        }
        capture.write(|writer| Ok(writer.get_mut().flush().map(|()| 0)?));
        result
    }

    fn counters(&self) -> DeviceCounters {
        self.device.counters()
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.device.readiness()
    }

    fn wake_when_ready(&mut self, waker: &Waker) {
        self.device.wake_when_ready(waker);
    }
}
