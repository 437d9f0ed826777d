//! Which way packets take where a network spreads flows over several paths: the flow label of IPv6 (RFC 6437), and
//! another one when a time-out says that this way may be broken (SO_TXREHASH, `net.core.txrehash`, O-44).
//!
//! A label is made of a seed of 16 bits that nobody outside can guess. Over IPv4 there is no label; time-outs count all
//! the same (`tcpi_rehash`, `TcpTimeoutRehash`), as on Linux, where other layers look at the hash.

use super::Connection;
use crate::context::Context;
use crate::counters::Counter;
use crate::socket::options::flag as option;
use crate::sysctl::Sysctls;

/// The flow label that `seed` stands for; 0 where `net.ipv6.auto_flowlabels` wants none.
pub(crate) fn flow_label(seed: u16, sysctl: &Sysctls) -> u32 {
    match sysctl.ipv6_auto_flowlabels {
        1 | 3 => (u32::from(seed) + 1).wrapping_mul(0x9e37_79b1) >> 12,
        _ => 0,
    }
}

impl Connection {
    /// The flow label of this connection's packets.
    pub(crate) fn flow_label(&self, sysctl: &Sysctls) -> u32 {
        if self.key.is_v4() { 0 } else { flow_label(self.ip_id, sysctl) }
    }

    /// A time-out: packets take another way from now on, unless the socket forbids it.
    pub(super) fn rehash(&mut self, cx: &mut Context<'_>) {
        if self.options.has(option::NO_REHASH) {
            let rare = self.rare_mut();
            rare.not_rehashed = rare.not_rehashed.saturating_add(1);
            return;
        }
        cx.count(Counter::TcpTimeoutRehash);
        if !self.key.is_v4() {
            // Never the same one again.
            let step = cx.rng.next_u64() as u16 | 1;
            self.ip_id = self.ip_id.wrapping_add(step);
        }
    }

    /// How often it did: `tcpi_rehash`.
    pub(crate) fn rehashes(&self) -> u32 {
        let without = self.rare.as_ref().map_or(0, |rare| rare.not_rehashed);
        u32::from(self.recovery.rto_totals().0.saturating_sub(without))
    }
}
