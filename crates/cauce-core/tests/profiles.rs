//! Every profile as a whole table of text (G-10, Q-67). `cauce sysctl --profile NAME -a` writes the files.

use cauce_core::sysctl::{Profile, Sysctls, table};
use std::fmt::Write;

const GOLDEN: [(Profile, &str); 9] = [
    (Profile::Linux618, include_str!("profiles/linux-6.18.conf")),
    (Profile::Manpage, include_str!("profiles/manpage.conf")),
    (Profile::Rfc793, include_str!("profiles/rfc793.conf")),
    (Profile::WindowsXp, include_str!("profiles/windows-xp.conf")),
    (Profile::WindowsVista, include_str!("profiles/windows-vista.conf")),
    (Profile::WindowsLonghorn, include_str!("profiles/windows-longhorn.conf")),
    (Profile::AzureLinux, include_str!("profiles/azure-linux.conf")),
    (Profile::AzureWindows, include_str!("profiles/azure-windows.conf")),
    (Profile::TimeWaitRelief, include_str!("profiles/time-wait-relief.conf")),
];

fn dump(sysctls: &Sysctls) -> String {
    let mut names: Vec<_> = table().iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.into_iter().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, "{name} = {}", sysctls.get(name).unwrap());
        text
    })
}

#[test]
fn q67_every_profile_is_its_golden_file() {
    assert_eq!(GOLDEN.map(|(profile, _)| profile), Profile::ALL);
    for (profile, golden) in GOLDEN {
        let now = dump(&Sysctls::with_profile(profile));
        for (is, should) in now.lines().zip(golden.lines()) {
            assert_eq!(is, should, "{profile}");
        }
        assert_eq!(now.lines().count(), golden.lines().count(), "{profile}");
    }
}

/// A profile is chosen by one setting, and what is no default stays.
#[test]
fn q67_a_profile_is_switched_as_a_whole() {
    let mut sysctls = Sysctls::default();
    sysctls.register_algorithm("foreign");
    sysctls.set("tcp_fastopen_key", "1-2-3-4").unwrap();
    sysctls.set("tcp_retries2", "3").unwrap();
    for profile in Profile::ALL {
        sysctls.set("cauce.profile", profile.name()).unwrap();
        assert_eq!(sysctls.get("cauce.profile").unwrap(), profile.name());
        assert_eq!(sysctls.tcp_retries2, Sysctls::with_profile(profile).tcp_retries2);
        assert_eq!(sysctls.tcp_fastopen_key.primary(), Some([1, 2, 3, 4]));
        assert!(sysctls.tcp_available_congestion_control.contains("foreign"));
    }
    let before = sysctls.clone();
    let error = sysctls.set("cauce.profile", "windows-95").unwrap_err();
    assert_eq!(error.errno_name(), "EINVAL");
    assert!(error.to_string().contains("`windows-95` is not a profile: linux-6.18, "), "{error}");
    assert_eq!(sysctls, before);
}

/// Longhorn uses CTCP, Vista does not.
#[test]
fn q60_longhorn_uses_ctcp() {
    let mut sysctls = Sysctls::default();
    sysctls.set("cauce.profile", "windows-longhorn").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "ctcp");
    assert!(sysctls.may_choose("ctcp"));
    sysctls.set("cauce.profile", "windows-vista").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "reno");
}

/// Windows XP's window follows the speed of the link.
#[test]
fn q53_the_link_decides_about_the_window() {
    let mut sysctls = Sysctls::with_profile(Profile::WindowsXp);
    for (speed, window) in
        [(999_999u64, 8192), (1_000_000, 17_520), (100_000_000, 17_520), (100_000_001, 65_535), (0, 17_520)]
    {
        sysctls.set("cauce.link_speed", &speed.to_string()).unwrap();
        assert_eq!(sysctls.tcp_rmem[1] / 2, window, "{speed}");
    }
    let mut linux = Sysctls::default();
    linux.set("cauce.link_speed", "1000").unwrap();
    assert_eq!(linux.tcp_rmem, Sysctls::default().tcp_rmem);
    linux.set("cauce.profile", "windows-xp").unwrap();
    assert_eq!(linux.tcp_rmem[1] / 2, 8192, "the speed is known before the profile");
}
