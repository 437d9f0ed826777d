//! Where control sockets are: one a stack, named after its interface, in a directory of the user's own.

use anyhow::{Context, bail};
use rustix::process::geteuid;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Where `up` puts its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    None,
    /// In the usual directory, under the interface's name.
    Usual,
    /// Here.
    At(PathBuf),
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        match text {
            "none" => Ok(Place::None),
            "" => Err("write a path, or `none` for no control socket".to_owned()),
            path => Ok(Place::At(path.into())),
        }
    }
}

impl Place {
    /// The path of the socket of the stack on `interface`, its directory made.
    pub fn path(&self, interface: &str) -> anyhow::Result<Option<PathBuf>> {
        match self {
            Place::None => Ok(None),
            Place::At(path) => Ok(Some(path.clone())),
            Place::Usual => {
                let directory = usual_directory();
                make_private(&directory)?;
                let path = directory.join(format!("{interface}.sock"));
                // Another network namespace may have an interface of the same name.
                let taken = UnixStream::connect(&path).is_ok();
                let unique = format!("{interface}-{}.sock", std::process::id());
                Ok(Some(if taken { directory.join(unique) } else { path }))
            }
        }
    }
}

/// `$XDG_RUNTIME_DIR/cauce`, `/run/cauce` for root, or `/tmp/cauce-UID`.
fn usual_directory() -> PathBuf {
    if let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
        return Path::new(&runtime).join("cauce");
    }
    if geteuid().is_root() {
        "/run/cauce".into()
    } else {
        format!("/tmp/cauce-{}", geteuid().as_raw()).into()
    }
}

/// Makes a directory that only its owner may enter, and refuses one that others could have made.
pub fn make_private(directory: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", directory.display()));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(directory)?;
    let private = found.is_dir() && found.permissions().mode() & 0o077 == 0;
    if !private || found.uid() != geteuid().as_raw() {
        bail!(
            "{} is not a directory of this user's alone; remove it, or name the socket with --control",
            directory.display()
        );
    }
    Ok(())
}

/// The directory for what tools keep between runs.
pub fn state_directory() -> anyhow::Result<PathBuf> {
    let directory = usual_directory();
    make_private(&directory)?;
    Ok(directory)
}

/// The control socket that a tool means: the one named, or the only one there is.
pub fn socket_of(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let directory = usual_directory();
    let is_socket = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sock");
    let mut found: Vec<PathBuf> = match fs::read_dir(&directory) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_socket).collect(),
        Err(_) => Vec::new(),
    };
    // A stack that was killed leaves its socket behind.
    found.retain(|path| UnixStream::connect(path).is_ok());
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!(
            "no stack runs with a control socket in {}; start one with `cauce up`, or name its socket with --control",
            directory.display()
        ),
        many => {
            let names: Vec<_> = many.iter().map(|path| path.display().to_string()).collect();
            bail!("several stacks run; name one with --control: {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!("none".parse(), Ok(Place::None));
        assert_eq!("/run/x.sock".parse(), Ok(Place::At("/run/x.sock".into())));
        assert!("".parse::<Place>().is_err());
        assert_eq!(Place::None.path("t0").unwrap(), None);
    }

    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        let home = std::env::temp_dir().join(format!("cauce-control-{}", std::process::id()));
        make_private(&home).unwrap();
        make_private(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&home).is_err());
        fs::remove_dir(&home).unwrap();
    }
}
