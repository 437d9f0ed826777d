//! A connection with the interface of `tokio::net::TcpStream`.

use crate::addr::ToSocketAddrs;
use crate::error::invalid;
use crate::handle::Handle;
use crate::netstack::Netstack;
use crate::socket::TcpSocket;
use crate::split::{ReadHalf, WriteHalf, split};
use crate::split_owned::{OwnedReadHalf, OwnedWriteHalf, split_owned};
use crate::waiters::Direction;
use cauce_core::socket::Shutdown;
use cauce_core::socket::errno::Errno;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tokio::io::{Interest, Ready};

/// A TCP connection, with the methods of `tokio::net::TcpStream`.
///
/// Reading and writing is done with tokio's `AsyncReadExt` and `AsyncWriteExt`. Dropping a stream closes it:
/// what was written is still delivered, in the background, unless SO_LINGER says otherwise or unread bytes
/// are thrown away, which resets the connection. All methods are cancel-safe where tokio's are.
///
/// ```
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (mut client, mut server) = cauce::stream_pair().await?;
/// client.write_all(b"ping").await?;
/// client.shutdown().await?;
/// let mut text = String::new();
/// server.read_to_string(&mut text).await?;
/// assert_eq!(text, "ping");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TcpStream {
    pub(crate) handle: Handle,
}

impl TcpStream {
    /// Opens a connection to the first of the addresses that answers.
    ///
    /// Dropping the future gives the attempt up.
    ///
    /// # Errors
    /// The error of the last address: `ConnectionRefused`, `TimedOut` (after `tcp_syn_retries`),
    /// `NetworkUnreachable`, `HostUnreachable`, `AddrNotAvailable` when no port is left; `InvalidInput`
    /// without an address.
    ///
    /// ```
    /// use cauce::{TcpListener, TcpStream};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let _listener = TcpListener::bind(&right, "[fd00::2]:80").await?;
    /// let stream = TcpStream::connect(&left, "[fd00::2]:80").await?;
    /// let refused = TcpStream::connect(&left, "10.0.0.2:81").await.unwrap_err();
    /// assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    /// # Ok(()) }
    /// ```
    pub async fn connect(netstack: &Netstack, addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut error = None;
        for addr in addr.to_socket_addrs()? {
            match TcpSocket::for_addr(netstack, addr)?.connect(addr).await {
                Ok(stream) => return Ok(stream),
                Err(last) => error = Some(last),
            }
        }
        Err(error.unwrap_or_else(|| invalid("there is no address to connect to")))
    }

    /// The handshake's end, of a socket that has been told to connect.
    pub(crate) async fn finish_connect(handle: Handle, addr: SocketAddr) -> io::Result<TcpStream> {
        let connect = |socket: &mut cauce_core::socket::Socket<'_>, now| match socket.connect(now, addr) {
            Err(Errno::EINPROGRESS | Errno::EALREADY) => Err(Errno::EAGAIN),
            Err(Errno::EISCONN) => Ok(()),
            result => result,
        };
        handle.wait(Direction::Write, connect).await?;
        Ok(TcpStream { handle })
    }

    /// The address of this end. On a connection that [`TcpListener::bind_any`](crate::TcpListener::bind_any)
    /// took, it is the one that the peer wanted to reach.
    ///
    /// # Errors
    /// `ENETDOWN`, `ECONNABORTED` when the netstack was closed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// assert_eq!(client.local_addr()?, server.peer_addr()?);
    /// # Ok(()) }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.handle.local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// `NotConnected`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.peer_addr()?.ip().to_string(), "10.0.0.2");
    /// # Ok(()) }
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.handle.peer_addr()
    }

    /// The netstack that this connection belongs to.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.netstack().sockets(), 1);
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
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(client.take_error()?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }

    /// Waits until one of the conditions in `interest` holds, and says which. Cancel-safe; any number of
    /// tasks may wait.
    ///
    /// # Errors
    /// When the netstack is over. An error of the connection is a readiness, told by the next read or write.
    ///
    /// ```
    /// use tokio::io::Interest;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let ready = client.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(ready.is_writable() && !ready.is_readable());
    /// # Ok(()) }
    /// ```
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.handle.ready(interest).await
    }

    /// Waits until a read would not wait. Cancel-safe.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"x")?;
    /// server.readable().await?;
    /// assert_eq!(server.try_read(&mut [0; 8])?, 1);
    /// # Ok(()) }
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until a write would not wait. Cancel-safe.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.writable().await?;
    /// assert_eq!(client.try_write(b"abc")?, 3);
    /// # Ok(()) }
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for what [`TcpStream::readable`] waits for. Only the waker of the last call is kept.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"x")?;
    /// std::future::poll_fn(|cx| server.poll_read_ready(cx)).await?;
    /// # Ok(()) }
    /// ```
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.poll_ready(cx, Direction::Read)
    }

    /// Polls for what [`TcpStream::writable`] waits for. Only the waker of the last call is kept.
    ///
    /// # Errors
    /// As [`TcpStream::ready`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// std::future::poll_fn(|cx| client.poll_write_ready(cx)).await?;
    /// # Ok(()) }
    /// ```
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handle.poll_ready(cx, Direction::Write)
    }

    /// Runs `operation` if the socket is ready for it.
    ///
    /// # Errors
    /// `WouldBlock` when it is not, or what `operation` returns.
    ///
    /// ```
    /// use tokio::io::Interest;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let written = client.try_io(Interest::WRITABLE, || client.try_write(b"x"))?;
    /// # assert_eq!(written, 1); Ok(()) }
    /// ```
    pub fn try_io<R>(&self, interest: Interest, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.handle.try_io(interest, f)
    }

    /// Runs `operation` whenever the socket is ready for it, until it returns something else than
    /// `WouldBlock`.
    ///
    /// # Errors
    /// What `operation` returns.
    ///
    /// ```
    /// use tokio::io::Interest;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"x")?;
    /// let read = server.async_io(Interest::READABLE, || server.try_read(&mut [0; 1])).await?;
    /// # assert_eq!(read, 1); Ok(()) }
    /// ```
    pub async fn async_io<R>(&self, interest: Interest, f: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        self.handle.async_io(interest, f).await
    }

    /// Resets the connection at once, as closing with a linger time of zero does.
    ///
    /// ```
    /// use tokio::io::AsyncReadExt;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, mut server) = cauce::stream_pair().await?;
    /// client.abort();
    /// let error = server.read(&mut [0; 1]).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// # Ok(()) }
    /// ```
    pub fn abort(self) {
        // Only a netstack that is over refuses, and then there is nothing to reset.
        let _ = self.handle.call(|socket, now| socket.abort(now));
    }

    /// Splits the stream into two borrowed halves, for use in one task.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (_client, mut server) = cauce::stream_pair().await?;
    /// let (mut reader, mut writer) = server.split();
    /// # drop(_client);
    /// tokio::io::copy(&mut reader, &mut writer).await?;
    /// # Ok(()) }
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split(self)
    }

    /// Splits the stream into two halves that different tasks may own. Dropping the write half shuts the
    /// write direction down.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let (reader, writer) = client.into_split();
    /// let client = reader.reunite(writer).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split_owned(self)
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        self.handle.shutdown(Shutdown::Write)
    }
}
