//! The calls that send and receive: ten names, of which each says the buffers, the flags and the address its own way.

use super::buffers::buffers;
use super::lower::{Lowered, Setting, arguments, buffer, is_null, not_looked_at};
use super::messages::{control_messages, message, sent_controls};
use super::structures::{address, address_length};
use super::{Address, Call, ReceiveBy, SendBy, WantedAnswer};
use crate::ast::{CallLine, Expr};

pub(super) fn receive(line: &CallLine, s: &Setting<'_>) -> Lowered<(Call, WantedAnswer)> {
    let (by, fd, buffers, flags) = match line.name.value.as_str() {
        "read" => {
            let [fd, base, len] = arguments(line, s)?;
            (ReceiveBy::Read, fd, vec![buffer(base, len, s)?], 0)
        }
        "recv" => {
            let [fd, base, len, flags] = arguments(line, s)?;
            (ReceiveBy::Recv, fd, vec![buffer(base, len, s)?], s.c_int(flags)?)
        }
        "recvfrom" => {
            let [fd, base, len, flags, name, name_len] = arguments(line, s)?;
            not_looked_at([name, name_len], s)?;
            (ReceiveBy::RecvFrom, fd, vec![buffer(base, len, s)?], s.c_int(flags)?)
        }
        "readv" => {
            let [fd, iov, count] = arguments(line, s)?;
            (ReceiveBy::Readv, fd, buffers(iov, Some(count), s)?, 0)
        }
        _ => {
            let [fd, header, flags] = arguments(line, s)?;
            let header = message(header, s)?;
            let controls = match header.control {
                Some(list) => Some(control_messages(list, s)?),
                None => None,
            };
            let call = Call::Receive {
                fd: s.int(fd)?,
                by: ReceiveBy::RecvMsg,
                buffers: header.buffers,
                flags: s.c_int(flags)?,
                control: if controls.is_some() { 4096 } else { 0 },
            };
            return Ok((call, WantedAnswer::Message { flags: header.flags, controls }));
        }
    };
    Ok((Call::Receive { fd: s.int(fd)?, by, buffers, flags, control: 0 }, WantedAnswer::Nothing))
}

pub(super) fn send(line: &CallLine, s: &Setting<'_>) -> Lowered<(Call, WantedAnswer)> {
    let (by, fd, buffers, flags, address) = match line.name.value.as_str() {
        "write" => {
            let [fd, base, len] = arguments(line, s)?;
            (SendBy::Write, fd, vec![buffer(base, len, s)?], 0, None)
        }
        "send" => {
            let [fd, base, len, flags] = arguments(line, s)?;
            (SendBy::Send, fd, vec![buffer(base, len, s)?], s.c_int(flags)?, None)
        }
        "sendto" => {
            let [fd, base, len, flags, to, to_len] = arguments(line, s)?;
            let to = if is_null(to) { None } else { Some(address(to, Address::Remote, s)?) };
            match to {
                Some(to) => address_length(to_len, to, s)?,
                None if matches!(to_len.value, Expr::Integer(0) | Expr::Ellipsis) => {}
                None => return s.refuse(&to_len.span, "without an address the length is 0"),
            }
            (SendBy::SendTo, fd, vec![buffer(base, len, s)?], s.c_int(flags)?, to)
        }
        "writev" => {
            let [fd, iov, count] = arguments(line, s)?;
            (SendBy::Writev, fd, buffers(iov, Some(count), s)?, 0, None)
        }
        _ => return send_message(line, s),
    };
    let control = Vec::new();
    Ok((Call::Send { fd: s.int(fd)?, by, buffers, flags, address, control }, WantedAnswer::Nothing))
}

fn send_message(line: &CallLine, s: &Setting<'_>) -> Lowered<(Call, WantedAnswer)> {
    let [fd, header, flags] = arguments(line, s)?;
    let message = message(header, s)?;
    if message.flags.unwrap_or(0) != 0 {
        return s.refuse(&header.span, "sendmsg does not read msg_flags: flags are its last argument");
    }
    let flags = s.c_int(flags)?;
    // The name that the script leaves out matters only to a call that connects.
    let connects = flags & libc::MSG_FASTOPEN != 0;
    let address = message.name.or(connects.then_some(Address::Remote));
    let control = match message.control {
        Some(list) => sent_controls(list, s)?,
        None => Vec::new(),
    };
    let call =
        Call::Send { fd: s.int(fd)?, by: SendBy::SendMsg, buffers: message.buffers, flags, address, control };
    Ok((call, WantedAnswer::Nothing))
}
