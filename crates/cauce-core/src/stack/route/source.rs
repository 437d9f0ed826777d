//! The source address for a destination: the rules of RFC 6724 section 5 that matter to a host with
//! configured addresses.

use super::LocalAddress;
use super::prefix::common_bits;
use crate::addr::Addr;
use crate::frame::DeviceId;
use core::net::IpAddr;

/// The address to send from: of the destination's family, of a scope that reaches it (rule 2), on the device
/// that the packets leave by (rule 5), sharing the longest prefix (rule 8) with the next hop (IPv4) or the
/// destination (IPv6); of equals the first one configured.
pub(super) fn select(
    addresses: &[LocalAddress],
    dst: &Addr,
    next_hop: &Addr,
    device: DeviceId,
) -> Option<Addr> {
    let reference = if dst.is_v4() { next_hop } else { dst };
    let wanted = scope(dst);
    let rank = |own: &LocalAddress| {
        let own_scope = scope(&own.addr);
        // The smallest scope that is large enough; if none is, the largest.
        let suits = if own_scope >= wanted { (1, -own_scope) } else { (0, own_scope) };
        let shared = common_bits(&own.addr, reference).min(own.prefix.bits());
        (suits, own.device == device, shared)
    };
    let same_family = addresses.iter().filter(|own| own.addr.is_v4() == dst.is_v4());
    same_family
        .fold(None, |best: Option<&LocalAddress>, own| match best {
            Some(best) if rank(best) >= rank(own) => Some(best),
            _ => Some(own),
        })
        .map(|own| own.addr)
}

/// How far an address reaches, on the scale of RFC 6724 3.1.
fn scope(addr: &Addr) -> i8 {
    const LINK: i8 = 2;
    const SITE: i8 = 5;
    const GLOBAL: i8 = 14;
    match addr.ip() {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => LINK,
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => LINK,
        IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0 => SITE,
        _ => GLOBAL,
    }
}
