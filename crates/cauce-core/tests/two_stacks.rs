//! Two stacks joined by nothing but a loop: handshake, data both ways, every close (P-001 to P-027).

mod common;

use cauce_core::batch::Batch;
use cauce_core::connection::state::State;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, Shutdown, SocketId};
use cauce_core::time::Duration;
use common::Two;

#[test]
fn handshake_data_and_orderly_close() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    assert_eq!((two.state(0, client), two.state(1, server)), (State::Established, State::Established));
    two.transfer(0, client, server, 3_000_000);
    two.transfer(1, server, client, 3_000_000);
    let now = two.now;
    two.stacks[0].socket(client).shutdown(now, Shutdown::Write).unwrap();
    // After traffic both ways the acknowledgement of the FIN waits for an answer, as the kernel's does.
    two.pass(Duration::from_millis(50));
    assert_eq!((two.state(0, client), two.state(1, server)), (State::FinWait2, State::CloseWait));
    let mut byte = [0];
    let now = two.now;
    assert_eq!(two.stacks[1].socket(server).recv(now, &mut byte), Ok(0));
    two.transfer(1, server, client, 100_000);
    two.close(1, server);
    two.exchange();
    assert_eq!(two.stacks[0].time_waits(), 1);
    two.close(0, client);
    two.assert_nothing_left();
}

#[test]
fn simultaneous_close() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).shutdown(now, Shutdown::Write).unwrap();
    two.stacks[1].socket(server).shutdown(now, Shutdown::Write).unwrap();
    two.cross();
    assert_eq!((two.state(0, client), two.state(1, server)), (State::Closing, State::Closing));
    two.exchange();
    assert_eq!((two.stacks[0].time_waits(), two.stacks[1].time_waits()), (1, 1));
    two.close(0, client);
    two.close(1, server);
    two.assert_nothing_left();
}

#[test]
fn simultaneous_open() {
    let mut two = Two::new();
    let now = two.now;
    let addrs = ["10.0.0.1:5000".parse().unwrap(), "10.0.0.2:6000".parse().unwrap()];
    let ids: Vec<SocketId> = (0..2)
        .map(|side| {
            let id = two.stacks[side].open(Family::V4).unwrap();
            two.stacks[side].socket(id).bind(addrs[side]).unwrap();
            let peer = addrs[1 - side];
            assert_eq!(two.stacks[side].socket(id).connect(now, peer), Err(Errno::EINPROGRESS));
            id
        })
        .collect();
    two.cross();
    assert_eq!((two.state(0, ids[0]), two.state(1, ids[1])), (State::SynReceived, State::SynReceived));
    two.exchange();
    assert_eq!((two.state(0, ids[0]), two.state(1, ids[1])), (State::Established, State::Established));
    two.transfer(0, ids[0], ids[1], 50_000);
    two.close(0, ids[0]);
    two.exchange();
    two.close(1, ids[1]);
    two.assert_nothing_left();
}

#[test]
fn refused_and_unanswered() {
    let mut two = Two::new();
    let client = two.stacks[0].open(Family::V4).unwrap();
    let nobody = "10.0.0.2:81".parse().unwrap();
    let now = two.now;
    assert_eq!(two.stacks[0].socket(client).connect(now, nobody), Err(Errno::EINPROGRESS));
    two.exchange();
    let now = two.now;
    assert_eq!(two.stacks[0].socket(client).connect(now, nobody), Err(Errno::ECONNREFUSED));
    two.close(0, client);
    two.assert_nothing_left();
}

#[test]
fn reset_and_abort() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[1].socket(server).abort(now).unwrap();
    two.exchange();
    let mut byte = [0];
    let now = two.now;
    assert_eq!(two.stacks[0].socket(client).recv(now, &mut byte), Err(Errno::ECONNRESET));
    assert_eq!(two.stacks[0].socket(client).recv(now, &mut byte), Ok(0));
    assert_eq!(two.stacks[0].socket(client).send(now, &byte), Err(Errno::EPIPE));
    two.close(0, client);
    two.assert_nothing_left();
}

