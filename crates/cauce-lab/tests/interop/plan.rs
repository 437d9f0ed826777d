//! What is tried, as plain data that follows from one seed.

use cauce_core::rng::Rng;
use cauce_lab::faults::FaultOptions;
use cauce_lab::link::LinkOptions;
use cauce_lab::queue::QueueLimit;
use cauce_lab::rng::{LabRng, Probability};
use std::time::Duration;

/// What the environment asks for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// CAUCE_INTEROP_SEED; drawn when it is absent.
    pub seed: u64,
    /// CAUCE_INTEROP_CONNECTIONS: how many in all.
    pub connections: usize,
    /// CAUCE_INTEROP_AT_ONCE: how many at a time.
    pub at_once: usize,
    /// CAUCE_INTEROP_LIMIT: seconds that one connection may take.
    pub limit: Duration,
    /// CAUCE_INTEROP_ONLY: the numbers of the only connections to run, separated by commas.
    pub only: Option<Vec<usize>>,
    /// CAUCE_INTEROP_PCAP: a directory for one capture a lane, taken at our end.
    pub pcap: Option<std::path::PathBuf>,
}

impl Settings {
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(format!("CAUCE_INTEROP_{name}")).ok();
        let number = |name: &str| {
            let value = text(name)?;
            Some(value.parse::<u64>().unwrap_or_else(|_| panic!("CAUCE_INTEROP_{name}={value}: no number")))
        };
        let drawn = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
        Settings {
            seed: number("SEED").unwrap_or_else(drawn),
            connections: number("CONNECTIONS").unwrap_or(100) as usize,
            at_once: number("AT_ONCE").unwrap_or(50).max(1) as usize,
            limit: Duration::from_secs(number("LIMIT").unwrap_or(240)),
            only: text("ONLY").map(|list| list.split(',').map(|n| n.parse().expect("a number")).collect()),
            pcap: text("PCAP").map(Into::into),
        }
    }
}

/// One path between the two: a TUN of the kernel's, a bridge, a stack of ours.
#[derive(Clone, Debug)]
pub struct LanePlan {
    pub index: usize,
    /// The kernel's TUN hands over and takes super-packets and unfinished checksums.
    pub kernel_offload: bool,
    /// So does our end.
    pub our_offload: bool,
    /// Our end coalesces what arrives (when it does not offload).
    pub our_gro: bool,
    /// From the kernel to us, and back.
    pub links: [LinkOptions; 2],
    pub faults: [FaultOptions; 2],
    pub sack: bool,
    pub timestamps: bool,
    pub window_scaling: bool,
    pub congestion: &'static str,
}

/// What one side of a connection does.
#[derive(Clone, Debug)]
pub struct Half {
    /// Bytes to send.
    pub bytes: usize,
    /// Bytes a write at most, and a read.
    pub write: usize,
    pub read: usize,
    /// Rests this long after a read, one read in four.
    pub rest: Duration,
    /// SO_RCVBUF.
    pub receive_buffer: Option<usize>,
    pub nodelay: bool,
    /// Sends nothing before the other side has ended its stream.
    pub answers: bool,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Plan {
    pub index: usize,
    pub lane: usize,
    pub v6: bool,
    /// Our side connects; otherwise the kernel's does.
    pub we_connect: bool,
    pub ours: Half,
    pub kernels: Half,
}

const KIB: u64 = 1 << 10;
/// The longest transfer of one direction.
pub const MOST: u64 = 256 * KIB;

/// Random streams of the seed.
const LANE_STREAM: u64 = 1 << 40;
const PLAN_STREAM: u64 = 2 << 40;
const PAYLOAD_STREAM: u64 = 3 << 40;

/// A number between the two whose logarithm is uniform, so that small ones are not rare.
fn spread(rng: &mut LabRng, low: u64, high: u64) -> u64 {
    let fraction = rng.below(1 << 20) as f64 / f64::from(1 << 20);
    let value = low as f64 * ((high + 1) as f64 / low as f64).powf(fraction);
    (value as u64).clamp(low, high)
}

fn one_in(rng: &mut LabRng, n: u64) -> bool {
    rng.below(n) == 0
}

impl LanePlan {
    /// Lanes 0 to 5 of each eight have no fault or one fault alone, at its worst; the sixth has all of them
    /// at their worst but the delay, and the seventh a random mixture.
    pub fn new(seed: u64, index: usize) -> Self {
        let mut rng = LabRng::new(seed, LANE_STREAM + index as u64);
        let mut lane = LanePlan {
            index,
            kernel_offload: index.is_multiple_of(2),
            our_offload: rng.below(2) == 0,
            our_gro: rng.below(2) == 0,
            links: [LinkOptions::default(); 2],
            faults: [FaultOptions::default(); 2],
            sack: !one_in(&mut rng, 6),
            timestamps: !one_in(&mut rng, 6),
            window_scaling: !one_in(&mut rng, 8),
            congestion: if one_in(&mut rng, 4) { "reno" } else { "cubic" },
        };
        for way in 0..2 {
            lane.draw_way(way, &mut rng);
        }
        lane
    }

