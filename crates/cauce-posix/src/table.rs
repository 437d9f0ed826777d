//! The descriptor table: numbers to open sockets (POSIX.1 2.14; A-51).
//!
//! It decides which number a socket gets and when nobody names it any more. It never calls a stack: whoever
//! closes the last number closes the socket.

use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;

/// The descriptors of one process.
///
/// ```
/// use cauce_core::socket::{Family, errno::Errno};
/// use cauce_core::{stack::Stack, sysctl::Sysctls};
/// use cauce_posix::table::Descriptors;
/// let mut n = 0u64;
/// let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let id = stack.open(Family::V4).unwrap();
/// let mut table = Descriptors::new(3, 1024);
/// let fd = table.insert(id).unwrap();
/// let copy = table.dup(fd).unwrap();
/// assert_eq!((fd, copy), (3, 4));
/// assert_eq!(table.close(fd), Ok(None));
/// assert_eq!(table.close(copy), Ok(Some(id)));
/// assert_eq!(table.get(copy), Err(Errno::EBADF));
/// ```
#[derive(Clone, Debug)]
pub struct Descriptors {
    first: usize,
    limit: usize,
    open: Vec<Option<SocketId>>,
}

impl Descriptors {
    /// An empty table whose numbers start at `first` (3 leaves room for the standard streams) and stay below
    /// `limit` (RLIMIT_NOFILE).
    pub fn new(first: usize, limit: usize) -> Self {
        Descriptors { first, limit, open: Vec::new() }
    }

    /// Gives a socket the lowest free number.
    ///
    /// # Errors
    /// `EMFILE` when all numbers below the limit are taken.
    pub fn insert(&mut self, socket: SocketId) -> Result<usize, Errno> {
        let index = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        let fd = self.first + index;
        if fd >= self.limit {
            return Err(Errno::EMFILE);
        }
        if index == self.open.len() {
            self.open.push(None);
        }
        self.open[index] = Some(socket);
        Ok(fd)
    }

    /// The socket behind a number.
    ///
    /// # Errors
    /// `EBADF` for a number that is not open.
    pub fn get(&self, fd: usize) -> Result<SocketId, Errno> {
        let index = fd.checked_sub(self.first).ok_or(Errno::EBADF)?;
        self.open.get(index).copied().flatten().ok_or(Errno::EBADF)
    }

    /// A second number for the same socket: the lowest free one.
    ///
    /// # Errors
    /// `EBADF` for a number that is not open, `EMFILE` when none is free.
    pub fn dup(&mut self, fd: usize) -> Result<usize, Errno> {
        self.insert(self.get(fd)?)
    }

    /// Frees a number. Returns the socket when it was the last one that named it: it is to be closed now.
    ///
    /// # Errors
    /// `EBADF` for a number that is not open.
    pub fn close(&mut self, fd: usize) -> Result<Option<SocketId>, Errno> {
        let socket = self.get(fd)?;
        self.open[fd - self.first] = None;
        while self.open.last().is_some_and(Option::is_none) {
            self.open.pop();
        }
        let still_named = self.open.contains(&Some(socket));
        Ok((!still_named).then_some(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::socket::Family;
    use cauce_core::stack::Stack;
    use cauce_core::sysctl::Sysctls;

    /// A-51: the lowest free number is given out, the limit is EMFILE, and unknown numbers are EBADF.
    #[test]
    fn numbers_are_the_lowest_free_ones() {
        let mut n = 0u64;
        let rng = move || {
            n += 1;
            n
        };
        let mut stack = Stack::new(Sysctls::default(), Box::new(rng));
        let ids = [(); 3].map(|()| stack.open(Family::V4).unwrap());
        let mut table = Descriptors::new(3, 6);
        let fds = ids.map(|id| table.insert(id).unwrap());
        assert_eq!(fds, [3, 4, 5]);
        assert_eq!(table.dup(3), Err(Errno::EMFILE));
        assert_eq!(table.close(4), Ok(Some(ids[1])));
        assert_eq!(table.dup(5), Ok(4));
        assert_eq!(table.get(4), Ok(ids[2]));
        assert_eq!(table.close(5), Ok(None));
        assert_eq!(table.close(4), Ok(Some(ids[2])));
        for fd in [0, 2, 4, 5, 99] {
            assert_eq!(table.close(fd), Err(Errno::EBADF));
        }
    }
}
