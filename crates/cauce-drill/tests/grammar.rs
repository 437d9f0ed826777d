//! The whole grammar as its users write it: every construct is read and lowered, or refused by name and place.

use std::collections::BTreeMap;

use cauce_drill::ast::{Action, OptionList, Payload, TcpOption, Time};
use cauce_drill::parser::{Given, parse};
use cauce_drill::{Against, Checked, Diagnostic, Kind, Options, Source, check};

fn options() -> Options {
    let definitions = [
        ("TFO_COOKIE", "de4f234f0f433a55"),
        ("TFO_COOKIE_ZERO", "0000000000000000"),
        ("CMSG_LEVEL_IP", "SOL_IP"),
        ("CMSG_TYPE_RECVERR", "IP_RECVERR"),
        ("CODE", "host_unreachable"),
        ("TICK", "1000"),
        ("BOTH", "EPOLLIN|EPOLLOUT"),
    ];
    let definitions: BTreeMap<_, _> =
        definitions.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Options { definitions, ..Options::new(Vec::new(), Against::Core) }
}

fn read(text: &str) -> Result<Checked, Box<Diagnostic>> {
    check(Source::new("t.pkt", text), &options())
}

fn accepted(text: &str) {
    if let Err(error) = read(text) {
        panic!("{text}\n{error}");
    }
}

fn refused(text: &str, words: &str) {
    match read(text) {
        Ok(_) => panic!("this must be refused: {text}"),
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains("t.pkt:") && told.contains(words), "{text}\nwants `{words}`:\n{told}");
            assert_eq!(error.kind, Kind::Script, "{text}");
        }
    }
}

fn unsupported(text: &str, name: &str) {
    match read(text) {
        Ok(_) => panic!("this must be refused: {text}"),
        Err(error) => {
            let told = error.to_string();
            assert!(error.kind == Kind::Unsupported, "{text}\n{told}");
            assert!(told.contains(&format!("unsupported: {name}")), "{text}\nwants `{name}`:\n{told}");
        }
    }
}

fn times(text: &str) -> Vec<Time> {
    let source = Source::new("t.pkt", text);
    let script = parse(&source, &Given::default()).unwrap_or_else(|error| panic!("{text}\n{error}"));
    script.events.iter().map(|event| event.time).collect()
}

#[test]
fn times_of_every_form() {
    const MS: i64 = 1_000_000;
    let one = |time: &str, action: &str| times(&format!("{time} {action}\n"))[0];
    for (time, expected) in [
        ("0", Time::Absolute(0)),
        (".1", Time::Absolute(100 * MS)),
        ("1.", Time::Absolute(1000 * MS)),
        ("1.000001", Time::Absolute(1_000_001_000)),
        ("+0", Time::Relative(0)),
        ("+.000", Time::Relative(0)),
        ("+1.", Time::Relative(1000 * MS)),
        ("*", Time::Any),
        ("0.1~0.2", Time::AbsoluteRange(100 * MS, 200 * MS)),
        ("0.1 ~ 0.2", Time::AbsoluteRange(100 * MS, 200 * MS)),
        ("+.1~+.2", Time::RelativeRange(100 * MS, 200 * MS)),
        ("+0~.2", Time::RelativeRange(0, 200 * MS)),
        ("0.000~+.1", Time::AbsoluteRange(0, 100 * MS)),
        ("0.500~+.1", Time::AbsoluteRange(500 * MS, 600 * MS)),
    ] {
        assert_eq!(one(time, "> . 1:1(0) ack 1"), expected, "{time}");
    }
    for (time, expected) in [
        ("0.1...0.25", Time::AbsoluteBlocking(100 * MS, 250 * MS)),
        ("0.1 ... 0.25", Time::AbsoluteBlocking(100 * MS, 250 * MS)),
        ("+0...0.2", Time::RelativeBlocking(0, 200 * MS)),
        ("+0 ... 0.2", Time::RelativeBlocking(0, 200 * MS)),
        ("1....2.", Time::AbsoluteBlocking(1000 * MS, 2000 * MS)),
        ("1...2", Time::AbsoluteBlocking(1000 * MS, 2000 * MS)),
        ("+.1...+.2", Time::RelativeBlocking(100 * MS, 200 * MS)),
    ] {
        assert_eq!(one(time, "accept(3, ..., ...) = 4"), expected, "{time}");
    }
    refused("0.2~0.1 > . 1:1(0) ack 1\n", "ends before it starts");
    refused("1..2 close(3) = 0\n", "expected");
    refused("* close(3) = 0\n", "only an expected packet");
    refused("+0...1 > . 1:1(0)\n", "only a system call");
    refused("+0~1 < . 1:1(0) ack 1 win 9\n", "only an expected packet");
}

