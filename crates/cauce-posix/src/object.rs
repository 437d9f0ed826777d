//! Open file descriptions: what descriptors name, and who holds them.
//!
//! A description lives as long as a descriptor or a sleeping call holds it. The status flags are its own, so
//! that descriptors made by dup() share them (POSIX.1 2.14).

use crate::Fd;
use crate::epoll::Epoll;
use crate::file::OpenFile;
use crate::pipe::PipeId;
use cauce_core::socket::{Family, SocketId};

slotmap::new_key_type! {
    /// Names an open file description of one process.
    pub(crate) struct ObjectId;
}

/// What a description is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A socket of the stack.
    Socket(SocketEnd),
    /// A set of descriptors that are watched.
    Epoll(Epoll),
    /// The reading end of a pipe.
    PipeReader(PipeId),
    /// The writing end of a pipe.
    PipeWriter(PipeId),
    /// A file that the embedder opened.
    File(OpenFile),
}

/// A socket, and what the process knows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketEnd {
    pub(crate) id: SocketId,
    pub(crate) family: Family,
    /// Who gets SIGURG and SIGIO: a process, a group when negative, nobody when 0 (F_SETOWN).
    pub(crate) owner: i32,
}

/// Flags of F_SETFL about files, which Linux keeps for a socket as well.
pub(crate) const UNUSED_FLAGS: i32 = libc::O_APPEND | libc::O_NOATIME;

/// An open file description.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    /// O_NONBLOCK.
    pub(crate) nonblocking: bool,
    /// The flags of F_SETFL that mean nothing here and are read back: [`UNUSED_FLAGS`].
    pub(crate) unused_flags: i32,
    /// O_ASYNC: the owner gets SIGIO when a socket gets ready.
    pub(crate) signals: bool,
    /// Descriptors that name it and sleeping calls that use it.
    pub(crate) held: u32,
    /// Epoll sets that watch it, and the descriptor each knows it by.
    pub(crate) watchers: Vec<(ObjectId, Fd)>,
}

impl Object {
    pub(crate) fn new(kind: Kind, nonblocking: bool) -> Object {
        Object { kind, nonblocking, unused_flags: 0, signals: false, held: 0, watchers: Vec::new() }
    }
}
