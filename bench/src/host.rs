//! A host under measurement: a stack, the device it owns and the pump between them.

use anyhow::{Context as _, Result, bail};
use cauce_core::batch::{Batch, Token};
use cauce_core::frame::Frame;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::pump::{DEFAULT_LIMIT, Engine, Pump, Turn};
use cauce_device::{Device, Pipe, PipeOptions, pipe};
use std::net::{Ipv4Addr, SocketAddr};

/// The stack behind the doors that a pump knows.
struct Doors(Stack);

impl Engine for Doors {
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame> {
        self.0.handle_packet(arrived, frame)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize {
        self.0.poll_transmit(now, out)
    }
    fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]) {
        self.0.handle_transmitted(now, tokens);
    }
    fn next_timeout(&mut self) -> Option<Instant> {
        self.0.poll_timeout().map(|(at, _)| at)
    }
}

/// A stack with one device.
pub struct Host<D> {
    doors: Doors,
    devices: [D; 1],
    pump: Pump,
}

/// The addresses of the two hosts of a pair.
pub const ADDRS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2)];
/// Most payload of a super-segment: what a 65,535 byte packet holds.
const MAX_SUPER: u16 = 64_000;

impl<D: Device> Host<D> {
    /// A host with this address, all of whose secrets come from `seed`.
    ///
    /// # Errors
    /// When the stack refuses the address.
    pub fn new(addr: Ipv4Addr, device: D, seed: u64, sysctl: Sysctls) -> Result<Self> {
        let mut stack = Stack::new(sysctl, Box::new(xorshift(seed)));
        let mtu = device.capabilities().mtu as u16;
        let config = InterfaceConfig { name: "bench0".into(), mtu, medium: Medium::Ip, max_super: MAX_SUPER };
        let id = stack.add_interface(config);
        if !stack.interfaces().add_address(id, addr.into(), 8) {
            bail!("the stack refuses {addr}");
        }
        Ok(Host { doors: Doors(stack), devices: [device], pump: Pump::new(1, DEFAULT_LIMIT) })
    }

    /// The stack.
    pub fn stack(&mut self) -> &mut Stack {
        &mut self.doors.0
    }

    /// Takes what has arrived, fires what is due, sends what may leave.
    ///
    /// # Errors
    /// When the device is broken.
    #[inline]
    pub fn turn(&mut self, now: Instant) -> Result<Turn> {
        Ok(self.pump.turn(&mut self.doors, &mut self.devices, now, &mut |_| ())?)
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.devices[0]
    }

    /// A listener on every address of the host.
    ///
    /// # Errors
    /// Those of `bind` and `listen`.
    pub fn listen(&mut self, port: u16, backlog: u32) -> Result<SocketId> {
        let id = self.stack().open(Family::V4)?;
        let mut socket = self.stack().socket(id);
        socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).context("bind")?;
        socket.listen(backlog).context("listen")?;
        Ok(id)
    }

    /// A socket that has begun to connect.
    ///
    /// # Errors
    /// Those of `connect`.
    pub fn connect(&mut self, now: Instant, to: SocketAddr) -> Result<SocketId> {
        let id = self.stack().open(Family::V4)?;
        match self.stack().socket(id).connect(now, to) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(id),
            Err(error) => Err(error).context("connect"),
        }
    }
}

/// A pair of hosts over a pipe.
///
/// # Errors
/// When a stack refuses its address.
pub fn pair(options: PipeOptions, sysctl: &Sysctls) -> Result<[Host<Pipe>; 2]> {
    let (left, right) = pipe(options);
    Ok([Host::new(ADDRS[0], left, 1, sysctl.clone())?, Host::new(ADDRS[1], right, 2, sysctl.clone())?])
}

/// Connects the first host of a pair to `port` of the second, by hand: no time-out, no threads.
///
/// # Errors
/// When they do not come together.
pub fn join<D: Device>(
    pair: &mut [Host<D>; 2],
    now: Instant,
    listener: SocketId,
    port: u16,
) -> Result<(SocketId, SocketId)> {
    let client = pair[0].connect(now, (ADDRS[1], port).into())?;
    for _ in 0..8 {
        pair[0].turn(now)?;
        pair[1].turn(now)?;
        if let Ok(server) = pair[1].stack().socket(listener).accept(now) {
            return Ok((client, server));
        }
    }
    bail!("no connection after four round trips")
}

/// A cheap generator: measurements must repeat, not keep secrets.
fn xorshift(seed: u64) -> impl FnMut() -> u64 + Send {
    let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