#[test]
fn comments_options_and_commands_stand_anywhere() {
    accepted(
        r#"#!/usr/bin/env packetdrill
// SPDX-License-Identifier: none
/* several
   lines */ --mss=1000 // why
--ip_version=ipv4/* here */
--remote_ip="192.0.2.1"
--local_ip = 192.168.0.1
--tcp_ts_tick_usecs=TICK
--send_omit_free	// buffers are not reused
--strict_segments
`./defaults.sh
sysctl -q net.ipv4.tcp_wmem="4096 16384 4194304" && # a comment of the shell
true`

0 /* when */ socket /* what */ ( ... , SOCK_STREAM, // of bytes
    IPPROTO_TCP) /* gives */ = 3 // a descriptor
`ip route change 192.0.2.0/24 via 192.168.0.2 dev tun0 initcwnd 20`
+0 `nstat -n; true`
+.01 `tc qdisc
  replace dev tun0 root pfifo`
+0 > /* flags */ S /* numbers */ 0:0(0) <mss /* the usual */ 1460, sackOK , TS val 100 ecr 0,nop,wscale 8> // end
+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
+0 %{
assert True   # }
if tcpi_state:
    print("a `b` // c")
}%
`/tmp/sysctl_restore_${PPID}.sh`
"#,
    );
    refused("`a`\n`b`\n0 close(3) = 0\n", "only one command");
    refused("0 close(3) = 0\n+0 `true\n", "never closed");
    refused("--mtu=\n0 close(3) = 0\n", "the value of the option");
    refused("--frobnicate=1\n0 close(3) = 0\n", "unknown option");
}

/// Flags as the wire has them, most significant bit first: AE CWR ECE URG ACK PSH RST SYN FIN.
#[test]
fn flags_and_ace_digits_in_any_place() {
    for (text, bits) in [
        ("S", 0x02),
        ("S.", 0x12),
        (".", 0x10),
        ("P.", 0x18),
        ("F.", 0x11),
        ("FP.", 0x19),
        ("R.", 0x14),
        ("R", 0x04),
        ("-", 0),
        ("U.", 0x30),
        ("SEW", 0xc2),
        ("SEWA", 0x1c2),
        ("SA.", 0x112),
        ("SW.", 0x92),
        ("SWA.", 0x192),
        ("SE.", 0x52),
        ("E.", 0x50),
        ("EP.", 0x58),
        ("EAP.", 0x158),
        ("WA.", 0x190),
        ("W.", 0x90),
        ("W", 0x80),
        ("A.5", 0x150),
        ("5P.", 0x158),
        (".5", 0x150),
        ("P5.", 0x158),
        ("P.0", 0x18),
        ("7.", 0x1d0),
        ("PA", 0x108),
    ] {
        let source = Source::new("t.pkt", &format!("+0 > {text} 1:1(0) ack 1\n"));
        let script = parse(&source, &Given::default()).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let Action::Packet(packet) = &script.events[0].action else { panic!("a packet") };
        let Payload::Tcp(tcp) = &packet.payload else { panic!("TCP") };
        assert_eq!(tcp.flags.value.0, bits, "{text}");
    }
    refused("+0 > 8. 1:1(0) ack 1\n", "TCP flags");
    refused("+0 > Q 1:1(0)\n", "TCP flags");
}

