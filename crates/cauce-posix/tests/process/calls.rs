//! Calls of a process, end to end: descriptors, sleeping, pipes, splice, sendfile.

use crate::world::{Shared, World, here};
use cauce_core::socket::errno::Errno;
use cauce_core::time::Duration;
use cauce_posix::{Answer, Call, Outcome, PollFd, Progress, Receive, SelectSets};

/// after EMFILE the connection is still in the queue and the next accept gets it.
#[test]
fn a_full_table_leaves_the_connection_queued() {
    let mut world = World::new();
    let (listener, client, server) = world.pair();
    let waiting = world.socket(libc::SOCK_NONBLOCK);
    assert_eq!(world.error(Call::Connect { fd: waiting, address: here() }), Errno::EINPROGRESS);
    let mut copies = Vec::new();
    let full = loop {
        match world.call(Call::Dup { fd: server }).result {
            Ok(fd) => copies.push(fd as i32),
            Err(error) => break error,
        }
    };
    assert_eq!(full, Errno::EMFILE);
    assert_eq!(world.error(Call::Accept { fd: listener, flags: 0 }), Errno::EMFILE);
    world.close(copies[0]);
    let fd = world.ok(Call::Accept { fd: listener, flags: 0 }) as i32;
    assert_eq!(fd, copies[0]);
    world.write(waiting, b"still there");
    assert_eq!(world.read(fd, 100), b"still there");
    // The connection lives as long as one of its names.
    for fd in &copies[1..] {
        world.close(*fd);
    }
    world.write(client, b"x");
    assert_eq!(world.read(server, 10), b"x");
    world.close(server);
    assert_eq!(world.read(client, 10), b"");
}

/// a read sleeps until there is something, and holds what it reads from even when its number is closed.
#[test]
fn a_sleeping_read_holds_its_socket() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    world.ok(Call::Fcntl { fd: server, command: libc::F_SETFL, argument: 0 });
    let memory = Shared::of(vec![0; 10]);
    let by = Receive::Recv;
    let sleep = world.sleeping(Call::Receive { fd: server, memory: Box::new(memory.clone()), flags: 0, by });
    world.close(server);
    assert_eq!(world.error(Call::Name { fd: server, peer: true }), Errno::EBADF);
    assert_eq!(world.returned(), None);
    world.write(client, b"hello");
    assert_eq!(world.returned(), Some((sleep, Outcome::done(5))));
    assert_eq!(&memory.bytes()[..5], b"hello");
    // The call was the last to hold it: now it is closed.
    assert_eq!(world.read(client, 10), b"");
}

/// EINTR, or what was done so far.
#[test]
fn interrupted_calls_say_what_they_did() {
    let mut world = World::new();
    let (_, _, server) = world.pair();
    world.ok(Call::Fcntl { fd: server, command: libc::F_SETFL, argument: 0 });
    let receive = |flags| {
        let memory = Box::new(Shared::of(vec![0; 10]));
        Call::Receive { fd: server, memory, flags, by: Receive::Recv }
    };
    let sleep = world.sleeping(receive(0));
    let (stack, now) = (&mut world.stack, world.now);
    assert_eq!(world.process.interrupt(stack, now, sleep), Some(Outcome::failed(Errno::EINTR)));
    assert_eq!(world.process.interrupt(stack, now, sleep), None);
}

/// Calls that are not for this kind of descriptor.
#[test]
fn every_kind_refuses_what_it_is_not() {
    let mut world = World::new();
    let socket = world.socket(0);
    let (reader, writer) = world.pipe();
    let epoll = world.ok(Call::EpollCreate { flags: 0 }) as i32;
    let file = world.process.insert_file(Box::new(b"abc".to_vec()), true).unwrap();
    for fd in [reader, writer, epoll, file] {
        assert_eq!(world.error(Call::Listen { fd, backlog: 1 }), Errno::ENOTSOCK);
        assert_eq!(world.error(Call::Accept { fd, flags: 0 }), Errno::ENOTSOCK);
    }
    assert_eq!(world.error(Call::Listen { fd: 60, backlog: 1 }), Errno::EBADF);
    assert_eq!(world.try_read(writer, 1), Err(Errno::EBADF));
    assert_eq!(world.try_read(epoll, 1), Err(Errno::EINVAL));
    assert_eq!(world.read(file, 2), b"ab");
    assert_eq!(world.read(file, 2), b"c");
    assert_eq!(world.ok(Call::Fcntl { fd: file, command: libc::F_GETFD, argument: 0 }), 1);
    assert_eq!(world.error(Call::Ioctl { fd: file, request: 0x1234, argument: 0 }), Errno::ENOTTY);
    assert_eq!(world.error(Call::Accept { fd: socket, flags: 0x10 }), Errno::EINVAL);
    let call = Call::Socket { domain: libc::AF_UNIX, kind: libc::SOCK_STREAM, protocol: 0 };
    assert_eq!(world.error(call), Errno::EAFNOSUPPORT);
    let call = Call::Socket { domain: libc::AF_INET, kind: libc::SOCK_STREAM, protocol: 17 };
    assert_eq!(world.error(call), Errno::EPROTONOSUPPORT);
    assert!(matches!(
        world.start(Call::Socket { domain: libc::AF_INET, kind: libc::SOCK_DGRAM, protocol: 0 }),
        Progress::Unsupported(_)
    ));
}

