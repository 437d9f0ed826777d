//! Our TCP and the kernel's over bad paths, in real time, in a network namespace of the test's own
//! (root, or a user namespace): every byte arrives, both ways.
//!
//! Each lane is a path with faults of its own; connections of random shape run over them, many at once. What
//! the seed does not fix is timing: a failure is repeated by running its connection again, with
//! `CAUCE_INTEROP_SEED` and `CAUCE_INTEROP_ONLY`, as often as it takes.

mod host;
mod lane;
#[path = "../../../cauce-device/tests/support/namespace.rs"]
mod namespace;
mod plan;
mod transfer;

use cauce_lab::bridge::BridgeReport;
use cauce_lab::faults::FaultCounts;
use lane::Lane;
use plan::{LanePlan, Plan, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The same settings on both sides: time-outs that stay short, and enough retries that nobody gives up on a
/// path that loses one packet in five.
pub const SETTINGS: [(&str, &str); 5] = [
    ("tcp_rto_max_ms", "2000"),
    ("tcp_syn_retries", "20"),
    ("tcp_synack_retries", "20"),
    ("tcp_retries2", "60"),
    ("tcp_orphan_retries", "60"),
];

/// Lanes; each kind of `LanePlan::new` appears with and without offload on the kernel's side.
const LANES: usize = 16;

fn configure_kernel() {
    for (name, value) in SETTINGS {
        let path = format!("/proc/sys/net/ipv4/{name}");
        if let Err(error) = std::fs::write(&path, value) {
            // Older kernels have no cap of their own on time-outs; connections may then take longer.
            println!("*** {path} stays as it is: {error}");
        }
    }
}

#[test]
fn every_byte_arrives_over_bad_paths() {
    if !namespace::inside("every_byte_arrives_over_bad_paths") {
        return;
    }
    configure_kernel();
    let settings = Settings::from_env();
    println!("seed {} ({} connections, {} at once)", settings.seed, settings.connections, settings.at_once);
    let lane_plans: Vec<_> = (0..LANES).map(|index| LanePlan::new(settings.seed, index)).collect();
    let plans: Vec<_> = (0..settings.connections)
        .filter(|index| settings.only.as_ref().is_none_or(|only| only.contains(index)))
        .map(|index| Plan::new(settings.seed, index, LANES))
        .collect();
    let lanes: Vec<_> = lane_plans.iter().map(|plan| Lane::start(plan, &settings)).collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let times = Mutex::new(Vec::new());
    let started = Instant::now();
    let worker = |lanes: &[Lane]| {
        while failures.lock().unwrap().is_empty()
            && let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let began = Instant::now();
            let outcome = host::connection(plan, settings.seed, &lanes[plan.lane].handle, settings.limit);
            if let Err(why) = outcome {
                let (seed, index, lane) = (settings.seed, plan.index, &lane_plans[plan.lane]);
                let text = format!(
                    "seed {seed} connection {index} after {:?}: {why}\n  {plan:?}\n  {lane:?}\n  again: \
                     CAUCE_INTEROP_SEED={seed} CAUCE_INTEROP_CONNECTIONS={} CAUCE_INTEROP_ONLY={index}",
                    began.elapsed(),
                    settings.connections
                );
                println!("{text}");
                failures.lock().unwrap().push(text);
            }
            times.lock().unwrap().push((began.elapsed(), plan.index));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..settings.at_once.min(plans.len()) {
            scope.spawn(|| worker(&lanes));
        }
    });
    let mut times = times.into_inner().unwrap();
    times.sort_by(|a, b| b.cmp(a));
    println!(
        "{:?} for all; the slowest, with their numbers: {:.1?}",
        started.elapsed(),
        &times[..times.len().min(8)]
    );
    let mut failures = failures.into_inner().unwrap();
    for (plan, lane) in lane_plans.iter().zip(lanes) {
        match lane.finish() {
            Ok((report, counters)) => println!("lane {}: {}\n  {counters}", plan.index, carried(&report)),
            Err(why) => {
                failures.push(format!("seed {} lane {}: {why}\n  {plan:?}", settings.seed, plan.index))
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// What a bridge did, in a line: from the kernel to us, and back.
fn carried(report: &BridgeReport) -> String {
    let way = |way: usize| {
        let link = report.links[way];
        let faults = report.faults[way].iter().fold(FaultCounts::default(), |all, (_, one)| all.plus(*one));
        format!(
            "{} packets, {} arrived, {} lost, {} held back, {} duplicated, {} corrupted, {} refused",
            link.sent,
            link.arrived,
            faults.dropped,
            faults.delayed,
            faults.duplicated,
            faults.corrupted,
            link.queue_full + link.too_big + report.refused[1 - way],
        )
    };
    format!("in: {}; out: {}", way(0), way(1))
}
