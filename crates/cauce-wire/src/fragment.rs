//! Reassembly of IPv4 and IPv6 fragments (RFC 791, RFC 8200 4.5) within bounds.
//!
//! Fragments that overlap drop their whole datagram (RFC 5722, which Linux applies to IPv4 as well); exact
//! duplicates are ignored. A first fragment that does not reach the end of the TCP header drops its datagram
//! (RFC 1858, RFC 7112). ECN marks combine as RFC 3168 5.3 says. When a bound is reached the oldest datagram
//! makes room. The owner brings the time and asks for expiry; nothing here knows a clock.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::{Ecn, Fragment, IpEmit, IpHeader, IpVersion, MIN_TCP_HEADER_LEN, ipv4, ipv6, protocol};

/// Fragments that one datagram may have: enough for 64 KiB over links of 576 bytes.
const MAX_PIECES: usize = 128;
/// What holding a datagram, and each of its fragments, costs besides the bytes.
const OVERHEAD: usize = 128;
/// Longest payload that an IP packet can state.
const MAX_PAYLOAD: usize = 65535;

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reassembly {
    /// The packet is no fragment: handle it as it is.
    Whole,
    /// Kept until the others come.
    Held,
    /// It was the last one missing: the whole packet, with one plain IP header.
    Complete(Vec<u8>),
    /// Dropped, alone or with all of its datagram.
    Dropped(FragmentDrop),
}

/// Why a fragment was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentDrop {
    /// The very same fragment is here already.
    Duplicate,
    /// It overlaps another one; the datagram is gone.
    Overlap,
    /// It contradicts the length that another fragment gave; the datagram is gone.
    Length,
    /// It is empty, or not the last one and no multiple of 8 bytes long, or longer than its packet.
    Malformed,
    /// It would make a datagram of more than 65535 bytes.
    TooLong,
    /// The first fragment does not hold all headers; the datagram is gone.
    TinyFirst,
    /// Its ECN mark cannot be combined with the others; the datagram is gone.
    Ecn,
    /// Too many fragments of one datagram, which is gone.
    TooManyPieces,
    /// It does not fit within the bounds, not even alone.
    NoRoom,
}

/// What makes fragments belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    identification: u32,
    /// IPv4's protocol; 0 for IPv6, whose fragments may name different ones.
    protocol: u8,
}

impl Key {
    fn of(header: &IpHeader) -> Key {
        let protocol = if header.version() == IpVersion::V4 { header.protocol } else { 0 };
        Key { src: header.src, dst: header.dst, identification: header.identification, protocol }
    }
}

/// A datagram of which some fragments are here.
#[derive(Debug)]
struct Datagram {
    expires_ms: u64,
    /// Fragments in order, never overlapping.
    pieces: Vec<(usize, Vec<u8>)>,
    /// Payload bytes held.
    held: usize,
    /// Length of the payload, once the last fragment is here.
    whole_len: Option<usize>,
    /// Header of the first fragment.
    first: Option<IpHeader>,
    /// A bit for each ECN mark seen.
    ecn_seen: u8,
    /// Everything that still comes is dropped (RFC 5722).
    poisoned: bool,
}

/// Puts fragments together.
///
/// ```
/// use cauce_wire::fragment::{Reassembler, Reassembly};
/// use cauce_wire::{IpEmit, IpHeader};
///
/// let mut packet = [0; 48];
/// let ip = IpEmit {
///     src: "10.0.0.1".parse().unwrap(), dst: "10.0.0.2".parse().unwrap(), protocol: 17, hop_limit: 64,
///     traffic_class: 0, flow_label: 0, identification: 1, dont_fragment: false, payload_len: 28,
/// };
/// ip.emit(&mut packet);
/// let mut reassembler = Reassembler::new(256 * 1024, 64, 30_000);
/// let header = IpHeader::parse(&packet, packet.len()).unwrap();
/// assert_eq!(reassembler.push(&header, &packet, 0), Reassembly::Whole);
/// ```
#[derive(Debug)]
pub struct Reassembler {
    max_bytes: usize,
    max_datagrams: usize,
    timeout_ms: u64,
    datagrams: BTreeMap<Key, Datagram>,
    bytes: usize,
    next_expiry_ms: Option<u64>,
}

impl Reassembler {
    /// A reassembler that holds at most `max_bytes` (payloads and bookkeeping) of at most `max_datagrams`
    /// datagrams, each for at most `timeout_ms` after its first fragment arrived.
    pub fn new(max_bytes: usize, max_datagrams: usize, timeout_ms: u64) -> Reassembler {
        Reassembler {
            max_bytes,
            max_datagrams,
            timeout_ms,
            datagrams: BTreeMap::new(),
            bytes: 0,
            next_expiry_ms: None,
        }
    }

    /// Changes the bounds for what arrives from now on; what is held stays as long as it was promised.
    pub fn set_bounds(&mut self, max_bytes: usize, timeout_ms: u64) {
        (self.max_bytes, self.timeout_ms) = (max_bytes, timeout_ms);
    }

