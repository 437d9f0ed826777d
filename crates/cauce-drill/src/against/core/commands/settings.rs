//! The settings of a stack as files below `/proc/sys/net`, and back.
//!
//! Whoever runs in the sandbox reads and writes files; after each command, and before each tool, what was written is
//! taken over. A file that no setting has, and a value that the setting refuses, are problems.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cauce_core::sysctl::{self, Access, SysctlEntry, Sysctls};
use cauce_posix::tools::Problem;

use crate::sys::inotify::Watcher;

/// The longest value that is read back.
const LONGEST: u64 = 4096;

/// The files and what was last written there.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    known: BTreeMap<&'static str, String>,
    directories: Vec<PathBuf>,
    /// Tells which files to look at; without it all of them.
    watcher: Option<Watcher>,
}

impl Files {
    /// Files below `root`, which stands for `/proc/sys/net`. A watcher makes it quick.
    pub fn new(root: PathBuf, watcher: Option<Watcher>) -> Files {
        let watcher = watcher.and_then(|mut watcher| watcher.watch(&root).ok().map(|()| watcher));
        Files { root, known: BTreeMap::new(), directories: Vec::new(), watcher }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.strip_prefix("net.").unwrap_or(name).replace('.', "/"))
    }

    /// Writes every setting whose file does not have its value.
    pub fn publish(&mut self, sysctls: &Sysctls) -> io::Result<()> {
        for entry in entries() {
            let text = format!("{}\n", sysctls.get(entry.name).unwrap_or_default());
            if self.known.get(entry.name) != Some(&text) {
                self.write(entry, &text)?;
                self.known.insert(entry.name, text);
            }
        }
        Ok(())
    }

    fn write(&mut self, entry: &SysctlEntry, text: &str) -> io::Result<()> {
        let path = self.path(entry.name);
        if self.known.contains_key(entry.name) {
            return write_file(&path, text);
        }
        for directory in path.ancestors().skip(1).take_while(|directory| *directory != self.root) {
            if !self.directories.iter().any(|known| known == directory) {
                fs::create_dir_all(directory)?;
                self.directories.push(directory.to_owned());
                // One directory that is not watched, and none need be.
                self.watcher = self.watcher.take().and_then(|mut watcher| {
                    let watched = watcher.watch(directory);
                    watched.is_ok().then_some(watcher)
                });
            }
        }
        write_file(&path, text)?;
        let mode = match entry.access {
            Access::ReadWrite => 0o644,
            Access::ReadOnly => 0o444,
            Access::Secret => 0o600,
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
    }

    /// Takes over what was written since, and puts every file back to what its setting now is.
    pub fn take_over(&mut self, sysctls: &mut Sysctls) -> io::Result<Vec<Problem>> {
        let mut problems = Vec::new();
        let mut written = Vec::new();
        for path in self.touched()? {
            let name = self.name(&path);
            match self.known.get_key_value(name.as_str()).map(|(name, text)| (*name, text)) {
                Some((name, text)) => match self.read(name) {
                    Ok(now) if now == *text => {}
                    Ok(now) => written.push((name, now)),
                    Err(error) => {
                        problems.push(Problem::Refused(format!("the file of {name} is gone: {error}")));
                        self.known.remove(name);
                    }
                },
                None => self.remove_stranger(&path, &name, &mut problems)?,
            }
        }
        for (name, text) in &written {
            self.known.insert(name, text.clone());
        }
        // A value that another one allows may come before it: what is refused is tried again behind the others.
        for last in [false, true] {
            written.retain(|(name, text)| match sysctls.set(name, text.trim_end_matches('\n')) {
                Ok(()) => false,
                Err(error) => {
                    if last {
                        problems.push(Problem::Refused(error.to_string()));
                    }
                    true
                }
            });
        }
        self.publish(sysctls)?;
        Ok(problems)
    }

    /// Everything that may have been written, made or taken away.
    fn touched(&mut self) -> io::Result<BTreeSet<PathBuf>> {
        if let Some(watcher) = &mut self.watcher
            && let Some(paths) = watcher.changed()?
        {
            return Ok(paths.into_iter().collect());
        }
        let mut all: BTreeSet<PathBuf> = self.known.keys().map(|name| self.path(name)).collect();
        for directory in self.directories.iter().chain([&self.root]) {
            for entry in fs::read_dir(directory)? {
                all.insert(entry?.path());
            }
        }
        Ok(all)
    }

    /// The name of the setting that a file would have.
    fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).ok().and_then(Path::to_str).unwrap_or_default();
        format!("net.{}", below.replace('/', "."))
    }

    fn read(&self, name: &str) -> io::Result<String> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(self.path(name))?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file that no setting has: the kernel would not have let it be made.
    fn remove_stranger(&self, path: &Path, name: &str, problems: &mut Vec<Problem>) -> io::Result<()> {
        // What begins with a dot is the sandbox's own.
        let own = path.strip_prefix(&self.root).is_ok_and(|below| below.to_string_lossy().starts_with('.'));
        let Ok(known) = fs::symlink_metadata(path) else { return Ok(()) };
        if own || self.directories.iter().any(|directory| directory == path) {
            return Ok(());
        }
        problems.push(Problem::Unsupported(format!("the setting `{name}`")));
        if known.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }
}

