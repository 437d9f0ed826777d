//! What differs between two sets of figures.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cauce_drill::{Figures, Sample};

use crate::exceptions::excuse;

/// Values of tcp_info that count time in microseconds, and how far real time may be off.
const MICROSECONDS: [&str; 8] = [
    "tcpi_rto",
    "tcpi_ato",
    "tcpi_rtt",
    "tcpi_rttvar",
    "tcpi_rcv_rtt",
    "tcpi_min_rtt",
    "tcpi_busy_time",
    "tcpi_rwnd_limited",
];
/// The same in milliseconds.
const MILLISECONDS: [&str; 4] =
    ["tcpi_last_data_sent", "tcpi_last_data_recv", "tcpi_last_ack_recv", "tcpi_total_rto_time"];
/// Rates, which follow from times.
const RATES: [&str; 2] = ["tcpi_pacing_rate", "tcpi_delivery_rate"];

/// The state CLOSE, and LISTEN.
const NOT_CONNECTED: [i128; 2] = [7, 10];
/// Round trips that are shorter than this in microseconds are nothing but the machine's speed.
const LEAST_RTT: i128 = 5_000;
/// What the kernel leaves in a socket whose connection is over, or that has none.
const LEFT_BEHIND: &[&str] = &[
    "tcpi_advmss",
    "tcpi_backoff",
    "tcpi_busy_time",
    "tcpi_last_ack_recv",
    "tcpi_last_data_recv",
    "tcpi_last_data_sent",
    "tcpi_lost",
    "tcpi_min_rtt",
    "tcpi_notsent_bytes",
    "tcpi_pacing_rate",
    "tcpi_pmtu",
    "tcpi_rcv_mss",
    "tcpi_rcv_space",
    "tcpi_rcv_ssthresh",
    "tcpi_rcv_wnd",
    "tcpi_rehash",
    "tcpi_retrans",
    "tcpi_retransmits",
    "tcpi_rwnd_limited",
    "tcpi_snd_mss",
    "tcpi_snd_wnd",
    "tcpi_total_rto_time",
];

/// One figure of one script.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The figure.
    pub what: String,
    /// The script, with the descriptor for a figure of a socket.
    place: String,
    kernel: i128,
    core: i128,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} k{}/o{}", self.place, self.kernel, self.core)
    }
}

/// How much the two may differ.
fn tolerance(name: &str, kernel: i128) -> i128 {
    let part = kernel.abs() / 5;
    match name {
        _ if MICROSECONDS.contains(&name) || name == "tcpi_sndbuf_limited" => part.max(14_000),
        _ if MILLISECONDS.contains(&name) => part.max(14),
        // Within a few microseconds of real time any rate is possible.
        _ if RATES.contains(&name) => (kernel.abs() / 2).max(10),
        _ => 0,
    }
}

/// True for a figure that both have to show.
fn is_compared(name: &str) -> bool {
    let counted = name.starts_with("Tcp") || name.starts_with("Ip") || name.starts_with("Icmp");
    counted || name.starts_with("tcpi_")
}

/// True where a figure of a socket tells nothing.
fn is_void(name: &str, kernel: &Sample, value: i128) -> bool {
    let of = |wanted: &str| kernel.iter().find(|(name, _)| name == wanted).map_or(0, |(_, value)| *value);
    let over = NOT_CONNECTED.contains(&of("tcpi_state")) && LEFT_BEHIND.contains(&name);
    let too_quick = RATES.contains(&name) && of("tcpi_rtt") != 0 && of("tcpi_rtt") < LEAST_RTT;
    // Where nothing has arrived yet the kernel's ages count from its own beginning.
    let of_the_machine = MILLISECONDS.contains(&name) && value > 1_000_000;
    over || too_quick || of_the_machine
}

fn compare(place: &str, path: &str, kernel: &Sample, core: &Sample, found: &mut Vec<Difference>) {
    let core: BTreeMap<&str, i128> = core.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    // The kernel looks for routers of IPv6 by itself.
    let own = kernel.iter().find(|(name, _)| name == "Icmp6OutMsgs").map_or(0, |(_, value)| *value);
    for (name, value) in kernel {
        let value =
            &if matches!(name.as_str(), "Ip6OutRequests" | "Ip6OutTransmits") { value - own } else { *value };
        let ours = core.get(name.as_str()).copied().unwrap_or(0);
        let differs = (value - ours).abs() > tolerance(name, *value);
        if differs && is_compared(name) && !is_void(name, kernel, *value) && !excuse(path, name) {
            found.push(Difference {
                what: name.clone(),
                place: place.to_owned(),
                kernel: *value,
                core: ours,
            });
        }
    }
}

/// True for a script that runs commands: they take time on the kernel and none in virtual time.
fn runs_commands(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| line.starts_with(['+', '*', '0']) && line.contains('`'))
}

/// Everything that differs.
pub fn all(path: &Path, kernel: &Figures, core: &Figures) -> Vec<Difference> {
    let room = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let name = format!("{room}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
    let mut found = Vec::new();
    compare(&name, &name, &kernel.counters, &core.counters, &mut found);
    for (fd, kernel) in &kernel.sockets {
        if let Some(core) = core.sockets.get(fd) {
            compare(&format!("{name}:{fd}"), &name, kernel, core, &mut found);
        }
    }
    if runs_commands(path) {
        found.retain(|one| !one.what.starts_with("tcpi_last_") && one.what != "tcpi_busy_time");
    }
    found
}

/// What of `now` was there `before`, too.
pub fn in_both(before: Vec<Difference>, now: Vec<Difference>) -> Vec<Difference> {
    let known =
        |one: &Difference| before.iter().any(|old| (&old.what, &old.place) == (&one.what, &one.place));
    now.into_iter().filter(known).collect()
}
