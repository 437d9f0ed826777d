//! System calls: the only unsafe code of this crate. Namespaces, the TUN, and the calls that scripts make.

pub(crate) mod calls;
mod messages;
pub(crate) mod namespace;
pub(crate) mod tun;

use std::io;

/// The error of the last system call.
fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
