//! Recoveries that prove needless.

use std::vec;

use super::bench::Bench;
use crate::counters::Counter;
use crate::recovery::{Phase, RecoveryTimer};

/// P-093: every retransmission of a fast recovery is reported as a duplicate: the window comes back.
#[test]
fn dsack_undoes_fast_recovery() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    let before = (b.cc.cwnd(), b.cc.ssthresh());
    b.sack(0, &[(1, 4)]);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Recovery, vec![0]));
    assert!(b.cc.ssthresh() < before.0);
    // The original was late: everything is acknowledged, then the copy arrives.
    b.wait(10);
    b.ack(10);
    assert_eq!(b.phase(), Phase::Open);
    b.write(5).wait(90);
    let s = b.sack(10, &[(0, 1)]);
    assert!(s.dsack && s.undone);
    assert_eq!(b.counted(Counter::TCPDSACKUndo), 1);
    assert_eq!(b.cc.ssthresh(), before.1);
    assert!(b.cc.cwnd() >= before.0);
}

/// P-093: a partial ACK with the D-SACK undoes inside the recovery.
#[test]
fn dsack_undoes_before_the_end() {
    let mut b = Bench::new();
    b.write(20).wait(100);
    b.sack(0, &[(1, 4)]);
    assert_eq!(b.take_resent(), [0]);
    b.wait(5);
    b.ack(4);
    b.wait(95);
    let s = b.sack(5, &[(0, 1)]);
    assert!(s.undone);
    assert_ne!(b.phase(), Phase::Recovery);
    assert_eq!(b.counted(Counter::TCPDSACKUndo), 1);
}

/// P-098: an ACK that echoes the original's timestamp undoes at once.
#[test]
fn timestamps_undo_fast_recovery() {
    let mut b = Bench::new().with_timestamps();
    b.write(10);
    let sent_at = b.now;
    b.wait(100);
    let before = b.cc.cwnd();
    b.ack_with(0, &[(1, 4)], Some(sent_at));
    assert_eq!(b.take_resent(), [0]);
    b.wait(10);
    let s = b.ack_with(10, &[], Some(sent_at));
    assert!(s.undone && s.ssthresh_restored);
    assert_eq!(b.counted(Counter::TCPFullUndo), 1);
    assert!(b.cc.cwnd() >= before);
}

/// P-098: on a partial ACK, with reordering learned from it.
#[test]
fn timestamps_undo_on_a_partial_ack() {
    let mut b = Bench::new().with_timestamps();
    b.write(10);
    let sent_at = b.now;
    b.wait(100);
    b.ack_with(0, &[(1, 4)], Some(sent_at));
    b.wait(10);
    let s = b.ack_with(4, &[], Some(sent_at));
    assert!(s.undone, "{s:?}");
    assert_eq!(b.counted(Counter::TCPPartialUndo) + b.counted(Counter::TCPFullUndo), 1);
    assert!(b.rec.reord_seen() > 0);
}

/// S-21, P-097: ten out, a time-out; two ACKs that advance without the retransmission prove it spurious.
#[test]
fn frto_proves_a_spurious_time_out() {
    for sack in [true, false] {
        let mut b = Bench::new();
        b.rec.set_sack(sack);
        b.settings.early_retrans = 0;
        b.write(30);
        b.take_sent();
        let before = b.cc.cwnd();
        assert_eq!(b.expire(), RecoveryTimer::Rto);
        assert_eq!(b.take_sent(), [(0, 1, true)]);
        assert_eq!(b.cc.cwnd(), 1);
        b.wait(50);
        b.ack(1);
        assert_eq!(b.take_sent(), [(10, 1, false), (11, 1, false)], "new data, not segment 1 (sack {sack})");
        b.wait(1);
        let s = b.ack(3);
        assert!(s.undone, "sack {sack}");
        assert_eq!(b.counted(Counter::TCPSpuriousRTOs), 1);
        assert!(b.cc.cwnd() >= before);
        assert_eq!(b.take_resent(), []);
        assert_eq!(b.rec.lost_out(), 0);
    }
}

