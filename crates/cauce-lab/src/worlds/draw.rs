//! Draws the plan of a world from its seed.
//!
//! Values are spread evenly over their magnitudes, so that a delay of 20 us is as likely as one of 100 ms.

use super::plan::{Addressing, ConnectionPlan, EndPlan, Ending, Opening, START, WorldPlan};
use crate::faults::FaultOptions;
use crate::link::LinkOptions;
use crate::pair::{PairOptions, Side};
use crate::queue::QueueLimit;
use crate::rng::{LabRng, Probability};
use cauce_core::rng::Rng;
use cauce_core::time::Duration;

/// Settings that a world may change, and to what.
const SYSCTLS: &[(&str, &[&str])] = &[
    ("net.ipv4.tcp_sack", &["0"]),
    ("net.ipv4.tcp_timestamps", &["0", "2"]),
    ("net.ipv4.tcp_window_scaling", &["0"]),
    ("net.ipv4.tcp_dsack", &["0"]),
    ("net.ipv4.tcp_congestion_control", &["reno", "cubic", "bic", "vegas", "westwood", "ctcp"]),
    ("net.ipv4.tcp_early_retrans", &["0", "3"]),
    ("net.ipv4.tcp_recovery", &["0", "1", "2", "4"]),
    ("net.ipv4.tcp_frto", &["0", "1"]),
    ("net.ipv4.tcp_frto_response", &["0", "1"]),
    ("net.ipv4.tcp_rmem", &["2304 4096 8192", "4096 8192 16384", "4096 20000 200000"]),
    ("net.ipv4.tcp_wmem", &["4608 4608 4608", "4096 8192 16384", "4096 100000 1000000"]),
    ("net.ipv4.tcp_slow_start_after_idle", &["0"]),
    ("net.ipv4.tcp_retries2", &["10"]),
    ("net.ipv4.tcp_fin_timeout", &["5", "20"]),
    ("net.ipv4.tcp_autocorking", &["0"]),
    ("net.ipv4.tcp_moderate_rcvbuf", &["0"]),
    ("net.ipv4.tcp_reordering", &["1", "10"]),
    ("net.ipv4.tcp_notsent_lowat", &["4096"]),
    ("net.ipv4.tcp_rfc1337", &["1"]),
    ("net.ipv4.tcp_thin_linear_timeouts", &["1"]),
    ("net.ipv4.tcp_init_cwnd", &["1", "2", "40"]),
    ("net.ipv4.tcp_min_tso_segs", &["1", "8"]),
    ("net.ipv4.tcp_limit_output_bytes", &["4096"]),
    ("net.ipv4.tcp_comp_sack_nr", &["0"]),
    ("net.ipv4.tcp_syncookies", &["0"]),
    ("net.ipv4.tcp_shrink_window", &["1"]),
    ("net.ipv4.tcp_retrans_collapse", &["0"]),
    ("net.ipv4.tcp_ecn", &["0", "1", "3", "4"]),
    ("net.ipv4.tcp_ecn_option", &["0", "1", "3"]),
];

impl WorldPlan {
    /// The plan of this seed.
    pub fn draw(seed: u64) -> Self {
        // Stream 0 seeds the links' faults.
        let mut rng = LabRng::new(seed, 1);
        let mut pair = draw_pair(seed, &mut rng);
        let heals_at = START + magnitude(&mut rng, 500_000_000, 20_000_000_000);
        let outage = one_in(&mut rng, 5).then(|| {
            let from = START + magnitude(&mut rng, 10_000_000, 2_000_000_000);
            (from, from + magnitude(&mut rng, 10_000_000, 5_000_000_000))
        });
        let connections = match rng.below(10) {
            0..6 => 1,
            6..9 => 2,
            _ => 4,
        };
        let mut sysctls = [draw_sysctls(&mut rng), draw_sysctls(&mut rng)];
        draw_probing(&mut LabRng::new(seed, 2), &mut pair, &mut sysctls);
        draw_scarcity(&mut LabRng::new(seed, 3), &mut sysctls);
        // Where an orphan's stay in FIN-WAIT-2 is short, a keepalive of the peer is rightly answered by a
        // reset.
        let keepalive = !sysctls.iter().flatten().any(|(name, _)| name.ends_with("fin_timeout"));
        let one_way = pair.delay.min(pair.back.map_or(pair.delay, |back| back.delay));
        WorldPlan {
            outage,
            heals_at,
            addressing: match rng.below(6) {
                0 | 1 if pair.mtu >= 1280 => Addressing::V6,
                2 => Addressing::Mapped,
                _ => Addressing::V4,
            },
            sysctls,
            connections: (0..connections).map(|_| draw_connection(&mut rng, one_way, keepalive)).collect(),
            pair,
        }
    }
}

