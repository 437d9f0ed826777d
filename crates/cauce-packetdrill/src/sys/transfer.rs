//! Calls that move bytes: the families of read() and write(), and splice().

use super::memory::Pieces;
use super::{address, enter, get, get_bytes, message, put, put_bytes};
use crate::library::{Failure, Library, Returned};
use cauce_posix::{Address, Answer, Call, Control, MOST_PIECES, Receive};
use libc::{c_int, c_uint, c_void, iovec, loff_t, msghdr, size_t, sockaddr, socklen_t, ssize_t};

/// Bytes of control messages that Linux takes (net.core.optmem_max).
const CONTROL: usize = 131_072;

fn receive(library: &Library, fd: c_int, memory: Pieces, flags: c_int, by: Receive) -> Returned {
    library.call(|handles| Call::Receive { fd: handles.fd(fd), memory: Box::new(memory), flags, by })
}

fn give(
    library: &Library,
    fd: c_int,
    memory: Pieces,
    flags: c_int,
    to: Option<Address>,
    controls: Vec<Control>,
) -> Result<i64, Failure> {
    let call = library.call(|handles| {
        let memory = Box::new(memory);
        Call::Send { fd: handles.fd(fd), memory, flags, to, controls }
    });
    Ok(call?.0)
}

/// readv() and writev() take no negative number of pieces.
fn count(pieces: c_int) -> Result<usize, Failure> {
    usize::try_from(pieces).map_err(|_| Failure(libc::EINVAL))
}

pub(super) unsafe extern "C" fn read(data: *mut c_void, fd: c_int, to: *mut c_void, len: size_t) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory is what read() takes.
    unsafe {
        enter(data, |library| Ok(receive(library, fd, Pieces::one(to, len), 0, Receive::Read)?.0)) as ssize_t
    }
}

pub(super) unsafe extern "C" fn readv(
    data: *mut c_void,
    fd: c_int,
    pieces: *const iovec,
    len: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the vector is what readv() takes.
    unsafe {
        enter(data, |library| {
            let memory = Pieces::vector(pieces, count(len)?)?;
            Ok(receive(library, fd, memory, 0, Receive::Read)?.0)
        }) as ssize_t
    }
}

pub(super) unsafe extern "C" fn recv(
    data: *mut c_void,
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory is what recv() takes.
    unsafe {
        enter(data, |library| Ok(receive(library, fd, Pieces::one(to, len), flags, Receive::Recv)?.0))
            as ssize_t
    }
}

pub(super) unsafe extern "C" fn recvfrom(
    data: *mut c_void,
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory and the address are what recvfrom() takes.
    unsafe {
        enter(data, |library| {
            let room = address::room(from, from_len)?;
            // Only what comes from the error queue has an address.
            let by = match flags & libc::MSG_ERRQUEUE {
                0 => Receive::Recv,
                _ => Receive::Message { control: 0 },
            };
            let (result, answer) = receive(library, fd, Pieces::one(to, len), flags, by)?;
            if let Some(room) = room {
                let name = match answer {
                    Answer::Message { name, .. } => name,
                    _ => None,
                };
                address::write(from, from_len, room, name)?;
            }
            Ok(result)
        }) as ssize_t
    }
}

pub(super) unsafe extern "C" fn recvmsg(
    data: *mut c_void,
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the message is what recvmsg() takes.
    unsafe {
        enter(data, |library| {
            let header = get(message)?;
            if header.msg_iovlen > MOST_PIECES {
                return Err(Failure(libc::EMSGSIZE));
            }
            let name = header.msg_name.cast::<sockaddr>();
            let name_len = &raw mut (*message).msg_namelen;
            let name_room = address::room(name, name_len)?;
            let room = if header.msg_control.is_null() { 0 } else { header.msg_controllen };
            let memory = Pieces::vector(header.msg_iov, header.msg_iovlen)?;
            let (result, answer) = receive(library, fd, memory, flags, Receive::Message { control: room })?;
            if let Answer::Message { flags, name: peer, controls } = answer {
                let (bytes, cut) = message::write(&controls, room);
                put_bytes(header.msg_control.cast(), room, &bytes)?;
                put(&raw mut (*message).msg_controllen, bytes.len())?;
                put(&raw mut (*message).msg_flags, flags | if cut { libc::MSG_CTRUNC } else { 0 })?;
                if let Some(name_room) = name_room {
                    address::write(name, name_len, name_room, peer)?;
                }
            }
            Ok(result)
        }) as ssize_t
    }
}

