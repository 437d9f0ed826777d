//! Control messages: what sendmsg() brings, what recvmsg() tells, and the error queue's structures
//! (A-18, A-42, O-22).

use crate::address::sockaddr;
use crate::options::Kept;
use crate::options::numbers::TCP_CM_INQ;
use crate::options::stamps;
use crate::socket_calls::seen_by;
use crate::{Answer, Control, Memory, Outcome, Process, Receive};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::error_queue::{Carrier, ErrorMessage};
use cauce_core::socket::options::{OptionName, OptionValue};
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::Stack;
use cauce_core::stack::interfaces::Interfaces;
use cauce_core::time::Instant;
use std::net::{IpAddr, SocketAddr};

/// Bytes of `struct cmsghdr`.
const HEADER: usize = 16;
/// SCM_TIMESTAMPING has the number of its option.
const SCM_TIMESTAMPING: i32 = libc::SO_TIMESTAMPING;

/// Control messages of this length need no memory of the socket's (Linux has them on its stack).
const SHORT: usize = 36;

/// True when there is no memory for what sendmsg() brings (`net.core.optmem_max`, A-51).
pub(crate) fn too_long(controls: &[Control], most: u32) -> bool {
    let bytes = |control: &Control| (HEADER + control.data.len()).next_multiple_of(8);
    let len = controls.iter().map(bytes).sum::<usize>();
    len > SHORT && len >= most as usize
}

