//! Calls on descriptors of any kind: close, dup, pipe, fcntl, ioctl.

use crate::object::{Kind, Object, ObjectId, UNUSED_FLAGS};
use crate::pipe::{Pipe, PipeId};
use crate::sleep::Then;
use crate::{Answer, Fd, NoMemory, Outcome, Process, Progress};
use cauce_core::socket::call as engine;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

const SIOCINQ: u64 = 0x541b;
const SIOCOUTQ: u64 = 0x5411;
const SIOCOUTQNSD: u64 = 0x894b;
const FIONBIO: u64 = 0x5421;
const FIOASYNC: u64 = 0x5452;
const FIOCLEX: u64 = 0x5451;
const FIONCLEX: u64 = 0x5450;
const SIOCATMARK: u64 = 0x8905;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;
const FIOGETOWN: u64 = 0x8903;
const SIOCGPGRP: u64 = 0x8904;

impl Object {
    /// Switches O_ASYNC. Sets of epoll have no such thing, and files are never waited for (Linux).
    fn signal(&mut self, on: bool) -> Option<Progress> {
        match self.kind {
            Kind::Socket(_) => self.signals = on,
            Kind::PipeReader(_) | Kind::PipeWriter(_) if on => {
                return Some(Progress::Unsupported("O_ASYNC of pipes".to_owned()));
            }
            _ => {}
        }
        None
    }
}

impl Process {
    /// close(2): the number is free at once; the socket goes with its last holder, and with SO_LINGER that
    /// takes time.
    pub(crate) fn close(&mut self, stack: &mut Stack, now: Instant, fd: Fd) -> Progress {
        let object = match self.table.remove(fd) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        match self.let_go(object) {
            Some(Object { kind: Kind::Socket(end), .. }) => {
                let call = (end.id, engine::Call::Close);
                self.engine_call(stack, now, object, call, (Box::new(NoMemory), Then::Plain), false)
            }
            _ => Outcome::done(0).into(),
        }
    }

    pub(crate) fn dup(&mut self, fd: Fd, least: Fd, close_on_exec: bool) -> Progress {
        let object = match self.table.get(fd) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let copy = self.table.insert(object, least, close_on_exec);
        if copy.is_ok() {
            self.hold(object);
        }
        Process::descriptor(copy, Answer::Nothing).into()
    }

    pub(crate) fn dup_to(&mut self, stack: &mut Stack, now: Instant, fd: Fd, to: Fd, flags: i32) -> Progress {
        if fd == to || flags & !libc::O_CLOEXEC != 0 {
            return Errno::EINVAL.into();
        }
        let object = match self.table.get(fd) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        match self.table.replace(to, object, flags & libc::O_CLOEXEC != 0) {
            Ok(before) => {
                self.hold(object);
                self.let_go_all(stack, now, before.as_slice());
                Outcome::done(to).into()
            }
            Err(error) => error.into(),
        }
    }

    pub(crate) fn pipe(&mut self, flags: i32) -> Progress {
        if flags & !(libc::O_NONBLOCK | libc::O_CLOEXEC) != 0 {
            return Errno::EINVAL.into();
        }
        let (nonblocking, close_on_exec) = (flags & libc::O_NONBLOCK != 0, flags & libc::O_CLOEXEC != 0);
        let pipe = self.pipes.insert(Pipe::new());
        let reader = self.install(Object::new(Kind::PipeReader(pipe), nonblocking), close_on_exec);
        let writer = self.install(Object::new(Kind::PipeWriter(pipe), nonblocking), close_on_exec);
        match (reader, writer) {
            (Ok(reader), Ok(writer)) => Outcome::with(0, Answer::Pipe(reader, writer)).into(),
            (reader, _) => {
                if let Some(object) = reader.ok().and_then(|fd| self.table.remove(fd).ok()) {
                    self.let_go(object);
                }
                self.pipes.remove(pipe);
                Errno::EMFILE.into()
            }
        }
    }

    pub(crate) fn pipe_of(&self, id: ObjectId) -> Option<PipeId> {
        match self.objects.get(id)?.kind {
            Kind::PipeReader(pipe) | Kind::PipeWriter(pipe) => Some(pipe),
            _ => None,
        }
    }

