//! The settings of a stack, one typed table under Linux' names.
//!
//! The engine reads the public fields of [`Sysctls`] at the moment of use; users read and write text, as
//! under `/proc/sys`. The list in `table.rs` is the only place that knows a setting's name, default,
//! range, unit, meaning and moment of effect. A socket stores only what it overrode. Nothing here acts: what
//! a value does is decided by the room that reads it.

#[cfg(test)]
#[path = "../../tests/common/heard.rs"]
pub(crate) mod heard;
mod profiles;
mod readers;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod values;
pub mod windows;

pub use profiles::Profile;
pub use table::Sysctls;
pub use values::{AlgorithmList, AlgorithmName, FastOpenKeys, PortList};

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// There is no profile of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProfile;

impl UnknownProfile {
    const KNOWN: &str = "a profile: linux-6.18, manpage, rfc793, windows-xp, windows-vista, windows-longhorn, \
        azure-linux, azure-windows or time-wait-relief";
}

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "that is not {}", UnknownProfile::KNOWN)
    }
}

impl core::error::Error for UnknownProfile {}

/// When a new value is felt (rule G-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// By everything that happens from now on, timers already running included when they expire.
    AtOnce,
    /// By the next segment that is sent or received.
    NextSegment,
    /// Only by connections and sockets made later.
    NextConnection,
}

/// The type of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An integer of 8 bits. With the range 0 to 1 it is a strict boolean.
    U8,
    /// A signed integer of 32 bits.
    I32,
    /// An unsigned integer of 32 bits.
    U32,
    /// An unsigned integer of 64 bits.
    U64,
    /// Three signed integers of 32 bits: minimum, default, maximum.
    I32x3,
    /// Three unsigned integers of 64 bits: low, pressure, high.
    U64x3,
    /// The first and the last port of a range.
    PortRange,
    /// Ports and ranges of ports, separated by commas.
    PortList,
    /// The name of a congestion-control algorithm.
    Algorithm,
    /// Names of congestion-control algorithms, separated by blanks.
    AlgorithmList,
    /// One or two Fast Open keys in hexadecimal.
    FastOpenKey,
    /// The name of a profile.
    Profile,
    /// One of a few words.
    Word,
}

/// Who may read and write a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody reads, a privileged user writes (mode 0644).
    ReadWrite,
    /// Everybody reads, nobody writes (mode 0444).
    ReadOnly,
    /// Only a privileged user reads and writes (mode 0600).
    Secret,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The embedder itself, or a user with `CAP_NET_ADMIN`.
    #[default]
    Privileged,
    /// Anybody else.
    Unprivileged,
}

/// What is known of one setting. [`table`] lists all of them, [`windows::table`] Windows' names for some.
#[derive(Debug)]
pub struct SysctlEntry {
    /// The full name with dots, such as `net.ipv4.tcp_sack`.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The smallest value allowed; for vectors, of each part. Both bounds are 0 for text.
    pub min: i128,
    /// The largest value allowed.
    pub max: i128,
    /// The unit, or an empty string.
    pub unit: &'static str,
    /// When a new value is felt.
    pub effect: Effect,
    /// Who may read and write it.
    pub access: Access,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    read: fn(&Sysctls) -> String,
    write: fn(&mut Sysctls, &str, &SysctlEntry) -> Result<(), Refusal>,
    copy: fn(&mut Sysctls, &Sysctls),
}

impl SysctlEntry {
    /// The name without `net.ipv4.`, by which the setting is commonly called.
    pub fn short_name(&self) -> &'static str {
        self.name.strip_prefix(COMMON_PREFIX).unwrap_or(self.name)
    }

    /// The default under `profile`, as text.
    pub fn default_text(&self, profile: Profile) -> String {
        (self.read)(&Sysctls::with_profile(profile))
    }

    /// True for Windows' names, which [`table`] does not list.
    pub fn is_windows_name(&self) -> bool {
        windows::table().iter().any(|entry| core::ptr::eq(entry, self))
    }

    fn accepts_name(&self, name: &str) -> bool {
        let same = |known: &str| {
            known.len() == name.len()
                && known.bytes().zip(name.bytes()).all(|(k, n)| k == n || (k == b'.' && n == b'/'))
        };
        same(self.name) || same(self.short_name())
    }
}

