//! From text to [`Script`]: a recursive descent over winnow's tokens that never backtracks far.
//!
//! A refusal names the place and everything that could have stood there. What is understood but not run
//! (UDP, GRE, MPLS, PSP) is refused as *unsupported*, so that it is never taken for a pass.

mod call;
mod fault;
mod icmp;
mod lexer;
mod options;
mod packet;

use std::collections::BTreeMap;

use winnow::stream::{LocatingSlice, Stateful};

use self::fault::Fault;
use self::lexer::{Input, Known, Parsed, at, blank, enclosed, maybe, peek, rest, seconds, sees, span_from};
use crate::ast::{Action, Event, IcmpFamily, OptionLine, Script, Spanned, Time};
use crate::diagnostic::{Diagnostic, Source};

/// What the command line contributes to the reading of a script.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `-D NAME=VALUE`: symbols that the script may use.
    pub definitions: BTreeMap<String, String>,
    /// `--ip_version`, when the command line overrides the script's.
    pub ip_version: Option<String>,
}

/// Reads a script.
///
/// # Errors
/// The first place where the text does not go on as the language demands.
///
/// ```
/// use cauce_drill::{Source, parser};
///
/// let source = Source::new("a.pkt", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 > S 0:0(0) <...>\n");
/// let script = parser::parse(&source, &parser::Given::default()).unwrap();
/// assert_eq!(script.events.len(), 2);
///
/// let source = Source::new("b.pkt", "+0 > S 0:0(0 <...>\n");
/// let error = parser::parse(&source, &parser::Given::default()).unwrap_err();
/// assert!(error.to_string().contains("b.pkt:1:14"), "{error}");
/// ```
pub fn parse(source: &Source, given: &Given) -> Result<Script, Box<Diagnostic>> {
    let whole = &*source.text;
    let read = || -> Parsed<Script> {
        let known = Known { definitions: given.definitions.clone(), family: None };
        let mut input: Input<'_> = Stateful { input: LocatingSlice::new(whole), state: &known };
        let options = opening(&mut input)?;
        let version = given.ip_version.clone().or_else(|| {
            let line = options.iter().rev().find(|line| line.name.value == "ip_version")?;
            Some(line.value.as_ref()?.value.clone())
        });
        let family = if version.as_deref() == Some("ipv6") { IcmpFamily::V6 } else { IcmpFamily::V4 };
        let known = Known { definitions: given.definitions.clone(), family: Some(family) };
        let mut input = Stateful { input: input.input, state: &known };
        body(&mut input, whole, options)
    };
    read().map_err(|fault| Box::new(fault.into_diagnostic(source)))
}

/// Reads only the option lines at the top of a script.
///
/// # Errors
/// The first place at which they do not go on as the language demands.
pub fn options(source: &Source) -> Result<Vec<OptionLine>, Box<Diagnostic>> {
    let read = || -> Parsed<Vec<OptionLine>> {
        let known = Known::default();
        let mut input: Input<'_> = Stateful { input: LocatingSlice::new(&*source.text), state: &known };
        opening(&mut input)
    };
    read().map_err(|fault| Box::new(fault.into_diagnostic(source)))
}

/// What stands before the first command or event.
fn opening(input: &mut Input<'_>) -> Parsed<Vec<OptionLine>> {
    if sees(input, "#!") {
        lexer::line(input)?;
    }
    blank(input)?;
    option_lines(input)
}

fn option_lines(input: &mut Input<'_>) -> Parsed<Vec<OptionLine>> {
    let mut lines = Vec::new();
    while sees(input, "--") {
        lines.push(option_line(input)?);
    }
    Ok(lines)
}

