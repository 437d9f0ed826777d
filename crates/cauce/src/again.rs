//! Sockets that change what they are: connecting step by step, dissolving a connection, listening again (REQUIREMENTS
//! A-24, A-26, A-27, A-32).

use crate::handle::Handle;
use crate::listener::TcpListener;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::socket::Shutdown;
use std::io;
use std::net::SocketAddr;
use tokio::io::{Interest, Ready};

/// The socket as it was before it connected or listened (A-27).
fn dissolved(handle: Handle) -> io::Result<TcpSocket> {
    handle.call(|socket, now| socket.disconnect(now))?;
    Ok(TcpSocket { handle })
}

impl TcpSocket {
    /// Begins to connect, or tells how it went, without waiting, as connect(2) of a socket that does not block.
    /// [`TcpSocket::connect`] to the same address goes on from there.
    ///
    /// # Errors
    /// `EINPROGRESS` when the handshake has begun, `EALREADY` while it lasts, `EISCONN` once success was told, and
    /// those of [`TcpStream::connect`](TcpStream::connect).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let _listener = right.bind("10.0.0.2:80").await?;
    /// let (socket, peer) = (cauce::TcpSocket::new_v4(&left)?, "10.0.0.2:80".parse().unwrap());
    /// assert_eq!(socket.try_connect(peer).unwrap_err().raw_os_error(), Some(115), "EINPROGRESS");
    /// let stream = socket.connect(peer).await?;
    /// # Ok(()) }
    /// ```
    pub fn try_connect(&self, addr: SocketAddr) -> io::Result<()> {
        self.handle.call(|socket, now| socket.connect(now, addr))
    }

    /// Waits until one of the conditions in `interest` holds, and says which: of a socket that is connecting.
    /// Cancel-safe.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// use tokio::io::Interest;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, _right) = cauce::pair();
    /// let (socket, peer) = (cauce::TcpSocket::new_v4(&left)?, "10.0.0.2:9".parse().unwrap());
    /// let _ = socket.try_connect(peer);
    /// assert!(socket.ready(Interest::ERROR).await?.is_error());
    /// assert_eq!(socket.try_connect(peer).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    /// # Ok(()) }
    /// ```
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.handle.ready(interest).await
    }
}

impl TcpStream {
    /// Dissolves the connection and keeps the socket, with its options and what it was bound to, as connect(2) to
    /// AF_UNSPEC does. The peer gets a reset, unless both ends have closed.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use tokio::io::AsyncReadExt;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, mut server) = cauce::stream_pair().await?;
    /// let socket = client.disconnect()?;
    /// assert_eq!(server.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    /// assert!(socket.local_addr().is_err(), "it was not bound");
    /// # Ok(()) }
    /// ```
    pub fn disconnect(self) -> io::Result<TcpSocket> {
        dissolved(self.handle)
    }

    /// Closes one direction or both, as shutdown(2). `AsyncWriteExt::shutdown` is `Shutdown::Write`.
    ///
    /// # Errors
    /// `NotConnected` (`ENOTCONN`) when the connection is over.
    ///
    /// ```
    /// use std::net::Shutdown;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.shutdown_with(Shutdown::Both)?;
    /// assert!(server.recv_bytes(64).await?.is_empty());
    /// assert_eq!(client.try_read(&mut [0; 8])?, 0);
    /// # Ok(()) }
    /// ```
    pub fn shutdown_with(&self, how: std::net::Shutdown) -> io::Result<()> {
        let how = match how {
            std::net::Shutdown::Read => Shutdown::Read,
            std::net::Shutdown::Write => Shutdown::Write,
            std::net::Shutdown::Both => Shutdown::Both,
        };
        self.handle.call(|socket, now| socket.shutdown(now, how))
    }
}

impl TcpListener {
    /// Changes how many connections may wait to be accepted, at most `net.core.somaxconn`: listen(2), again.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// let listener = net.bind("10.0.0.1:80").await?;
    /// listener.set_backlog(5)?;
    /// assert_eq!(listener.tcp_info()?.sacked, 5);
    /// # Ok(()) }
    /// ```
    pub fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        self.handle.call(|socket, _| socket.listen(backlog))
    }

    /// Stops listening and keeps the socket, with its options and what it was bound to: it may connect, or listen
    /// again. Connections that wait to be accepted are reset.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let socket = right.bind("10.0.0.2:80").await?.disconnect()?;
    /// assert!(left.connect("10.0.0.2:80").await.is_err());
    /// let _listener = socket.listen(16)?;
    /// left.connect("10.0.0.2:80").await?;
    /// # Ok(()) }
    /// ```
    pub fn disconnect(self) -> io::Result<TcpSocket> {
        dissolved(self.handle)
    }

    /// Takes the pending error away (SO_ERROR).
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (net, _peer) = cauce::pair();
    /// assert!(net.bind("10.0.0.1:80").await?.take_error()?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.handle.take_error()
    }
}