/// The bits of a SO_TIMESTAMPING message that sendmsg() brings. A mark and a priority for this one call are checked, and
/// mean nothing to a stream: its segments have the socket's (Linux). Messages of other levels are passed over, as Linux
/// does for TCP.
///
/// # Errors
/// `EINVAL` for a message of the socket's level that is unknown or of another length, `EPERM` without privilege.
pub(crate) fn timestamping(controls: &[Control], privileged: bool) -> Result<Option<u32>, Errno> {
    let mut bits = None;
    for control in controls.iter().filter(|control| control.level == libc::SOL_SOCKET) {
        let word = control.data.first_chunk::<4>().map(|word| u32::from_ne_bytes(*word));
        match (control.kind, word) {
            (libc::SO_TIMESTAMPING, Some(word)) => bits = Some(word),
            (libc::SO_MARK, _) if !privileged => return Err(Errno::EPERM),
            (libc::SO_PRIORITY, Some(7..)) if control.data.len() == 4 && !privileged => {
                return Err(Errno::EPERM);
            }
            (libc::SO_MARK | libc::SO_PRIORITY, Some(_)) if control.data.len() == 4 => {}
            (libc::SCM_RIGHTS | libc::SCM_CREDENTIALS, _) => {}
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(bits)
}

/// What recvmsg() tells, as far as `room` bytes of control messages go: what does not fit is cut, and said to be.
pub(crate) fn answer(
    mut flags: i32,
    name: Option<SocketAddr>,
    controls: Vec<Control>,
    mut room: usize,
) -> Answer {
    let mut kept = Vec::new();
    for mut control in controls {
        if room < HEADER + control.data.len() {
            flags |= libc::MSG_CTRUNC;
        }
        if room < HEADER {
            break;
        }
        control.data.truncate(room - HEADER);
        room = room.saturating_sub((HEADER + control.data.len()).next_multiple_of(8));
        kept.push(control);
    }
    Answer::Message { flags, name, controls: kept }
}

impl Process {
    /// The control messages of a read that has just been made.
    pub(crate) fn controls_of_read(&mut self, stack: &mut Stack, id: SocketId) -> Vec<Control> {
        let mut socket = stack.socket(id);
        let mut controls = Vec::new();
        if let Some(at) = socket.read_stamp() {
            let numbers = [libc::SO_TIMESTAMP, libc::SO_TIMESTAMPNS, SCM_TIMESTAMPING];
            let [micros_kind, nanos_kind, stamps_kind] = numbers.map(|older| stamps::kind(&socket, older));
            let mut is_on = |name| !matches!(socket.option(at, name), Ok(OptionValue::Int(0)) | Err(_));
            let level = libc::SOL_SOCKET;
            if is_on(OptionName::ReceiveTimestampNanos) {
                let data = self.timespec(at).concat();
                controls.push(Control { level, kind: nanos_kind, data });
            } else if is_on(OptionName::ReceiveTimestamp) {
                let [seconds, nanos] = self.timespec(at);
                let micros = i64::from_ne_bytes(nanos) / 1000;
                let data = [seconds, micros.to_ne_bytes()].concat();
                controls.push(Control { level, kind: micros_kind, data });
            }
            if is_on(OptionName::Timestamping) {
                controls.push(self.stamps(stamps_kind, at));
            }
        }
        if let Some(left) = stack.socket(id).inq() {
            let data = left.to_ne_bytes().to_vec();
            controls.push(Control { level: libc::SOL_TCP, kind: TCP_CM_INQ, data });
        }
        controls
    }

    /// recvmsg(MSG_ERRQUEUE): the oldest message of the error queue.
    pub(crate) fn receive_error(
        &mut self,
        stack: &mut Stack,
        id: SocketId,
        mut memory: Memory,
        by: Receive,
    ) -> Outcome {
        let Some(message) = stack.socket(id).recv_error() else { return Outcome::failed(Errno::EAGAIN) };
        let fits = message.payload.len().min(memory.len());
        let copied = memory.copy_out(0, &message.payload[..fits]);
        if copied < fits {
            return Outcome::failed(Errno::EFAULT);
        }
        let Receive::Message { control } = by else { return Outcome::done(copied as i64) };
        let family = self.by_socket.get(id).and_then(|object| match self.objects.get(*object)?.kind {
            crate::object::Kind::Socket(end) => Some(end.family),
            _ => None,
        });
        let family = family.unwrap_or(Family::V4);
        let kind = stamps::kind(&stack.socket(id), SCM_TIMESTAMPING);
        let mut controls: Vec<Control> =
            message.timestamp.map(|at| self.stamps(kind, at)).into_iter().collect();
        if let Some(carrier) = message.carrier {
            controls.extend(self.controls_of_carrier(stack, (id, family), carrier, message.peer.port()));
        }
        controls.push(extended_error(family, &message));
        let cut = if fits < message.payload.len() { libc::MSG_TRUNC } else { 0 };
        let name = Some(seen_by(family, message.peer));
        Outcome::with(copied as i64, answer(libc::MSG_ERRQUEUE | cut, name, controls, control))
    }

    /// What the socket wants to know of the packet that brought an ICMP error, in Linux's order: an IPv6 socket's
    /// options first, then those of the packet's own version.
    fn controls_of_carrier(
        &self,
        stack: &mut Stack,
        (id, family): (SocketId, Family),
        carrier: Carrier,
        port: u16,
    ) -> Vec<Control> {
        let socket = stack.socket(id);
        let wants = |(level, name): (i32, i32)| {
            let kept = Kept::find(level, name, family);
            kept.is_some_and(|kept| matches!(socket.kept(kept.key()), Ok(Some(value)) if value != 0))
        };
        let index = Interfaces::index(carrier.device).to_ne_bytes();
        let mut controls = Vec::new();
        let mut tell = |(level, option): (i32, i32), kind: i32, data: Vec<u8>| {
            if wants((level, option)) {
                controls.push(Control { level, kind, data });
            }
        };
        let (hops, class) = (i32::from(carrier.hop_limit), i32::from(carrier.traffic_class));
        let here = sockaddr((carrier.to, port).into());
        let mapped = match carrier.to {
            IpAddr::V4(to) => to.to_ipv6_mapped(),
            IpAddr::V6(to) => to,
        };
        let info = [mapped.octets().as_slice(), &index].concat();
        tell((libc::SOL_IPV6, libc::IPV6_RECVPKTINFO), libc::IPV6_PKTINFO, info);
        match carrier.to {
            IpAddr::V4(to) => {
                let info = [index.as_slice(), &[0; 4], &to.octets()].concat();
                tell((libc::SOL_IP, libc::IP_PKTINFO), libc::IP_PKTINFO, info);
                tell((libc::SOL_IP, libc::IP_RECVTTL), libc::IP_TTL, hops.to_ne_bytes().to_vec());
                tell((libc::SOL_IP, libc::IP_RECVTOS), libc::IP_TOS, vec![carrier.traffic_class]);
                tell((libc::SOL_IP, libc::IP_ORIGDSTADDR), libc::IP_ORIGDSTADDR, here);
            }
            IpAddr::V6(_) => {
                let ints = [
                    (libc::IPV6_RECVHOPLIMIT, libc::IPV6_HOPLIMIT, hops),
                    (libc::IPV6_RECVTCLASS, libc::IPV6_TCLASS, class),
                ];
                for (option, kind, int) in ints {
                    tell((libc::SOL_IPV6, option), kind, int.to_ne_bytes().to_vec());
                }
                tell((libc::SOL_IPV6, libc::IPV6_ORIGDSTADDR), libc::IPV6_ORIGDSTADDR, here);
            }
        }
        controls
    }

    /// SCM_TIMESTAMPING: three times, of which the first is the system's.
    fn stamps(&self, kind: i32, at: Instant) -> Control {
        let mut data = self.timespec(at).concat();
        data.resize(48, 0);
        Control { level: libc::SOL_SOCKET, kind, data }
    }

    /// Seconds and nanoseconds of the time of day.
    fn timespec(&self, at: Instant) -> [[u8; 8]; 2] {
        const SECOND: i128 = 1_000_000_000;
        let nanos = self.wall + i128::from(at.as_nanos());
        [nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND)].map(|part| (part as i64).to_ne_bytes())
    }
}

/// IP_RECVERR or IPV6_RECVERR: `struct sock_extended_err` and the offender's address.
fn extended_error(family: Family, message: &ErrorMessage) -> Control {
    let mut data = Vec::new();
    data.extend(message.errno.map_or(0, Errno::number).to_ne_bytes());
    data.extend([message.origin as u8, message.kind, message.code, 0]);
    data.extend(message.info.to_ne_bytes());
    data.extend(message.data.to_ne_bytes());
    let (level, kind, unknown): (_, _, IpAddr) = match family {
        Family::V4 => (libc::SOL_IP, libc::IP_RECVERR, [0; 4].into()),
        Family::V6 => (libc::SOL_IPV6, libc::IPV6_RECVERR, [0; 16].into()),
    };
    let mut offender = sockaddr(seen_by(family, (message.offender.unwrap_or(unknown), 0).into()));
    if message.offender.is_none() {
        offender.fill(0);
    }
    data.extend(offender);
    Control { level, kind, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(len: usize) -> Control {
        Control { level: 1, kind: 2, data: vec![7; len] }
    }

    /// What does not fit is cut, and MSG_CTRUNC says so.
    #[test]
    fn room_for_control_messages_is_kept() {
        let told = |room| match answer(0, None, vec![control(4), control(48)], room) {
            Answer::Message { flags, controls, .. } => {
                (flags, controls.iter().map(|control| control.data.len()).collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(told(88), (0, vec![4, 48]));
        assert_eq!(told(87), (libc::MSG_CTRUNC, vec![4, 47]));
        assert_eq!(told(24), (libc::MSG_CTRUNC, vec![4]));
        assert_eq!(told(0), (libc::MSG_CTRUNC, vec![]));
    }

    #[test]
    fn only_known_messages_are_taken() {
        let stamp = Control { level: libc::SOL_SOCKET, kind: libc::SO_TIMESTAMPING, data: vec![2, 0, 0, 0] };
        let other = Control { level: libc::SOL_IP, kind: 99, data: Vec::new() };
        assert_eq!(timestamping(&[other.clone(), stamp.clone()], true), Ok(Some(2)));
        assert_eq!(timestamping(&[other], true), Ok(None));
        let short = Control { data: vec![1], ..stamp };
        assert_eq!(timestamping(&[short], true), Err(Errno::EINVAL));
        let marked = |kind, value: u8| Control { level: libc::SOL_SOCKET, kind, data: vec![value, 0, 0, 0] };
        for (message, unprivileged) in [
            (marked(libc::SO_MARK, 0), Err(Errno::EPERM)),
            (marked(libc::SO_PRIORITY, 6), Ok(None)),
            (marked(libc::SO_PRIORITY, 7), Err(Errno::EPERM)),
        ] {
            assert_eq!(timestamping(std::slice::from_ref(&message), false), unprivileged);
            assert_eq!(timestamping(&[message], true), Ok(None));
        }
    }
}
