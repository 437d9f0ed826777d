//! Losses, and how they are found and repaired.

use std::vec;
use std::vec::Vec;

use super::bench::{Bench, MSS, at};
use crate::counters::Counter;
use crate::recovery::{AckInput, Env, Phase, Recovery, RecoveryTimer, Settings, TimerAction};
use crate::time::{Duration, Instant};

/// P-084, P-086: without SACK the third duplicate ACK resends the head; the first two let new data out.
#[test]
fn third_duplicate_ack() {
    let mut b = Bench::without_sack();
    b.write(20).wait(100);
    b.take_sent();
    for new in [10, 11] {
        b.ack(0);
        assert_eq!((b.phase(), b.take_sent()), (Phase::Disorder, vec![(new, 1, false)]));
    }
    let s = b.ack(0);
    assert_eq!((s.phase_before, s.phase_after), (Phase::Disorder, Phase::Recovery));
    assert_eq!(b.take_resent(), [0]);
    assert_eq!(b.cc.ssthresh(), 5);
    assert_eq!(b.counted(Counter::TCPRenoRecovery), 1);
    assert_eq!(b.counted(Counter::TCPFastRetrans), 1);
}

/// S-35: the threshold is `tcp_reordering`, with and without SACK, when RACK is off.
#[test]
fn duplicate_threshold_is_the_setting() {
    for (sack, threshold) in [(false, 1), (false, 6), (true, 1), (true, 3), (true, 6)] {
        let mut b = Bench::new();
        b.settings = Settings { recovery: 0, reordering: threshold, ..Settings::default() };
        b.rec = Recovery::new(&b.settings);
        b.rec.set_sack(sack);
        b.write(10).wait(100);
        b.take_sent();
        for nth in 1..=u64::from(threshold) {
            assert_eq!(b.take_resent(), [], "threshold {threshold}");
            if sack {
                b.sack(0, &[(1, 1 + nth)]);
            } else {
                b.ack(0);
            }
        }
        assert_eq!(b.take_resent(), [0], "threshold {threshold}");
    }
}

/// P-087, N-34: NewReno repairs one hole per round trip, with one reduction and no time-out.
#[test]
fn newreno_partial_acks() {
    let mut b = Bench::without_sack();
    b.cc.set_initial_window(20);
    b.write(20).wait(100);
    // Lost: 1, 4, 7. Segment 0 arrives; seventeen others make duplicate ACKs.
    b.ack(1);
    b.take_sent();
    for _ in 0..16 {
        b.ack(1);
    }
    assert_eq!(b.take_resent(), [1]);
    for (ack, hole) in [(4, Some(4)), (7, Some(7)), (20, None)] {
        b.wait(100);
        let s = b.ack(ack);
        assert!(!s.is_dup);
        assert_eq!(b.take_resent(), Vec::from_iter(hole));
    }
    assert_eq!(b.counted(Counter::TCPTimeouts), 0);
    assert_eq!(b.counted(Counter::TCPRenoRecovery), 1);
    assert_eq!(b.cc.ssthresh(), 10);
    assert_eq!(b.rec.total_retrans(), 3);
}

/// P-094: losses 1 and 6 of 20 are each resent once, in one round trip.
#[test]
fn two_holes_with_sack() {
    let mut b = Bench::new();
    b.cc.set_initial_window(20);
    b.write(20).wait(100);
    b.ack(1);
    b.take_sent();
    b.sack(1, &[(2, 3)]);
    b.sack(1, &[(2, 4)]);
    b.sack(1, &[(2, 5)]);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Recovery, vec![1]));
    b.sack(1, &[(2, 6)]);
    for end in 8..=20 {
        b.sack(1, &[(7, end), (2, 6)]);
    }
    assert_eq!(b.take_resent(), [6]);
    b.wait(100);
    b.sack(6, &[(7, 20)]);
    b.ack(20);
    assert_eq!((b.rec.total_retrans(), b.counted(Counter::TCPTimeouts)), (2, 0));
    assert_eq!(b.phase(), Phase::Open);
}

