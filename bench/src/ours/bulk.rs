//! One stream between two hosts on one thread: CUBIC, SACK and timestamps, one copy in, one copy out.

use crate::clock::Clock;
use crate::host::{Host, join, pair};
use anyhow::{Result, ensure};
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::sysctl::Sysctls;
use cauce_device::{Device, Pipe, PipeOptions};
use std::time::Duration;

/// Bytes of one write and of one read.
pub const CHUNK: usize = 64 * 1024;
/// Writes before the other side gets its turn: 256 KiB, what fits the peers' buffers.
pub const CHUNKS: usize = 4;

/// Two connected hosts and the user's buffers.
pub struct Bulk {
    hosts: [Host<Pipe>; 2],
    sender: SocketId,
    receiver: SocketId,
    clock: Clock,
    source: Vec<u8>,
    sink: Vec<u8>,
}

impl Bulk {
    /// Packets of at most `mtu` bytes, or whole super-segments, by this clock.
    ///
    /// # Errors
    /// When the connection does not come about.
    pub fn new(mtu: usize, supers: bool, clock: Clock) -> Result<Self> {
        let options = PipeOptions { mtu, capacity: 2048, tso: supers, ..PipeOptions::default() };
        let mut hosts = pair(options, &Sysctls::default())?;
        let listener = hosts[1].listen(5001, 8)?;
        let (sender, receiver) = join(&mut hosts, clock.now(), listener, 5001)?;
        Ok(Bulk { hosts, sender, receiver, clock, source: vec![0x5a; CHUNK], sink: vec![0; CHUNK] })
    }

    /// Writes four chunks, lets both hosts work, empties the receive buffer. Returns what arrived.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn step(&mut self) -> Result<usize> {
        let now = self.clock.now();
        for _ in 0..CHUNKS {
            match self.hosts[0].stack().socket(self.sender).send(now, &self.source) {
                Ok(taken) if taken == self.source.len() => {}
                Ok(_) | Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.hosts[0].turn(now)?;
        self.hosts[1].turn(now)?;
        let mut arrived = 0;
        loop {
            match self.hosts[1].stack().socket(self.receiver).recv(now, &mut self.sink) {
                Ok(len) => arrived += len,
                Err(Errno::EAGAIN) => return Ok(arrived),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves `bytes`, or a little more.
    ///
    /// # Errors
    /// When the connection breaks or stalls.
    pub fn transfer(&mut self, bytes: usize) -> Result<usize> {
        let (mut arrived, mut idle) = (0, 0);
        while arrived < bytes {
            let got = self.step()?;
            arrived += got;
            idle = if got == 0 { idle + 1 } else { 0 };
            ensure!(idle < 100_000_000, "the transfer has stalled");
        }
        Ok(arrived)
    }

    /// Moves bytes for about `span`. Returns bytes and time.
    ///
    /// # Errors
    /// When the connection breaks or stalls.
    pub fn run(&mut self, span: Duration) -> Result<(usize, Duration)> {
        let start = self.clock.elapsed();
        let mut arrived = 0;
        loop {
            arrived += self.transfer(8 << 20)?;
            let spent = self.clock.elapsed() - start;
            if spent >= span {
                return Ok((arrived, spent));
            }
        }
    }

    /// What the connection says of itself, for people.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn describe(&mut self) -> Result<String> {
        let now = self.clock.now();
        let info = self.hosts[0].stack().socket(self.sender).tcp_info(now)?;
        let counters = self.hosts[0].device().counters();
        Ok(format!("{info:?}\n{counters:?}"))
    }
}
