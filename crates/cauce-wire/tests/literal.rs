//! Lines of text to segments and packets, and back.

use std::net::SocketAddr;

use cauce_wire::dissect::{print, print_head, print_with_addresses};
use cauce_wire::literal::{BuildError, Segment, TcpOption, parse, parse_icmp};
use cauce_wire::{Flags, IpHeader, IpVersion, TcpHeader, checksum};
use proptest::prelude::*;

fn ends(v6: bool) -> (SocketAddr, SocketAddr) {
    let (src, dst) =
        if v6 { ("[2001:db8::1]:4000", "[2001:db8::2]:80") } else { ("10.0.0.1:4000", "10.0.0.2:80") };
    (src.parse().unwrap(), dst.parse().unwrap())
}

/// Lines that come back exactly as they are, also by way of a packet.
const LINES: &[&str] = &[
    "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
    "S. 0:0(0) ack 1 win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 8>",
    "SEW 0:0(0) win 64240 <mss 1460>",
    "SEWA 0:0(0) win 64240 <mss 1460>",
    "[ect0] P. 1:1001(1000) ack 1 win 257",
    "[ce] . 1:1001(1000) ack 1 win 257 <nop,nop,TS val 200 ecr 100>",
    ". 1:1(0) ack 1001 win 257 <nop,nop,sack 2001:3001 4001:5001>",
    "F. 4294967295:9(10) ack 4294967295 win 0",
    "PU. 1:11(10) ack 1 win 257 urg 5",
    "R 1:1(0) win 0",
    "R. 0:0(0) ack 1 win 0",
    "- 5:5(0) win 9",
    "S 0:1000(1000) win 65535 <mss 1040,sackOK,TS val 100 ecr 0,nop,wscale 6,FO abcd1234,nop,nop>",
    "S 0:0(0) win 65535 <FO,nop,nop>",
    "S 0:0(0) win 65535 <FOEXP>",
    "S 0:0(0) win 65535 <FOEXP 0011223344556677>",
    "S. 0:0(0) ack 1 win 65535 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,nop,nop,sackOK,nop,wscale 8>",
    ". 1:1(0) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 16777215,nop>",
    ". 1:1(0) ack 1 win 257 <ECN e1b 7 ceb 3>",
    ". 1:1(0) ack 1 win 257 <ECN,nop,nop>",
    ". 1:1(0) ack 1 win 257 <ECN 172,nop,nop>",
    "S 0:0(0) win 1 <nop,nop,md5 000102030405060708090a0b0c0d0e0f>",
    "S 0:0(0) win 1 <ao keyid 1 rnext 2 mac 0x00112233445566778899aabb>",
    "S 0:0(0) win 1 <ao keyid 255 rnext 0>",
    "S 0:0(0) win 1 <uto 300s,uto 5m>",
    "S 0:0(0) win 1 <wscale 15,nop>",
    "S 0:0(0) win 1 <kind 77 0xabcd>",
    "S 0:0(0) win 1 <kind 77,mss 536,eol,eol>",
    "S 0:0(0) win 1 <kind 2 0xff,eol,raw 0x02030101>",
    "S 0:0(0) win 1 <nop,nop,raw 0x0301>",
];

#[test]
fn lines_come_back() {
    for line in LINES {
        let segment = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(&segment.to_string(), line);
        for v6 in [false, true] {
            let (src, dst) = ends(v6);
            let packet = segment.to_packet(src, dst).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(&print(&packet), line);
            let ip = IpHeader::parse(&packet, packet.len()).unwrap();
            let tcp = &packet[ip.header_len..];
            assert!(checksum::verify_tcp(ip.src, ip.dst, [tcp].into_iter(), tcp.len()));
            let headers = packet.len() - usize::from(segment.payload_len);
            assert_eq!(&print_head(&packet[..headers], packet.len()), line);
            assert_eq!(print_with_addresses(&packet), format!("{src} > {dst} {line}"));
        }
    }
}

