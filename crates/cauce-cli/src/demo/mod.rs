//! `cauce demo`: two hosts, an emulated path, a file both ways, all in virtual time.
//!
//! Host A opens a connection to host B and sends the file; B sends it back. The same options and the same
//! seed print the same text, byte for byte.

mod capture;
mod exchange;
mod file;
mod leg;
mod report;
mod samples;

use crate::settings::Setting;
use crate::units::{QueueSize, Rate, Share, Size, Span};
use anyhow::{Context, bail};
use capture::Capture;
use cauce_core::stack::Stack;
use cauce_lab::faults::FaultOptions;
use cauce_lab::pair::{Pair, PairOptions, Side};
use exchange::Exchange;
use file::Contents;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cauce demo
  cauce demo --rate 1gbit --delay 10ms --size 256m
  cauce demo --loss 5% --reorder 10% --duplicate 1% --corrupt 0.1%
  cauce demo --queue 64k --congestion reno        a shallow buffer and the classic algorithm
  cauce demo --sysctl tcp_sack=0 --loss 1%        what SACK is worth
  cauce demo --pcap demo.pcapng                   its packets, for Wireshark

Rates are written as in tc(8): 100mbit, 1gbit. Sizes count by 1024: 64k, 16m. The exit status is
0 only if everything arrived intact. What is on stdout depends on the options alone: the same
seed repeats it byte for byte.";

/// What `demo` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rate of the path in each direction, or `unlimited`.
    #[arg(long, value_name = "RATE", default_value = "100mbit", help_heading = "Path")]
    rate: Rate,
    /// Round-trip delay of the path without queueing; half of it each way.
    #[arg(long, value_name = "TIME", default_value = "40ms", help_heading = "Path")]
    delay: Span,
    /// Packets lost, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0.1%", help_heading = "Path")]
    loss: Share,
    /// Most random delay added to each packet, without changing their order.
    #[arg(long, value_name = "TIME", default_value = "0ms", help_heading = "Path")]
    jitter: Span,
    /// Packets held back so that others overtake them, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0%", help_heading = "Path")]
    reorder: Share,
    /// How long such packets are held back.
    #[arg(long, value_name = "TIME", default_value = "5ms", help_heading = "Path")]
    reorder_delay: Span,
    /// Packets that arrive twice, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0%", help_heading = "Path")]
    duplicate: Share,
    /// Packets with one bit inverted, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0%", help_heading = "Path")]
    corrupt: Share,
    /// How much waits for each transmitter: packets, bytes as in 256k, or `unlimited`.
    #[arg(long, value_name = "QUEUE", default_value = "1000", help_heading = "Path")]
    queue: QueueSize,
    /// Longest packet in bytes; TCP sends no segments below tcp_min_snd_mss.
    #[arg(long, value_name = "BYTES", default_value_t = 1500,
          value_parser = clap::value_parser!(u16).range(88..), help_heading = "Path")]
    mtu: u16,
    /// Size of the file that is made up.
    #[arg(long, value_name = "SIZE", default_value = "32m", help_heading = "Transfer")]
    size: Size,
    /// Send this file instead of one that is made up.
    #[arg(long, value_name = "FILE", conflicts_with = "size", help_heading = "Transfer")]
    file: Option<PathBuf>,
    /// Where everything random comes from.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Transfer")]
    seed: u64,
    /// Talk IPv6.
    #[arg(long, help_heading = "Transfer")]
    ipv6: bool,
    /// Congestion control of both hosts.
    #[arg(long, value_name = "NAME", help_heading = "Transfer", value_parser = congestion)]
    congestion: Option<Setting>,
    /// A setting of both hosts under its Linux name, as in tcp_sack=0. May repeat.
    #[arg(long = "sysctl", value_name = "NAME=VALUE", help_heading = "Transfer")]
    sysctls: Vec<Setting>,
    /// Write the packets that host A sends and receives to this pcapng file.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pcap: Option<PathBuf>,
    /// Print the counters of both hosts that are not zero, under the names of nstat(8).
    #[arg(long, help_heading = "Output")]
    counters: bool,
}

fn congestion(name: &str) -> Result<Setting, String> {
    format!("tcp_congestion_control={name}").parse()
}

impl Args {
    fn pair_options(&self) -> PairOptions {
        let faults = FaultOptions {
            loss: self.loss.probability(),
            duplication: self.duplicate.probability(),
            corruption: self.corrupt.probability(),
            reorder: self.reorder.probability(),
            reorder_delay: self.reorder_delay.0,
            jitter: self.jitter.0,
            ..FaultOptions::default()
        };
        PairOptions {
            seed: self.seed,
            rate: self.rate.0,
            delay: self.delay.0 / 2,
            queue: self.queue.0,
            mtu: u32::from(self.mtu),
            faults: [faults; 2],
            ..PairOptions::default()
        }
    }

    fn contents(&self) -> anyhow::Result<Contents> {
        match &self.file {
            Some(path) => Contents::of_file(path),
            None => Ok(Contents::made_up(self.size.0, self.seed)),
        }
    }

    fn pair(&self) -> anyhow::Result<Pair<Stack>> {
        let mut pair = Pair::new(&self.pair_options());
        for setting in self.congestion.iter().chain(&self.sysctls) {
            for side in Side::BOTH {
                pair.with(side, |stack, _| setting.apply(stack.sysctl_mut()))
                    .with_context(|| format!("--sysctl {}={}", setting.name, setting.value))?;
            }
        }
        Ok(pair)
    }
}

/// Runs the demonstration and prints what it showed.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.ipv6 && args.mtu < 1280 {
        bail!("--mtu {}: IPv6 needs links of at least 1280 bytes", args.mtu);
    }
    let began = std::time::Instant::now();
    let contents = args.contents()?;
    let mut pair = args.pair()?;
    let capture = match &args.pcap {
        Some(path) => Some(Capture::start(path, &mut pair)?),
        None => None,
    };
    let bar = progress_bar(contents.len().saturating_mul(2));
    let exchange = Exchange::run(&mut pair, &contents, args.ipv6, |delivered| bar.set_position(delivered))?;
    bar.finish_and_clear();
    if let Some(capture) = capture {
        capture.finish()?;
    }
    let report = report::text(args, &pair, &exchange);
    crate::print(report.as_bytes())?;
    eprintln!(
        "{:.2} s of virtual time in {:.2} s",
        exchange.lasted().as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    match exchange.failure() {
        Some(failure) => bail!("{failure}"),
        None => Ok(()),
    }
}

/// A bar on stderr, shown only on a terminal.
fn progress_bar(total: u64) -> ProgressBar {
    let style = "{wide_bar} {binary_bytes}/{binary_total_bytes}";
    // A template that does not parse would only cost the looks.
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}