pub(super) unsafe extern "C" fn write(
    data: *mut c_void,
    fd: c_int,
    from: *const c_void,
    len: size_t,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory, which is only read, is what write() takes.
    unsafe {
        enter(data, |library| give(library, fd, Pieces::one(from.cast_mut(), len), 0, None, Vec::new()))
            as ssize_t
    }
}

pub(super) unsafe extern "C" fn writev(
    data: *mut c_void,
    fd: c_int,
    pieces: *const iovec,
    len: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the vector, which is only read, is what writev() takes.
    unsafe {
        enter(data, |library| give(library, fd, Pieces::vector(pieces, count(len)?)?, 0, None, Vec::new()))
            as ssize_t
    }
}

pub(super) unsafe extern "C" fn send(
    data: *mut c_void,
    fd: c_int,
    from: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory, which is only read, is what send() takes.
    unsafe {
        enter(data, |library| give(library, fd, Pieces::one(from.cast_mut(), len), flags, None, Vec::new()))
            as ssize_t
    }
}

pub(super) unsafe extern "C" fn sendto(
    data: *mut c_void,
    fd: c_int,
    from: *const c_void,
    len: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_len: socklen_t,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the memory, which is only read, and the address are what sendto()
    // takes.
    unsafe {
        enter(data, |library| {
            let to = if to.is_null() { None } else { Some(address::read(to, to_len)) };
            give(library, fd, Pieces::one(from.cast_mut(), len), flags, to, Vec::new())
        }) as ssize_t
    }
}

pub(super) unsafe extern "C" fn sendmsg(
    data: *mut c_void,
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
) -> ssize_t {
    // SAFETY: `data` is the table's, and the message, which is only read, is what sendmsg() takes.
    unsafe {
        enter(data, |library| {
            let header = get(message)?;
            if header.msg_iovlen > MOST_PIECES {
                return Err(Failure(libc::EMSGSIZE));
            }
            if header.msg_controllen > CONTROL {
                return Err(Failure(libc::ENOBUFS));
            }
            let name = header.msg_name.cast::<sockaddr>();
            let to = if name.is_null() { None } else { Some(address::read(name, header.msg_namelen)) };
            let memory = Pieces::vector(header.msg_iov, header.msg_iovlen)?;
            let controls = get_bytes(header.msg_control.cast(), header.msg_controllen);
            let controls = message::parse(&controls.ok_or(Failure(libc::EFAULT))?)?;
            give(library, fd, memory, flags, to, controls)
        }) as ssize_t
    }
}

/// Where in a file to read or write. The tool passes a pointer to zero where a script says NULL, and no
/// descriptor of ours is a file: zero is no place.
///
/// # Safety
/// An offset that is not NULL can be read.
unsafe fn place(offset: *mut loff_t) -> Result<Option<u64>, Failure> {
    if offset.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    match unsafe { get(offset) }? {
        0 => Ok(None),
        place => u64::try_from(place).map(Some).map_err(|_| Failure(libc::EINVAL)),
    }
}

pub(super) unsafe extern "C" fn splice(
    data: *mut c_void,
    input: c_int,
    input_offset: *mut loff_t,
    output: c_int,
    output_offset: *mut loff_t,
    len: size_t,
    flags: c_uint,
) -> c_int {
    // SAFETY: `data` is the table's, and the offsets are what splice() takes.
    unsafe {
        enter(data, |library| {
            let (input_offset, output_offset) = (place(input_offset)?, place(output_offset)?);
            let call = library.call(|handles| Call::Splice {
                input: handles.fd(input),
                input_offset,
                output: handles.fd(output),
                output_offset,
                // What is moved is told as an int.
                len: len.min(i32::MAX as usize),
                flags,
            });
            Ok(call?.0)
        }) as c_int
    }
}
