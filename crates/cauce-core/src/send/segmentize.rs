//! From a decision to a packet: headers, options, slices and offload instructions (P-235).
//!
//! A run of full segments leaves as one super-segment that the device cuts; its headers are those of the
//! first segment. The transport checksum is left partial: the field holds the folded pseudo-header.

use crate::addr::FlowKey;
use crate::batch::{Gso, MAX_HEADER, PartialChecksum, SendReason, Token, Transmit};
use crate::connection::negotiated::Negotiated;
use crate::connection::opening::{mss_of_path, opening_window};
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::counters::Counter;
use crate::trace::{SegmentInfo, TraceEvent};
use arrayvec::ArrayVec;
use bytes::Bytes;
use cauce_wire::{Ecn, Flags, IpEmit, SackBlock, Seq, TcpHeader, TcpOptions, Timestamps};
use smallvec::SmallVec;

/// IP protocol number of TCP.
pub(crate) const PROTOCOL_TCP: u8 = 6;
/// Where the checksum stands in a TCP header.
pub(crate) const CHECKSUM_OFFSET: u16 = cauce_wire::TCP_CHECKSUM_OFFSET as u16;

/// A segment that has been decided on.
pub(crate) struct Outgoing {
    pub(crate) seq: u64,
    pub(crate) flags: Flags,
    pub(crate) payload: SmallVec<[Bytes; 2]>,
    pub(crate) len: usize,
    pub(crate) reason: SendReason,
}

impl Outgoing {
    /// A segment without text.
    pub(crate) fn bare(seq: u64, flags: Flags, reason: SendReason) -> Self {
        Outgoing { seq, flags, payload: SmallVec::new(), len: 0, reason }
    }
}

/// What the network header needs beside the flow key.
#[derive(Clone, Copy)]
pub(crate) struct NetworkFields {
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) flow_label: u32,
    pub(crate) identification: u16,
    pub(crate) dont_fragment: bool,
}

