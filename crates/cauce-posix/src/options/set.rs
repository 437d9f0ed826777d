//! setsockopt(): from the bytes that a program passes to an option of the engine.

use super::kept::Kept;
use super::{READ_ONLY, numbers, option_name, stamps, unknown};
use crate::{Fd, Outcome, Process, Progress};
use cauce_core::connection::state::State;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::{LOOPBACK, Stack};
use cauce_core::sysctl::FastOpenKeys;
use cauce_core::time::{Duration, Instant};

impl Process {
    pub(crate) fn set_option(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        fd: Fd,
        (level, name): (i32, i32),
        value: Option<&[u8]>,
    ) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let there = level != libc::SOL_IPV6 || end.family == Family::V6;
        let known =
            there && (Kept::find(level, name, end.family).is_some() || option_name(level, name).is_some());
        // NULL stands for 0 with IPv6, and is looked at only for options that there are.
        if READ_ONLY.contains(&(level, name)) && level == libc::SOL_IP {
            return Errno::ENOPROTOOPT.into();
        }
        let bytes = match value {
            Some(bytes) => bytes,
            None if level == libc::SOL_IPV6 && known => &[0; 4],
            None if !known && ![libc::SOL_SOCKET, libc::SOL_TCP].contains(&level) => {
                return Errno::ENOPROTOOPT.into();
            }
            None => return Errno::EFAULT.into(),
        };
        let short = matches!(level, libc::SOL_SOCKET | libc::SOL_TCP) && bytes.len() < 4;
        if short && !is_text(level, name) {
            return Errno::EINVAL.into();
        }
        if READ_ONLY.contains(&(level, name)) {
            return Errno::ENOPROTOOPT.into();
        }
        if !there {
            return Errno::ENOPROTOOPT.into();
        }
        if let Some(answer) = self.without_mechanism(stack, end.id, (level, name), bytes) {
            return answer;
        }
        if let Some(error) = self.lacks_privilege(level, name, bytes) {
            return error.into();
        }
        if (level, name) == (libc::SOL_TCP, libc::TCP_CONGESTION) {
            return match bytes {
                [] => Errno::EINVAL.into(),
                _ => {
                    let name = text(bytes);
                    let settings = stack.sysctl();
                    let known = settings.tcp_available_congestion_control.contains(&name);
                    if known && !self.privileged && !settings.may_choose(&name) {
                        return Errno::EPERM.into();
                    }
                    stack.socket(end.id).set_congestion(now, &name).into()
                }
            };
        }
        if (level, name) == (libc::SOL_SOCKET, libc::SO_BINDTODEVICE) {
            let device = match text(bytes).as_str() {
                "" => None,
                "lo" => Some(LOOPBACK),
                wanted => {
                    let mut all = stack.interfaces().iter();
                    match all.find(|(_, config)| config.name == wanted) {
                        Some((device, _)) => Some(device),
                        None => return Errno::ENODEV.into(),
                    }
                }
            };
            // Anybody may bind a socket to a device, but not take it off again.
            if !self.privileged && has_device(stack, now, end.id) {
                return Errno::EPERM.into();
            }
            return stack.socket(end.id).set_option(now, SocketOption::BindToDevice(device)).into();
        }
        if (level, name) == (libc::SOL_SOCKET, numbers::SO_BINDTOIFINDEX) {
            let device = match int(level, bytes) {
                Some(0) => None,
                Some(index @ 1..) => match stack.interfaces().by_index(index as u32) {
                    Some(device) => Some(device),
                    None => return Errno::ENODEV.into(),
                },
                _ => return Errno::EINVAL.into(),
            };
            return stack.socket(end.id).set_option(now, SocketOption::BindToDevice(device)).into();
        }
        let mut socket = stack.socket(end.id);
        match structure(level, name, bytes) {
            Some(Ok(option)) => return socket.set_option(now, option).into(),
            Some(Err(error)) => return error.into(),
            None => {}
        }
        if let Some(kept) = Kept::find(level, name, end.family) {
            let Some(value) = int(level, bytes) else { return Errno::EINVAL.into() };
            let kept = kept.checked(value, self.privileged).map(|value| (kept.key(), value));
            return kept.and_then(|(key, value)| socket.keep(key, value)).into();
        }
        let Some(option) = of_int(level, name, 0) else {
            return unknown(level, name, end.family, true);
        };
        let Some(value) = int(level, bytes) else { return Errno::EINVAL.into() };
        match socket.set_option(now, of_int(level, name, value).unwrap_or(option)) {
            // A clock of the device that the socket is bound to: our devices have none.
            Err(Errno::EOPNOTSUPP)
                if (level, name) == (libc::SOL_SOCKET, libc::SO_TIMESTAMPING)
                    && has_device(stack, now, end.id) =>
            {
                Errno::EINVAL.into()
            }
            Err(error) => error.into(),
            Ok(()) => {
                stamps::note(&mut stack.socket(end.id), level, name, value);
                Ok(()).into()
            }
        }
    }
}

