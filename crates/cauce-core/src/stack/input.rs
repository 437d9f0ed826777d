//! From a frame to the connection that it belongs to (RFC 9293 3.10.7, P-040, P-050, P-239).

use super::control_segment::build_segment;
use super::entity::FlowRef;
use super::interfaces::LOOPBACK;
use super::ip_counts::IpCounters;
use super::listeners::Arrival;
use super::reset::{ReplyPath, reset_for};
use super::{Entry, Stack};
use crate::addr::FlowKey;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::frame::{ChecksumState, DeviceId, Frame};
use crate::receive::Payload;
use crate::segment_arrives::Segment;
use crate::time::Instant;
use bytes::Bytes;
use cauce_wire::{Flags, IpHeader, TcpHeader, protocol};

/// A TCP segment that has been read and found sound, with what its packet said.
pub(super) struct Arrived {
    pub(super) key: FlowKey,
    pub(super) segment: Segment,
    pub(super) device: DeviceId,
    /// The device on which sockets hear it: packets from the stack to itself arrive on the one that has their address.
    pub(super) heard_on: DeviceId,
    pub(super) traffic_class: u8,
    pub(super) hash: u64,
    /// The queue of the device.
    pub(super) queue: u16,
    /// TTL or hop limit.
    pub(super) hop_limit: u8,
    /// Of a SYN: the network and transport headers, for TCP_SAVE_SYN.
    pub(super) syn_headers: Option<Bytes>,
}

impl Stack {
    /// Takes one packet in. What this stack does not handle (UDP, other protocols, ICMP that concerns no TCP
    /// connection) comes back; everything else is consumed, whatever becomes of it.
    pub fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame> {
        let frame = self.link_input(frame, arrived)?;
        self.ip_input(frame, arrived)
    }

    /// A packet without a link header.
    pub(super) fn ip_input(&mut self, frame: Frame, now: Instant) -> Option<Frame> {
        let whole = frame.len();
        let counters = IpCounters::of_packet(frame.head.first());
        self.shared.counters.add(counters.in_receives, 1);
        self.shared.counters.add(counters.in_octets, whole as u64);
        let ip = match IpHeader::parse(&frame.head, whole) {
            Ok(ip) => ip,
            Err(_) => return self.end(now, counters.in_header_errors, DropReason::BadIpHeader),
        };
        self.shared.counters.add(counters.of_mark(ip.ecn()), u64::from(frame.segments.max(1)));
        if !self.interfaces.accepts(ip.dst.into()) {
            return self.end(now, counters.in_address_errors, DropReason::NotOurs);
        }
        if ip.fragment.is_none() {
            return self.deliver(frame, &ip, now);
        }
        let whole = self.reassemble(frame, &ip, now)?;
        match IpHeader::parse(&whole.head, whole.len()) {
            Ok(ip) => self.deliver(whole, &ip, now),
            Err(_) => self.end(now, counters.in_header_errors, DropReason::BadIpHeader),
        }
    }

    /// Hands a whole packet to its transport.
    fn deliver(&mut self, frame: Frame, ip: &IpHeader, now: Instant) -> Option<Frame> {
        if matches!(ip.protocol, protocol::TCP | protocol::ICMP | protocol::ICMPV6) {
            self.shared.counters.add(IpCounters::of(ip.version()).in_delivers, 1);
        }
        match ip.protocol {
            protocol::TCP => {
                self.tcp_input(frame, ip, now);
                None
            }
            protocol::ICMP | protocol::ICMPV6 => self.icmp_input(frame, ip, now),
            _ => Some(frame),
        }
    }

    /// Ends a packet's way with a counter and a reason.
    pub(super) fn end(&mut self, now: Instant, counter: Counter, reason: DropReason) -> Option<Frame> {
        self.shared.counters.add(counter, 1);
        self.shared.trace.dropped(now, reason);
        None
    }