    /// Takes in `packet`, whose header is `header`, at the time `now_ms`.
    pub fn push(&mut self, header: &IpHeader, packet: &[u8], now_ms: u64) -> Reassembly {
        let Some(fragment) = header.fragment else { return Reassembly::Whole };
        let key = Key::of(header);
        let outcome = match payload(header, fragment, packet) {
            Ok(payload) => self.insert(key, header, fragment, payload, packet, now_ms),
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok(()) => self.complete(key),
            Err(reason) => {
                self.punish(key, reason);
                Reassembly::Dropped(reason)
            }
        }
    }

    /// Forgets the datagrams that are too old at `now_ms`; returns how many there were.
    pub fn expire(&mut self, now_ms: u64) -> usize {
        if self.next_expiry_ms.is_none_or(|at| at > now_ms) {
            return 0;
        }
        let before = self.datagrams.len();
        self.datagrams.retain(|_, datagram| datagram.expires_ms > now_ms);
        self.bytes = self.datagrams.values().map(Datagram::cost).sum();
        self.next_expiry_ms = self.datagrams.values().map(|datagram| datagram.expires_ms).min();
        before - self.datagrams.len()
    }

    /// When [`Reassembler::expire`] should be called next: not later than the first datagram expires, possibly
    /// earlier; `None` while nothing is held.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.next_expiry_ms.filter(|_| !self.datagrams.is_empty())
    }

    /// Bytes held, bookkeeping included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Datagrams held.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// True while nothing is held.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    fn insert(
        &mut self,
        key: Key,
        header: &IpHeader,
        fragment: Fragment,
        payload: &[u8],
        packet: &[u8],
        now_ms: u64,
    ) -> Result<(), FragmentDrop> {
        let at = match self.datagrams.get(&key) {
            Some(datagram) => datagram.place(fragment, payload)?,
            None => 0,
        };
        if fragment.offset == 0 && !holds_all_headers(header, packet) {
            return Err(FragmentDrop::TinyFirst);
        }
        let is_new = !self.datagrams.contains_key(&key);
        let cost = payload.len() + OVERHEAD + if is_new { OVERHEAD } else { 0 };
        self.make_room(key, cost, is_new)?;
        let expires_ms = now_ms.saturating_add(self.timeout_ms);
        let datagram = self.datagrams.entry(key).or_insert_with(|| Datagram::new(expires_ms));
        datagram.pieces.insert(at, (fragment.offset, payload.to_vec()));
        datagram.held += payload.len();
        datagram.ecn_seen |= 1 << header.ecn() as u8;
        if !fragment.more {
            datagram.whole_len = Some(fragment.offset + payload.len());
        }
        if fragment.offset == 0 {
            datagram.first = Some(header.clone());
        }
        self.bytes += cost;
        self.next_expiry_ms = Some(self.next_expiry_ms.map_or(expires_ms, |at| at.min(expires_ms)));
        Ok(())
    }

    /// Evicts the oldest datagrams other than `key` until `cost` more bytes fit.
    fn make_room(&mut self, key: Key, cost: usize, is_new: bool) -> Result<(), FragmentDrop> {
        let own = self.datagrams.get(&key).map_or(0, Datagram::cost);
        if own + cost > self.max_bytes {
            return Err(FragmentDrop::NoRoom);
        }
        let entries = usize::from(is_new);
        while self.bytes + cost > self.max_bytes || self.datagrams.len() + entries > self.max_datagrams {
            let others = self.datagrams.iter().filter(|(other, _)| **other != key);
            let oldest = others.min_by_key(|(_, datagram)| datagram.expires_ms).map(|(other, _)| *other);
            self.remove(oldest.ok_or(FragmentDrop::NoRoom)?);
        }
        Ok(())
    }

    /// What a refused fragment means for the rest of its datagram.
    fn punish(&mut self, key: Key, reason: FragmentDrop) {
        match reason {
            FragmentDrop::Duplicate
            | FragmentDrop::Malformed
            | FragmentDrop::TooLong
            | FragmentDrop::NoRoom => {}
            // RFC 5722: nor may those be used that are still to come. IPv4's 16-bit identification comes round
            // too soon for that.
            FragmentDrop::Overlap if key.src.is_ipv6() => {
                if let Some(datagram) = self.datagrams.get_mut(&key) {
                    self.bytes -= datagram.cost();
                    datagram.poison();
                    self.bytes += datagram.cost();
                }
            }
            _ => self.remove(key),
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(datagram) = self.datagrams.remove(&key) {
            self.bytes -= datagram.cost();
        }
    }

    /// Hands out the packet when all of it is here.
    fn complete(&mut self, key: Key) -> Reassembly {
        if !self.datagrams.get(&key).is_some_and(Datagram::is_complete) {
            return Reassembly::Held;
        }
        let packet = self.datagrams.get(&key).ok_or(FragmentDrop::NoRoom).and_then(Datagram::assemble);
        self.remove(key);
        match packet {
            Ok(packet) => Reassembly::Complete(packet),
            Err(reason) => Reassembly::Dropped(reason),
        }
    }
}

