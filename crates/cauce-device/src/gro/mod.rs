//! Generic receive offload: consecutive segments of a flow become one frame (P-236).
//!
//! The rules are those of Linux's GRO. Segments join when addresses, ports, traffic class, hop limit,
//! acknowledgement number, options (byte for byte, timestamps included) and flags are equal, their payload
//! follows without a gap in equal sizes, and their checksums are right. A short segment, PSH or FIN ends a
//! frame and belongs to it. Everything else (pure ACKs, SYN, RST, URG, IP options, fragments, anything odd)
//! ends the frame of its flow and passes as it is. Within a flow order never changes.

mod slot;
mod view;

use crate::device::Medium;
use crate::sys::checksum::Accumulator;
use arrayvec::ArrayVec;
use bytes::Bytes;
use cauce_core::frame::{ChecksumState, FRAME_OVERHEAD, Frame};
use slot::Slot;
use view::View;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;
/// Flows that collect segments at one time.
const FLOWS: usize = 8;
/// What each further segment of a frame costs beside its payload.
const FRAGMENT_OVERHEAD: u32 = 64;
/// Room for fragments made when a second segment joins, so that few frames have to grow twice.
const FRAGMENTS: usize = 15;

/// Coalesces the packets of one receive batch.
///
/// Push the packets in the order in which they arrived, always with the same `out`, and call
/// [`Gro::finish`] at the end of the batch: frames in `out` are complete only then.
///
/// ```
/// use cauce_core::frame::Frame;
/// use cauce_device::{Medium, gro::Gro};
/// let mut gro = Gro::new(Medium::Ip);
/// let mut out = Vec::new();
/// gro.push_frame(Frame::new(bytes::Bytes::from_static(b"not even IP")), &mut out);
/// gro.finish(&mut out);
/// assert_eq!(out.len(), 1);
/// ```
#[derive(Debug)]
pub struct Gro {
    network: usize,
    slots: ArrayVec<Slot, FLOWS>,
    /// The slot to give up next when all are taken.
    oldest: usize,
}

/// What to do with a packet.
enum Place<'a> {
    /// It stands alone.
    Alone(ChecksumState),
    /// It starts a frame that may grow.
    First,
    /// Its payload continues this frame.
    Append(&'a mut Frame),
}

impl Gro {
    /// Coalesces packets of devices with this medium.
    pub fn new(medium: Medium) -> Self {
        Gro { network: medium.link_header_len(), slots: ArrayVec::new(), oldest: 0 }
    }

    /// Takes a packet whose headers lie in `header` and whose payload is `parts`. The parts move into the
    /// frame uncopied; empty ones stay behind.
    #[inline]
    pub fn push_parts(&mut self, header: &[u8], parts: &mut [Bytes], out: &mut Vec<Frame>) {
        let payload: usize = parts.iter().map(Bytes::len).sum();
        let view = View::of(header, self.network, header.len() + payload)
            .filter(|view| view.header.len() == header.len() && view.payload == payload);
        let verify = |total: &mut Accumulator| parts.iter().for_each(|part| total.add(part));
        let (headless, checksum) = match self.place(view, ChecksumState::Unverified, true, verify, out) {
            Place::Append(frame) => return append(frame, payload as u32 + FRAGMENT_OVERHEAD, parts),
            Place::First => (true, ChecksumState::Verified),
            Place::Alone(checksum) => (false, checksum),
        };
        let mut frame = Frame::new(if headless { Bytes::new() } else { Bytes::copy_from_slice(header) });
        frame.truesize = (header.len() + payload) as u32 + FRAME_OVERHEAD;
        frame.frags.extend(parts.iter_mut().map(std::mem::take));
        frame.checksum = checksum;
        out.push(frame);
    }

