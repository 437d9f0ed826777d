//! A sender without bytes: positions are counted in segments of 1000.

use std::vec::Vec;

use crate::congestion::window::Usage;
use crate::congestion::{self, Congestion};
use crate::counters::{Counter, Counters};
use crate::recovery::{
    AckInput, AckSummary, Env, Phase, Recovery, RecoveryTimer, Retransmit, SenderState, Settings, TimerAction,
};
use crate::send::retransmit_queue::{Control, Counts, Marks};
use crate::time::{Duration, Instant};

pub const ISS: u64 = 1 << 32;
pub const MSS: u32 = 1000;

/// The offset of a segment's first byte.
pub fn at(segment: u64) -> u64 {
    ISS + segment * u64::from(MSS)
}

pub struct Bench {
    pub rec: Recovery,
    pub cc: Congestion,
    pub counters: Counters,
    pub settings: Settings,
    pub now: Instant,
    pub una: u64,
    pub nxt: u64,
    /// Segments that the application still has to send.
    pub unsent: u64,
    pub timestamps: bool,
    /// Segments of a super-segment.
    pub burst: u64,
    /// What was sent since the last look: first segment, count, sent again.
    pub sent: Vec<(u64, u64, bool)>,
}

impl Bench {
    /// A connection with SACK, an initial window of 10, and an RTT of 100 ms measured.
    pub fn new() -> Self {
        let now = Instant::from_secs(1);
        let settings = Settings::default();
        let mut rec = Recovery::new(&settings);
        rec.set_sack(true);
        let mut counters = Counters::new();
        let env = Env { now, settings, counters: &mut counters };
        rec.on_established(Some(100_000), ISS, ISS, &env);
        let reno = congestion::by_name("reno").unwrap();
        let mut cc = Congestion::new(10, reno, now);
        cc.start(&rec.view(now, ISS, ISS, MSS, false));
        Bench {
            rec,
            cc,
            counters,
            settings,
            now,
            una: ISS,
            nxt: ISS,
            unsent: 0,
            timestamps: false,
            burst: 1,
            sent: Vec::new(),
        }
    }

    pub fn without_sack() -> Self {
        let mut bench = Bench::new();
        bench.rec.set_sack(false);
        bench
    }

    pub fn with_timestamps(mut self) -> Self {
        self.timestamps = true;
        self
    }

    /// The application writes segments; what the window allows goes out.
    pub fn write(&mut self, segments: u64) -> &mut Self {
        self.unsent += segments;
        self.output();
        self
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.now += Duration::from_millis(ms);
        self
    }

    /// Time passes, but no deadline.
    pub fn advance(&mut self, ms: u64) {
        let then = self.now + Duration::from_millis(ms);
        self.now = self.rec.deadline().map_or(then, |(deadline, _)| then.min(deadline));
    }

    /// A cumulative ACK up to `segment`.
    pub fn ack(&mut self, segment: u64) -> AckSummary {
        self.ack_with(segment, &[], None)
    }

    /// With SACK blocks, in segments.
    pub fn sack(&mut self, segment: u64, blocks: &[(u64, u64)]) -> AckSummary {
        self.ack_with(segment, blocks, None)
    }

    /// With SACK blocks and the echo of a segment sent at `echo`.
    pub fn ack_with(&mut self, segment: u64, blocks: &[(u64, u64)], echo: Option<Instant>) -> AckSummary {
        let blocks: Vec<_> = blocks.iter().map(|&(from, to)| (at(from), at(to))).collect();
        let ack = AckInput {
            ack: at(segment),
            prior_una: self.una,
            snd_nxt: self.nxt,
            sack: &blocks,
            tsecr: echo.filter(|_| self.timestamps).map(|echo| echo.as_millis() as u32),
            ts_now: self.now.as_millis() as u32,
            mss: MSS,
            max_window: 1 << 20,
            can_send_new: self.unsent > 0,
            cwnd_limited: self.cc.is_cwnd_limited(),
            ..AckInput::default()
        };
        self.una = self.una.max(ack.ack);
        let mut env = Env { now: self.now, settings: self.settings, counters: &mut self.counters };
        let s = self.rec.on_ack(&ack, &mut env, &mut self.cc);
        self.audit();
        let counts = s.counts(false);
        let sample = self.cc.rate.sample(&counts, &s.delivery, self.rec.min_rtt_us(), s.reneging, self.now);
        let view = self.rec.view(self.now, self.una, self.nxt, MSS, self.cc.is_cwnd_limited());
        self.cc.on_ack(&counts, &sample, &view, &congestion::Settings::default());
        self.output();
        s
    }

