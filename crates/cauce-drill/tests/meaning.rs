//! What scripts mean, beyond being read: when events are due, what is compared, and whose numbers are whose. Each
//! script here runs against our stack; those that must fail are wrong in one respect.

use cauce_drill::against::core::Core;
use cauce_drill::{Against, Options, Source, check};

/// Runs a script: options, the events of a server with an accepted connection 4, and `rest`.
fn served(options: &str, rest: &str) -> Result<(), String> {
    run(&format!(
        "{options}0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 1000:1000(0) win 32792 <mss 1000,sackOK,TS val 500 ecr 0,nop,wscale 7>
+0 > S. 700:700(0) ack 1001 <mss 1460,sackOK,TS val 100 ecr 500,nop,wscale 10>
+.1 < . 1001:1001(0) ack 701 win 257 <nop,nop,TS val 600 ecr 100>
+0 accept(3, ..., ...) = 4
{rest}"
    ))
}

fn run(text: &str) -> Result<(), String> {
    let options = Options::new(Vec::new(), Against::Core);
    let checked =
        check(Source::new("t.pkt", text), &options).unwrap_or_else(|error| panic!("{text}\n{error}"));
    checked.run(&mut Core::new(".".into())).map_err(|error| error.to_string())
}

fn holds(result: Result<(), String>) {
    if let Err(told) = result {
        panic!("{told}");
    }
}

fn fails(result: Result<(), String>, words: &str) {
    let told = result.expect_err("this script is wrong");
    assert!(told.contains(words), "wants `{words}`:\n{told}");
}

#[test]
fn the_script_chooses_where_the_stack_counts_from() {
    let data = "+0 write(4, ..., 100) = 100\n";
    holds(served("", &format!("{data}+0 > P. 701:801(100) ack 1001 <...>\n")));
    fails(served("", &format!("{data}+0 > P. 1:101(100) ack 1001 <...>\n")), "seq");
    fails(served("", &format!("{data}+0 > P. 701:801(100) ack 1 <...>\n")), "ack");
}

#[test]
fn sack_blocks_and_quoted_segments_are_the_scripts_numbers() {
    // The second of three segments is acknowledged selectively: the first is sent again, and only that.
    holds(served(
        "",
        "+0 write(4, ..., 2964) = 2964
+0 > . 701:1689(988) ack 1001 <...>
+0 > P. 1689:2677(988) ack 1001 <...>
+0 > P. 2677:3665(988) ack 1001 <...>
+.1 < . 1001:1001(0) ack 701 win 257 <nop,nop,TS val 700 ecr 100,nop,nop,sack 1689:3665>
* > . 701:1689(988) ack 1001 <...>
",
    ));
    // A quoted number outside of what was sent is none of the connection's.
    let quoting = |range: &str| {
        served(
            "",
            &format!(
                "+0 setsockopt(4, SOL_IP, IP_RECVERR, [1], 4) = 0
+0 write(4, ..., 100) = 100
+0 > P. 701:801(100) ack 1001 <...>
+.01 < icmp unreachable host_unreachable [{range}]
+.01 getsockopt(4, SOL_SOCKET, SO_ERROR, [EHOSTUNREACH], [4]) = 0
"
            ),
        )
    };
    holds(quoting("701:801(100)"));
    fails(quoting("1:101(100)"), "value");
}

#[test]
fn an_injected_echo_must_have_been_seen() {
    let with = |options, ecr| {
        served(options, &format!("+.1 < . 1001:1001(0) ack 701 win 257 <nop,nop,TS val 700 ecr {ecr}>\n"))
    };
    holds(with("", "100"));
    fails(with("", "150"), "no packet with TSval 150 has left");
    holds(with("--tcp_ts_ecr_scaled\n", "150"));
}

