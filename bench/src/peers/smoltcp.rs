//! smoltcp 0.14 in memory: two interfaces on one thread, MTU 1500, checksums computed and verified by both,
//! one copy in and one out. It has no SACK, no timestamps, and no congestion control is chosen, because
//! with none it is fastest.

use crate::host::ADDRS;
use crate::ours::bulk::CHUNK;
use anyhow::{Result, bail, ensure};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of each socket's send and receive buffers.
pub const BUFFER: usize = 256 * 1024;
/// Bytes of each buffer where connections are short.
pub const SMALL_BUFFER: usize = 4 * 1024;

/// Packets in one direction, and buffers that wait to be used again.
#[derive(Default)]
struct Wire {
    packets: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

/// One end of a wire pair.
struct End {
    incoming: Rc<RefCell<Wire>>,
    outgoing: Rc<RefCell<Wire>>,
    mtu: usize,
}

struct Arrived {
    packet: Vec<u8>,
    from: Rc<RefCell<Wire>>,
}

struct Leaving<'a>(&'a RefCell<Wire>);

impl phy::RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, use_it: F) -> R {
        let result = use_it(&self.packet);
        self.from.borrow_mut().spare.push(self.packet);
        result
    }
}

impl phy::TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut wire = self.0.borrow_mut();
        let mut packet = wire.spare.pop().unwrap_or_default();
        packet.resize(len, 0);
        let result = fill(&mut packet);
        wire.packets.push_back(packet);
        result
    }
}

