//! How scripts ended.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Kind};
use crate::settings::IpMode;

/// How one script ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every expectation held.
    Passed,
    /// It was read and found right, and not played (`--dry-run`).
    Checked,
    /// It could not be read, or something was not as expected.
    Failed,
    /// It asks for what the target does not have: neither passed nor failed.
    Unsupported,
    /// It fails, as the list of expectations says.
    Known,
    /// It passes although it is listed as failing, which fails the run.
    Unlisted,
}

impl Verdict {
    /// True when the run fails for it.
    pub fn fails(self) -> bool {
        matches!(self, Verdict::Failed | Verdict::Unlisted)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Passed => "ok",
            Verdict::Checked => "checked",
            Verdict::Failed => "FAILED",
            Verdict::Unsupported => "unsupported",
            Verdict::Known => "known",
            Verdict::Unlisted => "PASSED",
        })
    }
}

/// How one script ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// The script.
    pub path: PathBuf,
    /// The version of IP, when the script was run in more than one.
    pub version: Option<IpMode>,
    /// `Ok`, or what stopped it.
    pub result: Result<(), Box<Diagnostic>>,
    /// Why it was expected to fail.
    pub known: Option<String>,
    /// It was read and not played.
    pub checked_only: bool,
    /// Options that were accepted and have no effect.
    pub notes: Vec<String>,
    /// Every event as it happened, when that was asked for.
    pub events: Vec<String>,
    /// What its code printed.
    pub printed: String,
    /// How long it took by the wall clock.
    pub took: Duration,
}

impl Report {
    /// A report about a script of which nothing is known but how it ended.
    pub(super) fn new(path: PathBuf, result: Result<(), Box<Diagnostic>>) -> Report {
        Report {
            path,
            version: None,
            result,
            known: None,
            checked_only: false,
            notes: Vec::new(),
            events: Vec::new(),
            printed: String::new(),
            took: Duration::ZERO,
        }
    }

    /// The path, and the version of IP when the script was run in more than one: `open/active.pkt (ipv6)`.
    pub fn name(&self) -> String {
        super::collect::name_of(&self.path, self.version)
    }

    /// How it ended.
    pub fn verdict(&self) -> Verdict {
        match &self.result {
            Ok(()) if self.known.is_some() && !self.checked_only => Verdict::Unlisted,
            Ok(()) if self.checked_only => Verdict::Checked,
            Ok(()) => Verdict::Passed,
            Err(_) if self.known.is_some() => Verdict::Known,
            Err(diagnostic) if diagnostic.kind == Kind::Unsupported => Verdict::Unsupported,
            Err(_) => Verdict::Failed,
        }
    }

    /// What there is to say to a reader beside the verdict; nothing for a script that passes or fails as expected.
    pub fn message(&self) -> Option<String> {
        match (&self.result, &self.known) {
            (Err(_), Some(_)) => None,
            (Err(diagnostic), None) => Some(diagnostic.to_string()),
            (Ok(()), Some(reason)) if !self.checked_only => Some(format!(
                "error: this script passes and is listed as failing ({reason})\n  = note: take it off the list"
            )),
            (Ok(()), _) => None,
        }
    }
}

/// How all scripts ended, in the order of their paths.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// One entry a script.
    pub reports: Vec<Report>,
}

impl Summary {
    fn count(&self, verdict: Verdict) -> usize {
        self.reports.iter().filter(|report| report.verdict() == verdict).count()
    }

    /// Scripts whose every expectation held.
    pub fn passed(&self) -> usize {
        self.count(Verdict::Passed)
    }

    /// Scripts that could not be read, or in which something was not as expected; and those that pass although
    /// they are listed as failing.
    pub fn failed(&self) -> usize {
        self.reports.iter().filter(|report| report.verdict().fails()).count()
    }

    /// Scripts that fail as was expected.
    pub fn known(&self) -> usize {
        self.count(Verdict::Known)
    }

    /// Scripts that ask for what the target does not have.
    pub fn unsupported(&self) -> usize {
        self.count(Verdict::Unsupported)
    }

    /// Scripts that were read and not played.
    pub fn checked(&self) -> usize {
        self.count(Verdict::Checked)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.checked() > 0 {
            write!(f, "{} checked and not run; ", self.checked())?;
        }
        if self.known() > 0 {
            write!(f, "{} known to fail; ", self.known())?;
        }
        write!(f, "{} passed, {} failed, {} unsupported", self.passed(), self.failed(), self.unsupported())
    }
}
