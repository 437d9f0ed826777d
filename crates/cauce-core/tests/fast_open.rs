//! Fast Open between two stacks (RFC 7413): what it spares, and what is left of it.

mod common;

use cauce_core::batch::{Batch, Transmit};
use cauce_core::counters::Counter;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, SocketId};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Duration;
use cauce_wire::Flags;
use common::Two;
use std::net::SocketAddr;

/// `TCPI_OPT_SYN_DATA`.
const SYN_DATA: u8 = 32;

fn at() -> SocketAddr {
    "10.0.0.2:80".parse().unwrap()
}

/// Two stacks, and a listener on stack 1 that lets `pending` connections be opened at a time.
fn two_with_listener(pending: i32) -> (Two, SocketId) {
    let mut two = Two::with(Sysctls { tcp_fastopen: 3, ..Sysctls::default() });
    let now = two.now;
    let listener = two.stacks[1].open(Family::V4).unwrap();
    let mut socket = two.stacks[1].socket(listener);
    socket.bind(at()).unwrap();
    socket.set_option(now, SocketOption::FastOpen(pending)).unwrap();
    socket.listen(8).unwrap();
    (two, listener)
}

/// A client on stack 0 that opens with `data`, and what the call returned.
fn open(two: &mut Two, data: &[u8]) -> (SocketId, Result<usize, Errno>) {
    let client = two.stacks[0].open(Family::V4).unwrap();
    let taken = two.stacks[0].socket(client).connect_with_data(two.now, at(), data);
    (client, taken)
}

/// Fetches a cookie.
fn meet(two: &mut Two, listener: SocketId) {
    let (client, taken) = open(two, b"first");
    assert_eq!(taken, Err(Errno::EINPROGRESS), "nothing is known of the peer");
    two.exchange();
    let server = two.stacks[1].socket(listener).accept(two.now).unwrap();
    two.stacks[0].socket(client).close(two.now).unwrap();
    two.stacks[1].socket(server).close(two.now).unwrap();
    two.pass(Duration::from_secs(120));
}

/// What stack `from` sends now.
fn sent(two: &mut Two, from: usize) -> Vec<Transmit> {
    let mut batch = Batch::new(64);
    while two.stacks[from].poll_transmit(two.now, &mut batch) > 0 {}
    std::iter::from_fn(|| batch.pop()).collect()
}

fn deliver(two: &mut Two, to: usize, packets: &[Transmit]) {
    for packet in packets {
        two.stacks[to].handle_packet(two.now, Two::frame(packet));
    }
}

/// P-161, P-162, P-166, N-45: to a known peer the request leaves with the SYN, and the reply follows the SYN,ACK,
/// before anything else has come from the client.
#[test]
fn n45_a_known_peer_is_asked_and_answers_in_one_round_trip() {
    let (mut two, listener) = two_with_listener(5);
    meet(&mut two, listener);
    let (client, taken) = open(&mut two, &[1; 100]);
    assert_eq!(taken, Ok(100));
    let request = sent(&mut two, 0);
    assert_eq!(request.iter().map(Transmit::payload_len).collect::<Vec<_>>(), [100]);
    deliver(&mut two, 1, &request);
    let server = two.stacks[1].socket(listener).accept(two.now).unwrap();
    let mut buffer = [0; 1000];
    assert_eq!(two.stacks[1].socket(server).recv(two.now, &mut buffer), Ok(100));
    assert_eq!(two.stacks[1].socket(server).send(two.now, &[2; 100]), Ok(100));
    let reply = sent(&mut two, 1);
    assert_eq!(reply.iter().map(Transmit::payload_len).collect::<Vec<_>>(), [0, 100]);
    deliver(&mut two, 0, &reply);
    assert_eq!(two.stacks[0].socket(client).recv(two.now, &mut buffer), Ok(100));
    two.exchange();
    for (which, id) in [(0, client), (1, server)] {
        let info = two.stacks[which].socket(id).tcp_info(two.now).unwrap();
        assert_ne!(info.options & SYN_DATA, 0, "stack {which}");
    }
    two.transfer(0, client, server, 100_000);
    two.transfer(1, server, client, 100_000);
}

/// P-165: who resets what he has opened uses up the listener's room for a minute.
#[test]
fn p165_a_reset_counts_for_a_minute() {
    let (mut two, listener) = two_with_listener(1);
    meet(&mut two, listener);
    let (client, _) = open(&mut two, b"forged");
    let request = sent(&mut two, 0);
    deliver(&mut two, 1, &request);
    two.stacks[1].socket(listener).accept(two.now).unwrap();
    // Nobody is there any more when the SYN,ACK comes.
    two.stacks[0].socket(client).close(two.now).unwrap();
    two.exchange();
    let reset_at = two.now;
    for (after, opens) in [(1, false), (59, false), (61, true)] {
        two.pass((reset_at + Duration::from_secs(after)).since(two.now));
        let (client, taken) = open(&mut two, b"honest");
        assert_eq!(taken, Ok(6));
        two.exchange();
        let info = two.stacks[0].socket(client).tcp_info(two.now).unwrap();
        assert_eq!(info.options & SYN_DATA != 0, opens, "after {after} s");
    }
    let overflows = two.stacks[1].counters().get(Counter::TCPFastOpenListenOverflow);
    assert_eq!(overflows, 2);
}

/// P-162: of clients that never end the handshake nothing remains, accepted or not.
#[test]
fn unconfirmed_connections_end_and_leave_nothing() {
    let (mut two, listener) = two_with_listener(5);
    meet(&mut two, listener);
    for _ in 0..3 {
        open(&mut two, &[1; 1000]).1.unwrap();
    }
    let requests = sent(&mut two, 0);
    assert_eq!(requests.len(), 3);
    deliver(&mut two, 1, &requests);
    let accepted = two.stacks[1].socket(listener).accept(two.now).unwrap();
    two.stacks[1].socket(accepted).send(two.now, &[2; 5000]).unwrap();
    let mut answers = 0;
    for _ in 0..300 {
        // Everything that the server sends is lost.
        let lost = sent(&mut two, 1);
        answers += lost.iter().filter(|packet| two.seen(1, packet).header.flags.contains(Flags::SYN)).count();
        two.now += Duration::from_secs(1);
        two.stacks[1].handle_timeout(two.now);
    }
    assert_eq!(answers, 3 * 7, "the SYN,ACK, and six times again");
    let mut buffer = [0; 10];
    assert_eq!(two.stacks[1].socket(accepted).recv(two.now, &mut buffer), Ok(10));
    two.stacks[1].socket(accepted).close(two.now).unwrap();
    two.stacks[1].socket(listener).close(two.now).unwrap();
    let server = &mut two.stacks[1];
    assert_eq!((server.sockets(), server.connections(), server.memory_used()), (0, 0, 0));
}