/// P-096: RACK waits for the reordering window where fewer than three are SACKed, then marks.
#[test]
fn rack_waits_for_the_window() {
    let mut b = Bench::new();
    b.write(5).wait(100);
    b.take_sent();
    b.sack(0, &[(1, 3)]);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Disorder, vec![]));
    let (deadline, timer) = b.rec.deadline().unwrap();
    // A quarter of the minimum RTT of 100 ms, and the timer's slack of 2 ms.
    assert_eq!((deadline.since(b.now), timer), (Duration::from_millis(27), RecoveryTimer::Reo));
    assert_eq!(b.expire(), RecoveryTimer::Reo);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Recovery, vec![0]));
    assert_eq!(b.rec.deadline().unwrap().1, RecoveryTimer::Rto);
}

/// P-096: the tail of a flight is probed after two round trips; the answer shows what else was lost.
#[test]
fn tail_loss_is_probed() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    b.take_sent();
    b.ack(7);
    let (deadline, timer) = b.rec.deadline().unwrap();
    assert_eq!((deadline.since(b.now), timer), (Duration::from_micros(202_000), RecoveryTimer::Tlp));
    b.expire();
    assert_eq!(b.take_sent(), [(9, 1, true)]);
    assert_eq!(b.counted(Counter::TCPLossProbes), 1);
    assert_eq!(b.phase(), Phase::Open);
    b.wait(100);
    b.sack(7, &[(9, 10)]);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Recovery, vec![7]));
    b.wait(100);
    b.sack(8, &[(9, 10)]);
    assert_eq!(b.take_resent(), [8], "one for each delivered");
    b.wait(100);
    b.ack(10);
    assert_eq!(b.counted(Counter::TCPTimeouts), 0);
}

/// A probe that repaired the only loss leaves no other trace: the window is reduced once.
#[test]
fn probe_repairs_a_lost_tail() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    b.ack(9);
    let before = b.cc.cwnd();
    b.expire();
    b.wait(100);
    b.ack(10);
    assert_eq!(b.counted(Counter::TCPLossProbeRecovery), 0, "not before something newer is acknowledged");
    b.write(1).wait(100);
    let s = b.ack(11);
    assert!(s.reduced);
    assert_eq!(b.counted(Counter::TCPLossProbeRecovery), 1);
    assert!(b.cc.cwnd() <= before / 2 + 1, "{} of {before}", b.cc.cwnd());
}

/// A probe whose original had arrived is reported by D-SACK, or by a plain duplicate ACK: no reduction.
#[test]
fn needless_probe_costs_nothing() {
    for dsack in [true, false] {
        let mut b = Bench::new();
        b.write(10).wait(100);
        b.ack(9);
        b.expire();
        b.wait(1);
        b.ack(10);
        let cwnd = b.cc.cwnd();
        b.wait(100);
        let s = if dsack { b.sack(10, &[(9, 10)]) } else { b.ack(10) };
        assert_eq!(s.dsack, dsack);
        b.write(1).wait(100);
        b.ack(11);
        assert_eq!(b.counted(Counter::TCPLossProbeRecovery), 0);
        assert!(b.cc.cwnd() >= cwnd);
        assert_eq!(b.rec.dsack_dups(), u32::from(dsack));
    }
}

/// With unsent data the probe is new data.
#[test]
fn probe_with_new_data() {
    let mut b = Bench::new();
    b.write(12);
    b.take_sent();
    assert_eq!(b.expire(), RecoveryTimer::Tlp);
    assert_eq!(b.take_sent(), [(10, 1, false)]);
    assert_eq!(b.expire(), RecoveryTimer::Rto);
}

/// P-062, P-088, P-061: the time-out resends the head alone, doubles, and the back-off stays until a
/// valid sample.
#[test]
fn time_out_backs_off() {
    let mut b = Bench::without_sack();
    b.write(5);
    b.take_sent();
    let rto = b.rec.rto().as_duration();
    assert_eq!(rto, Duration::from_millis(300));
    let start = b.now;
    for (nth, total) in [(1, 300), (2, 900), (3, 2100)] {
        assert_eq!(b.expire(), RecoveryTimer::Rto);
        assert_eq!(b.now.since(start), Duration::from_millis(total));
        assert_eq!(b.take_sent(), [(0, 1, true)]);
        assert_eq!((b.rec.retransmits(), b.rec.backoff()), (nth, nth));
        assert_eq!((b.cc.cwnd(), b.phase()), (1, Phase::Loss));
    }
    assert_eq!(b.rec.rto_totals().0, 3);
    let srtt = b.rec.srtt_us();
    b.wait(50);
    b.ack(1);
    assert_eq!((b.rec.srtt_us(), b.rec.backoff()), (srtt, 3), "Karn: no sample from a retransmission");
    assert_eq!(b.rec.rto().as_duration(), Duration::from_millis(2400));
    assert_eq!(b.rec.retransmits(), 0);
    b.wait(50);
    b.ack(5);
    b.write(1).wait(80);
    b.ack(6);
    assert_eq!(b.rec.backoff(), 0);
    assert!(b.rec.rto().as_duration() < Duration::from_millis(400));
}

