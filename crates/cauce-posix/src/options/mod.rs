//! Socket options by level and name, as setsockopt() and getsockopt() take them (REQUIREMENTS 2).
//!
//! This room knows numbers, lengths and structures; values are checked by the engine. An option that Linux
//! has and we do not is *unsupported* by its name; one that Linux does not have either is `ENOPROTOOPT`.

mod get;
mod info;
mod info_fields;
mod kept;
mod names;
pub(crate) mod numbers;
mod set;
pub(crate) mod stamps;

pub use info_fields::tcp_info_fields;
pub(crate) use kept::Kept;
pub use kept::is_only_kept;
pub use names::{option_name, option_names, option_number};

use crate::{Answer, Outcome, Progress};
use cauce_core::socket::Family;
use cauce_core::socket::errno::Errno;

/// Options that can only be read.
const READ_ONLY: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_TYPE),
    (libc::SOL_SOCKET, libc::SO_PROTOCOL),
    (libc::SOL_SOCKET, libc::SO_DOMAIN),
    (libc::SOL_SOCKET, libc::SO_ERROR),
    (libc::SOL_SOCKET, libc::SO_SNDLOWAT),
    (libc::SOL_SOCKET, libc::SO_ACCEPTCONN),
    (libc::SOL_SOCKET, numbers::SO_MEMINFO),
    (libc::SOL_SOCKET, numbers::SO_COOKIE),
    (libc::SOL_SOCKET, libc::SO_PEERNAME),
    (libc::SOL_SOCKET, libc::SO_PEERCRED),
    (libc::SOL_SOCKET, libc::SO_PEERSEC),
    (libc::SOL_SOCKET, numbers::SO_INCOMING_NAPI_ID),
    (libc::SOL_TCP, libc::TCP_INFO),
    (libc::SOL_TCP, numbers::TCP_CC_INFO),
    (libc::SOL_TCP, numbers::TCP_SAVED_SYN),
    (libc::SOL_TCP, numbers::TCP_IS_MPTCP),
    (libc::SOL_IP, libc::IP_MTU),
    (libc::SOL_IP, numbers::IP_PROTOCOL),
];

/// Options that can only be written.
const WRITE_ONLY: &[(i32, i32)] =
    &[(libc::SOL_SOCKET, numbers::SO_SNDBUFFORCE), (libc::SOL_SOCKET, numbers::SO_RCVBUFFORCE)];

/// Options of mechanisms that we do not have, as they read on Linux where they are not used.
fn unused(level: i32, name: i32) -> Option<Progress> {
    Some(match (level, name) {
        (libc::SOL_SOCKET, libc::SO_PASSCRED | libc::SO_PASSSEC) => Errno::EOPNOTSUPP.into(),
        // Set, it changes nothing since 2.2 (socket(7)).
        (libc::SOL_SOCKET, libc::SO_BSDCOMPAT | numbers::SO_INCOMING_NAPI_ID) => int(0),
        (libc::SOL_SOCKET, numbers::SO_BUSY_POLL_BUDGET) => Errno::ENOPROTOOPT.into(),
        // struct ucred of nobody: TCP knows no user behind a peer.
        (libc::SOL_SOCKET, libc::SO_PEERCRED) => {
            bytes([0, -1, -1].iter().flat_map(|id: &i32| id.to_ne_bytes()).collect())
        }
        (libc::SOL_TCP, libc::TCP_ULP) => bytes(Vec::new()),
        (libc::SOL_TCP, numbers::TCP_IS_MPTCP | libc::TCP_REPAIR) => int(0),
        (libc::SOL_TCP, libc::TCP_REPAIR_QUEUE | libc::TCP_QUEUE_SEQ) => Errno::EINVAL.into(),
        (libc::SOL_TCP, numbers::TCP_TX_DELAY) => Errno::ENOPROTOOPT.into(),
        _ => return None,
    })
}

fn int(value: i32) -> Progress {
    bytes(value.to_ne_bytes().to_vec())
}

fn bytes(bytes: Vec<u8>) -> Progress {
    Outcome::with(0, Answer::Bytes(bytes)).into()
}

/// The answer for an option that nobody here knows: what it is called, or that there is none.
fn unknown(level: i32, name: i32, family: Family, set: bool) -> Progress {
    let foreign = level == libc::SOL_IPV6 && family == Family::V4;
    match option_name(level, name) {
        Some(name) if !foreign => Progress::Unsupported(name.to_owned()),
        _ if !set
            && family == Family::V4
            && ![libc::SOL_SOCKET, libc::SOL_TCP, libc::SOL_IP].contains(&level) =>
        {
            Errno::EOPNOTSUPP.into()
        }
        _ => Errno::ENOPROTOOPT.into(),
    }
}
