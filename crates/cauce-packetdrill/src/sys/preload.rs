//! getsockopt() of the C library, for a tool that is started with this object in LD_PRELOAD.
//!
//! packetdrill samples TCP_INFO for its `%{ }%` code by the C library's getsockopt and not by the table's. When
//! the object is preloaded too, that call comes here: it goes to the stack for descriptors of ours, and to the
//! kernel for all others. Only loaded with dlopen, the symbol is seen by nobody but this object.

use super::{finish, inside, options};
use crate::library::Library;
use libc::{c_int, c_long, c_void, socklen_t};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Every library that is not freed.
static LIBRARIES: Mutex<Vec<Weak<Library>>> = Mutex::new(Vec::new());

/// From now on descriptors of this library are known here.
pub(super) fn enlist(library: &Arc<Library>) {
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    libraries.retain(|library| library.strong_count() > 0);
    libraries.push(Arc::downgrade(library));
}

/// The library behind a descriptor, if there is one.
fn library_of(fd: c_int) -> Option<Arc<Library>> {
    let libraries: Vec<_> = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    libraries.iter().filter_map(Weak::upgrade).find(|library| library.knows(fd))
}

/// getsockopt(2), for descriptors of ours and for all others.
///
/// # Safety
/// The pointers are what getsockopt() takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    if let Some(library) = library_of(fd) {
        // SAFETY: the pointers are as the caller promises.
        let run = |library: &Library| unsafe { options::get_option(library, fd, level, name, value, len) };
        return finish(inside(&library, run)) as c_int;
    }
    let (fd, level, name) = (c_long::from(fd), c_long::from(level), c_long::from(name));
    // SAFETY: the call's own arguments, handed on; the kernel checks the pointers.
    unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, len) as c_int }
}
