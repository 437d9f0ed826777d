//! What was changed in directories since it was last asked (inotify).

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of an event before its name: which watch, what, a cookie, and the length of the name.
const HEADER: usize = size_of::<libc::inotify_event>();

/// Directories that are watched.
#[derive(Debug)]
pub(crate) struct Watcher {
    events: File,
    /// The directory of each watch.
    directories: Vec<(i32, PathBuf)>,
}

impl Watcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The user has too many watchers, or the system has none.
    pub fn new() -> io::Result<Watcher> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let events = unsafe { File::from_raw_fd(fd) };
        Ok(Watcher { events, directories: Vec::new() })
    }

    /// Watches the entries of a directory.
    ///
    /// # Errors
    /// It is not there, or the user watches too many.
    pub fn watch(&mut self, directory: &Path) -> io::Result<()> {
        let path = CString::new(directory.as_os_str().as_bytes())?;
        let changes =
            libc::IN_MODIFY | libc::IN_CLOSE_WRITE | libc::IN_CREATE | libc::IN_DELETE | libc::IN_MOVE;
        // SAFETY: a descriptor that is open and a string that ends, alive during the call.
        let watch = unsafe { libc::inotify_add_watch(self.events.as_raw_fd(), path.as_ptr(), changes) };
        if watch < 0 {
            return Err(io::Error::last_os_error());
        }
        self.directories.push((watch, directory.to_owned()));
        Ok(())
    }

    /// The paths of what was made, written or taken away since this was last asked, each perhaps several times.
    /// `None` when there was more than the system keeps.
    ///
    /// # Errors
    /// The system refuses.
    pub fn changed(&mut self) -> io::Result<Option<Vec<PathBuf>>> {
        let (mut paths, mut complete) = (Vec::new(), true);
        let mut buffer = [0u8; 8192];
        loop {
            let len = match self.events.read(&mut buffer) {
                Ok(0) => return Ok(complete.then_some(paths)),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(complete.then_some(paths));
                }
                Err(error) => return Err(error),
            };
            let mut rest = &buffer[..len];
            while let Some((header, after)) = rest.split_at_checked(HEADER) {
                let word = |at: usize| {
                    header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
                };
                let (watch, what, length) = (word(0) as i32, word(4), word(12) as usize);
                let (name, after) = after.split_at(length.min(after.len()));
                rest = after;
                complete &= what & libc::IN_Q_OVERFLOW == 0;
                let name: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
                let directory = self.directories.iter().find(|(known, _)| *known == watch);
                if let (Some((_, directory)), false) = (directory, name.is_empty()) {
                    paths.push(directory.join(std::ffi::OsString::from_vec(name)));
                }
            }
        }
    }
}
