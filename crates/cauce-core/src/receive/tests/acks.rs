//! When acknowledgements leave, and with which blocks.

use super::*;

/// A rig whose first quick acknowledgements are used up, at the end of `at` bytes.
fn past_quick_acks() -> (Rig, u64) {
    let mut rig = Rig::new();
    let mut at = 0;
    while rig.arrive(at, 100).in_order_bytes > 0 {
        at += 100;
        rig.read(100);
        if rig.reply().is_none() {
            break;
        }
        rig.after(50_000);
    }
    rig.acknowledge();
    (rig, at)
}

#[test]
fn p064_first_sixteen_at_once_then_forty_milliseconds() {
    let mut rig = Rig::new();
    for at in 0..16 {
        rig.after(100_000).arrive(at * 100, 100);
        assert!(rig.reply().is_some(), "{at}");
    }
    rig.after(100_000).arrive(1600, 100);
    let AckDecision::Delayed(deadline) = rig.decide() else { panic!("not delayed") };
    assert_eq!(deadline.since(rig.now), Duration::from_millis(40));
    assert_eq!(rig.rx.delayed_ack_deadline(), Some(deadline));
    assert!(!rig.after(39_999).run(|rx, path, cx| rx.ack_timeout(path, cx)));
    assert!(rig.after(1).run(|rx, path, cx| rx.ack_timeout(path, cx)));
    assert_eq!(rig.count(Counter::DelayedACKs), 1);
    rig.acknowledge();
    assert_eq!((rig.rx.delayed_ack_deadline(), rig.decide()), (None, AckDecision::None));
}

#[test]
fn p064_two_full_segments_at_once() {
    let (mut rig, mut at) = past_quick_acks();
    for _ in 0..40 {
        rig.after(10).arrive_as(at, MSS, Flags::ACK, 2304);
        at += MSS as u64;
        rig.read(MSS);
        if matches!(rig.decide(), AckDecision::Delayed(_)) {
            rig.arrive_as(at, MSS, Flags::ACK, 2304);
            assert_eq!(rig.decide(), AckDecision::Now);
            return;
        }
        rig.acknowledge();
    }
    panic!("never delayed");
}

#[test]
fn p064_out_of_order_and_gap_at_once() {
    let (mut rig, at) = past_quick_acks();
    rig.arrive(at + 200, 100);
    assert_eq!(rig.reply(), Some(vec![(at + 200, at + 300)]));
    assert!(rig.arrive(at, 200).filled_gap);
    assert_eq!(rig.reply(), Some(vec![]));
}

#[test]
fn a_fin_may_wait_as_linux_lets_it() {
    let mut rig = Rig::new();
    rig.arrive(0, 100);
    rig.acknowledge();
    rig.after(100_000).arrive_as(100, 0, Flags::ACK | Flags::FIN, 0);
    rig.run(|rx, _, _| rx.enter_pingpong());
    let deadline = rig.now + Duration::from_millis(40);
    assert_eq!(rig.decide(), AckDecision::Delayed(deadline));
}

/// O-11: a connection that answers waits for the answer; setting the option ends that.
#[test]
fn o11_ping_pong_and_quick_ack() {
    let mut rig = Rig::new();
    rig.arrive(0, 100);
    rig.read(100);
    rig.acknowledge();
    rig.run(|rx, _, cx| rx.data_sent(cx));
    assert!(!rig.rx.quick_ack());
    rig.after(100_000).arrive(100, 100);
    assert!(matches!(rig.decide(), AckDecision::Delayed(_)));
    rig.read(100);
    assert!(!rig.update_due(100));
    assert!(rig.run(|rx, _, cx| rx.set_quick_ack(1, cx)));
    assert!(rig.rx.quick_ack());
    rig.acknowledge();
    rig.arrive(200, 100);
    assert_eq!(rig.decide(), AckDecision::Now);
    rig.acknowledge();
    assert!(!rig.run(|rx, _, cx| rx.set_quick_ack(0, cx)));
    assert!(!rig.rx.quick_ack());
    rig.arrive(300, 100);
    assert!(matches!(rig.decide(), AckDecision::Delayed(_)));
    assert!(!rig.run(|rx, _, cx| rx.set_quick_ack(1, cx)), "the reader has not drained the queue");
}

