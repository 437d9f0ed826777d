//! Reassembly: any order, duplicates, overlaps, bounds, expiry.

use cauce_wire::fragment::{FragmentDrop, Reassembler, Reassembly};
use cauce_wire::{Ecn, IpEmit, IpHeader};
use proptest::prelude::*;

/// A fragment of the datagram `id`.
#[derive(Clone, Debug)]
struct Piece {
    v6: bool,
    protocol: u8,
    id: u16,
    ecn: Ecn,
    offset: usize,
    more: bool,
    payload: Vec<u8>,
}

impl Piece {
    fn new(v6: bool, offset: usize, more: bool, payload: &[u8]) -> Piece {
        Piece { v6, protocol: 6, id: 7, ecn: Ecn::NotEct, offset, more, payload: payload.to_vec() }
    }

    fn ip(&self, payload_len: usize) -> IpEmit {
        let (src, dst) = if self.v6 { ("2001:db8::1", "2001:db8::2") } else { ("10.0.0.1", "10.0.0.2") };
        IpEmit {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            protocol: if self.v6 { 44 } else { self.protocol },
            hop_limit: 60,
            traffic_class: self.ecn as u8,
            flow_label: 0,
            identification: self.id,
            dont_fragment: false,
            payload_len,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let ip = self.ip(self.payload.len() + if self.v6 { 8 } else { 0 });
        let mut bytes = vec![0; ip.len()];
        ip.emit(&mut bytes);
        let word = (self.offset as u16 / 8).to_be_bytes();
        if self.v6 {
            let [high, low] = (self.offset as u16 | u16::from(self.more)).to_be_bytes();
            let [i0, i1] = self.id.to_be_bytes();
            bytes.extend_from_slice(&[self.protocol, 0, high, low, 0, 0, i0, i1]);
        } else {
            bytes[6] = word[0] | if self.more { 0x20 } else { 0 };
            bytes[7] = word[1];
            bytes[10..12].fill(0);
            let sum = cauce_wire::checksum::checksum(&bytes[..20]);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

fn push(reassembler: &mut Reassembler, piece: &Piece, now_ms: u64) -> Reassembly {
    let bytes = piece.bytes();
    let header = IpHeader::parse(&bytes, bytes.len()).unwrap();
    reassembler.push(&header, &bytes, now_ms)
}

fn reassembler() -> Reassembler {
    Reassembler::new(1 << 20, 16, 30_000)
}

const DROPPED_OVERLAP: Reassembly = Reassembly::Dropped(FragmentDrop::Overlap);

#[test]
fn overlap_drops_the_datagram() {
    for v6 in [false, true] {
        let mut r = reassembler();
        assert_eq!(push(&mut r, &Piece::new(v6, 0, true, &[1; 24]), 0), Reassembly::Held);
        assert_eq!(push(&mut r, &Piece::new(v6, 16, true, &[2; 16]), 0), DROPPED_OVERLAP);
        let last = push(&mut r, &Piece::new(v6, 24, false, &[3; 8]), 0);
        assert_eq!(last, if v6 { DROPPED_OVERLAP } else { Reassembly::Held });
        assert_eq!(r.expire(30_000), 1);
        assert_eq!((r.bytes(), r.len(), r.next_expiry_ms()), (0, 0, None));
    }
}

#[test]
fn the_same_range_with_other_bytes_is_an_overlap() {
    let mut r = reassembler();
    assert_eq!(push(&mut r, &Piece::new(true, 0, true, &[1; 24]), 0), Reassembly::Held);
    let again = push(&mut r, &Piece::new(true, 0, true, &[1; 24]), 0);
    assert_eq!(again, Reassembly::Dropped(FragmentDrop::Duplicate));
    assert_eq!(push(&mut r, &Piece::new(true, 0, true, &[2; 24]), 0), DROPPED_OVERLAP);
}

#[test]
fn contradicting_ends_drop_the_datagram() {
    for second in [Piece::new(false, 64, false, &[0; 8]), Piece::new(false, 40, true, &[0; 8])] {
        let mut r = reassembler();
        assert_eq!(push(&mut r, &Piece::new(false, 24, false, &[0; 8]), 0), Reassembly::Held);
        assert_eq!(push(&mut r, &second, 0), Reassembly::Dropped(FragmentDrop::Length));
        assert!(r.is_empty() && r.bytes() == 0);
    }
}

#[test]
fn hostile_shapes() {
    let dropped = |piece: Piece| match push(&mut reassembler(), &piece, 0) {
        Reassembly::Dropped(reason) => reason,
        other => panic!("{other:?}"),
    };
    for v6 in [false, true] {
        assert_eq!(dropped(Piece::new(v6, 8, true, &[])), FragmentDrop::Malformed);
        assert_eq!(dropped(Piece::new(v6, 8, true, &[0; 9])), FragmentDrop::Malformed);
        assert_eq!(dropped(Piece::new(v6, 65528, false, &[0; 100])), FragmentDrop::TooLong);
        assert_eq!(dropped(Piece::new(v6, 0, true, &[0; 16])), FragmentDrop::TinyFirst);
        let udp = Piece { protocol: 17, ..Piece::new(v6, 0, true, &[0; 16]) };
        assert_eq!(push(&mut reassembler(), &udp, 0), Reassembly::Held);
    }
    let chain_goes_on = Piece { protocol: 60, ..Piece::new(true, 0, true, &[6, 1, 0, 0, 0, 0, 0, 0]) };
    assert_eq!(dropped(chain_goes_on), FragmentDrop::TinyFirst);
}

#[test]
fn ecn_marks_combine() {
    let run = |marks: [Ecn; 2]| {
        let mut r = reassembler();
        push(&mut r, &Piece { ecn: marks[0], ..Piece::new(false, 0, true, &[0; 24]) }, 0);
        match push(&mut r, &Piece { ecn: marks[1], ..Piece::new(false, 24, false, &[0; 4]) }, 0) {
            Reassembly::Complete(packet) => Some(IpHeader::parse(&packet, packet.len()).unwrap().ecn()),
            other => {
                assert_eq!(other, Reassembly::Dropped(FragmentDrop::Ecn));
                None
            }
        }
    };
    assert_eq!(run([Ecn::Ect0, Ecn::Ce]), Some(Ecn::Ce));
    assert_eq!(run([Ecn::Ect0, Ecn::Ect0]), Some(Ecn::Ect0));
    assert_eq!(run([Ecn::NotEct, Ecn::NotEct]), Some(Ecn::NotEct));
    assert_eq!(run([Ecn::NotEct, Ecn::Ce]), None);
}

#[test]
fn bounds_evict_the_oldest() {
    let mut r = Reassembler::new(1 << 20, 4, 1000);
    for id in 0..10 {
        let piece = Piece { id, ..Piece::new(false, 8, true, &[0; 64]) };
        assert_eq!(push(&mut r, &piece, u64::from(id)), Reassembly::Held);
    }
    assert_eq!(r.len(), 4);
    assert_eq!(r.expire(1006), 1, "the survivors are the four youngest");
    assert_eq!(r.next_expiry_ms(), Some(1007));

    let mut r = Reassembler::new(4000, 100, 1000);
    for id in 0..10 {
        push(&mut r, &Piece { id, ..Piece::new(true, 8, true, &[0; 800]) }, 0);
        assert!(r.bytes() <= 4000);
    }
    let held = r.len();
    let huge = push(&mut r, &Piece { id: 99, ..Piece::new(true, 8, true, &[0; 4000]) }, 0);
    assert_eq!((huge, r.len()), (Reassembly::Dropped(FragmentDrop::NoRoom), held));
}

#[test]
fn too_many_pieces() {
    let mut r = Reassembler::new(1 << 20, 4, 1000);
    let results: Vec<_> =
        (1..200).map(|n| push(&mut r, &Piece::new(false, n * 16, true, &[0; 8]), 0)).collect();
    assert!(results.contains(&Reassembly::Dropped(FragmentDrop::TooManyPieces)));
    assert!(r.bytes() < 128 * 1024);
}

proptest! {
    /// Every datagram comes out whole whatever the order and however often pieces are repeated.
    #[test]
    fn any_order_any_duplicates(v6: bool, len in 30usize..5000, sizes in proptest::collection::vec(3usize..100, 1..40), order: u64) {
        let datagram: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
        let (mut pieces, mut at) = (Vec::new(), 0);
        for size in sizes.iter().cycle() {
            let end = (at + size * 8).min(len);
            pieces.push(Piece::new(v6, at, end < len, &datagram[at..end]));
            at = end;
            if at == len || pieces.len() == 127 { break; }
        }
        let last = pieces.len() - 1;
        if at < len { pieces[last].more = false; }
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.payload.clone()).collect();
        prop_assume!(pieces.len() > 1 && !pieces[last].payload.is_empty());
        let mut state = order | 1;
        for i in (1..pieces.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            pieces.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut r = reassembler();
        for (n, piece) in pieces.iter().enumerate() {
            let outcome = push(&mut r, piece, 0);
            if n < last {
                prop_assert_eq!(outcome, Reassembly::Held);
                prop_assert_eq!(push(&mut r, piece, 0), Reassembly::Dropped(FragmentDrop::Duplicate));
            } else {
                let Reassembly::Complete(packet) = outcome else { panic!("{outcome:?}") };
                let header = IpHeader::parse(&packet, packet.len()).unwrap();
                prop_assert_eq!((header.protocol, header.fragment), (6, None));
                prop_assert_eq!(&packet[header.header_len..], &whole[..]);
            }
        }
        prop_assert_eq!((r.bytes(), r.len()), (0, 0));
    }

    /// Whatever comes, the bounds hold and the account is right in the end.
    #[test]
    fn bounds_hold(pieces in proptest::collection::vec(
        (any::<bool>(), 0u16..6, 0usize..20, any::<bool>(), 0usize..12, 0u64..200), 0..200)) {
        let mut r = Reassembler::new(3000, 4, 100);
        let mut now = 0;
        for (v6, id, offset, more, words, later) in pieces {
            now += later / 20;
            r.expire(now);
            push(&mut r, &Piece { id, ..Piece::new(v6, offset * 8, more, &vec![id as u8; words * 8]) }, now);
            prop_assert!(r.bytes() <= 3000 && r.len() <= 4);
            prop_assert_eq!(r.is_empty(), r.bytes() == 0);
        }
        r.expire(now + 100);
        prop_assert_eq!((r.bytes(), r.len()), (0, 0));
    }
}
