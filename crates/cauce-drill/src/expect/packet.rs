//! A live packet against the script's: every field that the script states, and those that it always means.

use cauce_wire::Ecn as WireEcn;

use super::Difference;
use crate::ast::{Ecn, IpFields, OptionList, Packet, TcpOption, TcpPacket};
use crate::packet::{Live, option_text};

/// What is checked beyond the packet's text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub ipv6: bool,
    /// Also checksums and timestamp echoes.
    pub strict: bool,
    /// What TSval must be and how far from it it may be, in ticks, when it is checked.
    pub expected_val: Option<(u32, u32)>,
    /// The live sequence number in the script's space.
    pub seq: u32,
}

/// The fields in which `live` is not as `packet` says.
pub(crate) fn differences(packet: &Packet, tcp: &TcpPacket, live: &Live, rules: &Rules) -> Vec<Difference> {
    let mut found = Vec::new();
    ip(&packet.ip, live, rules, &mut found);
    let mut field = |name: &str, expected: u32, actual: u32| {
        if expected != actual {
            found.push(Difference::new(name, expected, actual));
        }
    };
    field("seq", tcp.seq, rules.seq);
    field("length", u32::from(tcp.len), live.len as u32);
    field("ack", tcp.ack.as_ref().map_or(0, |ack| ack.value), live.ack);
    field("urg", tcp.urgent.as_ref().map_or(0, |urgent| u32::from(urgent.value)), u32::from(live.urgent));
    field("reserved bits", 0, u32::from(live.reserved));
    if let Some(window) = &tcp.window {
        field("win", u32::from(window.value), u32::from(live.window));
    }
    if tcp.flags.value != live.flags {
        found.push(Difference::new("flags", tcp.flags.value, live.flags));
    }
    if let OptionList::These(options) = &tcp.options {
        let options: Vec<_> = options.iter().map(|option| &option.value).collect();
        self::options(&options, live, rules, &mut found);
    }
    if !live.zeros {
        found.push(Difference::new("payload", "all zero", "other bytes"));
    }
    if rules.strict && !live.checksum_right {
        found.push(Difference::new("checksum", "right", "wrong"));
    }
    found
}

fn ip(wanted: &IpFields, live: &Live, rules: &Rules, found: &mut Vec<Difference>) {
    if live.ip.src.is_ipv6() != rules.ipv6 {
        let name = |v6| if v6 { "IPv6" } else { "IPv4" };
        found.push(Difference::new("IP version", name(rules.ipv6), name(live.ip.src.is_ipv6())));
    }
    if let Some(ecn) = wanted.ecn {
        let actual = live.ip.ecn();
        let right = match ecn {
            Ecn::None => actual == WireEcn::NotEct,
            Ecn::Ect0 => actual == WireEcn::Ect0,
            Ecn::Ect1 => actual == WireEcn::Ect1,
            Ecn::Either => matches!(actual, WireEcn::Ect0 | WireEcn::Ect1),
            Ecn::Ce => actual == WireEcn::Ce,
        };
        if !right {
            found.push(Difference::new("ECN", format!("{ecn:?}"), format!("{actual:?}")));
        }
    }
    if let Some(tos) = wanted.tos
        && tos != live.ip.traffic_class
    {
        found.push(Difference::new("TOS", format!("{tos:#04x}"), format!("{:#04x}", live.ip.traffic_class)));
    }
    if let Some(ttl) = wanted.ttl
        && ttl != live.ip.hop_limit
    {
        found.push(Difference::new("TTL", ttl, live.ip.hop_limit));
    }
    if let Some(bit) = wanted.dont_fragment
        && bit != live.ip.dont_fragment
    {
        let name = |bit| if bit { "df" } else { "nodf" };
        found.push(Difference::new("DF", name(bit), name(live.ip.dont_fragment)));
    }
    if let Some(label) = wanted.flow_label
        && label != live.ip.flow_label
    {
        found.push(Difference::new(
            "flow label",
            format!("{label:#07x}"),
            format!("{:#07x}", live.ip.flow_label),
        ));
    }
}

/// Kind by kind in exact order, NOPs included; padding after the last one counts as `eol`.
fn options(wanted: &[&TcpOption], live: &Live, rules: &Rules, found: &mut Vec<Difference>) {
    let text = |option: Option<&TcpOption>| option.map_or_else(|| "nothing".to_owned(), option_text);
    for i in 0..wanted.len().max(live.options.len()) {
        let (expected, actual) = (wanted.get(i).copied(), live.options.get(i));
        let same = match (expected, actual) {
            (
                Some(TcpOption::Timestamps { ecr: wanted_ecr, .. }),
                Some(TcpOption::Timestamps { val, ecr }),
            ) => {
                if let Some((val_wanted, slack)) = rules.expected_val
                    && val_wanted.wrapping_sub(*val).cast_signed().unsigned_abs() > slack
                {
                    found.push(Difference::new("TS val", val_wanted, val));
                }
                !rules.strict || wanted_ecr == ecr
            }
            (Some(TcpOption::Md5(None)), Some(TcpOption::Md5(_))) => true,
            (Some(TcpOption::AccEcnCe(wanted)), Some(TcpOption::AccEcn(_, counters))) => {
                counters.get(1) == Some(wanted)
            }
            (expected, actual) => expected == actual,
        };
        if !same {
            found.push(Difference::new(&format!("option {}", i + 1), text(expected), text(actual)));
        }
    }
}
