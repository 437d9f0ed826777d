//! Software segmentation and coalescing are each other's inverse (P-235, P-236).

mod support;

use bytes::Bytes;
use cauce_core::frame::{ChecksumState, Frame};
use cauce_device::gro::Gro;
use cauce_device::offload::{linearise, packets};
use cauce_device::{Device, Medium, PipeOptions, pipe};
use proptest::prelude::*;
use support::*;

fn coalesce(frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    let (mut gro, mut out) = (Gro::new(Medium::Ip), Vec::new());
    frames.into_iter().for_each(|frame| gro.push_frame(frame, &mut out));
    gro.finish(&mut out);
    out
}

/// Cuts `bytes` into at most 17 slices.
fn slices(bytes: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    let mut parts = Vec::new();
    for to in cuts.into_iter().chain([bytes.len()]) {
        parts.push(Bytes::copy_from_slice(&bytes[from..to]));
        from = to;
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// P-235: the cut is byte for byte what single segments would have been.
    #[test]
    fn the_cut_equals_single_segments(
        v6: bool, len in 1usize..60_000, size in 1u16..9000, seq: u32, id: u16, last in 0u8..4, cwr: bool,
        options in 0usize..11, cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        prop_assume!(len / usize::from(size) < 2000);
        let end = [0, PSH, FIN, PSH | FIN][usize::from(last)];
        let first = if cwr { CWR } else { 0 };
        let whole = Segment { v6, seq, id, flags: ACK | end | first, options: vec![1; options * 4], ..Segment::default() };
        let bytes = payload(len);
        let transmit = whole.transmit(slices(&bytes, &cuts), size);
        let count = transmit.segments();
        let mut at = 0;
        for (index, packet) in packets(&transmit).enumerate() {
            let part = &bytes[at..len.min(at + usize::from(size))];
            let single = Segment {
                seq: seq.wrapping_add(at as u32),
                id: id.wrapping_add(index as u16),
                flags: ACK | if index == 0 { first } else { 0 } | if index + 1 == count { end } else { 0 },
                ..whole.clone()
            };
            prop_assert_eq!(&packet.to_bytes()[..], &single.packet(part)[..]);
            at += part.len();
        }
        prop_assert_eq!(at, len);
    }

    /// P-236: coalescing what was cut restores the super-packet, through contiguous frames and through shared slices.
    #[test]
    fn cut_and_coalesced_is_identity(
        v6: bool, len in 2usize..60_000, size in 40u16..9000, seq: u32, last in 0u8..3,
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let end = [0, PSH, FIN | PSH][usize::from(last)];
        let whole = Segment { v6, seq, flags: ACK | end, ..Segment::default() };
        let bytes = payload(len);
        let transmit = whole.transmit(slices(&bytes, &cuts), size);
        let (mut expected, _) = whole.headers(len);
        expected.extend_from_slice(&bytes);
        let count = transmit.segments();
        let contiguous = coalesce(packets(&transmit).map(|packet| Frame::new(packet.to_bytes())));
        let (mut left, mut right) = pipe(PipeOptions::default());
        let mut shared = Vec::new();
        left.transmit(&mut batch_of([transmit.clone()]), &mut Vec::new()).unwrap();
        prop_assert_eq!(right.receive(4096, &mut shared).unwrap(), count);
        for frames in [contiguous, shared] {
            prop_assert_eq!(frames.len(), 1);
            prop_assert_eq!(usize::from(frames[0].segments), count);
            prop_assert_eq!(frames[0].checksum, ChecksumState::Verified);
            if count > 1 {
                prop_assert_eq!(frames[0].segment_size, size);
                prop_assert_eq!(&frames[0].to_bytes()[..], &expected[..]);
            }
        }
    }

    /// Whatever arrives: no panic, no byte lost, no order changed within a flow.
    #[test]
    fn anything_passes(
        steps in prop::collection::vec((0u16..12, 0usize..300, any::<u8>(), any::<bool>(), 0u32..3), 1..60),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..10),
    ) {
        let mut seqs = [1u32; 12];
        let mut frames = Vec::new();
        let mut sent: Vec<Vec<u8>> = vec![Vec::new(); 12];
        for (flow, len, flags, corrupt, ack) in steps {
            let at = usize::from(flow);
            let bytes = payload(len);
            let segment = Segment { ports: (flow, 80), seq: seqs[at], flags: flags | ACK, ack, ..Segment::default() };
            seqs[at] = seqs[at].wrapping_add(len as u32);
            sent[at].extend(&bytes);
            let mut packet = segment.packet(&bytes);
            if corrupt && len > 0 { packet[36] ^= 1; }
            frames.push(Frame::new(packet.into()));
        }
        frames.extend(noise.iter().map(|noise| Frame::new(noise.clone().into())));
        let mut received: Vec<Vec<u8>> = vec![Vec::new(); 12];
        for frame in coalesce(frames.clone()) {
            let bytes = frame.to_bytes();
            if bytes.len() >= 52 && bytes[0] == 0x45 && bytes[9] == 6 {
                let flow = usize::from(u16::from_be_bytes([bytes[20], bytes[21]]));
                if flow < 12 { received[flow].extend(&bytes[52..]); }
                prop_assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len());
            }
        }
        prop_assert_eq!(sent, received);
    }
}

