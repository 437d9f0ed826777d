//! The settings that a script's commands wrote under /proc/sys, read back for our stack.
//!
//! Scripts begin with commands such as `sysctl -q net.ipv4.tcp_sack=0`, which the tool runs in its own network
//! namespace: the values that the script wants are there. A setting that our table does not have, that this
//! kernel does not have, or that may not be read is left as it is.

use cauce_core::sysctl::{self, Access, SysctlEntry, Sysctls};
use std::path::Path;

/// The values of all settings that can be read below `root` (`/proc/sys`), but those in `pinned`.
pub(crate) fn read(root: &Path, pinned: &[&str]) -> Vec<(&'static SysctlEntry, String)> {
    let wanted = |entry: &&SysctlEntry| {
        entry.name.starts_with("net.") && entry.access != Access::ReadOnly && !pinned.contains(&entry.name)
    };
    let value = |entry: &'static SysctlEntry| {
        let text = std::fs::read_to_string(root.join(entry.name.replace('.', "/"))).ok()?;
        Some((entry, text.trim().to_owned()))
    };
    sysctl::table().iter().filter(wanted).filter_map(value).collect()
}

/// Takes over what differs. Values that are refused come back as sentences.
pub(crate) fn apply(settings: &mut Sysctls, values: &[(&'static SysctlEntry, String)]) -> Vec<String> {
    let mut refused = Vec::new();
    for (entry, text) in values {
        if settings.get(entry.name).as_ref() != Ok(text)
            && let Err(error) = settings.set(entry.name, text)
        {
            refused.push(error.to_string());
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_taken_and_what_is_given_stays() {
        let root = std::env::temp_dir().join(format!("cauce-sysctls-{}", std::process::id()));
        let ipv4 = root.join("net/ipv4");
        std::fs::create_dir_all(&ipv4).unwrap();
        for (name, text) in [
            ("tcp_rmem", "4096\t5000\t6000\n"),
            ("tcp_sack", "0\n"),
            ("tcp_dsack", "0\n"),
            ("tcp_congestion_control", "no-such-thing\n"),
            ("tcp_fastopen_key", "00000000-00000000-00000000-00000000\n"),
            ("tcp_nonsense", "1\n"),
        ] {
            std::fs::write(ipv4.join(name), text).unwrap();
        }
        let values = read(&root, &["net.ipv4.tcp_dsack"]);
        std::fs::remove_dir_all(&root).unwrap();
        let mut settings = Sysctls::default();
        let refused = apply(&mut settings, &values);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].contains("no-such-thing"), "{refused:?}");
        let expected = {
            let mut expected = Sysctls::default();
            expected.set("tcp_rmem", "4096 5000 6000").unwrap();
            expected.set("tcp_sack", "0").unwrap();
            expected
        };
        assert_eq!(settings, expected);
        assert!(read(&root, &[]).is_empty());
    }
}
