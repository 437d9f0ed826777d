//! Signals that are due to a process: SIGPIPE to a writer, SIGURG to the owner of a socket.

use crate::world::{Shared, World};
use cauce_core::socket::errno::Errno;
use cauce_posix::{Call, Fd, Signal};

const FIOASYNC: u64 = 0x5452;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

fn send(fd: Fd, bytes: &[u8], flags: i32) -> Call {
    Call::Send { fd, memory: Box::new(Shared::of(bytes)), flags, to: None, controls: Vec::new() }
}

fn set_owner(fd: Fd, owner: i64) -> Call {
    Call::Fcntl { fd, command: libc::F_SETOWN, argument: owner }
}

/// SIGPIPE comes with EPIPE, but for MSG_NOSIGNAL; never with an end that a reader finds, nor with ECONNRESET.
#[test]
fn a_broken_pipe_is_a_signal_to_who_did_not_ask_for_silence() {
    let mut world = World::new();
    let fresh = world.socket(0);
    assert_eq!(world.error(send(fresh, b"x", 0)), Errno::EPIPE);
    assert_eq!(world.process.poll_signal(), Some(Signal::Pipe));
    assert_eq!(world.error(send(fresh, b"x", libc::MSG_NOSIGNAL)), Errno::EPIPE);
    assert_eq!(world.process.poll_signal(), None);

    let (listener, client, server) = world.pair();
    world.ok(Call::Shutdown { fd: client, how: libc::SHUT_WR });
    assert_eq!(world.read(server, 10), b"");
    assert_eq!(world.process.poll_signal(), None);
    assert_eq!(world.error(send(client, b"x", libc::MSG_NOSIGNAL)), Errno::EPIPE);
    assert_eq!(world.process.poll_signal(), None);
    assert_eq!(world.error(send(client, b"x", 0)), Errno::EPIPE);
    assert_eq!(world.process.poll_signal(), Some(Signal::Pipe));

    // The server has left "bye" unread, so its close resets.
    let (client, server) = world.another(listener);
    world.write(client, b"bye");
    world.close(server);
    assert_eq!(world.error(send(client, b"x", 0)), Errno::ECONNRESET);
    assert_eq!(world.process.poll_signal(), None);
    assert_eq!(world.error(send(client, b"x", 0)), Errno::EPIPE);
    assert_eq!(world.process.poll_signal(), Some(Signal::Pipe));
}

/// each new urgent pointer is one SIGURG to the owner, whichever call named him; without one there is none.
#[test]
fn urgent_data_is_a_signal_to_the_owner() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    world.ok(send(client, b"1", libc::MSG_OOB));
    assert_eq!(world.process.poll_signal(), None, "nobody owns it");
    world.ok(set_owner(server, 77));
    assert_eq!(world.process.poll_signal(), None, "what came before is over");

    let ioctl = |request, argument| Call::Ioctl { fd: server, request, argument };
    for (owner, call) in [
        (77, set_owner(server, 77)),
        (-78, set_owner(server, -78)),
        (79, ioctl(FIOSETOWN, 79)),
        (-80, ioctl(SIOCSPGRP, -80)),
    ] {
        world.ok(call);
        world.ok(send(client, b"2", libc::MSG_OOB));
        assert_eq!(world.process.poll_signal(), Some(Signal::Urgent { owner }));
        world.ok(send(client, b"ordinary", 0));
        assert_eq!(world.process.poll_signal(), None, "one a pointer");
        assert_eq!(
            world.ok(Call::Fcntl { fd: server, command: libc::F_GETOWN, argument: 0 }),
            i64::from(owner)
        );
    }
    world.ok(set_owner(server, 0));
    world.ok(send(client, b"3", libc::MSG_OOB));
    assert_eq!(world.process.poll_signal(), None);
}

/// U-08: with O_ASYNC whatever happens to a socket is one SIGIO to its owner, until that has been taken.
#[test]
fn arrivals_are_a_signal_to_the_owner_who_asked() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let flags = |argument| Call::Fcntl { fd: server, command: libc::F_SETFL, argument };
    let read = Call::Fcntl { fd: server, command: libc::F_GETFL, argument: 0 };
    world.ok(flags(libc::O_ASYNC.into()));
    assert_eq!(world.ok(read), i64::from(libc::O_RDWR | libc::O_ASYNC));
    world.ok(send(client, b"1", 0));
    assert_eq!(world.process.poll_signal(), None, "nobody owns it");
    world.ok(set_owner(server, 77));
    for _ in 0..2 {
        world.ok(send(client, b"2", 0));
        world.ok(send(client, b"3", 0));
        assert_eq!(world.process.poll_signal(), Some(Signal::Io { owner: 77 }));
        assert_eq!(world.process.poll_signal(), None, "signals do not queue");
    }
    world.ok(Call::Ioctl { fd: server, request: FIOASYNC, argument: 0 });
    world.ok(send(client, b"4", 0));
    assert_eq!(world.process.poll_signal(), None);
}

/// who is not there cannot own a socket, and the owner of before stays.
#[test]
fn an_owner_must_exist() {
    let mut world = World::new();
    world.process.set_population(|id| id == 5);
    let fd = world.socket(0);
    world.ok(set_owner(fd, 5));
    for missing in [6, -6] {
        assert_eq!(world.error(set_owner(fd, missing)), Errno::ESRCH);
        let argument = missing as i32;
        assert_eq!(world.error(Call::Ioctl { fd, request: FIOSETOWN, argument }), Errno::ESRCH);
    }
    for request in [FIOSETOWN, SIOCSPGRP] {
        assert_eq!(world.error(Call::Ioctl { fd, request, argument: i32::MIN }), Errno::EINVAL);
    }
    assert_eq!(world.error(set_owner(fd, i64::from(i32::MIN))), Errno::EINVAL);
    assert_eq!(world.ok(Call::Fcntl { fd, command: libc::F_GETOWN, argument: 0 }), 5);
    world.ok(set_owner(fd, -5));
    world.ok(set_owner(fd, 0));
}
