//! The thread that makes a script's system calls on the host's kernel, so that one of them may sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::call::{Call, Outcome};
use crate::sys::calls::{Names, execute};
use crate::sys::namespace::{be_punctual, thread_id, use_privileges};

/// How often the thread is looked at while it may be falling asleep.
const GLANCE: Duration = Duration::from_micros(200);
/// Glances in a row that must find it asleep: a lock that is held for a moment is not a blocked call.
const GLANCES: u32 = 3;

/// The thread and the way to it.
#[derive(Debug)]
pub(super) struct Worker {
    calls: Sender<(Call, Names)>,
    outcomes: Receiver<(Instant, Outcome)>,
    /// The kernel's number of the thread; 0 until it has started.
    thread: Arc<AtomicI64>,
    /// True while it is inside a system call of the script.
    inside: Arc<AtomicBool>,
    /// The next calls are made with its privileges.
    privileged: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the thread, in the network namespace of the calling one.
    pub fn new() -> Worker {
        let (calls, todo) = channel::<(Call, Names)>();
        let (done, outcomes) = channel();
        let (thread, inside) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let privileged = Arc::new(AtomicBool::new(true));
        let (its_id, its_inside) = (Arc::clone(&thread), Arc::clone(&inside));
        let its_privileged = Arc::clone(&privileged);
        thread::spawn(move || {
            // Without the privilege the thread is as punctual as any.
            let _ = be_punctual();
            its_id.store(thread_id(), Ordering::SeqCst);
            let mut uses = true;
            while let Ok((call, names)) = todo.recv() {
                let wanted = its_privileged.load(Ordering::SeqCst);
                let ready = if uses == wanted { Ok(()) } else { use_privileges(wanted) };
                its_inside.store(true, Ordering::SeqCst);
                let outcome = match ready {
                    Ok(()) => execute(&call, &names),
                    Err(error) => Outcome::failed(error.raw_os_error().unwrap_or(libc::EPERM)),
                };
                uses = wanted;
                its_inside.store(false, Ordering::SeqCst);
                if done.send((Instant::now(), outcome)).is_err() {
                    break;
                }
            }
        });
        Worker { calls, outcomes, thread, inside, privileged }
    }

    /// Has the next calls made with the thread's privileges, or without.
    pub fn set_privileged(&self, privileged: bool) {
        self.privileged.store(privileged, Ordering::SeqCst);
    }

    /// Has the call made. Returns what came, or `None` once it sleeps (`may_block`) or takes long.
    pub fn start(&self, call: &Call, names: Names, may_block: bool) -> Option<(Instant, Outcome)> {
        if self.calls.send((call.clone(), names)).is_err() {
            return Some((Instant::now(), Outcome::failed(libc::ESRCH)));
        }
        if !may_block {
            return self.finish(Duration::from_millis(50));
        }
        let mut asleep = 0;
        while asleep < GLANCES {
            if let Some(done) = self.finish(GLANCE) {
                return Some(done);
            }
            asleep = if self.sleeps() { asleep + 1 } else { 0 };
        }
        None
    }

    /// Waits for the call to return; `None` when it does not within `limit`.
    pub fn finish(&self, limit: Duration) -> Option<(Instant, Outcome)> {
        match self.outcomes.recv_timeout(limit) {
            Ok(done) => Some(done),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some((Instant::now(), Outcome::failed(libc::ESRCH))),
        }
    }

    /// True when the thread is inside a call and the kernel says that it sleeps.
    fn sleeps(&self) -> bool {
        let id = self.thread.load(Ordering::SeqCst);
        if id == 0 || !self.inside.load(Ordering::SeqCst) {
            return false;
        }
        let stat = std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        matches!(state, Some('S' | 'D'))
    }
}
