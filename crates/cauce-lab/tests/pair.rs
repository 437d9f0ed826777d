//! Two of our own stacks over one link: handshake, data both ways, every way to close.

use cauce_core::counters::Counter;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::{Shutdown, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::{Duration, Instant};
use cauce_lab::faults::FaultOptions;
use cauce_lab::invariants::{Census, family_of};
use cauce_lab::model::Stream;
use cauce_lab::pair::{Pair, PairOptions, Side};
use cauce_lab::rng::Probability;
use cauce_lab::watch::Watch;
use std::net::SocketAddr;

const PORT: u16 = 80;
const LONG: Duration = Duration::from_secs(300);

fn pair() -> Pair<Stack> {
    Pair::new(&PairOptions::default())
}

fn addr(side: Side, v6: bool) -> SocketAddr {
    SocketAddr::new(if v6 { side.ipv6() } else { side.ipv4() }, PORT)
}

fn listen(pair: &mut Pair<Stack>, side: Side, v6: bool) -> SocketId {
    pair.with(side, |stack, _| {
        let id = stack.open(family_of(addr(side, v6))).unwrap();
        stack.socket(id).bind(addr(side, v6)).unwrap();
        stack.socket(id).listen(8).unwrap();
        id
    })
}

fn connect(pair: &mut Pair<Stack>, side: Side, v6: bool) -> SocketId {
    let remote = addr(side.other(), v6);
    pair.with(side, |stack, now| {
        let id = stack.open(family_of(remote)).unwrap();
        assert_eq!(stack.socket(id).connect(now, remote), Err(Errno::EINPROGRESS));
        id
    })
}

fn accept(pair: &mut Pair<Stack>, side: Side, listener: SocketId) -> SocketId {
    let mut accepted = None;
    let done = pair.drive(LONG, |pair| {
        accepted = pair.with(side, |stack, now| stack.socket(listener).accept(now).ok());
        accepted.is_some()
    });
    assert!(done, "nobody connected");
    pair.with(side, |stack, now| stack.socket(listener).close(now).unwrap());
    accepted.unwrap()
}

/// A connection from A to B: the sockets at A and at B.
fn connected(pair: &mut Pair<Stack>, v6: bool) -> [SocketId; 2] {
    let listener = listen(pair, Side::B, v6);
    let a = connect(pair, Side::A, v6);
    let b = accept(pair, Side::B, listener);
    [a, b]
}

fn recv(pair: &mut Pair<Stack>, side: Side, id: SocketId) -> Result<Vec<u8>, Errno> {
    pair.with(side, |stack, now| {
        let mut buffer = vec![0; 65_536];
        let count = stack.socket(id).recv(now, &mut buffer)?;
        buffer.truncate(count);
        Ok(buffer)
    })
}

fn close(pair: &mut Pair<Stack>, side: Side, id: SocketId) {
    pair.with(side, |stack, now| stack.socket(id).close(now).unwrap());
}

fn shutdown(pair: &mut Pair<Stack>, side: Side, id: SocketId) {
    pair.with(side, |stack, now| stack.socket(id).shutdown(now, Shutdown::Write).unwrap());
}

/// Lets TIME-WAIT and the like run out, then looks for survivors.
fn nothing_is_alive(pair: &mut Pair<Stack>) {
    // Learned path MTUs are the last to go, after ten minutes.
    pair.run_for(Duration::from_secs(700));
    for side in Side::BOTH {
        assert_eq!(Census::of(pair.endpoint(side)).is_empty(), Ok(()), "{side:?}");
    }
}

fn counter(pair: &Pair<Stack>, side: Side, counter: Counter) -> u64 {
    pair.endpoint(side).counters().get(counter)
}

/// Sends `bytes` each way, checks them and the ends of both streams, closes.
fn transfer(pair: &mut Pair<Stack>, ids: [SocketId; 2], bytes: u64) {
    let mut streams = [Stream::new(11), Stream::new(22)];
    let mut closed = [false; 2];
    let done = pair.drive(LONG * 10, |pair| {
        for side in Side::BOTH {
            let (own, other) = (side as usize, side.other() as usize);
            if closed[own] {
                continue;
            }
            let id = ids[own];
            pair.with(side, |stack, now| {
                let mut socket = stack.socket(id);
                while streams[own].sent() < bytes {
                    let mut chunk = vec![0; (bytes - streams[own].sent()).min(8_192) as usize];
                    streams[own].next_bytes(&mut chunk);
                    match socket.send(now, &chunk) {
                        Ok(count) => streams[own].accepted(count, chunk.len()).unwrap(),
                        Err(Errno::EAGAIN) => break,
                        Err(errno) => panic!("{errno:?}"),
                    }
                }
                if streams[own].sent() == bytes && !streams[own].is_ended() {
                    streams[own].end();
                    socket.shutdown(now, Shutdown::Write).unwrap();
                }
                let mut buffer = [0; 8_192];
                while !streams[other].is_end_seen() {
                    match socket.recv(now, &mut buffer) {
                        Ok(0) => streams[other].deliver_end().unwrap(),
                        Ok(count) => streams[other].deliver(&buffer[..count]).unwrap(),
                        Err(Errno::EAGAIN) => break,
                        Err(errno) => panic!("{errno:?}"),
                    }
                }
                if streams[own].is_ended() && streams[other].is_end_seen() {
                    socket.close(now).unwrap();
                    closed[own] = true;
                }
            });
        }
        closed == [true; 2]
    });
    let counts = streams.map(|stream| stream.delivered());
    assert!(done && counts == [bytes; 2], "{counts:?} of {bytes}, closed {closed:?}");
}

#[test]
fn handshake_takes_one_round_trip() {
    for v6 in [false, true] {
        let mut pair = pair();
        let listener = listen(&mut pair, Side::B, v6);
        let start = pair.now();
        let a = connect(&mut pair, Side::A, v6);
        let open = |pair: &mut Pair<Stack>| {
            pair.with(Side::A, |stack, _| stack.socket(a).readiness().contains(Readiness::OUT))
        };
        assert!(pair.drive(LONG, open));
        assert_eq!(pair.now().since(start), Duration::from_millis(20));
        let b = accept(&mut pair, Side::B, listener);
        assert_eq!(pair.now().since(start), Duration::from_millis(30));
        let [at_a, at_b] = [(Side::A, a), (Side::B, b)].map(|(side, id)| {
            pair.with(side, |stack, _| {
                let socket = stack.socket(id);
                (socket.local_addr().unwrap(), socket.peer_addr().unwrap())
            })
        });
        assert_eq!((at_a.0, at_a.1), (at_b.1, at_b.0));
        assert_eq!(at_a.1, addr(Side::B, v6));
        close(&mut pair, Side::A, a);
        close(&mut pair, Side::B, b);
        nothing_is_alive(&mut pair);
    }
}

#[test]
fn data_flows_both_ways() {
    for (v6, bytes) in [(false, 0), (false, 1), (true, 100_000), (false, 3_000_000)] {
        let mut pair = pair();
        let ids = connected(&mut pair, v6);
        transfer(&mut pair, ids, bytes);
        assert_eq!(counter(&pair, Side::A, Counter::RetransSegs), 0);
        nothing_is_alive(&mut pair);
    }
}

#[test]
fn data_survives_a_bad_path() {
    let bad = FaultOptions {
        loss: Probability::percent(5.0),
        duplication: Probability::percent(3.0),
        corruption: Probability::percent(2.0),
        reorder: Probability::percent(10.0),
        reorder_delay: Duration::from_millis(5),
        ..FaultOptions::default()
    };
    let options = PairOptions { faults: [bad; 2], rate: Some(20_000_000), ..PairOptions::default() };
    for seed in 0..5 {
        let mut pair = Pair::new(&PairOptions { seed, ..options.clone() });
        let ids = connected(&mut pair, seed % 2 == 1);
        transfer(&mut pair, ids, 200_000);
        assert!(counter(&pair, Side::A, Counter::RetransSegs) > 0);
        let until = pair.now();
        pair.world().heal_at(until);
        nothing_is_alive(&mut pair);
    }
}

/// N-25: with buffers large enough a long fat link is filled.
#[test]
fn a_bottleneck_is_filled() {
    let rate = 20_000_000;
    let mut pair = Pair::new(&PairOptions { rate: Some(rate), ..PairOptions::default() });
    let ids = connected(&mut pair, false);
    let start = pair.now();
    transfer(&mut pair, ids, 10_000_000);
    let ideal = Duration::from_secs_f64(10_000_000.0 * 8.0 / rate as f64);
    let took = pair.now().since(start);
    assert!(took < ideal.mul_f64(1.25), "{took:?} against {ideal:?}");
    nothing_is_alive(&mut pair);
}

/// P-017 to P-022: FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT on one side, CLOSE-WAIT and LAST-ACK on the other.
#[test]
fn one_side_closes_first() {
    for first in Side::BOTH {
        let mut pair = pair();
        let ids = connected(&mut pair, false);
        shutdown(&mut pair, first, ids[first as usize]);
        let second = first.other();
        let ended = |pair: &mut Pair<Stack>| recv(pair, second, ids[second as usize]) == Ok(Vec::new());
        assert!(pair.drive(LONG, ended));
        // Half-closed, the other direction still carries.
        pair.with(second, |stack, now| stack.socket(ids[second as usize]).send(now, b"more").unwrap());
        let mut got = Vec::new();
        pair.drive(LONG, |pair| {
            got = recv(pair, first, ids[first as usize]).unwrap_or_default();
            !got.is_empty()
        });
        assert_eq!(got, b"more");
        close(&mut pair, second, ids[second as usize]);
        let ended = |pair: &mut Pair<Stack>| recv(pair, first, ids[first as usize]) == Ok(Vec::new());
        assert!(pair.drive(LONG, ended));
        close(&mut pair, first, ids[first as usize]);
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.endpoint(first).time_waits(), 1);
        assert_eq!(pair.endpoint(second).time_waits(), 0);
        nothing_is_alive(&mut pair);
    }
}

