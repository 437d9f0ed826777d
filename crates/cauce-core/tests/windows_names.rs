//! Windows' names, units and ranges beside Linux's (Q-06, Q-09, Q-10, Q-54, Q-55, Q-57, Q-60).

use cauce_core::sysctl::windows::{self, REGISTRY_KEY};
use cauce_core::sysctl::{Profile, SysctlError, Sysctls};

fn refused(sysctls: &mut Sysctls, name: &str, text: &str) -> String {
    let before = sysctls.clone();
    let error = sysctls.set(name, text).unwrap_err();
    assert_eq!(*sysctls, before, "a refused value changes nothing");
    error.to_string()
}

/// Q-06, Q-09, Q-10: the document's two recipes give the same probes.
#[test]
fn q10_keepalive_in_milliseconds() {
    let mut sysctls = Sysctls::with_profile(Profile::WindowsVista);
    for (name, default) in
        [("KeepAliveTime", "7200000"), ("KeepAliveInterval", "1000"), ("TcpMaxDataRetransmissions", "5")]
    {
        assert_eq!(sysctls.get(name).unwrap(), default);
    }
    sysctls.set(&format!("{REGISTRY_KEY}KeepAliveTime"), "120000").unwrap();
    sysctls.set(&format!("{}keepaliveinterval", REGISTRY_KEY.to_lowercase()), "0x7530").unwrap();
    sysctls.set(r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\TcpMaxDataRetransmissions", "8").unwrap();
    assert_eq!(sysctls, {
        let mut azure = Sysctls::with_profile(Profile::AzureWindows);
        azure.cauce_profile = Profile::WindowsVista;
        azure
    });
    let linux = Sysctls::with_profile(Profile::AzureLinux);
    for name in ["tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes"] {
        assert_eq!(sysctls.get(name), linux.get(name));
    }
    assert_eq!(sysctls.get("KeepAliveInterval").unwrap(), "30000");
}

#[test]
fn q09_ranges_and_warnings() {
    let mut sysctls = Sysctls::default();
    assert_eq!(
        refused(&mut sysctls, "KeepAliveTime", "0"),
        "KeepAliveTime: `0` is out of range (1 to 4294967295 is allowed)"
    );
    assert_eq!(
        refused(&mut sysctls, "KeepAliveInterval", "soon"),
        "KeepAliveInterval: `soon` is not a number (1 to 4294967295 is allowed)"
    );
    refused(&mut sysctls, "TcpMaxDataRetransmissions", "256");
    sysctls.set("KeepAliveTime", "0xffffffff").unwrap();
    assert_eq!(sysctls.tcp_keepalive_time, 4_294_968);
    let warns = |name, text| windows::warning(&Sysctls::default(), name, text).is_some();
    assert!(warns("KeepAliveTime", "120") && warns("KeepAliveInterval", "1500"));
    assert!(!warns("KeepAliveTime", "120000") && !warns("tcp_keepalive_time", "120"));
    for unknown in [r"HKLM\SYSTEM\KeepAliveTime", r"Interfaces\{0}\TcpWindowSize", "KeepAlive"] {
        assert!(matches!(sysctls.get(unknown), Err(SysctlError::UnknownName { .. })), "{unknown}");
    }
    let netsh_in_the_registry = format!("{REGISTRY_KEY}autotuninglevel");
    assert!(matches!(sysctls.get(&netsh_in_the_registry), Err(SysctlError::UnknownName { .. })));
}

/// Q-54: as much as the field can say, with and without scaling.
#[test]
fn q54_window_size() {
    let mut sysctls = Sysctls::with_profile(Profile::WindowsXp);
    assert_eq!(sysctls.get("TCPWindowSize").unwrap(), "17520");
    sysctls.set("TcpWindowSize", "65535").unwrap();
    assert_eq!(
        refused(&mut sysctls, "TcpWindowSize", "65536"),
        "TcpWindowSize: `65536` is out of range (1 to 65535 is allowed)"
    );
    sysctls.set("Tcp1323Opts", "1").unwrap();
    sysctls.set("TcpWindowSize", "1073741823").unwrap();
    assert_eq!(sysctls.tcp_rmem[1..], [2_147_483_646; 2]);
    assert_eq!(sysctls.get("TcpWindowSize").unwrap(), "1073741823");
    assert!(refused(&mut sysctls, "TcpWindowSize", "1073741824").contains("1 to 1073741823"));
}

/// Q-57: Vista takes the value and does not heed it.
#[test]
fn q57_vista_ignores_the_window_size() {
    let mut sysctls = Sysctls::with_profile(Profile::WindowsVista);
    let warning = windows::warning(&sysctls, "TcpWindowSize", "8192").unwrap();
    assert_eq!(warning, "TcpWindowSize: profile windows-vista tunes windows itself and ignores it");
    sysctls.set("TcpWindowSize", "8192").unwrap();
    assert_eq!(sysctls, Sysctls::with_profile(Profile::WindowsVista));
    refused(&mut sysctls, "TcpWindowSize", "1073741824");
}

#[test]
fn q55_options_of_rfc_1323() {
    let mut sysctls = Sysctls::with_profile(Profile::WindowsXp);
    assert_eq!(sysctls.get("Tcp1323Opts").unwrap(), "", "unset");
    for (bits, scaling, timestamps) in [("0", 0, 0), ("1", 1, 0), ("2", 0, 1), ("3", 1, 1)] {
        sysctls.set("Tcp1323Opts", bits).unwrap();
        assert_eq!((sysctls.tcp_window_scaling, sysctls.tcp_timestamps), (scaling, timestamps));
        assert_eq!((sysctls.get("Tcp1323Opts").unwrap().as_str(), sysctls.tcp_offer_rfc1323), (bits, 1));
    }
    refused(&mut sysctls, "Tcp1323Opts", "4");
}

/// Q-60: the congestion provider by netsh's names.
#[test]
fn q60_netsh() {
    let mut sysctls = Sysctls::default();
    sysctls.set("congestionprovider", "none").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "reno");
    sysctls.set("congestionprovider", "ctcp").unwrap();
    assert_eq!(sysctls.get("congestionprovider").unwrap(), "ctcp");
    assert_eq!(sysctls.tcp_congestion_control, "ctcp");
    assert!(sysctls.may_choose("ctcp"));
    assert_eq!(
        refused(&mut sysctls, "congestionprovider", "dctcp"),
        "congestionprovider: `dctcp` is not a provider: ctcp or none"
    );
    assert_eq!(sysctls.get("autotuninglevel").unwrap(), "normal");
    for level in ["disabled", "highlyrestricted", "restricted", "normal", "experimental"] {
        sysctls.set("autotuninglevel", level).unwrap();
        assert_eq!(sysctls.get("autotuninglevel").unwrap(), level);
    }
    assert!(refused(&mut sysctls, "autotuninglevel", "high").contains("highlyrestricted"));
}
