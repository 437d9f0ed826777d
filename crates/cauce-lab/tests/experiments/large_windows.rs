//! What BIC and Compound TCP are for, and what they do to others: N-29, N-38, P-202 and P-205.

use crate::bottleneck::{Bottleneck, MSS, Path};
use crate::rig::Rig;
use cauce_core::congestion::INFINITE_SSTHRESH;
use cauce_core::socket::SocketId;
use cauce_core::time::Duration;
use cauce_lab::faults::Jitter;
use cauce_lab::pair::{PairOptions, Side};
use cauce_lab::queue::QueueLimit;

const GIGABIT: u64 = 1_000_000_000;
/// Segments that a super-segment of 64 KiB takes, which travel together where a path is fast.
const GROUP: u32 = 44;

/// Seconds until a window of 8,562 segments, 1 Gbit/s times 100 ms, is as large again after one loss. No queue: the
/// window never exceeds what the path holds.
fn regained(algorithm: &str) -> f64 {
    const WINDOW: u32 = 8_562;
    let mut path = Bottleneck::new(Path::new(GIGABIT, u64::MAX));
    path.add(algorithm, Duration::from_millis(100), WINDOW, GROUP);
    while path.flows[0].cwnd() < WINDOW {
        path.step();
    }
    let start = path.now;
    path.flows[0].lose(start);
    while path.flows[0].in_recovery() || path.flows[0].cwnd() < WINDOW {
        path.step();
    }
    path.now.since(start).as_secs_f64()
}

/// One loss on a long fat pipe costs Reno 4,281 round trips, seven minutes; BIC 14 seconds, Compound TCP five.
#[test]
fn n38_long_fat_pipe() {
    let [reno, bic, ctcp] = ["reno", "bic", "ctcp"].map(regained);
    assert!((reno / 428.0 - 1.0).abs() < 0.05, "{reno}");
    assert!(bic <= 60.0 && ctcp <= 60.0, "{bic} {ctcp}");
}

/// Seconds that a copy of 10 GB takes at 1 Gbit/s, 50 ms, with a queue of a tenth of the bandwidth-delay product.
fn copy(algorithm: &str, loss: f64, seed: u64) -> f64 {
    let queue = GIGABIT / 20 / (MSS * 8) / 10;
    let mut path = Bottleneck::new(Path { loss, seed, ..Path::new(GIGABIT, queue) });
    path.add(algorithm, Duration::from_millis(50), INFINITE_SSTHRESH, GROUP);
    let start = path.now;
    while path.flows[0].delivered < 10_000_000_000 / MSS {
        path.step();
    }
    path.now.since(start).as_secs_f64()
}

/// Compound TCP nearly halves a large copy, in the mean of ten, where losses let Reno use about half of the path.
#[test]
fn n29_large_copy() {
    let [mut reno, mut ctcp] = [0.0; 2];
    for seed in 0..10 {
        let times = ["reno", "ctcp"].map(|algorithm| copy(algorithm, 3e-7, seed));
        assert!(times[1] <= times[0], "{times:?}: never slower");
        reno += times[0] / 10.0;
        ctcp += times[1] / 10.0;
    }
    assert!((0.50..0.60).contains(&(80.0 / reno)), "{reno}: Reno uses about 55 %");
    assert!((0.40..=0.65).contains(&(ctcp / reno)), "{ctcp} {reno}");
    let ratio = copy("ctcp", 0.0, 0) / copy("reno", 0.0, 0);
    assert!((0.78..=0.88).contains(&ratio), "{ratio}: without random loss");
}

/// How many times as much as a sender 100 ms from its peer one gets that is 50 ms from its own.
fn near_to_far(algorithm: &str, options: Path, group: u32) -> f64 {
    let late = Duration::from_millis(1_000 + 377 * options.seed);
    let mut path = Bottleneck::new(options);
    path.add(algorithm, Duration::from_millis(50), INFINITE_SSTHRESH, group);
    path.run_for(late);
    path.add(algorithm, Duration::from_millis(100), INFINITE_SSTHRESH, group);
    path.run_for(Duration::from_secs(100));
    let before = [path.flows[0].delivered, path.flows[1].delivered];
    path.run_for(Duration::from_secs(400));
    (path.flows[0].delivered - before[0]) as f64 / (path.flows[1].delivered - before[1]) as f64
}

/// Reno's share falls with the square of the round trip when losses meet all senders at once, as theory has it. BIC's
/// falls no faster than the round trip at large windows and with a queue of the far sender's bandwidth-delay product.
/// (With half of that queue the near one gets five times as much, and far more at small windows.)
#[test]
fn p202_different_round_trips() {
    let small = Path { together: true, ..Path::new(GIGABIT / 10, 85) };
    let reno = near_to_far("reno", small, 4);
    assert!((3.5..4.5).contains(&reno), "{reno}");
    let large = |seed| Path { seed, ..Path::new(GIGABIT, 8_562) };
    let shares: Vec<f64> = (0..3).map(|seed| near_to_far("bic", large(seed), GROUP)).collect();
    assert!(shares.iter().all(|share| (1.0..=2.0).contains(share)), "{shares:?}");
}

/// Bytes that arrive in two minutes over two connections, each with its own algorithm, at this rate, 50 ms, and a queue
/// of 20. Whole stacks.
fn arrived(algorithms: [&str; 2], rate: u64, seed: u64) -> [usize; 2] {
    let options = PairOptions {
        seed,
        rate: Some(rate),
        delay: Duration::from_millis(25),
        queue: QueueLimit::packets(20),
        ..PairOptions::default()
    };
    let mut rig = Rig::new(&options, &[]);
    // Acknowledgements are never quite on time: in lockstep the queue would always drop the same sender's segments.
    rig.pair.link_mut(Side::B).faults_mut().push(Box::new(Jitter::in_order(Duration::from_millis(5))));
    let listener = rig.listen();
    let ends = algorithms.map(|algorithm| {
        let (a, b) = (rig.connect(&[]), rig.accept(listener));
        rig.pair.with(Side::A, |stack, now| stack.socket(a).set_congestion(now, algorithm).unwrap());
        [a, b]
    });
    let mut total = [0; 2];
    for turn in 0..6_000 {
        // Who reads first is acknowledged first: each in turn.
        for flow in [turn % 2, 1 - turn % 2] {
            let [a, b] = ends[flow];
            fill(&mut rig, a);
            total[flow] += rig.drain(Side::B, b);
        }
        rig.run(Duration::from_millis(20));
    }
    total
}

fn fill(rig: &mut Rig, id: SocketId) {
    let chunk = vec![7; 1 << 16];
    while let Ok(1..) = rig.pair.with(Side::A, |stack, now| stack.socket(id).send(now, &chunk)) {}
}

/// Beside Reno Compound TCP takes half where little fits into the path: 43 segments, so that its delay window comes and
/// goes; or 21, so that it never comes, and Compound TCP is Reno to the byte.
#[test]
fn p205_friendly_to_reno() {
    for seed in 0..2 {
        let [ctcp, reno] = arrived(["ctcp", "reno"], 10_000_000, seed);
        let share = ctcp as f64 / (ctcp + reno) as f64;
        assert!((0.45..=0.55).contains(&share), "{share}");
    }
    assert_eq!(arrived(["ctcp", "reno"], 5_000_000, 0), arrived(["reno", "reno"], 5_000_000, 0));
}