/// A value reaches to the next blank, or is a quoted string.
fn option_line(input: &mut Input<'_>) -> Parsed<OptionLine> {
    use winnow::Parser;
    use winnow::token::{literal, take_while};
    literal("--").void().parse_next(input)?;
    let start = at(input);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: Parsed<&str> = take_while(1.., is_name).parse_next(input);
    let name = name.map_err(|_| Fault::expected(start, "the name of an option"))?.to_owned();
    let name = Spanned { value: name, span: start..at(input) };
    let value = if sees(input, "=") {
        literal("=").void().parse_next(input)?;
        let start = at(input);
        let raw: &str = take_while(0.., |c: char| !c.is_whitespace()).parse_next(input)?;
        if raw.is_empty() {
            return Err(Fault::expected(start, "the value of the option"));
        }
        Some(Spanned { value: raw.trim_matches('"').to_owned(), span: start..at(input) })
    } else {
        None
    };
    blank(input)?;
    Ok(OptionLine { name, value })
}

fn body(input: &mut Input<'_>, whole: &str, options: Vec<OptionLine>) -> Parsed<Script> {
    let mut script = Script { options, ..Script::default() };
    if peek(input) == Some('`') {
        script.init = Some(command(input)?);
    }
    while !rest(input).is_empty() {
        if peek(input) == Some('`') {
            script.cleanup = Some(command(input)?);
            if !rest(input).is_empty() {
                return Err(Fault::expected(
                    at(input),
                    "nothing more: a command without a time ends the script",
                ));
            }
            break;
        }
        script.events.push(event(input, whole)?);
    }
    if script.events.is_empty() {
        return Err(Fault::expected(
            at(input),
            "an event, such as `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`",
        ));
    }
    Ok(script)
}

fn command(input: &mut Input<'_>) -> Parsed<Spanned<String>> {
    enclosed(input, "`", "`", "a command in backquotes")
}

fn event(input: &mut Input<'_>, whole: &str) -> Parsed<Event> {
    let start = at(input);
    let time = time(input)?;
    let time_span = span_from(input, start, whole);
    let action_start = at(input);
    let action = action(input, whole)?;
    let action_span = span_from(input, action_start, whole);
    let allowed = match &action {
        Action::Packet(packet) if time.is_vague() => packet.direction == crate::ast::Direction::Out,
        Action::Call(_) => !time.is_vague(),
        _ => !time.is_vague() && !time.is_blocking(),
    };
    if !allowed {
        let message = if time.is_vague() {
            "only an expected packet may have a range of times or `*`"
        } else {
            "only a system call may have an end time"
        };
        return Err(Fault::message(time_span, message));
    }
    Ok(Event { span: span_from(input, start, whole), time, action, action_span })
}

fn time(input: &mut Input<'_>) -> Parsed<Time> {
    let start = at(input);
    if maybe(input, "*")? {
        return Ok(Time::Any);
    }
    let relative = maybe(input, "+")?;
    let wrong = |fault: Fault| {
        let is_time = relative || fault.message.is_some();
        if is_time { fault } else { Fault::expected(fault.span.start, "the time of an event") }
    };
    let first = seconds(input).map_err(wrong)?;
    let until = |input: &mut Input<'_>| -> Parsed<i64> {
        maybe(input, "+")?;
        let end = seconds(input)?;
        if end < first {
            return Err(Fault::message(start..at(input), "this time ends before it starts"));
        }
        Ok(end)
    };
    if maybe(input, "~")? {
        let end = until(input)?;
        return Ok(if relative { Time::RelativeRange(first, end) } else { Time::AbsoluteRange(first, end) });
    }
    if maybe(input, "...")? {
        let end = until(input)?;
        return Ok(if relative {
            Time::RelativeBlocking(first, end)
        } else {
            Time::AbsoluteBlocking(first, end)
        });
    }
    Ok(if relative { Time::Relative(first) } else { Time::Absolute(first) })
}

fn action(input: &mut Input<'_>, whole: &str) -> Parsed<Action> {
    match peek(input) {
        Some('<' | '>') => packet::packet(input, whole).map(Action::Packet),
        Some('`') => command(input).map(|command| Action::Command(command.value)),
        Some('%') => enclosed(input, "%{", "}%", "`%{`").map(|code| Action::Code(code.value)),
        Some(c) if c.is_ascii_alphabetic() || c == '_' => call::call(input, whole).map(Action::Call),
        _ => Err(Fault::expected(
            at(input),
            "`<` or `>` and a packet, a system call, a command in backquotes or `%{`",
        )),
    }
}

#[cfg(test)]
mod tests;
