//! Private network namespaces, for root and, through a user namespace, for everybody else.

use std::{fs, io};

/// Gives the calling thread a table of descriptors of its own, which threads that it starts share. A process that
/// another thread starts has no copies of what is opened here from now on: not even for the moment between its fork
/// and its exec, in which such a copy keeps a socket open that a script has closed. Call it once on a thread whose
/// threads run scripts against the kernel and nothing else: what threads with other tables hold, such as the shells that
/// our stack's targets share, must not be used there.
///
/// # Errors
/// ENOMEM.
pub fn own_descriptors() -> io::Result<()> {
    // SAFETY: unshare takes no pointers; all descriptors stay open under their numbers.
    match unsafe { libc::unshare(libc::CLONE_FILES) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Moves the calling thread into a network namespace of its own. Threads that it starts live there too.
///
/// # Errors
/// EPERM without the privilege.
pub(crate) fn enter_network() -> io::Result<()> {
    // SAFETY: unshare takes no pointers; it changes the calling thread's namespace only.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// True when the process may make network namespaces as it is.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Moves the process into a user namespace in which it is root. It must have a single thread.
///
/// # Errors
/// EINVAL with more threads than one, EPERM where the system forbids such namespaces.
pub(crate) fn enter_user() -> io::Result<()> {
    // SAFETY: geteuid and getegid take nothing and cannot fail.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: unshare takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
        return Err(io::Error::last_os_error());
    }
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The number by which the kernel knows the calling thread.
pub(crate) fn thread_id() -> i64 {
    // SAFETY: gettid takes nothing and cannot fail.
    i64::from(unsafe { libc::gettid() })
}

/// Asks that the calling thread be woken on time, before ordinary ones. Children do not inherit it.
///
/// # Errors
/// EPERM without the privilege; scripts then run as they can.
pub(crate) fn be_punctual() -> io::Result<()> {
    let wanted = libc::sched_param { sched_priority: 1 };
    // SAFETY: one sched_param that lives on; 0 names the calling thread.
    let result =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &wanted) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What capget and capset are told: the version of the interface, and 0 for the calling thread.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    thread: i32,
}

/// Half of a thread's capabilities: those in effect, those it may put into effect, those it hands on.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`, of two halves.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Puts the calling thread's capabilities into effect, or out of it; it may take them up again. Other threads keep
/// theirs.
///
/// # Errors
/// None that the kernel gives for what a thread may do.
pub(crate) fn use_privileges(on: bool) -> io::Result<()> {
    let mut header = CapabilityHeader { version: CAPABILITY_VERSION, thread: 0 };
    let mut halves = [Capabilities::default(); 2];
    // SAFETY: a header and two halves, as this version has them; all are locals that live on.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for half in &mut halves {
        half.effective = if on { half.permitted } else { 0 };
    }
    // SAFETY: as above; the kernel only reads.
    match unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::thread;

    use super::*;

    #[test]
    fn what_a_thread_opens_by_itself_is_nobody_elses() {
        let (opened, heard) = std::sync::mpsc::channel();
        let (ask, done) = std::sync::mpsc::channel::<()>();
        let alone = thread::spawn(move || {
            own_descriptors().expect("a table of its own");
            let file = fs::File::open("/dev/null").expect("a file");
            // A number that this process does not come to otherwise.
            // SAFETY: duplicates a descriptor that is open; the copy ends with the thread's table.
            let number = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 700) };
            opened.send(number).expect("somebody listens");
            let _ = done.recv();
        });
        let number = heard.recv().expect("a number");
        assert!(number >= 700, "{number}");
        // SAFETY: F_GETFD takes no pointer.
        assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1);
        drop(ask);
        alone.join().expect("no panic");
    }
}
