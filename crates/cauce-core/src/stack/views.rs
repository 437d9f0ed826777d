//! What a face asks about one socket beside its calls.

use super::{Entry, Stack};
use crate::connection::negotiated::DEFAULT_MSS;
use crate::connection::path::Path;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::socket::errno::Errno;
use crate::socket::options::read::{Seen, text};
use crate::socket::options::{OptionName, OptionValue, rare_flag};
use crate::socket::{Family, SocketId};
use crate::time::Instant;
use alloc::vec::Vec;
use slotmap::Key;

impl Stack {
    /// True for a socket that neither listens nor is connected.
    pub(crate) fn is_idle(&self, id: SocketId) -> bool {
        matches!(self.sockets.get(id), Some(Entry::Idle(_)))
    }

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
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => Ok(conn.cong.algorithm()),
            Some(Entry::Listener(listener)) => Ok(listener.algorithm.name.as_str()),
            Some(Entry::Idle(idle)) => Ok(idle.algorithm.name.as_str()),
            None => Err(Errno::EBADF),
        }
    }
}

impl Stack {
    /// What an option reads as.
    pub(crate) fn option(
        &mut self,
        id: SocketId,
        now: Instant,
        name: OptionName,
    ) -> Result<OptionValue, Errno> {
        match name {
            OptionName::Error => {
                self.options(id)?;
                return Ok(OptionValue::Int(self.take_error(id).map_or(0, Errno::number)));
            }
            OptionName::SavedSyn => {
                self.options(id)?;
                let saved = self.connection_mut(id).and_then(|conn| conn.rare.as_mut()?.saved_syn.take());
                return Ok(OptionValue::Bytes(saved.map_or_else(Vec::new, |bytes| bytes.to_vec())));
            }
            OptionName::BindToDevice => {
                let device = self.options(id)?.device();
                return Ok(text(device.map_or("", |device| self.interfaces.name(device))));
            }
            OptionName::Congestion => return Ok(text(self.congestion(id)?)),
            _ => {}
        }
        let seen = self.seen(id, now)?;
        self.options(id)?.read(name, &seen, &self.shared.sysctl)
    }

    /// What options depend on beside themselves.
    fn seen(&self, id: SocketId, now: Instant) -> Result<Seen, Errno> {
        let options = self.options(id)?;
        let unconnected = Seen {
            state: State::Closed,
            family: Family::V4,
            mss: DEFAULT_MSS,
            window_clamp: options.window_clamp,
            quick_ack: !options.has_rare(rare_flag::DELAYED_ACKS),
            mtu: None,
            timestamp: now.as_millis() as u32,
            memory: [0, options.recv_buffer, 0, options.send_buffer, 0, 0, 0, 0, 0],
            cookie: id.data().as_ffi(),
        };
        Ok(match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => seen_of(conn, unconnected, now),
            Some(Entry::Listener(listener)) => Seen {
                state: State::Listen,
                family: listener.family,
                mss: listener.leftover.mss,
                ..unconnected
            },
            Some(Entry::Idle(idle)) => Seen { family: idle.family, mss: idle.leftover.mss, ..unconnected },
            None => return Err(Errno::EBADF),
        })
    }
}

fn seen_of(conn: &Connection, unconnected: Seen, now: Instant) -> Seen {
    // Our SYN has found no answer, or a refusal.
    let asks = matches!(conn.state, State::SynSent | State::Closed) && conn.snd.una == conn.snd.iss();
    let errors = conn.rare.as_ref().map_or(0, |rare| rare.errors.memory());
    // Packets of the loopback are as long as packets can be, to which Linux gives a byte more in IPv6.
    let mtu = u32::from(conn.path.mtu) + u32::from(conn.path.mtu == u16::MAX && !conn.key.is_v4());
    let queued = conn.write.len().min(u32::MAX as usize) as u32;
    Seen {
        state: conn.state,
        family: conn.family(),
        mss: conn.mss,
        window_clamp: match (asks, conn.options.window_clamp) {
            // At most the largest window that the offered scale can tell (Linux).
            (true, clamp) => {
                let largest = 65_535 << conn.negotiated.rcv_scale;
                if clamp == 0 { largest } else { clamp.min(largest) }
            }
            _ => conn.recv.window_clamp(),
        },
        quick_ack: conn.recv.quick_ack(),
        mtu: (!conn.path.has(Path::FORGOTTEN)).then_some(mtu),
        timestamp: conn.ts.now(now),
        memory: [
            conn.recv.memory(),
            conn.recv.rcvbuf(),
            conn.snd.below,
            conn.options.send_buffer,
            0,
            queued,
            errors,
            0,
            0,
        ],
        ..unconnected
    }
}
