//! `cauce-bench`: measures Cauce beside other stacks. See `docs/performance.md`.

use anyhow::Result;
use cauce_bench::clock::Clock;
use cauce_bench::ours::bulk::Bulk;
use cauce_bench::ours::rtt::Rtt;
use cauce_bench::ours::scale::Scale;
use cauce_bench::ours::short::Short;
use cauce_bench::ours::tun::{TunBulk, Way};
use cauce_bench::ours::{memory, stream_memory};
use cauce_bench::peers::{kernel, lwip, smoltcp};
use cauce_bench::report::{Contestant, Report, compare};
use cauce_bench::work::{Kind, Who, work};
use cauce_bench::{counting, netns};
use clap::{Args, Parser, Subcommand};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Measures Cauce beside other stacks, back to back in one run, as ratios.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// One line of JSON a measurement instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Rounds in which the contestants take turns; figures are medians.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One stream in one process on one thread.
    Bulk(BulkArgs),
    /// 1-byte round trips on one connection in memory.
    Rtt(CountArgs),
    /// Connect, accept and close in memory.
    Short(CountArgs),
    /// Bytes of an idle connection, of a half-open one and of a TIME-WAIT.
    Memory(CountArgs),
    /// Cost of a packet with 1, 1,000 and 100,000 connections.
    Scale(CountArgs),
    /// One stream across a TUN with the kernel as peer, both ways; needs root.
    Tun(TunArgs),
    /// One stream over the kernel's own loopback, pinned.
    Loopback(TunArgs),
    /// A fixed amount of work and nothing else, for `bench/callgrind.sh`.
    Work(WorkArgs),
}

#[derive(Args)]
struct WorkArgs {
    /// What is done.
    #[arg(value_enum)]
    kind: Kind,
    /// Segments, super-segments, round trips or connections.
    #[arg(long)]
    count: usize,
    /// Who does it.
    #[arg(long, value_enum, default_value_t = Who::Cauce)]
    who: Who,
}

#[derive(Args)]
struct BulkArgs {
    /// Largest IP packet in bytes.
    #[arg(long, default_value_t = 1500)]
    mtu: usize,
    /// Pass super-segments whole, without checksums.
    #[arg(long = "super")]
    supers: bool,
    /// Seconds of each round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Only Cauce, for profilers.
    #[arg(long)]
    alone: bool,
}

#[derive(Args)]
struct CountArgs {
    /// How many of them in each round.
    #[arg(long)]
    count: Option<usize>,
    /// Only Cauce, for profilers.
    #[arg(long)]
    alone: bool,
}

#[derive(Args)]
struct TunArgs {
    /// Seconds of each stream.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Single packets without virtio-net headers.
    #[arg(long)]
    no_offload: bool,
    /// Only Cauce, for profilers.
    #[arg(long)]
    alone: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match &cli.command {
        Command::Bulk(args) => bulk(&cli, args),
        Command::Rtt(args) => rtt(&cli, args),
        Command::Short(args) => short(&cli, args),
        Command::Memory(args) => memory(&cli, args),
        Command::Scale(args) => scale(&cli, args),
        Command::Tun(args) => tun(&cli, args),
        Command::Loopback(args) => loopback(&cli, args),
        Command::Work(args) => work(args.who, args.kind, args.count),
    }
}

fn gbits((bytes, span): (usize, Duration)) -> f64 {
    bytes as f64 * 8.0 / span.as_secs_f64() / 1e9
}

fn with_lwip(alone: bool) -> bool {
    lwip::PRESENT && !alone
}

/// Prints a report in which lwIP takes part if it can.
fn finish(report: Report, cli: &Cli, alone: bool) -> Result<()> {
    let missing = (!alone && !lwip::PRESENT).then(|| "lwIP: run bench/fetch-lwip.sh and build again".into());
    report.without(missing).print(cli.json)
}

fn bulk(cli: &Cli, args: &BulkArgs) -> Result<()> {
    let span = Duration::from_secs_f64(args.seconds);
    let mut ours = Bulk::new(args.mtu, args.supers, Clock::new())?;
    let mut smol = smoltcp::Pair::new(args.mtu, smoltcp::BUFFER);
    smol.connect()?;
    let mut contestants = vec![Contestant::new("cauce", || ours.run(span).map(gbits))];
    if !args.alone {
        contestants.push(Contestant::new("smoltcp 0.14", || smol.run(span).map(gbits)));
    }
    if with_lwip(args.alone) {
        contestants.push(Contestant::new("lwIP 2.2", || lwip::run(span).map(gbits)));
    }
    let what =
        format!("bulk in one process, MTU {}{}", args.mtu, if args.supers { ", super-segments" } else { "" });
    finish(compare(what, "Gbit/s", cli.rounds, contestants)?, cli, args.alone)?;
    eprintln!("{}", ours.describe()?);
    Ok(())
}

