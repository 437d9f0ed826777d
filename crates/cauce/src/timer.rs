//! The one deadline of a shard, kept by a timerfd: tokio's own timer ticks in milliseconds.
//!
//! Any thread may bring the deadline forward; only the driver, once it has been woken, lets it move back.

use cauce_core::time::Instant;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The part that every thread may use.
#[derive(Debug)]
pub(crate) struct Timer {
    fd: Arc<OwnedFd>,
    /// What the descriptor is set to; `Instant::NEVER` when it has fired or was never set.
    set: Mutex<Instant>,
    /// The same for a glance without the lock.
    glance: AtomicU64,
}

impl Timer {
    pub(crate) fn new() -> io::Result<Timer> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Timer {
            fd: Arc::new(fd),
            set: Mutex::new(Instant::NEVER),
            glance: AtomicU64::new(Instant::NEVER.as_nanos()),
        })
    }

    /// The driver wakes at `deadline` at the latest.
    pub(crate) fn wake_by(&self, deadline: Instant, now: Instant) {
        if deadline.as_nanos() >= self.glance.load(Ordering::SeqCst) {
            return;
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if deadline >= *set {
            return;
        }
        *set = deadline;
        self.glance.store(deadline.as_nanos(), Ordering::SeqCst);
        // Zero would disarm the timer.
        let span = deadline.since(now).max(std::time::Duration::from_nanos(1));
        let value = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: span.as_secs() as i64, tv_nsec: span.subsec_nanos().into() },
        };
        if let Err(error) = timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &value) {
            tracing::error!(%error, "cannot set a timer");
        }
    }

    /// The driver is awake: whatever is due next must be set anew.
    fn fired(&self) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        *set = Instant::NEVER;
        self.glance.store(Instant::NEVER.as_nanos(), Ordering::SeqCst);
    }

    /// The driver's end. Needs a runtime with IO enabled.
    #[expect(deprecated, reason = "safe here: the descriptor stays open as long as the AsyncFd holds it")]
    pub(crate) fn alarm(&self) -> io::Result<Alarm> {
        Ok(Alarm(AsyncFd::with_interest(self.fd.clone(), Interest::READABLE)?))
    }
}

/// The part that the driver waits for.
#[derive(Debug)]
pub(crate) struct Alarm(AsyncFd<Arc<OwnedFd>>);

impl Alarm {
    /// Ready when the deadline has passed; from then on [`Timer::wake_by`] sets a new one.
    pub(crate) fn poll(&self, timer: &Timer, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Poll::Ready(Ok(mut guard)) = self.0.poll_read_ready(cx) else { return Poll::Pending };
            let mut expirations = [0; 8];
            match rustix::io::read(self.0.get_ref(), &mut expirations) {
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                _ => {
                    guard.clear_ready();
                    timer.fired();
                    return Poll::Ready(());
                }
            }
        }
    }
}