impl phy::Device for End {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Leaving<'_>)> {
        let packet = self.incoming.borrow_mut().packets.pop_front()?;
        Some((Arrived { packet, from: self.incoming.clone() }, Leaving(&self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// One host: an interface, its device and its sockets.
struct Host {
    interface: Interface,
    device: End,
    sockets: SocketSet<'static>,
}

impl Host {
    fn new(which: usize, mut device: End, now: Instant) -> Self {
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, now);
        interface.update_ip_addrs(|addrs| {
            let _ = addrs.push(IpCidr::new(ADDRS[which].into(), 8));
        });
        Host { interface, device, sockets: SocketSet::new(Vec::new()) }
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.device, &mut self.sockets);
    }

    fn add(&mut self, buffer: usize) -> SocketHandle {
        let ring = || tcp::SocketBuffer::new(vec![0; buffer]);
        self.sockets.add(tcp::Socket::new(ring(), ring()))
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

/// Two hosts.
pub struct Pair {
    hosts: [Host; 2],
    start: std::time::Instant,
    handles: [SocketHandle; 2],
    ports: u16,
    source: Vec<u8>,
    sink: Vec<u8>,
}

const PORT: u16 = 5001;

impl Pair {
    /// Two hosts with one socket each, whose buffers hold `buffer` bytes.
    pub fn new(mtu: usize, buffer: usize) -> Self {
        let (there, back) = (Rc::<RefCell<Wire>>::default(), Rc::<RefCell<Wire>>::default());
        let left = End { incoming: back.clone(), outgoing: there.clone(), mtu };
        let right = End { incoming: there, outgoing: back, mtu };
        let now = Instant::ZERO;
        let mut hosts = [Host::new(0, left, now), Host::new(1, right, now)];
        let handles = [hosts[0].add(buffer), hosts[1].add(buffer)];
        let start = std::time::Instant::now();
        Pair { hosts, start, handles, ports: 10_000, source: vec![0x5a; CHUNK], sink: vec![0; CHUNK] }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as i64)
    }

    fn both(&mut self) -> [&mut tcp::Socket<'static>; 2] {
        let [left, right] = &mut self.hosts;
        [left.socket(self.handles[0]), right.socket(self.handles[1])]
    }

    /// Connects the first host's socket to the second's.
    ///
    /// # Errors
    /// When they do not come together.
    pub fn connect(&mut self) -> Result<()> {
        self.hosts[1].socket(self.handles[1]).listen(PORT)?;
        self.ports = if self.ports == 60_000 { 10_000 } else { self.ports + 1 };
        let (port, handle) = (self.ports, self.handles[0]);
        let Host { interface, sockets, .. } = &mut self.hosts[0];
        sockets.get_mut::<tcp::Socket>(handle).connect(interface.context(), (ADDRS[1], PORT), port)?;
        for _ in 0..8 {
            let now = self.now();
            self.hosts[0].poll(now);
            self.hosts[1].poll(now);
            if self.both().iter().all(|socket| socket.state() == tcp::State::Established) {
                return Ok(());
            }
        }
        bail!("smoltcp does not connect")
    }

    /// Moves `bytes`, or a little more, over the connection.
    ///
    /// # Errors
    /// When the connection breaks or stalls.
    pub fn transfer(&mut self, bytes: usize) -> Result<usize> {
        let (mut arrived, mut idle) = (0, 0);
        while arrived < bytes {
            let now = self.now();
            let sender = self.hosts[0].socket(self.handles[0]);
            while sender.can_send() {
                sender.send_slice(&self.source)?;
            }
            self.hosts[0].poll(now);
            self.hosts[1].poll(now);
            let receiver = self.hosts[1].socket(self.handles[1]);
            let before = arrived;
            while receiver.can_recv() {
                arrived += receiver.recv_slice(&mut self.sink)?;
            }
            self.hosts[1].poll(now);
            idle = if arrived == before { idle + 1 } else { 0 };
            ensure!(idle < 10_000_000, "smoltcp has stalled");
        }
        Ok(arrived)
    }

    /// Bulk for about `span`. Returns bytes and time.
    ///
    /// # Errors
    /// When the connection breaks or stalls.
    pub fn run(&mut self, span: std::time::Duration) -> Result<(usize, std::time::Duration)> {
        let start = std::time::Instant::now();
        let mut arrived = 0;
        loop {
            arrived += self.transfer(8 << 20)?;
            if start.elapsed() >= span {
                return Ok((arrived, start.elapsed()));
            }
        }
    }

    /// Round trips of one byte a second, over `count` of them, without Nagle's algorithm and without delayed
    /// acknowledgements' timer ever firing.
    ///
    /// # Errors
    /// When a byte does not arrive.
    pub fn round_trips(&mut self, count: usize) -> Result<f64> {
        self.both().into_iter().for_each(|socket| socket.set_nagle_enabled(false));
        let start = std::time::Instant::now();
        let mut byte = [0x42];
        for _ in 0..count {
            for from in 0..2 {
                let now = self.now();
                self.hosts[from].socket(self.handles[from]).send_slice(&byte)?;
                self.hosts[from].poll(now);
                let to = 1 - from;
                let now = self.now();
                self.hosts[to].poll(now);
                let got = self.hosts[to].socket(self.handles[to]).recv_slice(&mut byte)?;
                ensure!(got == 1, "the byte did not arrive");
            }
        }
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }

    /// Connections a second, opened and closed, over `count` of them. The two sockets are used again and
    /// again, and TIME-WAIT ends when its socket is needed: smoltcp keeps no other record.
    ///
    /// # Errors
    /// When one fails.
    pub fn connections(&mut self, count: usize) -> Result<f64> {
        let start = std::time::Instant::now();
        for _ in 0..count {
            self.connect()?;
            self.hosts[0].socket(self.handles[0]).close();
            let now = self.now();
            self.hosts[0].poll(now);
            self.hosts[1].poll(now);
            let server = self.hosts[1].socket(self.handles[1]);
            ensure!(!server.may_recv(), "the server does not see the end");
            server.close();
            for which in [1, 0, 1] {
                let now = self.now();
                self.hosts[which].poll(now);
            }
            ensure!(!self.both()[1].is_open(), "the server keeps the connection");
        }
        Ok(count as f64 / start.elapsed().as_secs_f64())
    }
}
