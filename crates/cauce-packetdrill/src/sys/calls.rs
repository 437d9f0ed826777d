//! Calls that move no bytes: socket, bind, listen, accept, connect, close, shutdown, fcntl, ioctl, pipe.

use super::{address, enter, get, put};
use crate::library::Failure;
use cauce_posix::{Answer, Call};
use libc::{c_int, c_ulong, c_void, sockaddr, socklen_t};

/// Requests that read the int to which their argument points: FIONBIO, FIOSETOWN, SIOCSPGRP.
const READING: [u64; 3] = [0x5421, 0x8901, 0x8902];

pub(super) unsafe extern "C" fn socket(
    data: *mut c_void,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> c_int {
    let run = |library: &crate::library::Library| Ok(library.socket(domain, kind, protocol)?.0);
    // SAFETY: `data` is the table's.
    unsafe { enter(data, run) as c_int }
}

pub(super) unsafe extern "C" fn bind(
    data: *mut c_void,
    fd: c_int,
    to: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: `data` is the table's, and the address is what bind() takes.
    unsafe {
        enter(data, |library| {
            let address = address::read(to, len);
            Ok(library.call(|handles| Call::Bind { fd: handles.fd(fd), address })?.0)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn listen(data: *mut c_void, fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: `data` is the table's.
    unsafe {
        enter(data, |library| Ok(library.call(|handles| Call::Listen { fd: handles.fd(fd), backlog })?.0))
            as c_int
    }
}

pub(super) unsafe extern "C" fn accept(
    data: *mut c_void,
    fd: c_int,
    from: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: `data` is the table's, and the pointers are what accept() takes.
    unsafe {
        enter(data, |library| {
            let room = address::room(from, len)?;
            let (handle, answer) =
                library.call_for_handle(0, |handles| Call::Accept { fd: handles.fd(fd), flags: 0 })?;
            if let Some(room) = room {
                let peer = match answer {
                    Answer::Address(peer) => Some(peer),
                    _ => None,
                };
                address::write(from, len, room, peer)?;
            }
            Ok(handle)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn connect(
    data: *mut c_void,
    fd: c_int,
    to: *const sockaddr,
    len: socklen_t,
) -> c_int {
    // SAFETY: `data` is the table's, and the address is what connect() takes.
    unsafe {
        enter(data, |library| {
            let address = address::read(to, len);
            Ok(library.call(|handles| Call::Connect { fd: handles.fd(fd), address })?.0)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn close(data: *mut c_void, fd: c_int) -> c_int {
    // SAFETY: `data` is the table's.
    unsafe { enter(data, |library| Ok(library.close(fd)?.0)) as c_int }
}

pub(super) unsafe extern "C" fn shutdown(data: *mut c_void, fd: c_int, how: c_int) -> c_int {
    // SAFETY: `data` is the table's.
    unsafe {
        enter(data, |library| Ok(library.call(|handles| Call::Shutdown { fd: handles.fd(fd), how })?.0))
            as c_int
    }
}

pub(super) unsafe extern "C" fn fcntl(
    data: *mut c_void,
    fd: c_int,
    command: c_int,
    argument: c_int,
) -> c_int {
    // SAFETY: `data` is the table's.
    unsafe {
        enter(data, |library| match command {
            // The least number is one of the host's; the process has numbers of its own.
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC if argument < 0 => Err(Failure(libc::EINVAL)),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
                let copy = |handles: &crate::handles::Handles| Call::Fcntl {
                    fd: handles.fd(fd),
                    command,
                    argument: 0,
                };
                Ok(library.call_for_handle(argument, copy)?.0)
            }
            _ => {
                let argument = i64::from(argument);
                Ok(library.call(|handles| Call::Fcntl { fd: handles.fd(fd), command, argument })?.0)
            }
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn ioctl(
    data: *mut c_void,
    fd: c_int,
    request: c_ulong,
    value: *mut c_int,
) -> c_int {
    // SAFETY: `data` is the table's. The pointer is only used for requests that take one to an int.
    unsafe {
        enter(data, |library| {
            // Linux looks at the low 32 bits.
            let request = u64::from(request as u32);
            let argument = if READING.contains(&request) { get(value)? } else { 0 };
            let (result, answer) =
                library.call(|handles| Call::Ioctl { fd: handles.fd(fd), request, argument })?;
            if let Answer::Int(int) = answer {
                put(value, int)?;
            }
            Ok(result)
        }) as c_int
    }
}

pub(super) unsafe extern "C" fn pipe(data: *mut c_void, ends: *mut c_int) -> c_int {
    // SAFETY: `data` is the table's, and `ends` has room for two ints.
    unsafe {
        enter(data, |library| {
            if ends.is_null() {
                return Err(Failure(libc::EFAULT));
            }
            put(ends.cast::<[c_int; 2]>(), library.pipe()?)?;
            Ok(0)
        }) as c_int
    }
}