    /// Lets the armed timer run out.
    pub fn expire(&mut self) -> RecoveryTimer {
        let (deadline, timer) = self.rec.deadline().expect("a timer is armed");
        assert!(deadline >= self.now, "a deadline in the past");
        self.now = deadline;
        let state = self.state();
        let mut env = Env { now: self.now, settings: self.settings, counters: &mut self.counters };
        let action = self.rec.on_timer(timer, &state, &mut env, &mut self.cc);
        self.audit();
        match action {
            TimerAction::None => {}
            TimerAction::Retransmit => self.output(),
            TimerAction::Probe => self.probe(),
        }
        timer
    }

    pub fn state(&self) -> SenderState {
        SenderState {
            snd_una: self.una,
            snd_nxt: self.nxt,
            mss: MSS,
            established: true,
            ..SenderState::default()
        }
    }

    fn probe(&mut self) {
        if self.unsent > 0 {
            self.send_new(1);
            let mut env = Env { now: self.now, settings: self.settings, counters: &mut self.counters };
            self.rec.on_probe_sent(self.nxt, &mut env);
        } else if let Some(probe) = self.rec.tail_probe(MSS) {
            self.resend(probe);
        }
        self.audit();
    }

    fn resend(&mut self, r: Retransmit) {
        self.sent.push(((r.start - ISS) / u64::from(MSS), r.segments.into(), true));
        let stamp = self.cc.rate.stamp(self.now, self.rec.packets_out());
        let mut env = Env { now: self.now, settings: self.settings, counters: &mut self.counters };
        self.rec.on_retransmitted(&r, stamp, &mut env);
        self.cc.on_retransmitted(r.segments);
        self.audit();
    }

    fn send_new(&mut self, segments: u64) {
        self.unsent -= segments;
        self.sent.push(((self.nxt - ISS) / u64::from(MSS), segments, false));
        let end = self.nxt + segments * u64::from(MSS);
        let stamp = self.cc.rate.stamp(self.now, self.rec.packets_out());
        let env = Env { now: self.now, settings: self.settings, counters: &mut self.counters };
        self.rec.on_sent(self.nxt, end, MSS, Control::NONE, stamp, &env);
        self.cc.on_sent(segments as u32);
        self.nxt = end;
    }

    /// Sends what the window allows, lost data first.
    pub fn output(&mut self) {
        while let Some(r) = self.rec.next_retransmit(self.cc.cwnd(), u64::MAX, MSS, 44, &|_| true) {
            self.resend(r);
        }
        loop {
            let room = u64::from(self.cc.cwnd().saturating_sub(self.rec.in_flight()));
            let segments = room.min(self.unsent).min(self.burst);
            if segments == 0 {
                break;
            }
            self.send_new(segments);
        }
        if self.rec.wants_new_data() {
            self.rec.has_no_new_data();
            self.output();
        }
        let in_flight = self.rec.in_flight();
        let usage = Usage {
            is_cwnd_limited: in_flight >= self.cc.cwnd(),
            send_buffer_full: false,
            rto: self.rec.rto().as_duration(),
        };
        let view = self.rec.view(self.now, self.una, self.nxt, MSS, self.cc.is_cwnd_limited());
        self.cc.validate(&view, &usage, &congestion::Settings::default());
        self.audit();
    }

    /// What was sent since the last look: `(first segment, count, sent again)`.
    pub fn take_sent(&mut self) -> Vec<(u64, u64, bool)> {
        std::mem::take(&mut self.sent)
    }

    /// The segments sent again since the last look; new data is forgotten.
    pub fn take_resent(&mut self) -> Vec<u64> {
        let sent = self.take_sent();
        sent.iter().filter(|sent| sent.2).flat_map(|sent| sent.0..sent.0 + sent.1).collect()
    }

    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }

    pub fn phase(&self) -> Phase {
        self.rec.phase()
    }

    /// The counters are what a recount of the marks gives, and hold together.
    pub fn audit(&self) {
        let Some(queue) = self.rec.queue() else {
            assert_eq!(self.rec.deadline(), None);
            return;
        };
        let mut recount = Counts::default();
        let mut last = 0;
        for record in queue.iter() {
            assert!(record.start < record.end && record.start >= last, "records overlap");
            last = record.end;
            let n = record.segments();
            recount.packets_out += n;
            recount.sacked_out += if record.is(Marks::SACKED) { n } else { 0 };
            recount.lost_out += if record.is(Marks::LOST) { n } else { 0 };
            recount.retrans_out += if record.is(Marks::RETRANS) { n } else { 0 };
            recount.awaiting += if record.awaits_retransmission() { n } else { 0 };
            assert!(!record.marks().contains(Marks::SACKED.with(Marks::LOST)));
        }
        let counts = queue.counts;
        if recount.sacked_out == 0 {
            recount.sacked_out = counts.sacked_out;
        }
        assert_eq!(counts, recount);
        assert!(counts.sacked_out + counts.lost_out <= counts.packets_out, "{counts:?}");
        assert_eq!(queue.is_empty(), self.rec.deadline().is_none(), "armed exactly while something is out");
        if queue.is_empty() {
            assert_eq!(counts, Counts::default());
        }
    }
}
