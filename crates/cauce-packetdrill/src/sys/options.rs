//! Socket options.

use super::{enter, get, get_bytes, put, put_bytes};
use crate::library::{Failure, Library};
use cauce_posix::{Answer, Call};
use libc::{c_int, c_void, socklen_t};

/// Bytes of a value that are looked at: more than any option has.
const LONGEST: usize = 1 << 16;

pub(super) unsafe extern "C" fn getsockopt(
    data: *mut c_void,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: `data` is the table's, and the pointers are what getsockopt() takes.
    unsafe { enter(data, |library| get_option(library, fd, level, name, value, len)) as c_int }
}

/// getsockopt() on a descriptor of `library`.
///
/// # Safety
/// The pointers are what getsockopt() takes.
pub(super) unsafe fn get_option(
    library: &Library,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> Result<i64, Failure> {
    // SAFETY: as the caller promises.
    let room = unsafe { get(len) }? as i32;
    let (result, answer) =
        library.call(|handles| Call::GetOption { fd: handles.fd(fd), level, name, len: room })?;
    if let Answer::Bytes(bytes) = answer {
        // SAFETY: as the caller promises.
        unsafe {
            put_bytes(value.cast(), room.max(0) as usize, &bytes)?;
            put(len, bytes.len() as socklen_t)?;
        }
    }
    Ok(result)
}

pub(super) unsafe extern "C" fn setsockopt(
    data: *mut c_void,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: `data` is the table's, and the value is what setsockopt() takes.
    unsafe {
        enter(data, |library| {
            // A negative length is no length for any option.
            let value = match i32::try_from(len) {
                Ok(len) => get_bytes(value.cast(), (len as usize).min(LONGEST)),
                Err(_) => Some(Vec::new()),
            };
            Ok(library.call(|handles| Call::SetOption { fd: handles.fd(fd), level, name, value })?.0)
        }) as c_int
    }
}
