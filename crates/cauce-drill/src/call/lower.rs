//! From a written call to a [`Call`]: each by its name, its arguments by their places.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::buffers::{epoll_events, poll_fds, size};
use super::structures::{address, address_length, option_value, wanted_name, wanted_value};
use super::symbols::{errno_of, similar, value_of};
use super::transfer::{receive, send};
use super::{Address, Buffer, Call, Wanted, WantedAnswer};
use crate::ast::{CallLine, Expr, Span, Spanned};
use crate::diagnostic::{Diagnostic, Kind, Source};

/// What lowering needs to know of the run.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    pub source: &'a Source,
    pub definitions: &'a BTreeMap<String, String>,
    /// AF_INET or AF_INET6: what `...` stands for in socket().
    pub domain: i32,
    /// The peer.
    pub remote: IpAddr,
}

pub(super) type Lowered<T> = Result<T, Box<Diagnostic>>;
type Arg = Spanned<Expr>;

impl Setting<'_> {
    pub(super) fn refuse<T>(&self, span: &Span, title: impl Into<String>) -> Lowered<T> {
        Err(Box::new(Diagnostic::new(self.source, span.clone(), Kind::Script, title)))
    }

    /// A number: a literal, a symbol, several joined by `|`.
    pub(super) fn number(&self, arg: &Arg) -> Lowered<i64> {
        match &arg.value {
            Expr::Integer(value) => Ok(*value),
            Expr::Symbol(name) => self.symbol(name, &arg.span),
            Expr::Or(parts) => parts.iter().try_fold(0, |all, part| Ok(all | self.number(part)?)),
            Expr::Apply(name, args) if name == "htons" || name == "htonl" => match args.as_slice() {
                [one] => self.number(one),
                _ => self.refuse(&arg.span, format!("{name} takes one number")),
            },
            _ => self.refuse(&arg.span, "a number or a symbol is needed here"),
        }
    }

    fn symbol(&self, name: &str, span: &Span) -> Lowered<i64> {
        let defined = self.definitions.get(name).map(String::as_str);
        let value = match defined {
            Some(text) => text
                .split('|')
                .map(str::trim)
                .try_fold(0, |all, part| Some(all | integer(part).or_else(|| value_of(part))?)),
            None => value_of(name).or(match name {
                // The socket's family decides, also where its packets are IPv4.
                "CMSG_LEVEL_IP" if self.domain == libc::AF_INET6 => value_of("SOL_IPV6"),
                "CMSG_LEVEL_IP" => value_of("SOL_IP"),
                "CMSG_TYPE_RECVERR" if self.domain == libc::AF_INET6 => value_of("IPV6_RECVERR"),
                "CMSG_TYPE_RECVERR" => value_of("IP_RECVERR"),
                _ => None,
            }),
        };
        match value {
            Some(value) => Ok(value),
            None => self.refuse(span, format!("unknown symbol `{name}`{}", similar(name))),
        }
    }

    /// A number that fits the C type.
    pub(super) fn int<T: TryFrom<i64>>(&self, arg: &Arg) -> Lowered<T> {
        let value = self.number(arg)?;
        match T::try_from(value) {
            Ok(value) => Ok(value),
            Err(_) => self.refuse(&arg.span, format!("{value} does not fit here")),
        }
    }

    /// An `int`; numbers with the top bit set, such as flags in hexadecimal, wrap as C has it.
    pub(super) fn c_int(&self, arg: &Arg) -> Lowered<i32> {
        let value = self.number(arg)?;
        match i32::try_from(value).or_else(|_| u32::try_from(value).map(|value| value as i32)) {
            Ok(value) => Ok(value),
            Err(_) => self.refuse(&arg.span, format!("{value} does not fit an int")),
        }
    }
}

/// A number from a definition's text.
fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Lowers `line`.
pub(crate) fn lower(line: &CallLine, setting: &Setting<'_>) -> Lowered<(Call, Wanted)> {
    let (call, answer) = call(line, setting)?;
    let len = match &call {
        Call::GetSockOpt { len, .. } if line.args.last().is_some_and(|len| len.value != Expr::Ellipsis) => {
            Some(*len)
        }
        _ => None,
    };
    let result = match &line.result.value {
        Expr::Anything => None,
        _ => Some(setting.number(&line.result)?),
    };
    let errno = match &line.errno {
        None => None,
        Some(name) => match errno_of(&name.value) {
            Some(errno) => Some(errno),
            None => {
                return setting
                    .refuse(&name.span, format!("unknown error `{}`{}", name.value, similar(&name.value)));
            }
        },
    };
    if errno.is_some() && result != Some(-1) {
        return setting.refuse(&line.result.span, "an error goes with the result -1");
    }
    Ok((call, Wanted { result, errno, answer, len }))
}

