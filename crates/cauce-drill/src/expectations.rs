//! What is known to fail: a list of `glob = "reason"`. A listed script that passes is a failure of the run, so
//! that the list only shrinks.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::runner::matches_end;

/// The list.
#[derive(Debug, Default)]
pub struct Expectations {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    glob: String,
    reason: String,
    used: AtomicBool,
}

impl Expectations {
    /// Reads a list: a TOML table of globs and reasons. `*` stands for any text, `?` for one character; a glob
    /// matches the end of a path, from a directory's name on.
    ///
    /// # Errors
    /// What is wrong with the text, with its line and column.
    ///
    /// ```
    /// use cauce_drill::Expectations;
    ///
    /// let list = Expectations::parse(r#""send/*.pkt" = "P-067: not yet""#).unwrap();
    /// assert_eq!(list.reason("scripts/send/zero.pkt".as_ref()), Some("P-067: not yet"));
    /// assert_eq!(list.reason("scripts/resend/zero.pkt".as_ref()), None);
    /// ```
    pub fn parse(text: &str) -> Result<Expectations, String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut entries = Vec::new();
        for (glob, reason) in table {
            let toml::Value::String(reason) = reason else {
                return Err(format!("the reason of `{glob}` must be a string"));
            };
            if reason.trim().is_empty() {
                return Err(format!("`{glob}` needs a reason"));
            }
            entries.push(Entry { glob, reason, used: AtomicBool::new(false) });
        }
        Ok(Expectations { entries })
    }

    /// Why the script at `path` is expected to fail.
    pub fn reason(&self, path: &Path) -> Option<&str> {
        let path = path.to_string_lossy();
        let entry = self.entries.iter().find(|entry| matches_end(&entry.glob, &path))?;
        entry.used.store(true, Ordering::Relaxed);
        Some(&entry.reason)
    }

    /// Globs that no script was asked about that they match.
    pub fn unused(&self) -> Vec<&str> {
        let unused = self.entries.iter().filter(|entry| !entry.used.load(Ordering::Relaxed));
        unused.map(|entry| entry.glob.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_needed() {
        assert!(Expectations::parse("\"a.pkt\" = \"\"").unwrap_err().contains("needs a reason"));
        assert!(Expectations::parse("\"a.pkt\" = 1").is_err());
        let list = Expectations::parse("\"a.pkt\" = \"x\"").unwrap();
        assert_eq!(list.unused(), ["a.pkt"]);
    }
}
