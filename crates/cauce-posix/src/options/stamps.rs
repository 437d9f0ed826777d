//! SO_TIMESTAMP, SO_TIMESTAMPNS and SO_TIMESTAMPING have two numbers each. The one with which a socket was last asked
//! decides under which the control messages come, and which of the two reads as set.

use super::numbers::{SO_TIMESTAMP_NEW, SO_TIMESTAMPING_NEW, SO_TIMESTAMPNS_NEW};
use cauce_core::socket::Socket;

/// The newer number beside each older one.
const NUMBERS: [(i32, i32); 3] = [
    (libc::SO_TIMESTAMP, SO_TIMESTAMP_NEW),
    (libc::SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW),
    (libc::SO_TIMESTAMPING, SO_TIMESTAMPING_NEW),
];

/// Under what the engine keeps that the newer numbers were used; options have the numbers from 0 on.
const KEY: u16 = u16::MAX;

/// Takes down with which number of the three options a socket was asked for `value`.
pub(crate) fn note(socket: &mut Socket<'_>, level: i32, name: i32, value: i32) {
    let found =
        NUMBERS.iter().find(|(older, newer)| level == libc::SOL_SOCKET && [*older, *newer].contains(&name));
    if let Some((older, newer)) = found
        && (value != 0 || *older == libc::SO_TIMESTAMPING)
    {
        // A stale id fails in the call that this one follows.
        let _ = socket.keep(KEY, i32::from(name == *newer));
    }
}

/// Whether a number reads as 0 since the socket was asked with the other one.
pub(crate) fn hides(socket: &Socket<'_>, level: i32, name: i32) -> bool {
    level == libc::SOL_SOCKET
        && NUMBERS.iter().any(|(older, newer)| match speaks_newer(socket) {
            true => name == *older && *older != libc::SO_TIMESTAMPING,
            false => name == *newer,
        })
}

/// The number under which a control message comes.
pub(crate) fn kind(socket: &Socket<'_>, older: i32) -> i32 {
    let newer = NUMBERS.iter().find(|(known, _)| *known == older).map(|(_, newer)| *newer);
    newer.filter(|_| speaks_newer(socket)).unwrap_or(older)
}

fn speaks_newer(socket: &Socket<'_>) -> bool {
    socket.kept(KEY) == Ok(Some(1))
}
