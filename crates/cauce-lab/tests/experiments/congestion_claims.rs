//! What Vegas and Westwood+ are said to do (N-46, P-203, P-204): long flows across one bottleneck of 10 Mbit/s.

use crate::rig::Rig;
use cauce_core::socket::SocketId;
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;
use cauce_lab::faults::FaultOptions;
use cauce_lab::pair::{PairOptions, Side};
use cauce_lab::queue::QueueLimit;
use cauce_lab::rng::Probability;

/// Line rate in bits a second.
const RATE: u64 = 10_000_000;
/// A deep buffer in packets: 360 ms of the link.
const DEEP: u32 = 300;

/// Flows from A to B, one for each algorithm, that always have something to send.
struct Race {
    rig: Rig,
    flows: Vec<[SocketId; 2]>,
    /// Bytes that each has brought across.
    arrived: Vec<u64>,
    /// Packets that waited at the bottleneck, whenever something happened.
    queued: Vec<usize>,
}

impl Rig {
    fn flow(&mut self, port: u16, algorithm: &str) -> [SocketId; 2] {
        let listener = self.listen_on(port, &[]);
        self.set(Side::A, &[("tcp_congestion_control", algorithm)]);
        let a = self.connect_to(port, &[SocketOption::SendBuffer(4_000_000)]);
        [a, self.accept(listener)]
    }
}

impl Race {
    /// `buffer` is in packets, `loss` in percent of those on their way to B.
    fn new(algorithms: &[&str], rtt_ms: u64, buffer: u32, loss: f64, seed: u64) -> Race {
        let faults = FaultOptions { loss: Probability::percent(loss), ..FaultOptions::default() };
        let options = PairOptions {
            seed,
            rate: Some(RATE),
            delay: Duration::from_millis(rtt_ms) / 2,
            queue: QueueLimit::packets(buffer),
            faults: [faults, FaultOptions::default()],
            ..PairOptions::default()
        };
        let memory = [("tcp_rmem", "4096 4000000 4000000"), ("net.core.wmem_max", "8000000")];
        let mut rig = Rig::new(&options, &memory);
        let flows: Vec<_> = (1..).zip(algorithms).map(|(port, name)| rig.flow(port, name)).collect();
        Race { rig, arrived: vec![0; flows.len()], flows, queued: Vec::new() }
    }

    /// Lets the flows run; what has arrived and waited is counted from here on.
    fn run(&mut self, span: Duration) -> &mut Self {
        let chunk = vec![7; 1 << 16];
        let mut buffer = vec![0; 1 << 20];
        let Race { rig, flows, arrived, queued } = self;
        arrived.fill(0);
        queued.clear();
        rig.pair.drive(span, |pair| {
            for (&[a, b], arrived) in flows.iter().zip(&mut *arrived) {
                while let Ok(1..) = pair.with(Side::A, |stack, now| stack.socket(a).send(now, &chunk)) {}
                let read = pair.with(Side::B, |stack, now| stack.socket(b).recv(now, &mut buffer));
                *arrived += read.unwrap_or(0) as u64;
            }
            let now = pair.now();
            queued.push(pair.link_mut(Side::A).waiting(now).0);
            false
        });
        self
    }

    /// Packets that found the buffer full, from the start.
    fn dropped(&self) -> u64 {
        self.rig.pair.link(Side::A).stats().queue_full
    }

    /// The most bytes that ever waited.
    fn peak(&self) -> u64 {
        self.rig.pair.link(Side::A).stats().queue_peak
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// P-203: alone on 50 ms Vegas keeps two to four segments queued and the link full, and nothing is lost; Reno fills the
/// buffer until it overflows.
#[test]
fn n46_vegas_keeps_a_short_queue() {
    let mut vegas = Race::new(&["vegas"], 50, DEEP, 0.0, 1);
    vegas.run(5 * SECOND).run(30 * SECOND);
    assert!(vegas.queued.iter().all(|queued| (2..=4).contains(queued)), "{:?}", vegas.queued.iter().max());
    assert_eq!(vegas.dropped(), 0);
    let mut reno = Race::new(&["reno"], 50, DEEP, 0.0, 1);
    reno.run(5 * SECOND).run(30 * SECOND);
    assert!(reno.dropped() > 0);
    assert_eq!(reno.peak(), u64::from(DEEP) * 1500);
    assert!(vegas.peak() < reno.peak() / 5, "{} of {}", vegas.peak(), reno.peak());
    let least = reno.arrived[0] - reno.arrived[0] / 100;
    assert!(vegas.arrived[0] >= least, "{:?} of {:?}", vegas.arrived, reno.arrived);
}

/// P-203: against Reno, whose queue it takes for its own, Vegas gets less than half of what Reno gets.
#[test]
fn n46_vegas_yields_to_reno() {
    for names in [["vegas", "reno"], ["reno", "vegas"]] {
        let mut race = Race::new(&names, 50, DEEP, 0.0, 1);
        race.run(30 * SECOND);
        let vegas = usize::from(names[1] == "vegas");
        assert!(race.arrived[vegas] < race.arrived[1 - vegas] / 2, "{names:?}: {:?}", race.arrived);
    }
}

/// P-204: where one packet in a hundred is lost by chance, Westwood+ brings at least 1.3 times as much across as Reno.
#[test]
fn n46_westwood_withstands_random_loss() {
    for seed in 1..=3 {
        let [westwood, reno] = ["westwood", "reno"].map(|name| {
            let mut race = Race::new(&[name], 70, DEEP, 1.0, seed);
            race.run(45 * SECOND).arrived[0]
        });
        assert!(westwood * 10 >= reno * 13, "seed {seed}: {westwood} to {reno}");
    }
}

/// P-204: where nothing is lost by chance and the buffer holds what the path does, Westwood+ and Reno share it: Jain's
/// index is 0.9 at least, whoever was there first.
#[test]
fn n46_westwood_is_fair_to_reno() {
    let buffer = (RATE * 70 / 1000 / 8).div_ceil(1500) as u32;
    for names in [["westwood", "reno"], ["reno", "westwood"]] {
        let mut race = Race::new(&names, 70, buffer, 0.0, 1);
        race.run(100 * SECOND);
        let [x, y] = [0, 1].map(|flow| race.arrived[flow] as f64);
        let index = (x + y).powi(2) / (2.0 * (x * x + y * y));
        assert!(index >= 0.9, "{names:?}: {index}, {:?}", race.arrived);
    }
}
