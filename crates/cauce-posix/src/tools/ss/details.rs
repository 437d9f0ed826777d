//! What `ss -o`, `-e`, `-m` and `-i` add to a socket.

use std::fmt::Write;

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::listing::{Details, Listed, MemoryUse, ShownTimer};
use cauce_core::time::Instant;

use crate::proc::{inode, timer_number};

/// A slow-start threshold that has never been set.
const INFINITE: u32 = 0x7fff_ffff;
/// The degree of reordering that every connection starts with.
const USUAL_REORDERING: u32 = 3;

/// `timer:(NAME,TIME,RETRIES)`.
pub(super) fn timer(listed: &Listed, timer: ShownTimer, now: Instant) -> String {
    let (name, count) = match timer_number(timer.kind) {
        1 => ("on", listed.retransmits),
        2 => ("keepalive", listed.probes),
        3 => ("timewait", listed.retransmits),
        _ => ("persist", listed.probes),
    };
    let millis = timer.at.since(now).as_millis() as u64;
    format!("timer:({name},{},{count})", span(millis))
}

/// A span as `ss` writes it: the larger the unit, the less of the smaller ones.
fn span(millis: u64) -> String {
    let (minutes, seconds, millis) = (millis / 60_000, millis / 1000 % 60, millis % 1000);
    let mut text = String::new();
    if minutes > 0 {
        let _ = write!(text, "{minutes}min");
        if minutes > 9 || seconds == 0 {
            return text;
        }
        let _ = write!(text, "{seconds}sec");
        return text;
    }
    match (seconds, millis) {
        (0, _) => format!("{millis}ms"),
        (1..=9, 1..) => format!("{seconds}.{millis:03}ms"),
        _ => format!("{seconds}sec"),
    }
}

/// Who has it, and which directions are open.
pub(super) fn extended(listed: &Listed) -> String {
    let mut text = format!("ino:{} sk:{:x}", inode(listed), listed.cookie);
    if listed.mark != 0 {
        let _ = write!(text, " fwmark:{:#x}", listed.mark);
    }
    if listed.state == State::Listen && listed.family == Family::V6 {
        let _ = write!(text, " v6only:{}", u8::from(listed.v6_only));
    }
    if listed.details.is_some() {
        let left = if listed.shutdown & 1 == 0 { '<' } else { '-' };
        let right = if listed.shutdown & 2 == 0 { '>' } else { '-' };
        let _ = write!(text, " {left}-{right}");
    }
    text
}

/// What leaves with each packet. C's `%#x` writes a bare 0.
pub(super) fn tos(family: Family, details: &Details) -> String {
    let hex = |value: u32| if value == 0 { "0".to_owned() } else { format!("{value:#x}") };
    let class = match family {
        Family::V4 => String::new(),
        Family::V6 => format!(" tclass:{}", hex(details.traffic_class.into())),
    };
    format!("tos:{}{class} class_id:{}", hex(details.tos.into()), hex(details.priority))
}

/// Linux takes memory for queues from the common account in pages.
const PAGE: u32 = 4096;

/// ` skmem:(…)`. What is below the socket, in options and in the backlog does not exist here and is 0.
pub(super) fn memory(memory: &MemoryUse) -> String {
    let MemoryUse { receive, receive_limit, send, send_limit } = memory;
    let used = receive.saturating_add(*send);
    let ahead = used.checked_next_multiple_of(PAGE).map_or(0, |pages| pages - used);
    format!(" skmem:(r{receive},rb{receive_limit},t0,tb{send_limit},f{ahead},w{send},o0,bl0,d0)")
}

