//! Calls that sleep: those that wait in the engine, and those that are tried again whenever something stirs.

use crate::object::ObjectId;
use crate::splice::Transfer;
use crate::transfer::Received;
use crate::{Memory, NoMemory, Outcome, PollFd, Process, SelectSets, SleepId};
use cauce_core::socket::Family;
use cauce_core::socket::call::{self as engine, CallId, Returned};
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// A call that sleeps.
pub(crate) struct Sleeper {
    /// The descriptions that it uses, held until it returns.
    objects: Vec<ObjectId>,
    what: What,
}

enum What {
    /// It waits in the stack's own table.
    Engine { call: CallId, memory: Memory, then: Then },
    /// It is tried again.
    Retry(Retry),
}

/// What to make of the engine's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// The result as it is.
    Plain,
    /// A descriptor for the accepted socket.
    Accept { family: Family, flags: i32 },
    /// Flags and control messages.
    Receive(Received),
    /// A broken connection raises SIGPIPE, unless the call was to be quiet.
    Send { quiet: bool },
}

/// A call that is tried again whenever something stirs, until it is done or its time is over.
pub(crate) enum Retry {
    /// poll()
    Poll { fds: Vec<PollFd>, deadline: Instant },
    /// select()
    Select { sets: SelectSets, deadline: Instant },
    /// epoll_wait()
    Epoll { set: ObjectId, max: usize, deadline: Instant },
    /// read() of a pipe
    PipeRead { end: ObjectId, memory: Memory },
    /// write() to a pipe
    PipeWrite { end: ObjectId, memory: Memory, done: usize },
    /// splice() and sendfile()
    Transfer(Transfer),
}

impl Retry {
    /// What it returns if it must not wait any longer and has moved bytes.
    fn partial(&self) -> Option<Outcome> {
        match self {
            Retry::PipeWrite { done, .. } => (*done > 0).then(|| Outcome::done(*done as i64)),
            Retry::Transfer(transfer) => transfer.partial(),
            Retry::Poll { .. } | Retry::Select { .. } | Retry::Epoll { .. } | Retry::PipeRead { .. } => None,
        }
    }
}

impl std::fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleeper").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl Sleeper {
    /// When it gives up, as far as the stack does not know.
    pub(crate) fn own_deadline(&self) -> Option<Instant> {
        match &self.what {
            What::Retry(
                Retry::Poll { deadline, .. } | Retry::Select { deadline, .. } | Retry::Epoll { deadline, .. },
            ) => Some(*deadline),
            _ => None,
        }
    }

    pub(crate) fn engine_call(&self) -> Option<CallId> {
        match self.what {
            What::Engine { call, .. } => Some(call),
            What::Retry(_) => None,
        }
    }

    /// What it returns when it is interrupted, if it has moved bytes.
    pub(crate) fn partial(&self) -> Option<Outcome> {
        match &self.what {
            What::Retry(retry) => retry.partial(),
            What::Engine { .. } => None,
        }
    }

    pub(crate) fn objects(&self) -> &[ObjectId] {
        &self.objects
    }
}

impl Process {
    /// Starts a call of the engine on the socket behind `object`. Without leave to wait it is taken back at
    /// once, with what it has done.
    pub(crate) fn engine_call(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        object: ObjectId,
        (socket, call): (cauce_core::socket::SocketId, engine::Call),
        (mut memory, then): (Memory, Then),
        nonblocking: bool,
    ) -> crate::Progress {
        match stack.start_call(now, socket, call, &mut *memory) {
            engine::Progress::Done(result) => self.returned_by_engine(stack, socket, then, result).into(),
            engine::Progress::Pending(id) if nonblocking => match (call, stack.cancel_call(id)) {
                (engine::Call::Connect(_), _) => Errno::EINPROGRESS.into(),
                (engine::Call::SendOpening { .. }, Some(0) | None) => Errno::EINPROGRESS.into(),
                (_, Some(0) | None) => Errno::EAGAIN.into(),
                (_, Some(count)) => {
                    self.returned_by_engine(stack, socket, then, Ok(Returned::Bytes(count))).into()
                }
            },
            engine::Progress::Pending(id) => {
                let sleep = self.sleep(&[object], What::Engine { call: id, memory, then });
                self.by_call.insert(id, sleep);
                crate::Progress::Sleeps(sleep)
            }
        }
    }

    /// Tries a call; when it cannot return yet it sleeps, or says `EAGAIN` (or what it has moved) if it must
    /// not.
    pub(crate) fn retry_or_sleep(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        mut retry: Retry,
        nonblocking: bool,
    ) -> crate::Progress {
        if let Some(outcome) = self.attempt(stack, now, &mut retry) {
            return outcome.into();
        }
        if nonblocking {
            return retry.partial().unwrap_or_else(|| Outcome::failed(Errno::EAGAIN)).into();
        }
        let objects = match &retry {
            Retry::Poll { .. } | Retry::Select { .. } => Vec::new(),
            Retry::Epoll { set, .. } => vec![*set],
            Retry::PipeRead { end, .. } | Retry::PipeWrite { end, .. } => vec![*end],
            Retry::Transfer(transfer) => transfer.objects().to_vec(),
        };
        crate::Progress::Sleeps(self.sleep(&objects, What::Retry(retry)))
    }

