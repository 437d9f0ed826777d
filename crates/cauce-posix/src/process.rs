//! The process: its descriptors, what they name, its sleeping calls. The door of this crate.

use crate::epoll::Epoll;
use crate::file::{FileSource, OpenFile};
use crate::object::{Kind, Object, ObjectId, SocketEnd};
use crate::pipe::{Pipe, PipeId};
use crate::sleep::Sleeper;
use crate::table::Descriptors;
use crate::{Answer, Call, Fd, Outcome, Progress, Signal, SleepId};
use cauce_core::socket::SocketId;
use cauce_core::socket::call::CallId;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use slotmap::{SecondaryMap, SlotMap};
use std::collections::VecDeque;

/// A process whose sockets belong to one stack.
///
/// Whoever drives it calls [`Process::turn`] whenever the stack may have changed (a packet was taken in, a
/// deadline passed, a call was made), takes the calls that returned from [`Process::poll_returned`], and comes
/// back at [`Process::poll_timeout`] at the latest.
#[derive(Debug)]
pub struct Process {
    pub(crate) table: Descriptors,
    pub(crate) objects: SlotMap<ObjectId, Object>,
    pub(crate) pipes: SlotMap<PipeId, Pipe>,
    pub(crate) sleepers: SlotMap<SleepId, Sleeper>,
    /// The description of each socket that has one.
    pub(crate) by_socket: SecondaryMap<SocketId, ObjectId>,
    /// Which sleeper waits for which call of the engine.
    pub(crate) by_call: SecondaryMap<CallId, SleepId>,
    /// Something happened that a sleeping call may have waited for.
    pub(crate) stirred: bool,
    pub(crate) signals: VecDeque<Signal>,
    /// CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE.
    pub(crate) privileged: bool,
    /// Whether there is a process or a group of processes with a number.
    pub(crate) exists: fn(i32) -> bool,
    /// The time of day when the stack's clock stood at 0, nanoseconds after 1970.
    pub(crate) wall: i128,
    returned: VecDeque<(SleepId, Outcome)>,
}

impl Process {
    /// A process without descriptors, whose numbers will stay below `limit` (RLIMIT_NOFILE).
    pub fn new(limit: usize) -> Process {
        Process {
            table: Descriptors::new(limit),
            objects: SlotMap::with_key(),
            pipes: SlotMap::with_key(),
            sleepers: SlotMap::with_key(),
            by_socket: SecondaryMap::new(),
            by_call: SecondaryMap::new(),
            stirred: false,
            signals: VecDeque::new(),
            privileged: true,
            exists: |_| true,
            wall: 0,
            returned: VecDeque::new(),
        }
    }

    /// Gives the process the privileges of an administrator over the network (which a new one has), or takes them: ports
    /// below `ip_unprivileged_port_start`, SO_MARK, SO_PRIORITY above 6, buffers without bound, IP_TRANSPARENT, and
    /// algorithms outside `tcp_allowed_congestion_control` are refused without them (G-05, O-01, O-32, O-42, A-23).
    pub fn set_privileged(&mut self, privileged: bool) {
        self.privileged = privileged;
    }

    /// Makes a system call.
    pub fn call(&mut self, stack: &mut Stack, now: Instant, call: Call) -> Progress {
        self.hear(stack);
        let progress = match call {
            Call::Socket { domain, kind, protocol } => self.socket(stack, domain, kind, protocol),
            Call::SocketPair { domain, kind, protocol } => {
                crate::socket_calls::socket_pair(domain, kind, protocol)
            }
            Call::Bind { fd, address } => self.bind(stack, fd, address),
            Call::Listen { fd, backlog } => self.listen(stack, fd, backlog),
            Call::Accept { fd, flags } => self.accept(stack, now, fd, flags),
            Call::Connect { fd, address } => self.connect(stack, now, fd, address),
            Call::Name { fd, peer } => self.name(stack, fd, peer),
            Call::Receive { fd, memory, flags, by } => self.receive(stack, now, fd, memory, flags, by),
            Call::Send { fd, memory, flags, to, controls } => {
                self.send(stack, now, (fd, memory, flags), to, &controls)
            }
            Call::SendFile { output, input, offset, count } => {
                self.send_file(stack, now, output, input, offset, count)
            }
            Call::Splice { input, input_offset, output, output_offset, len, flags } => {
                self.splice(stack, now, (input, input_offset), (output, output_offset), len, flags)
            }
            Call::Close { fd } => self.close(stack, now, fd),
            Call::Shutdown { fd, how } => self.shutdown(stack, now, fd, how),
            Call::GetOption { fd, level, name, len } => self.get_option(stack, now, fd, (level, name), len),
            Call::SetOption { fd, level, name, value } => {
                self.set_option(stack, now, fd, (level, name), value.as_deref())
            }
            Call::Fcntl { fd, command, argument } => self.fcntl(fd, command, argument),
            Call::Ioctl { fd, request, argument } => self.ioctl(stack, fd, request, argument),
            Call::Poll { fds, timeout } => self.poll(stack, now, fds, timeout),
            Call::Select { sets, timeout } => self.select(stack, now, sets, timeout),
            Call::EpollCreate { flags } => self.epoll_create(flags),
            Call::EpollCtl { epoll, operation, fd, event } => {
                self.epoll_ctl(stack, epoll, operation, fd, event)
            }
            Call::EpollWait { epoll, max, timeout } => self.epoll_wait(stack, now, epoll, max, timeout),
            Call::Pipe { flags } => self.pipe(flags),
            Call::Dup { fd } => self.dup(fd, 0, false),
            Call::DupTo { fd, to, flags } => self.dup_to(stack, now, fd, to, flags),
        };
        self.turn(stack, now);
        progress
    }

