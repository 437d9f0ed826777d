//! Which scripts are run, in which versions of IP, in which order, and where their packets are written.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::glob::matches_end;
use super::{Options, Report};
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::parser;
use crate::settings::IpMode;

/// The longest script, bytes.
const LONGEST: u64 = 4 << 20;

/// A script in one version of IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The script.
    pub path: PathBuf,
    /// The version; `None` leaves it to the script and the command line.
    pub version: Option<IpMode>,
    /// Its path below the directory that was searched; the file's name when it was given itself.
    short: PathBuf,
}

impl Case {
    /// The script at `path` alone, in its own version.
    pub(super) fn single(path: &Path) -> Case {
        Case { path: path.to_owned(), version: None, short: PathBuf::new() }
    }

    /// The path, and the version where there are several.
    pub fn name(&self) -> String {
        name_of(&self.path, self.version)
    }

    /// The name of its capture among those of others: `close-active.pcapng`.
    fn capture_name(&self) -> String {
        let stem = self.short.with_extension("");
        let parts: Vec<_> = stem.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let version = self.version.map(|version| format!("-{}", version.name())).unwrap_or_default();
        format!("{}{version}", parts.join("-"))
    }
}

pub(super) fn name_of(path: &Path, version: Option<IpMode>) -> String {
    match version {
        Some(version) => format!("{} ({})", path.display(), version.name()),
        None => path.display().to_string(),
    }
}

/// All cases in order; in the place of a path that cannot be read its report.
pub(super) fn cases(options: &Options) -> Vec<Result<Case, Report>> {
    let mut cases = Vec::new();
    for path in &options.paths {
        let mut scripts = Vec::new();
        if let Err((at, error)) = search(path, &mut BTreeSet::new(), &mut scripts) {
            cases.push(Err(unreadable(&at, &error)));
        }
        for script in scripts {
            let short = match script.strip_prefix(path) {
                Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
                _ => script.file_name().map(PathBuf::from).unwrap_or_default(),
            };
            let versions = if options.all_versions { versions(&script, options) } else { vec![None] };
            let new = |version| Case { path: script.clone(), version, short: short.clone() };
            cases.extend(versions.into_iter().map(new).map(Ok));
        }
    }
    let wanted = |case: &Case| {
        let path = case.path.to_string_lossy();
        let named = [path.as_ref(), &case.name()];
        let matches = |glob: &String| named.iter().any(|name| matches_end(glob, name));
        options.filters.is_empty() || options.filters.iter().any(matches)
    };
    cases.retain(|case| case.as_ref().map_or(true, wanted));
    cases
}

/// Where the packets of each of `cases` are written: the file itself for a single one, files in a directory of that
/// name for several.
pub(super) fn captures(file: &Path, cases: &[Result<Case, Report>]) -> Vec<PathBuf> {
    if cases.len() == 1 && !file.is_dir() {
        return vec![file.to_owned()];
    }
    let mut taken = BTreeSet::new();
    let names = cases.iter().map(|case| case.as_ref().map(Case::capture_name).unwrap_or_default());
    names
        .map(|name| {
            let mut unique = name.clone();
            let mut count = 1;
            while !taken.insert(unique.clone()) {
                count += 1;
                unique = format!("{name}-{count}");
            }
            file.join(unique + ".pcapng")
        })
        .collect()
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Report {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission to read it is denied".to_owned(),
        _ => error.to_string(),
    };
    let diagnostic = Diagnostic::without_source(Kind::Script, format!("{}: {why}", path.display()));
    Report::new(path.to_owned(), Err(Box::new(diagnostic)))
}

/// `path` itself, or the `*.pkt` below it in the order of their names. `above` holds the directories on the way, so
/// that links that lead back end somewhere.
fn search(
    path: &Path,
    above: &mut BTreeSet<PathBuf>,
    scripts: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, io::Error)> {
    let fault = |error| (path.to_owned(), error);
    if !fs::metadata(path).map_err(fault)?.is_dir() {
        scripts.push(path.to_owned());
        return Ok(());
    }
    let itself = fs::canonicalize(path).map_err(fault)?;
    if !above.insert(itself.clone()) {
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(fault)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(fault)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "pkt") {
            search(&entry, above, scripts)?;
        }
    }
    above.remove(&itself);
    Ok(())
}

/// The text of a script. What is not UTF-8, in comments of old scripts, does not matter.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a directory and not a script"));
    }
    if metadata.len() > LONGEST {
        let why =
            format!("a script may have {} MiB, and this one has {} bytes", LONGEST >> 20, metadata.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    let bytes = fs::read(path)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The versions that the option lines of a script and of the command line allow.
fn versions(path: &Path, options: &Options) -> Vec<Option<IpMode>> {
    let Ok(text) = read(path) else { return vec![None] };
    // What cannot be read is told when it is run.
    let Ok(lines) = parser::options(&Source::new("", &text)) else { return vec![None] };
    let own =
        lines.iter().map(|line| (line.name.value.as_str(), line.value.as_ref().map(|v| v.value.as_str())));
    let given = options.overrides.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    let mut allowed = vec![IpMode::V4, IpMode::V6, IpMode::Mapped];
    for (name, value) in own.chain(given) {
        let value = value.unwrap_or("");
        match name {
            "ip_version" => return vec![None],
            "local_ip" | "remote_ip" | "gateway_ip" => {
                if let Ok(ip) = value.split('/').next().unwrap_or("").parse::<IpAddr>() {
                    allowed.retain(|version| (*version == IpMode::V6) == ip.is_ipv6());
                }
            }
            _ => {}
        }
    }
    if allowed.is_empty() { vec![None] } else { allowed.into_iter().map(Some).collect() }
}
