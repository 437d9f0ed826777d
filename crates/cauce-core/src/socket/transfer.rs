//! Writes and reads with flags, the error queue, and what a read tells beside its bytes.

use super::error_queue::ErrorMessage;
use super::options::rare_flag;
use super::{SendFlags, Socket};
use crate::connection::flag;
use crate::socket::errno::Errno;
use crate::time::Instant;
use bytes::Bytes;

impl Socket<'_> {
    /// Copies bytes into the send buffer and marks them as `flags` say. Returns how many it took. The marks of
    /// [`SendFlags::end_of_record`] count only when all were taken.
    ///
    /// # Errors
    /// `EAGAIN` when the buffer is full, `EPIPE`, or the connection's error.
    pub fn send_with(&mut self, now: Instant, data: &[u8], flags: SendFlags) -> Result<usize, Errno> {
        self.stack.with_connection(self.id, now, Errno::EPIPE, |conn, cx| conn.send(data, flags, false, cx))
    }

    /// Takes bytes over without a copy, as far as there is room; the rest stays in `data`. With
    /// [`SendFlags::zero_copy`] a notice tells when the stack and its devices have let them go.
    ///
    /// # Errors
    /// As [`Socket::send_with`].
    pub fn send_bytes_with(
        &mut self,
        now: Instant,
        data: &mut Bytes,
        flags: SendFlags,
    ) -> Result<usize, Errno> {
        self.stack.with_connection(self.id, now, Errno::EPIPE, |conn, cx| conn.send_bytes(data, flags, cx))
    }

    /// Takes the oldest message of the error queue (MSG_ERRQUEUE): ICMP errors, time stamps of sent bytes,
    /// zero-copy sends that are through. While there is one, the socket is ready with
    /// [`Readiness::ERR`](super::readiness::Readiness::ERR). Reading an ICMP error takes its pending error
    /// away too.
    pub fn recv_error(&mut self) -> Option<ErrorMessage> {
        self.stack.take_message(self.id)
    }

    /// True when the next byte to read is the urgent one, or the first after it (SIOCATMARK; A-12).
    pub fn at_mark(&self) -> bool {
        self.stack.connection(self.id).is_some_and(|conn| conn.at_mark())
    }

    /// True once for each new urgent pointer of the peer: SIGURG is due to the socket's owner.
    /// An event tells when to ask.
    pub fn take_urgent_notice(&mut self) -> bool {
        self.stack.connection_mut(self.id).is_some_and(|conn| conn.take_urgent_notice())
    }

    /// What TCP_INQ tells after a read: the bytes left, at least 1 once the peer has closed, so that the user
    /// reads on to the end; `None` while the option is off (O-22).
    pub fn inq(&self) -> Option<u32> {
        let conn = self.stack.connection(self.id).filter(|conn| conn.options.has_rare(rare_flag::INQ))?;
        let left = u32::try_from(conn.recv.readable()).unwrap_or(u32::MAX);
        Some(if left == 0 && conn.has(flag::FIN_RECEIVED) { 1 } else { left })
    }

    /// When the newest byte of the last read arrived, while SO_TIMESTAMP, SO_TIMESTAMPNS or RX_SOFTWARE asks.
    pub fn read_stamp(&self) -> Option<Instant> {
        self.stack.connection(self.id).and_then(|conn| conn.read_stamp())
    }
}