const COMMON_PREFIX: &str = "net.ipv4.";

/// All settings, in the order of their names' families.
pub fn table() -> &'static [SysctlEntry] {
    table::TABLE
}

/// The setting of that name: with dots or slashes, and `net.ipv4.` may be left out. Windows' names are known too.
pub fn find(name: &str) -> Option<&'static SysctlEntry> {
    table().iter().find(|entry| entry.accepts_name(name)).or_else(|| windows::find(name))
}

/// Why a text is no value for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotANumber,
    OutOfRange { min: i128, max: i128 },
    Malformed(&'static str),
    UnknownAlgorithm { known: String },
    ReadOnly,
}

/// Why a setting could not be read or written. `Display` names the setting, the text and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SysctlError {
    /// There is no setting of this name.
    UnknownName {
        /// The name that was asked for.
        name: String,
    },
    /// Nobody may write this setting.
    ReadOnly {
        /// Its full name.
        name: &'static str,
    },
    /// The caller lacks the privilege.
    NotPermitted {
        /// Its full name.
        name: &'static str,
    },
    /// The text is not a number of the kind that is wanted.
    NotANumber {
        /// The setting's full name.
        name: &'static str,
        /// What was written.
        text: String,
    },
    /// The number lies outside the range.
    OutOfRange {
        /// The setting's full name.
        name: &'static str,
        /// What was written.
        text: String,
        /// The smallest value allowed.
        min: i128,
        /// The largest value allowed.
        max: i128,
    },
    /// The text does not have the form that is wanted.
    Malformed {
        /// The setting's full name.
        name: &'static str,
        /// What was written.
        text: String,
        /// The form that is wanted.
        wanted: &'static str,
    },
    /// No such congestion-control algorithm.
    UnknownAlgorithm {
        /// The setting's full name.
        name: &'static str,
        /// What was written.
        text: String,
        /// The algorithms that there are.
        known: String,
    },
}

impl SysctlError {
    fn new(entry: &SysctlEntry, text: &str, refusal: Refusal) -> Self {
        let (name, text) = (entry.name, text.to_owned());
        match refusal {
            Refusal::NotANumber => SysctlError::NotANumber { name, text },
            Refusal::OutOfRange { min, max } => SysctlError::OutOfRange { name, text, min, max },
            Refusal::Malformed(wanted) => SysctlError::Malformed { name, text, wanted },
            Refusal::UnknownAlgorithm { known } => SysctlError::UnknownAlgorithm { name, text, known },
            Refusal::ReadOnly => SysctlError::ReadOnly { name },
        }
    }

    /// The name of the errno that a write under `/proc/sys` would fail with.
    pub fn errno_name(&self) -> &'static str {
        match self {
            SysctlError::UnknownName { .. } | SysctlError::UnknownAlgorithm { .. } => "ENOENT",
            SysctlError::ReadOnly { .. } | SysctlError::NotPermitted { .. } => "EACCES",
            SysctlError::NotANumber { .. }
            | SysctlError::OutOfRange { .. }
            | SysctlError::Malformed { .. } => "EINVAL",
        }
    }
}

impl fmt::Display for SysctlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SysctlError::UnknownName { name } => write!(f, "there is no setting `{name}`"),
            SysctlError::ReadOnly { name } => write!(f, "{name} is read-only"),
            SysctlError::NotPermitted { name } => write!(f, "{name} needs the privilege CAP_NET_ADMIN"),
            SysctlError::NotANumber { name, text } => {
                write!(f, "{name}: `{text}` is not a number")?;
                match find(name) {
                    Some(entry) => write!(f, " ({} to {} is allowed)", entry.min, entry.max),
                    None => Ok(()),
                }
            }
            SysctlError::OutOfRange { name, text, min, max } => {
                write!(f, "{name}: `{text}` is out of range ({min} to {max} is allowed)")
            }
            SysctlError::Malformed { name, text, wanted } => {
                write!(f, "{name}: `{text}` is not {wanted}")
            }
            SysctlError::UnknownAlgorithm { name, text, known } => {
                write!(f, "{name}: there is no congestion control `{text}` ({known} are there)")
            }
        }
    }
}

