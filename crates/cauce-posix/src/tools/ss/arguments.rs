//! The words behind `ss`, as getopt(3) reads them, and the sockets that they choose.

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::time::Instant;

use super::filter::{Filter, Scene};
use super::services;
use crate::tools::{Columns, Files, Output};

const USAGE: &str = "Usage: ss [ OPTIONS ] [ FILTER ]";

/// The tables of sockets that `-A` may name; only TCP's has any here.
const TABLES: [&str; 21] = [
    "all",
    "inet",
    "tcp",
    "mptcp",
    "udp",
    "raw",
    "dccp",
    "sctp",
    "tipc",
    "unix",
    "unix_stream",
    "unix_dgram",
    "unix_seqpacket",
    "packet",
    "packet_raw",
    "packet_dgram",
    "netlink",
    "vsock",
    "vsock_stream",
    "vsock_dgram",
    "xdp",
];

/// A command line that makes sense.
#[derive(Debug, Default)]
pub struct Command {
    all: bool,
    listening: bool,
    v4: bool,
    v6: bool,
    tcp: bool,
    /// Sockets that are not TCP: there are none, but the column of kinds appears.
    others: bool,
    filter: Filter,
    /// What each socket shows.
    pub columns: Columns,
    /// Sums instead of sockets.
    pub summary: bool,
    pub(super) no_header: bool,
    pub(super) one_line: bool,
}

/// The files that a command line needs, of which some may not be there.
pub fn files(arguments: &[&str]) -> Vec<String> {
    let Ok(read) = Words::read(arguments) else { return Vec::new() };
    let filters = read.filter_file.map(str::to_owned);
    let services = (filters.is_some() || !read.words.is_empty()).then(|| services::FILE.to_owned());
    filters.into_iter().chain(services).collect()
}

/// The command line with its filter not yet read.
#[derive(Default)]
struct Words<'a> {
    command: Command,
    words: Vec<&'a str>,
    filter_file: Option<&'a str>,
}

impl Command {
    /// Reads the words behind `ss`.
    ///
    /// # Errors
    /// What the tool prints instead: its usage, or what is wrong.
    pub fn parse(arguments: &[&str], files: &dyn Files) -> Result<Command, Box<Output>> {
        let Words { mut command, words, filter_file } = Words::read(arguments)?;
        let text = match filter_file.map(|path| files.read(path)) {
            None => String::new(),
            Some(Ok(text)) => text,
            Some(Err(_)) => return Err(failed("fopen filter file: No such file or directory")),
        };
        command.filter = Filter::parse(&words, &text, files).map_err(|why| failed(&why))?;
        Ok(command)
    }

    /// The sockets that it chooses, as they are at `now`.
    pub fn select<'s>(&'s self, stack: &'s Stack, now: Instant) -> impl Iterator<Item = Listed> + 's {
        let families = !self.v4 && !self.v6;
        let scene = Scene { stack, ephemeral: stack.sysctl().ip_local_port_range };
        stack.listing(now).filter(move |listed| {
            (families || if listed.family == Family::V4 { self.v4 } else { self.v6 })
                && self.filter.state(listed.state).unwrap_or_else(|| self.usual(listed.state))
                && self.filter.expression(listed, &scene)
                && (self.tcp || !self.others)
        })
    }

    /// The states that are shown when the filter names none.
    fn usual(&self, state: State) -> bool {
        match state {
            State::Listen => self.all || self.listening,
            State::Closed | State::TimeWait | State::SynReceived => self.all,
            _ => self.all || !self.listening,
        }
    }

    /// Kinds of sockets are told apart.
    pub(super) fn shows_kinds(&self) -> bool {
        !self.tcp || self.others
    }

    /// A single state is shown, which needs no column then.
    pub(super) fn shows_one_state(&self) -> bool {
        self.filter.is_one_state()
    }

    fn flag(&mut self, letter: char) -> Result<(), Box<Output>> {
        match letter {
            'a' => self.all = true,
            // What is extended shows timers too.
            'e' => (self.columns.extended, self.columns.timers) = (true, true),
            'i' => self.columns.info = true,
            'l' => self.listening = true,
            'm' => self.columns.memory = true,
            'o' => self.columns.timers = true,
            's' => self.summary = true,
            't' => self.tcp = true,
            'H' => self.no_header = true,
            'O' => self.one_line = true,
            '4' => self.v4 = true,
            '6' => self.v6 = true,
            'n' | 'p' | 'r' => {}
            '0' | 'd' | 'M' | 'S' | 'u' | 'w' | 'x' => self.others = true,
            'h' => return Err(Box::new(Output::text(format!("{USAGE}\n")))),
            'V' => {
                return Err(Box::new(Output::text(format!("ss of cauce {}\n", env!("CARGO_PKG_VERSION")))));
            }
            _ => return Err(Box::new(Output::unsupported(format!("ss -{letter}")))),
        }
        Ok(())
    }