#[test]
fn packets_of_every_form() {
    for line in [
        "< S 0:0(0) win 32792 <mss 1460,sackOK,nop,nop,nop,wscale 7>",
        "> S. 0:0(0) ack 1 <...>",
        "> P. 1:1001(1000) ack 1 win 5792 <nop,nop,TS val 200 ecr 700>",
        "> . 1:1(0) ack 1 win 0",
        "> P. 1:11(10) ack 1 urg 10",
        "> U. 1:11(10) ack 1 win 100 urg 10 <nop,nop,TS val 1 ecr 2>",
        "> . 1:1(0) ack 1 <nop,nop,sack 1001:2001 3001:4001>",
        "> . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 2,nop,nop,sack 1001:2001 3001:4001 5001:6001>",
        "< S 0:0(0) win 1000 <mss 1460,FO 1234abcd,nop,nop>",
        "> S 0:1000(1000) <mss 1460,sackOK,nop,nop,nop,wscale 8,FO TFO_COOKIE,nop,nop>",
        "> S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO,nop,nop>",
        "< S. 0:0(0) ack 1 win 5840 <mss 1460,FOEXP TFO_COOKIE>",
        "< S 0:0(0) win 5840 <mss 1460,FOEXP>",
        "< S 0:0(0) win 5840 <mss 1460,FOEXP,nop,nop>",
        "< S 0:0(0) win 5840 <mss 1460,FO TFO_COOKIE_ZERO,nop,nop>",
        "< . 1:1(0) ack 1 win 257 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>",
        "> . 1:1(0) ack 1 <md5 0x000102030405060708090a0b0c0d0e0f,nop,nop>",
        "> . 1:1(0) ack 1 <md5,nop,nop>",
        "< . 1:1(0) ack 1 win 257 <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop,eol,eol,eol>",
        "< . 1:1(0) ack 1 win 257 <ECN e0b 1 ceb 0 e1b 1,nop>",
        "> . 1:1(0) ack 1 <ECN e1b 10001,nop,nop,nop>",
        "> . 1:1(0) ack 1 <nop,ECN ceb 0>",
        "> . 1:1(0) ack 1 <ECN,nop,nop>",
        "< [ect0] S 0:0(0) win 100",
        "> [noecn] SEWA 0:0(0) <...>",
        "> [ect0, ttl 5] . 1:1(0) ack 1",
        "> [tos 0x04, flowlabel 0x123] . 1:1(0) ack 1",
        "> [ect01,tos 0x10, ttl 64] . 1:1(0) ack 1",
        "< [ce] 45000 > 8080 S 0:0(0) win 100",
        "< 45000 > 8080 S 0:0(0) win 100",
        "> 8080 > 45000 S. 0:0(0) ack 1 <...>",
        "> 8080 > 45000 .5 1:1(0) ack 1",
        "< . 4294967290:100(106) ack 1 win 257",
        "> . 4294967295:4294967295(0) ack 4294967295",
        "< . -1:99(100) ack -5 win 257",
        "> . 1:1(0) ack 0 <nop,nop,sack -10:-5>",
        "> R 0:0(0) ack 0",
        "> R. 0:0(0) ack 0 win 0",
        "< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
        "< [1:1461(1460)] icmp unreachable frag_needed mtu 1200",
        "< icmp unreachable host_unreachable [1:1001(1000)]",
        "< icmp unreachable CODE [1:1001(1000)]",
        "< icmp unreachable [-1:-1(0)]",
        "< icmp unreachable",
        "< icmp source_quench [1:2(1)]",
        "< icmp time_exceeded ttl [1:2(1)]",
        "< icmp unreachable 4 mtu 600 [1:2(1)]",
        "< icmpv6 packet_too_big mtu 1280 [1:1461(1460)]",
    ] {
        accepted(&format!("+0 {line}\n+0 close(3) = 0\n"));
    }
    for line in [
        "< icmp packet_too_big mtu 1280 [1:2(1)]",
        "< icmp unreachable noroute [1:1(0)]",
        "< icmpv6 unreachable",
    ] {
        accepted(&format!("--ip_version=ipv6\n+0 {line}\n"));
    }
}