/// SO_BINDTODEVICE has been set.
fn has_device(stack: &mut Stack, now: Instant, id: SocketId) -> bool {
    let none = OptionValue::Bytes(Vec::new());
    stack.socket(id).option(now, OptionName::BindToDevice).is_ok_and(|device| device != none)
}

/// Options whose value is a name, of any length.
fn is_text(level: i32, name: i32) -> bool {
    [
        (libc::SOL_TCP, libc::TCP_CONGESTION),
        (libc::SOL_TCP, libc::TCP_ULP),
        (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    ]
    .contains(&(level, name))
}

impl Process {
    /// Options of mechanisms that we do not have. As Linux answers them where it lacks them: upper layer protocols without
    /// a module, repair mode without privilege (O-23). TCP_TX_DELAY (O-25, optional) is left out, which Linux has.
    fn without_mechanism(
        &self,
        stack: &mut Stack,
        id: SocketId,
        option: (i32, i32),
        bytes: &[u8],
    ) -> Option<Progress> {
        let value = int(option.0, bytes).unwrap_or(0);
        let state = stack.socket(id).tcp_info(Instant::ZERO).map(|info| info.state);
        let error = match option {
            (libc::SOL_SOCKET, libc::SO_PASSCRED | libc::SO_PASSSEC) => Errno::EOPNOTSUPP,
            (libc::SOL_SOCKET, libc::SO_BSDCOMPAT) => return Some(Outcome::done(0).into()),
            (libc::SOL_SOCKET, numbers::SO_BUSY_POLL_BUDGET) if (0..=0xffff).contains(&value) => {
                return Some(Outcome::done(0).into());
            }
            (libc::SOL_SOCKET, numbers::SO_BUSY_POLL_BUDGET) => Errno::EINVAL,
            (libc::SOL_TCP, libc::TCP_ULP) if bytes.is_empty() => Errno::EINVAL,
            (libc::SOL_TCP, libc::TCP_ULP) => Errno::ENOENT,
            (libc::SOL_TCP, libc::TCP_REPAIR) if state == Ok(State::Listen) || !self.privileged => {
                Errno::EPERM
            }
            (libc::SOL_TCP, libc::TCP_REPAIR) => match value {
                0 | -1 => return Some(Outcome::done(0).into()),
                1 => Errno::EPERM,
                _ => Errno::EINVAL,
            },
            (libc::SOL_TCP, libc::TCP_REPAIR_QUEUE) => Errno::EPERM,
            (libc::SOL_TCP, libc::TCP_QUEUE_SEQ) if state != Ok(State::Closed) => Errno::EPERM,
            (libc::SOL_TCP, libc::TCP_QUEUE_SEQ) => Errno::EINVAL,
            (libc::SOL_TCP, numbers::TCP_TX_DELAY) => Errno::ENOPROTOOPT,
            // Bounds the fragments of datagrams, of which TCP has none.
            (libc::SOL_IPV6, libc::IPV6_MTU) if bytes.len() >= 4 && (value == 0 || value >= 1280) => {
                return Some(Outcome::done(0).into());
            }
            (libc::SOL_IPV6, libc::IPV6_MTU) => Errno::EINVAL,
            (libc::SOL_IP, numbers::IP_LOCAL_PORT_RANGE) if bytes.len() != 4 => Errno::EINVAL,
            // All others of this level take no bytes for 0.
            (libc::SOL_IP, libc::IP_FREEBIND | libc::IP_TRANSPARENT | libc::IP_MINTTL)
                if bytes.is_empty() =>
            {
                Errno::EINVAL
            }
            _ => return None,
        };
        Some(error.into())
    }

    /// Why a process without privilege may not set this.
    fn lacks_privilege(&self, level: i32, name: i32, bytes: &[u8]) -> Option<Errno> {
        let value = int(level, bytes).unwrap_or(0);
        let wants = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_PRIORITY) => !(0..=6).contains(&value),
            (libc::SOL_SOCKET, libc::SO_MARK | numbers::SO_SNDBUFFORCE | numbers::SO_RCVBUFFORCE) => true,
            (libc::SOL_IP, libc::IP_TRANSPARENT) | (libc::SOL_IPV6, numbers::IPV6_TRANSPARENT) => value != 0,
            _ => false,
        };
        (wants && !self.privileged).then_some(Errno::EPERM)
    }
}

