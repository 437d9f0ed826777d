//! Descriptors of a script and what stands behind them.

use std::collections::BTreeMap;

use cauce_core::socket::SocketId;

use super::watch::Epoll;
use crate::call::Fd;

/// What a descriptor names.
#[derive(Debug)]
pub(super) enum Object {
    /// A socket, and whether it is non-blocking.
    Socket { id: SocketId, nonblocking: bool, family: i32 },
    /// An epoll set.
    Epoll(Epoll),
}

/// All descriptors.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    objects: BTreeMap<Fd, Object>,
}

impl Descriptors {
    /// The lowest free number names `object` from now on.
    pub fn insert(&mut self, object: Object) -> Fd {
        let fd = (3..).find(|fd| !self.objects.contains_key(fd)).unwrap_or(3);
        self.objects.insert(fd, object);
        fd
    }

    /// Forgets `fd`, also in epoll sets.
    pub fn remove(&mut self, fd: Fd) -> Option<Object> {
        for object in self.objects.values_mut() {
            if let Object::Epoll(epoll) = object {
                epoll.remove(fd);
            }
        }
        self.objects.remove(&fd)
    }

    /// What `fd` names.
    pub fn get(&self, fd: Fd) -> Option<&Object> {
        self.objects.get(&fd)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, fd: Fd) -> Option<&mut Object> {
        self.objects.get_mut(&fd)
    }

    /// The socket that `fd` names.
    pub fn socket(&self, fd: Fd) -> Option<SocketId> {
        match self.objects.get(&fd)? {
            Object::Socket { id, .. } => Some(*id),
            Object::Epoll(_) => None,
        }
    }
}
