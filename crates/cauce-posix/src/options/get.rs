//! getsockopt(): the engine's values as the bytes that a program reads.

use super::unknown;
use crate::{Answer, Fd, Outcome, Process, Progress};
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

impl Process {
    pub(crate) fn get_option(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        fd: Fd,
        (level, name): (i32, i32),
        len: i32,
        _given: &[u8],
    ) -> Progress {
        let (_, end) = match self.socket_end(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let Ok(room) = usize::try_from(len) else { return Errno::EINVAL.into() };
        let mut socket = stack.socket(end.id);
        let value = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => socket.take_error().map_or(0, Errno::number),
            (libc::SOL_TCP, libc::TCP_MAXSEG) => socket.tcp_info(now).map_or(0, |info| info.snd_mss as i32),
            _ => return unknown(level, name),
        };
        let bytes = value.to_ne_bytes();
        Outcome::with(0, Answer::Bytes(bytes[..room.min(bytes.len())].to_vec())).into()
    }
}