#[test]
fn packets_that_cannot_be() {
    for (line, words) in [
        ("< S 0:0(0) win 1 <...>", "written out"),
        ("< . 1:1(0) ack 1 win 1 <nop,ECN ceb 0>", "before `ceb`"),
        ("> . 1:5(3) ack 1", "1 and 3 bytes make 4"),
        ("> . 1:70001(70000) ack 1", "longer than a packet"),
        ("> . 1:1(0) ack 4294967296", "at most 4294967295"),
        ("> . -2147483649:1(0)", "at least -2147483648"),
        ("< S 0:0(0) win 65536", "at most 65535"),
        ("> S 0:0(0) <mss 1460,nope>", "expected a TCP option"),
        ("> S 0:0(0) <FO 123>", "even number"),
        ("> S 0:0(0) <FO SOME_COOKIE>", "neither hexadecimal nor a symbol"),
        ("> . 1:1(0) <md5 0011>", "16 bytes"),
        ("> . 1:1(0) <ECN e0b 1 e1b 2>", "from the left"),
        ("> . 1:1(0) <ECN e0b 16777216>", "at most 16777215"),
        ("> [ect2] . 1:1(0)", "expected `noecn`"),
        ("> [tos 256] . 1:1(0)", "at most 255"),
        ("< icmp unreachable noroute", "is no code"),
        ("< icmp packet_too_big", "a type of ICMP"),
        ("> . 1:1(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:10>", "room for 40"),
        ("< 70000 > 80 S 0:0(0)", "at most 65535"),
    ] {
        refused(&format!("+0 {line}\n"), words);
    }
}

#[test]
fn what_is_not_run_is_refused_by_name() {
    for (line, name) in [
        ("< udp (1000)", "UDP"),
        ("> udp (1000)", "UDP"),
        ("< icmp echo_request id 1 seq 1 (56)", "ICMP echo"),
        ("> icmp unreachable", "expected ICMP"),
        ("< gre flags 0x2000: ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0)", "GRE"),
        ("< mpls (label 0, tc 0, [S], ttl 0): . 1:1(0)", "MPLS"),
        ("< psp spi 1 : . 1:1(0)", "PSP"),
        ("< ipv4 192.0.2.1 > 192.168.0.1: . 1:1(0)", "IP in IP"),
        ("< ipv6 2::1 > 1::1: . 1:1(0)", "IP in IP"),
        ("socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 3", "IPPROTO_MPTCP"),
        ("socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3", "SOCK_DGRAM"),
        ("socket(..., SOCK_RAW, IPPROTO_ICMP) = 3", "SOCK_RAW"),
        ("cap_set(CAP_NET_ADMIN) = 0", "cap_set"),
        ("psp_rx_assoc(4) = 0", "psp_rx_assoc"),
    ] {
        unsupported(&format!("+0 {line}\n"), name);
    }
    accepted("+0 socket(..., SOCK_DGRAM, IPPROTO_TCP) = -1 EPROTONOSUPPORT\n");
}

