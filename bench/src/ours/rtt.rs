//! One byte there and one byte back, on one connection, in memory.

use super::read;
use crate::clock::Clock;
use crate::host::{Host, join, pair};
use anyhow::{Result, ensure};
use cauce_core::socket::SocketId;
use cauce_core::socket::options::SocketOption;
use cauce_core::sysctl::Sysctls;
use cauce_device::{Pipe, PipeOptions};

/// Two connected hosts.
pub struct Rtt {
    hosts: [Host<Pipe>; 2],
    ids: [SocketId; 2],
    clock: Clock,
}

impl Rtt {
    /// A connection with Nagle's algorithm off at both ends, by this clock.
    ///
    /// # Errors
    /// When the connection does not come about.
    pub fn new(clock: Clock) -> Result<Self> {
        let mut hosts = pair(PipeOptions::default(), &Sysctls::default())?;
        let listener = hosts[1].listen(7, 8)?;
        let now = clock.now();
        let (client, server) = join(&mut hosts, now, listener, 7)?;
        let ids = [client, server];
        for (host, id) in hosts.iter_mut().zip(ids) {
            host.stack().socket(id).set_option(now, SocketOption::NoDelay(true))?;
        }
        Ok(Rtt { hosts, ids, clock })
    }

    /// `count` round trips. Each host reads the clock when its turn comes, as a real one would.
    ///
    /// # Errors
    /// When the connection breaks or a byte does not arrive.
    pub fn run(&mut self, count: usize) -> Result<()> {
        let mut byte = [0x42];
        for _ in 0..count {
            for from in 0..2 {
                let now = self.clock.now();
                self.hosts[from].stack().socket(self.ids[from]).send(now, &byte)?;
                self.hosts[from].turn(now)?;
                let to = 1 - from;
                let now = self.clock.now();
                self.hosts[to].turn(now)?;
                let got = read(self.hosts[to].stack(), self.ids[to], now, &mut byte)?;
                ensure!(got == 1, "the byte did not arrive");
            }
        }
        Ok(())
    }

    /// Round trips a second over `count` of them.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn rate(&mut self, count: usize) -> Result<f64> {
        let start = self.clock.elapsed();
        self.run(count)?;
        Ok(count as f64 / (self.clock.elapsed() - start).as_secs_f64())
    }
}