    /// Takes a frame as a device received it. Frames in several pieces, super-packets and those whose
    /// checksum was never completed pass as they are.
    pub fn push_frame(&mut self, mut frame: Frame, out: &mut Vec<Frame>) {
        let head = frame.head.clone();
        let view = View::of(&head, self.network, frame.len());
        if !frame.frags.is_empty() || frame.segments > 1 || frame.checksum == ChecksumState::Partial {
            self.close_flow(view, out);
            return out.push(frame);
        }
        let payload = view.map_or(0..0, |view| view.header.len()..view.header.len() + view.payload);
        let verify = |total: &mut Accumulator| total.add(&head[payload.clone()]);
        match self.place(view, frame.checksum, false, verify, out) {
            Place::Append(to) => append(to, frame.truesize, &mut [head.slice(payload)]),
            Place::First => {
                frame.head.truncate(payload.end);
                frame.checksum = ChecksumState::Verified;
                out.push(frame);
            }
            Place::Alone(checksum) => {
                frame.checksum = checksum;
                out.push(frame);
            }
        }
    }

    /// Ends the batch: completes every frame in `out`.
    pub fn finish(&mut self, out: &mut [Frame]) {
        for slot in self.slots.drain(..) {
            slot.close(self.network, out);
        }
        self.oldest = 0;
    }

    /// Decides about one packet, closes what it ends and, for a first segment, opens a slot for the frame
    /// that the caller is about to push. `add_payload` adds the payload's sum.
    #[inline]
    fn place<'a>(
        &mut self,
        view: Option<View<'_>>,
        checksum: ChecksumState,
        headless: bool,
        add_payload: impl FnOnce(&mut Accumulator),
        out: &'a mut [Frame],
    ) -> Place<'a> {
        let Some(view) = view else { return Place::Alone(checksum) };
        let mine = self.slots.iter().position(|slot| slot.same_flow(&view, self.network));
        if view.payload == 0 || view.flags() & (SYN | RST | URG) != 0 {
            self.close_at(mine, out);
            return Place::Alone(checksum);
        }
        if checksum != ChecksumState::Verified && !view.checksum_is_right(self.network, add_payload) {
            self.close_at(mine, out);
            return Place::Alone(ChecksumState::Unverified);
        }
        if let Some(mine) = mine {
            if self.slots[mine].continues_with(&view, self.network) {
                return self.join(mine, &view, out);
            }
            self.close_at(Some(mine), out);
        }
        if view.flags() & (PSH | FIN) != 0 {
            return Place::Alone(ChecksumState::Verified);
        }
        if self.slots.is_full() {
            let slot = std::mem::replace(
                &mut self.slots[self.oldest],
                Slot::starting(&view, self.network, out.len(), headless),
            );
            self.oldest = (self.oldest + 1) % FLOWS;
            slot.close(self.network, out);
        } else {
            self.slots.push(Slot::starting(&view, self.network, out.len(), headless));
        }
        Place::First
    }

    /// Lets the packet join the frame of slot `mine`.
    #[inline]
    fn join<'a>(&mut self, mine: usize, view: &View<'_>, out: &'a mut [Frame]) -> Place<'a> {
        let slot = &mut self.slots[mine];
        slot.advance(view, self.network);
        let (index, ended) = (slot.index, view.flags() & (PSH | FIN) != 0 || view.payload < slot.size);
        if !slot.headless {
            slot.headless = true;
            let first = out[index].head.slice(slot.header.len()..);
            out[index].frags.push(first);
        }
        if ended {
            self.close_at(Some(mine), out);
        }
        Place::Append(&mut out[index])
    }

    fn close_flow(&mut self, view: Option<View<'_>>, out: &mut [Frame]) {
        let Some(view) = view else { return };
        let mine = self.slots.iter().position(|slot| slot.same_flow(&view, self.network));
        self.close_at(mine, out);
    }

    fn close_at(&mut self, slot: Option<usize>, out: &mut [Frame]) {
        if let Some(at) = slot {
            let slot = self.slots.swap_remove(at);
            slot.close(self.network, out);
        }
    }
}

/// Adds payload to a frame.
#[inline]
fn append(frame: &mut Frame, charge: u32, parts: &mut [Bytes]) {
    if frame.frags.len() == 1 {
        frame.frags.reserve(FRAGMENTS);
    }
    frame.frags.extend(parts.iter_mut().map(std::mem::take));
    frame.truesize = frame.truesize.saturating_add(charge);
}