#[test]
fn calls_of_every_form() {
    for line in [
        "socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3",
        "socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) = 3",
        "bind(3, ..., ...) = 0",
        "bind(3, {sa_family = AF_INET, sin_port = htons(0), sin_addr = inet_addr(\"0.0.0.0\")}, 16) = 0",
        "bind(3, {sa_family = AF_INET6, sin6_port = htons(8080), sin6_addr = inet_addr(\"::1\")}, ...) = 0",
        "connect(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"192.0.2.1\")}, ...) = 0",
        "connect(3, {sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, \"2001:db8::1\", &sin6_addr), \
         sin6_flowinfo=0, sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress)",
        "connect(3, AF_UNSPEC, ...) = 0",
        "connect(3, {sa_family = AF_UNSPEC, ...}, ...) = 0",
        "listen(3, 128) = 0",
        "accept(3, NULL, NULL) = 4",
        "accept4(3, ..., ..., SOCK_NONBLOCK|SOCK_CLOEXEC) = 4",
        "read(4, NULL, 1000) = -1 EFAULT (Bad address)",
        "readv(4, [{..., 1000}, {..., 500}], 2) = 1500",
        "recv(4, ..., 1000, MSG_PEEK|MSG_TRUNC) = 1000",
        "recvfrom(4, ..., 1000, 0, ..., ...) = 1000",
        "write(4, ..., 1000) = ?",
        "writev(4, [{..., 10}, {NULL, 10}], 2) = -1 EFAULT",
        "send(4, ..., 1000, MSG_EOR|MSG_MORE|MSG_NOSIGNAL) = 1000",
        "send(4, ..., 1000, 0x4000) = 0x3e8",
        "sendto(3, ..., 500, MSG_FASTOPEN, ..., ...) = 500",
        "sendto(3, NULL, 500, MSG_FASTOPEN|MSG_DONTWAIT, ..., ...) = -1 EFAULT",
        "sendto(3, ..., 500, 0, NULL, 0) = 500",
        "sendmsg(4, {msg_name(...)=..., msg_iov(4)=[{..., 0}, {..., 40}, {..., 0}, {..., 20}], msg_flags=0}, 0) = 60",
        "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, MSG_ZEROCOPY) = 10",
        "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0, msg_control=[{cmsg_len=20, \
         cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMPING, cmsg_data=SOF_TIMESTAMPING_TX_ACK|SOF_TIMESTAMPING_TX_SCHED}]}, \
         0) = 10",
        "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,0}], msg_flags=MSG_TRUNC|MSG_ERRQUEUE, msg_control=[\
         {cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0,scm_nsec=10000000}}, \
         {cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR, cmsg_data={ee_errno=ENOMSG, \
         ee_origin=SO_EE_ORIGIN_TIMESTAMPING, ee_type=0, ee_code=0, ee_info=SCM_TSTAMP_SCHED, ee_data=9}}]}, \
         MSG_ERRQUEUE) = 0",
        "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0, msg_control=[{cmsg_len=20, \
         cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=0}]}, 0) = 1000",
        "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, MSG_DONTWAIT) = -1 EAGAIN \
         (Resource temporarily unavailable)",
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
        "setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, [SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | \
         SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID], 4) = 0",
        "setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0",
        "setsockopt(4, SOL_SOCKET, SO_MARK, [0xffffffff], 4) = 0",
        "setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=100000}, 16) = 0",
        "setsockopt(4, SOL_SOCKET, SO_MAX_PACING_RATE, [5000000000], 8) = 0",
        "setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0",
        "setsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", 5) = 0",
        "setsockopt(4, SOL_TCP, TCP_NODELAY, NULL, 4) = -1 EFAULT",
        "setsockopt(3, SOL_TCP, TCP_FASTOPEN_KEY, \"\\x01\\x00\\002\\n\\x03\\x00\\x00\\x00\\x04\", 16) = 0",
        "setsockopt(3, SOL_TCP, TCP_MD5SIG, {tcpm_addr=..., tcpm_keylen=5, tcpm_key=\"hello\"}, 216) = 0",
        "setsockopt(3, SOL_TCP, TCP_MD5SIG, {tcpm_addr={sa_family=AF_INET, sin_port=htons(0), \
         sin_addr=inet_addr(\"192.0.2.1\")}, tcpm_flags=TCP_MD5SIG_FLAG_PREFIX, tcpm_prefixlen=24, tcpm_keylen=3, \
         tcpm_ifindex=0, tcpm_key=\"abc\"}, ...) = 0",
        "setsockopt(4, SOL_IP, IP_TOS, [0x10], 1) = 0",
        "getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
        "getsockopt(4, SOL_TCP, TCP_CONGESTION, \"cubic\", [16]) = 0",
        "getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_unacked=0, ...}, [232]) = 0",
        "getsockopt(4, SOL_TCP, TCP_MAXSEG, NULL, [4]) = -1 EFAULT",
        "getsockopt(4, SOL_TCP, TCP_MAXSEG, ..., ...) = 0",
        "epoll_create(1) = 6",
        "epoll_create1(EPOLL_CLOEXEC) = 6",
        "epoll_ctl(6, EPOLL_CTL_ADD, 4, {events=EPOLLOUT|EPOLLET, fd=4}) = 0",
        "epoll_ctl(6, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLONESHOT|EPOLLEXCLUSIVE, u64=0xffffffffff}) = 0",
        "epoll_ctl(6, EPOLL_CTL_DEL, 4, NULL) = 0",
        "epoll_ctl(6, EPOLL_CTL_ADD, 4, {events=BOTH, u32=4}) = 0",
        "epoll_wait(6, {events=EPOLLIN|EPOLLOUT, fd=4}, 1, 0) = 1",
        "epoll_wait(6, {events=0, ptr=0}, 1, 100) = 0",
        "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1",
        "poll([{fd=4, events=POLLIN, revents=POLLIN|POLLERR|POLLHUP}, {fd=5, events=POLLRDHUP, revents=0}], 2, -1) = 1",
        "ioctl(4, SIOCINQ, [1000]) = 0",
        "ioctl(4, FIONBIO, [1]) = 0",
        "ioctl(4, SIOCINQ, NULL) = -1 EFAULT",
        "fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK",
        "fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)",
        "splice(3, NULL, 5, NULL, 1000, 0) = 1000",
        "splice(4, NULL, 6, [0], 1000, SPLICE_F_MOVE|SPLICE_F_NONBLOCK) = 1000",
        "sendfile(4, 5, [0], 100) = 100",
        "open(\"/tmp/x\", O_RDONLY) = 5",
        "open(\"/tmp/x\", O_RDWR|O_CREAT, 0644) = 5",
        "pipe([5, 6]) = 0",
        "shutdown(4, SHUT_WR) = 0",
        "close(4) = 0",
    ] {
        accepted(&format!("+0 {line}\n"));
    }
}