/// sendfile sends what the file has and moves the offset of the program, or the file's own.
#[test]
fn sendfile_reads_at_an_offset() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    let contents: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    let file = world.process.insert_file(Box::new(contents.clone()), false).unwrap();
    let send = |offset, count| Call::SendFile { output: client, input: file, offset, count };
    let outcome = world.call(send(Some(1000), 500));
    assert_eq!(outcome, Outcome::with(500, Answer::Offsets(Some(1500), None)));
    assert_eq!(world.read(server, 1000), contents[1000..1500]);
    assert_eq!(world.ok(send(None, 300)), 300);
    assert_eq!(world.ok(send(None, 10)), 10);
    assert_eq!(world.read(server, 1000), contents[..310]);
    assert_eq!(world.ok(send(Some(199_990), 100)), 10);
    assert_eq!(world.ok(send(Some(200_000), 100)), 0);
    assert_eq!(world.read(server, 1000), contents[199_990..]);
    assert_eq!(
        world.error(Call::SendFile { output: file, input: client, offset: None, count: 1 }),
        Errno::EINVAL
    );
}

/// A blocking sendfile of more than the buffers hold returns when all of it has found room.
#[test]
fn a_long_sendfile_waits_for_the_reader() {
    let mut world = World::new();
    let (_, client, server) = world.pair();
    world.ok(Call::Fcntl { fd: client, command: libc::F_SETFL, argument: 0 });
    let contents: Vec<u8> = (0..9_000_000u32).map(|i| (i % 241) as u8).collect();
    let file = world.process.insert_file(Box::new(contents.clone()), false).unwrap();
    let count = contents.len();
    let sleep = world.sleeping(Call::SendFile { output: client, input: file, offset: Some(0), count });
    let mut read = Vec::new();
    let mut done = None;
    while read.len() < count {
        match world.try_read(server, 100_000) {
            Ok(bytes) => read.extend(bytes),
            Err(Errno::EAGAIN) => world.pass(Duration::from_millis(10)),
            Err(error) => panic!("{error}"),
        }
        done = done.or(world.returned());
    }
    let answer = Answer::Offsets(Some(count as u64), None);
    assert_eq!(done, Some((sleep, Outcome::with(count as i64, answer))));
    assert!(read == contents);
}

/// splice moves a socket's bytes through a pipe to another socket.
#[test]
fn splice_joins_sockets_by_a_pipe() {
    let mut world = World::new();
    let (listener, client, server) = world.pair();
    let (other_client, other_server) = world.another(listener);
    let (reader, writer) = world.pipe();
    let splice = |input, output, len| Call::Splice {
        input,
        input_offset: None,
        output,
        output_offset: None,
        len,
        flags: 0,
    };
    world.ok(Call::Fcntl { fd: server, command: libc::F_SETFL, argument: 0 });
    let sleep = world.sleeping(splice(server, writer, 1000));
    world.write(client, b"through the pipe");
    assert_eq!(world.returned().map(|(id, outcome)| (id, outcome.result)), Some((sleep, Ok(16))));
    assert_eq!(world.ok(splice(reader, other_server, 7)), 7);
    assert_eq!(world.ok(splice(reader, other_server, 100)), 9);
    assert_eq!(world.read(other_client, 100), b"through the pipe");
    world.close(client);
    assert_eq!(world.ok(splice(server, writer, 1000)), 0);
    assert_eq!(world.error(splice(server, other_server, 10)), Errno::EINVAL);
    assert_eq!(world.error(splice(writer, other_server, 10)), Errno::EBADF);
    let at = Call::Splice {
        input: server,
        input_offset: Some(0),
        output: writer,
        output_offset: None,
        len: 1,
        flags: 0,
    };
    assert_eq!(world.error(at), Errno::ESPIPE);
}