/// P-020 and P-021: FINs cross, both sides pass CLOSING into TIME-WAIT.
#[test]
fn both_sides_close_at_once() {
    let mut pair = pair();
    let watch = Watch::new();
    pair.tap(Box::new(watch.clone()));
    let ids = connected(&mut pair, false);
    pair.run_for(Duration::from_secs(1));
    for side in Side::BOTH {
        close(&mut pair, side, ids[side as usize]);
    }
    pair.run_for(Duration::from_secs(1));
    assert_eq!(watch.simultaneous_closes(), 1);
    for side in Side::BOTH {
        assert_eq!(pair.endpoint(side).time_waits(), 1, "{side:?}");
        assert_eq!(pair.endpoint(side).sockets(), 0, "{side:?}");
    }
    nothing_is_alive(&mut pair);
}

/// P-007: SYNs cross, one connection comes of it.
#[test]
fn both_sides_open_at_once() {
    for v6 in [false, true] {
        let mut pair = pair();
        let watch = Watch::new();
        pair.tap(Box::new(watch.clone()));
        let ids = Side::BOTH.map(|side| {
            let (local, remote) = (addr(side, v6), addr(side.other(), v6));
            pair.with(side, |stack, now| {
                let id = stack.open(family_of(local)).unwrap();
                stack.socket(id).bind(local).unwrap();
                assert_eq!(stack.socket(id).connect(now, remote), Err(Errno::EINPROGRESS));
                id
            })
        });
        transfer_when_open(&mut pair, ids);
        assert_eq!(watch.simultaneous_opens(), 1);
        nothing_is_alive(&mut pair);
    }
}

