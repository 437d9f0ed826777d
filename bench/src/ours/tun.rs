//! One stream across a TUN with the kernel as peer: the engine on one thread, the kernel's user on another.

use crate::clock::Clock;
use crate::host::Host;
use crate::netns::pin;
use crate::peers::kernel;
use anyhow::{Result, ensure};
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::Device as _;
use cauce_device::host::{HostConfig, configure};
use cauce_device::tun::{Tun, TunOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The kernel sends, Cauce receives.
    Up,
    /// Cauce sends, the kernel receives.
    Down,
}

const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const PORT: u16 = 5001;
/// Writes or reads of 64 KiB between two turns, as a user task that shares a thread with the stack does.
const CHUNKS: usize = 4;

/// A TUN, our stack behind it, the kernel before it.
pub struct TunBulk {
    host: Host<Tun>,
    listener: SocketId,
    clock: Clock,
    buffer: Vec<u8>,
}

impl TunBulk {
    /// Opens the TUN in the present network namespace.
    ///
    /// # Errors
    /// When a privilege is missing; the message names it.
    pub fn new(name: &str, offload: bool) -> Result<Self> {
        let options = TunOptions { name: name.into(), offload, ..TunOptions::default() };
        let mut queues = Tun::open(&options)?;
        let tun = queues.remove(0);
        let addresses = vec![(KERNEL.into(), 24)];
        configure(tun.name(), &HostConfig { addresses, ..HostConfig::default() })?;
        let mut host = Host::new(OURS, tun, 7, Sysctls::default())?;
        let listener = host.listen(PORT, 8)?;
        Ok(TunBulk { host, listener, clock: Clock::new(), buffer: vec![0x5a; kernel_chunk()] })
    }

    /// One stream for `span`. Returns bytes that arrived, and the time they took.
    ///
    /// # Errors
    /// When the connection does not come about or breaks.
    pub fn run(&mut self, way: Way, span: Duration) -> Result<(usize, Duration)> {
        pin(0)?;
        let now = self.clock.now();
        match way {
            Way::Up => {
                let listener = self.listener;
                let sender = std::thread::spawn(move || -> Result<()> {
                    pin(1)?;
                    kernel::send_for(&mut kernel::connect((OURS, PORT).into())?, span);
                    Ok(())
                });
                let result = self.receive(listener);
                sender.join().expect("the sender does not panic")?;
                result
            }
            Way::Down => {
                let listener = kernel::listen((KERNEL, PORT).into())?;
                let receiver = std::thread::spawn(move || -> Result<_> {
                    pin(1)?;
                    Ok(kernel::receive_all(&mut listener.accept()?.0))
                });
                let id = self.host.connect(now, (KERNEL, PORT).into())?;
                self.send(id, span)?;
                let received = receiver.join().expect("the receiver does not panic")?;
                ensure!(received.0 > 0, "nothing arrived");
                Ok(received)
            }
        }
    }

    /// Takes one connection and reads it to its end.
    fn receive(&mut self, listener: SocketId) -> Result<(usize, Duration)> {
        let id = loop {
            match self.host.stack().socket(listener).accept(self.clock.now()) {
                Ok(id) => break id,
                Err(_) => self.turn(true)?,
            };
        };
        let (start, mut got) = (self.clock.elapsed(), 0);
        loop {
            let mut idle = true;
            for _ in 0..CHUNKS {
                match self.host.stack().socket(id).recv(self.clock.now(), &mut self.buffer) {
                    Ok(0) => {
                        self.host.stack().socket(id).close(self.clock.now())?;
                        self.turn(false)?;
                        return Ok((got, self.clock.elapsed() - start));
                    }
                    Ok(len) => (got, idle) = (got + len, false),
                    Err(Errno::EAGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            self.turn(idle)?;
        }
    }

    /// Writes for `span`, closes, and works until everything is acknowledged.
    fn send(&mut self, id: SocketId, span: Duration) -> Result<()> {
        let start = self.clock.elapsed();
        while self.clock.elapsed() - start < span {
            let mut full = false;
            for _ in 0..CHUNKS {
                match self.host.stack().socket(id).send(self.clock.now(), &self.buffer) {
                    Ok(len) if len == self.buffer.len() => {}
                    Ok(_) | Err(Errno::EAGAIN) => {
                        full = true;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.turn(full)?;
        }
        self.host.stack().socket(id).close(self.clock.now())?;
        let last = self.clock.elapsed() + Duration::from_secs(5);
        while self.host.stack().connections() > 0 && self.clock.elapsed() < last {
            self.turn(true)?;
            if self.host.stack().time_waits() == self.host.stack().connections() {
                break;
            }
        }
        Ok(())
    }

    /// A turn; when `wait` is set and there is nothing to do, sleeps until there is, at most 50 ms.
    fn turn(&mut self, wait: bool) -> Result<()> {
        let now = self.clock.now();
        let turn = self.host.turn(now)?;
        while self.host.stack().poll_event().is_some() {}
        if !wait || turn.again || turn.received > 0 || turn.sent > 0 {
            return Ok(());
        }
        let limit = now + Duration::from_millis(50);
        let until = turn.deadline.unwrap_or(limit).min(limit).max(now).since(now);
        self.sleep(until, turn.blocked)
    }

    fn sleep(&self, span: Duration, blocked: bool) -> Result<()> {
        let Some(fd) = self.host.device().readiness() else { return Ok(()) };
        let events = if blocked { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let span = Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) };
        match poll(&mut [PollFd::new(&fd, events)], Some(&span)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the device has done.
    pub fn describe(&self) -> String {
        format!("{:?}", self.host.device().counters())
    }

    /// The moment, for callers that look at the stack.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }
}

fn kernel_chunk() -> usize {
    super::bulk::CHUNK
}
