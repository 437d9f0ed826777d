//! System calls: the only unsafe code of this crate. Namespaces, the TUN, the calls that scripts make, and the sandbox
//! of their commands.

pub(crate) mod calls;
pub(crate) mod inotify;
mod messages;
pub(crate) mod namespace;
pub(crate) mod poll;
pub(crate) mod sandbox;
pub(crate) mod tun;

use std::io;

/// The error of the last system call.
fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
