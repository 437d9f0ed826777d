//! What a newcomer reads when a script is broken or the stack does something else: place, caret, what was expected,
//! what came, the fields that differ, the last packets.

use cauce_drill::against::core::Core;
use cauce_drill::{Against, Options, Source, check};

const OPENING: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
+0 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 10>
+.1 < . 1:1(0) ack 1 win 257
+0 accept(3, ..., ...) = 4
";

/// What running `text` after the usual opening ends with.
fn told(text: &str) -> String {
    let source = Source::new("script.pkt", &format!("{OPENING}{text}"));
    let run = check(source, &Options::new(Vec::new(), Against::Core))
        .and_then(|checked| checked.run(&mut Core::new(".".into())));
    run.expect_err("this script is broken").to_string()
}

#[test]
fn a_packet_with_other_fields() {
    insta::assert_snapshot!(told(
        "+0 write(4, ..., 1500) = 1500\n+0 > . 1:1001(1000) ack 1 win 60 <nop,nop,TS val 1 ecr 2>\n"
    ));
}

#[test]
fn a_packet_at_another_time() {
    insta::assert_snapshot!(told(
        "+0 < P. 1:11(10) ack 1 win 257\n+.1 > . 1:1(0) ack 11\n+.1 < P. 11:21(10) ack 1 win 257\n"
    ));
}

#[test]
fn no_packet() {
    insta::assert_snapshot!(told("+.1 < . 1:1(0) ack 1 win 300\n+0 > . 1:1(0) ack 1\n"));
}

#[test]
fn another_result() {
    insta::assert_snapshot!(told("+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 read(4, ..., 100) = 10\n"));
}

#[test]
fn another_answer() {
    insta::assert_snapshot!(told("+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1\n"));
}

#[test]
fn a_call_that_sleeps_on() {
    insta::assert_snapshot!(told("+0...0.2 read(4, ..., 100) = 10\n"));
}

#[test]
fn an_assertion_that_does_not_hold() {
    insta::assert_snapshot!(told(
        "+0 %{\nprint('mss', tcpi_snd_mss)\nassert tcpi_snd_cwnd == 2, 'cwnd is %d' % tcpi_snd_cwnd\n}%\n"
    ));
}

#[test]
fn a_misspelt_symbol() {
    insta::assert_snapshot!(told("+0 setsockopt(4, SOL_TCP, TCP_NODELY, [1], 4) = 0\n"));
}

#[test]
fn a_missing_parenthesis() {
    insta::assert_snapshot!(told("+0 > P. 1:11(10 ack 1\n"));
}

#[test]
fn a_time_that_has_passed() {
    insta::assert_snapshot!(told("+1 < . 1:1(0) ack 1 win 300\n.5 close(4) = 0\n"));
}

#[test]
fn an_echo_of_what_never_left() {
    insta::assert_snapshot!(told("+0 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 2 ecr 101>\n"));
}

#[test]
fn a_command_that_is_refused() {
    insta::assert_snapshot!(told("+0 `sysctl -q net.ipv4.tcp_syn_retries=0`\n"));
}
