//! The files that `sysctl` and `ss` read. They are opened here, as the user who asks: the stack opens none.

use anyhow::Context;
use cauce_posix::tools::ss;
use cauce_posix::tools::sysctl::{Command, SYSTEM_DIRECTORIES, USUAL_FILE};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What `sysctl` reads.
pub fn of_sysctl(command: &Command) -> anyhow::Result<BTreeMap<String, String>> {
    let mut paths: Vec<String> = command.files().to_vec();
    if command.reads_system() {
        for directory in SYSTEM_DIRECTORIES {
            paths.extend(configurations(Path::new(directory))?);
        }
        paths.push(USUAL_FILE.to_owned());
    }
    texts(paths)
}

/// What `ss` reads.
pub fn of_ss(arguments: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    texts(ss::files(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// The texts by path; a file that does not exist is left out, and the tool says so. `-` is standard input.
fn texts(paths: Vec<String>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for path in paths {
        let text = match path.as_str() {
            // What standard input has is read once, however often it is named.
            "-" if texts.contains_key("-") => continue,
            "-" => io::read_to_string(io::stdin()),
            path => std::fs::read_to_string(path),
        };
        match text {
            Ok(text) => {
                texts.insert(path, text);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        }
    }
    Ok(texts)
}

/// The files `*.conf` of a directory; none where there is no directory.
fn configurations(directory: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", directory.display())),
    };
    let paths = entries.filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned));
    Ok(paths.filter(|path| path.ends_with(".conf")).collect())
}