/// pipe(7): EPIPE without a reader, the end of file without a writer, and both wake who sleeps.
#[test]
fn ends_of_a_pipe_tell_each_other() {
    let mut world = World::new();
    let (reader, writer) = world.pipe();
    let memory = Shared::of(vec![0; 10]);
    let call = Call::Receive { fd: reader, memory: Box::new(memory.clone()), flags: 0, by: Receive::Read };
    let sleep = world.sleeping(call);
    assert_eq!(world.write(writer, b"abc"), 3);
    assert_eq!(world.returned(), Some((sleep, Outcome::done(3))));
    let poll = |fd, events, timeout| Call::Poll { fds: vec![PollFd { fd, events }], timeout };
    let sleep = world.sleeping(poll(reader, libc::POLLIN, None));
    world.close(writer);
    let outcome = Outcome::with(1, Answer::Poll(vec![libc::POLLHUP]));
    assert_eq!(world.returned(), Some((sleep, outcome)));
    assert_eq!(world.read(reader, 10), b"");
    let (reader, writer) = world.pipe();
    world.close(reader);
    let memory = Box::new(Shared::of(*b"x"));
    let call = Call::Send { fd: writer, memory, flags: 0, to: None, controls: Vec::new() };
    assert_eq!(world.error(call), Errno::EPIPE);
}

/// poll() returns at its time when nothing happens, and passes over negative descriptors.
#[test]
fn poll_has_a_time() {
    let mut world = World::new();
    let listener = world.listener();
    let fds = vec![PollFd { fd: -1, events: libc::POLLIN }, PollFd { fd: listener, events: libc::POLLIN }];
    let sleep = world.sleeping(Call::Poll { fds, timeout: Some(std::time::Duration::from_millis(50)) });
    world.pass(Duration::from_millis(49));
    assert_eq!(world.returned(), None);
    world.pass(Duration::from_millis(1));
    let nothing = Outcome::with(0, Answer::Poll(vec![0, 0]));
    assert_eq!(world.returned(), Some((sleep, nothing)));
    let closed = vec![PollFd { fd: 50, events: 0 }];
    let outcome = world.call(Call::Poll { fds: closed, timeout: None });
    assert_eq!(outcome, Outcome::with(1, Answer::Poll(vec![libc::POLLNVAL])));
}

/// select() counts a descriptor once for each set in which it is ready: urgent data is an exception. A descriptor
/// that is not open is an error.
#[test]
fn select_tells_urgent_data_from_others() {
    let mut world = World::new();
    let (listener, client, server) = world.pair();
    let select = |fds: &[i32], timeout| Call::Select {
        sets: SelectSets { read: fds.to_vec(), write: fds.to_vec(), except: fds.to_vec() },
        timeout,
    };
    let sets = |read: &[i32], write: &[i32], except: &[i32]| {
        Answer::Select(SelectSets { read: read.to_vec(), write: write.to_vec(), except: except.to_vec() })
    };
    let moment = Some(std::time::Duration::ZERO);
    let outcome = world.call(select(&[listener, server], moment));
    assert_eq!(outcome, Outcome::with(1, sets(&[], &[server], &[])));

    let exceptions = SelectSets { except: vec![server], ..SelectSets::default() };
    let sleep = world.sleeping(Call::Select { sets: exceptions, timeout: None });
    let urgent = Call::Send {
        fd: client,
        memory: Box::new(Shared::of(*b"x!")),
        flags: libc::MSG_OOB,
        to: None,
        controls: Vec::new(),
    };
    world.ok(urgent);
    assert_eq!(world.returned(), Some((sleep, Outcome::with(1, sets(&[], &[], &[server])))));
    let outcome = world.call(select(&[server], moment));
    assert_eq!(outcome, Outcome::with(3, sets(&[server], &[server], &[server])));
    assert_eq!(world.error(select(&[server, 50], moment)), Errno::EBADF);

    let nothing = SelectSets { read: vec![listener], ..SelectSets::default() };
    let timeout = Some(std::time::Duration::from_millis(50));
    let sleep = world.sleeping(Call::Select { sets: nothing, timeout });
    world.pass(Duration::from_millis(50));
    assert_eq!(world.returned(), Some((sleep, Outcome::with(0, sets(&[], &[], &[])))));
}

/// there are no pairs of TCP sockets; what could not be a socket either is told first.
#[test]
fn sockets_come_in_no_pairs() {
    let mut world = World::new();
    let pair = |domain, protocol| Call::SocketPair { domain, kind: libc::SOCK_STREAM, protocol };
    assert_eq!(world.error(pair(libc::AF_INET, 0)), Errno::EOPNOTSUPP);
    assert_eq!(world.error(pair(libc::AF_INET6, libc::IPPROTO_TCP)), Errno::EOPNOTSUPP);
    assert_eq!(world.error(pair(libc::AF_INET, libc::IPPROTO_UDP)), Errno::EPROTONOSUPPORT);
    assert_eq!(world.error(pair(99, 0)), Errno::EAFNOSUPPORT);
}
