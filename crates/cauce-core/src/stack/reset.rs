//! Resets for segments that no connection owns (RFC 9293 3.10.7.1, 3.5.2).
//!
//! Decides whether such a segment deserves a reset and what numbers the reset carries, so that the other end
//! can tell that it was meant. Resets that end a connection of ours carry that connection's numbers and are
//! made where it ends.

use super::control_segment::SegmentSpec;
use crate::addr::FlowKey;
use crate::batch::SendReason;
use crate::frame::DeviceId;
use cauce_wire::{Flags, Seq, TcpHeader};

/// The ECN bits of a traffic class, which a reset does not reflect.
pub(crate) const ECN_MASK: u8 = 3;

/// How the reset travels.
#[derive(Clone, Copy, Debug)]
pub struct ReplyPath {
    /// The device the segment came from.
    pub device: DeviceId,
    /// `ip_default_ttl`.
    pub ttl: u8,
    /// The traffic class of the segment that is answered.
    pub tos: u8,
}

/// The reset that answers `segment` with `payload_len` bytes of payload, which belongs to no connection of
/// ours, or whose acknowledgment is unacceptable before the connection is synchronised (P-010, P-032, P-033).
/// `key` is the flow seen from this host.
///
/// `None` for a reset, which is never answered, and for a multicast or broadcast address on either side.
pub fn reset_for(
    key: &FlowKey,
    segment: &TcpHeader,
    payload_len: u32,
    path: ReplyPath,
) -> Option<SegmentSpec> {
    let no_peer = key.remote.is_unspecified() || key.remote.is_multicast_or_broadcast();
    if segment.flags.contains(Flags::RST) || no_peer || key.local.is_multicast_or_broadcast() {
        return None;
    }
    let (seq, ack, flags) = if segment.flags.contains(Flags::ACK) {
        (segment.ack, Seq(0), Flags::RST)
    } else {
        (Seq(0), segment.seq + sequence_length(segment.flags, payload_len), Flags::RST | Flags::ACK)
    };
    Some(SegmentSpec {
        ack,
        ttl: path.ttl,
        tos: path.tos & !ECN_MASK,
        device: path.device,
        ..SegmentSpec::new(*key, seq, flags, SendReason::Reset)
    })
}

/// SEG.LEN: the sequence numbers that a segment occupies, SYN and FIN included.
pub fn sequence_length(flags: Flags, payload_len: u32) -> u32 {
    payload_len
        .wrapping_add(u32::from(flags.contains(Flags::SYN)))
        .wrapping_add(u32::from(flags.contains(Flags::FIN)))
}

#[cfg(test)]
mod tests {
    use super::super::control_segment::{build_segment, tests::read_back};
    use super::*;

    const PATH: ReplyPath = ReplyPath { device: DeviceId(0), ttl: 64, tos: 0x13 };

    fn key() -> FlowKey {
        FlowKey::new("10.0.0.1:80".parse().unwrap(), "10.0.0.2:4000".parse().unwrap())
    }

    fn answer(seq: u32, ack: u32, flags: Flags, payload_len: u32) -> Option<(u32, u32, Flags)> {
        let segment = TcpHeader { seq: Seq(seq), ack: Seq(ack), flags, ..TcpHeader::default() };
        let spec = reset_for(&key(), &segment, payload_len, PATH)?;
        let (ip, tcp) = read_back(&build_segment(&spec));
        assert_eq!((ip.traffic_class, ip.identification, tcp.window), (0x10, 0, 0));
        Some((tcp.seq.0, tcp.ack.0, tcp.flags))
    }

    /// P-032: SYN at 1000: ack 1001; FIN and 3 bytes at 1000: ack 1004; with ACK: seq = SEG.ACK, flags exactly
    /// RST (P-010, P-033); RST: nothing.
    #[test]
    fn p032_closed() {
        let rst_ack = Flags::RST | Flags::ACK;
        assert_eq!(answer(1000, 0, Flags::SYN, 0), Some((0, 1001, rst_ack)));
        assert_eq!(answer(1000, 0, Flags::FIN, 3), Some((0, 1004, rst_ack)));
        assert_eq!(answer(u32::MAX, 0, Flags::SYN, 0), Some((0, 0, rst_ack)));
        assert_eq!(answer(1000, 77, Flags::SYN | Flags::ACK, 0), Some((77, 0, Flags::RST)));
        assert_eq!(answer(1000, 77, Flags::ACK | Flags::PSH, 10), Some((77, 0, Flags::RST)));
        assert_eq!(answer(1000, 77, Flags::RST, 0), None);
        assert_eq!(answer(1000, 77, rst_ack, 0), None);
    }

    /// RFC 9293 3.9.2.3: nothing is ever said to a group.
    #[test]
    fn groups_get_no_answer() {
        let segment = TcpHeader { flags: Flags::SYN, ..TcpHeader::default() };
        for (local, remote) in [
            ("224.0.0.1:80", "10.0.0.2:4000"),
            ("10.0.0.1:80", "255.255.255.255:4000"),
            ("10.0.0.1:80", "0.0.0.0:4000"),
            ("[ff02::1]:80", "[2001:db8::2]:4000"),
        ] {
            let key = FlowKey::new(local.parse().unwrap(), remote.parse().unwrap());
            assert!(reset_for(&key, &segment, 0, PATH).is_none(), "{local} {remote}");
        }
    }
}
