//! The end of a process, and the names of a connection's two ends.

use crate::world::{SERVER, Shared, World, here};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::time::Duration;
use cauce_posix::{Address, Answer, Call, Fd, Receive};
use std::net::SocketAddr;

/// A peer that belongs to no process and connects to the server, who does.
fn peer_outside(world: &mut World) -> SocketId {
    let peer = world.stack.open(Family::V4).unwrap();
    let connecting = world.stack.socket(peer).connect(world.now, SERVER.parse().unwrap());
    assert_eq!(connecting, Err(Errno::EINPROGRESS));
    world.settle();
    peer
}

/// The peer's connection, and what the process has: the listener, and the other end.
fn with_a_peer_outside() -> (World, SocketId, Fd, Fd) {
    let mut world = World::new();
    let listener = world.listener();
    let peer = peer_outside(&mut world);
    let server = world.ok(Call::Accept { fd: listener, flags: libc::SOCK_NONBLOCK }) as Fd;
    (world, peer, listener, server)
}

fn end(world: &mut World) {
    let (stack, now) = (&mut world.stack, world.now);
    world.process.end(stack, now);
    assert_eq!(world.process.descriptors(), []);
    world.settle();
}

fn linger(world: &mut World, fd: Fd, seconds: i32) {
    let value = [1i32.to_ne_bytes(), seconds.to_ne_bytes()].concat();
    let (level, name) = (libc::SOL_SOCKET, libc::SO_LINGER);
    world.ok(Call::SetOption { fd, level, name, value: Some(value) });
}

fn read(world: &mut World, peer: SocketId) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 100];
    let count = world.stack.socket(peer).recv(world.now, &mut buffer)?;
    Ok(buffer[..count].to_vec())
}

/// a process that ends has closed everything: what it wrote arrives, then the end of the stream.
#[test]
fn what_was_written_before_the_end_arrives() {
    let (mut world, peer, _, server) = with_a_peer_outside();
    // A second name and a call that sleeps hold the socket no longer than the process lives.
    world.ok(Call::Dup { fd: server });
    world.ok(Call::Fcntl { fd: server, command: libc::F_SETFL, argument: 0 });
    let memory = Box::new(Shared::of(vec![0; 10]));
    world.sleeping(Call::Receive { fd: server, memory, flags: 0, by: Receive::Recv });
    world.write(server, b"last words");
    end(&mut world);
    assert_eq!(read(&mut world, peer), Ok(b"last words".to_vec()));
    assert_eq!(read(&mut world, peer), Ok(Vec::new()));
    assert_eq!(world.process.poll_returned(), None, "nobody is left who could be told");
    let again = peer_outside(&mut world);
    assert_eq!(
        world.stack.socket(again).take_error(),
        Some(Errno::ECONNREFUSED),
        "the listener is gone, too"
    );
}

/// A-46, O-35: with SO_LINGER the end waits for nothing, and what is queued is still sent; a time of 0 resets.
#[test]
fn the_end_does_not_linger() {
    let (mut world, peer, _, server) = with_a_peer_outside();
    linger(&mut world, server, 3600);
    world.write(server, b"queued");
    end(&mut world);
    assert_eq!(read(&mut world, peer), Ok(b"queued".to_vec()));
    assert_eq!(read(&mut world, peer), Ok(Vec::new()));

    let (mut world, peer, _, server) = with_a_peer_outside();
    linger(&mut world, server, 0);
    end(&mut world);
    assert_eq!(read(&mut world, peer), Err(Errno::ECONNRESET));
}

/// connections that nobody has accepted are reset with their listener, and those with unread bytes, too.
#[test]
fn what_was_not_read_or_not_accepted_is_reset() {
    let (mut world, peer, _, _) = with_a_peer_outside();
    let waiting = peer_outside(&mut world);
    let now = world.now;
    world.stack.socket(peer).send(now, b"never read").unwrap();
    world.pass(Duration::from_millis(100));
    end(&mut world);
    for reset in [peer, waiting] {
        assert_eq!(read(&mut world, reset), Err(Errno::ECONNRESET));
    }
}

fn name(world: &mut World, fd: Fd, peer: bool) -> SocketAddr {
    match world.call(Call::Name { fd, peer }).answer {
        Answer::Address(address) => address,
        other => panic!("{other:?}"),
    }
}

/// both names, before and after bind(), connect() and accept(): each side's own is the other's peer.
#[test]
fn each_side_is_named_as_the_other_sees_it() {
    let mut world = World::new();
    let nowhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let server_address: SocketAddr = SERVER.parse().unwrap();
    let client = world.socket(libc::SOCK_NONBLOCK);
    assert_eq!(name(&mut world, client, false), nowhere);
    assert_eq!(world.error(Call::Name { fd: client, peer: true }), Errno::ENOTCONN);

    // A port that was chosen by bind() is told, the address stays open until connect() chooses it.
    world.ok(Call::Bind { fd: client, address: Address::Inet(nowhere) });
    let bound = name(&mut world, client, false);
    assert!(bound.ip().is_unspecified() && bound.port() != 0);
    assert_eq!(world.error(Call::Name { fd: client, peer: true }), Errno::ENOTCONN);

    let listener = world.listener();
    assert_eq!(name(&mut world, listener, false), server_address);
    assert_eq!(world.error(Call::Name { fd: listener, peer: true }), Errno::ENOTCONN);

    assert_eq!(world.error(Call::Connect { fd: client, address: here() }), Errno::EINPROGRESS);
    let outcome = world.call(Call::Accept { fd: listener, flags: 0 });
    let client_address = SocketAddr::new(server_address.ip(), bound.port());
    assert_eq!(outcome.answer, Answer::Address(client_address));
    let server = outcome.result.unwrap() as Fd;
    for (fd, own, other) in
        [(client, client_address, server_address), (server, server_address, client_address)]
    {
        assert_eq!((name(&mut world, fd, false), name(&mut world, fd, true)), (own, other));
    }
    // Who is connected knows his peer after that one's end, too.
    world.close(server);
    assert_eq!(name(&mut world, client, true), server_address);
    // Without bind() connect() chooses the port, too.
    let (other, _) = world.another(listener);
    let own = name(&mut world, other, false);
    assert!(own.ip() == server_address.ip() && ![0, 80, bound.port()].contains(&own.port()), "{own}");
}
