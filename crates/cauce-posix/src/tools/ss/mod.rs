//! `ss`: the sockets of a stack, one line each, and what is known of them (Q-31, N-36).
//!
//! Columns are as wide as what stands in them. Names of hosts, services and processes are never looked up: `-n`,
//! `-r` and `-p` are taken and change nothing.

mod details;
mod filter;

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use cauce_core::connection::state::State;
use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::time::Instant;

use super::Output;
use filter::Filter;

const USAGE: &str = "Usage: ss [ OPTIONS ] [ FILTER ]";

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    all: bool,
    listening: bool,
    timers: bool,
    extended: bool,
    memory: bool,
    info: bool,
    summary: bool,
    no_header: bool,
    one_line: bool,
    v4: bool,
    v6: bool,
    tcp: bool,
    /// Sockets that are not TCP: there are none, but the column of kinds appears.
    others: bool,
}

/// `ss [-t] [-a|-l] [-n] [-i] [-m] [-o] [-e] [-s] [-H] [-O] [-4|-6] [FILTER]` as it is at `now`.
///
/// ```
/// use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
/// let mut n = 0u64;
/// let stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let output = cauce_posix::tools::ss::run(&stack, Instant::ZERO, &["-tan"]);
/// assert!(output.stdout.starts_with("State Recv-Q Send-Q Local Address:Port"));
/// ```
pub fn run(stack: &Stack, now: Instant, arguments: &[&str]) -> Output {
    let (options, words) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(output) => return *output,
    };
    let filter = match Filter::parse(&words) {
        Ok(filter) => filter,
        Err(why) => return Output::failed(255, why),
    };
    if options.summary {
        return Output::text(summary(stack));
    }
    let families = !options.v4 && !options.v6;
    let shown = stack.listing(now).filter(|listed| {
        (families || if listed.family == Family::V4 { options.v4 } else { options.v6 })
            && filter.state(listed.state).unwrap_or_else(|| usual(listed.state, options))
            && filter.expression(listed)
            && (options.tcp || !options.others)
    });
    Output::text(table(shown, now, options, !filter.is_one_state()))
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Options, Vec<&'a str>), Box<Output>> {
    let mut options = Options::default();
    let mut words = Vec::new();
    for argument in arguments {
        let letters = match *argument {
            "--all" => "a",
            "--extended" => "e",
            "--info" => "i",
            "--ipv4" => "4",
            "--ipv6" => "6",
            "--listening" => "l",
            "--memory" => "m",
            "--no-header" => "H",
            "--numeric" => "n",
            "--oneline" => "O",
            "--options" => "o",
            "--processes" => "p",
            "--resolve" => "r",
            "--summary" => "s",
            "--tcp" => "t",
            word => match word.strip_prefix('-') {
                Some(letters) if words.is_empty() && !letters.is_empty() => letters,
                _ => {
                    words.push(word);
                    continue;
                }
            },
        };
        for letter in letters.chars() {
            match letter {
                'a' => options.all = true,
                'e' => options.extended = true,
                'i' => options.info = true,
                'l' => options.listening = true,
                'm' => options.memory = true,
                'o' => options.timers = true,
                's' => options.summary = true,
                't' => options.tcp = true,
                'H' => options.no_header = true,
                'O' => options.one_line = true,
                '4' => options.v4 = true,
                '6' => options.v6 = true,
                'n' | 'p' | 'r' => {}
                'u' | 'w' | 'x' => options.others = true,
                'h' => return Err(Box::new(Output::text(format!("{USAGE}\n")))),
                _ => return Err(Box::new(Output::unsupported(format!("ss {argument}")))),
            }
        }
    }
    Ok((options, words))
}

