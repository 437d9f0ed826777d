//! Errors: what the engine calls by a Linux name becomes the `io::Error` that the kernel's sockets give.

use cauce_core::socket::errno::Errno;
use std::io;

/// Network is down: the netstack was shut down, or its device or runtime has gone.
pub(crate) const ENETDOWN: i32 = 100;

/// The same error as an `io::Error`, with its number.
pub(crate) fn io_error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.number())
}

pub(crate) fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_kernel() {
        for (errno, kind) in [
            (Errno::EAGAIN, io::ErrorKind::WouldBlock),
            (Errno::ECONNREFUSED, io::ErrorKind::ConnectionRefused),
            (Errno::ECONNRESET, io::ErrorKind::ConnectionReset),
            (Errno::EPIPE, io::ErrorKind::BrokenPipe),
            (Errno::ETIMEDOUT, io::ErrorKind::TimedOut),
            (Errno::EADDRINUSE, io::ErrorKind::AddrInUse),
            (Errno::ENOTCONN, io::ErrorKind::NotConnected),
        ] {
            assert_eq!(io_error(errno).kind(), kind);
            assert_eq!(io_error(errno).raw_os_error(), Some(errno.number()));
        }
        assert_eq!(io::Error::from_raw_os_error(ENETDOWN).kind(), io::ErrorKind::NetworkDown);
    }
}
