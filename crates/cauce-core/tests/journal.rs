//! What the operator is told although no call tells it, and how a flood of it is held back.

mod common;

use std::sync::mpsc;

use cauce_core::journal::Remark;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, SocketId};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Duration;
use common::Two;
use common::heard::heard;

/// What one of two stacks has told.
struct Told(mpsc::Receiver<String>);

impl Told {
    fn by(two: &mut Two, stack: usize) -> Told {
        let (tell, told) = mpsc::channel();
        let reader = move |_, remark: &Remark| tell.send(remark.to_string()).unwrap();
        let before = two.stacks[stack].journal_mut().replace(Some(Box::new(reader)));
        assert!(before.is_none());
        Told(told)
    }

    fn take(&self) -> Vec<String> {
        self.0.try_iter().collect()
    }
}

const SERVER: &str = "10.0.0.2:80";

fn listen(two: &mut Two, backlog: u32) -> SocketId {
    let listener = two.stacks[1].open(Family::V4).unwrap();
    two.stacks[1].socket(listener).bind(SERVER.parse().unwrap()).unwrap();
    two.stacks[1].socket(listener).listen(backlog).unwrap();
    listener
}

/// A connection that begins at this port.
fn connect_from(two: &mut Two, port: u16) -> SocketId {
    let client = two.stacks[0].open(Family::V4).unwrap();
    two.stacks[0].socket(client).bind(([10, 0, 0, 1], port).into()).unwrap();
    let now = two.now;
    let begun = two.stacks[0].socket(client).connect(now, SERVER.parse().unwrap());
    assert_eq!(begun, Err(Errno::EINPROGRESS));
    client
}

/// Lets time pass for stack 0 alone; what it sends is lost.
fn alone(two: &mut Two, span: Duration) {
    let end = two.now + span;
    loop {
        two.sent_by(0);
        let next = two.stacks[0].poll_timeout().map(|(at, _)| at);
        let Some(at) = next.filter(|at| *at <= end) else { break };
        two.now = two.now.max(at);
        two.stacks[0].handle_timeout(at);
    }
    two.now = end;
}

/// Q-21, O-13, S-25: the user's time-out and keepalive end connections, and the operator reads which.
#[test]
fn user_timeouts_are_told() {
    let mut two = Two::new();
    listen(&mut two, 8);
    let told = Told::by(&mut two, 0);
    let [impatient, kept] = [1001, 1002].map(|port| connect_from(&mut two, port));
    two.exchange();
    let now = two.now;
    two.stacks[0].socket(impatient).set_option(now, SocketOption::UserTimeout(3000)).unwrap();
    two.stacks[0].socket(impatient).send(now, b"anybody?").unwrap();
    alone(&mut two, Duration::from_secs(4));
    assert_eq!(told.take(), ["10.0.0.1:1001 10.0.0.2:80: connection aborted due to user timeout"]);
    for option in [SocketOption::KeepIdle(1), SocketOption::KeepInterval(1), SocketOption::KeepAlive(true)] {
        two.stacks[0].socket(kept).set_option(now, option).unwrap();
    }
    alone(&mut two, Duration::from_secs(20));
    assert_eq!(told.take(), ["10.0.0.1:1002 10.0.0.2:80: connection aborted due to user timeout"]);
}

/// S-27: too many orphans cost a connection, which is told.
#[test]
fn orphans_beyond_the_limit_are_told() {
    let [deaf, hearing] = heard("tcp_max_orphans", "0", |sysctl| {
        let mut two = Two::with(sysctl);
        listen(&mut two, 8);
        let told = Told::by(&mut two, 0);
        let client = connect_from(&mut two, 1001);
        two.exchange();
        two.close(0, client);
        told.take()
    });
    assert!(deaf.is_empty());
    assert_eq!(hearing, ["10.0.0.1:1001 10.0.0.2:80: reset, too many orphaned sockets (tcp_max_orphans)"]);
}

