//! epoll: sets of descriptors, level- and edge-triggered, once and for all.
//!
//! A set keeps a list of members to which something happened. Waiting looks at those alone: a member that is
//! still ready goes back to the end of the list unless it is edge-triggered, so that members take turns.

use crate::object::{Kind, Object, ObjectId};
use crate::poll::{ALWAYS, deadline};
use crate::sleep::Retry;
use crate::{Answer, Event, Fd, Outcome, Process, Progress};
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const EDGE: u32 = libc::EPOLLET as u32;
const ONE_SHOT: u32 = libc::EPOLLONESHOT as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
const WAKEUP: u32 = libc::EPOLLWAKEUP as u32;
/// Bits that say how to report and not what.
const MANNERS: u32 = EDGE | ONE_SHOT | EXCLUSIVE | WAKEUP;
/// Sets may watch sets, so many deep.
const DEEPEST: usize = 4;

/// A member: the descriptor by which it was added and the description that it named then.
type Member = (Fd, ObjectId);

#[derive(Clone, Copy, Debug)]
struct Entry {
    event: Event,
    /// On the list of members to be looked at.
    listed: bool,
    /// Reported once, and silent until it is changed (EPOLLONESHOT).
    spent: bool,
}

/// An epoll set.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    entries: BTreeMap<Member, Entry>,
    listed: VecDeque<Member>,
}

impl Epoll {
    pub(crate) fn members(&self) -> impl Iterator<Item = Member> {
        self.entries.keys().copied()
    }

    /// The member is gone.
    pub(crate) fn forget(&mut self, fd: Fd, object: ObjectId) -> bool {
        self.listed.retain(|member| *member != (fd, object));
        self.entries.remove(&(fd, object)).is_some()
    }

    fn list(&mut self, member: Member) {
        if let Some(entry) = self.entries.get_mut(&member)
            && !entry.listed
        {
            entry.listed = true;
            self.listed.push_back(member);
        }
    }

    /// Something of `news` happened to the member: it is looked at when somebody waits. True when it asked for
    /// it.
    pub(crate) fn stir(&mut self, fd: Fd, object: ObjectId, news: u32) -> bool {
        let asked = |entry: &Entry| !entry.spent && news & (entry.event.events & !MANNERS | ALWAYS) != 0;
        let wanted = self.entries.get(&(fd, object)).is_some_and(asked);
        if wanted {
            self.list((fd, object));
        }
        wanted
    }
}

impl Process {
    pub(crate) fn epoll_create(&mut self, flags: i32) -> Progress {
        if flags & !libc::EPOLL_CLOEXEC != 0 {
            return Errno::EINVAL.into();
        }
        let object = Object::new(Kind::Epoll(Epoll::default()), false);
        let fd = self.install(object, flags & libc::EPOLL_CLOEXEC != 0);
        Process::descriptor(fd, Answer::Nothing).into()
    }

    pub(crate) fn epoll_ctl(
        &mut self,
        stack: &mut Stack,
        epoll: Fd,
        operation: i32,
        fd: Fd,
        event: Event,
    ) -> Progress {
        let result = self.control(epoll, operation, fd, event);
        if result.is_ok()
            && operation != libc::EPOLL_CTL_DEL
            && let (Ok(set), Ok(object)) = (self.table.get(epoll), self.table.get(fd))
        {
            let ready = self.readiness(stack, object);
            if self.epoll_of(set).is_some_and(|set| set.stir(fd, object, ready)) {
                self.touched(set, libc::POLLIN as u32);
            }
        }
        result.into()
    }

