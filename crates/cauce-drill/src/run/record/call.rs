//! A call as it is written in the script, with what really came in the places of what was expected.

use crate::ast::{Action, CallLine, Event, Expr, Field, Span, Spanned};
use crate::call::symbols::{bits, errno_name};
use crate::call::{Answer, Call, Outcome, Wanted};
use crate::diagnostic::Source;

/// A piece of the text and what stands there instead.
type Edit = (Span, String);

/// The whole line after its time.
pub(in crate::run) fn rewritten(
    source: &Source,
    event: &Event,
    call: &Call,
    wanted: &Wanted,
    outcome: &Outcome,
) -> String {
    let Action::Call(line) = &event.action else { return source.excerpt(&event.action_span) };
    let mut edits = Vec::new();
    if outcome.result >= 0 {
        arguments(line, &outcome.answer, &mut edits);
    }
    let start = event.action_span.start;
    let mut text = source.text.get(start..line.result.span.start).unwrap_or("").to_owned();
    // From the last one on, so that the places before it stay right.
    edits.sort_by_key(|(span, _)| span.start);
    for (span, new) in edits.into_iter().rev() {
        if let (Some(from), Some(to)) = (span.start.checked_sub(start), span.end.checked_sub(start))
            && text.get(from..to).is_some()
        {
            text.replace_range(from..to, &new);
        }
    }
    if text.contains('\n') {
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    format!("{} {}", text.trim_end(), result(source, line, call, wanted, outcome))
}

/// The result: in the script's own words when it is the expected one.
fn result(source: &Source, line: &CallLine, call: &Call, wanted: &Wanted, outcome: &Outcome) -> String {
    let same = match wanted.result {
        Some(result) if call.returns_fd() => result >= 0 && outcome.result >= 0 || result == outcome.result,
        Some(result) => result == outcome.result,
        None => false,
    };
    if same && outcome.errno == wanted.errno.unwrap_or(0) {
        let end = line.errno.as_ref().map_or(line.result.span.end, |errno| errno.span.end);
        let note = line.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        return source.excerpt(&(line.result.span.start..end)) + &note;
    }
    match outcome.errno {
        0 => outcome.spelled(),
        errno => format!("{} ({})", outcome.spelled(), meaning(errno)),
    }
}

/// What strerror says.
fn meaning(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or("").to_owned()
}

/// What the call wrote through its pointers.
fn arguments(line: &CallLine, answer: &Answer, edits: &mut Vec<Edit>) {
    let argument = |index: usize| line.args.get(index);
    match (line.name.value.as_str(), answer) {
        ("getsockopt", Answer::Bytes(bytes)) => {
            if let Some(value) = argument(3) {
                option_value(value, bytes, edits);
            }
            if let Some(Spanned { value: Expr::List(items), .. }) = argument(4)
                && let [length] = items.as_slice()
            {
                edits.push((length.span.clone(), bytes.len().to_string()));
            }
        }
        ("ioctl", Answer::Int(value)) => {
            if let Some(argument) = argument(2).filter(|argument| argument.value != Expr::Ellipsis) {
                edits.push((argument.span.clone(), format!("[{value}]")));
            }
        }
        ("poll", Answer::Poll(revents)) => {
            if let Some(Spanned { value: Expr::List(items), .. }) = argument(0) {
                for (item, revents) in items.iter().zip(revents) {
                    poll_item(item, bits(u32::from(*revents as u16), "POLL"), edits);
                }
            }
        }
        ("epoll_wait" | "epoll_pwait" | "epoll_pwait2", Answer::Epoll(events)) => {
            if let Some(wanted) = argument(1).filter(|wanted| wanted.value != Expr::Ellipsis) {
                edits.push((wanted.span.clone(), epoll_events(wanted, events)));
            }
        }
        ("recvmsg", Answer::Message { flags, controls }) => {
            if let Some(Spanned { value: Expr::Struct(fields), .. }) = argument(1) {
                message(fields, *flags, controls, edits);
            }
        }
        _ => {}
    }
}

/// The value of a socket option in the shape that the script has chosen for it.
fn option_value(value: &Spanned<Expr>, bytes: &[u8], edits: &mut Vec<Edit>) {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    let long = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(i64::from_ne_bytes);
    match &value.value {
        Expr::List(_) => {
            let (words, rest) = bytes.as_chunks::<4>();
            let words = words.iter().map(|word| i32::from_ne_bytes(*word).to_string());
            let rest = rest.iter().map(u8::to_string);
            edits.push((
                value.span.clone(),
                format!("[{}]", words.chain(rest).collect::<Vec<_>>().join(", ")),
            ));
        }
        Expr::Text(_) => edits.push((value.span.clone(), text(bytes))),
        Expr::Struct(fields) => {
            for field in fields {
                let live = match field.name.as_ref().map(|name| name.value.as_str()) {
                    Some("onoff" | "l_onoff") => word(0).map(i64::from),
                    Some("linger" | "l_linger") => word(4).map(i64::from),
                    Some("tv_sec") => long(0),
                    Some("tv_usec") => long(8),
                    _ => None,
                };
                if let Some(live) = live {
                    edits.push((field.value.span.clone(), live.to_string()));
                }
            }
        }
        _ => {}
    }
}

/// A string as scripts write it.
fn text(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text + "\""
}

fn member<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    fields.iter().find(|field| field.name.as_ref().is_some_and(|known| known.value == name))
}