#[test]
fn calls_that_cannot_be() {
    for (line, words) in [
        ("frobnicate(3) = 0", "unknown system call `frobnicate`"),
        ("close(3, 4) = 0", "close takes 1 arguments"),
        ("close(FD) = 0", "unknown symbol `FD`"),
        ("close(3) = -1 EWHATEVER", "unknown error `EWHATEVER`"),
        ("close(3) = 0 EBADF", "goes with the result -1"),
        ("bind(3, ..., 3) = 0", "the length of an address"),
        ("accept(3, 1, ...) = 4", "not looked at"),
        ("connect(3, NULL, ...) = -1 EFAULT", "an address is written"),
        (
            "bind(3, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr(\"::1\")}, ...) = 0",
            "not of this sa_family",
        ),
        (
            "bind(3, {sa_family=AF_INET, sin_port=htons(70000), sin_addr=inet_addr(\"1.2.3.4\")}, ...) = 0",
            "does not fit",
        ),
        (
            "sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 1}], msg_flags=0}, 0) = 1",
            "the number of buffers",
        ),
        (
            "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1}], msg_flags=MSG_OOB}, 0) = 1",
            "does not read msg_flags",
        ),
        ("getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_nonsense=1}, [232]) = 0", "no member `tcpi_nonsense`"),
        ("setsockopt(4, SOL_IP, IP_TOS, [300], 1) = 0", "does not fit 1 bytes"),
        ("setsockopt(4, SOL_TCP, TCP_NODELAY, 1, 4) = 0", "is written `[N]`"),
        ("setsockopt(3, SOL_TCP, TCP_FASTOPEN_KEY, \"\\777\", 16) = 0", "octal escape"),
        ("poll([{fd=4, events=POLLIN, revents=0}], 2, 0) = 0", "the number of descriptors"),
        ("ioctl(4, SIOCINQ, 5) = 0", "the int of an ioctl"),
        ("write(4, ..., 99999999999) = 1", "64 MiB"),
        ("write(4, \"text\", 4) = 4", "a buffer is written"),
        ("poll([{fd=4, events=POLLIN, revents=0x10001}], 1, 0) = 0", "does not fit"),
        (
            "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[{cmsg_level=SOL_IP, \
             cmsg_type=IP_RECVERR, cmsg_data={ee_errno=0, ee_origin=260, ee_type=0, ee_code=0, ee_info=0, ee_data=0}}]}, \
             MSG_ERRQUEUE) = 0",
            "does not fit",
        ),
        ("pipe([5]) = 0", "two ends"),
        ("open(x, O_RDONLY) = 3", "a path is written"),
    ] {
        refused(&format!("+0 {line}\n"), words);
    }
}

#[test]
fn options_keep_their_order_and_their_numbers() {
    let source = Source::new(
        "t.pkt",
        "+0 > S 0:0(0) <nop,wscale 14,eol,mss 536,TS val 4294967295 ecr 0,sackOK,ECN e0b 16777215>\n",
    );
    let script = parse(&source, &Given::default()).unwrap_or_else(|error| panic!("{error}"));
    let Action::Packet(packet) = &script.events[0].action else { panic!("a packet") };
    let Payload::Tcp(tcp) = &packet.payload else { panic!("TCP") };
    let OptionList::These(options) = &tcp.options else { panic!("options") };
    let options: Vec<_> = options.iter().map(|option| option.value.clone()).collect();
    assert_eq!(
        options,
        [
            TcpOption::Nop,
            TcpOption::WindowScale(14),
            TcpOption::Eol,
            TcpOption::Mss(536),
            TcpOption::Timestamps { val: u32::MAX, ecr: 0 },
            TcpOption::SackPermitted,
            TcpOption::AccEcn(cauce_drill::ast::AccEcnOrder::E0First, vec![0xff_ffff]),
        ]
    );
}
