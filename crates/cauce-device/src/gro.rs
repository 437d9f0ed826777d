//! Generic receive offload: consecutive segments of a flow become one frame (P-236).
//!
//! The rules are those of Linux's GRO. Segments join when addresses, ports, traffic class, hop limit,
//! acknowledgement number, options (byte for byte, timestamps included) and flags are equal, their payload
//! follows without a gap in equal sizes, and their checksums are right. A short segment, PSH or FIN ends a
//! frame and belongs to it. Everything else (pure ACKs, SYN, RST, URG, IP options, fragments, anything odd)
//! ends the frame of its flow and passes as it is. Within a flow order never changes.

use crate::device::Medium;
use crate::offload::pseudo_sum;
use crate::sys::checksum::{Accumulator, sum};
use arrayvec::ArrayVec;
use bytes::Bytes;
use cauce_core::batch::MAX_HEADER;
use cauce_core::frame::{ChecksumState, FRAME_OVERHEAD, Frame};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;
const TCP: u8 = 6;
/// Flows that collect segments at one time.
const FLOWS: usize = 8;
/// Largest coalesced IP packet.
const MAX_PACKET: usize = 65_535;
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

/// A frame that may still grow.
#[derive(Debug)]
struct Slot {
    /// Where it lies in `out`.
    index: usize,
    /// The first segment's headers.
    header: ArrayVec<u8, MAX_HEADER>,
    /// Where the TCP header starts.
    tcp: usize,
    next_seq: u32,
    /// Payload of each segment but the last.
    size: usize,
    segments: u16,
    /// Bytes of the IP packet so far.
    len: usize,
    identification: u16,
    /// How IPv4 identifications go on, once two segments have shown it.
    identification_counts: Option<bool>,
    /// PSH and FIN of the last segment.
    end_flags: u8,
    /// The frame in `out` has its payload in fragments; its head is written when the slot closes.
    headless: bool,
}

/// Where things lie in a packet that might be coalesced.
#[derive(Clone, Copy)]
struct View<'a> {
    header: &'a [u8],
    tcp: usize,
    v4: bool,
    payload: usize,
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
            close(slot, self.network, out);
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
            close(slot, self.network, out);
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
            close(slot, self.network, out);
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

/// Writes the head of a frame that is complete. The checksum field of a coalesced one holds the sum of the
/// pseudo-header, as in a super-packet on its way out.
fn close(mut slot: Slot, network: usize, out: &mut [Frame]) {
    let Some(frame) = out.get_mut(slot.index).filter(|_| slot.headless) else { return };
    if slot.segments > 1 {
        frame.segments = slot.segments;
        frame.segment_size = slot.size as u16;
        let (ip, tcp) = slot.header[network..].split_at_mut(slot.tcp - network);
        if ip[0] >> 4 == 4 {
            ip[2..4].copy_from_slice(&(slot.len as u16).to_be_bytes());
            ip[10..12].fill(0);
            let checksum = !sum(ip);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        } else {
            let payload_len = (slot.len - ip.len()) as u16;
            ip[4..6].copy_from_slice(&payload_len.to_be_bytes());
        }
        let pseudo = pseudo_sum(ip, slot.len - ip.len()).unwrap_or(0);
        tcp[13] |= slot.end_flags;
        tcp[16..18].copy_from_slice(&Accumulator::from_words(pseudo).folded().to_be_bytes());
    }
    frame.head = Bytes::copy_from_slice(&slot.header);
}

impl Slot {
    fn starting(view: &View<'_>, network: usize, index: usize, headless: bool) -> Self {
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
        }
    }

    /// Addresses and ports are equal. They lie side by side, since options and extension headers were
    /// refused before.
    #[inline]
    fn same_flow(&self, view: &View<'_>, network: usize) -> bool {
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
    fn continues_with(&self, view: &View<'_>, network: usize) -> bool {
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
            && (tcp[13] ^ their_tcp[13]) & !(CWR | FIN | PSH) == 0
            && their_tcp[13] & CWR == 0
            && tcp[20..] == their_tcp[20..]
    }

    /// Identifications count up; with "don't fragment" they may also stand still.
    #[inline]
    fn identification_follows(&self, view: &View<'_>, network: usize) -> bool {
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
    fn advance(&mut self, view: &View<'_>, network: usize) {
        let identification = view.identification(network);
        self.identification_counts = Some(identification != self.identification);
        self.identification = identification;
        self.next_seq = self.next_seq.wrapping_add(view.payload as u32);
        self.len += view.payload;
        self.segments += 1;
        self.end_flags = view.flags() & (PSH | FIN);
    }
}

impl<'a> View<'a> {
    /// Finds TCP in a packet of `len` bytes whose first ones are `bytes`; `None` for all that is never
    /// coalesced. A link's padding behind the packet is not part of the payload.
    #[inline]
    fn of(bytes: &'a [u8], network: usize, len: usize) -> Option<Self> {
        let ip = bytes.get(network..)?;
        let (v4, ip_len, total) = match ip.first()? {
            0x45 => {
                let ip = ip.first_chunk::<20>()?;
                let fragmented = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0;
                if ip[9] != TCP || fragmented || sum(ip) != 0xffff {
                    return None;
                }
                (true, 20, usize::from(u16::from_be_bytes([ip[2], ip[3]])))
            }
            first if first >> 4 == 6 => {
                let ip = ip.first_chunk::<40>().filter(|ip| ip[6] == TCP)?;
                (false, 40, 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]])))
            }
            _ => return None,
        };
        let ethertype = if v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        if network >= 14 && bytes.get(12..14) != Some(&ethertype[..]) {
            return None;
        }
        let tcp = network + ip_len;
        let header = tcp + usize::from(bytes.get(tcp + 12)? >> 4) * 4;
        let payload = (network + total).checked_sub(header)?;
        if header < tcp + 20 || header > MAX_HEADER || network + total > len {
            return None;
        }
        Some(View { header: bytes.get(..header)?, tcp, v4, payload })
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.header[self.tcp + 13]
    }

    #[inline]
    fn seq(&self) -> u32 {
        let at = self.tcp + 4;
        u32::from_be_bytes([self.header[at], self.header[at + 1], self.header[at + 2], self.header[at + 3]])
    }

    /// IPv4's; 0 for IPv6.
    #[inline]
    fn identification(&self, network: usize) -> u16 {
        if !self.v4 {
            return 0;
        }
        u16::from_be_bytes([self.header[network + 4], self.header[network + 5]])
    }

    #[inline]
    fn checksum_is_right(&self, network: usize, add_payload: impl FnOnce(&mut Accumulator)) -> bool {
        let tcp = &self.header[self.tcp..];
        let Some(pseudo) = pseudo_sum(&self.header[network..], tcp.len() + self.payload) else {
            return false;
        };
        let mut total = Accumulator::from_words(pseudo);
        total.add(tcp);
        add_payload(&mut total);
        total.folded() == 0xffff
    }
}
