//! Options that act at once on a living connection (O-02, O-10, O-11, O-33; REQUIREMENTS 2).

use super::state::State;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::socket::errno::Errno;
use crate::socket::options::{SocketOption, flag as flags};
use crate::socket::readiness::Readiness;
use crate::socket::timestamping::Timestamping;

impl Connection {
    /// Stores one option and does what it means now.
    pub(crate) fn set_option(&mut self, option: &SocketOption, cx: &mut Context<'_>) -> Result<(), Errno> {
        match *option {
            SocketOption::WindowClamp(0) if self.state != State::Closed => return Err(Errno::EINVAL),
            SocketOption::FastOpen(_) if self.state != State::Closed => return Err(Errno::EINVAL),
            SocketOption::FastOpenConnect(_) | SocketOption::FastOpenNoCookie(_)
                if self.state != State::Closed =>
            {
                // A bad value, or a setting that forbids it, is told first.
                self.options.clone().store(option, cx.sysctl)?;
                return Err(Errno::EINVAL);
            }
            SocketOption::QuickAck(on) => {
                self.switch_quick_ack(i32::from(on), cx);
                return Ok(());
            }
            SocketOption::QuickAckOnce => {
                self.switch_quick_ack(2, cx);
                return Ok(());
            }
            SocketOption::Timestamping(bits) => self.key_stamps(Timestamping::checked(bits)?)?,
            _ => {}
        }
        let probed = self.options.has(flags::KEEPALIVE);
        self.options.store(option, cx.sysctl)?;
        match *option {
            SocketOption::NoDelay(true) => self.want(pending::FLUSH),
            SocketOption::Cork(false) => {
                // Without the cork Nagle's rule decides again, which knows of TCP_NODELAY.
                self.clear(flag::MORE);
                self.want(pending::OUTPUT);
            }
            SocketOption::KeepAlive(on) if on != probed => self.switch_keepalive(cx),
            SocketOption::KeepIdle(_) => self.arm_keepalive(cx),
            SocketOption::RecvBuffer(_) | SocketOption::RecvBufferForce(_) => {
                self.recv.set_rcvbuf(self.options.recv_buffer)
            }
            SocketOption::WindowClamp(_) => self.recv.set_window_clamp(self.options.window_clamp),
            SocketOption::MaxPacingRate(rate) => self.cong.set_max_pacing_rate(rate),
            SocketOption::SendBuffer(_)
            | SocketOption::SendBufferForce(_)
            | SocketOption::NotSentLowat(_) => self.note_room(cx),
            SocketOption::RecvLowat(_) => {
                self.options.recv_lowat = self.recv.set_low_water(self.options.recv_lowat, cx);
                self.tell(Readiness::IN);
            }
            _ => {}
        }
        Ok(())
    }

    /// TCP_QUICKACK is a state of the receiver, not of the socket.
    fn switch_quick_ack(&mut self, value: i32, cx: &mut Context<'_>) {
        if self.recv.set_quick_ack(value, cx) {
            self.want(pending::ACK);
        }
    }

    /// OPT_ID begins to count: from what is acknowledged, or from what is written.
    fn key_stamps(&mut self, wanted: Timestamping) -> Result<(), Errno> {
        let before = self.options.timestamping();
        wanted.fits(self.state, before)?;
        if wanted.has(Timestamping::OPT_ID) && !before.has(Timestamping::OPT_ID) {
            let written = wanted.has(Timestamping::OPT_ID_TCP);
            let base = if written { self.write.end() } else { self.snd.una };
            self.rare_mut().notices.key_base = base;
        }
        Ok(())
    }
}
