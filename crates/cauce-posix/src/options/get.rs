//! getsockopt(): the engine's values as the bytes that a program reads.

use super::kept::Kept;
use super::{WRITE_ONLY, info, numbers, stamps, unknown, unused};
use crate::{Answer, Fd, Outcome, Process, Progress};
use cauce_core::socket::Family;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue};
use cauce_core::stack::Stack;
use cauce_core::stack::interfaces::Interfaces;
use cauce_core::time::Instant;

/// Bytes that the name of a congestion control takes (TCP_CA_NAME_MAX), and a device's (IFNAMSIZ).
const NAME_LEN: usize = 16;

/// What SO_LINGER reads as when it has no end: the most ticks of 4 ms there can be, in seconds, as far as an int goes.
const LONGEST_LINGER: i32 = (i64::MAX / 250) as i32;

impl Process {
    pub(crate) fn get_option(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        fd: Fd,
        (level, name): (i32, i32),
        len: i32,
    ) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let Ok(room) = usize::try_from(len) else { return Errno::EINVAL.into() };
        if WRITE_ONLY.contains(&(level, name)) {
            return Errno::ENOPROTOOPT.into();
        }
        if let Some(answer) = unused(level, name) {
            return cut(answer, level, room);
        }
        let mut socket = stack.socket(end.id);
        if let Some(kept) = Kept::find(level, name, end.family) {
            let value = socket.kept(kept.key()).map(|value| value.unwrap_or(kept.default()));
            return match value {
                Ok(value) => cut(super::int(value), level, room),
                Err(error) => error.into(),
            };
        }
        if stamps::hides(&socket, level, name) {
            let zeros = if name == numbers::SO_TIMESTAMPING_NEW { 8 } else { 4 };
            return cut(super::bytes(vec![0; zeros]), level, room);
        }
        // Headers that do not fit stay where they are.
        let saved = (level, name) == (libc::SOL_TCP, numbers::TCP_SAVED_SYN);
        if saved && socket.saved_syn_len().is_ok_and(|len| len > room) {
            return Errno::EINVAL.into();
        }
        let value = match (level, name) {
            // Linux hands out the port under this name.
            (libc::SOL_IP, numbers::IP_PROTOCOL) => {
                let port = socket.local_addr().map_or(0, |address| address.port());
                Ok(u32::from(port).to_ne_bytes().to_vec())
            }
            // Of the newer numbers this one reads as set with either unit.
            (libc::SOL_SOCKET, numbers::SO_TIMESTAMP_NEW) => {
                let mut is_on = |name| !matches!(socket.option(now, name), Ok(OptionValue::Int(0)) | Err(_));
                let on = is_on(OptionName::ReceiveTimestamp) || is_on(OptionName::ReceiveTimestampNanos);
                Ok(i32::from(on).to_ne_bytes().to_vec())
            }
            (libc::SOL_SOCKET, numbers::SO_BINDTOIFINDEX) => {
                socket.bound_device().map(|device| device.map_or(0, Interfaces::index).to_ne_bytes().to_vec())
            }
            (libc::SOL_TCP, libc::TCP_INFO) => socket.tcp_info(now).map(|info| info::tcp_info(&info)),
            (libc::SOL_TCP, numbers::TCP_CC_INFO) => {
                socket.congestion_info().map(|info| info.map_or(Vec::new(), |info| info::cc_info(&info)))
            }
            _ => match name_of(level, name, end.family) {
                Some(option) => {
                    socket.option(now, option).and_then(|value| bytes_of(option, value, level, room))
                }
                None => return unknown(level, name, end.family, false),
            },
        };
        match value {
            Ok(mut bytes) => {
                bytes.truncate(room);
                Outcome::with(0, Answer::Bytes(bytes)).into()
            }
            Err(error) => error.into(),
        }
    }
}

/// An answer within the room that the program has.
fn cut(answer: Progress, level: i32, room: usize) -> Progress {
    match answer {
        Progress::Done(Outcome { result, answer: Answer::Bytes(mut bytes) }) => {
            if level == libc::SOL_IP && (1..4).contains(&room) && bytes.get(1..) == Some(&[0; 3]) {
                bytes.truncate(1);
            }
            bytes.truncate(room);
            Progress::Done(Outcome { result, answer: Answer::Bytes(bytes) })
        }
        other => other,
    }
}

