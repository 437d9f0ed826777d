//! Calls that wait, with the flags of reads and writes (A-13 to, DESIGN 4.11).

mod common;

use cauce_core::socket::call::{Call, Progress, Returned};
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{ReadFlags, SendFlags, Shutdown};
use cauce_core::time::Duration;
use common::Two;

const PEEK: ReadFlags = ReadFlags { peek: true, discard: false, out_of_band: false };

fn done(count: usize) -> Progress {
    Progress::Done(Ok(Returned::Bytes(count)))
}

/// what is there and the end of the stream are enough, also when both came before the call.
#[test]
fn a15_the_end_of_the_stream_ends_wait_all() {
    for wait_all in [true, false] {
        let mut two = Two::new();
        let (client, server) = two.connected();
        let now = two.now;
        two.stacks[0].socket(client).send(now, b"five.").unwrap();
        two.stacks[0].socket(client).shutdown(now, Shutdown::Write).unwrap();
        two.exchange();
        let now = two.now;
        two.stacks[1].socket(server).set_option(now, SocketOption::RecvLowat(8)).unwrap();
        let call = Call::Recv { flags: ReadFlags::default(), wait_all };
        let mut buffer = [0; 10];
        assert_eq!(two.stacks[1].start_call(now, server, call, &mut buffer[..]), done(5));
        assert_eq!(two.stacks[1].start_call(now, server, call, &mut buffer[..]), done(0));
    }
}

/// MSG_PEEK with MSG_WAITALL waits until all of it can be seen, and leaves it.
#[test]
fn a_peek_can_wait_for_all() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).send(now, b"one").unwrap();
    two.exchange();
    let mut buffer = [0; 6];
    let now = two.now;
    let call = Call::Recv { flags: PEEK, wait_all: true };
    let Progress::Pending(id) = two.stacks[1].start_call(now, server, call, &mut buffer[..]) else {
        panic!()
    };
    two.stacks[0].socket(client).send(now, b"two").unwrap();
    two.pass(Duration::from_millis(50));
    assert_eq!(two.stacks[1].poll_call(), Some(id));
    let now = two.now;
    assert_eq!(two.stacks[1].resume_call(now, id, &mut buffer[..]), done(6));
    assert_eq!(&buffer, b"onetwo");
    assert_eq!(two.stacks[1].socket(server).bytes_to_read(), 6);
}

/// the urgent mark ends a read that would wait for more.
#[test]
fn the_mark_ends_wait_all() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    let urgent = SendFlags { out_of_band: true, ..SendFlags::default() };
    two.stacks[0].socket(client).send_with(now, b"12Y", urgent).unwrap();
    two.stacks[0].socket(client).send(now, b"34").unwrap();
    two.exchange();
    let call = Call::Recv { flags: ReadFlags::default(), wait_all: true };
    let mut buffer = [0; 4];
    let now = two.now;
    assert_eq!(two.stacks[1].start_call(now, server, call, &mut buffer[..]), done(2));
    assert!(two.stacks[1].socket(server).at_mark());
}

/// a write that waits keeps its flags: MSG_MORE holds the tail of it, and its urgent byte is the last.
#[test]
fn a16_waiting_writes_keep_their_flags() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).set_option(now, SocketOption::SendBuffer(8_000)).unwrap();
    let more = SendFlags { more: true, out_of_band: true, ..SendFlags::default() };
    let mut memory = vec![b'.'; 50_000];
    *memory.last_mut().unwrap() = b'U';
    let started = two.stacks[0].start_call(now, client, Call::Send(more), &mut memory[..]);
    let Progress::Pending(id) = started else { panic!("{started:?}") };
    let mut got = 0;
    let mut buffer = vec![0; 4_000];
    let outcome = loop {
        two.pass(Duration::from_millis(1));
        let now = two.now;
        got += two.stacks[1].socket(server).recv(now, &mut buffer).unwrap_or(0);
        if two.stacks[0].poll_call() == Some(id) {
            match two.stacks[0].resume_call(now, id, &mut memory[..]) {
                Progress::Pending(_) => {}
                done => break done,
            }
        }
    };
    assert_eq!(outcome, done(50_000));
    two.pass(Duration::from_secs(1));
    let now = two.now;
    while got < 49_999 {
        got += two.stacks[1].socket(server).recv(now, &mut buffer).unwrap();
    }
    assert!(two.stacks[1].socket(server).at_mark());
    // The urgent bytes of the parts that waited have become ordinary ones; the last one is beside the stream.
    assert_eq!(got, 49_999);
    let oob = ReadFlags { out_of_band: true, ..ReadFlags::default() };
    let mut last = [0];
    assert_eq!(two.stacks[1].socket(server).recv_with(now, &mut last, oob).map(|_| last), Ok([b'U']));
}

/// MSG_MORE in one call: nothing leaves until the next write, or until 200 ms are over.
#[test]
fn a16_more_holds_a_partial_segment() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    let more = SendFlags { more: true, ..SendFlags::default() };
    let mut memory = *b"held";
    assert_eq!(two.stacks[0].start_call(now, client, Call::Send(more), &mut memory[..]), done(4));
    two.pass(Duration::from_millis(150));
    assert_eq!(two.stacks[1].socket(server).bytes_to_read(), 0);
    two.pass(Duration::from_millis(60));
    assert_eq!(two.stacks[1].socket(server).bytes_to_read(), 4);
}