/// `revents` of one descriptor, added when the script does not write it.
fn poll_item(item: &Spanned<Expr>, revents: String, edits: &mut Vec<Edit>) {
    let Expr::Struct(fields) = &item.value else { return };
    match (member(fields, "revents"), fields.last()) {
        (Some(field), _) => edits.push((field.value.span.clone(), revents)),
        (None, Some(last)) => {
            let end = last.value.span.end;
            edits.push((end..end, format!(", revents={revents}")));
        }
        _ => {}
    }
}

/// What epoll_wait found, with the member of the data that the script uses.
fn epoll_events(wanted: &Spanned<Expr>, events: &[(u32, u64)]) -> String {
    let first = match &wanted.value {
        Expr::List(items) => items.first().map(|item| &item.value),
        other => Some(other),
    };
    let member = match first {
        Some(Expr::Struct(fields)) => {
            ["fd", "u32", "u64", "ptr"].into_iter().find(|name| self::member(fields, name).is_some())
        }
        _ => None,
    };
    let member = member.filter(|member| *member != "ptr").unwrap_or("fd");
    let all: Vec<_> = events
        .iter()
        .map(|(events, data)| format!("{{events={}, {member}={data}}}", bits(*events, "EPOLL")))
        .collect();
    match (all.as_slice(), &wanted.value) {
        ([], _) => "{events=0, ptr=0}".to_owned(),
        ([one], Expr::Struct(_)) => one.clone(),
        _ => format!("[{}]", all.join(", ")),
    }
}

/// Flags and control messages of recvmsg.
fn message(fields: &[Field], flags: i32, controls: &[(i32, i32, Vec<u8>)], edits: &mut Vec<Edit>) {
    if let Some(field) = member(fields, "msg_flags") {
        edits.push((field.value.span.clone(), bits(flags as u32, "MSG_")));
    }
    if let Some(field) = member(fields, "msg_control").filter(|field| field.value.value != Expr::Ellipsis) {
        let all: Vec<_> = controls.iter().map(|(level, kind, data)| control(*level, *kind, data)).collect();
        edits.push((field.value.span.clone(), format!("[{}]", all.join(", "))));
    }
}

fn control(level: i32, kind: i32, data: &[u8]) -> String {
    let word = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let known = match (level, kind) {
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
            Some(("SOL_SOCKET", "SCM_TIMESTAMPING", timestamp(data)))
        }
        (libc::SOL_TCP, TCP_CM_INQ) => {
            Some(("SOL_TCP", "TCP_CM_INQ", word(0).map(|value| value.cast_signed().to_string())))
        }
        (libc::SOL_IP, libc::IP_RECVERR) => Some(("SOL_IP", "IP_RECVERR", extended_error(data))),
        (libc::SOL_IPV6, libc::IPV6_RECVERR) => Some(("SOL_IPV6", "IPV6_RECVERR", extended_error(data))),
        (libc::SOL_IP, libc::IP_TOS) => Some(("SOL_IP", "IP_TOS", data.first().map(u8::to_string))),
        (libc::SOL_IP, libc::IP_TTL) => Some(("SOL_IP", "IP_TTL", word(0).map(|value| value.to_string()))),
        _ => None,
    };
    match known {
        Some((level, kind, data)) => {
            let data = data.as_deref().unwrap_or("...");
            format!("{{cmsg_level={level}, cmsg_type={kind}, cmsg_data={data}}}")
        }
        None => format!("{{cmsg_level={level}, cmsg_type={kind}, cmsg_data=...}}"),
    }
}

const TCP_CM_INQ: i32 = 36;

/// The software timestamp.
fn timestamp(data: &[u8]) -> Option<String> {
    let seconds = i64::from_ne_bytes(data.get(..8)?.try_into().ok()?);
    let nanos = i64::from_ne_bytes(data.get(8..16)?.try_into().ok()?);
    Some(format!("{{scm_sec={seconds}, scm_nsec={nanos}}}"))
}

/// `struct sock_extended_err`.
fn extended_error(data: &[u8]) -> Option<String> {
    let word = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let (errno, info, value) = (word(0)?, word(8)?, word(12)?);
    let [origin, kind, code] = data.get(4..7)?.try_into().ok()?;
    let errno = if errno == 0 { "0".to_owned() } else { errno_name(errno as i32) };
    let origin = match origin {
        1 => "SO_EE_ORIGIN_LOCAL".to_owned(),
        2 => "SO_EE_ORIGIN_ICMP".to_owned(),
        3 => "SO_EE_ORIGIN_ICMP6".to_owned(),
        4 => "SO_EE_ORIGIN_TIMESTAMPING".to_owned(),
        5 => "SO_EE_ORIGIN_ZEROCOPY".to_owned(),
        other => other.to_string(),
    };
    Some(format!(
        "{{ee_errno={errno}, ee_origin={origin}, ee_type={kind}, ee_code={code}, ee_info={info}, ee_data={value}}}"
    ))
}
