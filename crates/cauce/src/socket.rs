//! A socket before it connects or listens, with the interface of `tokio::net::TcpSocket`.

use crate::handle::Handle;
use crate::listener::TcpListener;
use crate::netstack::Netstack;
use crate::stream::TcpStream;
use crate::waiters::Direction;
use cauce_core::socket::Family;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A socket whose options are set before it connects or listens, as `tokio::net::TcpSocket`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (left, right) = cauce::pair();
/// let _listener = right.bind("10.0.0.2:80").await?;
/// let socket = cauce::TcpSocket::new_v4(&left)?;
/// socket.set_recv_buffer_size(262144)?;
/// socket.bind("10.0.0.1:4000".parse().unwrap())?;
/// let stream = socket.connect("10.0.0.2:80".parse().unwrap()).await?;
/// assert_eq!(stream.local_addr()?.port(), 4000);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    pub(crate) handle: Handle,
}

impl TcpSocket {
    /// An IPv4 socket.
    ///
    /// # Errors
    /// `ENFILE` when the netstack has as many sockets as it may have, `ENETDOWN` when it is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (net, _peer) = cauce::pair();
    /// let socket = cauce::TcpSocket::new_v4(&net)?;
    /// # Ok(()) }
    /// ```
    pub fn new_v4(netstack: &Netstack) -> io::Result<TcpSocket> {
        Ok(TcpSocket { handle: Handle::open(&netstack.shard, Family::V4)? })
    }

    /// An IPv6 socket. It speaks IPv4 too, in mapped addresses, unless [`TcpSocket::set_only_v6`] is called.
    ///
    /// # Errors
    /// As [`TcpSocket::new_v4`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let (net, _peer) = cauce::pair();
    /// let socket = cauce::TcpSocket::new_v6(&net)?;
    /// # Ok(()) }
    /// ```
    pub fn new_v6(netstack: &Netstack) -> io::Result<TcpSocket> {
        Ok(TcpSocket { handle: Handle::open(&netstack.shard, Family::V6)? })
    }