#[test]
fn timestamps_are_compared_as_far_as_was_asked() {
    let with = |options, stamps| {
        served(
            options,
            &format!("+.1 write(4, ..., 10) = 10\n+0 > P. 701:711(10) ack 1001 <nop,nop,{stamps}>\n"),
        )
    };
    for (options, right, wrong_val, wrong_ecr) in [
        ("", true, true, true),
        ("--tcp_ts_tick_usecs=1000\n", true, false, true),
        ("--strict\n", true, false, false),
    ] {
        assert_eq!(with(options, "TS val 300 ecr 600").is_ok(), right, "{options}");
        assert_eq!(with(options, "TS val 600 ecr 600").is_ok(), wrong_val, "{options}");
        assert_eq!(with(options, "TS val 300 ecr 601").is_ok(), wrong_ecr, "{options}");
    }
    // Within the tolerance by ticks, and only strictly to the tick.
    holds(with("--tcp_ts_tick_usecs=1000\n", "TS val 303 ecr 600"));
    fails(with("--strict\n", "TS val 301 ecr 600"), "TS val");
}

#[test]
fn pieces_are_merged_unless_the_script_is_strict() {
    let rest = "+0 write(4, ..., 2964) = 2964\n+0 > P. 701:3665(2964) ack 1001 <...>\n";
    holds(served("", rest));
    fails(served("--strict_segments\n", rest), "length");
    fails(served("--strict\n", rest), "length");
    // A live segment is never cut.
    fails(served("", "+0 write(4, ..., 988) = 988\n+0 > . 701:1201(500) ack 1001 <...>\n"), "length");
}

#[test]
fn the_window_is_the_raw_field_and_unstated_ones_are_not_looked_at() {
    let with = |window: &str| {
        served("", &format!("+0 write(4, ..., 10) = 10\n+0 > P. 701:711(10) ack 1001{window} <...>\n"))
    };
    holds(with(""));
    let told = with(" win 60000").expect_err("no such window");
    let came = told.split("came: ").nth(1).and_then(|rest| rest.split(" win ").nth(1));
    let raw =
        came.and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok()).expect("the window that came");
    assert!(raw < 1000, "a scaled window is written as it stands in the header: {raw}");
    holds(with(&format!(" win {raw}")));
}

#[test]
fn injected_packets_are_timed_by_each_others_schedule() {
    // Three in a row, 10 ms apart; what follows is timed from now.
    holds(served(
        "",
        "+.01 < P. 1001:1101(100) ack 701 win 257 <nop,nop,TS val 610 ecr 100>
+.01 < P. 1101:1201(100) ack 701 win 257 <nop,nop,TS val 620 ecr 100>
+.01 < P. 1201:1301(100) ack 701 win 257 <nop,nop,TS val 630 ecr 100>
+0 read(4, ..., 300) = 300
0.130 %{ assert True }%
",
    ));
}

#[test]
fn what_follows_a_call_that_sleeps_is_timed_from_its_start() {
    let blocked = "+0...0.2 read(4, ..., 100) = 100\n";
    holds(served(
        "",
        &format!("{blocked}+.2 < P. 1001:1101(100) ack 701 win 257 <nop,nop,TS val 610 ecr 100>\n"),
    ));
    fails(
        served(
            "",
            &format!("{blocked}+.1 < P. 1001:1101(100) ack 701 win 257 <nop,nop,TS val 610 ecr 100>\n"),
        ),
        "must end at",
    );
    // A call waits for the one before it: 0.1 s of set-up, 0.2 s of sleep.
    let timed_out = "+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, 16) = 0
+0...0.2 read(4, ..., 100) = -1 EAGAIN
";
    holds(served("", &format!("{timed_out}+.25 close(3) = 0\n0.350 close(4) = 0\n")));
    holds(served("", &format!("{timed_out}+0 close(3) = 0\n0.300 close(4) = 0\n")));
}

