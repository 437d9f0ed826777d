//! The netstack itself: what is not about one socket.

use crate::addr::ToSocketAddrs;
use crate::builder::NetstackBuilder;
use crate::error::{invalid, io_error};
use crate::listener::TcpListener;
use crate::shard::ShardRef;
use crate::stream::TcpStream;
use bytes::Bytes;
use cauce_core::batch::{MAX_HEADER, SendReason, Token, Transmit};
use cauce_core::counters::Counters;
use cauce_core::frame::DeviceId;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::{Medium, Stack};
use cauce_core::time::Instant;
use cauce_device::DeviceCounters;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;

/// A TCP/IP stack in this process, with its own addresses, ports and settings.
///
/// It is a handle: clones share one stack, from any thread. Several stacks live side by side without knowing
/// of each other. The stack lives as long as any handle of it, listener or stream lives; what closed streams
/// still have to deliver is delivered after that, as long as the runtime runs.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (left, right) = cauce::pair();
/// let listener = right.bind("10.0.0.2:80").await?;
/// let mut client = left.connect("10.0.0.2:80").await?;
/// let (mut server, _) = listener.accept().await?;
/// client.write_all(b"hello").await?;
/// let mut hello = [0; 5];
/// server.read_exact(&mut hello).await?;
/// assert_eq!(&hello, b"hello");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Netstack {
    pub(crate) shard: ShardRef,
}

