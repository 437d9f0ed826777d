//! poll() and epoll.

use super::{enter, get, put};
use crate::library::Failure;
use cauce_posix::{Answer, Call, Event, PollFd};
use libc::{c_int, c_void, epoll_event, nfds_t, pollfd};
use std::time::Duration;

/// Milliseconds; negative ones wait for ever.
fn millis(timeout: c_int) -> Option<Duration> {
    u64::try_from(timeout).ok().map(Duration::from_millis)
}

pub(super) unsafe extern "C" fn poll(
    data: *mut c_void,
    fds: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
) -> c_int {
    // SAFETY: `data` is the table's, and `fds` has `count` entries.
    unsafe {
        enter(data, |library| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            if count > crate::sys::descriptor::limit() {
                return Err(Failure(libc::EINVAL));
            }
            let mut asked = Vec::with_capacity(count);
            for index in 0..count {
                if fds.is_null() {
                    return Err(Failure(libc::EFAULT));
                }
                asked.push(get(fds.add(index))?);
            }
            let (result, answer) = library.call(|handles| Call::Poll {
                fds: asked
                    .iter()
                    .map(|asked| PollFd { fd: handles.fd(asked.fd), events: asked.events })
                    .collect(),
                timeout: millis(timeout),
            })?;
            if let Answer::Poll(revents) = answer {
                for (index, (asked, revents)) in asked.iter().zip(revents).enumerate() {
                    put(fds.add(index), pollfd { revents, ..*asked })?;
                }
            }
            Ok(result)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn epoll_create(data: *mut c_void, size: c_int) -> c_int {
    // SAFETY: `data` is the table's.
    unsafe {
        enter(data, |library| {
            // Linux refuses a size that is not positive and looks at it no further.
            if size <= 0 {
                return Err(Failure(libc::EINVAL));
            }
            Ok(library.call_for_handle(0, |_| Call::EpollCreate { flags: 0 })?.0)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn epoll_ctl(
    data: *mut c_void,
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    // SAFETY: `data` is the table's, and the event is what epoll_ctl() takes.
    unsafe {
        enter(data, |library| {
            let event = match operation {
                libc::EPOLL_CTL_DEL => Event { events: 0, data: 0 },
                _ => {
                    let event = get(event)?;
                    Event { events: event.events, data: event.u64 }
                }
            };
            let call = library.call(|handles| Call::EpollCtl {
                epoll: handles.fd(epoll),
                operation,
                fd: handles.fd(fd),
                event,
            });
            Ok(call?.0)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn epoll_wait(
    data: *mut c_void,
    epoll: c_int,
    events: *mut epoll_event,
    max: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: `data` is the table's, and there is room for `max` events.
    unsafe {
        enter(data, |library| {
            if events.is_null() && max > 0 {
                return Err(Failure(libc::EFAULT));
            }
            let timeout = millis(timeout);
            let (result, answer) =
                library.call(|handles| Call::EpollWait { epoll: handles.fd(epoll), max, timeout })?;
            if let Answer::Events(found) = answer {
                for (index, event) in found.iter().enumerate() {
                    put(events.add(index), epoll_event { events: event.events, u64: event.data })?;
                }
            }
            Ok(result)
        }) as c_int
    }
}