/// An int; options of IP take a single byte too.
fn int(level: i32, bytes: &[u8]) -> Option<i32> {
    match bytes.first_chunk::<4>() {
        Some(int) => Some(i32::from_ne_bytes(*int)),
        None if level == libc::SOL_IP => Some(bytes.first().map_or(0, |byte| i32::from(*byte))),
        None => None,
    }
}

/// A name of at most 15 bytes, up to its first NUL.
fn text(bytes: &[u8]) -> String {
    const LONGEST: usize = 15;
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

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
        (libc::SOL_SOCKET, numbers::SO_SNDBUFFORCE) => SocketOption::SendBufferForce(value),
        (libc::SOL_SOCKET, numbers::SO_RCVBUFFORCE) => SocketOption::RecvBufferForce(value),
        (libc::SOL_SOCKET, libc::SO_RCVLOWAT) => SocketOption::RecvLowat(value),
        (libc::SOL_SOCKET, libc::SO_PRIORITY) => SocketOption::Priority(value),
        (libc::SOL_SOCKET, libc::SO_MARK) => SocketOption::Mark(value as u32),
        (libc::SOL_SOCKET, libc::SO_INCOMING_CPU) => SocketOption::IncomingCpu(value),
        (libc::SOL_SOCKET, libc::SO_PEEK_OFF) => SocketOption::PeekOffset(value),
        (libc::SOL_SOCKET, numbers::SO_ZEROCOPY) => SocketOption::ZeroCopy(value),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMP | numbers::SO_TIMESTAMP_NEW) => {
            SocketOption::ReceiveTimestamp(on)
        }
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS | numbers::SO_TIMESTAMPNS_NEW) => {
            SocketOption::ReceiveTimestampNanos(on)
        }
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPING | numbers::SO_TIMESTAMPING_NEW) => {
            SocketOption::Timestamping(value as u32)
        }
        (libc::SOL_SOCKET, numbers::SO_MAX_PACING_RATE) => match value {
            -1 => SocketOption::MaxPacingRate(u64::MAX),
            rate => SocketOption::MaxPacingRate(u64::from(rate as u32)),
        },
        (libc::SOL_TCP, libc::TCP_NODELAY) => SocketOption::NoDelay(on),
        (libc::SOL_TCP, libc::TCP_CORK) => SocketOption::Cork(on),
        (libc::SOL_TCP, libc::TCP_QUICKACK) if on && value & 1 == 0 => SocketOption::QuickAckOnce,
        (libc::SOL_TCP, libc::TCP_QUICKACK) => SocketOption::QuickAck(on),
        (libc::SOL_TCP, libc::TCP_KEEPIDLE) => SocketOption::KeepIdle(count),
        (libc::SOL_TCP, libc::TCP_KEEPINTVL) => SocketOption::KeepInterval(count),
        (libc::SOL_TCP, libc::TCP_KEEPCNT) => SocketOption::KeepCount(count),
        (libc::SOL_TCP, libc::TCP_USER_TIMEOUT) => SocketOption::UserTimeout(count),
        (libc::SOL_TCP, libc::TCP_LINGER2) => SocketOption::Linger2(value),
        (libc::SOL_TCP, libc::TCP_SYNCNT) => SocketOption::SynCount(count),
        (libc::SOL_TCP, libc::TCP_MAXSEG) => SocketOption::MaxSegment(count),
        (libc::SOL_TCP, libc::TCP_WINDOW_CLAMP) => {
            // Negative is less than the least.
            SocketOption::WindowClamp(if value < 0 { 1 } else { count })
        }
        (libc::SOL_TCP, libc::TCP_DEFER_ACCEPT) => SocketOption::DeferAccept(value),
        (libc::SOL_SOCKET, numbers::SO_TXREHASH) => SocketOption::TxRehash(value),
        (libc::SOL_TCP, libc::TCP_THIN_LINEAR_TIMEOUTS) => SocketOption::ThinLinearTimeouts(value),
        (libc::SOL_TCP, libc::TCP_THIN_DUPACK) => SocketOption::ThinDupAck(value),
        (libc::SOL_TCP, libc::TCP_TIMESTAMP) => SocketOption::TimestampClock,
        (libc::SOL_TCP, numbers::TCP_SAVE_SYN) => SocketOption::SaveSyn(value),
        (libc::SOL_TCP, libc::TCP_FASTOPEN) => SocketOption::FastOpen(value),
        (libc::SOL_TCP, numbers::TCP_FASTOPEN_CONNECT) => SocketOption::FastOpenConnect(value),
        (libc::SOL_TCP, numbers::TCP_FASTOPEN_NO_COOKIE) => SocketOption::FastOpenNoCookie(value),
        (libc::SOL_TCP, numbers::TCP_INQ) => SocketOption::Inq(value),
        (libc::SOL_TCP, numbers::TCP_RTO_MIN_US) => SocketOption::RtoMin(value),
        (libc::SOL_TCP, numbers::TCP_DELACK_MAX_US) => SocketOption::DelackMax(value),
        (libc::SOL_TCP, numbers::TCP_RTO_MAX_MS) => SocketOption::RtoMax(value),
        (libc::SOL_TCP, numbers::TCP_NOTSENT_LOWAT) => SocketOption::NotSentLowat(value as u32),
        (libc::SOL_SOCKET, numbers::SO_BUF_LOCK) => SocketOption::BufLock(value),
        (libc::SOL_SOCKET, libc::SO_DONTROUTE) => SocketOption::DontRoute(on),
        (libc::SOL_IP, libc::IP_TTL) => SocketOption::Ttl(value),
        (libc::SOL_IP, libc::IP_TOS) => SocketOption::Tos(value),
        (libc::SOL_IP, libc::IP_MTU_DISCOVER) => SocketOption::MtuDiscover(value),
        (libc::SOL_IP, libc::IP_RECVERR) => SocketOption::RecvErr(on),
        (libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT) => SocketOption::BindAddressNoPort(on),
        (libc::SOL_IP, numbers::IP_LOCAL_PORT_RANGE) => SocketOption::LocalPortRange(value as u32),
        (libc::SOL_IPV6, libc::IPV6_UNICAST_HOPS) => SocketOption::UnicastHops(value),
        (libc::SOL_IPV6, libc::IPV6_TCLASS) => SocketOption::TrafficClass(value),
        (libc::SOL_IPV6, libc::IPV6_MTU_DISCOVER) => SocketOption::MtuDiscover6(value),
        (libc::SOL_IPV6, libc::IPV6_RECVERR) => SocketOption::RecvErr6(on),
        (libc::SOL_IP, libc::IP_TRANSPARENT) | (libc::SOL_IPV6, numbers::IPV6_TRANSPARENT) => {
            SocketOption::Transparent(on)
        }
        (libc::SOL_IP, libc::IP_FREEBIND) | (libc::SOL_IPV6, numbers::IPV6_FREEBIND) => {
            SocketOption::FreeBind(on)
        }
        (libc::SOL_IP, libc::IP_MINTTL) => SocketOption::MinTtl(value),
        (libc::SOL_IPV6, numbers::IPV6_MINHOPCOUNT) => SocketOption::MinHopCount(value),
        (libc::SOL_IPV6, libc::IPV6_V6ONLY) => SocketOption::V6Only(on),
        _ => return None,
    })
}