/// Some hosts search for the path MTU, and all have to where the path swallows in silence what is too long for it.
fn draw_probing(
    rng: &mut LabRng,
    pair: &mut PairOptions,
    sysctls: &mut [Vec<(&'static str, &'static str)>; 2],
) {
    // A tiny buffer behind a narrow path opens its window so little that a search would outlast every patience.
    let tiny = sysctls.iter().flatten().any(|(name, _)| name.ends_with("tcp_rmem"));
    let silent = pair.host_mtu.is_some() && one_in(rng, 2) && !tiny;
    if silent {
        pair.tells_too_big = false;
        pair.back = pair.back.map(|back| LinkOptions { tells_too_big: false, ..back });
    }
    for host in sysctls {
        if silent || one_in(rng, 8) {
            host.push(("net.ipv4.tcp_mtu_probing", if one_in(rng, 2) { "1" } else { "2" }));
        }
        if one_in(rng, 8) {
            host.push(("net.ipv4.tcp_base_mss", if one_in(rng, 2) { "512" } else { "100" }));
        }
    }
}

/// Some hosts have little memory for all of their sockets; few have so little that an orphan may be reset for it.
fn draw_scarcity(rng: &mut LabRng, sysctls: &mut [Vec<(&'static str, &'static str)>; 2]) {
    for host in sysctls {
        if one_in(rng, 12)
            && let Some(limits) = rng.pick(&["8 16 500", "1 2 500", "4 100 500", "8 16 24"])
        {
            host.push(("net.ipv4.tcp_mem", limits));
        }
    }
}

fn one_in(rng: &mut LabRng, n: u64) -> bool {
    rng.below(n) == 0
}

/// A span whose logarithm is spread evenly between two numbers of nanoseconds.
fn magnitude(rng: &mut LabRng, low: u64, high: u64) -> Duration {
    Duration::from_nanos(magnitude_of(rng, low, high))
}

/// A number whose logarithm is spread nearly evenly from `low` to `high`.
fn magnitude_of(rng: &mut LabRng, low: u64, high: u64) -> u64 {
    let doublings = high.div_euclid(low.max(1)).max(1).ilog2();
    let base = low.max(1) << rng.below(u64::from(doublings) + 1);
    rng.between(base, base.saturating_mul(2)).clamp(low, high)
}

fn draw_pair(seed: u64, rng: &mut LabRng) -> PairOptions {
    let forward = draw_link(rng);
    let back = one_in(rng, 4).then(|| LinkOptions { mtu: forward.mtu, ..draw_link(rng) });
    let faults = match rng.below(4) {
        0 => [FaultOptions::default(); 2],
        1 => [draw_faults(rng), FaultOptions::default()],
        _ => [draw_faults(rng), draw_faults(rng)],
    };
    // Sometimes the path is narrower than the hosts believe.
    let host_mtu = (forward.mtu < 9000 && one_in(rng, 10)).then_some(9000);
    PairOptions {
        seed,
        host_mtu,
        start: START,
        rate: forward.rate,
        delay: forward.delay,
        queue: forward.queue,
        mtu: forward.mtu,
        super_segments: one_in(rng, 2),
        back,
        faults,
        ..PairOptions::default()
    }
}

fn draw_link(rng: &mut LabRng) -> LinkOptions {
    let queue = match rng.below(4) {
        0 => QueueLimit::packets(rng.between(2, 20) as u32),
        1 => QueueLimit::bytes(magnitude_of(rng, 10_000, 300_000)),
        _ => QueueLimit::default(),
    };
    LinkOptions {
        rate: (!one_in(rng, 4)).then(|| magnitude_of(rng, 200_000, 1_000_000_000)),
        delay: magnitude(rng, 10_000, 150_000_000),
        queue,
        mtu: *rng.pick(&[1500, 1500, 1500, 1280, 576, 9000]).unwrap_or(&1500),
        tells_too_big: true,
    }
}

fn draw_faults(rng: &mut LabRng) -> FaultOptions {
    let mut share = |of: u64, most: f64| {
        let hit = one_in(rng, of);
        let part = rng.below(1_000) as f64 / 1_000.0;
        if hit { Probability::percent(part * part * most) } else { Probability::NEVER }
    };
    let (loss, duplication, corruption, reorder) =
        (share(2, 20.0), share(4, 15.0), share(4, 10.0), share(3, 30.0));
    let marking = share(2, 100.0);
    let burst_loss = one_in(rng, 6)
        .then(|| (Probability::percent(1.0), Probability::new(1.0 / rng.between(2, 12) as f64)));
    FaultOptions {
        loss,
        burst_loss,
        duplication,
        corruption,
        marking,
        reorder,
        reorder_delay: magnitude(rng, 50_000, 1_000_000_000),
        jitter: if one_in(rng, 3) { magnitude(rng, 10_000, 100_000_000) } else { Duration::ZERO },
        jitter_reorders: one_in(rng, 2),
    }
}

