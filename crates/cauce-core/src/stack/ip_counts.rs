//! Which counters a packet moves: those of the group `Ip` with the bytes and ECN fields of `IpExt`, or those of `Ip6`.
//!
//! As on Linux a packet that stands for several segments (receive offload, super-segments) is one packet of IP; its ECN
//! field counts for each of them.

use super::Stack;
use super::interfaces::NOWHERE;
use crate::batch::{Batch, Transmit};
use crate::counters::{Counter, Counters};
use cauce_wire::{Ecn, IpVersion};

/// The counters of one version of IP.
pub(super) struct IpCounters {
    pub(super) in_receives: Counter,
    pub(super) in_octets: Counter,
    pub(super) in_header_errors: Counter,
    pub(super) in_address_errors: Counter,
    pub(super) in_delivers: Counter,
    pub(super) out_requests: Counter,
    pub(super) out_transmits: Counter,
    pub(super) out_octets: Counter,
    pub(super) out_no_routes: Counter,
    pub(super) fragments: Counter,
    pub(super) reassembled: Counter,
    pub(super) not_reassembled: Counter,
    /// Of packets received: not capable, ECT(1), ECT(0), CE.
    ecn: [Counter; 4],
}

const V4: IpCounters = IpCounters {
    in_receives: Counter::IpInReceives,
    in_octets: Counter::InOctets,
    in_header_errors: Counter::IpInHdrErrors,
    in_address_errors: Counter::IpInAddrErrors,
    in_delivers: Counter::IpInDelivers,
    out_requests: Counter::IpOutRequests,
    out_transmits: Counter::IpOutTransmits,
    out_octets: Counter::OutOctets,
    out_no_routes: Counter::IpOutNoRoutes,
    fragments: Counter::IpReasmReqds,
    reassembled: Counter::IpReasmOKs,
    not_reassembled: Counter::IpReasmFails,
    ecn: [Counter::InNoECTPkts, Counter::InECT1Pkts, Counter::InECT0Pkts, Counter::InCEPkts],
};

const V6: IpCounters = IpCounters {
    in_receives: Counter::Ip6InReceives,
    in_octets: Counter::Ip6InOctets,
    in_header_errors: Counter::Ip6InHdrErrors,
    in_address_errors: Counter::Ip6InAddrErrors,
    in_delivers: Counter::Ip6InDelivers,
    out_requests: Counter::Ip6OutRequests,
    out_transmits: Counter::Ip6OutTransmits,
    out_octets: Counter::Ip6OutOctets,
    out_no_routes: Counter::Ip6OutNoRoutes,
    fragments: Counter::Ip6ReasmReqds,
    reassembled: Counter::Ip6ReasmOKs,
    not_reassembled: Counter::Ip6ReasmFails,
    ecn: [Counter::Ip6InNoECTPkts, Counter::Ip6InECT1Pkts, Counter::Ip6InECT0Pkts, Counter::Ip6InCEPkts],
};

impl IpCounters {
    pub(super) const fn of(version: IpVersion) -> &'static IpCounters {
        match version {
            IpVersion::V4 => &V4,
            IpVersion::V6 => &V6,
        }
    }

    /// Those of the version that the first byte of a packet tells; a packet that is none counts for version 4.
    pub(super) const fn of_packet(first: Option<&u8>) -> &'static IpCounters {
        match first {
            Some(byte) if *byte >> 4 == 6 => &V6,
            _ => &V4,
        }
    }

    pub(super) fn of_address(addr: &crate::addr::Addr) -> &'static IpCounters {
        if addr.is_v4() { &V4 } else { &V6 }
    }

    pub(super) fn of_mark(&self, mark: Ecn) -> Counter {
        self.ecn[mark as usize]
    }
}

/// The counters of the ICMP messages of one version of IP that concern TCP.
pub(super) struct IcmpCounters {
    pub(super) messages: Counter,
    pub(super) errors: Counter,
    /// By type.
    kinds: &'static [(u8, Counter)],
}

impl IcmpCounters {
    pub(super) const fn of(version: IpVersion) -> IcmpCounters {
        match version {
            IpVersion::V4 => IcmpCounters {
                messages: Counter::IcmpInMsgs,
                errors: Counter::IcmpInErrors,
                kinds: &[
                    (3, Counter::IcmpInDestUnreachs),
                    (4, Counter::IcmpInSrcQuenchs),
                    (11, Counter::IcmpInTimeExcds),
                    (12, Counter::IcmpInParmProbs),
                ],
            },
            IpVersion::V6 => IcmpCounters {
                messages: Counter::Icmp6InMsgs,
                errors: Counter::Icmp6InErrors,
                kinds: &[
                    (1, Counter::Icmp6InDestUnreachs),
                    (2, Counter::Icmp6InPktTooBigs),
                    (3, Counter::Icmp6InTimeExcds),
                    (4, Counter::Icmp6InParmProblems),
                ],
            },
        }
    }

    pub(super) fn of_kind(&self, icmp_type: u8) -> Option<Counter> {
        self.kinds.iter().find(|(kind, _)| *kind == icmp_type).map(|(_, counter)| *counter)
    }
}

/// Counts a packet of TCP that leaves.
fn count_sent(counters: &mut Counters, packet: &Transmit) {
    let ip = IpCounters::of_packet(packet.header.get(usize::from(packet.network_offset)));
    counters.add(ip.out_requests, 1);
    counters.add(ip.out_transmits, 1);
    counters.add(ip.out_octets, packet.len() as u64);
}

impl Stack {
    /// Counts the packets of TCP that were added to `out` behind its first `start`.
    pub(super) fn count_packets_sent(&mut self, start: usize, out: &Batch) {
        let sent = out.iter().skip(start).filter(|packet| packet.device != NOWHERE);
        sent.for_each(|packet| count_sent(&mut self.shared.counters, packet));
    }
}
