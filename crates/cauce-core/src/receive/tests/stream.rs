//! The stream that the user gets, and the memory it costs.

use super::*;
use proptest::prelude::*;

#[test]
fn p049_in_order_text_reaches_the_user() {
    let mut rig = Rig::new();
    let first = rig.arrive(0, 1000);
    assert_eq!((first.in_order_bytes, first.out_of_order, first.dropped), (1000, false, None));
    assert_eq!((rig.rx.readable(), rig.rx.nxt()), (1000, IRS + 1001));
    assert_eq!(rig.memory.used(), u64::from(rig.rx.memory()));
    assert_eq!(rig.read(2000), (0..1000).map(byte_at).collect::<Vec<u8>>());
    assert_eq!((rig.memory.used(), rig.rx.memory()), (0, 0));
}

#[test]
fn a_fin_waits_for_the_gap_before_it() {
    let mut rig = Rig::new();
    let fin = rig.arrive_as(100, 50, Flags::ACK | Flags::FIN, 100);
    assert!(fin.out_of_order && !fin.fin_reached && rig.rx.has_gap());
    assert_eq!(rig.reply(), Some(vec![(100, 151)]));
    let filled = rig.arrive(0, 100);
    assert!(filled.fin_reached && filled.filled_gap && rig.rx.fin_received());
    assert_eq!((filled.in_order_bytes, rig.rx.readable()), (150, 150));
    assert_eq!((rig.rx.nxt(), rig.rx.read_position()), (IRS + 152, IRS + 1));
    assert_eq!(rig.arrive(151, 10).dropped, Some(DropReason::DataAfterFin));
    assert_eq!(rig.read(200).len(), 150);
    assert_eq!(rig.rx.read_position(), IRS + 151);
    assert_eq!(rig.memory.used(), 0);
}

#[test]
fn a_bare_fin_fits_into_a_zero_window() {
    let mut rig = Rig::with(Sysctls::default(), |config| config.initial.window = 0);
    assert_eq!(rig.rx.window(), 0);
    assert_eq!(rig.arrive(0, 1).dropped, Some(DropReason::ZeroWindow));
    assert!(rig.arrive_as(0, 0, Flags::ACK | Flags::FIN, 0).fin_reached);
}

/// What lies beyond a FIN that was reached is given up with its memory.
#[test]
fn data_beyond_the_fin_is_forgotten() {
    let mut rig = Rig::new();
    rig.arrive(500, 100);
    assert!(rig.arrive_as(0, 100, Flags::ACK | Flags::FIN, 200).fin_reached);
    assert!(!rig.rx.has_gap());
    assert_eq!(rig.read(1000).len(), 100);
    assert_eq!(rig.memory.used(), 0);
}

/// discarding counts, and reads stop at the urgent mark.
#[test]
fn a14_a20_discard_and_stop() {
    let mut rig = Rig::new();
    rig.arrive(0, 100);
    let stop = Some(IRS + 1 + 40);
    assert_eq!(rig.rx.readable_before(stop), 40);
    assert_eq!(rig.run(|rx, _, cx| rx.discard(30, stop, cx)), 30);
    let mut rest = [0; 100];
    assert_eq!(rig.rx.peek_into(2, &mut rest, stop), 8);
    assert_eq!(rest[0], byte_at(32));
    assert_eq!(rig.run(|rx, _, cx| rx.read_into(&mut rest, stop, cx)), 10);
    assert_eq!(rig.rx.readable_before(stop), 60);
    let (mut a, mut b) = ([0; 25], [0; 50]);
    assert_eq!(rig.run(|rx, _, cx| rx.read_vectored(&mut [&mut a, &mut b], None, cx)), 60);
    assert_eq!((a[0], b[0]), (byte_at(40), byte_at(65)));
    assert_eq!(rig.run(|rx, _, cx| rx.read_bytes(10, None, cx)), None);
}

