//! What a process without privilege may not do, and what its sockets are called.

use crate::world::heard::heard;
use crate::world::{World, here};
use cauce_core::socket::errno::Errno;
use cauce_posix::{Address, Answer, Call, Fd};

fn set(world: &mut World, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<i64, Errno> {
    world.call(Call::SetOption { fd, level, name, value: Some(value.to_vec()) }).result
}

/// O-32, O-42, O-43, O-56: options that need privilege are refused without it, and taken with it.
#[test]
fn options_that_need_privilege() {
    const SOCKET: i32 = libc::SOL_SOCKET;
    let int = |value: i32| value.to_ne_bytes();
    for (level, name, value, refused) in [
        (SOCKET, libc::SO_MARK, 7, Errno::EPERM),
        (SOCKET, libc::SO_PRIORITY, 7, Errno::EPERM),
        (SOCKET, 32, 5000, Errno::EPERM),
        (SOCKET, 33, 5000, Errno::EPERM),
        (SOCKET, libc::SO_DEBUG, 1, Errno::EACCES),
        (libc::SOL_IP, libc::IP_TRANSPARENT, 1, Errno::EPERM),
    ] {
        let mut world = World::new();
        let fd = world.socket(0);
        world.process.set_privileged(false);
        assert_eq!(set(&mut world, fd, level, name, &int(value)), Err(refused), "{level} {name}");
        world.process.set_privileged(true);
        assert_eq!(set(&mut world, fd, level, name, &int(value)), Ok(0), "{level} {name}");
    }
    let mut world = World::new();
    let fd = world.socket(0);
    world.process.set_privileged(false);
    assert_eq!(set(&mut world, fd, SOCKET, libc::SO_PRIORITY, &int(6)), Ok(0));
    assert_eq!(set(&mut world, fd, SOCKET, libc::SO_DEBUG, &int(0)), Ok(0));
}

/// O-43, O-23: anybody binds a socket to a device, and only an administrator to another or to none; repair mode is
/// refused to all others before its value is looked at.
#[test]
fn what_needs_privilege_the_second_time() {
    let mut world = World::new();
    let fd = world.socket(0);
    let device = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
    world.process.set_privileged(false);
    assert_eq!(set(&mut world, fd, device.0, device.1, b"lo"), Ok(0));
    for name in [b"lo".as_slice(), b""] {
        assert_eq!(set(&mut world, fd, device.0, device.1, name), Err(Errno::EPERM));
    }
    assert_eq!(set(&mut world, fd, device.0, device.1, b"none0"), Err(Errno::ENODEV));
    for value in [-1i32, 0, 1, 2] {
        let repair = set(&mut world, fd, libc::SOL_TCP, libc::TCP_REPAIR, &value.to_ne_bytes());
        assert_eq!(repair, Err(Errno::EPERM));
    }
    world.process.set_privileged(true);
    assert_eq!(set(&mut world, fd, device.0, device.1, b""), Ok(0));
}

/// O-01, S-04: an algorithm that there is and that is not allowed is EPERM, one that there is not is ENOENT.
#[test]
fn algorithms_that_need_privilege() {
    let outcomes = heard("tcp_allowed_congestion_control", "cubic", |sysctl| {
        let mut world = World::with_settings(sysctl);
        let fd = world.socket(0);
        let choose =
            |world: &mut World, name: &[u8]| set(world, fd, libc::SOL_TCP, libc::TCP_CONGESTION, name);
        world.process.set_privileged(false);
        let unprivileged = [&b"reno"[..], b"bogus", b"cubic"].map(|name| choose(&mut world, name));
        world.process.set_privileged(true);
        (unprivileged, choose(&mut world, b"reno"))
    });
    let there_is_none = Err(Errno::ENOENT);
    assert_eq!(outcomes[0], ([Ok(0), there_is_none, Ok(0)], Ok(0)));
    assert_eq!(outcomes[1], ([Err(Errno::EPERM), there_is_none, Ok(0)], Ok(0)));
}

/// A-23 and ip_unprivileged_port_start: ports below it are EACCES without privilege; port 0 is anybody's.
#[test]
fn ports_that_need_privilege() {
    let bind = |world: &mut World, port: u16| {
        let fd = world.socket(0);
        world.call(Call::Bind { fd, address: Address::Inet(([127, 0, 0, 1], port).into()) }).result
    };
    let outcomes = heard("ip_unprivileged_port_start", "80", |sysctl| {
        let mut world = World::with_settings(sysctl);
        assert_eq!(bind(&mut world, 79), Ok(0));
        world.process.set_privileged(false);
        [78, 80, 1024, 0].map(|port| bind(&mut world, port))
    });
    assert_eq!(outcomes[0], [Err(Errno::EACCES), Err(Errno::EACCES), Ok(0), Ok(0)]);
    assert_eq!(outcomes[1], [Err(Errno::EACCES), Ok(0), Ok(0), Ok(0)]);
}

/// names before and after connect(), of both ends; what bind() and connect() chose is filled in.
#[test]
fn names_of_both_ends() {
    let mut world = World::new();
    let name = |world: &mut World, fd: Fd, peer: bool| {
        let outcome = world.call(Call::Name { fd, peer });
        outcome.result.map(|_| match outcome.answer {
            Answer::Address(address) => address.to_string(),
            other => panic!("{other:?}"),
        })
    };
    let fresh = world.socket(0);
    assert_eq!(name(&mut world, fresh, false).unwrap(), "0.0.0.0:0");
    assert_eq!(name(&mut world, fresh, true), Err(Errno::ENOTCONN));
    let (listener, client, server) = world.pair();
    let Address::Inet(at) = here() else { unreachable!("an address of IPv4") };
    assert_eq!(name(&mut world, listener, false).unwrap(), at.to_string());
    assert_eq!(name(&mut world, client, true).unwrap(), at.to_string());
    assert_eq!(name(&mut world, server, false).unwrap(), at.to_string());
    let chosen = name(&mut world, client, false).unwrap();
    assert!(chosen.starts_with("127.0.0.1:") && !chosen.ends_with(":0"), "{chosen}");
    assert_eq!(name(&mut world, server, true).unwrap(), chosen);
}

/// G-06, G-07, X-37: a setting is read when it is used, by sockets that there are too, unless a socket has its own; another
/// stack has its own settings.
#[test]
fn settings_are_read_when_they_are_used() {
    let (mut world, mut other) = (World::new(), World::new());
    let idle = |world: &mut World, fd: Fd| {
        let (level, name) = (libc::SOL_TCP, libc::TCP_KEEPIDLE);
        match world.call(Call::GetOption { fd, level, name, len: 4 }).answer {
            Answer::Bytes(bytes) => i32::from_ne_bytes(bytes.try_into().unwrap()),
            answer => panic!("{answer:?}"),
        }
    };
    let (open, own, there) = (world.socket(0), world.socket(0), other.socket(0));
    set(&mut world, own, libc::SOL_TCP, libc::TCP_KEEPIDLE, &50i32.to_ne_bytes()).unwrap();
    world.stack.sysctl_mut().set("tcp_keepalive_time", "120").unwrap();
    world.stack.sysctl_mut().set("tcp_max_orphans", "7").unwrap();
    assert_eq!(other.stack.sysctl().get("tcp_max_orphans").unwrap(), "131072");
    assert_eq!((idle(&mut world, open), idle(&mut world, own), idle(&mut other, there)), (120, 50, 7200));
}