impl Netstack {
    /// Starts the description of a netstack.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, _wire) = cauce::device::pipe(Default::default());
    /// let net = cauce::Netstack::builder().address("10.0.0.1/24").device(device).build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder() -> NetstackBuilder {
        NetstackBuilder::new()
    }

    /// Opens a connection; the same as [`TcpStream::connect`].
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let _listener = right.bind("10.0.0.2:80").await?;
    /// let stream = left.connect(("10.0.0.2", 80)).await?;
    /// assert_eq!(stream.peer_addr()?.port(), 80);
    /// # Ok(()) }
    /// ```
    pub async fn connect(&self, addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        TcpStream::connect(self, addr).await
    }

    /// Listens; the same as [`TcpListener::bind`].
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = net.bind("[::]:0").await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok(()) }
    /// ```
    pub async fn bind(&self, addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::bind(self, addr).await
    }

    /// Gives the netstack one more address, with the length of the network around it.
    ///
    /// # Errors
    /// `EADDRINUSE` when it has that address already.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// net.add_address("192.0.2.7".parse().unwrap(), 32)?;
    /// net.bind("192.0.2.7:80").await?;
    /// # Ok(()) }
    /// ```
    pub fn add_address(&self, ip: IpAddr, len: u8) -> io::Result<()> {
        let added =
            self.shard.call(|core, _| Ok(core.stack.interfaces().add_address(DeviceId(0), ip, len)))?;
        if added { Ok(()) } else { Err(io_error(Errno::EADDRINUSE)) }
    }

    /// Sends an IP packet that is not TCP's, whole from its IP header on, checksums complete: the way out
    /// for what [`NetstackBuilder::non_tcp`] took in.
    ///
    /// # Errors
    /// `WouldBlock` when the device is full; `Unsupported` on an Ethernet device; `EMSGSIZE` above its MTU.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (device, mut wire) = cauce::packet_channel(1500, 64);
    /// let net = cauce::Netstack::builder().address("10.0.0.1/24").device(device).build()?;
    /// net.send_packet(bytes::Bytes::from_static(b"a packet"))?;
    /// assert_eq!(wire.recv().await.unwrap(), "a packet");
    /// # Ok(()) }
    /// ```
    pub fn send_packet(&self, mut packet: Bytes) -> io::Result<()> {
        let (medium, mtu) = self.shard.call(|core, _| {
            let interface = core.stack.interfaces().get(DeviceId(0));
            interface
                .map(|config| (config.medium, config.mtu))
                .ok_or_else(|| invalid("there is no interface"))
        })?;
        if medium != Medium::Ip {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if packet.len() > usize::from(mtu) {
            return Err(io_error(Errno::EMSGSIZE));
        }
        let header = packet.split_to(packet.len().min(MAX_HEADER));
        let transmit = Transmit {
            header: header.iter().copied().collect(),
            payload: [packet].into_iter().filter(|rest| !rest.is_empty()).collect(),
            gso: None,
            checksum: None,
            network_offset: 0,
            transport_offset: 0,
            device: DeviceId(0),
            reason: SendReason::Control,
            token: Token::NONE,
        };
        if self.shard.send_foreign(transmit) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// The event counters under their Linux names.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let _listener = right.bind("10.0.0.2:80").await?;
    /// let _stream = left.connect("10.0.0.2:80").await?;
    /// assert_eq!(left.counters().get(cauce::Counter::ActiveOpens), 1);
    /// # Ok(()) }
    /// ```
    pub fn counters(&self) -> Counters {
        self.shard.core().stack.counters().clone()
    }

    /// Runs `look` on the engine behind this netstack, and does what it caused: for tools that show or change
    /// what this crate has no name for. The netstack stands still meanwhile, so it should be short.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let _listener = net.bind("10.0.0.1:80").await?;
    /// let states: Vec<_> = net.with_stack(|stack, now| stack.listing(now).map(|one| one.state).collect());
    /// assert_eq!(states.len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn with_stack<T>(&self, look: impl FnOnce(&mut Stack, Instant) -> T) -> T {
        self.shard.act(|core, now| look(&mut core.stack, now))
    }

    /// The time of the netstack's clock: what the time stamps of packets and bytes are to be compared with.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let before = net.now();
    /// assert!(net.now() >= before);
    /// # Ok(()) }
    /// ```
    pub fn now(&self) -> Instant {
        self.shard.now()
    }

    /// What the device has carried.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert_eq!(net.device_counters().tx_packets, 0);
    /// # Ok(()) }
    /// ```
    pub fn device_counters(&self) -> DeviceCounters {
        self.shard.device_counters()
    }

    /// A setting as text, by its Linux name.
    ///
    /// # Errors
    /// `InvalidInput` when there is none of that name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert_eq!(net.sysctl("net.ipv4.tcp_congestion_control")?, "cubic");
    /// # Ok(()) }
    /// ```
    pub fn sysctl(&self, name: &str) -> io::Result<String> {
        self.shard.core().stack.sysctl().get(name).map_err(|error| invalid(error.to_string()))
    }

    /// Changes a setting while everything runs.
    ///
    /// # Errors
    /// `InvalidInput` with a sentence that says what is allowed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// net.set_sysctl("tcp_fin_timeout", "10")?;
    /// assert!(net.set_sysctl("tcp_sack", "maybe").is_err());
    /// # Ok(()) }
    /// ```
    pub fn set_sysctl(&self, name: &str, value: &str) -> io::Result<()> {
        self.shard.core().stack.sysctl_mut().set(name, value).map_err(|error| invalid(error.to_string()))
    }

    /// How many sockets there are, those included that nobody holds any more but that still deliver.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let _listener = net.bind("10.0.0.1:80").await?;
    /// assert_eq!(net.sockets(), 1);
    /// # Ok(()) }
    /// ```
    pub fn sockets(&self) -> usize {
        self.shard.core().stack.sockets()
    }

    /// Waits until no socket is left: everything was closed, and what was written before has been delivered
    /// or given up. A program calls it before its runtime ends, because there is no kernel to do the rest.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = right.bind("10.0.0.2:80").await?;
    /// let mut client = left.connect("10.0.0.2:80").await?;
    /// client.write_all(b"farewell").await?;
    /// drop(client);
    /// let (mut server, _) = listener.accept().await?;
    /// let mut text = String::new();
    /// server.read_to_string(&mut text).await?;
    /// drop(server);
    /// left.idle().await;
    /// assert_eq!(left.sockets(), 0);
    /// # Ok(()) }
    /// ```
    pub async fn idle(&self) {
        poll_fn(|cx| {
            let mut core = self.shard.core();
            if core.down.is_some() || core.stack.sockets() == 0 {
                return Poll::Ready(());
            }
            if !core.idle.iter().any(|waker| waker.will_wake(cx.waker())) {
                core.idle.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Resets every connection and closes every listener at once. The netstack goes on and can be used
    /// again. Streams that are still held report `ECONNABORTED`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = right.bind("10.0.0.2:80").await?;
    /// let client = left.connect("10.0.0.2:80").await?;
    /// left.close_all();
    /// let error = client.try_write(b"too late").unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    /// # Ok(()) }
    /// ```
    pub fn close_all(&self) {
        let mut waiting = crate::waiters::WakeList::new();
        self.shard.act(|core, now| {
            core.stack.close_all(now);
            core.waiters.collect_all(&mut waiting);
        });
        crate::waiters::wake_all(&mut waiting);
    }

    /// Ends the netstack: resets what is open, sends the last packets and gives up the device. Every
    /// later call reports that the network is down (`ENETDOWN`).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// net.shutdown().await;
    /// let error = net.bind("10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NetworkDown);
    /// # Ok(()) }
    /// ```
    pub async fn shutdown(&self) {
        self.shard.core().stopping = true;
        self.shard.wake_driver();
        self.shard.ended().await;
    }
}

impl fmt::Debug for Netstack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut core = self.shard.core();
        let addresses: Vec<_> = core.stack.interfaces().routes().addresses().to_vec();
        f.debug_struct("Netstack").field("addresses", &addresses).field("stack", &core.stack).finish()
    }
}