/// One-byte segments share the buffer of the first as far as it has room, in order or not.
#[test]
fn tiny_segments_cannot_pin_buffers() {
    let mut rig = Rig::new();
    for at in 0..5000 {
        rig.arrive_in(at, 1, 2304, 1600);
        rig.arrive_in(20_000 + at, 1, 2304, 1600);
    }
    assert_eq!(rig.rx.memory(), 2 * 2304 * 5000u32.div_ceil(1600 + 1));
    assert!(rig.count(Counter::TCPRcvCoalesce) > 4900);
    assert_eq!(rig.read(10_000), (0..5000).map(byte_at).collect::<Vec<u8>>());
}

/// Holes everywhere: what is held stays within the buffer, and the farthest goes first.
#[test]
fn out_of_order_data_is_bounded() {
    let mut rig = Rig::with(Sysctls::default(), |config| {
        config.rcvbuf = 20_000;
        config.rcvbuf_locked = true;
    });
    for at in (0..15_000).rev().map(|at| 2 * at + 1) {
        rig.arrive_as(at, 1, Flags::ACK, 300);
        assert!(rig.rx.memory() <= 20_000 + 300);
    }
    assert!(rig.count(Counter::OfoPruned) > 0 && rig.count(Counter::PruneCalled) > 0);
    for at in 0..200 {
        rig.arrive_as(30_001 + 2 * at, 1, Flags::ACK, 300);
    }
    assert!(rig.count(Counter::TCPOFODrop) > 0);
    assert_eq!(rig.arrive(0, 1).in_order_bytes, 2, "the nearest is still there");
    rig.run(|rx, _, cx| rx.clear(cx));
    assert_eq!(rig.memory.used(), 0);
}

/// The stack refuses memory: one segment is taken nevertheless while the user has nothing to read.
#[test]
fn progress_without_memory() {
    let mut rig = Rig::new();
    rig.memory = Memory::new([0, 0, 0]);
    rig.sysctl.tcp_rmem[0] = 1;
    assert_eq!(rig.arrive(0, 1000).in_order_bytes, 1000);
    assert_eq!(rig.arrive(1000, 1000).dropped, Some(DropReason::ReceiveQueueFull));
    assert_eq!(rig.decide(), AckDecision::Now);
    assert_eq!(rig.count(Counter::TCPRcvQDrop), 1);
    rig.read(1000);
    assert_eq!(rig.arrive(1000, 1000).in_order_bytes, 1000);
    rig.read(1000);
    assert_eq!(rig.memory.used(), 0);
}

/// S-40: the first word of tcp_rmem is promised to every queue, whatever all of them hold.
#[test]
fn s40_promise_without_memory() {
    let mut rig = Rig::new();
    rig.memory = Memory::new([0, 0, 0]);
    let mut taken = 0;
    while rig.arrive(taken, 1000).dropped.is_none() {
        assert!(taken < 10_000, "nothing is refused");
        taken += 1000;
    }
    assert!((4096..4096 + 2304).contains(&rig.rx.memory()), "{}", rig.rx.memory());
}

