//! Borrowed halves of a stream, for reading and writing in one task.

use crate::stream::TcpStream;
use bytes::{BufMut, Bytes};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

/// The reading half of a stream, borrowed by [`TcpStream::split`].
///
/// ```
/// use tokio::io::AsyncReadExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (client, mut server) = cauce::stream_pair().await?;
/// client.try_write(b"x")?;
/// let (mut reader, _writer) = server.split();
/// assert_eq!(reader.read_u8().await?, b'x');
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of a stream, borrowed by [`TcpStream::split`]. Dropping it does nothing.
///
/// ```
/// use tokio::io::AsyncWriteExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (mut client, _server) = cauce::stream_pair().await?;
/// let (_reader, mut writer) = client.split();
/// writer.write_all(b"x").await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

pub(crate) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

/// The methods of a reading half. `$make` makes one named `reader` from `server`, in an example.
macro_rules! reading {
    ([$($generics:tt)*] $half:ty, $make:literal) => {
        impl<$($generics)*> $half {
            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            /// As [`TcpStream::peek`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            /// # client.try_write(b"x")?;
            #[doc = $make]
            /// assert_eq!(reader.peek(&mut [0; 8]).await?, 1);
            /// # Ok(()) }
            /// ```
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            ///
            /// # Errors
            /// As [`TcpStream::poll_peek`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            /// # client.try_write(b"x")?;
            #[doc = $make]
            /// let mut bytes = [0; 8];
            /// let mut buf = tokio::io::ReadBuf::new(&mut bytes);
            /// assert_eq!(std::future::poll_fn(|cx| reader.poll_peek(cx, &mut buf)).await?, 1);
            /// # Ok(()) }
            /// ```
            pub fn poll_peek(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
                self.0.poll_peek(cx, buf)
            }

            /// As [`TcpStream::readable`].
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            /// # client.try_write(b"x")?;
            #[doc = $make]
            /// reader.readable().await?;
            /// # Ok(()) }
            /// ```
            pub async fn readable(&self) -> io::Result<()> {
                self.0.readable().await
            }

            /// As [`TcpStream::try_read`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// assert!(reader.try_read(&mut [0; 8]).is_err());
            /// # Ok(()) }
            /// ```
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.0.try_read(buf)
            }

            /// As [`TcpStream::try_read_buf`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// assert!(reader.try_read_buf(&mut Vec::new()).is_err());
            /// # Ok(()) }
            /// ```
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.0.try_read_buf(buf)
            }

            /// As [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// let mut buf = [0; 8];
            /// assert!(reader.try_read_vectored(&mut [std::io::IoSliceMut::new(&mut buf)]).is_err());
            /// # Ok(()) }
            /// ```
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0.try_read_vectored(bufs)
            }

            /// As [`TcpStream::recv_bytes`].
            ///
            /// # Errors
            /// As [`TcpStream::recv_bytes`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (client, mut server) = cauce::stream_pair().await?;
            /// # client.try_write(b"x")?;
            #[doc = $make]
            /// assert_eq!(reader.recv_bytes(65536).await?, "x");
            /// # Ok(()) }
            /// ```
            pub async fn recv_bytes(&mut self, max: usize) -> io::Result<Bytes> {
                self.0.recv_bytes(max).await
            }
        }

        impl<$($generics)*> AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.0.poll_read_shared(cx, buf)
            }
        }
    };
}

/// The methods of a writing half. `$make` makes one named `writer` from `server`, in an example.
macro_rules! writing {
    ([$($generics:tt)*] $half:ty, $make:literal) => {
        impl<$($generics)*> $half {
            /// As [`TcpStream::writable`].
            ///
            /// # Errors
            /// As [`TcpStream::writable`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// writer.writable().await?;
            /// # Ok(()) }
            /// ```
            pub async fn writable(&self) -> io::Result<()> {
                self.0.writable().await
            }

            /// As [`TcpStream::try_write`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// assert_eq!(writer.try_write(b"abc")?, 3);
            /// # Ok(()) }
            /// ```
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.0.try_write(buf)
            }

            /// As [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// assert_eq!(writer.try_write_vectored(&[std::io::IoSlice::new(b"abc")])?, 3);
            /// # Ok(()) }
            /// ```
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.0.try_write_vectored(bufs)
            }

            /// As [`TcpStream::send_bytes`].
            ///
            /// # Errors
            /// As [`TcpStream::send_bytes`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// writer.send_bytes(bytes::Bytes::from_static(b"abc")).await?;
            /// # Ok(()) }
            /// ```
            pub async fn send_bytes(&mut self, data: Bytes) -> io::Result<()> {
                self.0.send_bytes(data).await
            }
        }

        impl<$($generics)*> AsyncWrite for $half {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.0.poll_write_shared(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_write_vectored_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.0.shutdown_write())
            }
        }
    };
}

/// What every half can do.
macro_rules! either {
    ([$($generics:tt)*] $half:ty, $make:literal) => {
        impl<$($generics)*> $half {
            /// As [`TcpStream::ready`].
            ///
            /// # Errors
            /// As [`TcpStream::ready`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// assert!(half.ready(tokio::io::Interest::WRITABLE).await?.is_writable());
            /// # Ok(()) }
            /// ```
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.0.ready(interest).await
            }

            /// As [`TcpStream::peer_addr`].
            ///
            /// # Errors
            /// As [`TcpStream::peer_addr`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// println!("{}", half.peer_addr()?);
            /// # Ok(()) }
            /// ```
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.0.peer_addr()
            }

            /// As [`TcpStream::local_addr`].
            ///
            /// # Errors
            /// As [`TcpStream::local_addr`].
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// # let (_client, mut server) = cauce::stream_pair().await?;
            #[doc = $make]
            /// println!("{}", half.local_addr()?);
            /// # Ok(()) }
            /// ```
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.0.local_addr()
            }
        }

        impl<$($generics)*> AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                &self.0
            }
        }
    };
}

pub(crate) use {either, reading, writing};

reading!(['a] ReadHalf<'a>, "let (mut reader, _writer) = server.split();");
writing!(['a] WriteHalf<'a>, "let (_reader, mut writer) = server.split();");
either!(['a] ReadHalf<'a>, "let (half, _writer) = server.split();");
either!(['a] WriteHalf<'a>, "let (_reader, half) = server.split();");
