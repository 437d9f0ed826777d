//! The settings with which a stack starts: those of a profile, then of files, then `--sysctl KEY=VALUE`.

use anyhow::Context;
use cauce_core::sysctl::{self, Profile, SysctlError, Sysctls};
use cauce_posix::tools;
use std::io::ErrorKind;
use std::path::PathBuf;
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

/// The settings of `profile`, changed by `files` and then by `settings`. What a file has that there is not, or that is
/// refused, goes to stderr, as a host tells it that starts with such a file.
pub fn initial(profile: Profile, files: &[PathBuf], settings: &[Setting]) -> anyhow::Result<Sysctls> {
    let mut sysctls = Sysctls::with_profile(profile);
    for path in files {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("--sysctl-file {}", path.display()))?;
        let name = path.display().to_string();
        let read =
            |wanted: &str| if wanted == name { Ok(text.clone()) } else { Err(ErrorKind::NotFound.into()) };
        let output = tools::sysctl::run(&mut sysctls, &["-q", "-p", &name], &read);
        eprint!("{}", output.stderr);
    }
    for setting in settings {
        setting.apply(&mut sysctls)?;
    }
    Ok(sysctls)
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

    /// a file at the start, as the document has it; then the command line.
    #[test]
    fn files_come_before_the_command_line() {
        let path = std::env::temp_dir().join(format!("cauce-initial-{}.conf", std::process::id()));
        std::fs::write(&path, "net.ipv4.tcp_fin_timeout = 30\nkernel.pid_max = 7\nnet.ipv4.tcp_sack = 0\n")
            .unwrap();
        let given = ["tcp_sack=1".parse().unwrap()];
        let settings = initial(Profile::Manpage, std::slice::from_ref(&path), &given).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((settings.tcp_fin_timeout, settings.tcp_sack, settings.tcp_tw_reuse), (30, 1, 0));
        let missing = initial(Profile::Manpage, &["/nowhere/sysctl.conf".into()], &[]).unwrap_err();
        assert!(format!("{missing:#}").contains("/nowhere/sysctl.conf"), "{missing:#}");
    }

    #[test]
    fn wrong_settings_are_told_what_is_allowed() {
        let wrong = |text: &str| text.parse::<Setting>().unwrap_err();
        assert!(wrong("tcp_sack").contains("NAME=VALUE"));
        assert!(wrong("tcp_sakc=1").contains("tcp_sack"), "{}", wrong("tcp_sakc=1"));
        assert!(wrong("tcp_syn_retries=128").contains("127"), "{}", wrong("tcp_syn_retries=128"));
    }
}
