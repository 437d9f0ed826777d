//! Neighbour discovery (RFC 4861): solicitations and advertisements, which are IPv6's ARP. Routers and
//! redirects are not read: a stack's routes are configured.

use core::net::{IpAddr, Ipv6Addr};

use crate::bytes::{array, u8_at};
use crate::checksum::pseudo_header;
use crate::ethernet::Mac;
use crate::icmp::{HEADER_LEN as ICMP_HEADER_LEN, emit_v6};
use crate::{WireError, protocol};

/// ICMPv6 type of a neighbour solicitation.
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
/// ICMPv6 type of a neighbour advertisement.
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Length of either message with a hardware address.
pub const NDP_LEN: usize = 32;
/// The hop limit that shows that a message has not been forwarded; send with it.
pub const NDP_HOP_LIMIT: u8 = 255;

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A message of neighbour discovery.
///
/// ```
/// use cauce_wire::ndp::{NdpMessage, solicited_node};
///
/// let (us, them) = ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());
/// let ask = NdpMessage::Solicitation { target: them, source_mac: Some([2, 0, 0, 0, 0, 1]) };
/// let mut bytes = [0; 32];
/// let len = ask.emit(us, solicited_node(them), &mut bytes);
/// assert_eq!(NdpMessage::parse(&bytes[..len], us, solicited_node(them), 255), Ok(Some(ask)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NdpMessage {
    /// Who has `target`?
    Solicitation {
        /// The address asked for.
        target: Ipv6Addr,
        /// Hardware address of the one who asks; absent while it checks for a duplicate address.
        source_mac: Option<Mac>,
    },
    /// `target` is at `target_mac`.
    Advertisement {
        /// The address that is announced.
        target: Ipv6Addr,
        /// Its hardware address; may be absent in the answer to a unicast solicitation.
        target_mac: Option<Mac>,
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces what is known.
        overrides: bool,
    },
}

impl NdpMessage {
    /// Reads an ICMPv6 message (from the ICMP header on, whole); `None` when it is of another type.
    ///
    /// # Errors
    /// What RFC 4861 7.1 says must be discarded: a hop limit other than 255, a wrong checksum or code, a
    /// multicast target, an option of length 0, and contradictions between addresses and contents.
    pub fn parse(
        message: &[u8],
        src: Ipv6Addr,
        dst: Ipv6Addr,
        hop_limit: u8,
    ) -> Result<Option<NdpMessage>, WireError> {
        let icmp_type = u8_at(message, 0, "ICMPv6 type")?;
        if icmp_type != NEIGHBOUR_SOLICITATION && icmp_type != NEIGHBOUR_ADVERTISEMENT {
            return Ok(None);
        }
        let [_, code, c0, c1, flags, ..] = array::<ICMP_HEADER_LEN>(message, 0, "NDP header")?;
        let target = Ipv6Addr::from(array::<16>(message, ICMP_HEADER_LEN, "NDP target")?);
        let mut sum = pseudo_header(IpAddr::V6(src), IpAddr::V6(dst), protocol::ICMPV6, message.len());
        sum.add_bytes(message);
        if sum.finish() != 0 {
            return Err(WireError::Checksum {
                field: "ICMPv6 checksum",
                found: u16::from_be_bytes([c0, c1]),
            });
        }
        require("NDP hop limit", hop_limit, hop_limit == NDP_HOP_LIMIT)?;
        require("NDP code", code, code == 0)?;
        require("NDP target", target.octets()[0], !target.is_multicast())?;
        let options = message.get(ICMP_HEADER_LEN + 16..).unwrap_or(&[]);
        let message = if icmp_type == NEIGHBOUR_SOLICITATION {
            let source_mac = link_layer_option(options, SOURCE_LINK_LAYER)?;
            let duplicate_check_is_sane = source_mac.is_none() && is_solicited_node(dst);
            require("NDP source of a solicitation", 0, !src.is_unspecified() || duplicate_check_is_sane)?;
            NdpMessage::Solicitation { target, source_mac }
        } else {
            require("NDP solicited flag to multicast", flags, flags & SOLICITED == 0 || !dst.is_multicast())?;
            NdpMessage::Advertisement {
                target,
                target_mac: link_layer_option(options, TARGET_LINK_LAYER)?,
                router: flags & ROUTER != 0,
                solicited: flags & SOLICITED != 0,
                overrides: flags & OVERRIDE != 0,
            }
        };
        Ok(Some(message))
    }

