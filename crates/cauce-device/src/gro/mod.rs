//! Generic receive offload: consecutive segments of a flow become one frame (P-236).
//!
//! The rules are those of Linux's GRO. Segments join when addresses, ports, traffic class, hop limit,
//! acknowledgement number, options (byte for byte, timestamps included) and flags are equal (CWR too, which is a part
//! of accurate ECN's counter), their payload follows without a gap in equal sizes, and their checksums are right. A
//! short segment, PSH or FIN ends a frame and belongs to it. Everything else (pure ACKs, SYN, RST, URG, IP options,
//! fragments, anything odd)
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
/// Flows that collect segments at one time.
const FLOWS: usize = 8;
/// What each further segment of a frame costs beside its payload.
const FRAGMENT_OVERHEAD: u32 = 64;

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

/// A range of a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The buffer.
    pub base: &'a Bytes,
    /// Where the range starts.
    pub start: usize,
    /// Where it ends; at most the buffer's length.
    pub end: usize,
}

impl Part<'_> {
    /// Bytes of the range.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True when the range is empty.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// The range as a buffer of its own, shared.
    pub fn to_bytes(&self) -> Bytes {
        self.base.slice(self.start..self.end)
    }
}

/// What to do with a packet.
enum Place {
    /// It stands alone.
    Alone(ChecksumState),
    /// It starts a frame that may grow, and has this slot.
    First(usize),
    /// Its payload continues the frame of this slot, and ends it if so said.
    Join { slot: usize, ends: bool },
}

impl Gro {
    /// Coalesces packets of devices with this medium.
    pub fn new(medium: Medium) -> Self {
        Gro { network: medium.link_header_len(), slots: ArrayVec::new(), oldest: 0 }
    }

    /// Takes a packet whose headers lie in `header` and whose payload is `parts`. Payload is shared; parts
    /// that lie side by side in one buffer become one fragment of the frame.
    #[inline]
    pub fn push_parts(&mut self, header: &[u8], parts: &[Part<'_>], out: &mut Vec<Frame>) {
        let payload: usize = parts.iter().map(Part::len).sum();
        let view = View::of(header, self.network, header.len() + payload)
            .filter(|view| view.header.len() == header.len() && view.payload == payload);
        let verify = |total: &mut Accumulator| {
            parts.iter().for_each(|part| total.add(&part.base[part.start..part.end]));
        };
        match self.place(view, ChecksumState::Unverified, true, verify, out) {
            Place::Join { slot: at, ends } => {
                let slot = &mut self.slots[at];
                let frame = &mut out[slot.index];
                parts.iter().for_each(|part| slot.run.add(part, &mut frame.frags));
                frame.truesize = frame.truesize.saturating_add(payload as u32 + FRAGMENT_OVERHEAD);
                self.close_at(ends.then_some(at), out);
            }
            Place::First(at) => {
                let mut frame = Frame::new(Bytes::new());
                frame.truesize = (header.len() + payload) as u32 + FRAME_OVERHEAD;
                frame.checksum = ChecksumState::Verified;
                parts.iter().for_each(|part| self.slots[at].run.add(part, &mut frame.frags));
                out.push(frame);
            }
            Place::Alone(checksum) => {
                let mut frame = Frame::new(Bytes::copy_from_slice(header));
                frame.truesize += payload as u32;
                frame.checksum = checksum;
                frame.frags.extend(parts.iter().filter(|part| !part.is_empty()).map(Part::to_bytes));
                out.push(frame);
            }
        }
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
            Place::Join { slot: at, ends } => {
                let slot = &mut self.slots[at];
                let to = &mut out[slot.index];
                slot.run.flush(&mut to.frags);
                to.frags.push(head.slice(payload));
                to.truesize = to.truesize.saturating_add(frame.truesize);
                self.close_at(ends.then_some(at), out);
            }
            Place::First(_) => {
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
    fn place(
        &mut self,
        view: Option<View<'_>>,
        checksum: ChecksumState,
        headless: bool,
        add_payload: impl FnOnce(&mut Accumulator),
        out: &mut [Frame],
    ) -> Place {
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
        let slot = Slot::starting(&view, self.network, out.len(), headless);
        if !self.slots.is_full() {
            self.slots.push(slot);
            return Place::First(self.slots.len() - 1);
        }
        let at = self.oldest;
        self.oldest = (at + 1) % FLOWS;
        std::mem::replace(&mut self.slots[at], slot).close(self.network, out);
        Place::First(at)
    }

    /// Lets the packet join the frame of slot `at`.
    #[inline]
    fn join(&mut self, at: usize, view: &View<'_>, out: &mut [Frame]) -> Place {
        let slot = &mut self.slots[at];
        slot.advance(view, self.network);
        if !slot.headless {
            slot.headless = true;
            let first = out[slot.index].head.slice(slot.header.len()..);
            out[slot.index].frags.push(first);
        }
        Place::Join { slot: at, ends: view.flags() & (PSH | FIN) != 0 || view.payload < slot.size }
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