#[test]
fn a_finished_packet_is_left_alone_and_a_partial_one_completed() {
    for v6 in [false, true] {
        let segment = Segment { v6, ..Segment::default() };
        let transmit = segment.transmit(slices(&payload(333), &[100, 101]), 0);
        let packet: Vec<_> = packets(&transmit).collect();
        assert_eq!(packet.len(), 1);
        assert_eq!(packet[0].to_bytes(), segment.packet(&payload(333)));
        let mut straight = Vec::new();
        linearise(&transmit, &mut straight);
        assert_eq!(straight, segment.packet(&payload(333)));
        assert!(checksums_are_right(&straight));
    }
}

/// Two data segments in a row, and the same with one thing changed in the second.
#[test]
fn what_differs_is_not_joined() {
    let first = Segment::default();
    let next = Segment { seq: 101, id: 101, ..Segment::default() };
    let joined = |second: &Segment, len: usize| {
        coalesce([first.frame(&payload(100)), second.frame(&payload(len))]).len() == 1
    };
    assert!(joined(&next, 100));
    assert!(joined(&Segment { flags: ACK | PSH, ..next.clone() }, 100), "PSH on the last belongs to it");
    assert!(joined(&Segment { id: 100, ..next.clone() }, 100), "a fixed identification with DF");
    assert!(joined(&next, 60), "a short last segment");
    assert!(!joined(&next, 101), "a longer one");
    assert!(!joined(&next, 0), "a pure ACK");
    let mut later = next.options.clone();
    later[7] += 1;
    for (what, second) in [
        ("a gap", Segment { seq: 102, ..next.clone() }),
        ("another ack", Segment { ack: 6, ..next.clone() }),
        ("another timestamp", Segment { options: later, ..next.clone() }),
        ("no options", Segment { options: vec![], ..next.clone() }),
        ("CWR", Segment { flags: ACK | CWR, ..next.clone() }),
        ("URG", Segment { flags: ACK | URG, ..next.clone() }),
        ("SYN", Segment { flags: ACK | SYN, ..next.clone() }),
        ("a congestion mark", Segment { class: 3, ..next.clone() }),
        ("another flow", Segment { ports: (4001, 80), ..next.clone() }),
        ("an identification that jumps", Segment { id: 300, ..next.clone() }),
    ] {
        assert!(!joined(&second, 100), "{what}");
    }
}

/// P-236, RFC 9768: CWR is a part of a counter there, so that it must be equal; and it may be set in all of a frame.
#[test]
fn equal_counters_of_accurate_ecn_join() {
    for (flags, next, count) in [(ACK | CWR, ACK | CWR, 1), (ACK | CWR, ACK, 2), (ACK, ACK | CWR, 2)] {
        let first = Segment { flags, ..Segment::default() };
        let second = Segment { flags: next, seq: 101, id: 101, ..Segment::default() };
        let frames = coalesce([first.frame(&payload(100)), second.frame(&payload(100))]);
        assert_eq!(frames.len(), count, "{flags:#x} {next:#x}");
    }
}

#[test]
fn a_wrong_checksum_passes_unverified_and_never_joins() {
    let first = Segment::default();
    let mut bad = Segment { seq: 101, id: 101, ..Segment::default() }.packet(&payload(100));
    bad[90] ^= 0x40;
    let after = Segment { seq: 201, id: 102, ..Segment::default() };
    let frames =
        coalesce([first.frame(&payload(100)), Frame::new(bad.clone().into()), after.frame(&payload(100))]);
    let states: Vec<_> = frames.iter().map(|frame| frame.checksum).collect();
    assert_eq!(states, [ChecksumState::Verified, ChecksumState::Unverified, ChecksumState::Verified]);
    assert_eq!(frames[1].head, bad);
}

#[test]
fn coalescing_stops_at_64_kib_and_after_push() {
    let frames = coalesce((0..100u32).map(|index| {
        let flags = if index == 9 { ACK | PSH } else { ACK };
        Segment { seq: 1 + index * 1448, id: index as u16, flags, ..Segment::default() }.frame(&payload(1448))
    }));
    let segments: Vec<u16> = frames.iter().map(|frame| frame.segments).collect();
    assert_eq!(segments, [10, 45, 45]);
    assert!(frames.iter().all(|frame| frame.len() <= 65_535 && frame.truesize as usize >= frame.len()));
}

#[test]
fn padding_of_an_ethernet_frame_is_not_payload() {
    let ethernet = |segment: Segment, len: usize, pad: usize| {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        bytes.extend(segment.packet(&payload(len)));
        bytes.extend(vec![0; pad]);
        Frame::new(bytes.into())
    };
    let (mut gro, mut out) = (Gro::new(Medium::Ethernet { mac: [2, 0, 0, 0, 0, 1] }), Vec::new());
    let small = Segment { options: vec![], ..Segment::default() };
    gro.push_frame(ethernet(small.clone(), 4, 2), &mut out);
    gro.push_frame(ethernet(Segment { seq: 5, id: 101, ..small }, 3, 3), &mut out);
    gro.finish(&mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].to_bytes()[54..], [payload(4), payload(3)].concat());
}