/// The settings that are files below `/proc/sys/net`.
fn entries() -> impl Iterator<Item = &'static SysctlEntry> {
    sysctl::table().iter().filter(|entry| entry.name.starts_with("net."))
}

/// Writes a file as a whole; never through a link.
pub(super) fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(name: &str, test: impl Fn(&Path, &mut Files, &mut Sysctls)) {
        for watched in [true, false] {
            let root = std::env::temp_dir().join(format!("cauce-settings-{name}-{}", std::process::id()));
            fs::create_dir_all(&root).unwrap();
            let watcher = watched.then(|| Watcher::new().unwrap());
            let (mut files, mut sysctls) = (Files::new(root.clone(), watcher), Sysctls::default());
            files.publish(&sysctls).unwrap();
            assert_eq!(files.watcher.is_some(), watched);
            test(&root, &mut files, &mut sysctls);
            fs::remove_dir_all(&root).unwrap();
        }
    }

    #[test]
    fn what_is_written_is_taken_over() {
        with_files("taken", |root, files, sysctls| {
            assert_eq!(fs::read_to_string(root.join("ipv4/tcp_rmem")).unwrap(), "4096\t131072\t33554432\n");
            fs::write(root.join("ipv4/tcp_sack"), "0x0\n").unwrap();
            fs::write(root.join("ipv4/tcp_rmem"), "1000 2000").unwrap();
            fs::write(root.join("ipv4/route/min_pmtu"), "600\n").unwrap();
            assert_eq!(files.take_over(sysctls).unwrap(), []);
            assert_eq!(
                (sysctls.tcp_sack, sysctls.tcp_rmem, sysctls.route_min_pmtu),
                (0, [1000, 2000, 33_554_432], 600)
            );
            assert_eq!(
                fs::read_to_string(root.join("ipv4/tcp_sack")).unwrap(),
                "0\n",
                "as the kernel prints it"
            );
            assert_eq!(fs::read_to_string(root.join("ipv4/tcp_rmem")).unwrap(), "1000\t2000\t33554432\n");
        });
    }

    #[test]
    fn values_that_depend_on_each_other_may_come_in_any_order() {
        with_files("order", |root, files, sysctls| {
            fs::write(root.join("ipv4/tcp_reordering"), "500").unwrap();
            fs::write(root.join("ipv4/tcp_max_reordering"), "600").unwrap();
            assert_eq!(files.take_over(sysctls).unwrap(), []);
            assert_eq!((sysctls.tcp_reordering, sysctls.tcp_max_reordering), (500, 600));
        });
    }

    #[test]
    fn refused_values_and_strange_files_are_problems() {
        with_files("refused", |root, files, sysctls| {
            fs::write(root.join("ipv4/tcp_sack"), "300\n").unwrap();
            fs::write(root.join("ipv4/nosuch"), "1\n").unwrap();
            fs::create_dir(root.join("ipv4/conf")).unwrap();
            fs::remove_file(root.join("ipv4/tcp_dsack")).unwrap();
            let problems = files.take_over(sysctls).unwrap();
            let told = format!("{problems:?}");
            assert_eq!(problems.len(), 4, "{told}");
            for part in [
                "`300` is out of range",
                "`net.ipv4.nosuch`",
                "`net.ipv4.conf`",
                "net.ipv4.tcp_dsack is gone",
            ] {
                assert!(told.contains(part), "{part} in {told}");
            }
            assert_eq!((sysctls.tcp_sack, sysctls.tcp_dsack), (1, 1));
            assert_eq!(files.take_over(sysctls).unwrap(), [], "all is as it was");
        });
    }
}
