//! sendmsg and recvmsg: buffers, and control messages taken apart.

use std::ptr;

use super::last_errno;
use crate::call::{Answer, Buffer, CONTROL_HEADER, Outcome};

/// Memory for buffers, and the iovecs over it. The memory outlives the iovecs by construction.
pub(super) struct Iovecs {
    _memory: Vec<Vec<u8>>,
    pub list: Vec<libc::iovec>,
}

impl Iovecs {
    /// Zeroed memory for each buffer; NULL ones keep their length and point nowhere.
    pub fn new(buffers: &[Buffer]) -> Iovecs {
        let mut memory: Vec<Vec<u8>> = Vec::new();
        let mut list = Vec::new();
        for buffer in buffers {
            let base = match buffer {
                Buffer::Null(_) => ptr::null_mut(),
                Buffer::Bytes(len) => {
                    memory.push(vec![0; (*len).max(1)]);
                    memory.last_mut().map_or(ptr::null_mut(), |bytes| bytes.as_mut_ptr().cast())
                }
            };
            list.push(libc::iovec { iov_base: base, iov_len: buffer.len() });
        }
        Iovecs { _memory: memory, list }
    }

    /// The first buffer: where it is and how long.
    pub fn first(&self) -> (*mut libc::c_void, usize) {
        self.list.first().map_or((ptr::null_mut(), 0), |iov| (iov.iov_base, iov.iov_len))
    }
}

fn header(iovecs: &mut Iovecs) -> libc::msghdr {
    libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: iovecs.list.as_mut_ptr(),
        msg_iovlen: iovecs.list.len(),
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    }
}

/// A control message: level, type, data.
pub(super) type Control = (i32, i32, Vec<u8>);

/// sendmsg, to an address and with control messages if there are any.
pub(super) fn send(
    fd: i32,
    buffers: &[Buffer],
    flags: i32,
    to: Option<&[u8]>,
    control: &[Control],
) -> Outcome {
    let mut iovecs = Iovecs::new(buffers);
    let mut message = header(&mut iovecs);
    let mut name = to.map(<[u8]>::to_vec).unwrap_or_default();
    if !name.is_empty() {
        message.msg_name = name.as_mut_ptr().cast();
        message.msg_namelen = name.len() as u32;
    }
    let mut room = control_bytes(control);
    if !room.is_empty() {
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = room.len() * 8;
    }
    // SAFETY: the header points to iovecs, a name and control messages that live on and are as long as it says;
    // the iovecs' memory is owned or NULL, which gives EFAULT.
    let sent = unsafe { libc::sendmsg(fd, &message, flags) };
    if sent < 0 { Outcome::failed(last_errno()) } else { Outcome::done(sent as i64) }
}

/// Control messages one after the other, in words, for they are aligned as size_t is.
fn control_bytes(control: &[Control]) -> Vec<u64> {
    let mut bytes = Vec::new();
    for (level, kind, data) in control {
        bytes.extend((CONTROL_HEADER as u64 + data.len() as u64).to_ne_bytes());
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes.chunks_exact(8).filter_map(|word| Some(u64::from_ne_bytes(word.try_into().ok()?))).collect()
}

/// recvmsg, with room for `control` bytes of control messages.
pub(super) fn receive(fd: i32, buffers: &[Buffer], flags: i32, control: usize) -> Outcome {
    let mut iovecs = Iovecs::new(buffers);
    let mut message = header(&mut iovecs);
    // u64s, for control messages are aligned as size_t is.
    let mut room = vec![0u64; control.div_ceil(8)];
    if control > 0 {
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = control;
    }
    // SAFETY: as in `send`; the control buffer is owned and as long as it is said to be.
    let received = unsafe { libc::recvmsg(fd, &mut message, flags) };
    if received < 0 {
        return Outcome::failed(last_errno());
    }
    let bytes: Vec<u8> = room.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let controls = control_messages(bytes.get(..message.msg_controllen).unwrap_or(&[]));
    Outcome::with(received as i64, Answer::Message { flags: message.msg_flags, controls })
}

/// Level, type and data of each control message.
fn control_messages(mut bytes: &[u8]) -> Vec<(i32, i32, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some((head, _)) = bytes.split_first_chunk::<16>() {
        let word =
            |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_ne_bytes);
        let len = head.first_chunk::<8>().map_or(0, |len| u64::from_ne_bytes(*len)) as usize;
        let Some(data) = bytes.get(16..len) else { break };
        found.push((word(8), word(12), data.to_vec()));
        bytes = bytes.get(len.next_multiple_of(8)..).unwrap_or(&[]);
    }
    found
}
