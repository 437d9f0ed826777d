//! Dissolving a connection while its socket lives on: connect(2) to AF_UNSPEC, a shutdown during the
//! handshake, a failed connect (A-27, A-28; RFC 9293 3.10.5 without CLOSE).

use super::sockets::wildcard;
use super::{Entry, PortHold, Stack};
use crate::connection::state::State;
use crate::socket::errno::Errno;
use crate::socket::leftover::Leftover;
use crate::socket::{AlgorithmChoice, Idle, SocketId};
use crate::stack::listeners::ListenAddr;
use crate::sysctl::AlgorithmName;
use crate::time::Instant;
use alloc::boxed::Box;

impl Stack {
    /// Makes a socket as fresh as before it connected or listened. What was bound by the user stays bound; a
    /// peer who knows the connection gets a reset, and the user an `ECONNRESET` to read.
    pub(crate) fn disconnect(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        match self.sockets.get_mut(id) {
            None => return Err(Errno::EBADF),
            Some(Entry::Idle(idle)) => {
                (idle.leftover, idle.shut) = (idle.leftover.dissolved(), 0);
                idle.options.take_delayed_acks();
            }
            Some(Entry::Listener(_)) => self.stop_listening(id, now)?,
            Some(Entry::Connection(conn)) => {
                let lost = match conn.state {
                    State::Closed => false,
                    // Both FINs are under way: only unsent bytes are lost.
                    State::Closing | State::LastAck => conn.unsent() > 0,
                    _ => true,
                };
                let mut cx = self.shared.cx(now);
                if lost {
                    conn.error = Some(Errno::ECONNRESET);
                    conn.reset_and_destroy(None, &mut cx);
                } else {
                    conn.destroy(None, &mut cx);
                }
                self.settle(id, now);
                self.back_to_idle(id, now);
            }
        }
        if let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) {
            idle.options.window_clamp = 0;
        }
        Ok(())
    }

    /// A closed connection leaves a socket that can try again, with the error that nobody has read yet.
    pub(super) fn back_to_idle(&mut self, id: SocketId, now: Instant) {
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        let mut cx = self.shared.cx(now);
        conn.release(&mut cx);
        let (key, hold) = (conn.key, core::mem::take(&mut conn.hold));
        let family = conn.family();
        let name =
            AlgorithmName::new(conn.cong.algorithm()).unwrap_or(self.shared.sysctl.tcp_congestion_control);
        let algorithm = AlgorithmChoice { name, by_user: true };
        let mut idle = Idle {
            family,
            options: conn.options.clone(),
            bound: None,
            hold: PortHold::default(),
            algorithm,
            error: conn.error,
            leftover: Leftover::of(conn),
            messages: conn.rare.as_mut().map(|rare| core::mem::take(&mut rare.errors)).unwrap_or_default(),
            shut: 0,
        };
        if hold.held {
            let addr = if hold.any_addr { wildcard(family) } else { key.local };
            let device = idle.options.device();
            idle.bound = Some(ListenAddr { addr, port: key.local_port, v6_only: hold.v6_only, device });
            idle.hold = hold;
            self.ports.change(key.local_port, &hold.binding(key.local), idle.hold.binding(addr));
        }
        if let Some(entry) = self.sockets.get_mut(id) {
            *entry = Entry::Idle(Box::new(idle));
        }
    }
}