impl core::error::Error for SysctlError {}

impl Sysctls {
    /// The value of a setting as text, without a newline; the parts of a vector are separated by tabs.
    ///
    /// # Errors
    /// [`SysctlError::UnknownName`].
    pub fn get(&self, name: &str) -> Result<String, SysctlError> {
        self.get_as(Caller::Privileged, name)
    }

    /// As [`Sysctls::get`], for a caller who may not see secrets.
    ///
    /// # Errors
    /// As [`Sysctls::get`], and [`SysctlError::NotPermitted`].
    pub fn get_as(&self, caller: Caller, name: &str) -> Result<String, SysctlError> {
        let entry = find(name).ok_or_else(|| SysctlError::UnknownName { name: name.to_owned() })?;
        if entry.access == Access::Secret && caller == Caller::Unprivileged {
            return Err(SysctlError::NotPermitted { name: entry.name });
        }
        Ok((entry.read)(self))
    }

    /// Writes a setting as text, by the rules of `/proc/sys`: blanks around numbers, decimal, hexadecimal
    /// (`0x`) or octal (leading 0); an empty text changes nothing; a vector shorter than the setting changes
    /// only its first parts. A refused text changes nothing at all.
    ///
    /// ```
    /// use cauce_core::sysctl::Sysctls;
    /// let mut sysctls = Sysctls::default();
    /// sysctls.set("net.ipv4.tcp_fin_timeout", "0x10")?;
    /// assert_eq!(sysctls.tcp_fin_timeout, 16);
    /// let refused = sysctls.set("net/ipv4/tcp_syn_retries", "128").unwrap_err();
    /// assert_eq!(refused.errno_name(), "EINVAL");
    /// assert_eq!(sysctls.tcp_syn_retries, 6);
    /// # Ok::<(), cauce_core::sysctl::SysctlError>(())
    /// ```
    ///
    /// # Errors
    /// Every kind of [`SysctlError`] but [`SysctlError::NotPermitted`].
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SysctlError> {
        self.set_as(Caller::Privileged, name, text)
    }

    /// Gives one setting the value that it has in `other`; false when there is no such setting.
    ///
    /// ```
    /// use cauce_core::sysctl::Sysctls;
    /// let mut sysctls = Sysctls { tcp_sack: 0, ..Sysctls::default() };
    /// assert!(sysctls.take("tcp_sack", &Sysctls::default()));
    /// assert_eq!(sysctls, Sysctls::default());
    /// ```
    pub fn take(&mut self, name: &str, other: &Sysctls) -> bool {
        let found = find(name);
        found.inspect(|entry| (entry.copy)(self, other)).is_some()
    }

    /// As [`Sysctls::set`], for a caller who may lack the privilege to write at all.
    ///
    /// # Errors
    /// Every kind of [`SysctlError`].
    pub fn set_as(&mut self, caller: Caller, name: &str, text: &str) -> Result<(), SysctlError> {
        let entry = find(name).ok_or_else(|| SysctlError::UnknownName { name: name.to_owned() })?;
        if entry.access == Access::ReadOnly {
            return Err(SysctlError::ReadOnly { name: entry.name });
        }
        if caller == Caller::Unprivileged {
            return Err(SysctlError::NotPermitted { name: entry.name });
        }
        if text.is_empty() {
            return Ok(());
        }
        (entry.write)(self, text, entry).map_err(|refusal| SysctlError::new(entry, text, refusal))
    }
}