#[test]
fn the_larger_tolerance_counts() {
    let ack = |options: &str, at: &str| {
        served(
            options,
            &format!(
                "+.01 < P. 1001:1101(100) ack 701 win 257 <nop,nop,TS val 610 ecr 100>\n\
                 +{at} > . 701:701(0) ack 1101 <...>\n"
            ),
        )
    };
    // Quick acknowledgments leave at once.
    holds(ack("", ".004"));
    fails(ack("", ".005"), "was due at");
    holds(ack("--tolerance_usecs=30000\n", ".03"));
    fails(ack("--tolerance_usecs=100\n", ".001"), "was due at");
    // An eighth of what passed since the event before.
    let delayed = |gap: &str| {
        served(
            "",
            &format!(
                "+0 write(4, ..., 10) = 10\n+0 > P. 701:711(10) ack 1001 <...>\n{gap} > P. 701:711(10) ack 1001 <...>\n"
            ),
        )
    };
    let told = delayed("+5").expect_err("nothing is sent again so late");
    assert!(told.contains("was due at"), "{told}");
    holds(delayed("*"));
}

#[test]
fn several_connections_are_told_apart_by_their_ports() {
    let two = |first: &str, second: &str| {
        run(&format!(
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
+0 < 40001 > 8080 S 0:0(0) win 1000 <mss 1000>
+0 > 8080 > 40001 S. 0:0(0) ack 1 <mss 1460>
+0 < 40002 > 8080 S 500:500(0) win 1000 <mss 1000>
+0 > 8080 > 40002 S. 9:9(0) ack 501 <mss 1460>
+.1 < 40001 > 8080 . 1:1(0) ack 1 win 1000
+0 accept(3, ..., ...) = 4
+0 < 40002 > 8080 . 501:501(0) ack 10 win 1000
+0 accept(3, ..., ...) = 5
+0 write(5, ..., 10) = 10
+0 write(4, ..., 20) = 20
+0 > 8080 > {first} P. 1:21(20) ack 1
+0 > 8080 > {second} P. 10:20(10) ack 501
"
        ))
    };
    holds(two("40001", "40002"));
    fails(two("40002", "40001"), "seq");
}

#[test]
fn a_socket_connects_again_with_new_numbers() {
    holds(run("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.1 < R. 0:0(0) ack 1 win 0
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
+0 connect(3, ..., ...) = -1 ECONNABORTED (Software caused connection abort)
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <...>
+.1 < S. 0:0(0) ack 1 win 1000 <mss 1000>
+0 > . 1:1(0) ack 1
+0 connect(3, ..., ...) = 0
+0 connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+0 write(3, ..., 10) = 10
+0 > P. 1:11(10) ack 1
"));
}

#[test]
fn answers_of_calls_are_compared() {
    for (right, wrong) in [
        (
            "getsockopt(4, SOL_TCP, TCP_CONGESTION, \"cubic\", [16]) = 0",
            "getsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", [16]) = 0",
        ),
        (
            "getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_unacked=0, ...}, [232]) = 0",
            "getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_CLOSE_WAIT}, [232]) = 0",
        ),
        ("fcntl(4, F_GETFL) = O_RDWR", "fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK"),
        ("ioctl(4, SIOCINQ, [0]) = 0", "ioctl(4, SIOCINQ, [1]) = 0"),
        (
            "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1",
            "poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1",
        ),
        ("read(4, NULL, 0) = 0", "read(99, ..., 10) = 0"),
        ("ioctl(4, SIOCINQ, NULL) = -1 EFAULT", "ioctl(99, SIOCINQ, [0]) = -1 EFAULT"),
    ] {
        let nonblocking =
            if right.starts_with("read") { "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n" } else { "" };
        holds(served("", &format!("{nonblocking}+0 {right}\n")));
        assert!(served("", &format!("{nonblocking}+0 {wrong}\n")).is_err(), "{wrong}");
    }
    // Numbers of descriptors are the script's own, and strictly those of POSIX.
    let numbered = |options: &str| {
        run(&format!("{options}0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 7\n+0 close(7) = 0\n"))
    };
    holds(numbered(""));
    fails(numbered("--strict\n"), "descriptor");
}
