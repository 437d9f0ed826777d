//! Changing the options of a socket, whatever it is: what its state allows, and what must follow at once.
//!
//! The values are checked where they are kept, in `socket/options`; what they do is decided where they are read.

use super::{Entry, Stack};
use crate::connection::state::State;
use crate::socket::errno::Errno;
use crate::socket::options::{SocketOption, SocketOptions};
use crate::socket::timestamping::Timestamping;
use crate::socket::{AlgorithmChoice, Family, SocketId};
use crate::sysctl::{AlgorithmName, Sysctls};
use crate::time::Instant;

impl Stack {
    pub(crate) fn options(&self, id: SocketId) -> Result<&SocketOptions, Errno> {
        match self.sockets.get(id) {
            Some(Entry::Idle(idle)) => Ok(&idle.options),
            Some(Entry::Listener(listener)) => Ok(&listener.options),
            Some(Entry::Connection(conn)) => Ok(&conn.options),
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn options_mut(&mut self, id: SocketId) -> Result<&mut SocketOptions, Errno> {
        match self.sockets.get_mut(id) {
            Some(Entry::Idle(idle)) => Ok(&mut idle.options),
            Some(Entry::Listener(listener)) => Ok(&mut listener.options),
            Some(Entry::Connection(conn)) => Ok(&mut conn.options),
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn set_option(
        &mut self,
        id: SocketId,
        now: Instant,
        option: SocketOption,
    ) -> Result<(), Errno> {
        let opens = matches!(option, SocketOption::FastOpen(_));
        let result = self.store_option(id, now, option);
        if opens && result.is_ok() {
            self.make_fast_open_key();
        }
        result
    }

    fn store_option(&mut self, id: SocketId, now: Instant, option: SocketOption) -> Result<(), Errno> {
        let sysctl = &self.shared.sysctl;
        match self.sockets.get_mut(id) {
            Some(Entry::Idle(idle)) => {
                let bound = idle.bound.is_some_and(|at| at.port != 0);
                if matches!(option, SocketOption::V6Only(_)) && (bound || idle.family == Family::V4) {
                    return Err(Errno::EINVAL);
                }
                fits_unconnected(&option, &idle.options, State::Closed, sysctl)?;
                idle.options.store(&option, sysctl)?;
                if let (SocketOption::BindToDevice(device), Some(at)) = (&option, &mut idle.bound) {
                    at.device = *device;
                }
                Ok(())
            }
            Some(Entry::Listener(_)) if matches!(option, SocketOption::V6Only(_)) => Err(Errno::EINVAL),
            Some(Entry::Listener(listener)) => {
                fits_unconnected(&option, &listener.options, State::Listen, sysctl)?;
                listener.options.store(&option, sysctl)?;
                if let SocketOption::BindToDevice(device) = option {
                    self.listeners.remove(listener.at, id);
                    listener.at.device = device;
                    self.listeners.insert(listener.at, id);
                }
                self.listeners.prefer_queue(listener.at, id, listener.options.incoming_queue());
                Ok(())
            }
            Some(Entry::Connection(conn)) => {
                let has_port = conn.state != State::Closed || conn.hold.user_port;
                if matches!(option, SocketOption::V6Only(_)) && has_port {
                    return Err(Errno::EINVAL);
                }
                let mut cx = self.shared.cx(now);
                let result = conn.set_option(&option, &mut cx);
                if result.is_ok()
                    && matches!(option, SocketOption::BindToDevice(_) | SocketOption::DontRoute(_))
                {
                    self.interfaces.refresh(conn, &mut cx);
                }
                self.settle(id, now);
                result
            }
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn set_congestion(&mut self, id: SocketId, now: Instant, name: &str) -> Result<(), Errno> {
        let algorithm = self.registry.by_name(name).ok_or(Errno::ENOENT)?;
        let name = AlgorithmName::new(name).ok_or(Errno::ENOENT)?;
        let choice = AlgorithmChoice { name, by_user: true };
        match self.sockets.get_mut(id) {
            Some(Entry::Idle(idle)) => idle.algorithm = choice,
            Some(Entry::Listener(listener)) => listener.algorithm = choice,
            Some(Entry::Connection(conn)) => {
                let view = conn.view(&self.shared.cx(now));
                conn.cong.set_algorithm(algorithm, &view);
            }
            None => return Err(Errno::EBADF),
        }
        Ok(())
    }
}

/// What depends on the state: an option that counts the bytes of a stream needs one, and a listener's window
/// clamp can be changed but not taken away.
fn fits_unconnected(
    option: &SocketOption,
    before: &SocketOptions,
    state: State,
    sysctl: &Sysctls,
) -> Result<(), Errno> {
    match option {
        SocketOption::WindowClamp(0) if state == State::Listen => Err(Errno::EINVAL),
        SocketOption::FastOpenConnect(_) if state == State::Listen => {
            before.clone().store(option, sysctl)?;
            Err(Errno::EINVAL)
        }
        SocketOption::Timestamping(bits) => Timestamping::checked(*bits)?.fits(state, before.timestamping()),
        _ => Ok(()),
    }
}
