//! What a packet costs when many connections are alive: one byte there and back, each time on another
//! connection, in an order that no cache foresees.

use super::read;
use crate::clock::Clock;
use crate::host::{Host, join, pair};
use anyhow::{Result, bail};
use cauce_core::socket::SocketId;
use cauce_core::socket::options::SocketOption;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::{Pipe, PipeOptions};

/// Connections to one port at most, well within the ephemeral range.
pub(super) const PER_PORT: usize = 10_000;
/// Connections that are in use at one time, so that packets travel in batches.
const BATCH: usize = 16;

/// Two hosts with many connections.
pub struct Scale {
    hosts: [Host<Pipe>; 2],
    ids: Vec<(SocketId, SocketId)>,
    clock: Clock,
    next: u64,
}

impl Scale {
    /// `count` connections, all idle.
    ///
    /// # Errors
    /// When one does not come about.
    pub fn new(count: usize) -> Result<Self> {
        let mut hosts = pair(PipeOptions::default(), &Sysctls::default())?;
        let clock = Clock::new();
        let ids = connect_many(&mut hosts, count, || clock.now())?;
        for &(client, server) in &ids {
            let now = clock.now();
            hosts[0].stack().socket(client).set_option(now, SocketOption::NoDelay(true))?;
            hosts[1].stack().socket(server).set_option(now, SocketOption::NoDelay(true))?;
        }
        Ok(Scale { hosts, ids, clock, next: 0 })
    }

    /// Nanoseconds a packet, both hosts' work together, over `rounds` rounds of 16 connections each.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn nanoseconds(&mut self, rounds: usize) -> Result<f64> {
        let mut chosen = Vec::with_capacity(BATCH);
        let mut byte = [0x42];
        let mut trips = 0;
        let start = self.clock.elapsed();
        for _ in 0..rounds {
            chosen.clear();
            for _ in 0..BATCH.min(self.ids.len()) {
                self.next = self.next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let id = self.ids[(self.next >> 33) as usize % self.ids.len()];
                if !chosen.contains(&id) {
                    chosen.push(id);
                }
            }
            let now = self.clock.now();
            for (client, _) in &chosen {
                self.hosts[0].stack().socket(*client).send(now, &byte)?;
            }
            self.hosts[0].turn(now)?;
            self.hosts[1].turn(now)?;
            for (_, server) in &chosen {
                receive(&mut self.hosts, 1, *server, now, &mut byte)?;
                self.hosts[1].stack().socket(*server).send(now, &byte)?;
            }
            self.hosts[1].turn(now)?;
            self.hosts[0].turn(now)?;
            for (client, _) in &chosen {
                receive(&mut self.hosts, 0, *client, now, &mut byte)?;
            }
            trips += chosen.len();
        }
        Ok((self.clock.elapsed() - start).as_nanos() as f64 / (trips * 2) as f64)
    }
}

/// Reads the one byte that is on its way. On a machine that stood still for a while the delayed
/// acknowledgements of all connections are due at once and fill the pipe; then it takes more turns.
fn receive(
    hosts: &mut [Host<Pipe>; 2],
    to: usize,
    id: SocketId,
    now: Instant,
    byte: &mut [u8; 1],
) -> Result<()> {
    for _ in 0..10_000 {
        if read(hosts[to].stack(), id, now, byte)? == 1 {
            return Ok(());
        }
        hosts[1 - to].turn(now)?;
        hosts[to].turn(now)?;
    }
    bail!("a byte is missing")
}

/// Connects the first host to the second `count` times.
pub(super) fn connect_many(
    hosts: &mut [Host<Pipe>; 2],
    count: usize,
    now: impl Fn() -> Instant,
) -> Result<Vec<(SocketId, SocketId)>> {
    let mut ids = Vec::with_capacity(count);
    let mut listener = None;
    for number in 0..count {
        let port = 9000 + (number / PER_PORT) as u16;
        if number % PER_PORT == 0 {
            listener = Some(hosts[1].listen(port, 128)?);
        }
        let Some(listener) = listener else { continue };
        ids.push(join(hosts, now(), listener, port)?);
        for host in hosts.iter_mut() {
            while host.stack().poll_event().is_some() {}
        }
    }
    Ok(ids)
}
