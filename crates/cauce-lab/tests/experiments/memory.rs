//! What tcp_mem's three limits change (S-30), and what is promised in spite of them (S-40, S-54).

use crate::rig::{Rig, near};
use cauce_core::counters::Counter;
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::time::Duration;
use cauce_lab::pair::Side;

const PAGE: u64 = 4096;

fn limit(rig: &mut Rig, side: Side) {
    rig.set(side, &[("tcp_mem", "8 16 24")]);
}

/// One more connection: its socket at A.
fn connect(rig: &mut Rig, port: u16) -> SocketId {
    let listener = rig.listen_on(port, &[]);
    let id = rig.connect_to(port, &[]);
    rig.accept(listener);
    id
}

fn count(rig: &Rig, side: Side, counter: Counter) -> u64 {
    rig.pair.endpoint(side).counters().get(counter)
}

fn used(rig: &Rig, side: Side) -> u64 {
    rig.pair.endpoint(side).memory_used()
}

/// S-30's own test: a flood that nobody reads stays below the third limit and enters pressure, which closes the window;
/// once all is read the pressure is over, and nothing is lost.
#[test]
fn s30_flood_of_unread_data() {
    let mut rig = Rig::new(&near(), &[("tcp_wmem", "4096 400000 400000")]);
    let [a, b] = rig.connected(&[]);
    // Written while the stack runs: it acts at once.
    limit(&mut rig, Side::B);
    rig.send(Side::A, a, 300_000);
    for _ in 0..200 {
        rig.run(Duration::from_millis(10));
        assert!(used(&rig, Side::B) <= 24 * PAGE, "{}", used(&rig, Side::B));
    }
    assert!(used(&rig, Side::B) > 16 * PAGE);
    assert_eq!(count(&rig, Side::B, Counter::TCPMemoryPressures), 1);
    assert_eq!(count(&rig, Side::B, Counter::TCPMemoryPressuresChrono), 0, "it lasts");
    let before = rig.info(Side::B, b).rcv_ssthresh;
    assert!(before <= 4 * 1_460, "the window is a few segments: {before}");
    let mut got = 0;
    while got < 300_000 {
        let some = rig.drain(Side::B, b);
        rig.run(Duration::from_millis(if some == 0 { 200 } else { 1 }));
        got += some;
    }
    assert_eq!(got, 300_000);
    assert_eq!(used(&rig, Side::B), 0);
    assert!(count(&rig, Side::B, Counter::TCPMemoryPressuresChrono) >= 1_990);
}

/// A writer gets what is left of the memory, then EAGAIN; what another connection holds narrows it; and the first word
/// of tcp_wmem is there for everybody.
#[test]
fn s30_writers_share() {
    let mut rig = Rig::new(&near(), &[("tcp_wmem", "4096 400000 400000")]);
    let [first, second, third] = [1, 2, 3].map(|port| connect(&mut rig, port));
    limit(&mut rig, Side::A);
    rig.pair.silence(Side::A);
    let write = |rig: &mut Rig, id| {
        rig.pair.with(Side::A, |stack, now| stack.socket(id).send(now, &vec![7; 300_000]))
    };
    assert_eq!(write(&mut rig, first), Ok(24 * PAGE as usize));
    assert_eq!(write(&mut rig, first), Err(Errno::EAGAIN));
    assert_eq!(write(&mut rig, second), Ok(4096), "promised");
    assert_eq!(write(&mut rig, second), Err(Errno::EAGAIN));
    assert_eq!(count(&rig, Side::A, Counter::TCPMemoryPressures), 1);
    // The first gives its memory back: two share what the limit allows while the pressure lasts.
    rig.pair.with(Side::A, |stack, now| stack.socket(first).abort(now).unwrap());
    assert_eq!(used(&rig, Side::A), 4096);
    assert_eq!(write(&mut rig, third), Ok(23 * PAGE as usize));
}

/// An orphan whose data finds the memory used up is reset when it would send again; without the limit it is kept.
#[test]
fn s30_orphans_are_reset() {
    for (limited, left) in [(false, 2), (true, 1)] {
        let mut rig = Rig::new(&near(), &[("tcp_wmem", "4096 400000 400000")]);
        let [orphan, other] = [1, 2].map(|port| connect(&mut rig, port));
        rig.run(Duration::from_secs(1));
        rig.pair.silence(Side::A);
        rig.send(Side::A, orphan, 40_000);
        rig.close(Side::A, orphan);
        if limited {
            limit(&mut rig, Side::A);
        }
        rig.send(Side::A, other, 58_000);
        rig.run(Duration::from_secs(1));
        assert_eq!(rig.pair.endpoint(Side::A).connections(), left);
        assert_eq!(count(&rig, Side::A, Counter::TCPAbortOnMemory), u64::from(limited));
        assert_eq!(count(&rig, Side::A, Counter::TCPOrphanOverflow), 0);
    }
}

/// S-28: a limit that sinks below the number of orphans ends them when they would send again, the first of them until
/// it holds.
#[test]
fn s28_a_lowered_limit_ends_orphans() {
    let mut rig = Rig::new(&near(), &[]);
    let orphans: Vec<_> = (1..=3).map(|port| connect(&mut rig, port)).collect();
    rig.run(Duration::from_secs(1));
    rig.pair.silence(Side::A);
    for orphan in orphans {
        rig.send(Side::A, orphan, 100);
        rig.close(Side::A, orphan);
    }
    rig.set(Side::A, &[("tcp_max_orphans", "2")]);
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.pair.endpoint(Side::A).connections(), 2);
    assert_eq!(count(&rig, Side::A, Counter::TCPOrphanOverflow), 1);
}
