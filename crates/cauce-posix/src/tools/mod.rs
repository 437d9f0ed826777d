//! Linux's tools over a stack: each takes its own arguments and returns what it would print.
//!
//! [`ss`], [`netstat`] and [`nstat`] only read; [`sysctl`] and [`ip`] also change, and [`netsh`] is Windows'. They print what the tools of
//! procps, iproute2 and net-tools print, as far as the stack has it; names of hosts are never looked
//! up. What a tool of Linux can do and this stack cannot is told as a [`Problem`], beside the exit status that a
//! shell sees.

mod files;
pub mod ip;
pub mod netsh;
pub mod netstat;
pub mod nstat;
pub mod ss;
pub mod sysctl;

pub use files::Files;

/// What a tool printed and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit status.
    pub status: u8,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What the stack could not do, or refused. Whoever wants to be told, whatever the shell makes of the status,
    /// looks here.
    pub problems: Vec<Problem>,
}

/// Why a request had no effect, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The stack does not have it; what was asked for, in a few words.
    Unsupported(String),
    /// The stack has it and refuses this value; a sentence.
    Refused(String),
}

impl Output {
    /// Success with this text.
    pub fn text(stdout: impl Into<String>) -> Output {
        Output { stdout: stdout.into(), ..Output::default() }
    }

    /// Failure with a status and a message, which gets its newline here.
    pub fn failed(status: u8, message: impl AsRef<str>) -> Output {
        Output { status, stderr: format!("{}\n", message.as_ref()), ..Output::default() }
    }

    /// What the stack does not have: status 1, and a problem.
    pub fn unsupported(what: impl Into<String>) -> Output {
        let what = what.into();
        Output {
            problems: vec![Problem::Unsupported(what.clone())],
            ..Output::failed(1, format!("unsupported: {what}"))
        }
    }
}

/// What a listing shows of each socket beside its state, queues and addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The timer that runs.
    pub timers: bool,
    /// Who has it.
    pub extended: bool,
    /// What its queues hold.
    pub memory: bool,
    /// What TCP_INFO tells.
    pub info: bool,
    /// IP_TOS, IPV6_TCLASS and SO_PRIORITY.
    pub tos: bool,
}

/// True when `text` matches `pattern` with `*`, `?` and `[…]`, whatever the case of letters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    fn from(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skip| from(rest, &text[skip..])),
            [b'?', rest @ ..] => text.split_first().is_some_and(|(_, text)| from(rest, text)),
            [b'[', rest @ ..] if rest.iter().skip(1).any(|c| *c == b']') => {
                let (negated, set) = match rest {
                    [b'!' | b'^', set @ ..] => (true, set),
                    set => (false, set),
                };
                let end = 1 + set.iter().skip(1).position(|c| *c == b']').unwrap_or(set.len() - 1);
                let Some((c, text)) = text.split_first() else { return false };
                in_set(&set[..end], *c) != negated && from(set.get(end + 1..).unwrap_or(&[]), text)
            }
            [c, rest @ ..] => {
                text.split_first().is_some_and(|(t, text)| t.eq_ignore_ascii_case(c) && from(rest, text))
            }
        }
    }
    fn in_set(mut set: &[u8], c: u8) -> bool {
        let lower = c.to_ascii_lowercase();
        loop {
            match set {
                [] => return false,
                [from, b'-', to, rest @ ..] => {
                    if (from.to_ascii_lowercase()..=to.to_ascii_lowercase()).contains(&lower) {
                        return true;
                    }
                    set = rest;
                }
                [one, rest @ ..] => {
                    if one.eq_ignore_ascii_case(&c) {
                        return true;
                    }
                    set = rest;
                }
            }
        }
    }
    from(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
pub(crate) use tests::{connected_stack, test_stack};

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::batch::Batch;
    use cauce_core::frame::{ChecksumState, Frame};
    use cauce_core::socket::Family;
    use cauce_core::stack::{InterfaceConfig, Medium, Stack};
    use cauce_core::sysctl::Sysctls;
    use cauce_core::time::Instant;

    /// An empty stack.
    pub(crate) fn test_stack() -> Stack {
        let mut n = 0u64;
        let rng = move || {
            n += 1;
            n
        };
        Stack::new(Sysctls::default(), Box::new(rng))
    }

    fn host(ip: &str, to: &str) -> Stack {
        let mut stack = test_stack();
        let config =
            InterfaceConfig { name: "tun0".into(), mtu: 1500, medium: Medium::Ip, max_super: u16::MAX };
        let device = stack.add_interface(config);
        stack.interfaces().add_address(device, ip.parse().unwrap(), 24);
        stack.interfaces().add_route(to.parse().unwrap(), 24, None, device);
        stack
    }

    fn carry(from: &mut Stack, to: &mut Stack, now: Instant) {
        let mut batch = Batch::new(16);
        while from.poll_transmit(now, &mut batch) > 0 {
            let mut tokens = Vec::new();
            while let Some(transmit) = batch.pop() {
                tokens.push(transmit.token);
                let mut frame = Frame::new(bytes::Bytes::copy_from_slice(&transmit.header));
                frame.frags = transmit.payload.to_vec();
                frame.truesize += transmit.payload_len() as u32;
                frame.checksum = ChecksumState::Partial;
                assert!(to.handle_packet(now, frame).is_none());
            }
            from.handle_transmitted(now, &tokens);
        }
    }

    /// A server 192.168.0.1:8080 with one connection from 192.0.2.1, on which it has sent `data` that nobody
    /// has acknowledged, and the time.
    pub(crate) fn connected_stack(data: &[u8]) -> (Stack, Instant) {
        let now = Instant::from_secs(1000);
        let (mut server, mut client) = (host("192.168.0.1", "192.0.2.0"), host("192.0.2.1", "192.168.0.0"));
        let listener = server.open(Family::V4).unwrap();
        server.socket(listener).bind("0.0.0.0:8080".parse().unwrap()).unwrap();
        server.socket(listener).listen(5).unwrap();
        let caller = client.open(Family::V4).unwrap();
        let _ = client.socket(caller).connect(now, "192.168.0.1:8080".parse().unwrap());
        for _ in 0..3 {
            carry(&mut client, &mut server, now);
            carry(&mut server, &mut client, now);
        }
        let accepted = server.socket(listener).accept(now).unwrap();
        server.socket(accepted).send(now, data).unwrap();
        let mut batch = Batch::new(16);
        while server.poll_transmit(now, &mut batch) > 0 {
            while batch.pop().is_some() {}
        }
        (server, now)
    }

    #[test]
    fn patterns_are_the_shells() {
        for (pattern, text, fits) in [
            ("TcpExt*", "TcpExtTCPTimeouts", true),
            ("tcpext*timeouts", "TcpExtTCPTimeouts", true),
            ("TCPTimeouts", "TcpExtTCPTimeouts", false),
            ("*[a-c]?", "xbz", true),
            ("[!x]*", "xbz", false),
            ("[", "[", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