fn transfer_when_open(pair: &mut Pair<Stack>, ids: [SocketId; 2]) {
    let open = |pair: &mut Pair<Stack>| {
        Side::BOTH.into_iter().all(|side| {
            pair.with(side, |stack, _| stack.socket(ids[side as usize]).readiness().contains(Readiness::OUT))
        })
    };
    assert!(pair.drive(LONG, open));
    transfer(pair, ids, 50_000);
}

#[test]
fn an_abort_resets_the_peer() {
    let mut pair = pair();
    let [a, b] = connected(&mut pair, false);
    pair.with(Side::A, |stack, now| stack.socket(a).abort(now).unwrap());
    let mut error = None;
    pair.drive(LONG, |pair| {
        error = recv(pair, Side::B, b).err().filter(|errno| *errno != Errno::EAGAIN);
        error.is_some()
    });
    assert_eq!(error, Some(Errno::ECONNRESET));
    assert_eq!(counter(&pair, Side::A, Counter::OutRsts), 1);
    close(&mut pair, Side::B, b);
    nothing_is_alive(&mut pair);
}

#[test]
fn closing_with_unread_bytes_resets() {
    let mut pair = pair();
    let [a, b] = connected(&mut pair, false);
    pair.with(Side::A, |stack, now| stack.socket(a).send(now, b"unread").unwrap());
    pair.run_for(Duration::from_secs(1));
    close(&mut pair, Side::B, b);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(recv(&mut pair, Side::A, a), Err(Errno::ECONNRESET));
    assert_eq!(counter(&pair, Side::B, Counter::TCPAbortOnClose), 1);
    close(&mut pair, Side::A, a);
    nothing_is_alive(&mut pair);
}