/// Twenty out beyond a threshold of 15, a time-out, ACKs of the first and then of the third prove it spurious.
fn spurious_time_out_of_twenty(sack: bool, response: u8) -> Bench {
    let mut b = Bench::new();
    b.rec.set_sack(sack);
    b.settings.early_retrans = 0;
    b.settings.frto_response = response;
    b.cc.set_initial_window(20);
    b.cc.set_initial_ssthresh(15);
    b.write(200);
    b.expire();
    b.wait(50);
    b.ack(1);
    b.wait(1);
    assert!(b.ack(3).undone, "sack {sack}");
    b
}

/// S-22: 2 undoes, 1 halves window and threshold at once.
#[test]
fn s22_response_at_once() {
    for sack in [true, false] {
        for (response, expected) in [(2, (20, 15)), (1, (10, 10))] {
            let b = spurious_time_out_of_twenty(sack, response);
            let window = (b.cc.cwnd(), b.cc.ssthresh());
            assert_eq!((window, b.phase()), (expected, Phase::Open), "{response}, sack {sack}");
        }
    }
}

/// S-22: 0 halves over one round trip, by one segment for two ACKs, and what is in flight never exceeds what was.
#[test]
fn s22_response_over_a_round_trip() {
    for sack in [true, false] {
        let mut b = spurious_time_out_of_twenty(sack, 0);
        assert_eq!((b.cc.cwnd(), b.cc.ssthresh(), b.phase()), (19, 10, Phase::Cwr), "sack {sack}");
        for segment in 4..=22 {
            b.wait(5);
            b.ack(segment);
            let most = (20 - segment as u32 / 2).max(10);
            assert!(((most - 2).max(10)..=most).contains(&b.cc.cwnd()), "{segment}: {}", b.cc.cwnd());
            assert!(b.rec.in_flight() <= b.cc.cwnd());
        }
        b.ack(23);
        assert_eq!((b.cc.cwnd(), b.cc.ssthresh(), b.phase()), (10, 10, Phase::Open), "sack {sack}");
        assert_eq!(b.take_resent(), [0], "sack {sack}");
    }
}

/// S-22: the same when the proof is an ACK of nearly all that echoes the originals. It does not make the half grow.
#[test]
fn s22_response_to_timestamps() {
    for (response, at_once, phase) in [(2, 20, Phase::Open), (1, 10, Phase::Open), (0, 10, Phase::Cwr)] {
        let mut b = Bench::new().with_timestamps();
        b.settings.early_retrans = 0;
        b.settings.frto_response = response;
        b.cc.set_initial_window(20);
        b.cc.set_initial_ssthresh(15);
        b.write(20);
        let sent_at = b.now;
        b.expire();
        b.wait(20);
        assert!(b.ack_with(19, &[], Some(sent_at)).undone);
        assert!(b.cc.cwnd() <= at_once && b.phase() == phase, "{response}: {}", b.cc.cwnd());
        b.write(2).wait(100);
        b.ack(21);
        assert_eq!((b.cc.cwnd() / 10, b.phase()), (at_once / 10, Phase::Open), "{response}");
    }
}

/// S-22: a fast recovery that proves needless is undone all the same, it was no time-out.
#[test]
fn s22_is_about_time_outs() {
    let mut b = Bench::new().with_timestamps();
    b.settings.frto_response = 1;
    b.write(10);
    let sent_at = b.now;
    b.wait(100);
    b.ack_with(0, &[(1, 4)], Some(sent_at));
    b.wait(10);
    assert!(b.ack_with(10, &[], Some(sent_at)).ssthresh_restored);
    assert!(b.cc.cwnd() >= 10);
}

/// S-21: a duplicate ACK instead of the second advance means that the loss was real.
#[test]
fn frto_accepts_a_real_loss() {
    for sack in [true, false] {
        let mut b = Bench::new();
        b.rec.set_sack(sack);
        b.settings.early_retrans = 0;
        b.write(30);
        b.expire();
        b.wait(50);
        b.ack(1);
        b.take_sent();
        b.wait(50);
        if sack {
            b.sack(1, &[(10, 11)]);
        } else {
            b.ack(1);
        }
        assert_eq!(b.phase(), Phase::Loss);
        assert!(b.take_resent().starts_with(&[1]), "sack {sack}");
        assert_eq!(b.counted(Counter::TCPSpuriousRTOs), 0);
    }
}

