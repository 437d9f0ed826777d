//! What the demonstration prints.

use super::Args;
use super::exchange::Exchange;
use super::leg::{Leg, Sum};
use crate::units::{Size, bits_per_second};
use cauce_core::counters::{Counter, Counters};
use cauce_core::stack::Stack;
use cauce_lab::link::Direction;
use cauce_lab::pair::{Pair, Side};
use std::fmt::{self, Write};
use std::time::Duration;

/// The whole text.
pub fn text(args: &Args, pair: &Pair<Stack>, exchange: &Exchange) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, args, pair, exchange);
    text
}

fn write(out: &mut String, args: &Args, pair: &Pair<Stack>, exchange: &Exchange) -> fmt::Result {
    path(out, args, pair)?;
    if let Some(handshake) = exchange.handshake {
        writeln!(out, "\nHandshake {}", millis(handshake))?;
    }
    for side in Side::BOTH {
        leg(out, side, &exchange.legs[side as usize], pair)?;
    }
    out.push('\n');
    for side in Side::BOTH {
        link(out, side, pair.link(side))?;
    }
    if let Some(lingered) = exchange.lingered {
        let seconds = lingered.as_secs_f64();
        writeln!(out, "Both closed; {seconds:.3} s later neither host knew of the connection any more.")?;
    }
    if args.counters {
        for side in Side::BOTH {
            counters(out, side, pair.endpoint(side).counters())?;
        }
    }
    match exchange.failure() {
        None => writeln!(out, "Everything arrived intact."),
        Some(failure) => writeln!(out, "\nFAILED: {failure}"),
    }
}

fn path(out: &mut String, args: &Args, pair: &Pair<Stack>) -> fmt::Result {
    write!(out, "Path: {}, round trip {}, loss {}", args.rate, args.delay, args.loss)?;
    let shares =
        [("reordering", args.reorder), ("duplication", args.duplicate), ("corruption", args.corrupt)];
    for (name, share) in shares {
        if !share.probability().is_never() {
            write!(out, ", {name} {share}")?;
        }
    }
    if !args.jitter.0.is_zero() {
        write!(out, ", jitter {}", args.jitter)?;
    }
    writeln!(out, ", queue {}, MTU {}", args.queue, args.mtu)?;
    let sysctl = pair.endpoint(Side::A).sysctl();
    let control = sysctl.get("tcp_congestion_control").unwrap_or_default();
    let version = if args.ipv6 { "IPv6" } else { "IPv4" };
    writeln!(out, "{version}, {control}, seed {}", args.seed)
}

fn leg(out: &mut String, side: Side, leg: &Leg, pair: &Pair<Stack>) -> fmt::Result {
    write!(out, "\nFrom {side:?} to {:?}: ", side.other())?;
    let Some(lasted) = leg.lasted() else {
        return writeln!(out, "{} arrived, then no more", Size(leg.delivered));
    };
    let bits = u128::from(leg.delivered) * 8 * 1_000_000_000;
    let goodput = bits.checked_div(lasted.as_nanos()).map_or(0, |bits| bits as u64);
    writeln!(
        out,
        "{} in {:.3} s, goodput {}",
        Size(leg.delivered),
        lasted.as_secs_f64(),
        bits_per_second(goodput)
    )?;
    out.push_str(&leg.samples.table());
    connection(out, leg)?;
    recovery(out, pair.endpoint(side).counters())?;
    sums(out, leg)
}

fn connection(out: &mut String, leg: &Leg) -> fmt::Result {
    let info = &leg.info;
    let again = f64::from(info.total_retrans) * 100.0 / f64::from(info.data_segs_out.max(1));
    writeln!(
        out,
        "  {} segments with data, {} of them sent again ({again:.2} %)",
        info.data_segs_out, info.total_retrans
    )?;
    writeln!(
        out,
        "  RTT {} smoothed, {} at least; cwnd {} at last, {} at most; MSS {}",
        micros(info.rtt),
        micros(info.min_rtt),
        info.snd_cwnd,
        leg.samples.cwnd_max.max(info.snd_cwnd),
        info.snd_mss
    )
}

fn recovery(out: &mut String, counters: &Counters) -> fmt::Result {
    let names = [
        (Counter::TCPFastRetrans, "sent again by fast recovery"),
        (Counter::TCPLossProbes, "tail-loss probes"),
        (Counter::TCPTimeouts, "time-outs"),
        (Counter::TCPSpuriousRTOs, "spurious time-outs"),
        (Counter::TCPDSACKRecv, "D-SACKs"),
    ];
    let parts: Vec<_> = names
        .into_iter()
        .map(|(counter, name)| (counters.get(counter), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if parts.is_empty() { Ok(()) } else { writeln!(out, "  {}", parts.join(", ")) }
}

fn link(out: &mut String, side: Side, link: &Direction) -> fmt::Result {
    let stats = link.stats();
    write!(out, "Path from {side:?} to {:?}: {} packets, {} lost", side.other(), stats.offered, stats.lost)?;
    for (name, counts) in link.faults().counts() {
        for (count, verb) in [
            (counts.duplicated, "duplicated"),
            (counts.corrupted, "corrupted"),
            (counts.delayed, "held back"),
        ] {
            if count > 0 && name != "jitter" {
                write!(out, ", {count} {verb}")?;
            }
        }
    }
    writeln!(
        out,
        ", {} dropped by the queue, which held {} at most",
        stats.queue_full,
        Size(stats.queue_peak)
    )
}

fn sums(out: &mut String, leg: &Leg) -> fmt::Result {
    match leg.sums() {
        Some((sent, received)) if sent == received => {
            writeln!(out, "  SHA-256 {} sent and received", hex(&sent))
        }
        Some((sent, received)) => {
            writeln!(out, "  SHA-256 {} sent, {} received", hex(&sent), hex(&received))
        }
        None => Ok(()),
    }
}

fn counters(out: &mut String, side: Side, counters: &Counters) -> fmt::Result {
    writeln!(out, "\nCounters of {side:?}")?;
    for (group, name, count) in counters.iter().filter(|(.., count)| *count > 0) {
        writeln!(out, "  {:<32}{count:>12}", format!("{group}{name}"))?;
    }
    Ok(())
}

fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn millis(span: Duration) -> String {
    format!("{:.3} ms", span.as_secs_f64() * 1_000.0)
}

fn micros(us: u32) -> String {
    match us {
        u32::MAX => "-".into(),
        us => millis(Duration::from_micros(us.into())),
    }
}
