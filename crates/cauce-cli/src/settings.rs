//! `--sysctl KEY=VALUE`: a setting of the stack under its Linux name.

use cauce_core::sysctl::{self, SysctlError, Sysctls};
use std::str::FromStr;

/// A setting and the value it shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its Linux name; `net.ipv4.` may be left out.
    pub name: String,
    /// The value, as sysctl(8) takes it.
    pub value: String,
}

impl Setting {
    /// Changes the setting.
    pub fn apply(&self, settings: &mut Sysctls) -> Result<(), SysctlError> {
        settings.set(&self.name, &self.value)
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err("write NAME=VALUE as in tcp_keepalive_time=60".into());
        };
        let setting = Setting { name: name.trim().into(), value: value.trim().into() };
        match setting.apply(&mut Sysctls::default()) {
            Ok(()) => Ok(setting),
            Err(error @ SysctlError::UnknownName { .. }) => Err(format!("{error}; {}", alike(&setting.name))),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Names the settings that were perhaps meant.
fn alike(name: &str) -> String {
    let likeness = |known: &str| strsim::jaro_winkler(known, name.strip_prefix("net.ipv4.").unwrap_or(name));
    let mut known: Vec<_> = sysctl::table().iter().map(|entry| entry.short_name()).collect();
    known.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    known.truncate(3);
    format!("the most similar of {} are {}", sysctl::table().len(), known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_when_they_are_read() {
        let setting: Setting = "net.ipv4.tcp_keepalive_time=60".parse().unwrap();
        let mut settings = Sysctls::default();
        setting.apply(&mut settings).unwrap();
        assert_eq!(settings.get("tcp_keepalive_time").unwrap(), "60");
    }

    #[test]
    fn wrong_settings_are_told_what_is_allowed() {
        let wrong = |text: &str| text.parse::<Setting>().unwrap_err();
        assert!(wrong("tcp_sack").contains("NAME=VALUE"));
        assert!(wrong("tcp_sakc=1").contains("tcp_sack"), "{}", wrong("tcp_sakc=1"));
        assert!(wrong("tcp_syn_retries=128").contains("127"), "{}", wrong("tcp_syn_retries=128"));
    }
}
