//! Moving bytes over a connection: with and without waiting, with and without a copy.

use crate::stream::TcpStream;
use crate::transfer;
use crate::waiters::Direction;
use bytes::{BufMut, Bytes};
use cauce_core::socket::SendFlags;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl TcpStream {
    /// Reads what is there; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, `ConnectionReset` and the other errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let error = client.try_read(&mut [0; 8]).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok(()) }
    /// ```
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.recv(now, buf))
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    ///
    /// ```
    /// use std::io::IoSliceMut;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abcd")?;
    /// server.readable().await?;
    /// let (mut first, mut second) = ([0; 1], [0; 8]);
    /// let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    /// assert_eq!(server.try_read_vectored(&mut bufs)?, 4);
    /// assert_eq!(&second[..3], b"bcd");
    /// # Ok(()) }
    /// ```
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.handle.call(|socket, now| transfer::recv_vectored(socket, now, bufs))
    }

    /// Appends what is there to a buffer, as far as it has room.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abcd")?;
    /// server.readable().await?;
    /// let mut buf = Vec::with_capacity(64);
    /// server.try_read_buf(&mut buf)?;
    /// assert_eq!(buf, b"abcd");
    /// # Ok(()) }
    /// ```
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.handle.call(|socket, now| transfer::recv_buf_mut(socket, now, buf))
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when the send buffer is full, `BrokenPipe` after a shutdown, `ConnectionReset` and the
    /// other errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.try_write(b"hello")?, 5);
    /// # Ok(()) }
    /// ```
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.send(now, buf))
    }

    /// Writes several buffers as if they were one, as much as there is room for.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    ///
    /// ```
    /// use std::io::IoSlice;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.try_write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"body")])?, 8);
    /// # Ok(()) }
    /// ```
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.handle.call(|socket, now| transfer::send_vectored(socket, now, bufs))
    }

    /// Waits for bytes and reads them without taking them away. Cancel-safe; any number of tasks may wait.
    ///
    /// # Errors
    /// The errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// let mut buf = [0; 2];
    /// assert_eq!(server.peek(&mut buf).await?, 2);
    /// assert_eq!(server.peek(&mut buf).await?, 2);
    /// assert_eq!(&buf, b"ab");
    /// # Ok(()) }
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.handle.wait(Direction::Read, |socket, now| socket.peek(now, buf)).await
    }

    /// Polls for bytes and copies them without taking them away. Only the waker of the last call is kept.
    ///
    /// # Errors
    /// The errors of the connection.
    ///
    /// ```
    /// use tokio::io::ReadBuf;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// let mut bytes = [0; 8];
    /// let mut buf = ReadBuf::new(&mut bytes);
    /// assert_eq!(std::future::poll_fn(|cx| server.poll_peek(cx, &mut buf)).await?, 3);
    /// # Ok(()) }
    /// ```
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.handle.poll_call(cx, Direction::Read, |socket, now| transfer::peek_buf(socket, now, buf))
    }

    /// Sends all of `data` without copying it: the engine shares it until the peer has acknowledged it.
    ///
    /// Not cancel-safe: a part may have been taken. With [`TcpStream::try_send_bytes`] the caller sees what.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`], but it waits for room.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tokio::io::AsyncReadExt;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, mut server) = cauce::stream_pair().await?;
    /// client.send_bytes(Bytes::from_static(b"not copied")).await?;
    /// let mut bytes = [0; 10];
    /// server.read_exact(&mut bytes).await?;
    /// assert_eq!(&bytes, b"not copied");
    /// # Ok(()) }
    /// ```
    pub async fn send_bytes(&self, data: Bytes) -> io::Result<()> {
        self.send_all(data, SendFlags::default()).await
    }

    /// Takes what there is room for from the front of `data`, without copying it. Returns how many bytes.
    ///
    /// # Errors
    /// As [`TcpStream::try_write`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let mut data = bytes::Bytes::from_static(b"abc");
    /// client.try_send_bytes(&mut data)?;
    /// assert!(data.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn try_send_bytes(&self, data: &mut Bytes) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.send_bytes(now, data))
    }

    /// Waits for bytes and takes the next run of them without a copy, at most `max`; empty at the end of
    /// the stream. Cancel-safe.
    ///
    /// # Errors
    /// The errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// assert_eq!(server.recv_bytes(65536).await?, "abc");
    /// # Ok(()) }
    /// ```
    pub async fn recv_bytes(&self, max: usize) -> io::Result<Bytes> {
        self.handle.wait(Direction::Read, |socket, now| socket.recv_bytes(now, max)).await
    }

    /// Takes the next run of bytes that is there without a copy; empty at the end of the stream.
    ///
    /// # Errors
    /// As [`TcpStream::try_read`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// server.readable().await?;
    /// assert_eq!(server.try_recv_bytes(65536)?, "abc");
    /// # Ok(()) }
    /// ```
    pub fn try_recv_bytes(&self, max: usize) -> io::Result<Bytes> {
        self.handle.call(|socket, now| socket.recv_bytes(now, max))
    }

    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.handle
            .poll_call(cx, Direction::Read, |socket, now| transfer::recv_buf(socket, now, buf).map(drop))
    }

    pub(crate) fn poll_write_shared(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.handle.poll_call(cx, Direction::Write, |socket, now| socket.send(now, buf))
    }

    pub(crate) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handle.poll_call(cx, Direction::Write, |socket, now| transfer::send_vectored(socket, now, bufs))
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_read_shared(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_shared(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_write())
    }
}