    /// Writes the ICMPv6 message from `src` to `dst` with its checksum and returns its length: 24, or 32 with a
    /// hardware address. Writes nothing and returns 0 when `out` is too short. The IP header must have
    /// [`NDP_HOP_LIMIT`].
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, out: &mut [u8]) -> usize {
        let (icmp_type, flags, target, option, mac) = match *self {
            NdpMessage::Solicitation { target, source_mac } => {
                (NEIGHBOUR_SOLICITATION, 0, target, SOURCE_LINK_LAYER, source_mac)
            }
            NdpMessage::Advertisement { target, target_mac, router, solicited, overrides } => {
                let set = |on: bool, flag: u8| if on { flag } else { 0 };
                let flags = set(router, ROUTER) | set(solicited, SOLICITED) | set(overrides, OVERRIDE);
                (NEIGHBOUR_ADVERTISEMENT, flags, target, TARGET_LINK_LAYER, target_mac)
            }
        };
        let mut body = [0; NDP_LEN - ICMP_HEADER_LEN];
        body[..16].copy_from_slice(&target.octets());
        body[16..18].copy_from_slice(&[option, 1]);
        body[18..].copy_from_slice(&mac.unwrap_or_default());
        let body = if mac.is_some() { &body[..] } else { &body[..16] };
        emit_v6(IpAddr::V6(src), IpAddr::V6(dst), icmp_type, 0, u32::from(flags) << 24, body, out)
    }
}

fn require(field: &'static str, value: u8, holds: bool) -> Result<(), WireError> {
    if holds { Ok(()) } else { Err(WireError::Invalid { field, value: u32::from(value) }) }
}

/// The Ethernet address in the option `wanted`; other options are skipped.
fn link_layer_option(options: &[u8], wanted: u8) -> Result<Option<Mac>, WireError> {
    let (mut rest, mut found) = (options, None);
    while let [kind, len, ..] = *rest {
        let len = usize::from(len) * 8;
        if len == 0 {
            return Err(WireError::Invalid { field: "NDP option length", value: 0 });
        }
        let option = rest.get(..len).ok_or(WireError::Truncated {
            field: "NDP option",
            needed: len,
            given: rest.len(),
        })?;
        if kind == wanted && len == 8 {
            found = Some(array(option, 2, "NDP link-layer address")?);
        }
        rest = rest.get(len..).unwrap_or(&[]);
    }
    Ok(found)
}

/// The solicited-node multicast address of `address` (RFC 4291 2.7.1), where solicitations for it go.
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

fn is_solicited_node(address: Ipv6Addr) -> bool {
    solicited_node(address) == address
}

/// The Ethernet address that frames to the multicast address `group` carry (RFC 2464 7).
pub fn multicast_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const US: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const THEM: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x12, 0x3456);
    const MAC: Mac = [2, 0, 0, 0, 0, 1];

    fn round(message: NdpMessage, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Option<NdpMessage>, WireError> {
        let mut bytes = [0; NDP_LEN];
        let len = message.emit(src, dst, &mut bytes);
        NdpMessage::parse(&bytes[..len], src, dst, 255)
    }

    fn advertisement(solicited: bool) -> NdpMessage {
        NdpMessage::Advertisement {
            target: US,
            target_mac: Some(MAC),
            router: false,
            solicited,
            overrides: true,
        }
    }

    #[test]
    fn addresses() {
        let group = solicited_node(THEM);
        assert_eq!(group, "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
        assert_eq!(multicast_mac(group), [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
    }

    #[test]
    fn messages_round_trip() {
        let probe = NdpMessage::Solicitation { target: US, source_mac: None };
        assert_eq!(round(probe, Ipv6Addr::UNSPECIFIED, solicited_node(US)), Ok(Some(probe)));
        assert_eq!(round(advertisement(true), THEM, US), Ok(Some(advertisement(true))));
        assert_eq!(advertisement(true).emit(US, THEM, &mut [0; 31]), 0);
    }

    #[test]
    fn what_must_be_discarded() {
        let ask = NdpMessage::Solicitation { target: US, source_mac: Some(MAC) };
        assert!(round(ask, Ipv6Addr::UNSPECIFIED, solicited_node(US)).is_err());
        assert!(round(advertisement(true), THEM, solicited_node(US)).is_err());
        assert!(
            round(NdpMessage::Solicitation { target: solicited_node(US), source_mac: None }, US, THEM)
                .is_err()
        );
        let mut bytes = [0; NDP_LEN];
        ask.emit(THEM, US, &mut bytes);
        assert!(NdpMessage::parse(&bytes, THEM, US, 254).is_err());
        assert!(NdpMessage::parse(&bytes[..24], THEM, US, 255).is_err());
        assert_eq!(NdpMessage::parse(&[128, 0], THEM, US, 64), Ok(None));
        let mut empty_option = [0; NDP_LEN];
        let len = emit_v6(THEM.into(), US.into(), NEIGHBOUR_SOLICITATION, 0, 0, &[0; 24], &mut empty_option);
        assert_eq!(
            NdpMessage::parse(&empty_option[..len], THEM, US, 255),
            Err(WireError::Invalid { field: "NDP option length", value: 0 })
        );
    }

    proptest! {
        #[test]
        fn parse_never_panics(solicitation: bool, body in proptest::collection::vec(0u8..4, 0..60)) {
            let mut bytes = [0; 80];
            let icmp_type = if solicitation { NEIGHBOUR_SOLICITATION } else { NEIGHBOUR_ADVERTISEMENT };
            let len = emit_v6(THEM.into(), US.into(), icmp_type, 0, 0, &body, &mut bytes);
            let _ = NdpMessage::parse(&bytes[..len], THEM, US, 255);
        }
    }
}
