//! What every experiment wants: a pair of stacks with settings, one connection, and the tape of its segments.

use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::tcp_info::TcpInfo;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::{Duration, Instant};
use cauce_lab::pair::{Pair, PairOptions, Side};
use cauce_lab::tape::{Segment, Tape};
use std::net::SocketAddr;

pub const PORT: u16 = 80;
/// Longer than any experiment.
pub const LONG: Duration = Duration::from_secs(100_000);

/// A pair and its tape.
pub struct Rig {
    pub pair: Pair<Stack>,
    pub tape: Tape,
}

/// Options for a path with this delay each way.
pub fn delay(ms: u64) -> PairOptions {
    PairOptions { delay: Duration::from_millis(ms), ..PairOptions::default() }
}

/// A path of hardly any length: the time-out is 204 ms, a tick more than its floor.
pub fn near() -> PairOptions {
    PairOptions { delay: Duration::from_micros(1), ..PairOptions::default() }
}

impl Rig {
    /// Two stacks with the same settings.
    pub fn new(options: &PairOptions, settings: &[(&str, &str)]) -> Rig {
        let mut pair = Pair::new(options);
        let tape = Tape::new();
        pair.tap(Box::new(tape.clone()));
        let mut rig = Rig { pair, tape };
        Side::BOTH.into_iter().for_each(|side| rig.set(side, settings));
        rig
    }

    pub fn set(&mut self, side: Side, settings: &[(&str, &str)]) {
        self.pair.with(side, |stack, _| {
            settings.iter().for_each(|(name, text)| stack.sysctl_mut().set(name, text).unwrap());
        });
    }

    pub fn listen(&mut self) -> SocketId {
        self.listen_with(&[])
    }

    /// A listener at B, with options that its connections inherit.
    pub fn listen_with(&mut self, options: &[SocketOption]) -> SocketId {
        self.listen_on(PORT, options)
    }

    pub fn listen_on(&mut self, port: u16, options: &[SocketOption]) -> SocketId {
        self.pair.with(Side::B, |stack, now| {
            let id = stack.open(Family::V4).unwrap();
            options.iter().for_each(|option| stack.socket(id).set_option(now, option.clone()).unwrap());
            stack.socket(id).bind(SocketAddr::new(Side::B.ipv4(), port)).unwrap();
            stack.socket(id).listen(1024).unwrap();
            id
        })
    }

    /// A socket at A that has asked for a connection, with these options set before.
    pub fn connect(&mut self, options: &[SocketOption]) -> SocketId {
        self.connect_to(PORT, options)
    }

    pub fn connect_to(&mut self, port: u16, options: &[SocketOption]) -> SocketId {
        self.pair.with(Side::A, |stack, now| {
            let id = stack.open(Family::V4).unwrap();
            options.iter().for_each(|option| stack.socket(id).set_option(now, option.clone()).unwrap());
            let server = SocketAddr::new(Side::B.ipv4(), port);
            assert_eq!(stack.socket(id).connect(now, server), Err(Errno::EINPROGRESS));
            id
        })
    }

    pub fn accept(&mut self, listener: SocketId) -> SocketId {
        let mut accepted = None;
        self.pair.drive(LONG, |pair| {
            accepted = pair.with(Side::B, |stack, now| stack.socket(listener).accept(now).ok());
            accepted.is_some()
        });
        accepted.expect("nobody connected")
    }

    /// A connection from A to B, its listener closed: the sockets at A and at B.
    pub fn connected(&mut self, options: &[SocketOption]) -> [SocketId; 2] {
        self.connected_to(&[], options)
    }

    /// The same with options at B as well.
    pub fn connected_to(&mut self, at_b: &[SocketOption], options: &[SocketOption]) -> [SocketId; 2] {
        let listener = self.listen_with(at_b);
        let a = self.connect(options);
        let b = self.accept(listener);
        self.close(Side::B, listener);
        [a, b]
    }

    pub fn option(&mut self, side: Side, id: SocketId, option: SocketOption) {
        self.pair.with(side, |stack, now| stack.socket(id).set_option(now, option).unwrap());
    }

    pub fn send(&mut self, side: Side, id: SocketId, len: usize) {
        let sent = self.pair.with(side, |stack, now| stack.socket(id).send(now, &vec![7; len]));
        assert_eq!(sent, Ok(len));
    }

    /// Reads everything that there is; returns how many bytes.
    pub fn drain(&mut self, side: Side, id: SocketId) -> usize {
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        while let Ok(count @ 1..) = self.pair.with(side, |stack, now| stack.socket(id).recv(now, &mut buffer))
        {
            total += count;
        }
        total
    }

    pub fn close(&mut self, side: Side, id: SocketId) {
        self.pair.with(side, |stack, now| stack.socket(id).close(now).unwrap());
    }

    pub fn info(&mut self, side: Side, id: SocketId) -> TcpInfo {
        self.pair.with(side, |stack, now| stack.socket(id).tcp_info(now).unwrap())
    }

    pub fn run(&mut self, span: Duration) {
        self.pair.run_for(span);
    }

    /// Lets time pass until the socket has an error: when, and which.
    pub fn failure(&mut self, side: Side, id: SocketId) -> (Instant, Errno) {
        let failed = |pair: &mut Pair<Stack>| {
            pair.with(side, |stack, _| stack.socket(id).readiness().contains(Readiness::ERR))
        };
        assert!(self.pair.drive(LONG, failed), "it never fails");
        let error = self.pair.with(side, |stack, _| stack.socket(id).take_error());
        (self.pair.now(), error.unwrap())
    }

    /// The moments, in milliseconds after `start`, at which `side` sent what `wanted` picks.
    pub fn times(&self, side: Side, start: Instant, wanted: impl Fn(&Segment) -> bool) -> Vec<f64> {
        let segments = self.tape.sent(side.way());
        let picked = segments.iter().filter(|segment| segment.at >= start && wanted(segment));
        picked.map(|segment| ms(segment.at, start)).collect()
    }
}

/// Milliseconds from `start` to `at`, exact to the nanosecond.
pub fn ms(at: Instant, start: Instant) -> f64 {
    at.since(start).as_nanos() as f64 / 1e6
}

/// `first * (2^k - 1)` for k from 0 on, `count` of them: when back-off without a cap sends.
pub fn doubling(first: f64, count: u32) -> Vec<f64> {
    (0..count).map(|k| first * (2f64.powi(k as i32) - 1.0)).collect()
}
