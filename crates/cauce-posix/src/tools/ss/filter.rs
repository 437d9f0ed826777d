//! Which sockets `ss` shows: `state NAME`, `exclude NAME`, and an expression over addresses and ports.

use std::net::{IpAddr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::stack::listing::Listed;
use cauce_core::stack::route::Prefix;

/// A filter; an empty one lets everything through.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// The states that were asked for; `None` when none was named.
    states: Option<Vec<State>>,
    expression: Option<Expression>,
}

#[derive(Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    /// An address, and a port, of this side (`src`) or the peer.
    Address {
        local: bool,
        prefix: Option<Prefix>,
        port: Option<u16>,
    },
    /// A port of this side or the peer, compared.
    Port {
        local: bool,
        compare: Compare,
        port: u16,
    },
}

#[derive(Clone, Copy, Debug)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Reads the words behind the options. A word may hold several, as when the filter is quoted.
    pub fn parse(words: &[&str]) -> Result<Filter, String> {
        let spaced = words.join(" ").replace('(', " ( ").replace(')', " ) ");
        let mut words: &[&str] = &spaced.split_whitespace().collect::<Vec<_>>();
        let mut filter = Filter::default();
        while let ["state" | "exclude", rest @ ..] = words {
            let [name, rest @ ..] = rest else { return Err("ss: a state is missing".to_owned()) };
            let named = states(name).ok_or_else(|| format!("ss: wrong state name: {name}"))?;
            let chosen = filter.states.get_or_insert_with(Vec::new);
            if words[0] == "state" {
                chosen.extend(named);
            } else {
                if chosen.is_empty() {
                    chosen.extend(State::ALL);
                }
                chosen.retain(|state| !named.contains(state));
            }
            words = rest;
        }
        if !words.is_empty() {
            filter.expression = Some(any(&mut words)?);
            if let [word, ..] = words {
                return Err(format!("ss: unexpected `{word}` in the filter"));
            }
        }
        Ok(filter)
    }

    /// Whether a state is shown; `None` when the filter leaves it to the options.
    pub fn state(&self, state: State) -> Option<bool> {
        self.states.as_ref().map(|states| states.contains(&state))
    }

    /// True when a single state is shown, which needs no column then.
    pub fn is_one_state(&self) -> bool {
        self.states.as_ref().is_some_and(|states| states.len() == 1)
    }

    /// Whether addresses and ports fit.
    pub fn expression(&self, listed: &Listed) -> bool {
        self.expression.as_ref().is_none_or(|expression| expression.holds(listed))
    }
}

impl Expression {
    fn holds(&self, listed: &Listed) -> bool {
        let end = |local: bool| if local { listed.local } else { listed.remote };
        match self {
            Expression::All(parts) => parts.iter().all(|part| part.holds(listed)),
            Expression::Any(parts) => parts.iter().any(|part| part.holds(listed)),
            Expression::Not(part) => !part.holds(listed),
            Expression::Address { local, prefix, port } => {
                let at: SocketAddr = end(*local);
                prefix.is_none_or(|prefix| prefix.contains(&at.ip().into()))
                    && port.is_none_or(|port| port == at.port())
            }
            Expression::Port { local, compare, port } => {
                let have = end(*local).port();
                match compare {
                    Compare::Equal => have == *port,
                    Compare::NotEqual => have != *port,
                    Compare::Less => have < *port,
                    Compare::LessOrEqual => have <= *port,
                    Compare::Greater => have > *port,
                    Compare::GreaterOrEqual => have >= *port,
                }
            }
        }
    }
}

fn any(words: &mut &[&str]) -> Result<Expression, String> {
    let mut parts = vec![all(words)?];
    while let ["or" | "||" | "|", rest @ ..] = words {
        *words = rest;
        parts.push(all(words)?);
    }
    Ok(Expression::Any(parts))
}

/// Conditions side by side must all hold, with or without `and` between them.
fn all(words: &mut &[&str]) -> Result<Expression, String> {
    let mut parts = vec![one(words)?];
    loop {
        match words {
            ["and" | "&&" | "&", rest @ ..] => *words = rest,
            [] | ["or" | "||" | "|" | ")", ..] => return Ok(Expression::All(parts)),
            _ => {}
        }
        parts.push(one(words)?);
    }
}