    pub(crate) fn fcntl(&mut self, fd: Fd, command: i32, argument: i64) -> Progress {
        let object = match self.table.get(fd) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let pipe = self.pipe_of(object).and_then(|pipe| self.pipes.get_mut(pipe));
        let Some(named) = self.objects.get_mut(object) else { return Errno::EBADF.into() };
        match command {
            libc::F_GETFL => {
                let access = match named.kind {
                    Kind::PipeReader(_) | Kind::File(_) => libc::O_RDONLY,
                    Kind::PipeWriter(_) => libc::O_WRONLY,
                    Kind::Socket(_) | Kind::Epoll(_) => libc::O_RDWR,
                };
                let nonblocking = if named.nonblocking { libc::O_NONBLOCK } else { 0 };
                let signals = if named.signals { libc::O_ASYNC } else { 0 };
                Outcome::done(access | nonblocking | signals | named.unused_flags).into()
            }
            libc::F_SETFL => {
                named.nonblocking = argument & i64::from(libc::O_NONBLOCK) != 0;
                named.unused_flags = argument as i32 & UNUSED_FLAGS;
                named.signal(argument & i64::from(libc::O_ASYNC) != 0).unwrap_or(Outcome::done(0).into())
            }
            libc::F_GETFD => Outcome::done(i64::from(self.table.close_on_exec(fd))).into(),
            libc::F_SETFD => {
                self.table.set_close_on_exec(fd, argument & i64::from(libc::FD_CLOEXEC) != 0);
                Outcome::done(0).into()
            }
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => match Fd::try_from(argument) {
                Ok(least) => self.dup(fd, least, command == libc::F_DUPFD_CLOEXEC),
                Err(_) => Errno::EINVAL.into(),
            },
            libc::F_GETPIPE_SZ => match pipe {
                Some(pipe) => Outcome::done(pipe.capacity() as i64).into(),
                None => Errno::EBADF.into(),
            },
            libc::F_SETPIPE_SZ => match pipe.map(|pipe| pipe.resize(argument)) {
                Some(Ok(size)) => Outcome::done(size as i64).into(),
                Some(Err(error)) => error.into(),
                None => Errno::EBADF.into(),
            },
            libc::F_SETOWN | libc::F_GETOWN => match &mut named.kind {
                Kind::Socket(end) if command == libc::F_GETOWN => Outcome::done(end.owner).into(),
                // Linux looks at the lower half of the argument alone.
                Kind::Socket(_) => self.set_owner(object, argument as i32).into(),
                _ => Progress::Unsupported("owners of other descriptors than sockets".to_owned()),
            },
            other => Progress::Unsupported(format!("fcntl command {other}")),
        }
    }

    pub(crate) fn ioctl(&mut self, stack: &mut Stack, fd: Fd, request: u64, argument: i32) -> Progress {
        let object = match self.table.get(fd) {
            Ok(object) => object,
            Err(error) => return error.into(),
        };
        let pipe = self.pipe_of(object);
        let Some(named) = self.objects.get_mut(object) else { return Errno::EBADF.into() };
        let int =
            |value: usize| Outcome::with(0, Answer::Int(i32::try_from(value).unwrap_or(i32::MAX))).into();
        match (&mut named.kind, request) {
            (_, FIONBIO) => {
                named.nonblocking = argument != 0;
                Outcome::done(0).into()
            }
            (_, FIOASYNC) => named.signal(argument != 0).unwrap_or(Outcome::done(0).into()),
            (_, FIOCLEX | FIONCLEX) => {
                self.table.set_close_on_exec(fd, request == FIOCLEX);
                Outcome::done(0).into()
            }
            (Kind::Socket(end), SIOCINQ | SIOCOUTQ | SIOCOUTQNSD) => {
                let socket = stack.socket(end.id);
                if socket.is_listening() {
                    return Errno::EINVAL.into();
                }
                match request {
                    SIOCINQ => int(socket.bytes_to_read()),
                    SIOCOUTQ => int(socket.bytes_queued().0),
                    _ => int(socket.bytes_queued().1),
                }
            }
            (Kind::Socket(end), SIOCATMARK) => int(usize::from(stack.socket(end.id).at_mark())),
            (Kind::Socket(_), FIOSETOWN | SIOCSPGRP) => self.set_owner(object, argument).into(),
            (Kind::Socket(end), FIOGETOWN | SIOCGPGRP) => Outcome::with(0, Answer::Int(end.owner)).into(),
            // Requests of interfaces and routes; all others Linux does not know either.
            (Kind::Socket(_), other @ 0x8906..=0x897f) => Progress::Unsupported(format!("ioctl {other:#x}")),
            (Kind::PipeReader(_) | Kind::PipeWriter(_), SIOCINQ) => {
                int(pipe.and_then(|pipe| self.pipes.get(pipe)).map_or(0, Pipe::len))
            }
            _ => Errno::ENOTTY.into(),
        }
    }
}
