//! Connect, accept, close: whole connections without data, in memory.
//!
//! The client closes first and keeps the TIME-WAIT. Ports are rotated among several listeners, so that
//! 4-tuples do not run out before the system's bound on TIME-WAITs is reached.

use crate::clock::Clock;
use crate::host::{ADDRS, Host, pair};
use anyhow::{Context as _, Result, ensure};
use cauce_core::socket::SocketId;
use cauce_core::sysctl::Sysctls;
use cauce_device::{Pipe, PipeOptions};

/// Listeners of the server.
const LISTENERS: u16 = 32;
/// The port of the first one.
const PORT: u16 = 8000;

/// A client and a server with its listeners.
pub struct Short {
    hosts: [Host<Pipe>; 2],
    listeners: Vec<SocketId>,
    clock: Clock,
    next: usize,
}

impl Short {
    /// Two hosts with Linux's defaults, by this clock.
    ///
    /// # Errors
    /// When a listener cannot be made.
    pub fn new(clock: Clock) -> Result<Self> {
        let mut hosts = pair(PipeOptions::default(), &Sysctls::default())?;
        let listeners =
            (0..LISTENERS).map(|offset| hosts[1].listen(PORT + offset, 128)).collect::<Result<_>>()?;
        Ok(Short { hosts, listeners, clock, next: 0 })
    }

    /// One connection from SYN to the last ACK.
    fn once(&mut self) -> Result<()> {
        let which = self.next % self.listeners.len();
        self.next += 1;
        let now = self.clock.now();
        let client = self.hosts[0].connect(now, (ADDRS[1], PORT + which as u16).into())?;
        self.hosts[0].turn(now)?;
        self.hosts[1].turn(now)?;
        self.hosts[0].turn(now)?;
        self.hosts[1].turn(now)?;
        let server = self.hosts[1].stack().socket(self.listeners[which]).accept(now).context("accept")?;
        self.hosts[0].stack().socket(client).close(now)?;
        self.hosts[0].turn(now)?;
        self.hosts[1].turn(now)?;
        let now = self.clock.now();
        let end = self.hosts[1].stack().socket(server).recv(now, &mut [0]);
        ensure!(end == Ok(0), "the server does not see the end: {end:?}");
        self.hosts[1].stack().socket(server).close(now)?;
        self.hosts[1].turn(now)?;
        self.hosts[0].turn(now)?;
        self.hosts[1].turn(now)?;
        while self.hosts[0].stack().poll_event().is_some() {}
        while self.hosts[1].stack().poll_event().is_some() {}
        Ok(())
    }

    /// Connections a second over `count` of them.
    ///
    /// # Errors
    /// When one fails.
    pub fn rate(&mut self, count: usize) -> Result<f64> {
        let start = self.clock.elapsed();
        for _ in 0..count {
            self.once()?;
        }
        let rate = count as f64 / (self.clock.elapsed() - start).as_secs_f64();
        ensure!(self.hosts[1].stack().sockets() == self.listeners.len(), "the server keeps connections");
        Ok(rate)
    }
}
