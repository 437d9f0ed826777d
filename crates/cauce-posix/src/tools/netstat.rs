//! `netstat`: the table of connections as net-tools prints it (Q-30 to Q-32).
//!
//! `netstat -nat | awk '{print $6}' | sort | uniq -c` counts the states. Names are never looked up, and no process
//! is known.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::time::Instant;

use super::{Columns, Output};
use crate::proc::{inode, timer_number};

const USAGE: &str = "usage: netstat [-tanloep46]";

/// A command line that makes sense.
#[derive(Clone, Copy, Debug, Default)]
pub struct Command {
    all: bool,
    listening: bool,
    programs: bool,
    tcp: bool,
    /// Sockets that are not TCP, of which there are none.
    others: bool,
    v4: bool,
    v6: bool,
    /// What each socket shows.
    pub columns: Columns,
}

/// `netstat [-t] [-a|-l] [-n] [-o] [-e] [-p] [-W] [-4|-6]` as it is at `now`.
///
/// ```
/// use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
/// let mut n = 0u64;
/// let stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let output = cauce_posix::tools::netstat::run(&stack, Instant::ZERO, &["-nat"]);
/// assert!(output.stdout.starts_with("Active Internet connections (servers and established)\nProto Recv-Q"));
/// ```
pub fn run(stack: &Stack, now: Instant, arguments: &[&str]) -> Output {
    match Command::parse(arguments) {
        Ok(command) => Output::text(table(&command.select(stack, now), now, command)),
        Err(output) => *output,
    }
}

fn table(rows: &[Listed], now: Instant, command: Command) -> String {
    let which = match command {
        Command { all: true, .. } => "servers and established",
        Command { listening: true, .. } => "only servers",
        _ => "w/o servers",
    };
    let mut text = format!("Active Internet connections ({which})\n");
    text.push_str("Proto Recv-Q Send-Q Local Address           Foreign Address         State      ");
    for (on, title) in [
        (command.columns.extended, " User       Inode     "),
        (command.programs, " PID/Program name    "),
        (command.columns.timers, " Timer"),
    ] {
        if on {
            text.push_str(title);
        }
    }
    text.push('\n');
    for listed in rows {
        text.push_str(&line(listed, now, command));
    }
    text
}

impl Command {
    /// Reads the words behind `netstat`.
    ///
    /// # Errors
    /// What the tool prints instead.
    pub fn parse(arguments: &[&str]) -> Result<Command, Box<Output>> {
        let mut command = Command::default();
        for argument in arguments {
            let letters = match *argument {
                "--all" => "a",
                "--extend" => "e",
                "--inet" => "4",
                "--inet6" => "6",
                "--listening" => "l",
                "--numeric" | "--numeric-hosts" | "--numeric-ports" => "n",
                "--programs" | "--program" => "p",
                "--tcp" => "t",
                "--timers" => "o",
                "--wide" => "W",
                word => match word.strip_prefix('-') {
                    Some(letters) if !letters.is_empty() => letters,
                    _ => return Err(Box::new(Output::failed(4, USAGE))),
                },
            };
            for letter in letters.chars() {
                match letter {
                    'a' => command.all = true,
                    'l' => command.listening = true,
                    'o' => command.columns.timers = true,
                    'e' => command.columns.extended = true,
                    'p' => command.programs = true,
                    't' => command.tcp = true,
                    'u' | 'w' | 'x' => command.others = true,
                    '4' => command.v4 = true,
                    '6' => command.v6 = true,
                    'n' | 'W' => {}
                    _ => return Err(Box::new(Output::unsupported(format!("netstat {argument}")))),
                }
            }
        }
        Ok(command)
    }

    /// The sockets that it chooses, as they are at `now`.
    pub fn select(&self, stack: &Stack, now: Instant) -> Vec<Listed> {
        let families = !self.v4 && !self.v6;
        let mut rows: Vec<Listed> = stack
            .listing(now)
            .filter(|listed| {
                let listens = listed.state == State::Listen;
                (families || if listed.family == Family::V4 { self.v4 } else { self.v6 })
                    && (self.all || listens == self.listening)
                    && (self.tcp || !self.others)
            })
            .collect();
        // The file of IPv4 is read before that of IPv6.
        rows.sort_by_key(|listed| listed.family == Family::V6);
        rows
    }
}

fn line(listed: &Listed, now: Instant, command: Command) -> String {
    let kind = if listed.family == Family::V4 { "tcp" } else { "tcp6" };
    let waiting = if listed.state == State::Listen { 0 } else { listed.send_queue };
    let mut text = format!(
        "{kind:<4}  {:>6} {waiting:>6} {:<23} {:<23} {:<11}",
        listed.recv_queue,
        endpoint(listed.local, listed.family),
        endpoint(listed.remote, listed.family),
        listed.state.name(),
    );
    // Writing to a String cannot fail.
    if command.columns.extended {
        let _ = write!(text, " {:<10} {:<10}", 0, inode(listed));
    }
    if command.programs {
        let _ = write!(text, " {:<19}", "-");
    }
    if command.columns.timers {
        let _ = write!(text, " {}", timer(listed, now));
    }
    text.push('\n');
    text
}

/// `NAME (SECONDS/RETRANSMITS/PROBES)`.
fn timer(listed: &Listed, now: Instant) -> String {
    let (name, left) = match listed.timer {
        None => ("off", 0.0),
        Some(timer) => {
            let name = match timer_number(timer.kind) {
                1 => "on",
                2 => "keepalive",
                3 => "timewait",
                _ => "probe",
            };
            // The file that the real one reads counts hundredths.
            (name, (timer.at.since(now).as_millis() / 10) as f64 / 100.0)
        }
    };
    format!("{name} ({left:.2}/{}/{})", listed.retransmits, listed.probes)
}

fn endpoint(at: SocketAddr, family: Family) -> String {
    let ip = match (at.ip(), family) {
        (ip, Family::V6) if ip.is_unspecified() => "::".to_owned(),
        (IpAddr::V4(ip), _) => ip.to_string(),
        (IpAddr::V6(ip), _) => ip.to_string(),
    };
    let port = if at.port() == 0 { "*".to_owned() } else { at.port().to_string() };
    format!("{ip}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::connected_stack;

    /// Q-30: the sixth word of each line is the state.
    #[test]
    fn the_table_of_net_tools() {
        let (stack, now) = connected_stack(b"twelve bytes");
        let text = run(&stack, now, &["-nat"]).stdout;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2],
            "tcp        0      0 0.0.0.0:8080            0.0.0.0:*               LISTEN     "
        );
        assert!(
            lines[3].starts_with("tcp        0     12 192.168.0.1:8080        192.0.2.1:"),
            "{}",
            lines[3]
        );
        assert!(lines[3].ends_with(" ESTABLISHED"), "{}", lines[3]);
        let counted = |arguments: &[&str]| run(&stack, now, arguments).stdout.lines().count() - 2;
        assert_eq!(
            (counted(&["-nt"]), counted(&["-ntl"]), counted(&["-nta6"]), counted(&["-nua"])),
            (1, 1, 0, 0)
        );
        let timers = run(&stack, now, &["-nto"]).stdout;
        assert!(
            timers
                .lines()
                .nth(2)
                .is_some_and(|line| line.contains(" ESTABLISHED on (") && line.ends_with("/0/0)")),
            "{timers}"
        );
        assert_eq!(run(&stack, now, &["-s"]).problems.len(), 1);
        assert_eq!(run(&stack, now, &["now"]).status, 4);
    }
}
