//! Writes and reads with the flags of send(2) and recvmsg(2) (REQUIREMENTS A-13 to A-19, A-42).
//!
//! Every method has a twin that does not wait (`try_`, as MSG_DONTWAIT). MSG_NOSIGNAL needs no name: nothing here
//! raises a signal.

use crate::stream::TcpStream;
use crate::waiters::Direction;
use bytes::Bytes;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{ReadFlags, SendFlags, Socket};
use cauce_core::time::Instant;
use std::io;

/// How a read treats the bytes that it finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecvFlags {
    /// Leave the bytes in the queue (MSG_PEEK).
    pub peek: bool,
    /// Throw the bytes away, as many as the buffer is long, and leave the buffer alone (MSG_TRUNC).
    pub discard: bool,
    /// Read the urgent byte (MSG_OOB). Such a read never waits; see [`TcpStream::recv_urgent`].
    pub out_of_band: bool,
    /// Wait until the buffer is full (MSG_WAITALL). An urgent mark, the end of the stream and an error end it early.
    pub wait_all: bool,
}

impl RecvFlags {
    fn engine(self) -> ReadFlags {
        ReadFlags { peek: self.peek, discard: self.discard, out_of_band: self.out_of_band }
    }
}

/// What a read tells, as recvmsg(2) with its control messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes were read; 0 is the end of the stream.
    pub bytes: usize,
    /// How many bytes are left to read, at least 1 before the end of a stream that the peer has closed
    /// ([`TcpStream::set_inq`]).
    pub left: Option<u32>,
    /// When the newest of the bytes arrived, by the clock of [`Netstack::now`](crate::Netstack::now)
    /// ([`TcpStream::set_recv_timestamps`], [`TcpStream::set_timestamping`]).
    pub arrived: Option<Instant>,
}

impl Received {
    fn of(socket: &Socket<'_>, bytes: usize) -> Received {
        Received { bytes, left: socket.inq(), arrived: socket.read_stamp() }
    }
}

impl TcpStream {
    /// Waits for room and writes as much of `buf` as it finds, marked as `flags` say. Returns how much. Cancel-safe.
    ///
    /// What ends a record ([`SendFlags::end_of_record`]) is marked when all of `buf` was taken. To send urgent bytes,
    /// [`TcpStream::send_urgent`] is simpler.
    ///
    /// # Errors
    /// As [`TcpStream::try_send_with`], but it waits for room.
    ///
    /// ```
    /// use cauce::SendFlags;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.send_with(b"head and ", SendFlags { more: true, ..SendFlags::default() }).await?;
    /// assert_eq!(client.bytes_to_send()?, 9, "they wait for what follows, 200 ms at most");
    /// client.send_with(b"body", SendFlags::default()).await?;
    /// assert_eq!(server.recv_bytes(64).await?, "head and body");
    /// # Ok(()) }
    /// ```
    pub async fn send_with(&self, buf: &[u8], flags: SendFlags) -> io::Result<usize> {
        self.handle.wait(Direction::Write, |socket, now| socket.send_with(now, buf, flags)).await
    }