/// The states that are shown when the filter names none.
fn usual(state: State, options: Options) -> bool {
    match state {
        State::Listen => options.all || options.listening,
        State::Closed | State::TimeWait | State::SynReceived => options.all,
        _ => options.all || !options.listening,
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

fn table(shown: impl Iterator<Item = Listed>, now: Instant, options: Options, states: bool) -> String {
    let rows: Vec<Row> = shown.map(|listed| row(&listed, now, options)).collect();
    let kinds = !options.tcp || options.others;
    let widest = |header: &str, of: &dyn Fn(&Row) -> usize| {
        rows.iter().map(of).max().unwrap_or(0).max(if options.no_header { 0 } else { header.len() })
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
        let has_line_below = options.memory || options.info;
        match (has_line_below && row.state != "State", options.one_line) {
            (true, true) => text.push_str(&row.below),
            (true, false) => {
                let _ = write!(text, "\n\t{}", row.below);
            }
            (false, _) => {}
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    };
    if !options.no_header {
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

fn row(listed: &Listed, now: Instant, options: Options) -> Row {
    let mut more = Vec::new();
    if let (true, Some(timer)) = (options.timers, listed.timer) {
        more.push(details::timer(listed, timer, now));
    }
    if options.extended {
        more.push(details::extended(listed));
    }
    let mut below = String::new();
    if let Some(known) = &listed.details {
        if options.memory {
            below.push_str(&details::memory(&known.memory));
        }
        if options.info {
            below.push_str(&details::info(listed.state, known, options.timers));
        }
    }
    Row {
        state: state_name(listed.state),
        queues: [listed.recv_queue.to_string(), listed.send_queue.to_string()],
        local: endpoint(listed.local, listed),
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

fn summary(stack: &Stack) -> String {
    let counts = stack.socket_counts();
    let in_use = counts.in_use_v4 + counts.in_use_v6;
    let established = stack.counters().get(cauce_core::counters::Counter::CurrEstab);
    let all = counts.allocated + counts.time_waits;
    let closed = all.saturating_sub(in_use);
    let mut text = format!(
        "Total: {}\nTCP:   {all} (estab {established}, closed {closed}, orphaned {}, timewait {})\n\n\
         Transport Total     IP        IPv6\n",
        counts.allocated, counts.orphans, counts.time_waits
    );
    for (kind, all, v4, v6) in [
        ("RAW", 0, 0, 0),
        ("UDP", 0, 0, 0),
        ("TCP", in_use, counts.in_use_v4, counts.in_use_v6),
        ("INET", in_use, counts.in_use_v4, counts.in_use_v6),
        ("FRAG", 0, 0, 0),
    ] {
        let _ = writeln!(text, "{kind}\t  {all:<9} {v4:<9} {v6:<9}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::connected_stack;

    fn ask(words: &[&str]) -> String {
        let (stack, now) = connected_stack(b"twelve bytes");
        let output = run(&stack, now, words);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{words:?}");
        output.stdout
    }

    /// Q-31: fields in the columns of the real one, for `awk`.
    #[test]
    fn lines_are_the_real_ones() {
        let text = ask(&["-tan"]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[0],
            "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process".split(' ').collect::<Vec<_>>()
        );
        assert_eq!(lines[1], ["LISTEN", "0", "5", "0.0.0.0:8080", "0.0.0.0:*"]);
        assert_eq!(lines[2][..4], ["ESTAB", "0", "12", "192.168.0.1:8080"]);
        assert_eq!(ask(&["-tn"]).lines().count(), 2, "without -a no listener");
        assert_eq!(ask(&["-Htln"]).lines().count(), 1);
        assert_eq!(ask(&["-t", "-6", "-a"]).lines().count(), 1);
        assert!(ask(&["-a"]).lines().nth(1).is_some_and(|line| line.starts_with("tcp   LISTEN")));
    }

    #[test]
    fn options_add_what_is_known() {
        let text = ask(&["-tioemn"]);
        let below = text.lines().nth(2).unwrap();
        assert!(below.starts_with("\t skmem:(r0,rb131072,t0,tb"), "{below}");
        for part in [
            " ts sack cubic wscale:",
            " rto:",
            " mss:1448",
            " cwnd:10 ",
            " bytes_sent:12 ",
            " unacked:1 ",
            " snd_wnd:",
        ] {
            assert!(below.contains(part), "{part} in {below}");
        }
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains("timer:(on,") && line.ends_with(" <->"), "{line}");
        assert_eq!(ask(&["-tiO"]).lines().count(), 2);
        assert!(ask(&["-s"]).contains("(estab 1, closed 0, orphaned 0, timewait 0)"));
    }

    #[test]
    fn filters_choose() {
        for (words, count) in [
            (&["state", "listening"][..], 1),
            (&["state", "listening", "state", "established"], 2),
            (&["state", "connected"], 1),
            (&["exclude", "established"], 1),
            (&["sport", "=", ":8080"], 2),
            (&["sport", "=", "8080", "and", "dst", "192.0.2.0/24"], 1),
            (&["(", "dport", "gt", ":1", "or", "sport", "=", ":1", ")", "src", "192.168.0.1:8080"], 1),
            (&["not", "dst", "192.0.2.1"], 1),
            (&["dst = 192.0.2.1 and sport = :8080"], 1),
        ] {
            let mut all = vec!["-Htan"];
            all.extend(words);
            assert_eq!(ask(&all).lines().count(), count, "{words:?}");
        }
        let one = ask(&["-Htn", "state", "established"]);
        assert!(one.starts_with("0 12 192.168.0.1:8080 "), "one state needs no column: {one}");
        let (stack, now) = connected_stack(b"");
        for wrong in [
            &["state", "bogus"][..],
            &["sport", "~", "1"],
            &["dst"],
            &["dst", "nowhere.example"],
            &["(", "sport", "=", "1"],
        ] {
            assert_eq!(run(&stack, now, wrong).status, 255, "{wrong:?}");
        }
        assert_eq!(run(&stack, now, &["-K"]).problems.len(), 1);
    }
}