fn one(words: &mut &[&str]) -> Result<Expression, String> {
    match words {
        ["not" | "!", rest @ ..] => {
            *words = rest;
            Ok(Expression::Not(Box::new(one(words)?)))
        }
        ["(", rest @ ..] => {
            *words = rest;
            let inner = any(words)?;
            match words {
                [")", rest @ ..] => {
                    *words = rest;
                    Ok(inner)
                }
                _ => Err("ss: `)` is missing in the filter".to_owned()),
            }
        }
        [end @ ("src" | "dst"), "=" | "==" | "eq", text, rest @ ..]
        | [end @ ("src" | "dst"), text, rest @ ..] => {
            let expression = address(*end == "src", text)?;
            *words = rest;
            Ok(expression)
        }
        [end @ ("sport" | "dport"), compare, text, rest @ ..] => {
            let compare = compare_of(compare).ok_or_else(|| format!("ss: `{compare}` compares nothing"))?;
            let port = text.strip_prefix(':').unwrap_or(text);
            let port = port.parse().map_err(|_| format!("ss: `{text}` is no port"))?;
            let local = *end == "sport";
            *words = rest;
            Ok(Expression::Port { local, compare, port })
        }
        [word, ..] => Err(format!("ss: `{word}` is no condition of a filter")),
        [] => Err("ss: the filter ends too early".to_owned()),
    }
}

/// `ADDRESS[/LENGTH][:PORT]`, IPv6 in brackets when a port follows; `*` for any.
fn address(local: bool, text: &str) -> Result<Expression, String> {
    let wrong = || format!("ss: an inet prefix is expected rather than \"{text}\"");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        None | Some("*" | "") => None,
        Some(port) => Some(port.parse().map_err(|_| wrong())?),
    };
    let host = host.replace(['[', ']'], "");
    let prefix = match host.as_str() {
        "" | "*" => None,
        host => Some(host.parse::<Prefix>().or_else(|_| mapped(host)).map_err(|()| wrong())?),
    };
    Ok(Expression::Address { local, prefix, port })
}

/// An IPv4-mapped address stands for the IPv4 address that it holds.
fn mapped(host: &str) -> Result<Prefix, ()> {
    let ip: IpAddr = host.parse().map_err(|_| ())?;
    Ok(Prefix::host(&ip.into()))
}

fn compare_of(word: &str) -> Option<Compare> {
    Some(match word {
        "=" | "==" | "eq" => Compare::Equal,
        "!=" | "ne" | "neq" => Compare::NotEqual,
        "<" | "lt" => Compare::Less,
        "<=" | "le" | "leq" => Compare::LessOrEqual,
        ">" | "gt" => Compare::Greater,
        ">=" | "ge" | "geq" => Compare::GreaterOrEqual,
        _ => return None,
    })
}

fn states(name: &str) -> Option<Vec<State>> {
    use State::*;
    let without = |gone: &[State]| State::ALL.into_iter().filter(|state| !gone.contains(state)).collect();
    Some(match name {
        "established" => vec![Established],
        "syn-sent" => vec![SynSent],
        "syn-recv" | "syn-rcv" => vec![SynReceived],
        "fin-wait-1" => vec![FinWait1],
        "fin-wait-2" => vec![FinWait2],
        "time-wait" => vec![TimeWait],
        "closed" | "unconnected" | "close" => vec![Closed],
        "close-wait" => vec![CloseWait],
        "last-ack" => vec![LastAck],
        "listening" | "listen" => vec![Listen],
        "closing" => vec![Closing],
        "all" => State::ALL.to_vec(),
        "connected" => without(&[Closed, Listen]),
        "synchronized" => without(&[Closed, Listen, SynSent]),
        "bucket" => vec![SynReceived, TimeWait],
        "big" => without(&[SynReceived, TimeWait]),
        _ => return None,
    })
}
