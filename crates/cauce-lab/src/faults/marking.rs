//! Congestion marks: ECN-capable packets get CE, as a router's queue would give them (RFC 3168).

use super::{Fault, Verdict};
use crate::rng::{LabRng, Probability};
use bytes::Bytes;
use cauce_core::time::Instant;
use cauce_wire::checksum::checksum;
use cauce_wire::{Ecn, IpHeader};

/// Marks each ECN-capable packet with one probability; all others pass.
#[derive(Clone, Debug)]
pub struct Marking {
    probability: Probability,
}

impl Marking {
    /// Marks packets with `probability`.
    pub fn new(probability: Probability) -> Self {
        Marking { probability }
    }
}

impl Fault for Marking {
    fn name(&self) -> &'static str {
        "marking"
    }

    fn judge(&mut self, _now: Instant, packet: &[u8], rng: &mut LabRng) -> Verdict {
        let capable =
            IpHeader::parse(packet, packet.len()).is_ok_and(|ip| matches!(ip.ecn(), Ecn::Ect0 | Ecn::Ect1));
        if capable && rng.chance(self.probability) { Verdict::Mark } else { Verdict::Pass }
    }
}

/// The packet with CE in its ECN field. One without an IP header stays as it is.
pub(super) fn mark(packet: &Bytes) -> Bytes {
    let mut copy = packet.to_vec();
    let Some(version) = copy.first().map(|byte| byte >> 4) else { return packet.clone() };
    // The field is the low bits of IPv4's second byte, and stands four bits further up in IPv6's.
    let bits = if version == 4 { 0x03 } else { 0x30 };
    if let Some(byte) = copy.get_mut(1) {
        *byte |= bits;
    }
    if version == 4 {
        let len = usize::from(copy.first().map_or(0, |byte| byte & 15)) * 4;
        if let Some(header) = copy.get_mut(..len).filter(|header| header.len() >= 20) {
            header[10..12].fill(0);
            let sum = checksum(header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
    }
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_wire::IpEmit;

    #[test]
    fn marks_what_is_capable_and_nothing_else() {
        for (src, dst) in [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")] {
            for (class, verdict) in
                [(0xa0, Verdict::Pass), (0xa1, Verdict::Mark), (0xa2, Verdict::Mark), (0xa3, Verdict::Pass)]
            {
                let ip = IpEmit {
                    src: src.parse().unwrap(),
                    dst: dst.parse().unwrap(),
                    protocol: 6,
                    hop_limit: 64,
                    traffic_class: class,
                    flow_label: 0,
                    identification: 0,
                    dont_fragment: true,
                    payload_len: 0,
                };
                let mut packet = vec![0; ip.len()];
                ip.emit(&mut packet);
                let judged =
                    Marking::new(Probability::ALWAYS).judge(Instant::ZERO, &packet, &mut LabRng::new(1, 0));
                assert_eq!(judged, verdict, "{class:#x}");
                let marked = mark(&packet.into());
                assert_eq!(IpHeader::parse(&marked, marked.len()).unwrap().traffic_class, 0xa3);
            }
        }
    }
}