#[test]
fn other_spellings_are_read() {
    let same = |one: &str, other: &str| assert_eq!(parse(one).unwrap(), parse(other).unwrap());
    same(".5 1:1(0) ack 1 win 3", ".EA 1:1(0) ack 1 win 3");
    same("  S  0 : 0 ( 0 )  win 0x10 < mss 1460 , nop , nop > ", "S 0:0(0) win 16 <mss 1460,nop,nop>");
    same("S 0:0(0) win 1 <FO 0xabcd1234>", "S 0:0(0) win 1 <FO abcd1234>");
    same("S 0:0(0) win 1 <>", "S 0:0(0) win 1");
    same("[ect0 ttl 3] . 1:1(0) ack 1", "[ect0,ttl 3] . 1:1(0) ack 1");
    assert_eq!(parse("7 1:1(0)").unwrap().flags, Flags::from_ace(7));
    assert_eq!(parse("8080 > 80 S 0:0(0)").unwrap().ports, Some((8080, 80)));
    assert_eq!(parse("5 > 6 5 0:0(0)").unwrap().to_string(), "5 > 6 EA 0:0(0)");
    assert_eq!(parse(". 1:1(0) ack 1 <...>").unwrap().options, None);
    let all = "[ce,tos 16,ttl 9,flowlabel 74565] . 1:1(0) ack 1 <...>";
    assert_eq!(parse(all).unwrap().to_string(), all);
}