    fn sleep(&mut self, objects: &[ObjectId], what: What) -> SleepId {
        objects.iter().for_each(|id| self.hold(*id));
        self.sleepers.insert(Sleeper { objects: objects.to_vec(), what })
    }

    /// Resumes the calls that the stack names. True when one has returned.
    pub(crate) fn resume_engine_calls(&mut self, stack: &mut Stack, now: Instant) -> bool {
        let mut any = false;
        while let Some(call) = stack.poll_call() {
            let Some(id) = self.by_call.get(call).copied() else { continue };
            let Some(sleeper) = self.sleepers.get_mut(id) else { continue };
            let What::Engine { memory, then, .. } = &mut sleeper.what else { continue };
            let then = *then;
            let engine::Progress::Done(result) = stack.resume_call(now, call, &mut **memory) else {
                continue;
            };
            any = true;
            self.by_call.remove(call);
            let Some(sleeper) = self.sleepers.remove(id) else { continue };
            let socket = sleeper.objects.first().and_then(|object| self.socket_id(*object));
            let outcome = match socket {
                Some(socket) => self.returned_by_engine(stack, socket, then, result),
                // close(): its description is gone already.
                None => Outcome::from(result.map(|_| ())),
            };
            self.let_go_all(stack, now, &sleeper.objects);
            self.returns(id, outcome);
        }
        any
    }

    /// Tries what may have been waiting for something that has happened. True when a call has returned.
    pub(crate) fn retry_sleepers(&mut self, stack: &mut Stack, now: Instant) -> bool {
        let stirred = std::mem::take(&mut self.stirred);
        let is_due = |sleeper: &Sleeper| sleeper.own_deadline().is_some_and(|at| at <= now);
        let candidates: Vec<SleepId> = self
            .sleepers
            .iter()
            .filter(|(_, sleeper)| matches!(sleeper.what, What::Retry(_)) && (stirred || is_due(sleeper)))
            .map(|(id, _)| id)
            .collect();
        let mut any = false;
        for id in candidates {
            // Out of the table while it is tried, for an attempt may look at the whole process.
            let Some(sleeper) = self.sleepers.get_mut(id) else { continue };
            let placeholder =
                What::Retry(Retry::PipeRead { end: ObjectId::default(), memory: Box::new(NoMemory) });
            let What::Retry(mut retry) = std::mem::replace(&mut sleeper.what, placeholder) else { continue };
            match self.attempt(stack, now, &mut retry) {
                Some(outcome) => {
                    any = true;
                    let objects = self.sleepers.remove(id).map(|sleeper| sleeper.objects).unwrap_or_default();
                    self.let_go_all(stack, now, &objects);
                    self.returns(id, outcome);
                }
                None => {
                    if let Some(sleeper) = self.sleepers.get_mut(id) {
                        sleeper.what = What::Retry(retry);
                    }
                }
            }
        }
        any
    }

    /// Tries a call once: what it returns, or `None` while it must wait.
    fn attempt(&mut self, stack: &mut Stack, now: Instant, retry: &mut Retry) -> Option<Outcome> {
        match retry {
            Retry::Poll { fds, deadline } => {
                let found = self.look(stack, fds);
                (found.result != Ok(0) || now >= *deadline).then_some(found)
            }
            Retry::Select { sets, deadline } => {
                let found = self.look_select(stack, sets);
                (found.result != Ok(0) || now >= *deadline).then_some(found)
            }
            Retry::Epoll { set, max, deadline } => {
                let found = self.look_epoll(stack, *set, *max);
                (found.result != Ok(0) || now >= *deadline).then_some(found)
            }
            Retry::PipeRead { end, memory } => {
                let pipe = self.pipe_of(*end)?;
                let result = self.pipes.get_mut(pipe)?.read(&mut **memory)?;
                self.touch_pipe(pipe);
                Some(counted(result))
            }
            Retry::PipeWrite { end, memory, done } => {
                let pipe = self.pipe_of(*end)?;
                let before = *done;
                let result = self.pipes.get_mut(pipe)?.write(&**memory, done);
                if *done > before {
                    self.touch_pipe(pipe);
                }
                result.map(counted)
            }
            Retry::Transfer(transfer) => self.advance_transfer(stack, now, transfer),
        }
    }
}

/// Bytes moved, or the error.
pub(crate) fn counted(result: Result<usize, Errno>) -> Outcome {
    match result {
        Ok(count) => Outcome::done(count as i64),
        Err(error) => Outcome::failed(error),
    }
}
