//! What `nstat` has shown of a stack, kept in a file between its runs, as Linux's tool keeps it.

use crate::control;
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// One file a stack, named after its control socket.
fn file(socket: &Path) -> anyhow::Result<PathBuf> {
    let name = socket.file_stem().unwrap_or_default().to_string_lossy();
    Ok(control::state_directory()?.join(format!("{name}.nstat")))
}

/// What was shown last; `None` when nothing was, or what is there cannot be understood.
pub fn load(socket: &Path) -> anyhow::Result<Option<BTreeMap<String, u64>>> {
    let path = file(socket)?;
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Remembers what was shown.
pub fn store(socket: &Path, shown: &BTreeMap<String, u64>) -> anyhow::Result<()> {
    let path = file(socket)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(&path)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(shown)?))
        .with_context(|| format!("cannot write {}", path.display()))
}
