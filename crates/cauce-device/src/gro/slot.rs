//! A frame that may still grow, and the rules by which it does.

use super::view::View;
use super::{FIN, PSH, Part};
use crate::offload::pseudo_sum;
use crate::sys::checksum::{Accumulator, sum};
use arrayvec::ArrayVec;
use bytes::{Buf, Bytes};
use cauce_core::batch::MAX_HEADER;
use cauce_core::frame::Frame;

/// Largest coalesced IP packet.
const MAX_PACKET: usize = 65_535;

/// A frame that may still grow.
#[derive(Debug)]
pub(super) struct Slot {
    /// Where it lies in `out`.
    pub(super) index: usize,
    /// The first segment's headers.
    pub(super) header: ArrayVec<u8, MAX_HEADER>,
    /// Where the TCP header starts.
    pub(super) tcp: usize,
    pub(super) next_seq: u32,
    /// Payload of each segment but the last.
    pub(super) size: usize,
    pub(super) segments: u16,
    /// Bytes of the IP packet so far.
    pub(super) len: usize,
    pub(super) identification: u16,
    /// How IPv4 identifications go on, once two segments have shown it.
    pub(super) identification_counts: Option<bool>,
    /// PSH and FIN of the last segment.
    pub(super) end_flags: u8,
    /// The frame in `out` has its payload in fragments; its head is written when the slot closes.
    pub(super) headless: bool,
    /// Payload that is not yet in the frame's fragments.
    pub(super) run: Run,
}

/// A stretch of one buffer that still grows.
#[derive(Debug, Default)]
pub(super) struct Run {
    base: Bytes,
    start: usize,
    end: usize,
}

impl Run {
    /// Adds a part. One that does not continue the stretch ends it.
    #[inline]
    pub(super) fn add(&mut self, part: &Part<'_>, frags: &mut Vec<Bytes>) {
        // The stretch holds its buffer, so that equal places and lengths mean the same buffer.
        let same = self.base.as_ptr() == part.base.as_ptr() && self.base.len() == part.base.len();
        if same && self.end == part.start && self.end > self.start {
            self.end = part.end;
            return;
        }
        self.flush(frags);
        *self = Run { base: part.base.clone(), start: part.start, end: part.end };
    }

    /// Ends the stretch: it becomes a fragment.
    pub(super) fn flush(&mut self, frags: &mut Vec<Bytes>) {
        let Run { mut base, start, end } = std::mem::take(self);
        if end > start {
            base.truncate(end);
            base.advance(start);
            frags.push(base);
        }
    }
}

impl Slot {
    pub(super) fn starting(view: &View<'_>, network: usize, index: usize, headless: bool) -> Self {
        let mut header = ArrayVec::new();
        // A view's header fits by construction.
        let _ = header.try_extend_from_slice(view.header);
        Slot {
            index,
            header,
            tcp: view.tcp,
            next_seq: view.seq().wrapping_add(view.payload as u32),
            size: view.payload,
            segments: 1,
            len: view.header.len() - network + view.payload,
            identification: view.identification(network),
            identification_counts: None,
            end_flags: 0,
            headless,
            run: Run::default(),
        }
    }

    /// Addresses and ports are equal. They lie side by side, since options and extension headers were
    /// refused before.
    #[inline]
    pub(super) fn same_flow(&self, view: &View<'_>, network: usize) -> bool {
        fn same<const LEN: usize>(mine: &[u8], theirs: &[u8], from: usize) -> bool {
            let part = |header: &[u8]| header.get(from..).and_then(|rest| rest.first_chunk::<LEN>().copied());
            part(mine) == part(theirs)
        }
        self.tcp == view.tcp
            && match view.v4 {
                true => same::<12>(&self.header, view.header, network + 12),
                false => same::<36>(&self.header, view.header, network + 8),
            }
    }

    /// Everything else that has to be equal is, and the payload follows in place.
    #[inline]
    pub(super) fn continues_with(&self, view: &View<'_>, network: usize) -> bool {
        let (mine, theirs) = (&self.header[..], view.header);
        let (ip, tcp) = (&mine[network..self.tcp], &mine[self.tcp..]);
        let (their_ip, their_tcp) = (&theirs[network..view.tcp], &theirs[view.tcp..]);
        let same_ip = if view.v4 {
            // Version, length of header and class; fragment bits, hop limit, protocol.
            ip[..2] == their_ip[..2]
                && ip[6..10] == their_ip[6..10]
                && self.identification_follows(view, network)
        } else {
            // Version, class and flow label; next header, hop limit.
            ip[..4] == their_ip[..4] && ip[6..8] == their_ip[6..8]
        };
        same_ip
            && mine.len() == theirs.len()
            && mine[..network] == theirs[..network]
            && view.seq() == self.next_seq
            && view.payload <= self.size
            && self.len + view.payload <= MAX_PACKET
            && tcp[8..13] == their_tcp[8..13]
            && (tcp[13] ^ their_tcp[13]) & !(FIN | PSH) == 0
            && tcp[20..] == their_tcp[20..]
    }

    /// Identifications count up; with "don't fragment" they may also stand still.
    #[inline]
    pub(super) fn identification_follows(&self, view: &View<'_>, network: usize) -> bool {
        let theirs = view.identification(network);
        let counts = theirs == self.identification.wrapping_add(1);
        let stands = theirs == self.identification && view.header[network + 6] & 0x40 != 0;
        match self.identification_counts {
            None => counts || stands,
            Some(true) => counts,
            Some(false) => stands,
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, view: &View<'_>, network: usize) {
        let identification = view.identification(network);
        self.identification_counts = Some(identification != self.identification);
        self.identification = identification;
        self.next_seq = self.next_seq.wrapping_add(view.payload as u32);
        self.len += view.payload;
        self.segments += 1;
        self.end_flags = view.flags() & (PSH | FIN);
    }

    /// Writes the head of a frame that is complete. The checksum field of a coalesced one holds the sum of the
    /// pseudo-header, as in a super-packet on its way out.
    pub(super) fn close(mut self, network: usize, out: &mut [Frame]) {
        let Some(frame) = out.get_mut(self.index).filter(|_| self.headless) else { return };
        self.run.flush(&mut frame.frags);
        if self.segments > 1 {
            frame.segments = self.segments;
            frame.segment_size = self.size as u16;
            let (ip, tcp) = self.header[network..].split_at_mut(self.tcp - network);
            if ip[0] >> 4 == 4 {
                ip[2..4].copy_from_slice(&(self.len as u16).to_be_bytes());
                ip[10..12].fill(0);
                let checksum = !sum(ip);
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            } else {
                let payload_len = (self.len - ip.len()) as u16;
                ip[4..6].copy_from_slice(&payload_len.to_be_bytes());
            }
            let pseudo = pseudo_sum(ip, self.len - ip.len()).unwrap_or(0);
            tcp[13] |= self.end_flags;
            tcp[16..18].copy_from_slice(&Accumulator::from_words(pseudo).folded().to_be_bytes());
        }
        frame.head = Bytes::copy_from_slice(&self.header);
    }
}
