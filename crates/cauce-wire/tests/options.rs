//! TCP options against their layouts on the wire, against etherparse, and against arbitrary bytes.

use cauce_wire::{
    AccEcn, AccEcnOrder, AuthOption, FastOpen, FastOpenKind, SackBlock, Seq, TcpHeader, TcpOptions,
    Timestamps,
};
use proptest::prelude::*;

fn emitted(options: &TcpOptions) -> Vec<u8> {
    let mut out = [0xee; 40];
    let len = options.emit(&mut out).unwrap();
    assert_eq!(len, options.wire_len());
    out[..len].to_vec()
}

fn cookie(bytes: &[u8], kind: FastOpenKind) -> Option<FastOpen> {
    Some(FastOpen { cookie: bytes.iter().copied().collect(), kind })
}

fn block(left: u32, right: u32) -> SackBlock {
    SackBlock { left: Seq(left), right: Seq(right) }
}

const TS: Option<Timestamps> = Some(Timestamps { val: 0x01020304, ecr: 0x05060708 });
const TS_BYTES: [u8; 10] = [8, 10, 1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn syn_in_linux_order_p046() {
    let syn = TcpOptions {
        mss: Some(1460),
        sack_permitted: true,
        timestamps: TS,
        window_scale: Some(7),
        fast_open: cookie(&[9; 8], FastOpenKind::Standard),
        ..Default::default()
    };
    let expected =
        [&[2, 4, 0x05, 0xb4, 4, 2][..], &TS_BYTES, &[1, 3, 3, 7], &[34, 10, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1]]
            .concat();
    assert_eq!(emitted(&syn), expected);
}

#[test]
fn syn_without_timestamps() {
    let syn =
        TcpOptions { mss: Some(1460), sack_permitted: true, window_scale: Some(8), ..Default::default() };
    assert_eq!(emitted(&syn), [2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 8]);
}

#[test]
fn data_and_pure_ack() {
    let mut options = TcpOptions { timestamps: TS, ..Default::default() };
    assert_eq!(emitted(&options), [&[1, 1][..], &TS_BYTES].concat());
    options.sack.push(block(1, 2));
    assert_eq!(emitted(&options), [&[1, 1][..], &TS_BYTES, &[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2]].concat());
}

#[test]
fn acc_ecn_lends_its_last_bytes_to_nops() {
    let e1 = |counters: &[u32]| Some(AccEcn::new(AccEcnOrder::E1First, counters));
    let syn_ack = TcpOptions {
        mss: Some(1460),
        sack_permitted: true,
        window_scale: Some(8),
        acc_ecn: e1(&[1, 0, 1]),
        ..Default::default()
    };
    let expected =
        [&[2, 4, 0x05, 0xb4][..], &[174, 11, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1], &[1, 1, 4, 2, 1, 3, 3, 8]]
            .concat();
    assert_eq!(emitted(&syn_ack), expected);

    let empty = TcpOptions { acc_ecn: e1(&[]), ..syn_ack.clone() };
    assert_eq!(emitted(&empty), [2, 4, 0x05, 0xb4, 174, 2, 4, 2, 1, 3, 3, 8]);
    let one = TcpOptions { acc_ecn: e1(&[0x010203]), timestamps: TS, ..syn_ack };
    let expected = [&[2, 4, 0x05, 0xb4, 4, 2][..], &TS_BYTES, &[174, 5, 1, 2, 3, 3, 3, 8]].concat();
    assert_eq!(emitted(&one), expected);

    let mut with_sack = TcpOptions { acc_ecn: e1(&[7]), ..Default::default() };
    with_sack.sack.push(block(1, 2));
    assert_eq!(emitted(&with_sack), [174, 5, 0, 0, 7, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    let alone = TcpOptions { acc_ecn: e1(&[7]), ..Default::default() };
    assert_eq!(emitted(&alone), [174, 5, 0, 0, 7, 1, 1, 1]);
}

#[test]
fn fast_open_in_both_kinds_p160() {
    for (bytes, expected) in [
        (&[34u8, 2][..], cookie(&[], FastOpenKind::Standard)),
        (&[34, 6, 1, 2, 3, 4], cookie(&[1, 2, 3, 4], FastOpenKind::Standard)),
        (&[254, 4, 0xf9, 0x89], cookie(&[], FastOpenKind::Experimental)),
        (&[254, 8, 0xf9, 0x89, 1, 2, 3, 4], cookie(&[1, 2, 3, 4], FastOpenKind::Experimental)),
        (&[254, 8, 0xe2, 0xd4, 1, 2, 3, 4], None),
        (&[34, 4, 1, 2], None),
        (&[34, 7, 1, 2, 3, 4, 5], None),
        (&[34, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], None),
    ] {
        assert_eq!(TcpOptions::parse(bytes).fast_open, expected, "{bytes:?}");
    }
}

#[test]
fn unknown_and_malformed_p047() {
    let parse = |bytes: &[u8]| TcpOptions::parse(bytes);
    let mss = TcpOptions { mss: Some(0x0102), ..Default::default() };
    assert_eq!(parse(&[77, 5, 9, 9, 9, 2, 4, 1, 2]), mss, "an unknown kind is skipped by its length");
    assert_eq!(parse(&[2, 4, 1, 2, 3, 0, 1, 3, 3, 7]), mss, "length 0 ends the reading");
    assert_eq!(parse(&[2, 4, 1, 2, 3, 1, 4, 2]), mss, "length 1 ends the reading");
    assert_eq!(parse(&[2, 4, 1, 2, 8, 10, 1]), mss, "a length beyond the header ends the reading");
    assert_eq!(parse(&[2, 4, 1, 2, 8]), mss, "a missing length ends the reading");
    assert_eq!(parse(&[3, 4, 1, 2, 2, 4, 1, 2]), mss, "a wrong length of a known kind is skipped");
    assert_eq!(parse(&[2, 4, 1, 2, 0, 4, 2]), mss, "EOL ends the options");
    assert_eq!(parse(&[2, 4, 9, 9, 2, 4, 1, 2]), mss, "the last of two counts");
}

#[test]
fn window_scale_above_14_is_14_p110() {
    assert_eq!(TcpOptions::parse(&[1, 3, 3, 15]).window_scale, Some(14));
    assert_eq!(TcpOptions::parse(&[1, 3, 3, 14]).window_scale, Some(14));
}

#[test]
fn what_does_not_fit_is_left_out_whole() {
    let mut options = TcpOptions { timestamps: TS, md5: Some([3; 16]), ..Default::default() };
    assert!(options.fits());
    options.sack.push(block(1, 2));
    assert!(!options.fits());
    assert_eq!(options.wire_len(), 32);
    assert_eq!(TcpOptions::parse(&emitted(&options)), TcpOptions { sack: Default::default(), ..options });
}

#[test]
fn etherparse_agrees() {
    let mut options =
        TcpOptions { mss: Some(1400), window_scale: Some(3), timestamps: TS, ..Default::default() };
    options.sack.push(block(10, 20));
    let mut bytes = [0; 60];
    let len = TcpHeader { options, ..Default::default() }.emit(&mut bytes);
    let (theirs, rest) = etherparse::TcpHeader::from_slice(&bytes[..len]).unwrap();
    use etherparse::TcpOptionElement as E;
    let elements: Vec<_> = theirs.options_iterator().map(Result::unwrap).collect();
    let expected = [
        E::MaximumSegmentSize(1400),
        E::Noop,
        E::Noop,
        E::Timestamp(0x01020304, 0x05060708),
        E::Noop,
        E::WindowScale(3),
        E::Noop,
        E::Noop,
        E::SelectiveAcknowledgement((10, 20), [None, None, None]),
    ];
    assert_eq!((elements.as_slice(), rest.len()), (&expected[..], 0));
}

prop_compose! {
    fn any_timestamps()(val: u32, ecr: u32) -> Timestamps { Timestamps { val, ecr } }
}

fn any_fast_open() -> impl Strategy<Value = FastOpen> {
    let kind = prop_oneof![Just(FastOpenKind::Standard), Just(FastOpenKind::Experimental)];
    (prop_oneof![Just(0usize), (2usize..=8).prop_map(|half| half * 2)], any::<[u8; 16]>(), kind)
        .prop_map(|(len, bytes, kind)| FastOpen { cookie: bytes[..len].iter().copied().collect(), kind })
}

fn any_acc_ecn() -> impl Strategy<Value = AccEcn> {
    let order = prop_oneof![Just(AccEcnOrder::E0First), Just(AccEcnOrder::E1First)];
    (order, proptest::collection::vec(any::<u32>(), 0..=3))
        .prop_map(|(order, counters)| AccEcn::new(order, &counters))
}

fn any_auth() -> impl Strategy<Value = AuthOption> {
    (any::<u8>(), any::<u8>(), any::<[u8; 16]>(), 0usize..=16).prop_map(|(key_id, rnext_key_id, mac, len)| {
        AuthOption { key_id, rnext_key_id, mac: mac[..len].iter().copied().collect() }
    })
}

/// Any set of options, whether or not it fits.
fn any_options() -> impl Strategy<Value = TcpOptions> {
    let blocks = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..=4);
    (
        (proptest::option::of(any::<u16>()), proptest::option::of(0u8..=14), any::<bool>()),
        proptest::option::of(any_timestamps()),
        prop_oneof![Just(Vec::new()), blocks],
        proptest::option::weighted(0.3, any_fast_open()),
        proptest::option::weighted(0.3, any::<u16>()),
        proptest::option::weighted(0.3, any_acc_ecn()),
        proptest::option::weighted(0.1, any::<[u8; 16]>()),
        proptest::option::weighted(0.1, any_auth()),
    )
        .prop_map(
            |(
                (mss, window_scale, sack_permitted),
                timestamps,
                sack,
                fast_open,
                user_timeout,
                acc_ecn,
                md5,
                ao,
            )| {
                let sack = sack.into_iter().map(|(left, right)| block(left, right)).collect();
                TcpOptions {
                    mss,
                    window_scale,
                    sack_permitted,
                    timestamps,
                    sack,
                    fast_open,
                    user_timeout,
                    acc_ecn,
                    md5,
                    ao,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn sets_that_fit_round_trip(options in any_options()) {
        let bytes = emitted(&options);
        prop_assert!(bytes.len() <= 40 && bytes.len().is_multiple_of(4));
        let read = TcpOptions::parse(&bytes);
        if options.fits() {
            prop_assert_eq!(&read, &options);
            let header = TcpHeader { options, ..Default::default() };
            let mut out = [0; 60];
            prop_assert_eq!(header.emit(&mut out), header.header_len());
            prop_assert_eq!(TcpHeader::parse(&out[..header.header_len()]), Ok((header.clone(), header.header_len())));
        } else {
            prop_assert_eq!(emitted(&read).len(), bytes.len());
        }
    }

    #[test]
    fn parse_never_panics_and_settles(bytes in proptest::collection::vec(prop_oneof![
        Just(1u8), Just(2), Just(3), Just(4), Just(5), Just(8), Just(10), Just(34), Just(172), Just(174), Just(254), any::<u8>(),
    ], 0..=40)) {
        let read = TcpOptions::parse(&bytes);
        if read.fits() {
            prop_assert_eq!(TcpOptions::parse(&emitted(&read)), read);
        }
    }
}
