//! Commands of scripts that mean something to our stack: settings and routes.
//!
//! They are understood here and never run on the host. What is not understood is *unsupported*, by its name.

use cauce_core::stack::route::{Prefix, Route};

use super::{Core, broken, unsupported};
use crate::target::TargetError;

/// Runs the commands of `text`, separated by line ends, `;` and `&&`.
pub(super) fn run(core: &mut Core, text: &str) -> Result<(), TargetError> {
    for line in text.replace("&&", "\n").split(['\n', ';']) {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["true" | ":", ..] => {}
            ["sysctl", rest @ ..] => sysctl(core, rest)?,
            ["ip", "tcp_metrics", "flush", ..] | ["ip", "-q" | "-s", "tcp_metrics", "flush", ..] => {}
            ["ip", "route", "change" | "replace", rest @ ..] => route(core, rest)?,
            [
                "tc",
                "qdisc",
                "add" | "replace" | "change",
                "dev",
                "tun0",
                "root",
                "pfifo" | "pfifo_fast",
                ..,
            ] => {}
            [first, ..] => return unsupported(format!("the command `{first}`")),
        }
    }
    Ok(())
}

/// Words as the shell has them, quotes taken away.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut open, mut quote) = (String::new(), false, None);
    for c in line.trim().chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => word.push(c),
            None if c == '#' && !open => break,
            None if c == '"' || c == '\'' => (quote, open) = (Some(c), true),
            None if c.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                    open = false;
                }
            }
            None => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    words
}

/// `sysctl [-q] [-w] NAME=VALUE…`, also with blanks around `=`.
fn sysctl(core: &mut Core, words: &[&str]) -> Result<(), TargetError> {
    let mut rest = words.iter().copied().filter(|word| !matches!(*word, "-q" | "-w" | "-qw" | "-wq" | "="));
    while let Some(word) = rest.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None => (word, rest.next().ok_or_else(|| broken(format!("sysctl {word}: a value is missing")))?),
        };
        let set = core.stack.sysctl_mut().set(name, value);
        set.map_err(|error| match error.errno_name() {
            "ENOENT" => TargetError::Unsupported(format!("{name}: {error}")),
            _ => broken(format!("sysctl {name}={value}: {error}")),
        })?;
    }
    Ok(())
}

/// `PREFIX [via GATEWAY] dev tun0 [mtu [lock] N] [advmss N] [initcwnd N] [initrwnd N] [rto_min Nms] [congctl NAME]`.
fn route(core: &mut Core, words: &[&str]) -> Result<(), TargetError> {
    let Some((prefix, mut rest)) = words.split_first() else {
        return unsupported("ip route without a prefix");
    };
    let prefix = prefix_of(prefix).ok_or_else(|| broken(format!("ip route: {prefix} is no prefix")))?;
    let old = core.stack.interfaces().routes().iter().find(|route| route.prefix == prefix).cloned();
    let mut new = Route::new(prefix, core.device);
    while let [name, after @ ..] = rest {
        let number = || after.first().and_then(|word| word.trim_end_matches("ms").parse::<u32>().ok());
        let missing = || broken(format!("ip route: {name} needs a value"));
        rest = after.get(1..).unwrap_or(&[]);
        match *name {
            "dev" | "proto" | "scope" | "src" => {}
            "via" => {
                let gateway = after.first().and_then(|word| word.parse::<std::net::IpAddr>().ok());
                new.gateway = Some(gateway.ok_or_else(missing)?.into());
            }
            "mtu" if after.first() == Some(&"lock") => {
                new.metrics.mtu_lock = true;
                new.metrics.mtu = after.get(1).and_then(|word| word.parse().ok()).ok_or_else(missing)?;
                rest = after.get(2..).unwrap_or(&[]);
            }
            "mtu" => new.metrics.mtu = number().ok_or_else(missing)? as u16,
            "advmss" => new.metrics.advmss = number().ok_or_else(missing)? as u16,
            "initcwnd" => new.metrics.initcwnd = number().ok_or_else(missing)? as u16,
            "initrwnd" => new.metrics.initrwnd = number().ok_or_else(missing)? as u16,
            "window" => new.metrics.window = number().ok_or_else(missing)?,
            "rto_min" => new.metrics.rto_min_us = number().ok_or_else(missing)?.saturating_mul(1000),
            "quickack" => new.metrics.quickack = number().ok_or_else(missing)? != 0,
            "hoplimit" => new.metrics.hoplimit = number().ok_or_else(missing)? as u8,
            other => return unsupported(format!("ip route … {other}")),
        }
    }
    let routes = core.stack.interfaces().routes_mut();
    if let Some(old) = old {
        routes.remove(&old);
    }
    routes.add(new);
    Ok(())
}

fn prefix_of(text: &str) -> Option<Prefix> {
    let (ip, len) = text.split_once('/')?;
    Prefix::new(ip.parse().ok()?, len.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_ours_and_never_the_hosts() {
        let mut core = Core::default();
        run(&mut core, "sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_rmem=\"4096 5000 6000\"").unwrap();
        assert_eq!(core.stack.sysctl().get("net.ipv4.tcp_sack").as_deref(), Ok("0"));
        assert_eq!(core.stack.sysctl().get("tcp_rmem").as_deref(), Ok("4096\t5000\t6000"));
        assert!(matches!(run(&mut core, "rm -rf /"), Err(TargetError::Unsupported(_))));
        assert!(matches!(run(&mut core, "sysctl net.ipv4.tcp_sack=300"), Err(TargetError::Broken(_))));
    }
}