/// The arguments, as many as the call takes.
pub(super) fn arguments<'l, const N: usize>(line: &'l CallLine, s: &Setting<'_>) -> Lowered<&'l [Arg; N]> {
    match <&[Arg; N]>::try_from(line.args.as_slice()) {
        Ok(args) => Ok(args),
        Err(_) => {
            let title = format!("{} takes {N} arguments, here are {}", line.name.value, line.args.len());
            s.refuse(&line.name.span, title)
        }
    }
}

pub(super) fn is_null(arg: &Arg) -> bool {
    matches!(&arg.value, Expr::Symbol(name) if name == "NULL")
}

/// One buffer: `...` and how many bytes.
pub(super) fn buffer(base: &Arg, len: &Arg, s: &Setting<'_>) -> Lowered<Buffer> {
    let len = size(len, s)?;
    match &base.value {
        Expr::Ellipsis => Ok(Buffer::Bytes(len)),
        _ if is_null(base) => Ok(Buffer::Null(len)),
        _ => s.refuse(&base.span, "a buffer is written `...` or NULL"),
    }
}

/// Every call, for those who misspell one.
const CALLS: [&str; 36] = [
    "accept",
    "accept4",
    "bind",
    "close",
    "connect",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "fcntl",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "listen",
    "open",
    "pipe",
    "pipe2",
    "poll",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendfile",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
    "splice",
    "write",
    "writev",
    "epoll_pwait",
    "cap_set",
];