    fn draw_way(&mut self, way: usize, rng: &mut LabRng) {
        let (link, faults) = (&mut self.links[way], &mut self.faults[way]);
        let millis = |rng: &mut LabRng, low, high| Duration::from_millis(spread(rng, low, high));
        link.delay = millis(rng, 1, 30);
        faults.reorder_delay = millis(rng, 1, 20);
        let up_to =
            |rng: &mut LabRng, percent: f64| Probability::percent(percent * rng.below(1001) as f64 / 1000.0);
        match self.index % 8 {
            0 => faults.loss = Probability::percent(10.0),
            1 => faults.reorder = Probability::percent(25.0),
            2 => faults.duplication = Probability::percent(25.0),
            3 => faults.corruption = Probability::percent(10.0),
            4 => link.delay = Duration::from_millis(300),
            5 => {}
            6 => {
                link.delay = millis(rng, 1, 100);
                faults.loss = Probability::percent(10.0);
                faults.reorder = Probability::percent(25.0);
                faults.duplication = Probability::percent(10.0);
                faults.corruption = Probability::percent(2.0);
            }
            _ => {
                link.delay = millis(rng, 1, 300);
                link.rate = one_in(rng, 2).then(|| spread(rng, 5_000_000, 100_000_000));
                // Enough to wait for 200 ms.
                link.queue = link.rate.map_or(link.queue, |rate| QueueLimit::bytes(rate / 8 / 5));
                faults.loss = up_to(rng, 10.0);
                faults.reorder = up_to(rng, 25.0);
                faults.duplication = up_to(rng, 10.0);
                faults.corruption = up_to(rng, 4.0);
                faults.jitter = Duration::from_micros(spread(rng, 1, 20_000));
                faults.jitter_reorders = one_in(rng, 2);
            }
        }
    }
}

impl Half {
    fn draw(rng: &mut LabRng) -> Self {
        let bytes = if one_in(rng, 4) { rng.between(1, MOST) } else { spread(rng, 1, MOST) };
        Half {
            bytes: bytes as usize,
            write: spread(rng, bytes.div_ceil(200), 64 * KIB) as usize,
            read: spread(rng, 512, 64 * KIB) as usize,
            rest: Duration::from_millis(if one_in(rng, 3) { spread(rng, 1, 60) } else { 0 }),
            receive_buffer: one_in(rng, 4).then(|| spread(rng, 4 * KIB, 64 * KIB) as usize),
            nodelay: one_in(rng, 3),
            answers: false,
        }
    }
}

impl Plan {
    pub fn new(seed: u64, index: usize, lanes: usize) -> Self {
        let mut rng = LabRng::new(seed, PLAN_STREAM + index as u64);
        let mut plan = Plan {
            index,
            lane: index % lanes,
            v6: rng.below(2) == 0,
            we_connect: rng.below(2) == 0,
            ours: Half::draw(&mut rng),
            kernels: Half::draw(&mut rng),
        };
        let answers = one_in(&mut rng, 3);
        if plan.we_connect { &mut plan.kernels } else { &mut plan.ours }.answers = answers;
        plan
    }

    /// What our side sends, or the kernel's.
    pub fn payload(&self, seed: u64, from_us: bool) -> Vec<u8> {
        let mut rng = LabRng::new(seed, PAYLOAD_STREAM + 2 * self.index as u64 + u64::from(from_us));
        let bytes = if from_us { self.ours.bytes } else { self.kernels.bytes };
        let mut payload: Vec<u8> = std::iter::repeat_with(|| rng.next_u64().to_le_bytes())
            .take(bytes.div_ceil(8))
            .flatten()
            .collect();
        payload.truncate(bytes);
        payload
    }
}
