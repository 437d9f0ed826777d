//! Builds packets that are all header: ACKs, SYNs, FINs without data, resets, probes.
//!
//! Writes the IP and TCP headers with a partial checksum (DESIGN 4.6); the device, or the link layer on the
//! way to it, completes the packet. What to say in a segment is decided by whoever fills the
//! [`SegmentSpec`]; segments with data are made in `send`.

use crate::addr::FlowKey;
use crate::batch::{PartialChecksum, SendReason, Token, Transmit};
use crate::frame::DeviceId;
use crate::send::segmentize::{NetworkFields, write_headers};
use cauce_wire::{Flags, Seq, TCP_CHECKSUM_OFFSET, TcpHeader, TcpOptions};
use smallvec::SmallVec;

/// Everything that a segment without data says.
#[derive(Clone, Debug)]
pub struct SegmentSpec {
    /// The flow, seen from this host: the segment goes from `local` to `remote`.
    pub key: FlowKey,
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK; meaningful with [`Flags::ACK`].
    pub ack: Seq,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND as it stands in the header, already scaled.
    pub window: u16,
    /// The options.
    pub options: TcpOptions,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class, ECN bits included.
    pub tos: u8,
    /// Flow label, IPv6 only.
    pub flow_label: u32,
    /// IPv4 identification. Packets with Don't Fragment need none (RFC 6864): 0.
    pub identification: u16,
    /// IPv4's Don't Fragment.
    pub dont_fragment: bool,
    /// The device that leads to the peer.
    pub device: DeviceId,
    /// Why it is sent.
    pub reason: SendReason,
    /// Comes back when it has been sent.
    pub token: Token,
}

impl SegmentSpec {
    /// A segment of `key` with Don't Fragment and without options, window or acknowledgment: fill in the rest
    /// with struct update syntax.
    pub fn new(key: FlowKey, seq: Seq, flags: Flags, reason: SendReason) -> Self {
        SegmentSpec {
            key,
            seq,
            ack: Seq(0),
            flags,
            window: 0,
            options: TcpOptions::default(),
            ttl: 64,
            tos: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: true,
            device: DeviceId(0),
            reason,
            token: Token::NONE,
        }
    }
}

/// Writes the segment.
///
/// ```
/// use cauce_core::{addr::FlowKey, batch::SendReason, stack::control_segment::{SegmentSpec, build_segment}};
/// use cauce_wire::{Flags, IpHeader, Seq};
/// let key = FlowKey::new("10.0.0.1:80".parse().unwrap(), "10.0.0.2:4000".parse().unwrap());
/// let reset = build_segment(&SegmentSpec::new(key, Seq(7), Flags::RST, SendReason::Reset));
/// assert_eq!(reset.len(), 40);
/// assert!(IpHeader::parse(&reset.header, reset.len()).unwrap().dont_fragment);
/// ```
pub fn build_segment(spec: &SegmentSpec) -> Transmit {
    let (src, dst) = (spec.key.local(), spec.key.remote());
    let tcp = TcpHeader {
        src_port: src.port(),
        dst_port: dst.port(),
        seq: spec.seq,
        ack: spec.ack,
        flags: spec.flags,
        window: spec.window,
        urgent: 0,
        options: spec.options.clone(),
    };
    let network = NetworkFields {
        hop_limit: spec.ttl,
        traffic_class: spec.tos,
        flow_label: spec.flow_label,
        identification: spec.identification,
        dont_fragment: spec.dont_fragment,
    };
    let (header, start) = write_headers(&spec.key, network, &tcp, 0);
    Transmit {
        header,
        payload: SmallVec::new(),
        gso: None,
        checksum: Some(PartialChecksum { start: start as u16, offset: TCP_CHECKSUM_OFFSET as u16 }),
        network_offset: 0,
        transport_offset: start as u8,
        device: spec.device,
        reason: spec.reason,
        token: spec.token,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use cauce_wire::checksum::{Sum, verify_tcp};
    use cauce_wire::{IpHeader, Timestamps};

    /// Completes the checksum as a device does, verifies it, and reads the segment back.
    pub(in crate::stack) fn read_back(transmit: &Transmit) -> (IpHeader, TcpHeader) {
        let mut packet = transmit.header.clone();
        let partial = transmit.checksum.unwrap();
        let start = usize::from(partial.start);
        let mut sum = Sum::new();
        sum.add_bytes(&packet[start..]);
        packet[start + usize::from(partial.offset)..][..2].copy_from_slice(&sum.finish().to_be_bytes());
        let ip = IpHeader::parse(&packet, packet.len()).unwrap();
        assert_eq!(ip.header_len, start);
        let segment = &packet[start..];
        assert!(verify_tcp(ip.src, ip.dst, core::iter::once(segment), segment.len()));
        let (tcp, len) = TcpHeader::parse(segment).unwrap();
        assert_eq!(len, segment.len());
        (ip, tcp)
    }

    #[test]
    fn both_families_with_options() {
        for (local, remote) in [("10.0.0.1:80", "10.0.0.2:4000"), ("[2001:db8::1]:80", "[2001:db8::2]:4000")]
        {
            let key = FlowKey::new(local.parse().unwrap(), remote.parse().unwrap());
            let spec = SegmentSpec {
                ack: Seq(9),
                window: 500,
                options: TcpOptions {
                    timestamps: Some(Timestamps { val: 1, ecr: 2 }),
                    ..TcpOptions::default()
                },
                ttl: 33,
                tos: 0x10,
                flow_label: 0xabcde,
                ..SegmentSpec::new(key, Seq(u32::MAX), Flags::ACK, SendReason::Ack)
            };
            let (ip, tcp) = read_back(&build_segment(&spec));
            assert_eq!((ip.src, ip.dst), (key.local.ip(), key.remote.ip()));
            assert_eq!((ip.hop_limit, ip.traffic_class), (33, 0x10));
            assert_eq!(ip.flow_label, if key.is_v4() { 0 } else { 0xabcde });
            assert_eq!((tcp.src_port, tcp.dst_port), (80, 4000));
            assert_eq!((tcp.seq, tcp.ack, tcp.flags, tcp.window), (spec.seq, spec.ack, spec.flags, 500));
            assert_eq!(tcp.options, spec.options);
        }
    }
}