/// Structures: linger, the two time-outs, keys of Fast Open, and a pacing rate of 64 bits.
fn structure(level: i32, name: i32, bytes: &[u8]) -> Option<Result<SocketOption, Errno>> {
    let word = |at: usize| Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    match (level, name) {
        (libc::SOL_SOCKET, libc::SO_LINGER) => Some(match (word(0), word(4)) {
            (Some(0), Some(_)) => Ok(SocketOption::Linger(None)),
            // A time before now is taken as one that never comes.
            (Some(_), Some(seconds)) => {
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                Ok(SocketOption::Linger(Some(Duration::from_secs(seconds.into()))))
            }
            _ => Err(Errno::EINVAL),
        }),
        (
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO | libc::SO_SNDTIMEO | numbers::SO_RCVTIMEO_NEW | numbers::SO_SNDTIMEO_NEW,
        ) => Some(match (long(0), long(8)) {
            (Some(seconds), Some(micros)) if (0..1_000_000).contains(&micros) => {
                let span = Duration::from_secs(seconds.max(0) as u64) + Duration::from_micros(micros as u64);
                let receive = [libc::SO_RCVTIMEO, numbers::SO_RCVTIMEO_NEW].contains(&name);
                Ok(if receive { SocketOption::RecvTimeout(span) } else { SocketOption::SendTimeout(span) })
            }
            (Some(_), Some(_)) => Err(Errno::EDOM),
            _ => Err(Errno::EINVAL),
        }),
        (libc::SOL_TCP, numbers::TCP_FASTOPEN_KEY) => {
            Some(FastOpenKeys::from_bytes(bytes).map(SocketOption::FastOpenKey).ok_or(Errno::EINVAL))
        }
        (libc::SOL_SOCKET, numbers::SO_MAX_PACING_RATE) => {
            Some(Ok(SocketOption::MaxPacingRate(long(0)? as u64)))
        }
        _ => None,
    }
}
