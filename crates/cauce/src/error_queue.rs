//! The error queue (MSG_ERRQUEUE; REQUIREMENTS A-18, A-40 to A-42): ICMP errors with all that they say, zero-copy sends
//! whose bytes are free again, and the moments of sent bytes.

use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::connection::state::State;
use cauce_core::socket::Socket;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::error_queue::ErrorMessage;
use cauce_core::socket::readiness::Readiness;
use cauce_core::time::Instant;
use std::io;

/// The oldest message; `ENOTCONN` when none is left and none can come.
fn next(socket: &mut Socket<'_>, now: Instant) -> Result<ErrorMessage, Errno> {
    match socket.recv_error() {
        Some(message) => Ok(message),
        None if socket.tcp_info(now)?.state == State::Closed => Err(Errno::ENOTCONN),
        None => Err(Errno::EAGAIN),
    }
}

macro_rules! queue {
    ($($face:ident)*) => {$(
        impl $face {
            /// Waits for a message of the error queue and takes it. Cancel-safe; any number of tasks may wait.
            /// `ready(Interest::ERROR)` waits for one beside other things.
            ///
            /// The queue keeps `cauce.max_error_queue` messages; what comes beyond is lost. Taking an ICMP error takes
            /// its pending error away, so that no other call fails with it.
            ///
            /// # Errors
            /// `NotConnected` (`ENOTCONN`) when the queue is empty and the connection is over.
            ///
            /// ```
            /// use cauce::{SendFlags, Timestamping};
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// let (client, _server) = cauce::stream_pair().await?;
            /// client.set_timestamping(Timestamping::SOFTWARE | Timestamping::OPT_TSONLY)?;
            /// let stamp = SendFlags { timestamping: Some(Timestamping::TX_ACK), ..SendFlags::default() };
            /// client.send_with(b"when did this arrive?", stamp).await?;
            /// let message = client.recv_error().await?;
            /// assert_eq!(message.info, cauce::StampKind::Acknowledged as u32);
            /// assert!(message.timestamp.unwrap() <= client.netstack().now());
            /// # Ok(()) }
            /// ```
            pub async fn recv_error(&self) -> io::Result<ErrorMessage> {
                self.handle.wait_for(Readiness::ERR | Readiness::HUP, next).await
            }

            /// Takes the oldest message of the error queue.
            ///
            /// # Errors
            /// `WouldBlock` (`EAGAIN`) when there is none.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            /// let (client, _server) = cauce::stream_pair().await?;
            /// assert_eq!(client.try_recv_error().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
            /// # Ok(()) }
            /// ```
            pub fn try_recv_error(&self) -> io::Result<ErrorMessage> {
                self.handle.call(|socket, _| socket.recv_error().ok_or(Errno::EAGAIN))
            }
        }
    )*};
}

queue!(TcpSocket TcpStream);
