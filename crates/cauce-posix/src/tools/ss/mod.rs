//! `ss`: the sockets of a stack, one line each, and what is known of them (Q-31, N-36).
//!
//! Columns are as wide as what stands in them. Names of hosts and processes are never looked up, and ports are printed
//! as numbers: `-n`, `-r` and `-p` are taken and change nothing. A filter may name services and devices.

mod arguments;
mod details;
mod filter;
mod services;

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::time::Instant;

use super::{Columns, Files, Output};
pub use arguments::{Command, files};

/// `ss [-taloiemsHO46nrp] [--tos] [-A TABLES] [-f FAMILY] [-F FILE] [FILTER]` as it is at `now`. Files are `-F`'s, and
/// `/etc/services` where a filter names a service.
///
/// ```
/// use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
/// let mut n = 0u64;
/// let stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
/// let output = cauce_posix::tools::ss::run(&stack, Instant::ZERO, &["-tan"], &no_files);
/// assert!(output.stdout.starts_with("State Recv-Q Send-Q Local Address:Port"));
/// ```
pub fn run(stack: &Stack, now: Instant, arguments: &[&str], files: &dyn Files) -> Output {
    match Command::parse(arguments, files) {
        Ok(command) if command.summary => Output::text(summary(stack)),
        Ok(command) => Output::text(table(stack, now, &command)),
        Err(output) => *output,
    }
}

/// What one socket shows: five columns, their end, and the line below.
struct Row {
    state: &'static str,
    queues: [String; 2],
    local: (String, String),
    remote: (String, String),
    more: String,
    below: String,
}

fn table(stack: &Stack, now: Instant, command: &Command) -> String {
    let rows: Vec<Row> =
        command.select(stack, now).map(|listed| row(stack, &listed, now, command.columns)).collect();
    let (kinds, states) = (command.shows_kinds(), !command.shows_one_state());
    let widest = |header: &str, of: &dyn Fn(&Row) -> usize| {
        rows.iter().map(of).max().unwrap_or(0).max(if command.no_header { 0 } else { header.len() })
    };
    let state = widest("State", &|row| row.state.len());
    let queues = [widest("Recv-Q", &|row| row.queues[0].len()), widest("Send-Q", &|row| row.queues[1].len())];
    let local = (widest("Local Address", &|row| row.local.0.len()), widest("Port", &|row| row.local.1.len()));
    let remote =
        (widest("Peer Address", &|row| row.remote.0.len()), widest("Port", &|row| row.remote.1.len()));
    let mut text = String::new();
    let mut line = |row: &Row| {
        if kinds {
            text.push_str(if row.state == "State" { "Netid " } else { "tcp   " });
        }
        // Writing to a String cannot fail.
        if states {
            let _ = write!(text, "{:state$} ", row.state);
        }
        let _ = write!(
            text,
            "{:q0$} {:q1$} {:>l0$}:{:l1$} {:>r0$}:{:r1$} {}",
            row.queues[0],
            row.queues[1],
            row.local.0,
            row.local.1,
            row.remote.0,
            row.remote.1,
            row.more,
            q0 = queues[0],
            q1 = queues[1],
            l0 = local.0,
            l1 = local.1,
            r0 = remote.0,
            r1 = remote.1,
        );
        let has_line_below = command.columns.memory || command.columns.info;
        match (has_line_below && row.state != "State", command.one_line) {
            (true, true) => text.push_str(&row.below),
            (true, false) => {
                let _ = write!(text, "\n\t{}", row.below);
            }
            (false, _) => {}
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    };
    if !command.no_header {
        let port = || "Port".to_owned();
        line(&Row {
            state: "State",
            queues: ["Recv-Q".to_owned(), "Send-Q".to_owned()],
            local: ("Local Address".to_owned(), port()),
            remote: ("Peer Address".to_owned(), port()),
            more: "Process".to_owned(),
            below: String::new(),
        });
    }
    rows.iter().for_each(line);
    text
}

fn row(stack: &Stack, listed: &Listed, now: Instant, columns: Columns) -> Row {
    let mut more = Vec::new();
    if let (true, Some(timer)) = (columns.timers, listed.timer) {
        more.push(details::timer(listed, timer, now));
    }
    if columns.extended {
        more.push(details::extended(listed));
    }
    let mut below = String::new();
    if let Some(known) = &listed.details {
        if columns.tos {
            more.push(details::tos(listed.family, known));
        }
        if columns.memory {
            below.push_str(&details::memory(&known.memory));
        }
        if columns.info {
            below.push_str(&details::info(listed.state, known, columns.timers));
        }
    }
    let mut local = endpoint(listed.local, listed);
    if let Some(device) = listed.device {
        local.0 = format!("{}%{}", local.0, stack.device_name(device));
    }
    Row {
        state: state_name(listed.state),
        queues: [listed.recv_queue.to_string(), listed.send_queue.to_string()],
        local,
        remote: endpoint(listed.remote, listed),
        more: more.join(" "),
        below,
    }
}

/// The address and the port as `ss` writes them: `*` for what is not there.
fn endpoint(at: SocketAddr, listed: &Listed) -> (String, String) {
    let address = match (at.ip(), listed.family) {
        (ip, Family::V6) if ip.is_unspecified() && !listed.v6_only => "*".to_owned(),
        (IpAddr::V4(ip), Family::V6) => format!("[{}]", ip.to_ipv6_mapped()),
        (IpAddr::V4(ip), Family::V4) => ip.to_string(),
        (IpAddr::V6(ip), _) => format!("[{ip}]"),
    };
    let port = if at.port() == 0 { "*".to_owned() } else { at.port().to_string() };
    (address, port)
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Established => "ESTAB",
        State::SynSent => "SYN-SENT",
        State::SynReceived => "SYN-RECV",
        State::FinWait1 => "FIN-WAIT-1",
        State::FinWait2 => "FIN-WAIT-2",
        State::TimeWait => "TIME-WAIT",
        State::Closed => "UNCONN",
        State::CloseWait => "CLOSE-WAIT",
        State::LastAck => "LAST-ACK",
        State::Listen => "LISTEN",
        State::Closing => "CLOSING",
    }
}

