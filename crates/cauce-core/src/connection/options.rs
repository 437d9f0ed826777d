//! Options that act at once on a living connection (O-02, O-10, O-11, O-33; REQUIREMENTS 2).

use super::{Connection, pending};
use crate::context::Context;
use crate::socket::errno::Errno;
use crate::socket::options::SocketOption;
use crate::socket::readiness::Readiness;

impl Connection {
    /// Stores one option and does what it means now.
    pub(crate) fn set_option(&mut self, option: &SocketOption, cx: &mut Context<'_>) -> Result<(), Errno> {
        self.options.store(option, cx.sysctl)?;
        match *option {
            SocketOption::NoDelay(true) | SocketOption::Cork(false) => self.want(pending::FLUSH),
            SocketOption::KeepAlive(_) | SocketOption::KeepIdle(_) => self.arm_keepalive(cx),
            SocketOption::QuickAck(on) if self.recv.set_quick_ack(i32::from(on), cx) => {
                self.want(pending::ACK);
            }
            SocketOption::RecvBuffer(_) => self.recv.set_rcvbuf(self.options.recv_buffer),
            SocketOption::WindowClamp(_) => self.recv.set_window_clamp(self.options.window_clamp),
            SocketOption::MaxPacingRate(rate) => self.cong.set_max_pacing_rate(rate),
            SocketOption::SendBuffer(_) | SocketOption::NotSentLowat(_) => self.note_room(cx),
            SocketOption::RecvLowat(_) => {
                self.options.recv_lowat = self.recv.set_low_water(self.options.recv_lowat, cx);
                self.tell(Readiness::IN);
            }
            SocketOption::MaxSegment(_) => {
                // Only before the handshake does it change anything (O-09); the stored value is read there.
            }
            _ => {}
        }
        Ok(())
    }
}