    fn control(&mut self, epoll: Fd, operation: i32, fd: Fd, event: Event) -> Result<(), Errno> {
        let (set, _) = self.object(epoll)?;
        let (object, member) = self.object(fd)?;
        if matches!(member.kind, Kind::File(_)) {
            return Err(Errno::EPERM);
        }
        let nested = matches!(member.kind, Kind::Epoll(_));
        if set == object || self.epoll_of(set).is_none() {
            return Err(Errno::EINVAL);
        }
        if event.events & EXCLUSIVE != 0 && operation != libc::EPOLL_CTL_DEL {
            let allowed = (libc::EPOLLIN | libc::EPOLLOUT) as u32 | ALWAYS | EDGE | WAKEUP | EXCLUSIVE;
            if operation == libc::EPOLL_CTL_MOD || nested || event.events & !allowed != 0 {
                return Err(Errno::EINVAL);
            }
        }
        if nested && operation == libc::EPOLL_CTL_ADD && self.reaches(object, set, DEEPEST) {
            return Err(Errno::ELOOP);
        }
        let key = (fd, object);
        let entries = &mut self.epoll_of(set).ok_or(Errno::EINVAL)?.entries;
        match (operation, entries.get_mut(&key)) {
            (libc::EPOLL_CTL_ADD, Some(_)) => Err(Errno::EEXIST),
            (libc::EPOLL_CTL_ADD, None) => {
                entries.insert(key, Entry { event, listed: false, spent: false });
                if let Some(object) = self.objects.get_mut(object) {
                    object.watchers.push((set, fd));
                }
                Ok(())
            }
            (libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL, None) => Err(Errno::ENOENT),
            (libc::EPOLL_CTL_MOD, Some(entry)) if entry.event.events & EXCLUSIVE != 0 => Err(Errno::EINVAL),
            (libc::EPOLL_CTL_MOD, Some(entry)) => {
                (entry.event, entry.spent) = (event, false);
                Ok(())
            }
            (libc::EPOLL_CTL_DEL, Some(_)) => {
                if let Some(set) = self.epoll_of(set) {
                    set.forget(fd, object);
                }
                if let Some(object) = self.objects.get_mut(object) {
                    object.watchers.retain(|watcher| *watcher != (set, fd));
                }
                Ok(())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// True when the set `from` watches `to`, itself or through others, or goes deeper than sets may.
    fn reaches(&self, from: ObjectId, to: ObjectId, left: usize) -> bool {
        let Some(Object { kind: Kind::Epoll(set), .. }) = self.objects.get(from) else { return false };
        let is_set =
            |id: &ObjectId| matches!(self.objects.get(*id), Some(Object { kind: Kind::Epoll(_), .. }));
        set.members()
            .map(|(_, member)| member)
            .filter(is_set)
            .any(|member| member == to || left == 0 || self.reaches(member, to, left - 1))
    }

    pub(crate) fn epoll_wait(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        epoll: Fd,
        max: i32,
        timeout: Option<Duration>,
    ) -> Progress {
        let set = match self.object(epoll) {
            Ok((id, Object { kind: Kind::Epoll(_), .. })) => id,
            Ok(_) => return Errno::EINVAL.into(),
            Err(error) => return error.into(),
        };
        let Some(max) = usize::try_from(max).ok().filter(|max| *max > 0) else { return Errno::EINVAL.into() };
        let deadline = deadline(now, timeout);
        self.retry_or_sleep(stack, now, Retry::Epoll { set, max, deadline }, false)
    }

    /// What epoll_wait() would return now.
    pub(crate) fn look_epoll(&mut self, stack: &mut Stack, id: ObjectId, max: usize) -> Outcome {
        let Some(set) = self.epoll_of(id) else { return Outcome::failed(Errno::EBADF) };
        let mut found = Vec::new();
        let mut again = Vec::new();
        let mut rest = std::mem::take(&mut set.listed);
        while found.len() < max
            && let Some(member) = rest.pop_front()
        {
            let ready = self.readiness(stack, member.1);
            let Some(entry) = self.epoll_of(id).and_then(|set| set.entries.get_mut(&member)) else {
                continue;
            };
            entry.listed = false;
            let bits = ready & (entry.event.events & !MANNERS | ALWAYS);
            if bits == 0 || entry.spent {
                continue;
            }
            found.push(Event { events: bits, data: entry.event.data });
            entry.spent = entry.event.events & ONE_SHOT != 0;
            if entry.event.events & (EDGE | ONE_SHOT) == 0 {
                again.push(member);
            }
        }
        if let Some(set) = self.epoll_of(id) {
            // Members that something happened to meanwhile stand behind those that nobody looked at.
            rest.append(&mut set.listed);
            set.listed = rest;
            again.into_iter().for_each(|member| set.list(member));
        }
        Outcome::with(found.len() as i64, Answer::Events(found))
    }

    /// True when waiting on the set would not wait. Members that are not ready any more leave the list.
    pub(crate) fn epoll_has_ready(&mut self, stack: &mut Stack, id: ObjectId) -> bool {
        let mut left = self.epoll_of(id).map_or(0, |set| set.listed.len());
        while left > 0 {
            left -= 1;
            let Some(member) = self.epoll_of(id).and_then(|set| set.listed.front().copied()) else { break };
            let ready = self.readiness(stack, member.1);
            let Some(set) = self.epoll_of(id) else { break };
            let Some(entry) = set.entries.get_mut(&member) else { break };
            if !entry.spent && ready & (entry.event.events & !MANNERS | ALWAYS) != 0 {
                return true;
            }
            entry.listed = false;
            set.listed.pop_front();
        }
        false
    }
}