    /// Goes on with what sleeps, as far as the stack's news and the time allow.
    pub fn turn(&mut self, stack: &mut Stack, now: Instant) {
        loop {
            self.hear(stack);
            let resumed = self.resume_engine_calls(stack, now);
            let retried = self.retry_sleepers(stack, now);
            if !resumed && !retried {
                break;
            }
        }
    }

    /// The next call that has slept and returned.
    pub fn poll_returned(&mut self) -> Option<(SleepId, Outcome)> {
        self.returned.pop_front()
    }

    /// The next signal that is due.
    pub fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    /// Says what time of day it was when the stack's clock stood at 0, nanoseconds after 1970: control messages
    /// with time stamps count from there.
    pub fn set_wall_clock(&mut self, at_zero: i128) {
        self.wall = at_zero;
    }

    /// When the next sleeping call gives up, as far as the stack does not know: time-outs of poll() and
    /// epoll_wait().
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = self.sleepers.values().filter_map(Sleeper::own_deadline);
        deadlines.min().filter(|at| *at != Instant::NEVER)
    }

    /// The end of the process: what sleeps is taken back and every descriptor closed, as close() does, but that nothing
    /// waits for SO_LINGER. A linger time of 0 still resets. What was queued goes on to the peer while the stack
    /// is driven; the process is as new afterwards.
    pub fn end(&mut self, stack: &mut Stack, now: Instant) {
        for id in self.sleepers.keys().collect::<Vec<_>>() {
            self.interrupt(stack, now, id);
        }
        for fd in self.descriptors() {
            if let Ok(object) = self.table.remove(fd) {
                self.let_go_all(stack, now, &[object]);
            }
        }
        self.returned.clear();
        self.signals.clear();
    }

    /// Takes a sleeping call back, as a signal does: what it has done so far, or `EINTR`.
    pub fn interrupt(&mut self, stack: &mut Stack, now: Instant, id: SleepId) -> Option<Outcome> {
        let sleeper = self.sleepers.remove(id)?;
        let done = match sleeper.engine_call() {
            Some(call) => {
                self.by_call.remove(call);
                let moved = stack.cancel_call(call).filter(|count| *count > 0);
                moved.map(|count| Outcome::done(count as i64))
            }
            None => sleeper.partial(),
        };
        self.let_go_all(stack, now, sleeper.objects());
        Some(done.unwrap_or_else(|| Outcome::failed(Errno::EINTR)))
    }

    /// The socket of the stack that a descriptor names.
    ///
    /// # Errors
    /// `EBADF`, `ENOTSOCK`.
    pub fn socket_of(&self, fd: Fd) -> Result<SocketId, Errno> {
        self.socket_end(fd).map(|(_, end)| end.id)
    }

    /// Every open descriptor, in order.
    pub fn descriptors(&self) -> Vec<Fd> {
        self.table.open().collect()
    }

    /// Gives a file that the embedder has opened a descriptor.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn insert_file(&mut self, source: Box<dyn FileSource>, close_on_exec: bool) -> Result<Fd, Errno> {
        let file = OpenFile { source, position: 0 };
        self.install(Object::new(Kind::File(file), false), close_on_exec)
    }

    /// Makes a description and gives it the lowest free number.
    pub(crate) fn install(&mut self, object: Object, close_on_exec: bool) -> Result<Fd, Errno> {
        let socket = match &object.kind {
            Kind::Socket(end) => Some(end.id),
            _ => None,
        };
        let id = self.objects.insert(object);
        match self.table.insert(id, 0, close_on_exec) {
            Ok(fd) => {
                self.hold(id);
                if let Some(socket) = socket {
                    self.by_socket.insert(socket, id);
                }
                Ok(fd)
            }
            Err(error) => {
                self.objects.remove(id);
                Err(error)
            }
        }
    }

    /// The description behind a number.
    pub(crate) fn object(&self, fd: Fd) -> Result<(ObjectId, &Object), Errno> {
        let id = self.table.get(fd)?;
        self.objects.get(id).map(|object| (id, object)).ok_or(Errno::EBADF)
    }

    /// The socket behind a number, and its description.
    pub(crate) fn socket_end(&self, fd: Fd) -> Result<(ObjectId, SocketEnd), Errno> {
        match self.object(fd)? {
            (id, Object { kind: Kind::Socket(end), .. }) => Ok((id, *end)),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    /// The epoll set behind a description.
    pub(crate) fn epoll_of(&mut self, id: ObjectId) -> Option<&mut Epoll> {
        match self.objects.get_mut(id) {
            Some(Object { kind: Kind::Epoll(epoll), .. }) => Some(epoll),
            _ => None,
        }
    }

    /// One more descriptor or sleeping call uses it.
    pub(crate) fn hold(&mut self, id: ObjectId) {
        if let Some(object) = self.objects.get_mut(id) {
            object.held += 1;
        }
    }

    /// One less. When it was the last the description is taken out; its socket is still to be closed.
    pub(crate) fn let_go(&mut self, id: ObjectId) -> Option<Object> {
        let object = self.objects.get_mut(id)?;
        object.held = object.held.saturating_sub(1);
        if object.held > 0 {
            return None;
        }
        let object = self.objects.remove(id)?;
        for (epoll, fd) in &object.watchers {
            if let Some(set) = self.epoll_of(*epoll) {
                set.forget(*fd, id);
            }
        }
        match &object.kind {
            Kind::Socket(end) => {
                self.by_socket.remove(end.id);
            }
            Kind::Epoll(set) => {
                for (fd, member) in set.members() {
                    if let Some(member) = self.objects.get_mut(member) {
                        member.watchers.retain(|watcher| *watcher != (id, fd));
                    }
                }
            }
            Kind::PipeReader(pipe) | Kind::PipeWriter(pipe) => {
                self.close_pipe_end(*pipe, matches!(object.kind, Kind::PipeWriter(_)));
            }
            Kind::File(_) => {}
        }
        Some(object)
    }

    /// Lets go of what a call used; a socket that nobody names any more is closed.
    pub(crate) fn let_go_all(&mut self, stack: &mut Stack, now: Instant, ids: &[ObjectId]) {
        for id in ids {
            if let Some(Object { kind: Kind::Socket(end), .. }) = self.let_go(*id) {
                // Nobody is left who could be told.
                let _ = stack.socket(end.id).close(now);
            }
        }
    }

    fn close_pipe_end(&mut self, id: PipeId, writer: bool) {
        if let Some(pipe) = self.pipes.get_mut(id) {
            if writer {
                pipe.writer = false;
            } else {
                pipe.reader = false;
            }
            if !pipe.reader && !pipe.writer {
                self.pipes.remove(id);
            }
        }
        self.touch_pipe(id);
    }

    /// Something about a pipe changed: both ends may be ready for more.
    pub(crate) fn touch_pipe(&mut self, pipe: PipeId) {
        let ends = self.objects.iter().filter(
            |(_, object)| matches!(object.kind, Kind::PipeReader(of) | Kind::PipeWriter(of) if of == pipe),
        );
        for id in ends.map(|(id, _)| id).collect::<Vec<_>>() {
            self.touched(id, u32::MAX);
        }
    }

    /// A call that slept has returned.
    pub(crate) fn returns(&mut self, id: SleepId, outcome: Outcome) {
        self.returned.push_back((id, outcome));
    }

    /// Success with a fresh descriptor, or the error.
    pub(crate) fn descriptor(result: Result<Fd, Errno>, answer: Answer) -> Outcome {
        match result {
            Ok(fd) => Outcome::with(i64::from(fd), answer),
            Err(error) => Outcome::failed(error),
        }
    }
}