    pub(crate) fn for_addr(netstack: &Netstack, addr: SocketAddr) -> io::Result<TcpSocket> {
        match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(netstack),
            SocketAddr::V6(_) => TcpSocket::new_v6(netstack),
        }
    }

    /// Binds to a local address and port; port 0 chooses one.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `InvalidInput` (`EINVAL`) when bound already, `EAFNOSUPPORT`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let socket = cauce::TcpSocket::new_v4(&net)?;
    /// let error = socket.bind("192.0.2.1:80".parse().unwrap()).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
    /// # Ok(()) }
    /// ```
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.handle.call(|socket, _| socket.bind(addr))
    }

    /// Connects. Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let _listener = right.bind("[fd00::2]:80").await?;
    /// let socket = cauce::TcpSocket::new_v6(&left)?;
    /// let stream = socket.connect("[fd00::2]:80".parse().unwrap()).await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::finish_connect(self.handle, addr).await
    }

    /// Connects with the beginning of `data` in the SYN, if the peer is known to take it (Fast Open, RFC 7413), and
    /// sends the rest behind the handshake. The first connection to a peer only asks for the cookie that later ones
    /// need. The peer may see the data of a SYN more than once, in several connections: it should be a request that
    /// does no harm when it is repeated.
    ///
    /// # Errors
    /// As [`TcpStream::connect`], and `Unsupported` (`EOPNOTSUPP`) unless `tcp_fastopen` has the bit 0x1.
    ///
    /// ```
    /// # use tokio::io::AsyncReadExt;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// right.set_sysctl("tcp_fastopen", "3")?;
    /// let socket = cauce::TcpSocket::new_v4(&right)?;
    /// socket.bind("10.0.0.2:80".parse().unwrap())?;
    /// socket.set_fast_open(16)?;
    /// let listener = socket.listen(16)?;
    /// for _ in 0..2 {
    ///     let socket = cauce::TcpSocket::new_v4(&left)?;
    ///     let _stream = socket.connect_with_data("10.0.0.2:80".parse().unwrap(), b"hello").await?;
    ///     let mut request = [0; 5];
    ///     listener.accept().await?.0.read_exact(&mut request).await?;
    ///     assert_eq!(&request, b"hello");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn connect_with_data(self, addr: SocketAddr, data: &[u8]) -> io::Result<TcpStream> {
        let taken = self.handle.call(|socket, now| match socket.connect_with_data(now, addr, data) {
            Err(Errno::EINPROGRESS) => Ok(0),
            result => result,
        })?;
        let stream = TcpStream::finish_connect(self.handle, addr).await?;
        let mut rest = &data[taken..];
        while !rest.is_empty() {
            let sent = stream.handle.wait(Direction::Write, |socket, now| socket.send(now, rest)).await?;
            rest = &rest[sent..];
        }
        Ok(stream)
    }

    /// Listens. `backlog` connections may wait to be accepted, at most `net.core.somaxconn`.
    ///
    /// # Errors
    /// `AddrInUse`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let socket = cauce::TcpSocket::new_v4(&net)?;
    /// socket.bind("10.0.0.1:80".parse().unwrap())?;
    /// let listener = socket.listen(16)?;
    /// # Ok(()) }
    /// ```
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.handle.call(|socket, _| socket.listen(backlog))?;
        Ok(TcpListener { handle: self.handle })
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) before it is bound.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let socket = cauce::TcpSocket::new_v4(&net)?;
    /// socket.bind("10.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok(()) }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.local_addr()
    }

    /// The netstack that it belongs to.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert_eq!(cauce::TcpSocket::new_v4(&net)?.netstack().sockets(), 1);
    /// # Ok(()) }
    /// ```
    pub fn netstack(&self) -> Netstack {
        Netstack { shard: self.handle.shard.clone() }
    }

    /// Takes the pending error away (SO_ERROR).
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert!(cauce::TcpSocket::new_v4(&net)?.take_error()?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }
}