/// S-29: a full table of TIME-WAIT is told.
#[test]
fn a_full_table_of_time_waits_is_told() {
    let [deaf, hearing] = heard("tcp_max_tw_buckets", "0", |sysctl| {
        let mut two = Two::with(sysctl);
        let told = Told::by(&mut two, 0);
        let (client, server) = two.connected();
        two.close(0, client);
        two.exchange();
        two.close(1, server);
        two.exchange();
        told.take()
    });
    assert!(deaf.is_empty());
    assert!(hearing[0].ends_with(" 10.0.0.2:80: no TIME-WAIT, too many of them (tcp_max_tw_buckets)"));
}

/// S-49, X-01: a client that the old form of recycling locks out does not vanish without a word.
#[test]
fn syns_refused_for_their_address_are_told() {
    let refused = heard("tcp_tw_recycle", "2", |sysctl| {
        let mut two = Two::with(sysctl);
        let listener = listen(&mut two, 8);
        let told = Told::by(&mut two, 1);
        // The clocks of a host's connections have nothing to do with each other (tcp_timestamps = 1).
        for port in 1001..1009 {
            let client = connect_from(&mut two, port);
            two.exchange();
            if let Ok(server) = two.stacks[1].socket(listener).accept(two.now) {
                two.close(1, server);
                two.exchange();
            }
            two.close(0, client);
            two.exchange();
        }
        told.take()
    });
    assert!(refused[0].is_empty());
    let why = "SYN refused, its address has sent a later timestamp (tcp_tw_recycle)";
    let told = |line: &String| line.starts_with("10.0.0.2:80 10.0.0.1:10") && line.ends_with(why);
    assert!(refused[1].iter().all(told), "{:?}", refused[1]);
}

/// S-43, S-44: a flood of SYNs is told once for each listener, with what answers it; never where cookies always answer.
#[test]
fn a_flood_is_told_once() {
    let lines = |syncookies| {
        let mut two = Two::with(Sysctls { tcp_syncookies: syncookies, ..Sysctls::default() });
        listen(&mut two, 1);
        let told = Told::by(&mut two, 1);
        for port in 1001..1011 {
            connect_from(&mut two, port);
            let now = two.now;
            for packet in two.sent_by(0) {
                two.stacks[1].handle_packet(now, Two::frame(&packet));
            }
        }
        told.take()
    };
    assert_eq!(lines(1), ["port 80: more SYNs than its queue holds, cookies are sent (tcp_syncookies)"]);
    assert_eq!(lines(0), ["port 80: more SYNs than its queue holds, they are dropped (tcp_syncookies)"]);
    assert!(lines(2).is_empty());
}

/// How many connections of five that end together are told of, and what comes before the next one `pause` later.
fn told_of_six(sysctl: Sysctls, pause: Duration) -> (usize, Vec<String>) {
    let mut two = Two::with(Sysctls { tcp_max_orphans: 0, ..sysctl });
    listen(&mut two, 8);
    let told = Told::by(&mut two, 0);
    let clients: Vec<_> = (1001..1007).map(|port| connect_from(&mut two, port)).collect();
    two.exchange();
    for client in &clients[..5] {
        two.close(0, *client);
    }
    let first = told.take().len();
    two.pass(pause);
    two.close(0, clients[5]);
    let reset = "10.0.0.1:1006 10.0.0.2:80: reset, too many orphaned sockets (tcp_max_orphans)";
    (first, told.take().into_iter().filter(|line| line != reset).collect())
}

/// So many remarks come through in an interval; the others are counted.
#[test]
fn a_flood_of_remarks_is_held_back() {
    let six = Duration::from_secs(6);
    let [usual, few] = heard("net.core.message_burst", "2", |sysctl| told_of_six(sysctl, six));
    assert_eq!((usual.0, usual.1.len()), (5, 0));
    assert_eq!((few.0, few.1), (2, vec!["3 remarks held back".to_owned()]));

    let short = Duration::from_secs(2);
    let few = |sysctl| told_of_six(Sysctls { core_message_burst: 2, ..sysctl }, short);
    let [usual, endless] = heard("net.core.message_cost", "0", few);
    assert_eq!((usual.0, usual.1.len()), (2, 0));
    assert_eq!((endless.0, endless.1.len()), (5, 0));
    let [_, quick] = heard("net.core.message_cost", "1", few);
    assert_eq!(quick, (2, vec!["3 remarks held back".to_owned()]));
}
