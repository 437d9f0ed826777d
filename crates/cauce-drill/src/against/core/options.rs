//! Socket options by their numbers.

use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;

use super::{Core, unsupported};
use crate::call::{Answer, Outcome};
use crate::target::{Progress, TargetError};

const TCP_NOTSENT_LOWAT: i32 = 25;
const SO_MAX_PACING_RATE: i32 = 47;

/// What an int means for the engine; `None` for options that it does not have.
fn of_int(level: i32, name: i32, value: i32) -> Option<SocketOption> {
    let on = value != 0;
    // A negative number is out of every unsigned option's range, and so is this one.
    let count = u32::try_from(value).unwrap_or(u32::MAX);
    Some(match (level, name) {
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => SocketOption::ReuseAddr(on),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => SocketOption::ReusePort(on),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => SocketOption::KeepAlive(on),
        (libc::SOL_SOCKET, libc::SO_OOBINLINE) => SocketOption::OobInline(on),
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => SocketOption::SendBuffer(value),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => SocketOption::RecvBuffer(value),
        (libc::SOL_SOCKET, libc::SO_RCVLOWAT) => SocketOption::RecvLowat(value),
        (libc::SOL_SOCKET, SO_MAX_PACING_RATE) => SocketOption::MaxPacingRate(u64::from(value as u32)),
        (libc::SOL_TCP, libc::TCP_NODELAY) => SocketOption::NoDelay(on),
        (libc::SOL_TCP, libc::TCP_CORK) => SocketOption::Cork(on),
        (libc::SOL_TCP, libc::TCP_QUICKACK) => SocketOption::QuickAck(on),
        (libc::SOL_TCP, libc::TCP_KEEPIDLE) => SocketOption::KeepIdle(count),
        (libc::SOL_TCP, libc::TCP_KEEPINTVL) => SocketOption::KeepInterval(count),
        (libc::SOL_TCP, libc::TCP_KEEPCNT) => SocketOption::KeepCount(count),
        (libc::SOL_TCP, libc::TCP_USER_TIMEOUT) => SocketOption::UserTimeout(count),
        (libc::SOL_TCP, libc::TCP_LINGER2) => SocketOption::Linger2(value),
        (libc::SOL_TCP, libc::TCP_SYNCNT) => SocketOption::SynCount(count),
        (libc::SOL_TCP, libc::TCP_MAXSEG) => SocketOption::MaxSegment(count),
        (libc::SOL_TCP, libc::TCP_WINDOW_CLAMP) => SocketOption::WindowClamp(count),
        (libc::SOL_TCP, libc::TCP_DEFER_ACCEPT) => SocketOption::DeferAccept(value),
        (libc::SOL_TCP, TCP_NOTSENT_LOWAT) => SocketOption::NotSentLowat(count),
        (libc::SOL_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_UNICAST_HOPS) => SocketOption::Ttl(value),
        (libc::SOL_IP, libc::IP_TOS) | (libc::SOL_IPV6, libc::IPV6_TCLASS) => SocketOption::Tos(value),
        (libc::SOL_IP, libc::IP_MTU_DISCOVER) | (libc::SOL_IPV6, libc::IPV6_MTU_DISCOVER) => {
            SocketOption::MtuDiscover(value)
        }
        (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR) => SocketOption::RecvErr(on),
        (libc::SOL_IP, libc::IP_TRANSPARENT) => SocketOption::Transparent(on),
        (libc::SOL_IP, libc::IP_FREEBIND) => SocketOption::FreeBind(on),
        (libc::SOL_IPV6, libc::IPV6_V6ONLY) => SocketOption::V6Only(on),
        _ => return None,
    })
}

/// Structures: linger and the two time-outs.
fn of_bytes(level: i32, name: i32, bytes: &[u8]) -> Option<Result<SocketOption, Errno>> {
    let word = |at: usize| Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    match (level, name) {
        (libc::SOL_SOCKET, libc::SO_LINGER) => Some(match (word(0), word(4)) {
            (Some(0), Some(_)) => Ok(SocketOption::Linger(None)),
            (Some(_), Some(seconds)) => {
                Ok(SocketOption::Linger(Some(Duration::from_secs(u64::from(seconds as u32)))))
            }
            _ => Err(Errno::EINVAL),
        }),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => Some(match (long(0), long(8)) {
            (Some(seconds), Some(micros)) if (0..1_000_000).contains(&micros) => {
                let span = Duration::from_secs(seconds.max(0) as u64) + Duration::from_micros(micros as u64);
                let receive = name == libc::SO_RCVTIMEO;
                Ok(if receive { SocketOption::RecvTimeout(span) } else { SocketOption::SendTimeout(span) })
            }
            (Some(_), Some(_)) => Err(Errno::EDOM),
            _ => Err(Errno::EINVAL),
        }),
        _ => None,
    }
}

impl Core {
    pub(super) fn set_option(
        &mut self,
        id: SocketId,
        level: i32,
        name: i32,
        value: Option<&[u8]>,
        len: u32,
    ) -> Result<Progress, TargetError> {
        let done = |result: Result<(), Errno>| {
            let outcome = result.map_or_else(|error| Outcome::failed(error.number()), |()| Outcome::done(0));
            Ok(Progress::Done(outcome))
        };
        let Some(bytes) = value else { return done(Err(Errno::EFAULT)) };
        let bytes = bytes.get(..len as usize).unwrap_or(bytes);
        let now = self.now;
        if (level, name) == (libc::SOL_TCP, libc::TCP_CONGESTION) {
            let text = String::from_utf8_lossy(bytes);
            return done(self.stack.socket(id).set_congestion(now, text.trim_end_matches('\0')));
        }
        let option = match of_bytes(level, name, bytes) {
            Some(Ok(option)) => option,
            Some(Err(error)) => return done(Err(error)),
            None => {
                let Some(int) = bytes.first_chunk::<4>() else { return done(Err(Errno::EINVAL)) };
                match of_int(level, name, i32::from_ne_bytes(*int)) {
                    Some(option) => option,
                    None => return unsupported(format!("setsockopt level {level} option {name}")),
                }
            }
        };
        done(self.stack.socket(id).set_option(now, option))
    }

    pub(super) fn get_option(
        &mut self,
        id: SocketId,
        level: i32,
        name: i32,
        len: usize,
    ) -> Result<Progress, TargetError> {
        let now = self.now;
        let mut socket = self.stack.socket(id);
        let value = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => socket.take_error().map_or(0, Errno::number),
            (libc::SOL_TCP, libc::TCP_MAXSEG) => socket.tcp_info(now).map_or(0, |info| info.snd_mss as i32),
            _ => return unsupported(format!("getsockopt level {level} option {name}")),
        };
        let bytes = value.to_ne_bytes();
        let answer = Answer::Bytes(bytes.get(..len.min(4)).unwrap_or(&[]).to_vec());
        Ok(Progress::Done(Outcome::with(0, answer)))
    }
}
