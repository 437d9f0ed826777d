//! What can go wrong when a device is opened or the host's side of it is configured.

use std::io;

/// Setting up failed. The message of [`SetupError::Privilege`] names the privilege and the command that
/// grants it.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A privilege is missing.
    #[error("{action}: permission denied; {privilege} is needed: {grant}")]
    Privilege {
        /// What was tried.
        action: String,
        /// What is missing.
        privilege: &'static str,
        /// The command that grants it.
        grant: String,
    },
    /// The system refused for another reason.
    #[error("{action}: {source}")]
    Refused {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl SetupError {
    /// Turns an error of the system into one that says what to do about it.
    pub(crate) fn new(action: impl Into<String>, privilege: Privilege, source: io::Error) -> Self {
        let action = action.into();
        if source.kind() != io::ErrorKind::PermissionDenied {
            return SetupError::Refused { action, source };
        }
        SetupError::Privilege { action, privilege: privilege.name(), grant: privilege.grant() }
    }

    /// The system's own error, when it was none of missing privileges.
    pub fn io_kind(&self) -> io::ErrorKind {
        match self {
            SetupError::Privilege { .. } => io::ErrorKind::PermissionDenied,
            SetupError::Refused { source, .. } => source.kind(),
        }
    }
}

impl From<SetupError> for io::Error {
    fn from(error: SetupError) -> Self {
        io::Error::new(error.io_kind(), error)
    }
}

/// What setting up may need.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Privilege {
    /// To open a TUN or TAP device of this name.
    Tun { tap: bool },
    /// To change interfaces, addresses and routes.
    NetAdmin,
    /// To open packet sockets.
    NetRaw,
}

impl Privilege {
    fn name(self) -> &'static str {
        match self {
            Privilege::Tun { .. } => "CAP_NET_ADMIN (and access to /dev/net/tun)",
            Privilege::NetAdmin => "CAP_NET_ADMIN",
            Privilege::NetRaw => "CAP_NET_RAW",
        }
    }

    fn grant(self) -> String {
        let program =
            std::env::current_exe().map_or_else(|_| "PROGRAM".into(), |path| path.display().to_string());
        let capability = |name: &str| format!("run it with sudo, or once: sudo setcap {name}+ep {program}");
        match self {
            Privilege::Tun { tap } => {
                let mode = if tap { "tap" } else { "tun" };
                let once = capability("cap_net_admin");
                format!(
                    "{once} (or let root make the device for you: sudo ip tuntap add mode {mode} user $USER name NAME)"
                )
            }
            Privilege::NetAdmin => capability("cap_net_admin"),
            Privilege::NetRaw => capability("cap_net_raw"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_privilege_names_the_command_that_grants_it() {
        let denied = || io::Error::from_raw_os_error(libc::EPERM);
        let error = SetupError::new("open TUN device t0", Privilege::Tun { tap: false }, denied());
        let text = error.to_string();
        for part in
            ["open TUN device t0", "CAP_NET_ADMIN", "sudo setcap cap_net_admin+ep ", "ip tuntap add mode tun"]
        {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
        let busy = SetupError::new("open", Privilege::NetRaw, io::Error::from_raw_os_error(libc::EBUSY));
        assert!(matches!(busy, SetupError::Refused { .. }));
    }
}