/// DESIGN 4.11, O-40, A-15: calls that wait are data, end with their limit, and time is the stack's.
#[test]
fn waiting_calls() {
    use cauce_core::socket::ReadFlags;
    use cauce_core::socket::call::{Call, Progress, Returned};
    use cauce_core::socket::options::SocketOption;
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    let limit = SocketOption::RecvTimeout(Duration::from_millis(100));
    two.stacks[1].socket(server).set_option(now, limit).unwrap();
    let recv = Call::Recv { flags: ReadFlags::default(), wait_all: true };
    let mut buffer = [0u8; 10];
    let Progress::Pending(call) = two.stacks[1].start_call(now, server, recv, &mut buffer[..]) else {
        panic!("there is nothing to read yet")
    };
    two.stacks[0].socket(client).send(now, b"five.").unwrap();
    two.pass(Duration::from_millis(1));
    assert_eq!(two.stacks[1].poll_call(), Some(call));
    let now = two.now;
    assert_eq!(two.stacks[1].resume_call(now, call, &mut buffer[..]), Progress::Pending(call));
    two.pass(Duration::from_millis(98));
    assert_eq!(two.stacks[1].poll_call(), None);
    two.pass(Duration::from_millis(2));
    assert_eq!(two.stacks[1].poll_call(), Some(call));
    let now = two.now;
    let done = two.stacks[1].resume_call(now, call, &mut buffer[..]);
    assert_eq!(done, Progress::Done(Ok(Returned::Bytes(5))));
    assert_eq!(&buffer[..5], b"five.");
    two.close(0, client);
    two.close(1, server);
    two.assert_nothing_left();
}

/// every kind of entry is listed, with its queues and its timer, and gone when it is gone.
#[test]
fn a_listing_shows_every_kind_of_entry() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let listener = two.stacks[1].open(Family::V6).unwrap();
    two.stacks[1].socket(listener).bind("[::]:81".parse().unwrap()).unwrap();
    two.stacks[1].socket(listener).listen(3).unwrap();
    // A SYN that nobody completes, and bytes that nobody reads.
    let caller = two.stacks[0].open(Family::V4).unwrap();
    let now = two.now;
    let _ = two.stacks[0].socket(caller).connect(now, "10.0.0.2:81".parse().unwrap());
    two.stacks[0].socket(client).send(now, b"hello").unwrap();
    let mut batch = Batch::new(64);
    while two.stacks[0].poll_transmit(now, &mut batch) > 0 {
        while let Some(packet) = batch.pop() {
            two.stacks[1].handle_packet(now, Two::frame(&packet));
        }
    }
    let listed: Vec<_> = two.stacks[1].listing(now).collect();
    let seen: Vec<_> = listed
        .iter()
        .map(|entry| (entry.state, entry.family, entry.recv_queue, entry.send_queue, entry.owned))
        .collect();
    assert_eq!(
        seen,
        [
            (State::Listen, Family::V6, 0, 3, true),
            (State::Established, Family::V4, 5, 0, true),
            (State::SynReceived, Family::V6, 0, 0, false),
        ]
    );
    assert_eq!(listed[2].timer.map(|timer| timer.at.since(now)), Some(Duration::from_secs(1)));
    let sent = two.stacks[0].listing(now).find(|entry| entry.state == State::Established).unwrap();
    assert_eq!((sent.send_queue, sent.timer.is_some()), (5, true));
    assert_eq!(two.stacks[1].socket_counts().in_use_v6, 1);
    two.exchange();
    two.stacks[0].socket(caller).abort(two.now).unwrap();
    two.close(1, listener);
    two.close(1, server);
    two.exchange();
    two.close(0, client);
    two.exchange();
    let end = two.stacks.iter().flat_map(|stack| stack.listing(two.now)).collect::<Vec<_>>();
    assert!(end.iter().all(|entry| matches!(entry.state, State::TimeWait)), "{end:?}");
    two.assert_nothing_left();
    assert!(two.stacks.iter().all(|stack| stack.listing(two.now).next().is_none()));
}