/// N-08: from 200 ms, the first time-out at or after the sixteenth is 924.6 s away.
#[test]
fn dead_link() {
    let mut b = Bench::without_sack();
    b.rec = Recovery::new(&b.settings);
    let env = Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    b.rec.on_established(Some(1), at(0), at(0), &env);
    b.write(1);
    let start = b.now;
    while b.rec.retransmits() < 15 {
        b.expire();
    }
    let last = b.rec.deadline().unwrap().0.since(start);
    assert!(last >= Duration::from_millis(924_600) && last < Duration::from_millis(930_000), "{last:?}");
}

/// P-115: with timestamps a retransmission gives a sample.
#[test]
fn timestamps_disambiguate() {
    let mut b = Bench::without_sack().with_timestamps();
    b.write(1);
    b.expire();
    let resent_at = b.now;
    b.wait(40);
    let s = b.ack_with(1, &[], Some(resent_at));
    assert_eq!(s.rtt_us, Some(40_000));
    assert_eq!(b.rec.backoff(), 0);
}

/// P-092: an ACK that ends in front of SACKed data: after a short wait all of it counts as lost.
#[test]
fn reneging() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    b.sack(0, &[(3, 10)]);
    b.wait(100);
    b.take_sent();
    b.sack(3, &[]);
    let (deadline, timer) = b.rec.deadline().unwrap();
    assert_eq!(timer, RecoveryTimer::Rto);
    assert_eq!(deadline.since(b.now), Duration::from_micros(u64::from(b.rec.srtt_us()) / 2));
    b.expire();
    assert_eq!(b.counted(Counter::TCPSACKReneging), 1);
    assert_eq!(b.take_resent(), [3]);
    assert_eq!((b.rec.sacked_out(), b.phase()), (0, Phase::Loss));
    b.wait(100);
    b.ack(10);
    assert_eq!(b.rec.in_flight(), 0);
}

/// A super-segment is split where SACK and the window ask for it.
#[test]
fn super_segments_are_split() {
    let mut b = Bench::new();
    b.burst = 10;
    b.write(10).wait(100);
    assert_eq!(b.take_sent(), [(0, 10, false)]);
    b.sack(0, &[(1, 4), (5, 9)]);
    assert_eq!((b.rec.sacked_out(), b.rec.lost_out()), (7, 2));
    assert_eq!(b.take_resent(), [0, 4]);
    assert_eq!(b.rec.queue().unwrap().len(), 5);
    // Half a segment is no segment.
    let mut b = Bench::new();
    b.burst = 10;
    b.write(10).wait(100);
    let blocks = [(at(1) + 500, at(3) + 500)];
    let ack = AckInput {
        ack: at(0),
        prior_una: at(0),
        snd_nxt: at(10),
        sack: &blocks,
        mss: MSS,
        max_window: 1 << 20,
        ..AckInput::default()
    };
    let mut env = Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    b.rec.on_ack(&ack, &mut env, &mut b.cc);
    assert_eq!(b.rec.sacked_out(), 1);
    b.audit();
}

/// Blocks that make no sense are counted and change nothing.
#[test]
fn bad_blocks_are_refused() {
    for block in [(5, 5), (7, 4), (0, 3), (8, 11), (12, 14)] {
        let mut b = Bench::new();
        b.write(10).wait(100);
        b.sack(0, &[block]);
        assert_eq!(b.rec.sacked_out(), 0, "{block:?}");
        assert_eq!(b.counted(Counter::TCPSACKDiscard), 1, "{block:?}");
    }
}

