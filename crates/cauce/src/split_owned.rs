//! Halves of a stream that different tasks may own.

use crate::split::{either, reading, writing};
use crate::stream::TcpStream;
use bytes::{BufMut, Bytes};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

/// The reading half of a stream, from [`TcpStream::into_split`].
///
/// ```
/// use tokio::io::AsyncReadExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (client, server) = cauce::stream_pair().await?;
/// let (mut reader, _writer) = server.into_split();
/// let task = tokio::spawn(async move { reader.read_u8().await });
/// client.try_write(b"x")?;
/// assert_eq!(task.await??, b'x');
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of a stream, from [`TcpStream::into_split`]. Dropping it shuts the write direction down:
/// the peer reads the end of the stream.
///
/// ```
/// use tokio::io::AsyncReadExt;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (mut client, server) = cauce::stream_pair().await?;
/// let (_reader, writer) = server.into_split();
/// drop(writer);
/// assert_eq!(client.read(&mut [0; 8]).await?, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf(Arc<TcpStream>, bool);

pub(crate) fn split_owned(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(stream.clone()), OwnedWriteHalf(stream, true))
}

impl OwnedReadHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// Both halves, when they are not of one stream.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// let (reader, _writer) = client.into_split();
    /// let (_reader, writer) = server.into_split();
    /// assert!(reader.reunite(writer).is_err());
    /// # Ok(()) }
    /// ```
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// Both halves, when they are not of one stream.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let (reader, writer) = client.into_split();
    /// let client = writer.reunite(reader).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without shutting its direction down; that happens when the other half is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// let (_reader, writer) = client.into_split();
    /// writer.forget();
    /// assert!(server.try_read(&mut [0; 1]).is_err(), "the stream has not ended");
    /// # Ok(()) }
    /// ```
    pub fn forget(mut self) {
        self.1 = false;
    }
}

fn reunite(read: OwnedReadHalf, mut write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.0, &write.0) {
        return Err(ReuniteError(read, write));
    }
    write.1 = false;
    drop(write);
    // The two halves are all that there is of a split stream, and one has just gone.
    Ok(Arc::try_unwrap(read.0).expect("no one else holds the stream"))
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.1 {
            // A connection that is over has nothing left to shut down.
            let _ = self.0.shutdown_write();
        }
    }
}

/// Two halves that are not of one stream; both are given back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (client, server) = cauce::stream_pair().await?;
/// let error = client.into_split().0.reunite(server.into_split().1).unwrap_err();
/// assert!(error.to_string().contains("not from the same"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not from the same stream")
    }
}

impl std::error::Error for ReuniteError {}

reading!([] OwnedReadHalf, "let (mut reader, _writer) = server.into_split();");
writing!([] OwnedWriteHalf, "let (_reader, mut writer) = server.into_split();");
either!([] OwnedReadHalf, "let (half, _writer) = server.into_split();");
either!([] OwnedWriteHalf, "let (_reader, half) = server.into_split();");