/// What `-s` tells of TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Sockets that exist.
    pub total: usize,
    /// Those and the TIME-WAITs.
    pub all: usize,
    /// Connections in ESTABLISHED and CLOSE-WAIT.
    pub established: u64,
    /// What is in no table of connections, or in TIME-WAIT.
    pub closed: usize,
    /// Connections that no user has any more.
    pub orphaned: usize,
    /// TIME-WAITs.
    pub time_waits: usize,
    /// Listeners and connections of IPv4 sockets.
    pub v4: usize,
    /// Listeners and connections of IPv6 sockets.
    pub v6: usize,
}

/// What `-s` tells of TCP, now.
pub fn sums(stack: &Stack) -> Sums {
    let counts = stack.socket_counts();
    let (v4, v6) = (counts.in_use_v4, counts.in_use_v6);
    let all = counts.allocated + counts.time_waits;
    Sums {
        total: counts.allocated,
        all,
        established: stack.counters().get(cauce_core::counters::Counter::CurrEstab),
        closed: all.saturating_sub(v4 + v6),
        orphaned: counts.orphans,
        time_waits: counts.time_waits,
        v4,
        v6,
    }
}

fn summary(stack: &Stack) -> String {
    let Sums { total, all, established, closed, orphaned, time_waits, v4, v6 } = sums(stack);
    let in_use = v4 + v6;
    let mut text = format!(
        "Total: {total}\nTCP:   {all} (estab {established}, closed {closed}, orphaned {orphaned}, \
         timewait {time_waits})\n\nTransport Total     IP        IPv6\n"
    );
    for (kind, all, v4, v6) in [
        ("RAW", 0, 0, 0),
        ("UDP", 0, 0, 0),
        ("TCP", in_use, v4, v6),
        ("INET", in_use, v4, v6),
        ("FRAG", 0, 0, 0),
    ] {
        let _ = writeln!(text, "{kind}\t  {all:<9} {v4:<9} {v6:<9}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