/// A retransmission that is lost as well is found by what was sent after it.
#[test]
fn lost_retransmission() {
    let mut b = Bench::new();
    b.write(30).wait(100);
    b.sack(0, &[(1, 10)]);
    assert_eq!(b.take_resent(), [0]);
    b.wait(100);
    // New data sent after the retransmission arrives, the head does not.
    b.sack(0, &[(1, 12)]);
    b.wait(30);
    b.sack(0, &[(1, 13)]);
    assert_eq!(b.take_resent(), [0]);
    assert_eq!(b.counted(Counter::TCPLostRetransmit), 1);
}

/// A smaller path MTU: what is too large is sent again in smaller pieces, without a reduction.
#[test]
fn smaller_mtu() {
    let mut b = Bench::new();
    b.write(4);
    b.take_sent();
    let cwnd = b.cc.cwnd();
    let state = b.state();
    let mut env = Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    b.rec.mtu_reduced(500, &state, &mut env, &mut b.cc);
    b.audit();
    assert_eq!((b.rec.lost_out(), b.rec.in_flight(), b.cc.cwnd()), (4, 0, cwnd));
    let r = b.rec.next_retransmit(cwnd, u64::MAX, 500, 44, &|_| false).unwrap();
    assert_eq!((r.start, r.end, r.segments), (at(0), at(1), 2));
    b.audit();
}

/// Retransmissions respect the peer's window; the head alone goes out as a probe of it.
#[test]
fn shrunken_window() {
    let mut b = Bench::new();
    b.write(10);
    b.wait(100);
    let ack = b.sack(0, &[(4, 10)]);
    assert!(ack.newly_lost > 0);
    let mut fresh = Bench::new();
    fresh.write(3);
    let state = fresh.state();
    let mut env = Env { now: fresh.now, settings: fresh.settings, counters: &mut fresh.counters };
    fresh.rec.mtu_reduced(900, &state, &mut env, &mut fresh.cc);
    let head = fresh.rec.next_retransmit(10, at(0), 900, 44, &|_| false).unwrap();
    assert_eq!((head.start, head.end), (at(0), at(0) + 900));
    let stamp = Default::default();
    let mut env = Env { now: fresh.now, settings: fresh.settings, counters: &mut fresh.counters };
    fresh.rec.on_retransmitted(&head, stamp, &mut env);
    assert_eq!(fresh.rec.next_retransmit(10, at(0) + 900, 900, 44, &|_| false), None);
    let rest = fresh.rec.next_retransmit(10, at(1), 900, 44, &|_| false).unwrap();
    assert_eq!((rest.start, rest.end), (at(0) + 900, at(1)));
}

/// A time-out while the window is closed backs off without being counted.
#[test]
fn closed_window_is_probed() {
    let mut b = Bench::new();
    b.write(3);
    let state = b.state();
    let rto = b.rec.rto().as_duration();
    let mut env = Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    let action = b.rec.on_rto_of_closed_window(&state, &mut env, &mut b.cc);
    assert_eq!(action, TimerAction::Retransmit);
    assert_eq!((b.rec.rto().as_duration(), b.rec.retransmits(), b.rec.backoff()), (2 * rto, 0, 0));
    assert_eq!(b.counted(Counter::TCPTimeouts), 0);
    let head = b.rec.next_retransmit(b.cc.cwnd(), at(0), MSS, 44, &|_| false);
    assert_eq!(head.map(|head| (head.start, head.segments)), Some((at(0), 1)));
}

/// Nothing outstanding, nothing allocated; and the permanent part is small.
#[test]
fn compact() {
    assert!(size_of::<Recovery>() <= 128, "{}", size_of::<Recovery>());
    let mut b = Bench::new();
    b.write(10).wait(100);
    assert!(b.rec.queue().is_some());
    b.ack(10);
    assert!(b.rec.queue().is_none() && b.rec.deadline().is_none());
    assert_eq!(b.rec.retrans_stamp(), None::<Instant>);
}

/// RFC 6298 5.7: a handshake without a valid sample leaves 3 s.
#[test]
fn fallback_after_an_ambiguous_handshake() {
    let mut b = Bench::new();
    b.rec = Recovery::new(&b.settings);
    assert_eq!(b.rec.rto().as_duration(), Duration::from_secs(1));
    let env = Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    b.rec.on_established(None, at(0), at(0), &env);
    assert_eq!(b.rec.rto().as_duration(), Duration::from_secs(3));
}