fn rtt(cli: &Cli, args: &CountArgs) -> Result<()> {
    let count = args.count.unwrap_or(1_000_000);
    let mut ours = Rtt::new(Clock::new())?;
    let mut smol = smoltcp::Pair::new(1500, smoltcp::BUFFER);
    smol.connect()?;
    let mut contestants = vec![Contestant::new("cauce", || ours.rate(count))];
    if !args.alone {
        contestants.push(Contestant::new("smoltcp 0.14", || smol.round_trips(count)));
    }
    if with_lwip(args.alone) {
        contestants.push(Contestant::new("lwIP 2.2", || lwip::round_trips(count)));
    }
    let report = compare("1-byte round trips in one process", "round trips/s", cli.rounds, contestants)?;
    finish(report, cli, args.alone)
}

fn short(cli: &Cli, args: &CountArgs) -> Result<()> {
    let count = args.count.unwrap_or(200_000);
    let mut ours = Short::new(Clock::new())?;
    let mut smol = smoltcp::Pair::new(1500, smoltcp::SMALL_BUFFER);
    let mut contestants = vec![Contestant::new("cauce", || ours.rate(count))];
    if !args.alone {
        contestants.push(Contestant::new("smoltcp 0.14", || smol.connections(count)));
    }
    if with_lwip(args.alone) {
        contestants.push(Contestant::new("lwIP 2.2", || lwip::connections(count)));
    }
    let report = compare("connect, accept, close in one process", "connections/s", cli.rounds, contestants)?;
    finish(report, cli, args.alone)
}

fn memory(cli: &Cli, args: &CountArgs) -> Result<()> {
    let count = args.count.unwrap_or(100_000);
    counting::start();
    let mut reports = Vec::new();
    let states: [(&str, memory::Measure); 5] = [
        ("idle connection, one end", memory::idle),
        ("idle connection with its stream, one end", stream_memory::idle),
        ("the same, and a task waits for the next byte", stream_memory::awaited),
        ("half-open connection", memory::half_open),
        ("TIME-WAIT", memory::time_wait),
    ];
    for (state, measure) in states {
        let cost = measure(count)?;
        let contestants = vec![
            Contestant::new("requested", || Ok(cost.requested)),
            Contestant::new("with the allocator's rounding", || Ok(cost.allocated)),
        ];
        reports.push(compare(format!("{state}, of {count}"), "bytes", 1, contestants)?);
    }
    reports.iter().try_for_each(|report| report.print(cli.json))
}

fn scale(cli: &Cli, args: &CountArgs) -> Result<()> {
    let rounds = args.count.unwrap_or(50_000);
    for connections in [1, 1_000, 100_000] {
        let mut ours = Scale::new(connections)?;
        let rounds = if connections == 1 { rounds * 8 } else { rounds };
        let contestants = vec![Contestant::new("cauce", || ours.nanoseconds(rounds))];
        compare(format!("a packet among {connections} connections"), "ns", cli.rounds, contestants)?
            .print(cli.json)?;
    }
    Ok(())
}

fn tun(cli: &Cli, args: &TunArgs) -> Result<()> {
    let span = Duration::from_secs_f64(args.seconds);
    netns::enter()?;
    let mut ours = TunBulk::new("cauce%d", !args.no_offload)?;
    for (way, what) in [(Way::Up, "the kernel sends"), (Way::Down, "the kernel receives")] {
        let mut contestants = vec![Contestant::new("cauce", || ours.run(way, span).map(gbits))];
        if !args.alone {
            contestants.push(Contestant::new("kernel loopback", || kernel::loopback(span).map(gbits)));
        }
        compare(format!("one stream across a TUN, {what}"), "Gbit/s", cli.rounds, contestants)?
            .print(cli.json)?;
        eprintln!("{}", ours.describe());
    }
    Ok(())
}

fn loopback(cli: &Cli, args: &TunArgs) -> Result<()> {
    let span = Duration::from_secs_f64(args.seconds);
    netns::enter()?;
    let contestants = vec![Contestant::new("kernel loopback", || kernel::loopback(span).map(gbits))];
    compare("one stream over the kernel's loopback", "Gbit/s", cli.rounds, contestants)?.print(cli.json)
}
