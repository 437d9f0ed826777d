//! The errors that a socket has to tell: the pending one and the messages of its error queue.
//!
//! Which error a segment, a timer or an ICMP message leaves is decided where it happens; this room only hands it out.

use super::{Entry, Stack};
use crate::socket::SocketId;
use crate::socket::errno::Errno;
use crate::socket::error_queue::ErrorMessage;

impl Stack {
    /// True when a call would fail with an error that is pending; messages of the error queue fail none.
    pub(crate) fn has_error(&self, id: SocketId) -> bool {
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => conn.error.is_some(),
            Some(Entry::Listener(listener)) => listener.error.is_some(),
            Some(Entry::Idle(idle)) => idle.error.is_some(),
            None => true,
        }
    }

    /// True when a read would find no byte but an error: one that has read some before leaves it to the next.
    pub(crate) fn only_error_is_left(&self, id: SocketId) -> bool {
        self.connection(id).is_some_and(|conn| conn.stream_bytes() == 0 && conn.error.is_some())
    }

    /// The pending error, which is taken away, or else the soft one (SO_ERROR).
    pub(crate) fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        match self.sockets.get_mut(id) {
            Some(Entry::Connection(conn)) => conn.take_error().or_else(|| conn.soft_error.take()),
            Some(Entry::Idle(idle)) => idle.error.take(),
            Some(Entry::Listener(listener)) => listener.error.take(),
            None => None,
        }
    }

    /// Takes the oldest message of the error queue; those of a lost connection wait in its socket.
    pub(crate) fn take_message(&mut self, id: SocketId) -> Option<ErrorMessage> {
        let (messages, error) = match self.sockets.get_mut(id)? {
            Entry::Connection(conn) => (&mut conn.rare.as_mut()?.errors, &mut conn.error),
            Entry::Idle(idle) => (&mut idle.messages, &mut idle.error),
            Entry::Listener(_) => return None,
        };
        let (message, next) = messages.pop()?;
        if next.is_some() || message.is_icmp() {
            *error = next;
        }
        Some(message)
    }
}
