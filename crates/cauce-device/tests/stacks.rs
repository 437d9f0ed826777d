//! Stacks joined by devices: what one user writes, the other reads, over every kind of pipe, and against the
//! kernel's TCP through a TUN.

#[path = "support/namespace.rs"]
mod namespace;

use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, Shutdown, SocketId};
use cauce_core::stack::Stack;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::host::{HostConfig, configure};
use cauce_device::pump::{DEFAULT_LIMIT, Pump};
use cauce_device::*;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

const BULK: usize = 3_000_000;

fn byte(at: usize) -> u8 {
    (at * 31 + at / 509) as u8
}

/// A stack on one device.
struct Node<D> {
    stack: Stack,
    device: [D; 1],
    pump: Pump,
    now: Instant,
}

impl<D: Device> Node<D> {
    fn new(device: D, addresses: &[&str], seed: u64) -> Self {
        let mut state = seed;
        let mut stack = Stack::new(
            Sysctls::default(),
            Box::new(move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state ^ (state >> 31)
            }),
        );
        let id = stack.add_interface(device.capabilities().interface("eth0"));
        for address in addresses {
            let ip: IpAddr = address.parse().unwrap();
            assert!(stack.interfaces().add_address(id, ip, if ip.is_ipv4() { 24 } else { 64 }));
        }
        Node { stack, device: [device], pump: Pump::new(1, DEFAULT_LIMIT), now: Instant::from_secs(1) }
    }

    fn turn(&mut self) {
        self.pump.turn(&mut self.stack, &mut self.device, self.now, &mut |_| ()).unwrap();
    }

    fn listen(&mut self, address: SocketAddr) -> SocketId {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        let listener = self.stack.open(family).unwrap();
        self.stack.socket(listener).bind(address).unwrap();
        self.stack.socket(listener).listen(16).unwrap();
        listener
    }

    /// Writes as much as fits of the bytes from `at` on and shuts down behind the last. Returns how many.
    fn write(&mut self, socket: SocketId, at: usize) -> usize {
        if at == BULK {
            return 0;
        }
        let chunk: Vec<u8> = (at..BULK.min(at + 65_536)).map(byte).collect();
        let written = match self.stack.socket(socket).send(self.now, &chunk) {
            Ok(written) => written,
            Err(Errno::EAGAIN) => 0,
            Err(error) => panic!("send: {error:?}"),
        };
        if at + written == BULK {
            self.stack.socket(socket).shutdown(self.now, Shutdown::Write).unwrap();
        }
        written
    }

    /// Reads what has arrived, which has to be the bytes from `at` on. Returns how many, and whether the end
    /// was among it.
    fn read(&mut self, socket: SocketId, at: usize) -> (usize, bool) {
        let (mut buffer, mut total) = (vec![0; 65_536], 0);
        loop {
            match self.stack.socket(socket).recv(self.now, &mut buffer) {
                Ok(0) => return (total, true),
                Ok(count) => {
                    let wrong = (0..count).find(|&index| buffer[index] != byte(at + total + index));
                    assert_eq!(wrong, None, "at {}", at + total);
                    total += count;
                }
                Err(Errno::EAGAIN) => return (total, false),
                Err(error) => panic!("recv: {error:?}"),
            }
        }
    }
}

fn bulk_over(options: PipeOptions, v6: bool) {
    let (left, right) = pipe(options);
    let (mut client, mut server) =
        (Node::new(left, &["10.1.0.1", "fd01::1"], 1), Node::new(right, &["10.1.0.2", "fd01::2"], 2));
    let address: SocketAddr = if v6 { "[fd01::2]:80" } else { "10.1.0.2:80" }.parse().unwrap();
    let listener = server.listen(address);
    let socket = client.stack.open(if v6 { Family::V6 } else { Family::V4 }).unwrap();
    let begun = client.stack.socket(socket).connect(client.now, address);
    assert_eq!(begun, Err(Errno::EINPROGRESS));
    let (mut accepted, mut written, mut read, mut ended) = (None, 0, 0, false);
    for _ in 0..200_000 {
        client.turn();
        server.turn();
        if accepted.is_none() {
            accepted = server.stack.socket(listener).accept(server.now).ok();
        }
        if let Some(accepted) = accepted {
            written += client.write(socket, written);
            let (count, end) = server.read(accepted, read);
            (read, ended) = (read + count, end);
        }
        if ended {
            break;
        }
        let later = client.now + Duration::from_micros(50);
        (client.now, server.now) = (later, later);
    }
    assert_eq!((written, read, ended), (BULK, BULK, true), "{options:?} v6 {v6}");
}

#[test]
fn bulk_over_every_kind_of_pipe() {
    let plain = PipeOptions::default();
    let ethernet = Medium::Ethernet { mac: [2, 0, 0, 0, 0, 1] };
    for v6 in [false, true] {
        bulk_over(plain, v6);
        bulk_over(PipeOptions { gro: false, ..plain }, v6);
        bulk_over(PipeOptions { tso: true, ..plain }, v6);
        bulk_over(PipeOptions { mtu: 9000, capacity: 5, ..plain }, v6);
        bulk_over(PipeOptions { medium: ethernet, ..plain }, v6);
    }
}

/// The kernel sends everything to our stack and our stack sends everything back.
fn echo_with_the_kernel(offload: bool) {
    let device = Tun::open(&TunOptions { offload, ..TunOptions::default() }).unwrap().remove(0);
    let addresses = vec![("10.9.0.1".parse().unwrap(), 24), ("fd09::1".parse().unwrap(), 64)];
    configure(device.name(), &HostConfig { up: true, addresses, ..HostConfig::default() }).unwrap();
    let mut node = Node::new(device, &["10.9.0.2", "fd09::2"], 3);
    for address in ["10.9.0.2:7", "[fd09::2]:7"] {
        let address: SocketAddr = address.parse().unwrap();
        let listener = node.listen(address);
        let kernel = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut back = stream.try_clone().unwrap();
            let reader = std::thread::spawn(move || {
                let mut bytes = Vec::new();
                back.read_to_end(&mut bytes).unwrap();
                bytes
            });
            let bytes: Vec<u8> = (0..BULK).map(byte).collect();
            stream.write_all(&bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(reader.join().unwrap() == bytes);
        });
        let (start, mut accepted, mut read, mut written) = (std::time::Instant::now(), None, 0, 0);
        while !kernel.is_finished() && start.elapsed() < Duration::from_secs(60) {
            node.now = Instant::from_secs(1) + start.elapsed();
            node.turn();
            accepted = accepted.or_else(|| node.stack.socket(listener).accept(node.now).ok());
            if let Some(socket) = accepted {
                read += node.read(socket, read).0;
                if read == BULK || read > written {
                    written += node.write(socket, written);
                }
            }
            std::thread::yield_now();
        }
        assert!(kernel.is_finished(), "read {read}, written {written}");
        kernel.join().unwrap();
    }
}

#[test]
fn echo_with_the_kernel_through_a_tun() {
    if namespace::inside("echo_with_the_kernel_through_a_tun") {
        echo_with_the_kernel(true);
    }
}

#[test]
fn echo_with_the_kernel_through_a_tun_without_offload() {
    if namespace::inside("echo_with_the_kernel_through_a_tun_without_offload") {
        echo_with_the_kernel(false);
    }
}
