//! Calls with one token of their results changed: the number, the error, what is written through pointers.

use cauce_drill::ast::{Action, CallLine, Event, Expr, Field, Spanned};

use super::Mutant;

/// All mutants of a call's results. `?` accepts anything, and what a failed call would have written is not looked
/// at.
pub(crate) fn mutants(event: &Event, line: &CallLine) -> Vec<Mutant> {
    let mut all = Vec::new();
    let mut with = |class, what: String, line: CallLine| {
        all.push(Mutant::new(class, what, event, Action::Call(line)));
    };
    if line.result.value != Expr::Anything {
        for value in changed(&line.result.value) {
            let what = format!("result {:?} to {value:?}", line.result.value);
            let result = Spanned { value, span: line.result.span.clone() };
            with("result", what, CallLine { result, ..line.clone() });
        }
    }
    if let Some(errno) = &line.errno {
        let again = ["EAGAIN", "EWOULDBLOCK"].contains(&errno.value.as_str());
        let other = if again { "EBADF" } else { "EAGAIN" };
        let errno = Spanned { value: other.to_owned(), span: errno.span.clone() };
        let what = format!("error {:?} to {other}", line.errno.as_ref().map(|errno| &errno.value));
        with("errno", what, CallLine { errno: Some(errno), ..line.clone() });
    }
    if line.result.value == Expr::Integer(-1) {
        return all;
    }
    for (place, look) in written(line) {
        let Some(argument) = line.args.get(*place) else { continue };
        for value in inside(&argument.value, look) {
            let what = format!("argument {} to {value:?}", place + 1);
            let mut line = line.clone();
            line.args[*place].value = value;
            with(if *place == 4 { "room for an answer" } else { "answer" }, what, line);
        }
    }
    all
}

/// The requests that only give an int; others read it.
const GIVING: [&str; 6] = ["SIOCINQ", "FIONREAD", "SIOCOUTQ", "TIOCOUTQ", "SIOCOUTQNSD", "SIOCATMARK"];

/// More than is tolerated of any time in our scripts, ns.
const TOLERATED: i64 = 60_000_000;

/// Which members of an argument are expectations.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// All.
    Everything,
    /// Only the members of these names, and all below them.
    Members(&'static [&'static str]),
}

/// The arguments through which a call writes what is checked.
fn written(line: &CallLine) -> &'static [(usize, Look)] {
    let gives = |request: &Expr| matches!(request, Expr::Symbol(name) if GIVING.contains(&name.as_str()));
    match line.name.value.as_str() {
        "getsockopt" => &[(3, Look::Everything), (4, Look::Everything)],
        "ioctl" if line.args.get(1).is_some_and(|request| gives(&request.value)) => &[(2, Look::Everything)],
        "pipe" | "pipe2" => &[(0, Look::Everything)],
        "poll" => &[(0, Look::Members(&["revents"]))],
        "epoll_wait" => &[(1, Look::Everything)],
        "recvmsg" => &[(1, Look::Members(&["msg_flags", "msg_control"]))],
        _ => &[],
    }
}

/// The argument with each of its expectations changed.
fn inside(value: &Expr, look: &Look) -> Vec<Expr> {
    match value {
        Expr::List(items) => {
            let mut all = Vec::new();
            for (index, item) in items.iter().enumerate() {
                for value in inside(&item.value, look) {
                    let mut items = items.clone();
                    items[index].value = value;
                    all.push(Expr::List(items));
                }
            }
            all
        }
        Expr::Struct(fields) => members(fields, look),
        other if matches!(look, Look::Everything) => changed(other),
        _ => Vec::new(),
    }
}

fn members(fields: &[Field], look: &Look) -> Vec<Expr> {
    let mut all = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let name = field.name.as_ref().map(|name| name.value.as_str());
        let below = match look {
            Look::Members(names) if !name.is_some_and(|name| names.contains(&name)) => continue,
            _ => Look::Everything,
        };
        let changes = match (&field.value.value, name) {
            // A time, which is tolerated like that of an event.
            (Expr::Integer(nanos), Some("scm_nsec")) => {
                vec![Expr::Integer(nanos + 2 * TOLERATED + 1_000_000)]
            }
            (value, _) => inside(value, &below),
        };
        for value in changes {
            let mut fields = fields.to_vec();
            fields[index].value.value = value;
            all.push(Expr::Struct(fields));
        }
    }
    all
}

/// Other values: a number one larger, a set of bits with one more and with one less, other text.
fn changed(value: &Expr) -> Vec<Expr> {
    let with_bit = |parts: &[Spanned<Expr>], bit: i64| {
        let mut parts = parts.to_vec();
        parts.push(Spanned { value: Expr::Integer(bit), span: 0..0 });
        Expr::Or(parts)
    };
    match value {
        Expr::Integer(number) => vec![Expr::Integer(number.wrapping_add(1))],
        Expr::Symbol(name) => {
            let own = Spanned { value: value.clone(), span: 0..0 };
            vec![with_bit(&[own], unused_bit(&[name])), Expr::Integer(0x55)]
        }
        Expr::Or(parts) => {
            let names: Vec<_> = parts
                .iter()
                .filter_map(|part| match &part.value {
                    Expr::Symbol(name) => Some(name),
                    _ => None,
                })
                .collect();
            let mut all = vec![with_bit(parts, unused_bit(&names))];
            for index in 0..parts.len() {
                let mut fewer = parts.clone();
                fewer.remove(index);
                all.push(Expr::Or(fewer));
            }
            all
        }
        Expr::Text(bytes) => {
            let mut bytes = bytes.clone();
            match bytes.first_mut() {
                Some(first) => *first ^= 1,
                None => bytes.push(b'x'),
            }
            vec![Expr::Text(bytes)]
        }
        _ => Vec::new(),
    }
}

/// A bit that none of the names stands for. Events of poll() have only sixteen: POLLPRI and EPOLLPRI are 2, POLLNVAL
/// is 0x20.
fn unused_bit(names: &[&String]) -> i64 {
    let events = names.iter().any(|name| name.starts_with("POLL") || name.starts_with("EPOLL"));
    match events {
        true if names.iter().any(|name| name.ends_with("PRI")) => 0x20,
        true => 2,
        false => 0x4000_0000,
    }
}