/// TCP_INFO in the words of `ss`, what is 0 left out; what the SYNs agreed on only where `-o` asks for it.
pub(super) fn info(state: State, details: &Details, agreed: bool) -> String {
    let info = &details.info;
    let mut text = String::new();
    let mut put = |part: String| {
        text.push(' ');
        text.push_str(&part);
    };
    for (bit, name) in [(1, "ts"), (2, "sack"), (8, "ecn"), (16, "ecnseen")] {
        if agreed && info.options & bit != 0 {
            put(name.to_owned());
        }
    }
    put(details.algorithm.clone());
    if info.options & 4 != 0 {
        put(format!("wscale:{},{}", info.snd_wscale, info.rcv_wscale));
    }
    let millis = |micros: u32| general(f64::from(micros) / 1000.0);
    if info.rto > 0 {
        put(format!("rto:{}", millis(info.rto)));
    }
    count(&mut put, "backoff", u64::from(info.backoff));
    if info.rtt > 0 {
        put(format!("rtt:{}/{}", millis(info.rtt), millis(info.rttvar)));
    }
    if info.ato > 0 {
        put(format!("ato:{}", millis(info.ato)));
    }
    for (name, value) in [
        ("mss", info.snd_mss),
        ("pmtu", info.pmtu),
        ("rcvmss", info.rcv_mss),
        ("advmss", info.advmss),
        ("cwnd", info.snd_cwnd),
        ("ssthresh", if info.snd_ssthresh < INFINITE { info.snd_ssthresh } else { 0 }),
    ] {
        count(&mut put, name, u64::from(value));
    }
    for (name, value) in [
        ("bytes_sent", info.bytes_sent),
        ("bytes_retrans", info.bytes_retrans),
        ("bytes_acked", info.bytes_acked),
        ("bytes_received", info.bytes_received),
        ("segs_out", u64::from(info.segs_out)),
        ("segs_in", u64::from(info.segs_in)),
        ("data_segs_out", u64::from(info.data_segs_out)),
        ("data_segs_in", u64::from(info.data_segs_in)),
    ] {
        count(&mut put, name, value);
    }
    rates(&mut put, state, details);
    losses(&mut put, state, details);
    if info.rcv_rtt > 0 {
        put(format!("rcv_rtt:{}", millis(info.rcv_rtt)));
    }
    for (name, value) in
        [("rcv_space", info.rcv_space), ("rcv_ssthresh", info.rcv_ssthresh), ("notsent", info.notsent_bytes)]
    {
        count(&mut put, name, u64::from(value));
    }
    if info.min_rtt > 0 && info.min_rtt < u32::MAX && state != State::Listen {
        put(format!("minrtt:{}", millis(info.min_rtt)));
    }
    for (name, value) in
        [("rcv_ooopack", info.rcv_ooopack), ("snd_wnd", info.snd_wnd), ("rcv_wnd", info.rcv_wnd)]
    {
        count(&mut put, name, u64::from(value));
    }
    text
}

/// Rates, times and what holds the sender back.
fn rates(put: &mut dyn FnMut(String), state: State, details: &Details) {
    let info = &details.info;
    if info.rtt > 0 && info.snd_mss > 0 && info.snd_cwnd > 0 {
        let bits = f64::from(info.snd_cwnd) * f64::from(info.snd_mss) * 8.0;
        put(format!("send {:.0}bps", bits * 1e6 / f64::from(info.rtt)));
    }
    if state != State::Listen {
        count(put, "lastsnd", u64::from(info.last_data_sent));
        count(put, "lastrcv", u64::from(info.last_data_recv));
        count(put, "lastack", u64::from(info.last_ack_recv));
    }
    let bits = |bytes: u64| u128::from(bytes) * 8;
    if info.pacing_rate > 0 && info.pacing_rate < u64::MAX {
        let limit = match info.max_pacing_rate {
            0 | u64::MAX => String::new(),
            most => format!("/{}bps", bits(most)),
        };
        put(format!("pacing_rate {}bps{limit}", bits(info.pacing_rate)));
    }
    if info.delivery_rate > 0 {
        put(format!("delivery_rate {}bps", bits(info.delivery_rate)));
    }
    count(put, "delivered", u64::from(info.delivered));
    count(put, "delivered_ce", u64::from(info.delivered_ce));
    if details.app_limited {
        put("app_limited".to_owned());
    }
    if info.busy_time > 0 {
        put(format!("busy:{}ms", info.busy_time / 1000));
        for (name, micros) in [("rwnd_limited", info.rwnd_limited), ("sndbuf_limited", info.sndbuf_limited)] {
            if micros > 0 {
                let share = 100.0 * micros as f64 / info.busy_time as f64;
                put(format!("{name}:{}ms({share:.1}%)", micros / 1000));
            }
        }
    }
}

fn losses(put: &mut dyn FnMut(String), state: State, details: &Details) {
    let info = &details.info;
    count(put, "unacked", u64::from(info.unacked));
    if info.retrans > 0 || info.total_retrans > 0 {
        put(format!("retrans:{}/{}", info.retrans, info.total_retrans));
    }
    count(put, "lost", u64::from(info.lost));
    if state != State::Listen {
        count(put, "sacked", u64::from(info.sacked));
    }
    count(put, "dsack_dups", u64::from(info.dsack_dups));
    if info.reordering != USUAL_REORDERING {
        count(put, "reordering", u64::from(info.reordering));
    }
    count(put, "reord_seen", u64::from(info.reord_seen));
}

fn count(put: &mut dyn FnMut(String), name: &str, value: u64) {
    if value > 0 {
        put(format!("{name}:{value}"));
    }
}

/// A number as C's `%g` writes it where no exponent is needed: six digits, no zeros at the end.
fn general(value: f64) -> String {
    let before = if value >= 1.0 { value.log10().floor() as usize + 1 } else { 1 };
    let text = format!("{value:.*}", 6usize.saturating_sub(before));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_as_the_real_one() {
        for (value, text) in
            [(0.012, "0.012"), (200.0, "200"), (5.425, "5.425"), (1234.5678, "1234.57"), (0.0, "0")]
        {
            assert_eq!(general(value), text);
        }
        for (millis, text) in [
            (200, "200ms"),
            (1234, "1.234ms"),
            (59_700, "59sec"),
            (7_199_870, "119min"),
            (90_000, "1min30sec"),
        ] {
            assert_eq!(span(millis), text);
        }
    }
}