/// S-14: a duplicate of delivered data, of queued data, and a partial overlap.
#[test]
fn s14_duplicates_are_reported() {
    let mut rig = Rig::new();
    rig.arrive(0, 100);
    rig.acknowledge();
    assert!(rig.arrive(0, 100).duplicate);
    assert_eq!(rig.reply(), Some(vec![(0, 100)]));
    assert_eq!(rig.count(Counter::TCPDSACKOldSent), 1);
    rig.arrive(1100, 100);
    assert_eq!(rig.reply(), Some(vec![(1100, 1200)]));
    assert!(rig.arrive(1100, 100).duplicate);
    assert_eq!(rig.reply(), Some(vec![(1100, 1200), (1100, 1200)]));
    assert_eq!(rig.count(Counter::TCPDSACKOfoSent), 1);
    assert_eq!(rig.arrive(50, 100).in_order_bytes, 50);
    assert_eq!(rig.reply(), Some(vec![(50, 100), (1100, 1200)]));
    assert_eq!(rig.count(Counter::DelayedACKLost), 1);
}

#[test]
fn s14_off_reports_none() {
    let mut rig = Rig::with(Sysctls { tcp_dsack: 0, ..Sysctls::default() }, |_| {});
    rig.arrive(0, 100);
    rig.acknowledge();
    rig.arrive(0, 100);
    assert_eq!(rig.reply(), Some(vec![]));
    rig.arrive(200, 100);
    rig.arrive(200, 100);
    assert_eq!(rig.reply(), Some(vec![(200, 300)]));
    assert_eq!(rig.count(Counter::TCPDSACKOldSent) + rig.count(Counter::TCPDSACKOfoSent), 0);
}

#[test]
fn a_peer_without_sack_gets_duplicate_acks() {
    let mut rig = Rig::with(Sysctls::default(), |config| config.sack = false);
    for at in 1..10 {
        rig.arrive(at * 100, 100);
        assert_eq!(rig.reply(), Some(vec![]));
    }
    rig.arrive(100, 100);
    assert_eq!(rig.reply(), Some(vec![]));
}

/// An unacceptable segment is reported as far as it is old.
#[test]
fn duplicates_from_outside() {
    let mut rig = Rig::new();
    rig.arrive(0, 100);
    rig.acknowledge();
    rig.run(|rx, _, cx| rx.duplicate(IRS - 500, IRS + 11, cx));
    assert_eq!(rig.decide(), AckDecision::Now);
    let blocks = rig.rx.sack_blocks(4);
    assert_eq!(blocks.as_slice(), [(IRS - 500, IRS + 11)]);
    assert!(rig.rx.rare.is_none());
}

/// S-71: a hundred segments beyond a gap within half a millisecond give few acknowledgements.
#[test]
fn s71_acknowledgements_are_compressed() {
    for (nr, at_most) in [(44, 8), (0, 1000)] {
        let mut rig = Rig::with(Sysctls { tcp_comp_sack_nr: nr, ..Sysctls::default() }, |_| {});
        rig.path.srtt_us = 100_000;
        rig.run(|rx, _, _| rx.note_rtt(1, 100_000, 2000));
        // Space the quick acknowledgements out of the way.
        rig.run(|rx, _, _| rx.enter_pingpong());
        let mut sent = 0;
        for at in 1..=100 {
            rig.after(5).arrive(at * 100, 100);
            sent += u32::from(rig.reply().is_some());
        }
        assert!(if nr == 0 { sent == 100 } else { sent >= 3 && sent <= at_most }, "{nr} {sent}");
        if nr != 0 {
            let deadline = rig.rx.held_ack_deadline().unwrap();
            rig.now = deadline;
            assert!(rig.run(|rx, path, cx| rx.ack_timeout(path, cx)));
            assert_eq!(rig.acknowledge(), [(100, 10_100)]);
            assert_eq!(rig.rx.held_ack_deadline(), None);
            assert_eq!(rig.count(Counter::TCPAckCompressed), u64::from(100 - sent - 1));
        }
    }
}