/// Writes a pair of methods for an option.
macro_rules! options {
    ($(
        $(#[$get_doc:meta])* get $get:ident() -> $kind:ty = $read:expr;
        $(#[$set_doc:meta])* set $set:ident($value:ident) = $option:expr, example $example:literal;
    )*) => {
        impl TcpSocket {$(
            $(#[$get_doc])*
            ///
            /// # Errors
            /// When the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// let (net, _peer) = cauce::pair();
            /// let socket = cauce::TcpSocket::new_v6(&net)?;
            #[doc = concat!("println!(\"{:?}\", socket.", stringify!($get), "()?);")]
            /// # Ok(()) }
            /// ```
            pub fn $get(&self) -> io::Result<$kind> {
                self.handle.options($read)
            }

            $(#[$set_doc])*
            ///
            /// # Errors
            /// `InvalidInput` (`EINVAL`) for a value that is not allowed.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// let (net, _peer) = cauce::pair();
            /// let socket = cauce::TcpSocket::new_v6(&net)?;
            #[doc = concat!("socket.", stringify!($set), "(", $example, ")?;")]
            /// # Ok(()) }
            /// ```
            pub fn $set(&self, $value: $kind) -> io::Result<()> {
                self.handle.set($option)
            }
        )*}
    };
}

options! {
    /// True when an idle peer will be probed (SO_KEEPALIVE).
    get keepalive() -> bool = |options, _| options.keepalive();
    /// Probes an idle peer (SO_KEEPALIVE).
    set set_keepalive(keepalive) = SocketOption::KeepAlive(keepalive), example "true";

    /// True when a port in TIME-WAIT may be bound (SO_REUSEADDR).
    get reuseaddr() -> bool = |options, _| options.reuseaddr();
    /// Allows to bind a port in TIME-WAIT (SO_REUSEADDR).
    set set_reuseaddr(reuseaddr) = SocketOption::ReuseAddr(reuseaddr), example "true";

    /// True when several sockets may share the port (SO_REUSEPORT).
    get reuseport() -> bool = |options, _| options.reuseport();
    /// Lets several sockets share the port (SO_REUSEPORT); each of them has to ask for it.
    set set_reuseport(reuseport) = SocketOption::ReusePort(reuseport), example "true";

    /// The size of the send buffer in bytes, twice what was set (SO_SNDBUF).
    get send_buffer_size() -> u32 = |options, _| options.send_buffer_size();
    /// Fixes the size of the send buffer in bytes (SO_SNDBUF), at most `net.core.wmem_max`. The engine
    /// doubles it, as Linux does, to have room for its own books.
    set set_send_buffer_size(size) = SocketOption::SendBuffer(buffer_size(size)), example "262144";

    /// The size of the receive buffer in bytes, twice what was set (SO_RCVBUF).
    get recv_buffer_size() -> u32 = |options, _| options.recv_buffer_size();
    /// Fixes the size of the receive buffer in bytes (SO_RCVBUF), at most `net.core.rmem_max`. The engine
    /// doubles it, as Linux does, to have room for its own books. Without it the buffer follows the peer.
    set set_recv_buffer_size(size) = SocketOption::RecvBuffer(buffer_size(size)), example "262144";

    /// How long a close waits for delivery (SO_LINGER).
    get linger() -> Option<Duration> = |options, _| options.linger();
    /// Sets SO_LINGER, in whole seconds; see [`TcpStream::set_linger`].
    set set_linger(linger) = SocketOption::Linger(linger), example "Some(std::time::Duration::ZERO)";

    /// True when small segments will be sent at once (TCP_NODELAY).
    get nodelay() -> bool = |options, _| options.nodelay();
    /// Sends small segments at once (TCP_NODELAY).
    set set_nodelay(nodelay) = SocketOption::NoDelay(nodelay), example "true";

    /// Type of service of IPv4 packets (IP_TOS), without the ECN bits.
    get tos_v4() -> u32 = |options, _| options.tos().into();
    /// Sets the type of service of IPv4 packets (IP_TOS); the ECN bits stay TCP's own.
    set set_tos_v4(tos) = SocketOption::Tos(tos as i32), example "0x20";

    /// Traffic class of IPv6 packets (IPV6_TCLASS), without the ECN bits.
    get tclass_v6() -> u32 = |options, _| options.tclass().into();
    /// Sets the traffic class of IPv6 packets (IPV6_TCLASS); the ECN bits stay TCP's own.
    set set_tclass_v6(tclass) = SocketOption::TrafficClass(i32::try_from(tclass).unwrap_or(i32::MAX)), example "0x20";

    /// True when an IPv6 socket speaks no IPv4 (IPV6_V6ONLY).
    get only_v6() -> bool = |options, _| options.only_v6();
    /// Makes an IPv6 socket speak no IPv4 (IPV6_V6ONLY); only before it is bound.
    set set_only_v6(only_v6) = SocketOption::V6Only(only_v6), example "true";

    /// Time to live, or hop limit, of the packets sent.
    get ttl() -> u32 = |options, sysctls| options.ttl(sysctls).into();
    /// Sets the time to live, or hop limit, 1 to 255.
    set set_ttl(ttl) = SocketOption::HopLimit(i32::try_from(ttl).unwrap_or(i32::MAX)), example "100";

    /// True when the socket may bind to addresses that are not the netstack's (IP_TRANSPARENT).
    get transparent() -> bool = |options, _| options.transparent();
    /// Lets the socket bind to addresses that are not the netstack's (IP_TRANSPARENT).
    set set_transparent(transparent) = SocketOption::Transparent(transparent), example "true";
}

impl TcpSocket {
    /// Makes closing reset the connection.
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// cauce::TcpSocket::new_v4(&net)?.set_zero_linger()?;
    /// # Ok(()) }
    /// ```
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }
}

fn buffer_size(size: u32) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
