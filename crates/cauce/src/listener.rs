//! A listening socket with the interface of `tokio::net::TcpListener`.

use crate::addr::ToSocketAddrs;
use crate::error::{invalid, io_error};
use crate::handle::Handle;
use crate::netstack::Netstack;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use crate::waiters::Direction;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, SocketId};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

/// Connections that may wait to be accepted, as tokio asks for.
const BACKLOG: u32 = 1024;

/// Listens for connections, with the methods of `tokio::net::TcpListener`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (left, right) = cauce::pair();
/// let listener = cauce::TcpListener::bind(&right, "0.0.0.0:80").await?;
/// let client = left.connect("10.0.0.2:80").await?;
/// let (server, peer) = listener.accept().await?;
/// assert_eq!(client.local_addr()?, peer);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    pub(crate) handle: Handle,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be bound. Port 0 chooses a port; `[::]` takes IPv4
    /// connections too. As tokio does, it sets SO_REUSEADDR.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable` (not an address of the netstack), `InvalidInput` without an address.
    ///
    /// ```
    /// use cauce::TcpListener;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = TcpListener::bind(&net, "10.0.0.1:80").await?;
    /// let taken = TcpListener::bind(&net, "10.0.0.1:80").await.unwrap_err();
    /// assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    /// # Ok(()) }
    /// ```
    pub async fn bind(netstack: &Netstack, addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let mut error = None;
        for addr in addr.to_socket_addrs()? {
            let socket = TcpSocket::for_addr(netstack, addr)?;
            socket.set_reuseaddr(true)?;
            match socket.bind(addr).and_then(|()| socket.listen(BACKLOG)) {
                Ok(listener) => return Ok(listener),
                Err(last) => error = Some(last),
            }
        }
        Err(error.unwrap_or_else(|| invalid("there is no address to bind")))
    }

    /// Listens on every port of every address, the netstack's own and all others, IPv4 and IPv6: what a
    /// transparent proxy does. The accepted stream's [`TcpStream::local_addr`] is the address that the peer
    /// wanted to reach. Listeners on a port of their own come first.
    ///
    /// From now on the netstack takes packets for every address.
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// use cauce::TcpListener;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = TcpListener::bind_any(&right).await?;
    /// let client = left.connect("198.51.100.7:443").await?;
    /// let (server, _peer) = listener.accept().await?;
    /// assert_eq!(server.local_addr()?, "198.51.100.7:443".parse().unwrap());
    /// # Ok(()) }
    /// ```
    pub async fn bind_any(netstack: &Netstack) -> io::Result<TcpListener> {
        let handle = Handle::open(&netstack.shard, Family::V6)?;
        handle.set(SocketOption::Transparent(true))?;
        handle.call(|socket, _| socket.listen_any(BACKLOG))?;
        handle.shard.call(|core, _| {
            core.stack.interfaces().accept_any_address(true);
            Ok(())
        })?;
        Ok(TcpListener { handle })
    }

    /// Waits for a connection. Cancel-safe: a connection that was not returned stays in the queue. Any
    /// number of tasks may wait.
    ///
    /// # Errors
    /// When the netstack is over, or has closed the listener (`EBADF`).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = right.bind("10.0.0.2:80").await?;
    /// let (client, server) = tokio::join!(left.connect("10.0.0.2:80"), listener.accept());
    /// # client?; server?; Ok(()) }
    /// ```
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let id = self
            .handle
            .wait(Direction::Read, |socket, now| socket.accept(now))
            .await
            .map_err(listener_closed)?;
        self.accepted(id)
    }

    /// Polls for a connection. Only the waker of the last call is kept.
    ///
    /// # Errors
    /// As [`TcpListener::accept`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = right.bind("10.0.0.2:80").await?;
    /// let client = left.connect("10.0.0.2:80").await?;
    /// let (server, peer) = std::future::poll_fn(|cx| listener.poll_accept(cx)).await?;
    /// # Ok(()) }
    /// ```
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let id = ready!(self.handle.poll_call(cx, Direction::Read, |socket, now| socket.accept(now)))
            .map_err(listener_closed)?;
        Poll::Ready(self.accepted(id))
    }

    fn accepted(&self, id: SocketId) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = TcpStream { handle: Handle { shard: self.handle.shard.clone(), id } };
        // A connection that was reset meanwhile is told like any other, and fails at its first use (A-25).
        let peer = stream.handle.look(|socket| socket.accepted_from())?;
        Ok((stream, peer))
    }

    /// The address it listens on; `[::]:0` for [`TcpListener::bind_any`].
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = net.bind("10.0.0.1:80").await?;
    /// assert_eq!(listener.local_addr()?.port(), 80);
    /// # Ok(()) }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.local_addr()
    }

    /// Time to live of the packets sent, also by the connections accepted.
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert_eq!(net.bind("10.0.0.1:80").await?.ttl()?, 64);
    /// # Ok(()) }
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.handle.options(|options, sysctls| options.ttl(sysctls).into())
    }

    /// Sets the time to live, 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) out of that range.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = net.bind("10.0.0.1:80").await?;
    /// listener.set_ttl(100)?;
    /// assert_eq!(listener.ttl()?, 100);
    /// # Ok(()) }
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.handle.set(SocketOption::HopLimit(i32::try_from(ttl).unwrap_or(i32::MAX)))
    }

    /// The netstack that it listens on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = net.bind("10.0.0.1:80").await?;
    /// assert_eq!(listener.netstack().sockets(), 1);
    /// # Ok(()) }
    /// ```
    pub fn netstack(&self) -> Netstack {
        Netstack { shard: self.handle.shard.clone() }
    }
}

/// Servers take `ECONNABORTED` for one bad connection and go on; a listener that is gone is not that.
fn listener_closed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::ConnectionAborted { io_error(Errno::EBADF) } else { error }
}
