//! `netsh interface tcp`: the two global parameters of Windows that the stack has (Q-60).
//!
//! What they mean, and which values they take, is decided by `cauce_core::sysctl::windows`.

use cauce_core::sysctl::{self, Kind, SysctlEntry, Sysctls, windows};

use super::{Output, Problem};

const USAGE: &str = "usage: netsh interface tcp { show global | set global NAME=VALUE ... }";

/// `interface tcp show global`, `interface tcp set global NAME=VALUE…`.
///
/// ```
/// use cauce_core::sysctl::Sysctls;
/// use cauce_posix::tools::netsh::run;
/// let mut sysctls = Sysctls::default();
/// let words: Vec<_> = "interface tcp set global congestionprovider=none".split(' ').collect();
/// assert_eq!(run(&mut sysctls, &words).stdout, "Ok.\n\n");
/// assert_eq!(sysctls.tcp_congestion_control, "reno");
/// ```
pub fn run(sysctls: &mut Sysctls, arguments: &[&str]) -> Output {
    match arguments {
        ["interface" | "int", "tcp", "show", "global"] => show(sysctls),
        ["interface" | "int", "tcp", "set", "global", pairs @ ..] if !pairs.is_empty() => set(sysctls, pairs),
        _ => Output::failed(1, USAGE),
    }
}

fn parameters() -> impl Iterator<Item = &'static SysctlEntry> {
    windows::table().iter().filter(|entry| entry.kind == Kind::Word)
}

fn show(sysctls: &Sysctls) -> Output {
    let title = |entry: &SysctlEntry| match entry.name {
        "autotuninglevel" => "Receive Window Auto-Tuning Level",
        "congestionprovider" => "Add-On Congestion Control Provider",
        name => name,
    };
    let mut text = format!("TCP Global Parameters\n{}\n", "-".repeat(46));
    for entry in parameters() {
        let value = sysctls.get(entry.name).unwrap_or_default();
        text.push_str(&format!("{:<36}: {value}\n", title(entry)));
    }
    Output::text(text)
}

/// All pairs or none: a wrong one changes nothing.
fn set(sysctls: &mut Sysctls, pairs: &[&str]) -> Output {
    let mut changed = sysctls.clone();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else { return Output::failed(1, USAGE) };
        let known = sysctl::find(name).filter(|entry| parameters().any(|known| known.name == entry.name));
        let Some(entry) = known else {
            let names: Vec<_> = parameters().map(|entry| entry.name).collect();
            let why = format!("`{name}` is no global parameter; {} are", names.join(" and "));
            return Output { problems: vec![Problem::Unsupported(why.clone())], ..Output::failed(1, why) };
        };
        if let Err(error) = changed.set(entry.name, value) {
            let why = error.to_string();
            return Output { problems: vec![Problem::Refused(why.clone())], ..Output::failed(1, why) };
        }
    }
    *sysctls = changed;
    Output::text("Ok.\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netsh(sysctls: &mut Sysctls, command: &str) -> Output {
        run(sysctls, &command.split(' ').collect::<Vec<_>>())
    }

    /// Q-60: the document's two commands.
    #[test]
    fn the_congestion_provider() {
        let mut sysctls = Sysctls::default();
        let on = "interface tcp set global congestionprovider=ctcp";
        assert_eq!(netsh(&mut sysctls, on).stdout, "Ok.\n\n");
        assert_eq!(sysctls.tcp_congestion_control, "ctcp");
        netsh(&mut sysctls, "int tcp set global congestionprovider=none autotuninglevel=disabled");
        assert_eq!((sysctls.tcp_congestion_control.as_str(), sysctls.tcp_moderate_rcvbuf), ("reno", 0));
        assert_eq!(
            netsh(&mut sysctls, "interface tcp show global").stdout,
            "TCP Global Parameters\n----------------------------------------------\n\
             Add-On Congestion Control Provider  : none\nReceive Window Auto-Tuning Level    : disabled\n"
        );
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let mut sysctls = Sysctls::default();
        for command in [
            "interface tcp set global",
            "interface tcp set global rss=enabled",
            "interface tcp set global KeepAliveTime=1000",
            "interface tcp set global congestionprovider=none autotuninglevel=high",
            "interface ipv4 show global",
        ] {
            assert_eq!(netsh(&mut sysctls, command).status, 1, "{command}");
            assert_eq!(sysctls, Sysctls::default(), "{command}");
        }
    }
}