    /// Writes as much of `buf` as there is room for, marked as `flags` say.
    ///
    /// # Errors
    /// `WouldBlock` (`EAGAIN`) when the send buffer is full, `BrokenPipe` (`EPIPE`) after a shutdown, `ConnectionReset`
    /// and the other errors of the connection. `EINPROGRESS` when the write has only begun to open the connection
    /// ([`TcpSocket::set_fast_open_connect`](crate::TcpSocket::set_fast_open_connect)): it is to be made again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let flags = cauce::SendFlags { end_of_record: true, ..Default::default() };
    /// assert_eq!(client.try_send_with(b"a record", flags)?, 8);
    /// # Ok(()) }
    /// ```
    pub fn try_send_with(&self, buf: &[u8], flags: SendFlags) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.send_with(now, buf, flags))
    }

    /// Waits for room and takes what it finds from the front of `data`, without a copy, marked as `flags` say. Returns
    /// how many bytes. Cancel-safe.
    ///
    /// With [`SendFlags::zero_copy`] and [`TcpStream::set_zero_copy`] each call that returns a count is one send, and a
    /// notice of [`TcpStream::recv_error`] tells when the engine and its device have let its bytes go (MSG_ZEROCOPY).
    ///
    /// # Errors
    /// As [`TcpStream::try_send_with`], but it waits for room.
    ///
    /// ```
    /// use cauce::{ErrorOrigin, SendFlags};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_zero_copy(true)?;
    /// let mut data = bytes::Bytes::from(vec![7; 10_000]);
    /// client.send_bytes_with(&mut data, SendFlags { zero_copy: true, ..SendFlags::default() }).await?;
    /// let notice = client.recv_error().await?;
    /// assert_eq!((notice.origin, notice.info, notice.data), (ErrorOrigin::ZeroCopy, 0, 0), "send 0 is through");
    /// # Ok(()) }
    /// ```
    pub async fn send_bytes_with(&self, data: &mut Bytes, flags: SendFlags) -> io::Result<usize> {
        self.handle.wait(Direction::Write, |socket, now| socket.send_bytes_with(now, data, flags)).await
    }

    /// Takes what there is room for from the front of `data`, without a copy, marked as `flags` say.
    ///
    /// # Errors
    /// As [`TcpStream::try_send_with`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// let mut data = bytes::Bytes::from_static(b"abc");
    /// assert_eq!(client.try_send_bytes_with(&mut data, cauce::SendFlags::default())?, 3);
    /// # Ok(()) }
    /// ```
    pub fn try_send_bytes_with(&self, data: &mut Bytes, flags: SendFlags) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.send_bytes_with(now, data, flags))
    }

    /// Waits for bytes and reads as `flags` say. Cancel-safe without [`RecvFlags::wait_all`].
    ///
    /// # Errors
    /// `ConnectionReset` and the other errors of the connection, each told once; after some bytes of a
    /// [`RecvFlags::wait_all`] by the next read. Those of [`TcpStream::try_recv_urgent`] with
    /// [`RecvFlags::out_of_band`].
    ///
    /// ```
    /// use cauce::RecvFlags;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// let mut buf = [0; 6];
    /// let peek = RecvFlags { peek: true, ..RecvFlags::default() };
    /// assert_eq!(server.recv_with(&mut buf, peek).await?.bytes, 3);
    /// client.try_write(b"def")?;
    /// let all = RecvFlags { wait_all: true, ..RecvFlags::default() };
    /// assert_eq!(server.recv_with(&mut buf, all).await?.bytes, 6);
    /// # Ok(()) }
    /// ```
    pub async fn recv_with(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<Received> {
        if flags.out_of_band {
            return self.try_recv_with(buf, flags);
        }
        let mut done = 0;
        let read = |socket: &mut Socket<'_>, now| -> Result<Received, Errno> {
            let bytes = if flags.wait_all {
                socket.recv_all(now, buf, flags.engine(), &mut done)?
            } else {
                socket.recv_with(now, buf, flags.engine())?
            };
            Ok(Received::of(socket, bytes))
        };
        self.handle.wait(Direction::Read, read).await
    }

    /// Reads what is there as `flags` say; [`RecvFlags::wait_all`] changes nothing.
    ///
    /// # Errors
    /// `WouldBlock` (`EAGAIN`) when nothing is there, and those of [`TcpStream::recv_with`].
    ///
    /// ```
    /// use cauce::RecvFlags;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// server.set_inq(true)?;
    /// client.try_write(b"abcdef")?;
    /// server.readable().await?;
    /// let received = server.try_recv_with(&mut [0; 4], RecvFlags::default())?;
    /// assert_eq!((received.bytes, received.left), (4, Some(2)));
    /// # Ok(()) }
    /// ```
    pub fn try_recv_with(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<Received> {
        self.handle.call(|socket, now| {
            let bytes = socket.recv_with(now, buf, flags.engine())?;
            Ok(Received::of(socket, bytes))
        })
    }

    /// Waits for bytes and throws away at most `max` of them (MSG_TRUNC). Returns how many; 0 is the end of the stream.
    /// Cancel-safe.
    ///
    /// # Errors
    /// The errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"unwanted, wanted")?;
    /// assert_eq!(server.discard(10).await?, 10);
    /// assert_eq!(server.recv_bytes(64).await?, "wanted");
    /// # Ok(()) }
    /// ```
    pub async fn discard(&self, max: usize) -> io::Result<usize> {
        let flags = ReadFlags { discard: true, ..ReadFlags::default() };
        self.handle.wait(Direction::Read, |socket, now| socket.recv_into(now, max, flags, &mut |_| 0)).await
    }
}