/// Writes IP and TCP headers with a partial checksum for `payload_len` bytes of text. Returns the bytes and
/// where the TCP header starts.
pub(crate) fn write_headers(
    key: &FlowKey,
    network: NetworkFields,
    tcp: &TcpHeader,
    payload_len: usize,
) -> (ArrayVec<u8, MAX_HEADER>, usize) {
    let tcp_len = tcp.header_len();
    let ip = IpEmit {
        src: key.local.ip(),
        dst: key.remote.ip(),
        protocol: PROTOCOL_TCP,
        hop_limit: network.hop_limit,
        traffic_class: network.traffic_class,
        flow_label: network.flow_label,
        identification: network.identification,
        dont_fragment: network.dont_fragment,
        payload_len: tcp_len + payload_len,
    };
    let ip_len = ip.len();
    let mut header: ArrayVec<u8, MAX_HEADER> = ArrayVec::new();
    let zeros = [0u8; MAX_HEADER];
    header.extend(zeros[..(ip_len + tcp_len).min(MAX_HEADER)].iter().copied());
    ip.emit(&mut header);
    tcp.emit(&mut header[ip_len..]);
    let pseudo =
        cauce_wire::checksum::pseudo_header(ip.src, ip.dst, PROTOCOL_TCP, tcp_len + payload_len).folded();
    let at = ip_len + usize::from(CHECKSUM_OFFSET);
    header[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    (header, ip_len)
}

impl Connection {
    /// Builds the packet for `segment` and keeps the books of sending it: window, acknowledgement, counts.
    pub(crate) fn build(&mut self, segment: Outgoing, cx: &mut Context<'_>) -> Transmit {
        let syn = segment.flags.contains(Flags::SYN);
        let ack = segment.flags.contains(Flags::ACK);
        let window = self.window_field(syn, cx);
        // Before the SACK blocks are taken, which shorten the segments.
        let mss = usize::from(self.effective_mss());
        let mut options = if syn { self.syn_options(cx) } else { self.plain_options(cx) };
        if ack && !syn {
            self.add_sack(&mut options);
            self.add_ecn_option(&mut options, cx);
        }
        let mut flags = segment.flags;
        let end = segment.seq + u64::from(syn) + segment.len as u64;
        let occupied = end + u64::from(segment.flags.contains(Flags::FIN));
        let repeats = occupied > segment.seq && occupied <= self.snd.nxt;
        let urgent = if syn { None } else { self.urgent_pointer(segment.seq, cx) };
        if urgent.is_some() {
            flags |= Flags::URG;
        }
        let mark = self.mark_outgoing(&segment, &mut flags);
        let header = TcpHeader {
            src_port: self.key.local_port,
            dst_port: self.key.remote_port,
            seq: Seq::at(segment.seq),
            ack: if ack { Seq::at(self.recv.nxt()) } else { Seq(0) },
            flags,
            window,
            urgent: urgent.unwrap_or(0),
            options,
        };
        let alone = syn || segment.reason == SendReason::PathMtuProbe;
        let segments = if alone { 1 } else { segment.len.div_ceil(mss).max(1) };
        let network = self.network_fields(segments, mark, cx);
        let info = SegmentInfo {
            flow: self.key,
            seq: header.seq.0,
            ack: header.ack.0,
            flags: flags.0,
            window,
            len: segment.len as u32,
            segments: segments as u16,
        };
        let reason = segment.reason;
        cx.trace.emit(cx.now, Some(self.id), || TraceEvent::SegmentOut { segment: info, reason });
        let (bytes, transport) = write_headers(&self.key, network, &header, segment.len);
        self.account_sent(&segment, segments, flags, repeats, cx);
        let token = self.token(segment.len, end);
        if ack {
            self.recv.ack_sent(cx);
            self.done(crate::connection::pending::ACK);
        }
        Transmit {
            header: bytes,
            payload: segment.payload,
            gso: (segments > 1).then_some(Gso { size: mss as u16, segments: segments as u16 }),
            checksum: Some(PartialChecksum { start: transport as u16, offset: CHECKSUM_OFFSET }),
            network_offset: 0,
            transport_offset: transport as u8,
            device: self.path.device,
            reason: segment.reason,
            token,
        }
    }

    /// The urgent pointer of a segment that begins at `seq`, while we are in urgent mode (A-01, S-43). One
    /// that lies too far ahead for its field says so as far as it can, if all that was sent lies before it.
    fn urgent_pointer(&self, seq: u64, cx: &Context<'_>) -> Option<u16> {
        if !self.is_urgent() || self.snd.up <= seq {
            return None;
        }
        let rfc = u64::from(cx.sysctl.tcp_stdurg != 0);
        let ahead = self.snd.up - seq - rfc;
        match u16::try_from(ahead) {
            Ok(pointer) => Some(pointer),
            Err(_) => (seq + u64::from(u16::MAX) > self.snd.nxt).then_some(u16::MAX),
        }
    }

    /// What comes back when the device has sent the packet. Segments without text are not waited for.
    fn token(&mut self, len: usize, end: u64) -> Token {
        let class = self.options.class();
        if len == 0 {
            return Token { class, ..Token::NONE };
        }
        let cost = Connection::cost_below(len);
        self.snd.below = self.snd.below.saturating_add(cost);
        Token { socket: Some(self.id), bytes: cost, end, class }
    }

    fn network_fields(&mut self, segments: usize, mark: Ecn, cx: &Context<'_>) -> NetworkFields {
        let mut identification = 0;
        if self.key.is_v4() {
            identification = self.ip_id;
            self.ip_id = self.ip_id.wrapping_add(segments as u16);
        }
        NetworkFields {
            hop_limit: self.options.hop_limit(self.key.is_v4(), cx.sysctl),
            traffic_class: self.options.traffic_class(self.key.is_v4()) & !3 | mark as u8,
            flow_label: self.flow_label(cx.sysctl),
            identification,
            dont_fragment: self.options.dont_fragment(&self.path),
        }
    }

    /// What `repeats` sequence numbers that have left before is no new segment of the MIB's.
    fn account_sent(
        &mut self,
        segment: &Outgoing,
        segments: usize,
        flags: Flags,
        repeats: bool,
        cx: &mut Context<'_>,
    ) {
        self.stats.segs_out = self.stats.segs_out.wrapping_add(segments as u32);
        if segment.len > 0 {
            self.stats.data_segs_out = self.stats.data_segs_out.wrapping_add(segments as u32);
            self.stats.last_data_sent = cx.now;
            self.recv.data_sent(cx);
        }
        if !repeats {
            cx.count_by(Counter::OutSegs, segments as u64);
        }
        if flags.contains(Flags::RST) {
            cx.count(Counter::OutRsts);
        }
    }

    fn window_field(&mut self, syn: bool, cx: &mut Context<'_>) -> u16 {
        if syn && self.state == State::SynSent {
            return u16::try_from(self.recv.offered()).unwrap_or(u16::MAX);
        }
        if syn {
            let scaling = self.negotiated.window_scaling;
            let mss = self.negotiated.advertised_mss;
            return opening_window(&self.options, &self.path, mss, scaling, cx.sysctl).syn_field();
        }
        self.recv.window_field(cx)
    }

    /// The options of our SYN, or of our SYN,ACK in a simultaneous open.
    fn syn_options(&self, cx: &Context<'_>) -> TcpOptions {
        // What we offer does not depend on the peer's SYN, which may have crossed ours (P-007).
        let mss = self.negotiated.advertised_mss;
        let scaling = cx.sysctl.tcp_window_scaling != 0;
        let window = opening_window(&self.options, &self.path, mss, scaling, cx.sysctl);
        // Once offered, a scale stays.
        let scale = if self.state == State::SynSent { self.negotiated.rcv_scale } else { window.scale };
        let offer = Negotiated::offer(&self.key, mss, scale, cx.sysctl);
        TcpOptions {
            // The path may have become narrower since the first SYN (Linux).
            mss: Some(mss.min(mss_of_path(&self.path, cx.sysctl))),
            sack_permitted: offer.sack,
            window_scale: offer.window_scaling.then_some(offer.rcv_scale),
            timestamps: offer
                .timestamps
                .then(|| Timestamps { val: self.ts.now(cx.now), ecr: self.ts.recent() }),
            fast_open: self.syn_fast_open(),
            ..TcpOptions::default()
        }
    }

    fn plain_options(&self, cx: &Context<'_>) -> TcpOptions {
        let mut options = TcpOptions::default();
        if self.negotiated.timestamps {
            options.timestamps = Some(Timestamps { val: self.ts.now(cx.now), ecr: self.ts.recent() });
        }
        options
    }

    fn add_sack(&mut self, options: &mut TcpOptions) {
        if !self.negotiated.sack {
            return;
        }
        let most = if self.negotiated.timestamps { 3 } else { 4 };
        for (left, right) in self.recv.sack_blocks(most) {
            options.sack.push(SackBlock { left: Seq::at(left), right: Seq::at(right) });
        }
    }

    /// Bytes of options that an acknowledging segment would carry now, beside those that all carry.
    pub(crate) fn option_space(&self) -> u16 {
        let blocks = self.sack_blocks_now();
        let sack = if blocks == 0 { 0 } else { 4 + 8 * blocks as u16 };
        if self.rare.is_none() { sack } else { sack + self.ecn_space(blocks) }
    }

    fn sack_blocks_now(&self) -> usize {
        if !self.negotiated.sack {
            return 0;
        }
        let most = if self.negotiated.timestamps { 3 } else { 4 };
        self.recv.sack_count().min(most)
    }

    /// A pure acknowledgement.
    pub(crate) fn build_ack(&mut self, reason: SendReason, cx: &mut Context<'_>) -> Transmit {
        self.remind_of_ecn(cx);
        let seq = self.acceptable_seq();
        self.build(Outgoing::bare(seq, Flags::ACK, reason), cx)
    }

    /// The sequence number of a segment without text: `snd.nxt`, but never beyond a window that the peer
    /// took back, so that the peer accepts it. Nor is it below what he is known to have: where both ends have taken
    /// windows back over data in flight, each would refuse the other's for ever.
    pub(crate) fn acceptable_seq(&self) -> u64 {
        let edge = self.window_end();
        if edge >= self.snd.nxt {
            return self.snd.nxt;
        }
        // A window taken back by less than a scale unit is rounding, not a retreat.
        if self.snd.nxt - edge < (1u64 << self.negotiated.snd_scale) {
            self.snd.nxt
        } else {
            edge.max(self.snd.una).max(self.rare.as_ref().map_or(0, |rare| rare.heard))
        }
    }

    /// A reset for this connection.
    pub(crate) fn build_reset(&mut self, cx: &mut Context<'_>) -> Transmit {
        let seq = self.acceptable_seq();
        self.build(Outgoing::bare(seq, Flags::RST | Flags::ACK, SendReason::Reset), cx)
    }

    /// Flags of the text up to `end` that leaves for the first time. Super-segments always end in PSH, so that the
    /// receiver's offload does not wait for more (Linux), and window probes, so that the reader sees them.
    pub(crate) fn text_flags(&mut self, start: u64, end: u64, reason: SendReason) -> Flags {
        let large = end - start > u64::from(self.effective_mss()) && reason != SendReason::PathMtuProbe;
        let always = large || reason == SendReason::WindowProbe;
        let pushed = end > start && self.write.sent(end);
        if pushed || always { Flags::ACK | Flags::PSH } else { Flags::ACK }
    }

    /// Flags of the text `start..end` when it is sent again.
    pub(crate) fn text_flags_again(&self, start: u64, end: u64) -> Flags {
        let pushed = end - start > u64::from(self.effective_mss()) || self.write.was_pushed(start, end);
        if pushed { Flags::ACK | Flags::PSH } else { Flags::ACK }
    }

    /// True when the FIN goes with the segment that ends at `end`.
    pub(crate) fn fin_belongs_at(&self, end: u64) -> bool {
        self.has(flag::SND_SHUTDOWN) && end == self.fin_offset() && self.state != State::SynSent
    }
}
