//! Cauce's own stack as an endpoint, and pairs of them.

use crate::host::Endpoint;
use crate::pair::{Pair, PairOptions, Side};
use crate::rng::LabRng;
use cauce_core::batch::{Batch, Token};
use cauce_core::frame::Frame;
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;

impl Endpoint for Stack {
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame> {
        Stack::handle_packet(self, arrived, frame)
    }
    fn handle_timeout(&mut self, now: Instant) {
        Stack::handle_timeout(self, now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize {
        Stack::poll_transmit(self, now, out)
    }
    fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]) {
        Stack::handle_transmitted(self, now, tokens);
    }
    fn poll_timeout(&mut self) -> Option<Instant> {
        Stack::poll_timeout(self).map(|(at, _)| at)
    }
}

impl Pair<Stack> {
    /// A pair of stacks with default settings and the addresses of [`Side`]. Their secrets follow from the
    /// pair's seed.
    ///
    /// ```
    /// use cauce_core::socket::Family;
    /// use cauce_core::time::Duration;
    /// use cauce_lab::pair::{Pair, PairOptions, Side};
    /// use std::net::SocketAddr;
    /// let mut pair = Pair::new(&PairOptions::default());
    /// let server = SocketAddr::new(Side::B.ipv4(), 80);
    /// let listener = pair.with(Side::B, |stack, _| {
    ///     let id = stack.open(Family::V4).unwrap();
    ///     stack.socket(id).bind(server).unwrap();
    ///     stack.socket(id).listen(1).unwrap();
    ///     id
    /// });
    /// pair.with(Side::A, |stack, now| {
    ///     let id = stack.open(Family::V4).unwrap();
    ///     let _in_progress = stack.socket(id).connect(now, server);
    /// });
    /// let accepted = |pair: &mut Pair<_>| {
    ///     pair.with(Side::B, |stack: &mut cauce_core::stack::Stack, now| stack.socket(listener).accept(now).is_ok())
    /// };
    /// assert!(pair.drive(Duration::from_secs(1), accepted));
    /// ```
    pub fn new(options: &PairOptions) -> Self {
        let [a, b] = Side::BOTH.map(|side| stack_of(options, side));
        Pair::of(options, a, b)
    }
}

/// Streams of the pair's seed from here on belong to the stacks.
const STACK_STREAM: u64 = 1 << 32;

/// Super-segments of a lab interface carry at most this much payload.
const MAX_SUPER: u16 = 65_535 - 120;

fn stack_of(options: &PairOptions, side: Side) -> Stack {
    let rng = LabRng::new(options.seed, STACK_STREAM + side as u64);
    let mut stack = Stack::new(Sysctls::default(), Box::new(rng));
    let mtu = options.host_mtu.unwrap_or(options.mtu);
    let device = stack.add_interface(InterfaceConfig {
        name: "lab0".into(),
        mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        medium: Medium::Ip,
        max_super: if options.super_segments { MAX_SUPER } else { 0 },
    });
    let interfaces = stack.interfaces();
    interfaces.add_address(device, side.ipv4(), 24);
    interfaces.add_address(device, side.ipv6(), 64);
    stack
}