/// S-21: 0 switches it off; without new data the conventional way is taken.
#[test]
fn without_frto_or_new_data_the_holes_are_resent() {
    for (frto, written) in [(0, 30), (2, 10)] {
        let mut b = Bench::new();
        b.settings.early_retrans = 0;
        b.settings.frto = frto;
        b.write(written);
        b.expire();
        b.take_sent();
        b.wait(50);
        b.ack(1);
        assert_eq!(b.take_resent(), [1, 2], "frto {frto}");
    }
}

/// P-098: the first ACK after the time-out echoes the original.
#[test]
fn timestamps_undo_a_time_out() {
    let mut b = Bench::new().with_timestamps();
    b.settings.early_retrans = 0;
    b.write(10);
    let sent_at = b.now;
    let before = b.cc.cwnd();
    b.expire();
    b.take_sent();
    b.wait(20);
    let s = b.ack_with(1, &[], Some(sent_at));
    assert!(s.undone);
    assert_eq!(b.counted(Counter::TCPLossUndo), 1);
    assert_eq!((b.phase(), b.rec.lost_out(), b.take_resent()), (Phase::Disorder.min(b.phase()), 0, vec![]));
    assert!(b.cc.cwnd() >= before);
}

/// S-35: data late by five positions raises the metric and is remembered.
#[test]
fn reordering_is_learned() {
    let mut b = Bench::new().with_timestamps();
    b.write(10);
    let sent_at = b.now;
    b.wait(100);
    for end in 2..=6 {
        b.ack_with(0, &[(1, end)], Some(sent_at));
    }
    b.wait(1);
    b.ack_with(6, &[], Some(sent_at));
    assert_eq!((b.rec.reord_seen(), b.rec.reordering()), (1, 6));
    assert_eq!(b.counted(Counter::TCPTSReorder), 1);
    assert_eq!(b.phase(), Phase::Open);
    // From now on three SACKed segments are no reason to retransmit.
    b.write(10).take_sent();
    b.wait(100);
    b.sack(10, &[(11, 15)]);
    assert_eq!((b.phase(), b.take_resent()), (Phase::Disorder, vec![]));
}

/// S-66: the metric is capped; SACK of an old hole teaches it, too.
#[test]
fn reordering_metric_is_capped() {
    let mut b = Bench::new();
    b.settings.max_reordering = 4;
    b.write(10).wait(100);
    b.sack(0, &[(8, 10)]);
    b.wait(1);
    b.sack(0, &[(1, 2), (8, 10)]);
    assert_eq!((b.rec.reord_seen(), b.rec.reordering()), (1, 4));
    assert_eq!(b.counted(Counter::TCPSACKReorder), 1);
}

/// D-SACKs beyond what was ever sent again are the network's duplicates.
#[test]
fn foreign_duplicates_are_dubious() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    b.ack(5);
    let s = b.sack(5, &[(2, 3)]);
    assert!(!s.dsack);
    assert_eq!(b.counted(Counter::TCPDSACKIgnoredDubious), 1);
    assert_eq!(b.rec.dsack_dups(), 1);
}

/// ECE forbids the undoing of what follows.
#[test]
fn reduction_for_ecn() {
    let mut b = Bench::new();
    b.write(10).wait(100);
    let state = b.state();
    let mut env = crate::recovery::Env { now: b.now, settings: b.settings, counters: &mut b.counters };
    b.rec.enter_cwr(&state, &mut env, &mut b.cc);
    assert_eq!(b.phase(), Phase::Cwr);
    assert_eq!(b.cc.ssthresh(), 5);
    b.ack(10);
    assert_eq!(b.phase(), Phase::Cwr, "held until something newer is acknowledged");
    b.write(1).wait(100);
    b.ack(11);
    assert_eq!((b.phase(), b.cc.cwnd()), (Phase::Open, 5));
}
