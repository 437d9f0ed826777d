//! The receiver as a whole, driven as the arrival of segments and the user's calls drive it.

use super::*;
use crate::counters::{Counter, Counters};
use crate::drop_reason::DropReason;
use crate::stack::memory::Memory;
use crate::stack::rate_limit::ChallengeAcks;
use crate::sysctl::Sysctls;
use crate::time::Duration;
use crate::trace::Trace;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use cauce_wire::Flags;

const MSS: usize = 1448;
const IRS: u64 = (1 << 32) + 1000;

/// A receiver with the accounts around it.
struct Rig {
    rx: Receiver,
    now: Instant,
    sysctl: Sysctls,
    counters: Counters,
    memory: Memory,
    trace: Trace,
    rng: fn() -> u64,
    path: PathTimes,
}

fn config(rcvbuf: u32, sysctl: &Sysctls) -> ReceiverConfig {
    let request =
        WindowRequest { rcvbuf, rcvbuf_locked: false, clamp: 0, mss: MSS as u16, scaling: true, initrwnd: 0 };
    ReceiverConfig {
        rcvbuf,
        rcvbuf_locked: false,
        initial: initial_window(&request, sysctl),
        mss: MSS as u16,
        peer_mss: MSS as u16,
        timestamps: true,
        sack: true,
        user_clamp: 0,
        low_water: 1,
        adv_win_scale: false,
    }
}

impl Rig {
    fn new() -> Rig {
        Rig::with(Sysctls::default(), |_| {})
    }

    fn with(sysctl: Sysctls, change: impl FnOnce(&mut ReceiverConfig)) -> Rig {
        let mut config = config(sysctl.tcp_rmem[1] as u32, &sysctl);
        change(&mut config);
        let (mut counters, mut memory) = (Counters::new(), Memory::new([1 << 20, 1 << 21, 1 << 22]));
        let (mut trace, now) = (Trace::off(), Instant::from_secs(1));
        let mut rng: fn() -> u64 = || 7;
        let cx = Context {
            now,
            sysctl: &sysctl,
            counters: &mut counters,
            rng: &mut rng,
            memory: &mut memory,
            trace: &mut trace,
            journal: &mut Default::default(),
            replies: &mut VecDeque::new(),
            challenges: &mut ChallengeAcks::default(),
            destinations: &mut Default::default(),
            black_hole: &mut Default::default(),
        };
        let rx = Receiver::new(IRS, &config, &cx);
        let path = PathTimes {
            srtt_us: 0,
            rto_us: 1_000_000,
            rto_min_us: 200_000,
            delack_max_us: 200_000,
            quickack: false,
        };
        Rig { rx, now, sysctl, counters, memory, trace, rng, path }
    }

    fn run<T>(&mut self, call: impl FnOnce(&mut Receiver, &PathTimes, &mut Context<'_>) -> T) -> T {
        let mut cx = Context {
            now: self.now,
            sysctl: &self.sysctl,
            counters: &mut self.counters,
            rng: &mut self.rng,
            memory: &mut self.memory,
            trace: &mut self.trace,
            journal: &mut Default::default(),
            replies: &mut VecDeque::new(),
            challenges: &mut ChallengeAcks::default(),
            destinations: &mut Default::default(),
            black_hole: &mut Default::default(),
        };
        call(&mut self.rx, &self.path, &mut cx)
    }

    fn after(&mut self, micros: u64) -> &mut Rig {
        self.now += Duration::from_micros(micros);
        self
    }

    /// Text at `at` bytes behind the SYN, its bytes determined by their place in the stream.
    fn arrive_as(&mut self, at: u64, len: usize, flags: Flags, truesize: u32) -> TextOutcome {
        self.arrive_with(at, len, flags, truesize, 0)
    }

    /// As a segment whose buffer has room for `spare` bytes that follow.
    fn arrive_in(&mut self, at: u64, len: usize, truesize: u32, spare: u16) -> TextOutcome {
        self.arrive_with(at, len, Flags::ACK | Flags::PSH, truesize, spare)
    }

    fn arrive_with(&mut self, at: u64, len: usize, flags: Flags, truesize: u32, spare: u16) -> TextOutcome {
        let bytes: Vec<u8> = (at..at + len as u64).map(byte_at).collect();
        let payload = Payload { head: Bytes::from(bytes), rest: vec![], truesize, spare };
        let segment =
            TextSegment { seq: IRS + 1 + at, payload, flags, options_len: 12, segments: 1, segment_size: 0 };
        self.run(|rx, path, cx| rx.text(segment, path, cx))
    }

    fn arrive(&mut self, at: u64, len: usize) -> TextOutcome {
        self.arrive_as(at, len, Flags::ACK, 2 * len as u32)
    }

    fn decide(&mut self) -> AckDecision {
        self.run(|rx, path, cx| rx.ack_decision(path, cx))
    }

    /// Sends what is owed at once. Returns the blocks, relative to the first byte, if something was.
    fn reply(&mut self) -> Option<Vec<(u64, u64)>> {
        (self.decide() == AckDecision::Now).then(|| self.acknowledge())
    }

    fn acknowledge(&mut self) -> Vec<(u64, u64)> {
        let blocks = self.run(|rx, _, cx| {
            let edge = rx.right_edge();
            let field = rx.window_field(cx);
            assert!(rx.right_edge() >= edge || field == 0, "P-056: nothing is taken back but everything");
            let blocks = rx.sack_blocks(4);
            rx.ack_sent(cx);
            blocks
        });
        blocks.iter().map(|block| (block.0 - IRS - 1, block.1 - IRS - 1)).collect()
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let mut buffer = vec![0; count];
        let got = self.run(|rx, _, cx| rx.read_into(&mut buffer, None, cx));
        buffer.truncate(got);
        buffer
    }

    fn update_due(&mut self, copied: usize) -> bool {
        self.run(|rx, _, cx| rx.window_update_due(copied, cx))
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }
}

fn byte_at(offset: u64) -> u8 {
    (offset ^ (offset >> 8) ^ (offset >> 16)) as u8
}

mod acks;
mod stream;
mod windows;
