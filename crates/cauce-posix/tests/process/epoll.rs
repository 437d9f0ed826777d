//! epoll: level, edge, once; turns; sets in sets; members that go away.

use crate::world::World;
use cauce_core::socket::errno::Errno;
use cauce_posix::{Answer, Call, Event, Fd};
use std::time::Duration;

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const RDHUP: u32 = libc::EPOLLRDHUP as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const ONE_SHOT: u32 = libc::EPOLLONESHOT as u32;

fn watch(epoll: Fd, operation: i32, fd: Fd, events: u32) -> Call {
    Call::EpollCtl { epoll, operation, fd, event: Event { events, data: fd as u64 } }
}

impl World {
    fn epoll(&mut self) -> Fd {
        self.ok(Call::EpollCreate { flags: 0 }) as Fd
    }

    fn add(&mut self, epoll: Fd, fd: Fd, events: u32) {
        self.ok(watch(epoll, libc::EPOLL_CTL_ADD, fd, events));
    }

    /// What is ready now: descriptors and their events.
    fn ready(&mut self, epoll: Fd, max: i32) -> Vec<(Fd, u32)> {
        match self.call(Call::EpollWait { epoll, max, timeout: Some(Duration::ZERO) }).answer {
            Answer::Events(events) => {
                events.into_iter().map(|event| (event.data as Fd, event.events)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_level_is_told_again_and_an_edge_once() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let (level, edge) = (world.epoll(), world.epoll());
    world.add(level, server, IN);
    world.add(edge, server, IN | EDGE);
    assert_eq!(world.ready(level, 8), []);
    world.write(client, b"one");
    for _ in 0..2 {
        assert_eq!(world.ready(level, 8), [(server, IN)]);
    }
    assert_eq!(world.ready(edge, 8), [(server, IN)]);
    assert_eq!(world.ready(edge, 8), []);
    // New bytes are a new edge, though the old ones are still unread.
    world.write(client, b"two");
    assert_eq!(world.ready(edge, 8), [(server, IN)]);
    assert_eq!(world.ready(edge, 8), []);
    assert_eq!(world.read(server, 100), b"onetwo");
    assert_eq!(world.ready(level, 8), []);
}

/// Room to write is no edge for who waits for bytes, nor the reverse.
#[test]
fn an_edge_is_of_what_was_asked_for() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let (reads, writes) = (world.epoll(), world.epoll());
    world.add(reads, server, IN | EDGE);
    world.add(writes, server, OUT | EDGE);
    assert_eq!(world.ready(writes, 8), [(server, OUT)]);
    world.write(client, b"bytes");
    assert_eq!(world.ready(reads, 8), [(server, IN)]);
    assert_eq!(world.ready(writes, 8), []);
}

#[test]
fn once_is_once_until_it_is_changed() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let epoll = world.epoll();
    world.add(epoll, server, IN | ONE_SHOT);
    world.write(client, b"1");
    assert_eq!(world.ready(epoll, 8), [(server, IN)]);
    world.write(client, b"2");
    assert_eq!(world.ready(epoll, 8), []);
    world.ok(watch(epoll, libc::EPOLL_CTL_MOD, server, IN | ONE_SHOT));
    assert_eq!(world.ready(epoll, 8), [(server, IN)]);
    world.ok(watch(epoll, libc::EPOLL_CTL_MOD, server, IN | OUT | RDHUP));
    world.close(client);
    assert_eq!(world.ready(epoll, 8), [(server, IN | OUT | RDHUP)]);
}

/// Members take turns when more are ready than fit.
#[test]
fn nobody_is_starved() {
    let mut world = World::new();
    let listener = world.listener();
    let epoll = world.epoll();
    let servers: Vec<Fd> = (0..3)
        .map(|_| {
            let (client, server) = world.another(listener);
            world.add(epoll, server, IN);
            world.write(client, b"x");
            server
        })
        .collect();
    let mut seen: Vec<Fd> = (0..6).map(|_| world.ready(epoll, 1)[0].0).collect();
    assert_eq!(seen.split_off(3), seen);
    seen.sort_unstable();
    assert_eq!(seen, servers);
}

/// A member lives as long as what it names, not as long as its number.
#[test]
fn closing_the_last_name_ends_the_watch() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let epoll = world.epoll();
    world.add(epoll, server, IN);
    let copy = world.ok(Call::Dup { fd: server }) as Fd;
    world.close(server);
    world.write(client, b"x");
    assert_eq!(world.ready(epoll, 8), [(server, IN)]);
    world.close(copy);
    assert_eq!(world.ready(epoll, 8), []);
}

#[test]
fn sets_watch_sets_but_never_themselves() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let (inner, outer) = (world.epoll(), world.epoll());
    world.add(inner, server, IN);
    world.add(outer, inner, IN);
    let sleep = world.sleeping(Call::EpollWait { epoll: outer, max: 1, timeout: None });
    world.write(client, b"x");
    let (woken, outcome) = world.returned().expect("it returned");
    assert_eq!((woken, outcome.result), (sleep, Ok(1)));
    assert_eq!(outcome.answer, Answer::Events(vec![Event { events: IN, data: inner as u64 }]));
    world.read(server, 10);
    assert_eq!(world.ready(outer, 8), []);
    assert_eq!(world.error(watch(inner, libc::EPOLL_CTL_ADD, outer, IN)), Errno::ELOOP);
    assert_eq!(world.error(watch(inner, libc::EPOLL_CTL_ADD, inner, IN)), Errno::EINVAL);
}

#[test]
fn wrong_uses_have_their_errors() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let epoll = world.epoll();
    let file = world.process.insert_file(Box::new(Vec::new()), false).unwrap();
    assert_eq!(world.error(watch(epoll, libc::EPOLL_CTL_ADD, 60, IN)), Errno::EBADF);
    assert_eq!(world.error(watch(60, libc::EPOLL_CTL_ADD, server, IN)), Errno::EBADF);
    assert_eq!(world.error(watch(server, libc::EPOLL_CTL_ADD, client, IN)), Errno::EINVAL);
    assert_eq!(world.error(watch(epoll, libc::EPOLL_CTL_ADD, file, IN)), Errno::EPERM);
    assert_eq!(world.error(watch(epoll, libc::EPOLL_CTL_MOD, server, IN)), Errno::ENOENT);
    assert_eq!(world.error(watch(epoll, libc::EPOLL_CTL_DEL, server, IN)), Errno::ENOENT);
    world.add(epoll, server, IN);
    assert_eq!(world.error(watch(epoll, libc::EPOLL_CTL_ADD, server, IN)), Errno::EEXIST);
    assert_eq!(world.error(watch(epoll, 99, server, IN)), Errno::EINVAL);
    for max in [0, -1] {
        let call = Call::EpollWait { epoll, max, timeout: None };
        assert_eq!(world.error(call), Errno::EINVAL);
    }
    assert_eq!(world.error(Call::EpollWait { epoll: server, max: 1, timeout: None }), Errno::EINVAL);
    assert_eq!(world.error(Call::EpollCreate { flags: 1 }), Errno::EINVAL);
}
