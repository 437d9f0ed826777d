//! Says what passes a device, one line a packet in packetdrill's spelling, through `tracing`.

use crate::device::{Capabilities, Device, DeviceCounters, Medium};
use bytes::Bytes;
use cauce_core::batch::{Batch, Token, Transmit};
use cauce_core::frame::Frame;
use cauce_wire::dissect::print_with_addresses;
use std::io;
use std::os::fd::BorrowedFd;
use std::task::Waker;
use tracing::Level;

/// The target of the lines, for filters such as `RUST_LOG=cauce::packets=trace`.
pub const TARGET: &str = "cauce::packets";

/// A device whose packets are traced, at level TRACE. Super-packets are one line. Costs nothing while
/// nobody listens.
///
/// ```
/// use cauce_device::wrap::trace::Trace;
/// use cauce_device::{PipeOptions, pipe};
/// let (left, right) = pipe(PipeOptions::default());
/// let (left, right) = (Trace::new(left, "left"), Trace::new(right, "right"));
/// ```
#[derive(Debug)]
pub struct Trace<D> {
    device: D,
    name: String,
    medium: Medium,
}

impl<D: Device> Trace<D> {
    /// Traces what passes `device`, with `name` in each line.
    pub fn new(device: D, name: &str) -> Self {
        let medium = device.capabilities().medium;
        Trace { device, name: name.to_owned(), medium }
    }

    /// The device inside.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    fn line(&self, packet: &Bytes) -> String {
        let ethertype = |bytes: &[u8]| [bytes[12], bytes[13]];
        match (self.medium, packet.get(..14).map(ethertype)) {
            (Medium::Ip, _) => print_with_addresses(packet),
            (_, Some([0x08, 0x00] | [0x86, 0xdd])) => print_with_addresses(&packet[14..]),
            (_, Some([high, low])) => format!("ethertype {high:02x}{low:02x} ({})", packet.len() - 14),
            (_, None) => format!("bad frame of {} bytes", packet.len()),
        }
    }
}

/// An entry in one piece, unfinished as it is.
fn whole(entry: &Transmit) -> Bytes {
    let mut bytes = Vec::with_capacity(entry.len());
    bytes.extend_from_slice(&entry.header);
    entry.payload.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.into()
}

impl<D: Device> Device for Trace<D> {
    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        let from = into.len();
        let result = self.device.receive(budget, into);
        if tracing::enabled!(target: TARGET, Level::TRACE) {
            for frame in &into[from..] {
                let (segments, line) = (frame.segments, self.line(&frame.to_bytes()));
                tracing::trace!(target: TARGET, device = %self.name, segments, "< {line}");
            }
        }
        result
    }

    fn transmit(&mut self, batch: &mut Batch, sent: &mut Vec<Token>) -> io::Result<usize> {
        if !tracing::enabled!(target: TARGET, Level::TRACE) {
            return self.device.transmit(batch, sent);
        }
        let before: Vec<Transmit> = batch.iter().cloned().collect();
        let result = self.device.transmit(batch, sent);
        for entry in &before[..before.len().saturating_sub(batch.len())] {
            let (segments, reason, line) = (entry.segments(), entry.reason, self.line(&whole(entry)));
            tracing::trace!(target: TARGET, device = %self.name, segments, ?reason, "> {line}");
        }
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
