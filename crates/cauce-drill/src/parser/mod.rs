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
        let options = opening(&mut input, whole)?;
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
        opening(&mut input, &source.text)
    };
    read().map_err(|fault| Box::new(fault.into_diagnostic(source)))
}

/// What stands before the first command or event.
fn opening(input: &mut Input<'_>, whole: &str) -> Parsed<Vec<OptionLine>> {
    if sees(input, "#!") {
        lexer::line(input)?;
    }
    blank(input)?;
    option_lines(input, whole)
}

fn option_lines(input: &mut Input<'_>, whole: &str) -> Parsed<Vec<OptionLine>> {
    let mut lines = Vec::new();
    while sees(input, "--") {
        lines.push(option_line(input, whole)?);
    }
    Ok(lines)
}

/// A value reaches to the next blank or comment, or is a quoted string; a name given by -D stands for its text.
fn option_line(input: &mut Input<'_>, whole: &str) -> Parsed<OptionLine> {
    use winnow::Parser;
    use winnow::token::{literal, take_while};
    literal("--").void().parse_next(input)?;
    let start = at(input);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: Parsed<&str> = take_while(1.., is_name).parse_next(input);
    let name = name.map_err(|_| Fault::expected(start, "the name of an option"))?.to_owned();
    let name = Spanned { value: name, span: start..at(input) };
    let on_line = rest(input).trim_start_matches([' ', '\t']);
    if !on_line.starts_with('=') {
        blank(input)?;
        return Ok(OptionLine { name, value: None });
    }
    take_while(0.., [' ', '\t']).void().parse_next(input)?;
    literal("=").void().parse_next(input)?;
    take_while(0.., [' ', '\t']).void().parse_next(input)?;
    let start = at(input);
    let (value, span) = if sees(input, "\"") {
        let quoted = String::from_utf8_lossy(&lexer::text(input)?).into_owned();
        (quoted, start..lexer::end_of(input, start, whole))
    } else {
        let word = rest(input).split(char::is_whitespace).next().unwrap_or("");
        let len = ["//", "/*"].iter().filter_map(|comment| word.find(comment)).min().unwrap_or(word.len());
        let raw: &str = winnow::token::take(len).parse_next(input)?;
        if raw.is_empty() {
            return Err(Fault::expected(start, "the value of the option"));
        }
        let span = start..at(input);
        (input.state.definitions.get(raw).cloned().unwrap_or_else(|| raw.to_owned()), span)
    };
    blank(input)?;
    Ok(OptionLine { name, value: Some(Spanned { value, span }) })
}

fn body(input: &mut Input<'_>, whole: &str, options: Vec<OptionLine>) -> Parsed<Script> {
    let mut script = Script { options, ..Script::default() };
    if peek(input) == Some('`') {
        script.init = Some(command(input)?);
    }
    while !rest(input).is_empty() {
        if peek(input) != Some('`') {
            script.events.push(event(input, whole)?);
            continue;
        }
        let command = command(input)?;
        if rest(input).is_empty() {
            script.cleanup = Some(command);
        } else if script.events.is_empty() {
            let message =
                "only one command may stand before the first event; its text may have several lines";
            return Err(Fault::message(command.span, message));
        } else {
            script.events.push(Event::at_once(command));
        }
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
        let counted_from_start = maybe(input, "+")? && !relative;
        let mut end = seconds(input)?;
        if counted_from_start {
            end = end.saturating_add(first);
        }
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
