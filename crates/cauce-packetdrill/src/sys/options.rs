//! Socket options.

use super::{enter, get, get_bytes, put, put_bytes};
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
    unsafe {
        enter(data, |library| {
            let room = get(len)? as i32;
            let (result, answer) =
                library.call(|handles| Call::GetOption { fd: handles.fd(fd), level, name, len: room })?;
            if let Answer::Bytes(bytes) = answer {
                put_bytes(value.cast(), room.max(0) as usize, &bytes)?;
                put(len, bytes.len() as socklen_t)?;
            }
            Ok(result)
        }) as c_int
    }
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
