//! The profiles: named sets of defaults, and the rules that follow from a profile because no setting of Linux
//! expresses them (G-10, Q-53 to ).
//!
//! A profile only chooses where a stack starts; every value can be changed afterwards, one by one. Never decided
//! here: what a value does.

use super::text::Value;
use super::values::AlgorithmName;
use super::{Refusal, SysctlEntry, Sysctls, UnknownProfile};
use core::fmt;

/// A named set of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What Linux 6.18 ships, and tcp(7)'s defaults for settings that it dropped. CUBIC by default.
    #[default]
    Linux618,
    /// The defaults that tcp(7) documents.
    Manpage,
    /// As `manpage`, with RFC 793's two MSL of 240 seconds in TIME-WAIT.
    Rfc793,
    /// Windows XP: one fixed receive window for all connections, by the speed of the link; slow start counts
    /// ACKs; SACK only tells what is missing, and one hole is filled each round trip.
    WindowsXp,
    /// Windows Vista: windows tuned up to 16 MiB, slow start counts segments, recovery by SACK and F-RTO.
    WindowsVista,
    /// Windows Server "Longhorn": as `windows-vista`, with Compound TCP.
    WindowsLonghorn,
    /// Linux 6.18 behind a NAT that forgets idle flows after four minutes: keepalive probes every two.
    AzureLinux,
    /// Windows Vista behind the same NAT.
    AzureWindows,
    /// Linux 6.18 with the recipe against many TIME-WAITs: `tcp_fin_timeout` bounds TIME-WAIT as well.
    TimeWaitRelief,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 9] = [
        Profile::Linux618,
        Profile::Manpage,
        Profile::Rfc793,
        Profile::WindowsXp,
        Profile::WindowsVista,
        Profile::WindowsLonghorn,
        Profile::AzureLinux,
        Profile::AzureWindows,
        Profile::TimeWaitRelief,
    ];

    /// The name by which users choose it.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Linux618 => "linux-6.18",
            Profile::Manpage => "manpage",
            Profile::Rfc793 => "rfc793",
            Profile::WindowsXp => "windows-xp",
            Profile::WindowsVista => "windows-vista",
            Profile::WindowsLonghorn => "windows-longhorn",
            Profile::AzureLinux => "azure-linux",
            Profile::AzureWindows => "azure-windows",
            Profile::TimeWaitRelief => "time-wait-relief",
        }
    }

    /// True where `tcp_abc` 0 stands for today's Linux, which counts every segment acknowledged; elsewhere it
    /// is RFC 5681's one segment an ACK (S-01, X-29).
    pub const fn counts_segments(self) -> bool {
        matches!(self, Profile::Linux618 | Profile::AzureLinux | Profile::TimeWaitRelief)
    }

    /// True where `tcp_adv_win_scale` splits the receive buffer, false where the ratio is measured (S-03, X-10).
    pub const fn splits_buffer(self) -> bool {
        !self.counts_segments()
    }

    /// True where the buffer's window is the largest for ever, and a whole number of segments.
    pub const fn fixes_window(self) -> bool {
        matches!(self, Profile::WindowsXp)
    }

    /// True where SACK does not tell what to send again: one hole is filled each round trip.
    pub const fn fills_one_hole(self) -> bool {
        matches!(self, Profile::WindowsXp)
    }

    /// True where TIME-WAIT lasts no longer than `tcp_fin_timeout`.
    pub const fn bounds_time_wait(self) -> bool {
        matches!(self, Profile::TimeWaitRelief)
    }

    /// True where Windows' TcpWindowSize is accepted without effect, as Windows does since Vista.
    pub const fn tunes_windows_itself(self) -> bool {
        matches!(self, Profile::WindowsVista | Profile::WindowsLonghorn | Profile::AzureWindows)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

impl Sysctls {
    /// The defaults of a profile.
    pub fn with_profile(profile: Profile) -> Self {
        let mut sysctls = Sysctls::default();
        sysctls.apply(profile);
        sysctls.cauce_profile = profile;
        sysctls
    }

    /// Switches to a profile as a whole. What is not a matter of defaults stays: the algorithms that
    /// there are, the keys of Fast Open, and the speed of the link.
    pub fn switch_profile(&mut self, profile: Profile) {
        let old = core::mem::take(self);
        self.tcp_available_congestion_control = old.tcp_available_congestion_control;
        self.tcp_fastopen_key = old.tcp_fastopen_key;
        self.cauce_link_speed = old.cauce_link_speed;
        self.apply(profile);
        self.cauce_profile = profile;
    }

    fn apply(&mut self, profile: Profile) {
        match profile {
            Profile::Linux618 => {}
            Profile::Manpage => self.apply_manpage(),
            Profile::Rfc793 => {
                self.apply_manpage();
                self.tcp_timewait_len = 240; // N-18, U-02
            }
            Profile::WindowsXp => self.apply_windows_xp(),
            Profile::WindowsVista => self.apply_windows_vista(),
            Profile::WindowsLonghorn => {
                self.apply_windows_vista();
                self.choose("ctcp");
            }
            Profile::AzureLinux => self.apply_azure_keepalive(),
            Profile::AzureWindows => {
                self.apply_windows_vista();
                self.apply_azure_keepalive();
                self.tcp_retries2 = 8; // TcpMaxDataRetransmissions
            }
            Profile::TimeWaitRelief => self.apply_time_wait_relief(),
        }
    }

    /// What tcp(7) documents differently from the kernel of today.
    fn apply_manpage(&mut self) {
        self.tcp_adv_win_scale = 2; // S-03
        self.tcp_base_mss = 512; // S-08
        self.tcp_fack = 1; // S-17
        self.tcp_frto_response = 0; // S-22
        self.tcp_max_syn_backlog = 1024; // S-28
        self.tcp_orphan_retries = 8; // S-34
        self.tcp_rmem = [4096, 87_380, 4_194_304]; // S-40
        self.tcp_tw_reuse = 0; // S-50
        self.tcp_syn_linear_timeouts = 0;
        self.tcp_probe_bytes = 1;
    }

    /// What both generations of Windows share.
    fn apply_windows(&mut self) {
        self.tcp_adv_win_scale = 1; // a doubled SO_RCVBUF gives a window of what was asked for
        self.tcp_keepalive_intvl = 1; // KeepAliveInterval 1000 ms
        self.tcp_keepalive_probes = 5; // TcpMaxDataRetransmissions
        self.tcp_retries2 = 5; // TcpMaxDataRetransmissions
        self.tcp_recovery = 0; // older than RACK
        self.tcp_early_retrans = 0; // older than the tail-loss probe
        self.choose("reno"); // no CTCP; Q-64: NewReno
    }

    fn apply_windows_xp(&mut self) {
        self.apply_windows();
        self.set_fixed_window(windows_xp_window(self.cauce_link_speed));
        self.tcp_offer_rfc1323 = 0; // Tcp1323Opts is unset
        self.tcp_abc = 0; // counts ACKs
        self.tcp_dsack = 0; // new in Vista
        self.tcp_frto = 0; // new in Vista
    }

    fn apply_windows_vista(&mut self) {
        self.apply_windows();
        self.tcp_rmem[2] = 2 * WINDOWS_VISTA_WINDOW;
        self.tcp_abc = 2; // counts segments
    }

    /// probes at 120 s and every 30 s, eight of them.
    fn apply_azure_keepalive(&mut self) {
        self.tcp_keepalive_time = 120;
        self.tcp_keepalive_intvl = 30;
        self.tcp_keepalive_probes = 8;
    }

    /// the recipe.
    fn apply_time_wait_relief(&mut self) {
        self.tcp_fin_timeout = 30;
        self.tcp_tw_recycle = 1;
        self.tcp_tw_reuse = 1;
        self.tcp_keepalive_time = 120;
        self.tcp_keepalive_intvl = 30;
        self.tcp_keepalive_probes = 3;
    }

    /// Makes every connection start with, and keep to, a receive window of so many bytes.
    pub(super) fn set_fixed_window(&mut self, bytes: i32) {
        let buffer = bytes.saturating_mul(2);
        self.tcp_rmem = [self.tcp_rmem[0], buffer, buffer];
        self.tcp_moderate_rcvbuf = 0;
    }

    /// Makes a built-in algorithm the default, which everybody may choose.
    fn choose(&mut self, name: &str) {
        if let Some(name) = AlgorithmName::new(name) {
            self.tcp_congestion_control = name;
            self.tcp_allowed_congestion_control.insert(name);
        }
    }
}

/// The largest window of Windows Vista in bytes (Q-57, N-28).
const WINDOWS_VISTA_WINDOW: i32 = 16 << 20;

/// Windows XP's receive window by the speed of the link in bits a second, 0 if it is not known.
fn windows_xp_window(bits_per_second: u64) -> i32 {
    match bits_per_second {
        1..1_000_000 => 8192,
        0 | 1_000_000..=100_000_000 => 17_520,
        _ => 65_535,
    }
}

pub(super) fn write_profile(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let profile = Profile::parse(&sysctls.cauce_profile, text, entry)?;
    sysctls.switch_profile(profile);
    Ok(())
}

pub(super) fn write_link_speed(
    sysctls: &mut Sysctls,
    text: &str,
    entry: &SysctlEntry,
) -> Result<(), Refusal> {
    let (speed, _) = super::text::number_within(text, entry)?;
    sysctls.cauce_link_speed = u64::try_from(speed).unwrap_or(0);
    if sysctls.cauce_profile.fixes_window() {
        sysctls.set_fixed_window(windows_xp_window(sysctls.cauce_link_speed));
    }
    Ok(())
}