    fn tcp_input(&mut self, frame: Frame, ip: &IpHeader, now: Instant) {
        self.shared.counters.add(Counter::InSegs, u64::from(frame.segments.max(1)));
        let Some(arrived) = self.read_segment(frame, ip, now) else { return };
        match self.find_flow(arrived.hash, &arrived.key) {
            Some(FlowRef::Socket(id)) => {
                if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
                    if !conn.options.hears(arrived.heard_on) && !conn.options.hears(arrived.device) {
                        return self.new_segment(arrived, now);
                    }
                    if conn.options.min_ttl(conn.key.is_v4()) > arrived.hop_limit {
                        return self.too_few_hops(now);
                    }
                    let mut cx = self.shared.cx(now);
                    conn.segment_arrives(arrived.segment, &mut cx);
                    self.settle(id, now);
                }
            }
            Some(FlowRef::HalfOpen(index)) => self.half_open_segment(index, arrived, now),
            Some(FlowRef::TimeWait(index)) => self.time_wait_segment(index, arrived, now),
            None => self.new_segment(arrived, now),
        }
    }

    /// Reads the header, verifies the checksum, and cuts the payload out of the frame.
    fn read_segment(&mut self, frame: Frame, ip: &IpHeader, now: Instant) -> Option<Arrived> {
        let total = ip.total_len.min(frame.len());
        let tcp_len = total.saturating_sub(ip.header_len);
        let head = frame.head.get(ip.header_len..).unwrap_or(&[]);
        let head = head.get(..head.len().min(tcp_len)).unwrap_or(head);
        let Ok((header, header_len)) = TcpHeader::parse(head) else {
            self.end(now, Counter::InErrs, DropReason::BadTcpHeader);
            return None;
        };
        if frame.checksum == ChecksumState::Unverified && !verifies(&frame, ip, tcp_len) {
            self.shared.counters.add(Counter::InCsumErrors, 1);
            self.end(now, Counter::InErrs, DropReason::BadChecksum);
            return None;
        }
        let key = FlowKey {
            local: ip.dst.into(),
            remote: ip.src.into(),
            local_port: header.dst_port,
            remote_port: header.src_port,
        };
        if key.remote.is_unspecified() || key.remote.is_multicast_or_broadcast() {
            self.end(now, IpCounters::of(ip.version()).in_address_errors, DropReason::BadSource);
            return None;
        }
        let len = tcp_len - header_len;
        let headers = ip.header_len + header_len;
        let syn_headers =
            header.flags.contains(Flags::SYN).then(|| frame.head.slice(..headers.min(frame.head.len())));
        let (segments, segment_size) = (frame.segments.max(1), frame.segment_size);
        let (device, queue) = (frame.device, frame.queue);
        let owner = (device == LOOPBACK).then(|| self.interfaces.device_of(key.local)).flatten();
        let heard_on = owner.unwrap_or(device);
        let mut payload = Payload::from_frame(frame, headers);
        payload.truncate(len);
        let ecn = ip.ecn();
        let segment = Segment {
            header,
            seq: 0,
            ack: 0,
            len: len as u32,
            payload,
            ecn,
            predicted: false,
            segments,
            segment_size,
        };
        let hash = self.flows.hash(&key);
        let (traffic_class, hop_limit) = (ip.traffic_class, ip.hop_limit);
        Some(Arrived { key, segment, device, heard_on, traffic_class, hash, queue, hop_limit, syn_headers })
    }

    /// The entry of the flow table for this key.
    pub(super) fn find_flow(&self, hash: u64, key: &FlowKey) -> Option<FlowRef> {
        self.flows.find(hash, |flow| self.flow_key(flow).as_ref() == Some(key))
    }

    /// The key of an entry of the flow table.
    pub(super) fn flow_key(&self, flow: FlowRef) -> Option<FlowKey> {
        match flow {
            FlowRef::Socket(id) => Self::key_of(&self.sockets, id),
            FlowRef::HalfOpen(index) => self.syn_queue.get(index).map(|record| record.key),
            FlowRef::TimeWait(index) => self.time_wait.key(index),
        }
    }

    /// Enters a flow into the table.
    pub(super) fn insert_flow(&mut self, key: &FlowKey, flow: FlowRef) {
        let Stack { flows, sockets, syn_queue, time_wait, .. } = self;
        let hash = flows.hash(key);
        let nobody = FlowKey::new(([0, 0, 0, 0], 0).into(), ([0, 0, 0, 0], 0).into());
        flows.insert(hash, flow, |flow| {
            match flow {
                FlowRef::Socket(id) => Self::key_of(sockets, id),
                FlowRef::HalfOpen(index) => syn_queue.get(index).map(|record| record.key),
                FlowRef::TimeWait(index) => time_wait.key(index),
            }
            .unwrap_or(nobody)
        });
    }

    /// A segment of no known flow: a SYN for a listener, the ACK of a cookie, or a stray (P-032, P-033).
    pub(super) fn new_segment(&mut self, arrived: Arrived, now: Instant) {
        let listener = self.listeners.lookup(arrived.key.local, arrived.key.local_port, arrived.arrival());
        match listener {
            Some(id) => {
                let least = self.options(id).map_or(0, |options| options.min_ttl(arrived.key.is_v4()));
                if least > arrived.hop_limit {
                    return self.too_few_hops(now);
                }
                self.listener_segment(id, arrived, None, now)
            }
            None => {
                self.shared.trace.dropped(now, DropReason::NoSocket);
                self.reply_reset(&arrived, now);
            }
        }
    }

    /// IP_MINTTL: the segment may come from farther away than the user believes (O-55).
    fn too_few_hops(&mut self, now: Instant) {
        self.end(now, Counter::TCPMinTTLDrop, DropReason::MinTtl);
    }

    /// The reset that RFC 9293 3.10.7.1 owes to a segment without a connection.
    pub(super) fn reply_reset(&mut self, arrived: &Arrived, _now: Instant) {
        let ttl = (self.shared.sysctl.ip_default_ttl as u32).clamp(1, 255) as u8;
        let path = ReplyPath { device: arrived.device, ttl, tos: arrived.traffic_class };
        let header = &arrived.segment.header;
        if let Some(spec) = reset_for(&arrived.key, header, arrived.segment.len, path) {
            self.shared.counters.add(Counter::OutRsts, 1);
            self.queue_reply(build_segment(&spec));
        }
    }

    /// Queues an answer, within the bound that `cauce.max_pending_replies` sets.
    pub(super) fn queue_reply(&mut self, packet: crate::batch::Transmit) {
        if self.shared.replies.len() < self.shared.sysctl.max_pending_replies as usize {
            self.shared.counters.add(Counter::OutSegs, 1);
            self.shared.replies.push_back(packet);
        }
    }
}

fn verifies(frame: &Frame, ip: &IpHeader, tcp_len: usize) -> bool {
    let first = frame.head.get(ip.header_len..).unwrap_or(&[]);
    let first = &first[..first.len().min(tcp_len)];
    let mut left = tcp_len - first.len();
    let rest = frame.frags.iter().map_while(|part: &Bytes| {
        let take = part.len().min(left);
        left -= take;
        (take > 0).then(|| &part[..take])
    });
    cauce_wire::checksum::verify_tcp(ip.src, ip.dst, core::iter::once(first).chain(rest), tcp_len)
}

impl Arrived {
    pub(super) fn arrival(&self) -> Arrival {
        Arrival { device: self.heard_on, queue: self.queue, hash: self.hash }
    }

    pub(super) fn has(&self, flags: Flags) -> bool {
        self.segment.header.flags.contains(flags)
    }
}