/// P-009: nobody listens.
#[test]
fn a_refused_connection_says_so() {
    let mut pair = pair();
    let a = connect(&mut pair, Side::A, false);
    let failed = |pair: &mut Pair<Stack>| {
        pair.with(Side::A, |stack, _| stack.socket(a).readiness().contains(Readiness::ERR))
    };
    assert!(pair.drive(LONG, failed));
    let error = pair.with(Side::A, |stack, _| stack.socket(a).take_error());
    assert_eq!(error, Some(Errno::ECONNREFUSED));
    close(&mut pair, Side::A, a);
    nothing_is_alive(&mut pair);
}

/// A reader that sleeps closes the window; the writer probes until it opens again.
#[test]
fn a_zero_window_opens_again() {
    let mut pair = pair();
    let [a, b] = connected(&mut pair, false);
    let chunk = vec![7; 4_096];
    let mut sent = 0;
    let full = pair.now() + Duration::from_secs(30);
    while pair.now() < full {
        while let Ok(count) = pair.with(Side::A, |stack, now| stack.socket(a).send(now, &chunk)) {
            sent += count;
        }
        pair.run_for(Duration::from_millis(100));
    }
    assert!(counter(&pair, Side::B, Counter::TCPToZeroWindowAdv) > 0);
    assert!(counter(&pair, Side::A, Counter::TCPWinProbe) > 0);
    shutdown(&mut pair, Side::A, a);
    let mut got = 0;
    let done = pair.drive(LONG, |pair| {
        loop {
            match recv(pair, Side::B, b) {
                Ok(bytes) if bytes.is_empty() => return true,
                Ok(bytes) => got += bytes.len(),
                Err(_) => return false,
            }
        }
    });
    assert!(done && got == sent, "{got} of {sent}");
    close(&mut pair, Side::B, b);
    close(&mut pair, Side::A, a);
    nothing_is_alive(&mut pair);
}

/// RFC 1191: the path is narrower than the hosts believe.
#[test]
fn a_narrow_path_is_found() {
    let options = PairOptions { mtu: 1_300, host_mtu: Some(1_500), ..PairOptions::default() };
    for v6 in [false, true] {
        let mut pair = Pair::new(&options);
        let ids = connected(&mut pair, v6);
        transfer(&mut pair, ids, 100_000);
        assert!(pair.link(Side::A).stats().too_big > 0);
        assert_eq!(counter(&pair, Side::A, Counter::TCPTimeouts), 0);
        nothing_is_alive(&mut pair);
    }
}

/// Deadlines are never early: the SYN is sent again one second after the first, to the nanosecond.
#[test]
fn a_lost_syn_is_sent_again_on_time() {
    let lost = FaultOptions { loss: Probability::ALWAYS, ..FaultOptions::default() };
    let faults = [lost, FaultOptions::default()];
    let mut pair = Pair::new(&PairOptions { faults, ..PairOptions::default() });
    let listener = listen(&mut pair, Side::B, false);
    let start = pair.now();
    pair.world().heal_at(start + Duration::from_millis(500));
    connect(&mut pair, Side::A, false);
    accept(&mut pair, Side::B, listener);
    assert_eq!(pair.now(), start + Duration::from_millis(1_030));
    assert_eq!(counter(&pair, Side::A, Counter::TCPSynRetrans), 1);
    assert!(pair.now() > Instant::ZERO);
}
