//! Which sockets `ss` shows: `state NAME`, `exclude NAME`, and an expression over addresses, ports, devices and marks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::stack::route::Prefix;

use super::services;
use crate::tools::Files;

/// Where the sockets are.
pub(super) struct Scene<'s> {
    pub stack: &'s Stack,
    /// The ports that are chosen for sockets which name none.
    pub ephemeral: [u16; 2],
}

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
        family: Option<Family>,
        prefix: Option<Prefix>,
        port: Option<u16>,
    },
    /// A port of this side or the peer, compared.
    Port {
        local: bool,
        compare: Compare,
        port: u16,
    },
    /// Bound to this device.
    Device(String),
    /// SO_MARK, as far as the mask goes.
    Mark {
        value: u32,
        mask: u32,
    },
    /// Its port was chosen for it.
    Autobound,
}

/// The number of the first device: 1 is the loopback's.
const FIRST_DEVICE: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Reads the words behind the options, and the expression that a file has. A word may hold several, as when the
    /// filter is quoted.
    pub fn parse(words: &[&str], file: &str, files: &dyn Files) -> Result<Filter, String> {
        let spaced = |text: &str| text.replace('(', " ( ").replace(')', " ) ");
        let (words, file) = (spaced(&words.join(" ")), spaced(file));
        let mut words: &[&str] = &words.split_whitespace().collect::<Vec<_>>();
        let mut filter = Filter::default();
        while let ["state" | "exclude", rest @ ..] = words {
            let [name, rest @ ..] = rest else { return Err("ss: a state is missing".to_owned()) };
            let named =
                states(&name.to_ascii_lowercase()).ok_or_else(|| format!("ss: wrong state name: {name}"))?;
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
        let expression: Vec<&str> = file.split_whitespace().chain(words.iter().copied()).collect();
        if !expression.is_empty() {
            let mut parser = Parser { words: &expression, files };
            filter.expression = Some(parser.any()?);
            if let [word, ..] = parser.words {
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
    pub fn expression(&self, listed: &Listed, scene: &Scene<'_>) -> bool {
        self.expression.as_ref().is_none_or(|expression| expression.holds(listed, scene))
    }
}

impl Expression {
    fn holds(&self, listed: &Listed, scene: &Scene<'_>) -> bool {
        let end = |local: bool| if local { listed.local } else { listed.remote };
        match self {
            Expression::All(parts) => parts.iter().all(|part| part.holds(listed, scene)),
            Expression::Any(parts) => parts.iter().any(|part| part.holds(listed, scene)),
            Expression::Not(part) => !part.holds(listed, scene),
            Expression::Address { local, family, prefix, port } => {
                let at: SocketAddr = end(*local);
                family.is_none_or(|family| family == listed.family)
                    && prefix.is_none_or(|prefix| prefix.contains(&at.ip().into()))
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
            Expression::Device(name) => listed.device.is_some_and(|device| {
                let number = usize::from(device.0) + FIRST_DEVICE;
                scene.stack.device_name(device) == name || name.parse() == Ok(number)
            }),
            Expression::Mark { value, mask } => listed.mark & mask == *value,
            Expression::Autobound => {
                let [from, to] = scene.ephemeral;
                (from..=to).contains(&listed.local.port())
            }
        }
    }
}

/// The words that are left of an expression.
struct Parser<'w> {
    words: &'w [&'w str],
    files: &'w dyn Files,
}

impl<'w> Parser<'w> {
    fn any(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.all()?];
        while let ["or" | "||" | "|", rest @ ..] = self.words {
            self.words = rest;
            parts.push(self.all()?);
        }
        Ok(Expression::Any(parts))
    }

    /// Conditions side by side must all hold, with or without `and` between them.
    fn all(&mut self) -> Result<Expression, String> {
        let mut parts = vec![self.one()?];
        loop {
            match self.words {
                ["and" | "&&" | "&", rest @ ..] => self.words = rest,
                [] | ["or" | "||" | "|" | ")", ..] => return Ok(Expression::All(parts)),
                _ => {}
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Expression, String> {
        let Some((word, rest)) = self.words.split_first() else {
            return Err("ss: the filter ends too early".to_owned());
        };
        self.words = rest;
        match *word {
            "not" | "!" => Ok(Expression::Not(Box::new(self.one()?))),
            "(" => {
                let inner = self.any()?;
                match self.words {
                    [")", rest @ ..] => {
                        self.words = rest;
                        Ok(inner)
                    }
                    _ => Err("ss: `)` is missing in the filter".to_owned()),
                }
            }
            "autobound" => Ok(Expression::Autobound),
            side @ ("src" | "dst") => {
                self.compare(word, &[Compare::Equal])?;
                let text = self.value(word)?;
                self.address(side == "src", text)
            }
            side @ ("sport" | "dport") => {
                let compare = self.compare(word, &[])?;
                let text = self.value(word)?;
                let port = self.port(text.strip_prefix(':').unwrap_or(text))?;
                Ok(Expression::Port { local: side == "sport", compare, port })
            }
            "dev" | "fwmark" => {
                let compare = self.compare(word, &[Compare::Equal, Compare::NotEqual])?;
                let text = self.value(word)?;
                let found = match *word {
                    "dev" => Expression::Device(text.to_owned()),
                    _ => mark(text).ok_or_else(|| format!("ss: `{text}` is no mark"))?,
                };
                Ok(if compare == Compare::Equal { found } else { Expression::Not(Box::new(found)) })
            }
            word => Err(format!("ss: `{word}` is no condition of a filter")),
        }
    }

    /// The comparison that follows, `=` when none does; an empty list allows all of them.
    fn compare(&mut self, name: &str, allowed: &[Compare]) -> Result<Compare, String> {
        let Some((word, rest)) = self.words.split_first() else { return Ok(Compare::Equal) };
        let Some(compare) = compare_of(word) else { return Ok(Compare::Equal) };
        self.words = rest;
        if allowed.is_empty() || allowed.contains(&compare) {
            return Ok(compare);
        }
        Err(format!("ss: `{word}` does not compare `{name}`"))
    }

    fn value(&mut self, name: &str) -> Result<&'w str, String> {
        let (value, rest) =
            self.words.split_first().ok_or_else(|| format!("ss: the filter ends after `{name}`"))?;
        self.words = rest;
        Ok(value)
    }

    fn port(&self, text: &str) -> Result<u16, String> {
        services::port(text, self.files).ok_or_else(|| {
            format!("Error: \"{text}\" does not look like a port.\nCannot parse dst/src address.")
        })
    }

    /// `[inet:|inet6:]ADDRESS[/LENGTH][:PORT]`, IPv6 in brackets when a port follows; `*` for any.
    fn address(&self, local: bool, text: &str) -> Result<Expression, String> {
        let (family, rest) = match (text.strip_prefix("inet:"), text.strip_prefix("inet6:")) {
            (Some(rest), _) => (Some(Family::V4), rest),
            (_, Some(rest)) => (Some(Family::V6), rest),
            _ => (None, text),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if host.contains(']') || !host.contains(':') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            None | Some("*" | "") => None,
            Some(port) => Some(self.port(port)?),
        };
        let prefix = match host.replace(['[', ']'], "").as_str() {
            "" | "*" | "all" | "any" | "default" => None,
            host => Some(prefix(host).ok_or_else(|| {
                format!(
                    "Error: an inet prefix is expected rather than \"{host}\".\nCannot parse dst/src address."
                )
            })?),
        };
        Ok(Expression::Address { local, family, prefix, port })
    }
}

/// `VALUE[/MASK]`, decimal or with 0x.
fn mark(text: &str) -> Option<Expression> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let mask = mask.map_or(Some(u32::MAX), number)?;
    Some(Expression::Mark { value: number(value)?, mask })
}

/// `ADDRESS[/LENGTH]`; of an IPv4 address zeros at the end may be left out, as in `10.9/16`.
fn prefix(text: &str) -> Option<Prefix> {
    if let Ok(prefix) = text.parse::<Prefix>() {
        return Some(prefix);
    }
    let (host, length) = text.split_once('/').map_or((text, None), |(host, length)| (host, Some(length)));
    let mut bytes = [0; 4];
    let mut parts = host.split('.');
    for byte in &mut bytes {
        match parts.next() {
            Some(part) => *byte = part.parse().ok()?,
            None => break,
        }
    }
    if parts.next().is_some() {
        return None;
    }
    Prefix::new(IpAddr::V4(Ipv4Addr::from(bytes)), length.map_or(Some(32), |length| length.parse().ok())?)
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
