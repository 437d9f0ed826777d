//! `connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)`.

use super::fault::Fault;
use super::lexer::{
    Input, Parsed, at, blank, enclosed, maybe, peek, peek_word, rest, sees, span_from, symbol, text,
    unsigned, word,
};
use crate::ast::{CallLine, Expr, Field, Spanned};

/// How deeply structures and lists may nest: far beyond any real call, and short of the stack.
const MAX_DEPTH: usize = 16;

pub(super) fn call(input: &mut Input<'_>, whole: &str) -> Parsed<CallLine> {
    let name = word(input, "a system call")?;
    symbol(input, "(", "`(` and the arguments of the call")?;
    let args = list(input, whole, ")", 0)?;
    symbol(input, "=", "`=` and the result of the call")?;
    let result = result(input, whole)?;
    let is_errno = peek_word(input).starts_with('E');
    let errno = if is_errno { Some(word(input, "an errno")?) } else { None };
    let note = if sees(input, "(") { Some(note(input)?) } else { None };
    Ok(CallLine { name, args, result, errno, note })
}

fn result(input: &mut Input<'_>, whole: &str) -> Parsed<Spanned<Expr>> {
    let start = at(input);
    if maybe(input, "?")? {
        return Ok(Spanned { value: Expr::Anything, span: start..start + 1 });
    }
    expr(input, whole, 0).map_err(|mut fault| {
        if fault.span.start == start {
            fault.expected = vec!["the result of the call: a number, a symbol or `?`"];
        }
        fault
    })
}

/// The comment after an errno: any text up to the end of its parentheses, on one line.
fn note(input: &mut Input<'_>) -> Parsed<String> {
    let start = at(input);
    let line = rest(input).split('\n').next().unwrap_or("");
    if !line.contains(')') {
        return Err(Fault::message(
            start..start + line.len(),
            "this comment is never closed: `)` is missing",
        ));
    }
    enclosed(input, "(", ")", "a comment in parentheses").map(|note| note.value)
}

/// Values up to `close`, which is taken.
fn list(input: &mut Input<'_>, whole: &str, close: &'static str, depth: usize) -> Parsed<Vec<Spanned<Expr>>> {
    let what = match close {
        ")" => "`,` or `)`",
        _ => "`,` or `]`",
    };
    let mut items = Vec::new();
    if maybe(input, close)? {
        return Ok(items);
    }
    loop {
        items.push(expr(input, whole, depth)?);
        if !maybe(input, ",")? {
            break;
        }
    }
    symbol(input, close, what)?;
    Ok(items)
}

fn expr(input: &mut Input<'_>, whole: &str, depth: usize) -> Parsed<Spanned<Expr>> {
    let start = at(input);
    let first = single(input, whole, depth)?;
    if !sees(input, "|") {
        return Ok(first);
    }
    let mut all = vec![first];
    while maybe(input, "|")? {
        all.push(single(input, whole, depth)?);
    }
    Ok(Spanned { value: Expr::Or(all), span: span_from(input, start, whole) })
}

fn single(input: &mut Input<'_>, whole: &str, depth: usize) -> Parsed<Spanned<Expr>> {
    let start = at(input);
    if depth > MAX_DEPTH {
        return Err(Fault::message(start..start + 1, "this is nested too deeply"));
    }
    let value = match peek(input) {
        Some('.') if maybe(input, "...")? => Expr::Ellipsis,
        Some('"') => Expr::Text(text(input)?),
        Some('[') => {
            symbol(input, "[", "`[`")?;
            Expr::List(list(input, whole, "]", depth + 1)?)
        }
        Some('{') => Expr::Struct(structure(input, whole, depth + 1)?),
        Some('-') => {
            symbol(input, "-", "`-`")?;
            let number = unsigned(input, "a number after `-`")?;
            let value = i64::try_from(number.value).map_err(|_| too_large(&number))?;
            Expr::Integer(-value)
        }
        Some(c) if c.is_ascii_digit() => {
            let number = unsigned(input, "a number")?;
            // Right behind the number: after a blank it is the time of the next event, as in `.1 close(3) = 0`.
            let behind = whole.get(number.span.end..).unwrap_or("");
            if behind.starts_with('.') && !behind.starts_with("...") {
                return Err(Fault::message(start..number.span.end + 1, "numbers in calls have no fraction"));
            }
            Expr::Integer(i64::try_from(number.value).map_err(|_| too_large(&number))?)
        }
        // As in C, and of no more meaning than the name: `inet_pton(AF_INET6, "::1", &sin6_addr)`.
        Some('&') => {
            symbol(input, "&", "`&`")?;
            Expr::Symbol(word(input, "a name after `&`")?.value)
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            let name = word(input, "a symbol")?;
            if maybe(input, "(")? {
                Expr::Apply(name.value, list(input, whole, ")", depth + 1)?)
            } else {
                Expr::Symbol(name.value)
            }
        }
        _ => return Err(Fault::expected(start, "a value: a number, a symbol, a string, `...`, `[` or `{`")),
    };
    blank(input)?;
    Ok(Spanned { value, span: span_from(input, start, whole) })
}

fn too_large(number: &Spanned<u64>) -> Fault {
    Fault::message(number.span.clone(), "this number is too large")
}

/// `{base, 1000}`, `{events=EPOLLIN, fd=4}`, `{msg_name(...)=..., msg_iov(1)=[…]}`.
fn structure(input: &mut Input<'_>, whole: &str, depth: usize) -> Parsed<Vec<Field>> {
    symbol(input, "{", "`{`")?;
    let mut fields = Vec::new();
    if maybe(input, "}")? {
        return Ok(fields);
    }
    loop {
        fields.push(field(input, whole, depth)?);
        if !maybe(input, ",")? {
            break;
        }
    }
    symbol(input, "}", "`,` or `}`")?;
    Ok(fields)
}

fn field(input: &mut Input<'_>, whole: &str, depth: usize) -> Parsed<Field> {
    let value = expr(input, whole, depth)?;
    if !sees(input, "=") {
        return Ok(Field { name: None, argument: None, value });
    }
    let (name, argument) = match value.value {
        Expr::Symbol(name) => (name, None),
        Expr::Apply(name, mut args) if args.len() == 1 => (name, args.pop().map(Box::new)),
        _ => return Err(Fault::expected(at(input), "`,` or `}`: only a name may stand before `=`")),
    };
    symbol(input, "=", "`=`")?;
    let name = Some(Spanned { value: name, span: value.span });
    Ok(Field { name, argument, value: expr(input, whole, depth)? })
}