fn draw_sysctls(rng: &mut LabRng) -> Vec<(&'static str, &'static str)> {
    let mut chosen = Vec::new();
    for (name, values) in SYSCTLS {
        if one_in(rng, 10)
            && let Some(value) = rng.pick(values)
        {
            chosen.push((*name, *value));
        }
    }
    if one_in(rng, 3) {
        // Data in SYNs, sent and taken without cookies.
        chosen.push(("net.ipv4.tcp_fastopen", "0x607"));
    }
    chosen
}

fn draw_connection(rng: &mut LabRng, one_way: Duration, keepalive: bool) -> ConnectionPlan {
    let looped = one_in(rng, 12).then(|| if one_in(rng, 2) { Side::A } else { Side::B });
    let opening = match rng.below(10) {
        0 if looped.is_none() => {
            Opening::Simultaneous(Duration::from_nanos(rng.below(one_way.as_nanos() as u64 / 2 + 1)))
        }
        1..4 => Opening::By(Side::B),
        _ => Opening::By(Side::A),
    };
    let end_together = one_in(rng, 6);
    let mut end = || {
        let plan = draw_end(rng, end_together);
        EndPlan { keepalive: plan.keepalive && keepalive, ..plan }
    };
    let ends = [end(), end()];
    ConnectionPlan {
        hosts: looped.map_or(Side::BOTH, |host| [host; 2]),
        opens_at: START + magnitude(rng, 1_000, 500_000_000),
        opening,
        end_together,
        ends,
    }
}

fn draw_end(rng: &mut LabRng, polite: bool) -> EndPlan {
    let bytes = match rng.below(10) {
        0 => 0,
        1..4 => rng.between(1, 200),
        4..7 => magnitude_of(rng, 200, 20_000),
        _ => magnitude_of(rng, 20_000, 600_000),
    };
    let ending = match rng.below(20) {
        0 if !polite => Ending::CloseAfter(magnitude(rng, 100_000, 5_000_000_000)),
        1 if !polite => Ending::AbortAfter(magnitude(rng, 100_000, 5_000_000_000)),
        2..10 => Ending::Close,
        _ => Ending::Shutdown,
    };
    EndPlan {
        bytes,
        // At least a hundredth at once, so that the number of calls stays small.
        write_size: magnitude_of(rng, 1, 16_384).max(bytes / 100),
        write_rest: draw_rest(rng),
        read_size: magnitude_of(rng, 1, 65_536).max(512),
        read_rest: draw_rest(rng),
        nodelay: one_in(rng, 2),
        keepalive: one_in(rng, 8),
        more: if one_in(rng, 6) { Probability::new(0.5) } else { Probability::NEVER },
        zero_copy: one_in(rng, 4),
        peeks: one_in(rng, 8),
        ending,
    }
}

fn draw_rest(rng: &mut LabRng) -> (Probability, Duration) {
    let chance = if one_in(rng, 3) { Probability::percent(rng.below(40) as f64) } else { Probability::NEVER };
    // A long rest fills the peer's buffer and closes the window.
    (chance, magnitude(rng, 100_000, 2_500_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::sysctl::Sysctls;

    #[test]
    fn a_seed_draws_one_plan() {
        assert_eq!(format!("{:?}", WorldPlan::draw(5)), format!("{:?}", WorldPlan::draw(5)));
        assert_ne!(format!("{:?}", WorldPlan::draw(5)), format!("{:?}", WorldPlan::draw(6)));
    }

    #[test]
    fn every_setting_exists_and_takes_its_values() {
        for (name, values) in SYSCTLS {
            for value in *values {
                assert_eq!(Sysctls::default().set(name, value), Ok(()), "{name} = {value}");
            }
        }
    }

    #[test]
    fn magnitudes_stay_within_their_bounds_and_reach_both_ends() {
        let mut rng = LabRng::new(1, 0);
        let drawn: Vec<u64> = (0..20_000).map(|_| magnitude_of(&mut rng, 100, 10_000)).collect();
        assert!(drawn.iter().all(|n| (100..=10_000).contains(n)));
        let below = drawn.iter().filter(|n| **n < 1_000).count();
        assert!((6_000..14_000).contains(&below), "{below}");
        assert!(drawn.iter().any(|n| *n < 110) && drawn.iter().any(|n| *n > 9_000));
    }

    #[test]
    fn simultaneous_opens_cross() {
        for seed in 0..500 {
            let plan = WorldPlan::draw(seed);
            let one_way = plan.pair.delay.min(plan.pair.back.map_or(plan.pair.delay, |back| back.delay));
            for connection in &plan.connections {
                if let Opening::Simultaneous(later) = connection.opening {
                    assert!(later < one_way);
                }
                assert!(!connection.end_together || connection.ends.iter().all(|end| !end.ending.is_rude()));
            }
        }
    }
}
