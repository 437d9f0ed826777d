//! How a sending connection went, in a few lines.

use crate::units::{Size, bits_per_second};
use cauce_core::socket::tcp_info::TcpInfo;
use cauce_core::time::Duration;
use std::fmt::Write;

/// What a connection was like at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Since the first byte could be sent.
    at: Duration,
    acked: u64,
    cwnd: u32,
    ssthresh: u32,
    in_flight: u32,
    rtt: u32,
    total_retrans: u32,
}

impl Sample {
    /// What `info` says, `at` after the start.
    pub fn of(at: Duration, info: &TcpInfo) -> Self {
        let gone = info.sacked.saturating_add(info.lost);
        Sample {
            at,
            acked: info.bytes_acked,
            cwnd: info.snd_cwnd,
            ssthresh: info.snd_ssthresh,
            in_flight: info.unacked.saturating_sub(gone).saturating_add(info.retrans),
            rtt: info.rtt,
            total_retrans: info.total_retrans,
        }
    }
}

/// Samples at even intervals. The longer it lasts, the wider they lie.
#[derive(Clone, Debug)]
pub struct Samples {
    list: Vec<Sample>,
    interval: Duration,
    /// The largest congestion window ever sampled.
    pub cwnd_max: u32,
}

/// The first interval between samples.
const FIRST_INTERVAL: Duration = Duration::from_millis(5);
/// Samples kept; twice as many are thinned out to this.
const KEPT: usize = 512;
/// Lines of a table.
const LINES: usize = 12;

impl Default for Samples {
    fn default() -> Self {
        Samples { list: Vec::new(), interval: FIRST_INTERVAL, cwnd_max: 0 }
    }
}

impl Samples {
    /// Adds the next sample.
    pub fn push(&mut self, sample: Sample) {
        self.cwnd_max = self.cwnd_max.max(sample.cwnd);
        self.list.push(sample);
        if self.list.len() == 2 * KEPT {
            self.list = self.list.iter().skip(1).step_by(2).copied().collect();
            self.interval = self.interval.saturating_mul(2);
        }
    }

    /// When the next sample is due after the last.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// A table of at most [`LINES`] lines, evenly spread; empty without samples.
    pub fn table(&self) -> String {
        let mut table = String::new();
        if self.list.is_empty() {
            return table;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "  {:>10} {:>11} {:>14} {:>6} {:>9} {:>9} {:>10} {:>10}",
            "time", "acked", "goodput", "cwnd", "ssthresh", "in flight", "RTT", "sent again"
        );
        let mut before = Sample::default();
        for sample in self.spread() {
            let span = sample.at.saturating_sub(before.at).as_nanos();
            let bits = u128::from(sample.acked.saturating_sub(before.acked)) * 8 * 1_000_000_000;
            let goodput = bits.checked_div(span).unwrap_or(0);
            let ssthresh = match sample.ssthresh {
                0x7fff_ffff.. => "-".to_owned(),
                segments => segments.to_string(),
            };
            let _ = writeln!(
                table,
                "  {:>10} {:>11} {:>14} {:>6} {:>9} {:>9} {:>10} {:>10}",
                format!("{:.3} s", sample.at.as_secs_f64()),
                Size(sample.acked).to_string(),
                bits_per_second(u64::try_from(goodput).unwrap_or(u64::MAX)),
                sample.cwnd,
                ssthresh,
                sample.in_flight,
                format!("{:.2} ms", f64::from(sample.rtt) / 1_000.0),
                sample.total_retrans,
            );
            before = *sample;
        }
        table
    }

    fn spread(&self) -> impl Iterator<Item = &Sample> {
        let (count, lines) = (self.list.len(), self.list.len().min(LINES));
        (1..=lines).filter_map(move |line| self.list.get(line * count / lines - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stay_bounded_and_even() {
        let mut samples = Samples::default();
        let mut at = Duration::ZERO;
        for _ in 0..10_000 {
            samples.push(Sample { at, ..Sample::default() });
            at += samples.interval();
        }
        assert!(samples.list.len() <= 2 * KEPT);
        assert_eq!(samples.spread().count(), LINES);
        let last = samples.list.last().unwrap().at;
        assert_eq!(samples.spread().last().unwrap().at, last);
    }

    #[test]
    fn a_table_has_a_line_for_each_of_few_samples() {
        let mut samples = Samples::default();
        assert_eq!(samples.table(), "");
        let sample = Sample { at: Duration::from_millis(80), acked: 125_000, cwnd: 10, ..Sample::default() };
        samples.push(sample);
        let table = samples.table();
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(table.contains("12.5 Mbit/s"), "{table}");
    }
}