/// P-236: a super-segment is the same stream as its segments.
#[test]
fn p236_super_segments() {
    let mut rig = Rig::new();
    let part = |from: u64| Bytes::from((from..from + 1448).map(byte_at).collect::<Vec<u8>>());
    let payload = Payload { head: part(0), rest: vec![part(1448), part(2896)], truesize: 3 * 2304, spare: 0 };
    let segment = TextSegment {
        seq: IRS + 1,
        payload,
        flags: Flags::ACK,
        options_len: 12,
        segments: 3,
        segment_size: 1448,
    };
    let outcome = rig.run(|rx, path, cx| rx.text(segment, path, cx));
    assert_eq!((outcome.in_order_bytes, rig.rx.rcv_mss()), (4344, 1448));
    assert_eq!(rig.decide(), AckDecision::Now);
    assert_eq!(rig.read(5000), (0..4344).map(byte_at).collect::<Vec<u8>>());
    assert_eq!(rig.memory.used(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Arrive { at: u64, len: usize, truesize: u32, parts: usize, fin: bool },
    Read(usize),
    Acknowledge,
}

fn steps(total: u64) -> impl Strategy<Value = Vec<Step>> {
    let arrive = (0..total, 1usize..3000, 0u32..3, 1usize..4, prop::bool::ANY).prop_map(
        move |(at, len, kind, parts, fin)| {
            let len = len.min((total - at) as usize);
            let truesize = [len as u32, 2 * len as u32, len as u32 + 2304][kind as usize];
            Step::Arrive { at, len, truesize, parts, fin: fin && at + len as u64 == total }
        },
    );
    let step =
        prop_oneof![6 => arrive, 2 => (1usize..4000).prop_map(Step::Read), 1 => Just(Step::Acknowledge)];
    prop::collection::vec(step, 1..120)
}

fn split(bytes: Vec<u8>, parts: usize, truesize: u32) -> Payload {
    let mut left = Bytes::from(bytes);
    let size = left.len().div_ceil(parts).max(1);
    let mut pieces = Vec::new();
    while !left.is_empty() {
        pieces.push(left.split_to(size.min(left.len())));
    }
    let head = if pieces.is_empty() { Bytes::new() } else { pieces.remove(0) };
    Payload { head, rest: pieces, truesize, spare: 0 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// P-049, P-056: any order, overlap and repetition gives the stream once; the right edge never moves
    /// left, but for the window that is closed when data found no memory; what is reported has arrived; memory
    /// returns to zero.
    #[test]
    fn any_arrival_order_gives_the_stream(steps in steps(20_000), small in prop::bool::ANY) {
        const TOTAL: u64 = 20_000;
        let rcvbuf = if small { 9_000 } else { 131_072 };
        let mut rig = Rig::with(Sysctls::default(), |config| {
            config.rcvbuf = rcvbuf;
            config.rcvbuf_locked = true;
        });
        let mut stream: Vec<u8> = Vec::new();
        let mut arrived = vec![false; TOTAL as usize + 2];
        let mut edge = rig.rx.right_edge();
        let put = |rig: &mut Rig, at: u64, len: usize, truesize: u32, parts: usize, fin: bool| {
            let bytes: Vec<u8> = (at..at + len as u64).map(byte_at).collect();
            let flags = if fin { Flags::ACK | Flags::FIN } else { Flags::ACK };
            let payload = split(bytes, parts, truesize);
            let segment =
                TextSegment { seq: IRS + 1 + at, payload, flags, options_len: 12, segments: 1, segment_size: 0 };
            rig.run(|rx, path, cx| rx.text(segment, path, cx))
        };
        for step in steps {
            rig.after(300);
            match step {
                Step::Arrive { at, len, truesize, parts, fin } => {
                    put(&mut rig, at, len, truesize, parts, fin);
                    arrived[at as usize..at as usize + len + usize::from(fin)].fill(true);
                    if let Some(blocks) = rig.reply() {
                        for (start, end) in blocks {
                            prop_assert!(arrived[start as usize..end as usize].iter().all(|seen| *seen));
                        }
                    }
                }
                Step::Read(count) => {
                    let got = rig.read(count);
                    stream.extend_from_slice(&got);
                    if rig.update_due(got.len()) {
                        rig.acknowledge();
                    }
                }
                Step::Acknowledge => drop(rig.acknowledge()),
            }
            prop_assert!(rig.rx.right_edge() >= edge || rig.rx.window() == 0);
            edge = rig.rx.right_edge();
            prop_assert_eq!(rig.memory.used(), u64::from(rig.rx.memory()));
            prop_assert!(rig.rx.memory() <= rcvbuf + 2 * 5304);
        }
        // Once the peer repeats what was dropped, everything arrives.
        while !rig.rx.fin_received() {
            let got = rig.read(100_000);
            stream.extend_from_slice(&got);
            rig.update_due(got.len());
            rig.acknowledge();
            let at = rig.rx.nxt() - IRS - 1;
            let len = 1448.min(rig.rx.window() as usize).min((TOTAL - at) as usize);
            put(&mut rig, at, len, len as u32, 1, at + len as u64 == TOTAL);
        }
        stream.extend(rig.read(100_000));
        prop_assert!(stream == (0..TOTAL).map(byte_at).collect::<Vec<u8>>());
        rig.acknowledge();
        prop_assert_eq!((rig.memory.used(), rig.rx.memory()), (0, 0));
        prop_assert!(rig.rx.rare.is_none());
    }
}
