//! Waiting for files to become readable, and ending a group of processes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Child;

/// What is known of a file that was waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// There is something to read.
    pub readable: bool,
    /// Nobody writes to it any more.
    pub hung_up: bool,
}

/// Waits until one of the files has something to read or is hung up, at most `millis` milliseconds.
///
/// # Errors
/// The system refuses; an interrupted wait is taken up again.
pub(crate) fn wait<const N: usize>(files: [BorrowedFd<'_>; N], millis: i32) -> io::Result<[Ready; N]> {
    let mut wanted =
        files.map(|file| libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    // SAFETY: as many pollfds as are said to be, alive during the call; their descriptors are borrowed.
    while unsafe { libc::poll(wanted.as_mut_ptr(), N as libc::nfds_t, millis) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(wanted.map(|file| Ready {
        readable: file.revents & libc::POLLIN != 0,
        hung_up: file.revents & (libc::POLLHUP | libc::POLLERR) != 0,
    }))
}

/// Ends every process of the group that `leader` leads. It must not have been waited for, so that the number is
/// still its own.
pub(crate) fn end_group(leader: &Child) {
    if let Ok(group) = i32::try_from(leader.id()) {
        // SAFETY: kill takes no pointers. The number is that of a child of this process that leads its group.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}
