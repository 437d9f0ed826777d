//! Expected packets with one token changed.

use cauce_drill::ast::{
    Action, Direction, Ecn, Event, OptionList, Packet, Payload, Spanned, TcpOption, TcpPacket,
};
use cauce_wire::Flags;

use super::Mutant;

/// Which numbers of this packet define those of the script instead of being checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Firsts {
    /// No SYN was expected before.
    pub syn: bool,
    /// No timestamps were expected before.
    pub stamp: bool,
}

const FLAGS: [Flags; 9] = [
    Flags::SYN,
    Flags::FIN,
    Flags::RST,
    Flags::PSH,
    Flags::ACK,
    Flags::URG,
    Flags::ECE,
    Flags::CWR,
    Flags::AE,
];

pub(crate) fn has_timestamps(tcp: &TcpPacket) -> bool {
    let OptionList::These(options) = &tcp.options else { return false };
    options.iter().any(|option| matches!(option.value, TcpOption::Timestamps { .. }))
}

/// All mutants of an expected packet.
pub(crate) fn mutants(event: &Event, packet: &Packet, firsts: Firsts) -> Vec<Mutant> {
    assert_eq!(packet.direction, Direction::Out, "what is injected is no expectation");
    let Payload::Tcp(tcp) = &packet.payload else { return Vec::new() };
    let mut all = Vec::new();
    let mut with = |class, what: String, change: &dyn Fn(&mut Packet, &mut TcpPacket)| {
        let (mut packet, mut tcp) = (packet.clone(), tcp.clone());
        change(&mut packet, &mut tcp);
        packet.payload = Payload::Tcp(tcp);
        all.push(Mutant::new(class, what, event, Action::Packet(packet)));
    };
    for flag in FLAGS {
        let flipped = Flags(tcp.flags.value.0 ^ flag.0);
        with("flags", format!("flags {} to {flipped}", tcp.flags.value), &|_, tcp| tcp.flags.value = flipped);
    }
    let defines = firsts.syn && tcp.flags.value.contains(Flags::SYN);
    let class = if defines { "initial sequence number" } else { "seq" };
    for step in [1, u32::MAX] {
        let seq = tcp.seq.wrapping_add(step);
        with(class, format!("seq {} to {seq}", tcp.seq), &|_, tcp| tcp.seq = seq);
    }
    for len in [Some(tcp.len + 1), tcp.len.checked_sub(1)].into_iter().flatten() {
        with("length", format!("length {} to {len}", tcp.len), &|_, tcp| tcp.len = len);
    }
    if let Some(ack) = &tcp.ack {
        if ack.value != 0 {
            with("ack", format!("ack {} left out", ack.value), &|_, tcp| tcp.ack = None);
        }
        for step in [1, u32::MAX] {
            let value = ack.value.wrapping_add(step);
            with("ack", format!("ack {} to {value}", ack.value), &|_, tcp| {
                tcp.ack = Some(Spanned { value, span: ack.span.clone() });
            });
        }
    }
    if let Some(window) = &tcp.window {
        let value = window.value.wrapping_add(1);
        with("win", format!("win {} to {value}", window.value), &|_, tcp| {
            tcp.window = Some(Spanned { value, span: window.span.clone() });
        });
    }
    if let Some(urgent) = &tcp.urgent {
        let value = urgent.value.wrapping_add(1);
        with("urg", format!("urg {} to {value}", urgent.value), &|_, tcp| {
            tcp.urgent = Some(Spanned { value, span: urgent.span.clone() });
        });
    }
    ip(packet, &mut with);
    if let OptionList::These(options) = &tcp.options {
        self::options(options, firsts.stamp, &mut with);
    }
    all
}

