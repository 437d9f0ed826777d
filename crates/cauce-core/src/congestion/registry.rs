//! Algorithms by name, as `tcp_available_congestion_control` and TCP_CONGESTION know them (S-06, S-12, O-01).
//!
//! The registry says what exists. Which of them an unprivileged user may choose is the sysctl table's
//! affair, and which one is the default as well.

use super::bic::Bic;
use super::compound::Compound;
use super::cubic::Cubic;
use super::reno::Reno;
use super::{Algorithm, CongestionControl};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The longest name in bytes: TCP_CONGESTION carries 16 with the NUL.
pub const NAME_MAX: usize = 15;

const BUILT_IN: [&str; 4] = ["reno", "cubic", "bic", "ctcp"];

/// The names of the built-in algorithms.
pub fn available() -> &'static [&'static str] {
    &BUILT_IN
}

/// A built-in algorithm with fresh state, `None` when the name is not one of [`available`].
pub fn by_name(name: &str) -> Option<Algorithm> {
    match name {
        "reno" => Some(Algorithm::Reno(Reno)),
        "cubic" => Some(Algorithm::Cubic(Cubic::default())),
        "bic" => Some(Algorithm::Bic(Bic::default())),
        "ctcp" => Some(Algorithm::Compound(Compound::default())),
        _ => None,
    }
}

/// Makes the state of a foreign algorithm for one more connection.
pub type Factory = Box<dyn Fn() -> Box<dyn CongestionControl> + Send>;

/// The algorithms that one stack knows: the built-in ones and those its embedder registered.
///
/// ```
/// use cauce_core::congestion::{CongestionControl, Registry};
/// let registry = Registry::default();
/// assert_eq!(registry.by_name("cubic").map(|a| a.name()), Some("cubic"));
/// assert!(registry.by_name("bogus").is_none());
/// ```
#[derive(Default)]
pub struct Registry {
    foreign: Vec<(&'static str, Factory)>,
}

impl Registry {
    /// Every name, built-in ones first.
    pub fn available(&self) -> impl Iterator<Item = &'static str> + '_ {
        BUILT_IN.into_iter().chain(self.foreign.iter().map(|(name, _)| *name))
    }

    /// An algorithm with fresh state, `None` when no one has that name.
    pub fn by_name(&self, name: &str) -> Option<Algorithm> {
        by_name(name).or_else(|| {
            let (_, make) = self.foreign.iter().find(|(known, _)| *known == name)?;
            Some(Algorithm::Foreign(make()))
        })
    }

    /// Adds an algorithm under its own name.
    ///
    /// # Errors
    /// [`RegisterError::BadName`] when the name is empty, longer than [`NAME_MAX`] or not printable ASCII
    /// without spaces; [`RegisterError::Taken`] when it exists already.
    pub fn register(&mut self, name: &'static str, factory: Factory) -> Result<(), RegisterError> {
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(RegisterError::BadName);
        }
        if self.available().any(|known| known == name) {
            return Err(RegisterError::Taken);
        }
        self.foreign.push((name, factory));
        Ok(())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.available()).finish()
    }
}

/// Why an algorithm was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// The name cannot be written in TCP_CONGESTION or in a list of names.
    BadName,
    /// An algorithm of that name exists.
    Taken,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RegisterError::BadName => "the name must be 1 to 15 printable ASCII characters without spaces",
            RegisterError::Taken => "an algorithm of that name exists",
        })
    }
}

impl core::error::Error for RegisterError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::{SenderView, Window};

    struct Fixed;
    impl CongestionControl for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }
        fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
            window.cwnd()
        }
        fn cong_avoid(&mut self, _: &mut Window, _: &SenderView, _: u32) {}
    }

    fn fixed() -> Factory {
        Box::new(|| Box::new(Fixed))
    }

    /// P-200: foreign algorithms are chosen by name like the built-in ones.
    #[test]
    fn p200_foreign_algorithms_by_name() {
        let mut registry = Registry::default();
        assert_eq!(registry.register("fixed", fixed()), Ok(()));
        assert_eq!(registry.register("fixed", fixed()), Err(RegisterError::Taken));
        assert_eq!(registry.register("reno", fixed()), Err(RegisterError::Taken));
        assert!(registry.available().eq(BUILT_IN.into_iter().chain(["fixed"])));
        for name in registry.available() {
            assert_eq!(registry.by_name(name).map(|a| a.name()), Some(name));
        }
    }

    /// O-01: names that TCP_CONGESTION could not carry are refused.
    #[test]
    fn o01_names() {
        let mut registry = Registry::default();
        for bad in ["", "two words", "a-name-of-16-bytes", "ñ"] {
            assert_eq!(registry.register(bad, fixed()), Err(RegisterError::BadName), "{bad:?}");
        }
    }
}
