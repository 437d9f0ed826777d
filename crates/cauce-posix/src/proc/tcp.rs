//! `/proc/net/tcp` and `/proc/net/tcp6`: a line for each listener, connection, half-open connection and TIME-WAIT.
//!
//! Addresses are hexadecimal in the byte order of this machine, as Linux writes them. Times are in hundredths of a
//! second. Where Linux shows the address of a kernel object, a number stands that is the entry's own.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::connection::timers::TimerKind;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::{Listed, ShownTimer};
use cauce_core::time::Instant;

const HEADER_V4: &str =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const HEADER_V6: &str = "  sl  local_address                         remote_address                        \
                         st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
/// Every line of the IPv4 file is as long as this, its newline not counted.
const WIDTH_V4: usize = 149;
/// A slow-start threshold that has never been set.
const INFINITE: u32 = 0x7fff_ffff;

/// `/proc/net/tcp`.
pub fn tcp(stack: &Stack, now: Instant) -> String {
    let mut text = format!("{HEADER_V4:WIDTH_V4$}\n");
    let of_family = stack.listing(now).filter(|listed| listed.family == Family::V4);
    for (index, listed) in of_family.enumerate() {
        let _ = writeln!(text, "{:WIDTH_V4$}", line(index, &listed, now));
    }
    text
}

/// `/proc/net/tcp6`.
pub fn tcp6(stack: &Stack, now: Instant) -> String {
    let mut text = format!("{HEADER_V6}\n");
    let of_family = stack.listing(now).filter(|listed| listed.family == Family::V6);
    for (index, listed) in of_family.enumerate() {
        let _ = writeln!(text, "{}", line(index, &listed, now));
    }
    text
}

fn line(index: usize, listed: &Listed, now: Instant) -> String {
    let (timer, when) = timer_of(listed.timer, now);
    let waiting = if listed.state == State::Listen { 0 } else { listed.send_queue };
    let inode = inode(listed);
    // Somebody who owns it, its timer, and the table that it stands in, each hold on to it.
    let holders = 1 + u8::from(listed.owned) + u8::from(listed.timer.is_some());
    let mut text = format!(
        "{index:4}: {} {} {:02X} {waiting:08X}:{:08X} {timer:02X}:{when:08X} {:08X} {:5} {:8} {inode} {holders} {:016x}",
        address(listed.local, listed.family),
        address(listed.remote, listed.family),
        listed.state as u8,
        listed.recv_queue,
        listed.retransmits,
        0,
        listed.probes,
        listed.cookie,
    );
    if let Some(details) = &listed.details {
        let info = &details.info;
        let (rto, cwnd, last) = match listed.state {
            // A listener has a connection's defaults, and the length of its Fast Open queue at the end.
            State::Listen => (100, 10, 0),
            _ => (info.rto / 10_000, info.snd_cwnd, threshold(info.snd_ssthresh)),
        };
        let interactive = u8::from(listed.interactive);
        let _ = write!(text, " {rto} {} {interactive} {cwnd} {last}", info.ato / 10_000);
    }
    text
}

fn threshold(segments: u32) -> i64 {
    if segments >= INFINITE { -1 } else { i64::from(segments) }
}

/// The number of the open file that stands behind an entry; 0 for what no user has.
pub(crate) fn inode(listed: &Listed) -> u32 {
    if listed.owned { listed.cookie as u32 } else { 0 }
}

/// The number by which Linux calls a timer, and its remaining time in hundredths of a second.
fn timer_of(timer: Option<ShownTimer>, now: Instant) -> (u8, u64) {
    let Some(ShownTimer { kind, at }) = timer else { return (0, 0) };
    (timer_number(kind), at.since(now).as_millis() as u64 / 10)
}

/// 1 retransmission, 2 keepalive and its like, 3 TIME-WAIT, 4 window probe.
pub(crate) fn timer_number(kind: TimerKind) -> u8 {
    match kind {
        TimerKind::Keepalive | TimerKind::FinWait2 => 2,
        TimerKind::TimeWait => 3,
        TimerKind::Persist => 4,
        _ => 1,
    }
}

fn address(at: SocketAddr, family: Family) -> String {
    let mut text = String::new();
    match (family, at.ip()) {
        (Family::V4, IpAddr::V4(ip)) => {
            let _ = write!(text, "{:08X}", u32::from_ne_bytes(ip.octets()));
        }
        (_, ip) => {
            let v6 = match ip {
                IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv6Addr::UNSPECIFIED,
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            for word in v6.octets().as_chunks::<4>().0 {
                let _ = write!(text, "{:08X}", u32::from_ne_bytes(*word));
            }
        }
    }
    let _ = write!(text, ":{:04X}", at.port());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{connected_stack, test_stack};

    /// the lines are those of the kernel, character by character where nothing depends on its addresses.
    #[test]
    fn a_listener_as_the_kernel_prints_it() {
        let mut stack = test_stack();
        let id = stack.open(Family::V4).unwrap();
        stack.socket(id).bind("0.0.0.0:2024".parse().unwrap()).unwrap();
        stack.socket(id).listen(5).unwrap();
        let text = tcp(&stack, Instant::ZERO);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.len() == WIDTH_V4));
        let wanted =
            "   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 ";
        assert!(lines[1].starts_with(wanted), "{}", lines[1]);
        assert!(lines[1].trim_end().ends_with(" 100 0 0 10 0"), "{}", lines[1]);
        assert_eq!(tcp6(&stack, Instant::ZERO).lines().count(), 1);
    }

    #[test]
    fn a_connection_shows_its_queues_and_its_timer() {
        let (stack, now) = connected_stack(b"twelve bytes");
        let text = tcp(&stack, now);
        let line = text.lines().find(|line| line.contains(" 01 ")).expect("a connection");
        if cfg!(target_endian = "little") {
            assert!(line.contains("0100A8C0:1F90 010200C0:"), "{line}");
        }
        assert!(line.contains(" 01 0000000C:00000000 01:"), "{line}");
    }
}