type With<'w> = &'w mut dyn FnMut(&'static str, String, &dyn Fn(&mut Packet, &mut TcpPacket));

fn ip(packet: &Packet, with: With<'_>) {
    if let Some(ecn) = packet.ip.ecn {
        for other in [Ecn::None, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
            let same = other == ecn || ecn == Ecn::Either && matches!(other, Ecn::Ect0 | Ecn::Ect1);
            if !same {
                with("ECN word", format!("{ecn:?} to {other:?}"), &|packet, _| packet.ip.ecn = Some(other));
            }
        }
    }
    if let Some(tos) = packet.ip.tos {
        with("IP numbers", format!("tos {tos} to {}", tos ^ 4), &|packet, _| packet.ip.tos = Some(tos ^ 4));
    }
    if let Some(ttl) = packet.ip.ttl {
        let other = ttl.wrapping_add(1);
        with("IP numbers", format!("ttl {ttl} to {other}"), &|packet, _| packet.ip.ttl = Some(other));
    }
    if let Some(bit) = packet.ip.dont_fragment {
        with("IP numbers", format!("DF {bit} to {}", !bit), &|packet, _| {
            packet.ip.dont_fragment = Some(!bit);
        });
    }
    if let Some(label) = packet.ip.flow_label {
        let other = label ^ 1;
        with("IP numbers", format!("flow label {label} to {other}"), &|packet, _| {
            packet.ip.flow_label = Some(other);
        });
    }
}

fn options(options: &[Spanned<TcpOption>], first_stamp: bool, with: With<'_>) {
    let mut list = |class, what, change: &dyn Fn(&mut Vec<Spanned<TcpOption>>)| {
        with(class, what, &|_, tcp| {
            if let OptionList::These(options) = &mut tcp.options {
                change(options);
            }
        });
    };
    for (index, option) in options.iter().enumerate() {
        let name = format!("option {} ({:?})", index + 1, option.value);
        list("option", format!("{name} left out"), &|options| {
            options.remove(index);
        });
        let kind = if option.value == TcpOption::Nop { TcpOption::Eol } else { TcpOption::Nop };
        list("option", format!("{name} to {kind:?}"), &|options| options[index].value = kind.clone());
        if options.get(index + 1).is_some_and(|next| next.value != option.value) {
            list("option", format!("{name} after the next"), &|options| options.swap(index, index + 1));
        }
        for (class, other) in numbers(&option.value, first_stamp) {
            list(class, format!("{name} to {other:?}"), &|options| options[index].value = other.clone());
        }
    }
    list("option", "one more NOP".to_owned(), &|options| {
        options.push(Spanned { value: TcpOption::Nop, span: 0..0 });
    });
}

/// The option with each of its numbers changed.
fn numbers(option: &TcpOption, first_stamp: bool) -> Vec<(&'static str, TcpOption)> {
    let number = |option| ("option number", option);
    match option {
        TcpOption::Mss(mss) => vec![number(TcpOption::Mss(mss.wrapping_add(1)))],
        TcpOption::WindowScale(scale) => vec![number(TcpOption::WindowScale(scale.wrapping_add(1)))],
        TcpOption::Sack(blocks) => {
            let mut all = Vec::new();
            for index in 0..blocks.len() {
                for (left, right) in [(1, 0), (0, 1)] {
                    let mut changed = blocks.clone();
                    changed[index].0 = changed[index].0.wrapping_add(left);
                    changed[index].1 = changed[index].1.wrapping_add(right);
                    all.push(number(TcpOption::Sack(changed)));
                }
            }
            let mut fewer = blocks.clone();
            fewer.pop();
            all.push(number(TcpOption::Sack(fewer)));
            all
        }
        TcpOption::Timestamps { val, ecr } => {
            let class = if first_stamp { "first TSval" } else { "TSval" };
            vec![
                (class, TcpOption::Timestamps { val: val.wrapping_add(1), ecr: *ecr }),
                (class, TcpOption::Timestamps { val: val.wrapping_sub(1), ecr: *ecr }),
                ("TSecr", TcpOption::Timestamps { val: *val, ecr: ecr.wrapping_add(1) }),
            ]
        }
        TcpOption::FastOpen { experimental, cookie } => {
            let mut all =
                vec![number(TcpOption::FastOpen { experimental: !experimental, cookie: cookie.clone() })];
            let mut changed = cookie.clone();
            if let Some(last) = changed.last_mut() {
                *last ^= 1;
            } else {
                changed.push(0);
            }
            all.push(number(TcpOption::FastOpen { experimental: *experimental, cookie: changed }));
            all
        }
        TcpOption::Md5(Some(digest)) => {
            let mut changed = *digest;
            changed[15] ^= 1;
            vec![number(TcpOption::Md5(Some(changed)))]
        }
        TcpOption::AccEcn(order, counters) => (0..counters.len())
            .map(|index| {
                let mut changed = counters.clone();
                changed[index] = changed[index].wrapping_add(1) & 0xff_ffff;
                number(TcpOption::AccEcn(*order, changed))
            })
            .collect(),
        TcpOption::AccEcnCe(counter) => {
            vec![number(TcpOption::AccEcnCe(counter.wrapping_add(1) & 0xff_ffff))]
        }
        TcpOption::Nop | TcpOption::Eol | TcpOption::SackPermitted | TcpOption::Md5(None) => Vec::new(),
        TcpOption::Other(..) => Vec::new(),
    }
}