fn call(line: &CallLine, s: &Setting<'_>) -> Lowered<(Call, WantedAnswer)> {
    let plain = |call| Ok((call, WantedAnswer::Nothing));
    match line.name.value.as_str() {
        "socket" => socket(line, s).and_then(plain),
        "bind" => {
            let [fd, to, len] = arguments(line, s)?;
            let address = address(to, Address::Local, s)?;
            address_length(len, address, s)?;
            plain(Call::Bind { fd: s.int(fd)?, address })
        }
        "listen" => {
            let [fd, backlog] = arguments(line, s)?;
            plain(Call::Listen { fd: s.int(fd)?, backlog: s.int(backlog)? })
        }
        "accept" => {
            let [fd, name, len] = arguments(line, s)?;
            not_looked_at([name, len], s)?;
            plain(Call::Accept { fd: s.int(fd)?, flags: None })
        }
        "accept4" => {
            let [fd, name, len, flags] = arguments(line, s)?;
            not_looked_at([name, len], s)?;
            plain(Call::Accept { fd: s.int(fd)?, flags: Some(s.int(flags)?) })
        }
        "connect" => {
            let [fd, to, len] = arguments(line, s)?;
            let address = address(to, Address::Remote, s)?;
            address_length(len, address, s)?;
            plain(Call::Connect { fd: s.int(fd)?, address })
        }
        "read" | "recv" | "recvfrom" | "readv" | "recvmsg" => receive(line, s),
        "write" | "send" | "sendto" | "writev" | "sendmsg" => send(line, s),
        "close" => {
            let [fd] = arguments(line, s)?;
            plain(Call::Close { fd: s.int(fd)? })
        }
        "shutdown" => {
            let [fd, how] = arguments(line, s)?;
            plain(Call::Shutdown { fd: s.int(fd)?, how: s.int(how)? })
        }
        "fcntl" => {
            let (fd, command, argument) = match line.args.as_slice() {
                [fd, command] => (fd, command, None),
                [fd, command, argument] => (fd, command, Some(s.c_int(argument)?)),
                _ => return s.refuse(&line.name.span, "fcntl takes two or three arguments"),
            };
            plain(Call::Fcntl { fd: s.int(fd)?, command: s.int(command)?, argument })
        }
        "ioctl" => {
            let [fd, request, value] = arguments(line, s)?;
            let (argument, answer) = match &value.value {
                Expr::List(items) if items.len() == 1 => {
                    let value = s.c_int(&items[0])?;
                    (Some(value), WantedAnswer::Int(value))
                }
                Expr::Ellipsis => (Some(0), WantedAnswer::Nothing),
                _ if is_null(value) => (None, WantedAnswer::Nothing),
                _ => return s.refuse(&value.span, "the int of an ioctl is written `[N]`"),
            };
            Ok((Call::Ioctl { fd: s.int(fd)?, request: s.int(request)?, argument }, answer))
        }
        name @ ("getsockname" | "getpeername") => {
            let [fd, address, len] = arguments(line, s)?;
            not_looked_at([len], s)?;
            let call = Call::Name { fd: s.int(fd)?, peer: name == "getpeername" };
            Ok((call, wanted_name(address, s)?))
        }
        "getsockopt" | "setsockopt" => socket_option(line, s),
        "poll" => {
            let [fds, count, timeout] = arguments(line, s)?;
            let (fds, revents) = poll_fds(fds, s)?;
            if s.int::<usize>(count)? != fds.len() {
                return s.refuse(&count.span, "this is not the number of descriptors in the list");
            }
            Ok((Call::Poll { fds, timeout: s.int(timeout)? }, WantedAnswer::Poll(revents)))
        }
        "epoll_create" => {
            let [size] = arguments(line, s)?;
            plain(Call::EpollCreate { size: s.int(size)?, flags: None })
        }
        "epoll_create1" => {
            let [flags] = arguments(line, s)?;
            plain(Call::EpollCreate { size: 1, flags: Some(s.int(flags)?) })
        }
        "epoll_ctl" => {
            let [epoll, operation, fd, event] = arguments(line, s)?;
            let (events, data) = if is_null(event) { (0, 0) } else { one_event(event, s)? };
            let (epoll, operation, fd) = (s.int(epoll)?, s.int(operation)?, s.int(fd)?);
            plain(Call::EpollCtl { epoll, operation, fd, events, data })
        }
        "epoll_wait" => {
            let [epoll, events, max, timeout] = arguments(line, s)?;
            let call = Call::EpollWait { epoll: s.int(epoll)?, max: s.int(max)?, timeout: s.int(timeout)? };
            Ok((call, epoll_events(events, s)?))
        }
        "pipe" | "pipe2" => {
            let (ends, flags) = match line.args.as_slice() {
                [ends] => (ends, None),
                [ends, flags] => (ends, Some(s.int(flags)?)),
                _ => return s.refuse(&line.name.span, "pipe takes a list of two descriptors"),
            };
            let Expr::List(items) = &ends.value else {
                return s.refuse(&ends.span, "both ends of a pipe are written `[3, 4]`");
            };
            let [read, write] = items.as_slice() else {
                return s.refuse(&ends.span, "a pipe has two ends");
            };
            Ok((Call::Pipe { flags }, WantedAnswer::Pipe(s.int(read)?, s.int(write)?)))
        }
        "open" => {
            let (path, flags, mode) = match line.args.as_slice() {
                [path, flags] => (path, flags, OWNERS_FILE),
                [path, flags, mode] => (path, flags, octal(mode, s)?),
                _ => return s.refuse(&line.name.span, "open takes two or three arguments"),
            };
            let Expr::Text(bytes) = &path.value else {
                return s.refuse(&path.span, "a path is written as a string");
            };
            let path = String::from_utf8_lossy(bytes).into_owned();
            plain(Call::Open { path, flags: s.int(flags)?, mode })
        }
        "sendfile" => {
            let [output, input, offset, count] = arguments(line, s)?;
            let (output, input, offset) = (s.int(output)?, s.int(input)?, offset_of(offset, s)?);
            plain(Call::SendFile { output, input, offset, count: s.int(count)? })
        }
        "splice" => {
            let [input, input_offset, output, output_offset, len, flags] = arguments(line, s)?;
            let (input_offset, output_offset) = (offset_of(input_offset, s)?, offset_of(output_offset, s)?);
            let (input, output, len, flags) = (s.int(input)?, s.int(output)?, s.int(len)?, s.int(flags)?);
            plain(Call::Splice { input, input_offset, output, output_offset, len, flags })
        }
        name @ ("cap_set" | "psp_rx_assoc" | "psp_tx_assoc") => {
            Err(Box::new(Diagnostic::new(s.source, line.name.span.clone(), Kind::Unsupported, name)))
        }
        name => {
            let hint = crate::diagnostic::similar(name, CALLS.into_iter());
            s.refuse(&line.name.span, format!("unknown system call `{name}`{hint}"))
        }
    }
}