/// The layout of a value for a program that has `room` bytes for it.
fn bytes_of(option: OptionName, value: OptionValue, level: i32, room: usize) -> Result<Vec<u8>, Errno> {
    Ok(match value {
        // IP hands out a single byte to who has room for no more.
        OptionValue::Int(value) if level == libc::SOL_IP && (1..4).contains(&room) => {
            match u8::try_from(value) {
                Ok(byte) => vec![byte],
                Err(_) => value.to_ne_bytes().to_vec(),
            }
        }
        // struct so_timestamping: the flags, and the clock of a device, of which there is none.
        OptionValue::Int(value) if option == OptionName::Timestamping => {
            [value, 0].iter().flat_map(|word| word.to_ne_bytes()).collect()
        }
        OptionValue::Int(value) => value.to_ne_bytes().to_vec(),
        OptionValue::Long(value) if option == OptionName::MaxPacingRate && room < 8 => {
            u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes().to_vec()
        }
        OptionValue::Long(_) if room < 8 => return Err(Errno::EINVAL),
        OptionValue::Long(value) => value.to_ne_bytes().to_vec(),
        OptionValue::Linger { on, seconds } => {
            let seconds = if seconds == u32::MAX { LONGEST_LINGER } else { seconds as i32 };
            [i32::from(on), seconds].iter().flat_map(|word| word.to_ne_bytes()).collect()
        }
        OptionValue::Time(span) => {
            let micros = i64::try_from(span.as_nanos() / 1000).unwrap_or(i64::MAX);
            [micros / 1_000_000, micros % 1_000_000].iter().flat_map(|word| word.to_ne_bytes()).collect()
        }
        OptionValue::Bytes(mut bytes) => match option {
            OptionName::Congestion => {
                bytes.resize(NAME_LEN, 0);
                bytes
            }
            OptionName::BindToDevice if bytes.is_empty() => bytes,
            OptionName::BindToDevice if room < NAME_LEN => return Err(Errno::EINVAL),
            OptionName::BindToDevice => {
                bytes.push(0);
                bytes
            }
            _ => bytes,
        },
        OptionValue::Words(words) => words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

/// The engine's name of an option.
fn name_of(level: i32, name: i32, family: Family) -> Option<OptionName> {
    use OptionName as N;
    Some(match (level, name) {
        (libc::SOL_IPV6, _) if family == Family::V4 => return None,
        (libc::SOL_SOCKET, name) => match name {
            libc::SO_REUSEADDR => N::ReuseAddr,
            libc::SO_REUSEPORT => N::ReusePort,
            libc::SO_TYPE => N::Type,
            libc::SO_ERROR => N::Error,
            libc::SO_SNDBUF => N::SendBuffer,
            libc::SO_RCVBUF => N::RecvBuffer,
            libc::SO_SNDLOWAT => N::SendLowat,
            libc::SO_RCVLOWAT => N::RecvLowat,
            libc::SO_KEEPALIVE => N::KeepAlive,
            libc::SO_OOBINLINE => N::OobInline,
            libc::SO_PRIORITY => N::Priority,
            libc::SO_LINGER => N::Linger,
            libc::SO_RCVTIMEO | numbers::SO_RCVTIMEO_NEW => N::RecvTimeout,
            libc::SO_SNDTIMEO | numbers::SO_SNDTIMEO_NEW => N::SendTimeout,
            libc::SO_BINDTODEVICE => N::BindToDevice,
            libc::SO_TIMESTAMP => N::ReceiveTimestamp,
            libc::SO_TIMESTAMPNS | numbers::SO_TIMESTAMPNS_NEW => N::ReceiveTimestampNanos,
            libc::SO_TIMESTAMPING | numbers::SO_TIMESTAMPING_NEW => N::Timestamping,
            libc::SO_ACCEPTCONN => N::AcceptConn,
            libc::SO_PROTOCOL => N::Protocol,
            libc::SO_DOMAIN => N::Domain,
            libc::SO_MARK => N::Mark,
            libc::SO_PEEK_OFF => N::PeekOffset,
            numbers::SO_MAX_PACING_RATE => N::MaxPacingRate,
            libc::SO_INCOMING_CPU => N::IncomingCpu,
            numbers::SO_MEMINFO => N::MemInfo,
            numbers::SO_TXREHASH => N::TxRehash,
            numbers::SO_COOKIE => N::Cookie,
            numbers::SO_ZEROCOPY => N::ZeroCopy,
            numbers::SO_BUF_LOCK => N::BufLock,
            libc::SO_DONTROUTE => N::DontRoute,
            _ => return None,
        },
        (libc::SOL_TCP, name) => match name {
            libc::TCP_NODELAY => N::NoDelay,
            libc::TCP_MAXSEG => N::MaxSegment,
            libc::TCP_CORK => N::Cork,
            libc::TCP_KEEPIDLE => N::KeepIdle,
            libc::TCP_KEEPINTVL => N::KeepInterval,
            libc::TCP_KEEPCNT => N::KeepCount,
            libc::TCP_SYNCNT => N::SynCount,
            libc::TCP_LINGER2 => N::Linger2,
            libc::TCP_DEFER_ACCEPT => N::DeferAccept,
            libc::TCP_WINDOW_CLAMP => N::WindowClamp,
            libc::TCP_QUICKACK => N::QuickAck,
            libc::TCP_CONGESTION => N::Congestion,
            libc::TCP_THIN_LINEAR_TIMEOUTS => N::ThinLinearTimeouts,
            libc::TCP_THIN_DUPACK => N::ThinDupAck,
            libc::TCP_USER_TIMEOUT => N::UserTimeout,
            libc::TCP_TIMESTAMP => N::Timestamp,
            numbers::TCP_NOTSENT_LOWAT => N::NotSentLowat,
            numbers::TCP_SAVE_SYN => N::SaveSyn,
            numbers::TCP_SAVED_SYN => N::SavedSyn,
            libc::TCP_FASTOPEN => N::FastOpen,
            numbers::TCP_FASTOPEN_CONNECT => N::FastOpenConnect,
            numbers::TCP_FASTOPEN_KEY => N::FastOpenKey,
            numbers::TCP_FASTOPEN_NO_COOKIE => N::FastOpenNoCookie,
            numbers::TCP_INQ => N::Inq,
            numbers::TCP_RTO_MAX_MS => N::RtoMax,
            numbers::TCP_RTO_MIN_US => N::RtoMin,
            numbers::TCP_DELACK_MAX_US => N::DelackMax,
            _ => return None,
        },
        (libc::SOL_IP, name) => match name {
            libc::IP_TOS => N::Tos,
            libc::IP_TTL => N::Ttl,
            libc::IP_MTU_DISCOVER => N::MtuDiscover,
            libc::IP_RECVERR => N::RecvErr,
            libc::IP_MTU => N::Mtu,
            libc::IP_FREEBIND => N::FreeBind,
            libc::IP_TRANSPARENT => N::Transparent,
            libc::IP_MINTTL => N::MinTtl,
            libc::IP_BIND_ADDRESS_NO_PORT => N::BindAddressNoPort,
            numbers::IP_LOCAL_PORT_RANGE => N::LocalPortRange,
            _ => return None,
        },
        (libc::SOL_IPV6, name) => match name {
            libc::IPV6_UNICAST_HOPS => N::UnicastHops,
            libc::IPV6_MTU_DISCOVER => N::MtuDiscover6,
            libc::IPV6_MTU => N::Mtu,
            libc::IPV6_RECVERR => N::RecvErr6,
            libc::IPV6_V6ONLY => N::V6Only,
            libc::IPV6_TCLASS => N::TrafficClass,
            numbers::IPV6_MINHOPCOUNT => N::MinHopCount,
            numbers::IPV6_TRANSPARENT => N::Transparent,
            numbers::IPV6_FREEBIND => N::FreeBind,
            _ => return None,
        },
        _ => return None,
    })
}
