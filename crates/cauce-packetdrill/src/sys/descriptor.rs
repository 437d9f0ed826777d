//! Eventfds that hold numbers of the kernel's descriptor table.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

/// The counter of the first eventfd; each has its own, by which it is known again.
static NEXT_MARK: AtomicU32 = AtomicU32::new(0xca0c_0000);

/// An eventfd whose number stands for a descriptor of ours. It is closed when dropped, unless somebody else
/// has closed it before: the number may be another file by then, which its own mark tells.
#[derive(Debug)]
pub(crate) struct Placeholder {
    number: RawFd,
    mark: u32,
}

impl Placeholder {
    /// Takes the lowest free number that is at least `least`.
    ///
    /// # Errors
    /// The process or the system has no more descriptors.
    pub(crate) fn new(least: RawFd) -> io::Result<Placeholder> {
        let mark = NEXT_MARK.fetch_add(1, Ordering::Relaxed);
        // SAFETY: no pointers.
        let number = unsafe { libc::eventfd(mark, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        if number >= least {
            return Ok(Placeholder { number, mark });
        }
        // SAFETY: the number is the eventfd's that was just made, which nobody else owns.
        let low = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: the command takes an int.
        let number = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, least) };
        drop(low);
        if number < 0 { Err(io::Error::last_os_error()) } else { Ok(Placeholder { number, mark }) }
    }

    /// The number.
    pub(crate) fn number(&self) -> RawFd {
        self.number
    }

    /// Leaves the number alone.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }

    /// True while the number still is this eventfd's.
    pub(crate) fn is_there(&self) -> bool {
        let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.number)) else {
            return false;
        };
        let count = info.lines().find_map(|line| line.strip_prefix("eventfd-count:"));
        count.is_some_and(|count| u32::from_str_radix(count.trim(), 16) == Ok(self.mark))
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        if self.is_there() {
            // SAFETY: the number is the eventfd's, as its mark shows, and only this value owns it.
            drop(unsafe { OwnedFd::from_raw_fd(self.number) });
        }
    }
}

/// The number of descriptors that this process may have (RLIMIT_NOFILE).
pub(crate) fn limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: one rlimit, alive during the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX),
        _ => 1024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    /// A number that the program has closed and used for something else is left alone.
    #[test]
    fn another_file_under_the_number_stays_open() {
        let placeholder = Placeholder::new(700).unwrap();
        assert_eq!(placeholder.number(), 700);
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: the numbers are open, and 700 belongs to this test.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 700) }, 700);
        drop(placeholder);
        // SAFETY: 700 is the copy that was just made.
        let copy = unsafe { OwnedFd::from_raw_fd(700) };
        assert!(std::fs::File::from(copy).metadata().is_ok());
        let placeholder = Placeholder::new(700).unwrap();
        assert_eq!(placeholder.number(), 700);
        drop(placeholder);
        // SAFETY: the command takes no argument.
        assert_eq!(unsafe { libc::fcntl(700, libc::F_GETFD) }, -1);
    }
}