#[test]
fn errors_say_where_and_what() {
    let error = |line: &str| parse(line).unwrap_err().to_string();
    assert_eq!(
        error(""),
        "expected flags of the letters SFRPU.EWA, digits 0 to 7, or - for none at the end of the line"
    );
    assert_eq!(
        error("S 0:5(4)"),
        "expected a payload length that is the end minus the start at column 7, found `4`"
    );
    assert_eq!(error("S 0:0(0) win 65536"), "expected a window up to 65535 at column 14, found `65536`");
    assert_eq!(error("S 0:0(0) ack 1 bogus 2"), "expected the end of the line at column 16, found `bogus`");
    assert_eq!(
        error("S 0:0(0) <mss 1460 nop>"),
        "expected `,` or `>` after a TCP option at column 20, found `nop`"
    );
    assert_eq!(
        error("S 0:0(0) <md5 0011>"),
        "expected an MD5 digest of 32 hexadecimal digits at column 19, found `>`"
    );
    for line in [
        "X 0:0(0)",
        "S 0:0",
        "S 0:0(0) <mss 70000>",
        "S 0:0(0) <kind 1>",
        "S 0:0(0) <sack>",
        "S 0:0(0) <sack 1>",
        "S 0:0(0) <sack 1:2 3:4 5:6 7:8 9:10>",
        "S 0:0(0) <ECN e0b 16777216>",
        "S 0:0(0) <uto 9h>",
        "S 0:0(0) <nop",
        "[ect9] S 0:0(0)",
        "S 0:0(0) <FO abc>",
        "S 0:0(0) <TS val 1>",
        "[flowlabel 1048576] S 0:0(0)",
        "70000 > 1 S 0:0(0)",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn what_cannot_be_built() {
    let (src, dst) = ends(false);
    let build = |line: &str| parse(line).unwrap().to_packet(src, dst);
    assert_eq!(build("S 0:0(0) win 1 <...>"), Err(BuildError::WildcardOptions));
    assert_eq!(build("S 0:0(0)"), Err(BuildError::NoWindow));
    assert_eq!(build("S 0:0(0) win 1 <nop>"), Err(BuildError::OptionsLength(1)));
    assert_eq!(build("S 0:65500(65500) win 1"), Err(BuildError::PacketLength(65540)));
    assert_eq!(parse("S 0:0(0) win 1").unwrap().to_packet(src, ends(true).1), Err(BuildError::Families));
}

#[test]
fn shifting_moves_both_directions() {
    let line = "P. 1:11(10) ack 5 win 1 <nop,nop,sack 7:9>";
    let moved = parse(line).unwrap().shifted(100, u32::MAX);
    assert_eq!(moved.to_string(), "P. 101:111(10) ack 4 win 1 <nop,nop,sack 6:8>");
    assert_eq!(moved.shifted(100u32.wrapping_neg(), u32::MAX.wrapping_neg()).to_string(), line);
}

#[test]
fn icmp_lines_come_back() {
    for (version, line) in [
        (IpVersion::V4, "[1:1001(1000)] icmp unreachable frag_needed mtu 1200"),
        (IpVersion::V4, "[1:1001(1000)] icmp unreachable host_unreachable"),
        (IpVersion::V4, "[0:0(0)] icmp source_quench"),
        (IpVersion::V4, "[0:0(0)] icmp time_exceeded"),
        (IpVersion::V4, "icmp echo_request"),
        (IpVersion::V4, "icmp 77 3"),
        (IpVersion::V6, "[1:1001(1000)] icmp packet_too_big mtu 1280"),
        (IpVersion::V6, "[5:6(1)] icmp unreachable address_unreachable"),
    ] {
        let message = parse_icmp(line, version).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(message.to_string(), line);
        let (src, dst) = ends(version == IpVersion::V6);
        let packet = message.to_packet(dst.ip(), src, dst).unwrap();
        assert_eq!(print(&packet), line);
    }
    let after = parse_icmp("icmp unreachable 4 mtu 1200 [1:1001(1000)]", IpVersion::V4).unwrap();
    assert_eq!(after.to_string(), "[1:1001(1000)] icmp unreachable frag_needed mtu 1200");
    assert!(parse_icmp("icmp unreachable frag_needed", IpVersion::V6).is_err());
    assert!(parse_icmp("icmp bogus", IpVersion::V4).is_err());
    let (src, dst) = ends(true);
    assert_eq!(after.to_packet(dst.ip(), src, dst), Err(BuildError::Families));
}

#[test]
fn other_packets_have_a_line() {
    let mut packet = parse("S 0:100(100) win 1").unwrap().to_packet(ends(false).0, ends(false).1).unwrap();
    packet[9] = 17;
    assert!(print(&packet).starts_with("bad packet: IPv4 header checksum"));
    let fix = |packet: &mut Vec<u8>| {
        packet[10..12].fill(0);
        let sum = checksum::checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    };
    fix(&mut packet);
    assert_eq!(print_with_addresses(&packet), "10.0.0.1 > 10.0.0.2 protocol 17 (120)");
    packet[6] = 0x20;
    fix(&mut packet);
    assert_eq!(print(&packet), "fragment 0 of protocol 17 0:120(120)");
    assert!(Segment::of_packet(&packet).is_err());
}

fn any_line_option() -> impl Strategy<Value = u8> {
    const LIKELY: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 4, 5, 8, 10, 18, 19, 28, 29, 34, 172, 174, 254, 0];
    prop_oneof![prop::sample::select(&LIKELY[..]), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Whatever the headers, the line is read back to the same segment, and its options are the same bytes.
    #[test]
    fn every_segment_has_a_line(words in 0usize..=10, options in proptest::collection::vec(any_line_option(), 40),
                                flags in 0u16..0x200, numbers: (u32, u32), small: (u16, u16), payload in 0u16..2000, v6: bool) {
        let options = &options[..words * 4];
        let (src, dst) = ends(v6);
        let raw = TcpOption::Raw(options.iter().copied().collect());
        let built = Segment {
            flags: Flags(flags), seq: numbers.0, payload_len: payload, ack: Some(numbers.1), window: Some(small.0),
            urgent: Some(small.1), options: Some(vec![raw]), ..Segment::default()
        };
        let packet = built.to_packet(src, dst).unwrap();
        let read = Segment::of_packet(&packet).unwrap();
        prop_assert_eq!(read.option_bytes().unwrap(), options);
        let line = read.to_string();
        prop_assert_eq!(parse(&line).unwrap(), read, "{}", line);
        let at = IpHeader::parse(&packet, packet.len()).unwrap().header_len;
        prop_assert_eq!(TcpHeader::parse(&packet[at..]).unwrap().0.flags, Flags(flags));
    }

    #[test]
    fn parsers_never_panic(line in "[ \\[\\]<>,:()a-zA-Z0-9.é-]{0,60}", packet in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse(&line);
        let _ = parse_icmp(&line, IpVersion::V4);
        let _ = print_with_addresses(&packet);
    }

    #[test]
    fn broken_lines_never_panic(which in 0..LINES.len(), at: prop::sample::Index, cut: bool, with in "[ <>:,0-9a-zé]{0,3}") {
        let line = LINES[which];
        let at = at.index(line.len());
        let line = if cut { line[..at].to_string() } else { format!("{}{with}{}", &line[..at], &line[at + 1..]) };
        if let Ok(segment) = parse(&line) {
            prop_assert_eq!(parse(&segment.to_string()).unwrap(), segment);
        }
    }

    #[test]
    fn broken_packets_never_panic(which in 0..LINES.len(), v6: bool, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut: prop::sample::Index) {
        let (src, dst) = ends(v6);
        let mut packet = parse(LINES[which]).unwrap().to_packet(src, dst).unwrap();
        for (at, value) in flips {
            let at = at.index(packet.len().min(80));
            packet[at] = value;
        }
        packet.truncate(cut.index(packet.len() + 1));
        let _ = print(&packet);
    }
}
