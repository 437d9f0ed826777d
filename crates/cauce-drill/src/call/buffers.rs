//! Arguments in brackets and braces: buffers, poll and epoll lists.

use super::lower::{Lowered, Setting};
use super::{Buffer, Fd, WantedAnswer};
use crate::ast::{Expr, Field, Spanned};

type Arg = Spanned<Expr>;

/// The member called `name`.
pub(super) fn member<'f>(fields: &'f [Field], name: &str) -> Option<&'f Arg> {
    fields
        .iter()
        .find(|field| field.name.as_ref().is_some_and(|known| known.value == name))
        .map(|field| &field.value)
}

/// Refuses members other than `known`.
pub(super) fn only(fields: &[Field], known: &[&str], s: &Setting<'_>) -> Lowered<()> {
    for name in fields.iter().filter_map(|field| field.name.as_ref()) {
        if !known.contains(&name.value.as_str()) {
            let title = format!("unknown member `{}`; there are {}", name.value, known.join(", "));
            return s.refuse(&name.span, title);
        }
    }
    Ok(())
}

/// The largest buffer that a call may be given, bytes.
const LARGEST: usize = 64 << 20;

/// The length of a buffer.
pub(super) fn size(arg: &Arg, s: &Setting<'_>) -> Lowered<usize> {
    let len = s.int(arg)?;
    if len > LARGEST { s.refuse(&arg.span, "a buffer may have 64 MiB at most") } else { Ok(len) }
}

/// `[{..., 1000}, {..., 500}]`, and the count that must agree.
pub(super) fn buffers(arg: &Arg, count: Option<&Arg>, s: &Setting<'_>) -> Lowered<Vec<Buffer>> {
    let Expr::List(items) = &arg.value else {
        return s.refuse(&arg.span, "buffers are written `[{..., LENGTH}]`");
    };
    let mut all = Vec::new();
    for item in items {
        let Expr::Struct(fields) = &item.value else {
            return s.refuse(&item.span, "a buffer in a list is written `{..., LENGTH}`");
        };
        let [base, len] = fields.as_slice() else {
            return s.refuse(&item.span, "a buffer in a list is written `{..., LENGTH}`");
        };
        let len = size(&len.value, s)?;
        all.push(match &base.value.value {
            Expr::Ellipsis => Buffer::Bytes(len),
            Expr::Symbol(name) if name == "NULL" => Buffer::Null(len),
            _ => return s.refuse(&base.value.span, "a buffer is written `...` or NULL"),
        });
    }
    if let Some(count) = count
        && s.int::<usize>(count)? != all.len()
    {
        return s.refuse(&count.span, "this is not the number of buffers in the list");
    }
    Ok(all)
}

/// Descriptors with the events asked for, and the events that must come.
type PollList = (Vec<(Fd, i16)>, Vec<i16>);

/// `[{fd=4, events=POLLIN, revents=POLLIN}]`.
pub(super) fn poll_fds(arg: &Arg, s: &Setting<'_>) -> Lowered<PollList> {
    let Expr::List(items) = &arg.value else {
        return s.refuse(&arg.span, "descriptors are written `[{fd=N, events=…, revents=…}]`");
    };
    let (mut fds, mut revents) = (Vec::new(), Vec::new());
    for item in items {
        let Expr::Struct(fields) = &item.value else {
            return s.refuse(&item.span, "a descriptor is written `{fd=N, events=…, revents=…}`");
        };
        only(fields, &["fd", "events", "revents"], s)?;
        let bits = |name| match member(fields, name) {
            Some(value) => s.int::<u16>(value).map(u16::cast_signed),
            None => Ok(0),
        };
        let Some(fd) = member(fields, "fd") else {
            return s.refuse(&item.span, "`fd=` is missing");
        };
        fds.push((s.number(fd)?, bits("events")?));
        revents.push(bits("revents")?);
    }
    Ok((fds, revents))
}

/// `{events=EPOLLIN, fd=4}`, a list of them, or `...` when they are not looked at.
pub(super) fn epoll_events(arg: &Arg, s: &Setting<'_>) -> Lowered<WantedAnswer> {
    let items = match &arg.value {
        Expr::Ellipsis => return Ok(WantedAnswer::Nothing),
        Expr::List(items) => items.as_slice(),
        _ => std::slice::from_ref(arg),
    };
    let mut events = Vec::new();
    for item in items {
        let Expr::Struct(fields) = &item.value else {
            return s.refuse(&item.span, "an event is written `{events=…, fd=…}`");
        };
        let data = ["fd", "ptr", "u32", "u64"];
        only(fields, &["events", "fd", "ptr", "u32", "u64"], s)?;
        let Some(bits) = member(fields, "events") else {
            return s.refuse(&item.span, "`events=` is missing");
        };
        let data = match data.iter().find_map(|name| member(fields, name)) {
            Some(value) => s.number(value)? as u64,
            None => 0,
        };
        events.push((s.int(bits)?, data));
    }
    Ok(WantedAnswer::Epoll(events))
}