impl Datagram {
    fn new(expires_ms: u64) -> Datagram {
        Datagram {
            expires_ms,
            pieces: Vec::new(),
            held: 0,
            whole_len: None,
            first: None,
            ecn_seen: 0,
            poisoned: false,
        }
    }

    fn cost(&self) -> usize {
        OVERHEAD + self.held + self.pieces.len() * OVERHEAD
    }

    fn poison(&mut self) {
        *self = Datagram { poisoned: true, ..Datagram::new(self.expires_ms) };
    }

    /// Where in `pieces` the fragment belongs.
    fn place(&self, fragment: Fragment, payload: &[u8]) -> Result<usize, FragmentDrop> {
        if self.poisoned {
            return Err(FragmentDrop::Overlap);
        }
        let end = fragment.offset + payload.len();
        let at = self.pieces.partition_point(|(offset, _)| *offset < fragment.offset);
        if self.pieces.get(at).is_some_and(|(offset, bytes)| *offset == fragment.offset && bytes == payload) {
            return Err(FragmentDrop::Duplicate);
        }
        let before = at.checked_sub(1).and_then(|at| self.pieces.get(at));
        let overlaps_before = before.is_some_and(|(offset, bytes)| offset + bytes.len() > fragment.offset);
        if overlaps_before || self.pieces.get(at).is_some_and(|(offset, _)| *offset < end) {
            return Err(FragmentDrop::Overlap);
        }
        let contradicts = match self.whole_len {
            Some(len) => end > len || !fragment.more,
            None => !fragment.more && at < self.pieces.len(),
        };
        if contradicts {
            return Err(FragmentDrop::Length);
        }
        if self.pieces.len() >= MAX_PIECES {
            return Err(FragmentDrop::TooManyPieces);
        }
        Ok(at)
    }

    fn is_complete(&self) -> bool {
        // Pieces never overlap and never reach beyond the end, so the sum of their lengths decides.
        self.whole_len == Some(self.held) && self.first.is_some()
    }

    /// The packet, with a plain header made from that of the first fragment.
    fn assemble(&self) -> Result<Vec<u8>, FragmentDrop> {
        let first = self.first.as_ref().ok_or(FragmentDrop::Length)?;
        let ecn = combined_ecn(self.ecn_seen, first.ecn()).ok_or(FragmentDrop::Ecn)?;
        let header = IpEmit {
            src: first.src,
            dst: first.dst,
            protocol: first.protocol,
            hop_limit: first.hop_limit,
            traffic_class: first.traffic_class & !3 | ecn as u8,
            flow_label: first.flow_label,
            identification: first.identification as u16,
            dont_fragment: false,
            payload_len: self.held,
        };
        let mut packet = vec![0; header.len()];
        header.emit(&mut packet);
        packet.reserve_exact(self.held);
        self.pieces.iter().for_each(|(_, bytes)| packet.extend_from_slice(bytes));
        Ok(packet)
    }
}

/// The mark of a datagram whose fragments carried the marks in `seen`: congestion experienced wins over ECT,
/// and not-ECT goes with nothing else.
fn combined_ecn(seen: u8, first: Ecn) -> Option<Ecn> {
    let only_not_ect = 1 << Ecn::NotEct as u8;
    if seen & only_not_ect != 0 {
        return (seen == only_not_ect).then_some(Ecn::NotEct);
    }
    Some(if seen & 1 << Ecn::Ce as u8 != 0 { Ecn::Ce } else { first })
}

/// The bytes of a fragment, if it can be one.
fn payload<'a>(header: &IpHeader, fragment: Fragment, packet: &'a [u8]) -> Result<&'a [u8], FragmentDrop> {
    let payload = packet.get(header.header_len..header.total_len).ok_or(FragmentDrop::Malformed)?;
    if payload.is_empty() || fragment.more && !payload.len().is_multiple_of(8) {
        return Err(FragmentDrop::Malformed);
    }
    let own_header = if header.version() == IpVersion::V4 { ipv4::HEADER_LEN } else { 0 };
    if fragment.offset + payload.len() > MAX_PAYLOAD - own_header {
        return Err(FragmentDrop::TooLong);
    }
    Ok(payload)
}

/// True when a first fragment reaches the end of the fixed TCP header, if TCP is what it carries.
fn holds_all_headers(header: &IpHeader, packet: &[u8]) -> bool {
    let (next, transport_at) = match header.version() {
        IpVersion::V4 => (header.protocol, header.header_len),
        IpVersion::V6 => match ipv6::skip_rest(header, packet) {
            Ok(transport) => transport,
            Err(_) => return false,
        },
    };
    next != protocol::TCP || header.total_len >= transport_at + MIN_TCP_HEADER_LEN
}