/// A socket of a kind that is run. What must fail is passed on as it is.
fn socket(line: &CallLine, s: &Setting<'_>) -> Lowered<Call> {
    let [domain, kind, protocol] = arguments(line, s)?;
    let (kind_value, protocol_value) = (s.int::<i32>(kind)?, s.int::<i32>(protocol)?);
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    if line.result.value != Expr::Integer(-1) {
        let wrong = if kind_value & !flags != libc::SOCK_STREAM {
            Some(kind)
        } else if ![0, libc::IPPROTO_TCP].contains(&protocol_value) {
            Some(protocol)
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let name = s.source.excerpt(&wrong.span);
            return Err(Box::new(Diagnostic::new(s.source, wrong.span.clone(), Kind::Unsupported, name)));
        }
    }
    let domain = if domain.value == Expr::Ellipsis { s.domain } else { s.int(domain)? };
    Ok(Call::Socket { domain, kind: kind_value, protocol: protocol_value })
}

/// Refuses anything but `...` and NULL, which say that a call may write here.
pub(super) fn not_looked_at<const N: usize>(args: [&Arg; N], s: &Setting<'_>) -> Lowered<()> {
    match args.into_iter().find(|arg| arg.value != Expr::Ellipsis && !is_null(arg)) {
        Some(arg) => s.refuse(&arg.span, "this is written `...` or NULL: it is not looked at"),
        None => Ok(()),
    }
}

/// Permissions of a file that open() makes when the script says none.
const OWNERS_FILE: u32 = 0o600;

/// Permissions, which are octal when they start with 0 as in C.
fn octal(mode: &Arg, s: &Setting<'_>) -> Lowered<u32> {
    let text = s.source.excerpt(&mode.span);
    match text.strip_prefix('0').map(|digits| u32::from_str_radix(digits, 8)) {
        Some(Ok(mode)) => Ok(mode),
        _ => s.int(mode),
    }
}

fn one_event(event: &Arg, s: &Setting<'_>) -> Lowered<(u32, u64)> {
    match epoll_events(event, s)? {
        WantedAnswer::Epoll(events) if events.len() == 1 => Ok(events[0]),
        _ => s.refuse(&event.span, "an event is written `{events=…, fd=…}`"),
    }
}

/// `[0]` or NULL.
fn offset_of(arg: &Arg, s: &Setting<'_>) -> Lowered<Option<i64>> {
    match &arg.value {
        Expr::List(items) if items.len() == 1 => Ok(Some(s.number(&items[0])?)),
        _ if is_null(arg) => Ok(None),
        _ => s.refuse(&arg.span, "an offset is written `[N]` or NULL"),
    }
}

fn socket_option(line: &CallLine, s: &Setting<'_>) -> Lowered<(Call, WantedAnswer)> {
    let [fd, level, name, value, len] = arguments(line, s)?;
    let (fd, level, name) = (s.int(fd)?, s.int(level)?, s.int(name)?);
    if line.name.value == "setsockopt" {
        let told: u32 = match &len.value {
            Expr::Ellipsis => 0,
            _ => s.int(len)?,
        };
        let value = if is_null(value) { None } else { Some(option_value(value, told as usize, s)?) };
        let len = match (&len.value, &value) {
            (Expr::Ellipsis, Some(bytes)) => bytes.len() as u32,
            _ => told,
        };
        return Ok((Call::SetSockOpt { fd, level, name, value, len }, WantedAnswer::Nothing));
    }
    let given: usize = match &len.value {
        Expr::List(items) if items.len() == 1 => s.int(&items[0])?,
        Expr::Ellipsis => 512,
        _ => return s.refuse(&len.span, "the length is written `[4]`"),
    };
    let null = is_null(value);
    let answer = if null { WantedAnswer::Nothing } else { wanted_value(value, given, s)? };
    Ok((Call::GetSockOpt { fd, level, name, len: given.min(65536), null }, answer))
}
