//! Connections whose handshake is complete and that no `accept` has taken yet.
//!
//! First completed, first accepted: half-open connections are not visible here. It holds one more
//! than the backlog, as Linux does; who does not fit is turned away by the listener, never silently
//! replaced.

use crate::socket::SocketId;
use alloc::collections::VecDeque;

/// The accept queue of one listener.
#[derive(Clone, Debug, Default)]
pub struct AcceptQueue {
    ready: VecDeque<SocketId>,
    backlog: u32,
}

impl AcceptQueue {
    /// An empty queue for `listen(backlog)`.
    pub fn new(backlog: u32) -> Self {
        AcceptQueue { ready: VecDeque::new(), backlog }
    }

    /// Changes the backlog, as a second `listen` does. Connections that wait already stay.
    pub fn set_backlog(&mut self, backlog: u32) {
        self.backlog = backlog;
    }

    /// The backlog.
    pub fn backlog(&self) -> u32 {
        self.backlog
    }

    /// True when the next completed handshake does not fit (`ListenOverflows`).
    pub fn is_full(&self) -> bool {
        self.ready.len() > self.backlog as usize
    }

    /// Appends a completed connection. False, and nothing changes, when the queue is full.
    #[must_use]
    pub fn push(&mut self, id: SocketId) -> bool {
        let fits = !self.is_full();
        if fits {
            self.ready.push_back(id);
        }
        fits
    }

    /// Takes the connection that has waited longest.
    pub fn pop(&mut self) -> Option<SocketId> {
        self.ready.pop_front()
    }

    /// Gives back a connection that `accept` could not hand over (no descriptor, A-51): it is the next again.
    pub fn unpop(&mut self, id: SocketId) {
        self.ready.push_front(id);
    }

    /// Forgets a connection that died before anybody accepted it. True if it was here.
    pub fn remove(&mut self, id: SocketId) -> bool {
        let before = self.ready.len();
        self.ready.retain(|waiting| *waiting != id);
        before != self.ready.len()
    }

    /// Connections that wait: `tcpi_unacked` of a listener.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// True when `accept` would have to wait.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Empties the queue, for a listener that closes: what is left must be reset.
    pub fn drain(&mut self) -> impl Iterator<Item = SocketId> + '_ {
        self.ready.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::vec::Vec;

    /// backlog 2 holds 3. A-49: completion order.
    #[test]
    fn backlog_and_order() {
        let mut sockets: SlotMap<SocketId, ()> = SlotMap::with_key();
        let ids: Vec<SocketId> = (0..5).map(|_| sockets.insert(())).collect();
        let mut queue = AcceptQueue::new(2);
        let fitted: Vec<bool> = ids.iter().rev().map(|id| queue.push(*id)).collect();
        assert_eq!(fitted, [true, true, true, false, false]);
        assert_eq!(queue.pop(), Some(ids[4]));
        queue.unpop(ids[4]);
        assert!(queue.is_full() && !queue.remove(ids[0]) && queue.remove(ids[3]));
        queue.set_backlog(0);
        assert!(queue.is_full() && queue.backlog() == 0);
        assert_eq!(queue.drain().collect::<Vec<_>>(), [ids[4], ids[2]]);
        assert!(queue.is_empty() && !queue.is_full());
    }
}