    /// `-A`: tables by name, with `!` taken out again.
    fn tables(&mut self, names: &str) -> Result<(), Box<Output>> {
        for name in names.split(',') {
            let (name, on) = name.strip_prefix('!').map_or((name, true), |name| (name, false));
            if !TABLES.contains(&name) {
                return Err(failed(&format!("ss: \"{name}\" is illegal socket table id")));
            }
            if matches!(name, "all" | "inet" | "tcp") {
                self.tcp = on;
            }
            if name != "tcp" {
                self.others = on;
            }
        }
        if !self.tcp && !self.others {
            let stderr = "ss: no socket tables to show with such filter.\n".to_owned();
            return Err(Box::new(Output { stderr, ..Output::default() }));
        }
        Ok(())
    }

    fn family(&mut self, name: &str) -> Result<(), Box<Output>> {
        match name {
            "inet" => self.v4 = true,
            "inet6" => self.v6 = true,
            "unix" | "link" | "netlink" | "vsock" | "tipc" | "xdp" => self.others = true,
            _ => return Err(failed(&format!("ss: \"{name}\" is invalid family"))),
        }
        Ok(())
    }
}

impl<'a> Words<'a> {
    fn read(arguments: &[&'a str]) -> Result<Self, Box<Output>> {
        let mut read = Words::default();
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            match (argument.strip_prefix("--"), argument.strip_prefix('-')) {
                (Some(""), _) => read.words.extend(rest.by_ref()),
                (Some(long), _) => read.long(long, &mut rest)?,
                (None, Some(letters)) if !letters.is_empty() => read.short(letters, &mut rest)?,
                _ => read.words.push(argument),
            }
        }
        Ok(read)
    }

    fn long(&mut self, word: &'a str, rest: &mut dyn Iterator<Item = &'a str>) -> Result<(), Box<Output>> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let letter = match name {
            "all" => 'a',
            "extended" => 'e',
            "family" => 'f',
            "filter" => 'F',
            "help" => 'h',
            "info" => 'i',
            "ipv4" => '4',
            "ipv6" => '6',
            "listening" => 'l',
            "memory" => 'm',
            "no-header" => 'H',
            "numeric" => 'n',
            "oneline" => 'O',
            "options" => 'o',
            "processes" => 'p',
            "query" | "socket" => 'A',
            "resolve" => 'r',
            "summary" => 's',
            "tcp" => 't',
            "tos" => {
                self.command.columns.tos = true;
                return Ok(());
            }
            "udp" | "raw" | "unix" | "dccp" | "sctp" | "packet" | "mptcp" | "vsock" | "tipc" | "xdp" => 'u',
            "version" => 'V',
            _ => return Err(Box::new(Output::unsupported(format!("ss --{name}")))),
        };
        match (letter, value) {
            ('A' | 'f' | 'F', value) => self.valued(letter, value.or_else(|| rest.next())),
            (_, Some(_)) => Err(failed(&format!("ss: option '--{name}' doesn't allow an argument"))),
            (_, None) => self.command.flag(letter),
        }
    }

    fn short(
        &mut self,
        letters: &'a str,
        rest: &mut dyn Iterator<Item = &'a str>,
    ) -> Result<(), Box<Output>> {
        for (at, letter) in letters.char_indices() {
            if matches!(letter, 'A' | 'f' | 'F') {
                let attached = Some(&letters[at + 1..]).filter(|attached| !attached.is_empty());
                return self.valued(letter, attached.or_else(|| rest.next()));
            }
            self.command.flag(letter)?;
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, value: Option<&'a str>) -> Result<(), Box<Output>> {
        let Some(value) = value else {
            return Err(failed(&format!("ss: option requires an argument -- '{letter}'")));
        };
        match letter {
            'A' => self.command.tables(value),
            'f' => self.command.family(value),
            _ if self.filter_file.is_some() => Err(failed("More than one filter file")),
            _ => {
                self.filter_file = Some(value);
                Ok(())
            }
        }
    }
}

fn failed(why: &str) -> Box<Output> {
    Box::new(Output::failed(255, why))
}
