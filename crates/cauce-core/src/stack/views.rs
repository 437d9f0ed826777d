//! What a face asks about one socket beside its calls.

use super::{Entry, Stack};
use crate::connection::flag;
use crate::socket::SocketId;
use crate::socket::errno::Errno;

impl Stack {
    /// Notes that somebody waits until this socket is writable.
    pub(crate) fn await_room(&mut self, id: SocketId) {
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
            conn.set(flag::WANTS_ROOM);
        }
    }

    /// True for a socket that listens.
    pub(crate) fn is_listener(&self, id: SocketId) -> bool {
        matches!(self.sockets.get(id), Some(Entry::Listener(_)))
    }

    /// The name of the congestion control that the socket uses, or will use.
    pub(crate) fn congestion(&self, id: SocketId) -> Result<&str, Errno> {
        let own = match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => return Ok(conn.cong.algorithm()),
            Some(Entry::Listener(listener)) => &listener.algorithm,
            Some(Entry::Idle(idle)) => &idle.algorithm,
            None => return Err(Errno::EBADF),
        };
        Ok(own.as_ref().unwrap_or(&self.shared.sysctl.tcp_congestion_control).as_str())
    }
}
