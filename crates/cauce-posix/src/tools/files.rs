//! The files that tools read, which are never opened here: whoever asks has them.

use std::collections::BTreeMap;
use std::io;

/// The files that a tool reads. A closure from paths to texts is one without directories.
pub trait Files {
    /// A file's text.
    ///
    /// # Errors
    /// As when it is opened.
    fn read(&self, path: &str) -> io::Result<String>;

    /// The names of the files in a directory, in any order; none when there is none.
    fn list(&self, directory: &str) -> Vec<String>;
}

impl<F: Fn(&str) -> io::Result<String>> Files for F {
    fn read(&self, path: &str) -> io::Result<String> {
        self(path)
    }

    fn list(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Texts by path.
impl Files for BTreeMap<String, String> {
    fn read(&self, path: &str) -> io::Result<String> {
        self.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let inside = self.keys().filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
        inside.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }
}
