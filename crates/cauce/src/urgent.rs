//! Urgent data (RFC 9293 3.8.5; REQUIREMENTS A-01 to A-12, O-34).
//!
//! As on Linux, one urgent byte is outstanding at a time, out of the stream unless SO_OOBINLINE is set, and a newer one
//! makes the older an ordinary byte of the stream. `ready(Interest::PRIORITY)` waits for it beside other things.

use crate::stream::TcpStream;
use crate::waiters::Direction;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue};
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::{ReadFlags, SendFlags, Socket};
use cauce_core::time::Instant;
use std::io;

const URGENT: SendFlags =
    SendFlags { out_of_band: true, more: false, end_of_record: false, zero_copy: false, timestamping: None };

/// What ends a wait for urgent data: some, or the end of the stream.
const NEWS: Readiness =
    Readiness(Readiness::PRI.0 | Readiness::RDHUP.0 | Readiness::HUP.0 | Readiness::ERR.0);

/// Nothing more will arrive.
fn is_over(socket: &Socket<'_>) -> bool {
    socket.readiness().intersects(Readiness::RDHUP | Readiness::HUP)
}

/// The urgent byte, or why there is none.
fn fetch(socket: &mut Socket<'_>, now: Instant) -> Result<Option<u8>, Errno> {
    let mut byte = [0];
    let count = socket.recv_with(now, &mut byte, ReadFlags { out_of_band: true, ..ReadFlags::default() })?;
    Ok((count > 0).then_some(byte[0]))
}

/// As [`fetch`]; before there is any, it is worth waiting for.
fn await_byte(socket: &mut Socket<'_>, now: Instant) -> Result<Option<u8>, Errno> {
    match fetch(socket, now) {
        Err(Errno::EINVAL) if socket.option(now, OptionName::OobInline) != Ok(OptionValue::Int(0)) => {
            Err(Errno::EINVAL)
        }
        Err(Errno::EINVAL | Errno::EAGAIN | Errno::ENOTCONN) if is_over(socket) => Ok(None),
        Err(Errno::EINVAL) => Err(Errno::EAGAIN),
        other => other,
    }
}

impl TcpStream {
    /// Sends all of `data`; its last byte is urgent (MSG_OOB). The peer hears of it at once, even when its window is
    /// closed.
    ///
    /// Not cancel-safe: a part may have been taken.
    ///
    /// # Errors
    /// As [`TcpStream::try_send_urgent`], but it waits for room.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.send_urgent(b"stop!").await?;
    /// assert_eq!(server.recv_urgent().await?, Some(b'!'));
    /// assert_eq!(server.recv_bytes(64).await?, "stop");
    /// # Ok(()) }
    /// ```
    pub async fn send_urgent(&self, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        while !rest.is_empty() {
            let sent =
                self.handle.wait(Direction::Write, |socket, now| socket.send_with(now, rest, URGENT)).await?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// Sends as much of `data` as there is room for; the last byte that was taken is urgent (MSG_OOB).
    ///
    /// # Errors
    /// As [`TcpStream::try_write`](TcpStream::try_write): `WouldBlock`, `BrokenPipe`, and the errors of the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.try_send_urgent(b"!")?, 1);
    /// # Ok(()) }
    /// ```
    pub fn try_send_urgent(&self, data: &[u8]) -> io::Result<usize> {
        self.handle.call(|socket, now| socket.send_with(now, data, URGENT))
    }

    /// Waits for the peer's urgent byte and takes it (MSG_OOB); `None` when the stream has ended without one.
    /// Cancel-safe; any number of tasks may wait, and one of them gets it.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) while urgent bytes stay in the stream ([`TcpStream::set_oob_inline`]).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_send_urgent(b"!")?;
    /// assert_eq!(server.recv_urgent().await?, Some(b'!'));
    /// drop(client);
    /// assert_eq!(server.recv_urgent().await?, None);
    /// # Ok(()) }
    /// ```
    pub async fn recv_urgent(&self) -> io::Result<Option<u8>> {
        self.handle.wait_for(NEWS, await_byte).await
    }

    /// Takes the peer's urgent byte if it is there (MSG_OOB); `None` when the stream has ended before it came. A read
    /// of the stream that passes its place loses it.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) when the peer has sent none, it was taken, or it stays in the stream; `WouldBlock`
    /// (`EAGAIN`) when it was announced and has not arrived; `NotConnected` when the connection was lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (_client, server) = cauce::stream_pair().await?;
    /// assert_eq!(server.try_recv_urgent().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok(()) }
    /// ```
    pub fn try_recv_urgent(&self) -> io::Result<Option<u8>> {
        self.handle.call(fetch)
    }

    /// True when the next byte to read is the urgent one, or the first after it (SIOCATMARK). Reads stop at the mark.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_send_urgent(b"before!")?;
    /// client.try_write(b"after")?;
    /// while !server.at_mark()? {
    ///     server.discard(2).await?;
    /// }
    /// assert_eq!(server.recv_bytes(64).await?, "after");
    /// # Ok(()) }
    /// ```
    pub fn at_mark(&self) -> io::Result<bool> {
        self.handle.look(|socket| Ok(socket.at_mark()))
    }

    /// Waits until the peer announces an urgent byte, as SIGURG tells a process: once for each, and often before the
    /// byte is here. False when the stream has ended. Cancel-safe.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_send_urgent(b"!")?;
    /// assert!(server.urgent_notice().await?);
    /// # Ok(()) }
    /// ```
    pub async fn urgent_notice(&self) -> io::Result<bool> {
        let look = |socket: &mut Socket<'_>, _| match socket.take_urgent_notice() {
            true => Ok(true),
            false if is_over(socket) => Ok(false),
            false => Err(Errno::EAGAIN),
        };
        self.handle.wait_for(NEWS, look).await
    }
}
