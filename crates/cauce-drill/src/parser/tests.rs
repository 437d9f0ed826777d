use super::*;
use crate::ast::{Direction, Expr, OptionList, Payload, TcpOption};
use proptest::prelude::*;

fn read(text: &str) -> Result<Script, Box<Diagnostic>> {
    parse(&Source::new("t.pkt", text), &Given::default())
}

fn refusal(text: &str) -> String {
    read(text).expect_err("must be refused").to_string()
}

const SAMPLE: &str = r#"// A script that uses most of the language.
--tolerance_usecs=10000
--ip_version=ipv4
`sysctl -q net.ipv4.tcp_sack=1`

/* connection set-up */
0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_KEY, "\x01\x02", 2) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0...0.200 accept(3, ..., ...) = 4
0.1 < [ect0,ttl 9] SEW 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+.000 > [noecn] S.E 0:0(0) ack 1 <...>
0.2~0.3 < . 1:1(0) ack 1 win 257
* > P. 1:11(10) ack 1 <nop,nop,TS val 100 ecr 5>
+0~+.1 > . 1:1(0) ack 1 win 5 urg 3 <nop,nop,sack 1:2 3:4>
+0 < [1:1001(1000)] icmp unreachable frag_needed mtu 1200
+0 < 1000 > 8080 A.5 1:1(0) ack 1 <ECN e0b 1 ceb 2,nop,nop>
+0 > - 0:0(0) <md5 000102030405060708090a0b0c0d0e0f,nop,nop>
+0 < S 0:0(0) <FO,nop,nop,FOEXP 1234>
+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=0}, MSG_EOR|MSG_DONTWAIT) = 30
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
+0 connect(3, {sa_family = AF_UNSPEC, ...}, ...) = -1 EINPROGRESS (Operation now in progress)
+0 read(4, NULL, 100) = -1 EFAULT
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = ?
+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
+0 `true`
`rm -f /tmp/x`
"#;

#[test]
fn reads_most_of_the_language() {
    // The range of times on an injected packet is the one thing in the sample that is refused.
    assert!(refusal(SAMPLE).contains("only an expected packet"), "{}", refusal(SAMPLE));
    let script = read(&SAMPLE.replace("0.2~0.3 <", "0.2 <")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(script.events.len(), 22);
    assert_eq!(script.options.len(), 2);
    assert!(script.init.is_some() && script.cleanup.is_some());
    assert_eq!(script.events[5].time, Time::RelativeBlocking(0, 200_000_000));
    let Action::Packet(packet) = &script.events[6].action else { panic!("a packet") };
    assert_eq!((packet.direction, packet.ip.ttl), (Direction::In, Some(9)));
    let Payload::Tcp(tcp) = &packet.payload else { panic!("TCP") };
    assert_eq!(tcp.flags.value.to_string(), "SEW");
    let OptionList::These(options) = &tcp.options else { panic!("options") };
    assert_eq!(options[0].value, TcpOption::Mss(1000));
    let Action::Call(call) = &script.events[15].action else { panic!("a call") };
    let Expr::Struct(fields) = &call.args[1].value else { panic!("a structure") };
    assert_eq!(fields[1].name.as_ref().map(|name| name.value.as_str()), Some("msg_iov"));
}

#[test]
fn says_where_and_what_was_expected() {
    for (text, place, words) in [
        ("+0 > S 0:0(0 ack 1\n", "t.pkt:1:14", "expected `)`"),
        ("+0 > S. 0:0(0) <mss 1460,sakOK>\n", "t.pkt:1:26", "expected a TCP option"),
        ("+0 > X 0:0(0)\n", "t.pkt:1:6", "TCP flags"),
        ("+0 > . 1:5(3)\n", "t.pkt:1:8", "1 and 3 bytes make 4"),
        ("0.5 close(3)\n", "t.pkt:1:13", "expected `=` and the result"),
        ("0.5~0.1 > . 1:1(0)\n", "t.pkt:1:1", "ends before it starts"),
        ("frob\n", "t.pkt:1:1", "expected the time of an event"),
        ("+0 `true\n", "t.pkt:1:4", "never closed"),
        ("/* x\n", "t.pkt:1:1", "never closed"),
        ("+0 < icmp unreachable nonsense\n", "t.pkt:1:23", "is no code"),
        ("+0 < S 0:0(0) <mss 70000>\n", "t.pkt:1:20", "at most 65535"),
        ("99999999999999999999 close(3) = 0\n", "t.pkt:1:1", "too long"),
        ("", "t.pkt:1:1", "an event"),
    ] {
        let message = refusal(text);
        assert!(message.contains(place) && message.contains(words), "{text}\n{message}");
    }
}

#[test]
fn refuses_by_name_what_is_not_run() {
    for text in ["+0 < udp (100)\n", "+0 > gre: x\n", "+0 < mpls (label 1)\n", "+0 < psp x\n"] {
        assert!(refusal(text).contains("unsupported: "), "{}", refusal(text));
    }
}

#[test]
fn icmp_names_are_each_familys_own() {
    assert!(read("--ip_version=ipv6\n+0 < icmp packet_too_big mtu 1280 [1:2(1)]\n").is_ok());
    assert!(read("+0 < icmp packet_too_big mtu 1280\n").is_err());
    assert!(read("+0 < icmpv6 packet_too_big mtu 1280\n").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No text makes the parser or its diagnostics panic.
    #[test]
    fn mutated_scripts_do_not_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, ".{0,6}"), 1..6),
    ) {
        let mut text: Vec<char> = SAMPLE.chars().collect();
        for (index, cut, insert) in edits {
            let start = index.index(text.len().max(1)).min(text.len());
            let end = (start + cut).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = read(&text) {
            let _ = error.to_string();
        }
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in "(?s).{0,200}") {
        if let Err(error) = read(&text) {
            let _ = error.to_string();
        }
    }
}
