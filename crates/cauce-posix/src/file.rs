//! Files to send from. The embedder opens them; this room only reads them at a position.

use std::fmt;

/// The contents of a file that the embedder has opened.
pub trait FileSource: Send {
    /// Reads at most `to.len()` bytes from `offset` on; 0 at its end.
    ///
    /// # Errors
    /// What the embedder's system says.
    fn read_at(&self, offset: u64, to: &mut [u8]) -> std::io::Result<usize>;
}

impl FileSource for std::fs::File {
    fn read_at(&self, offset: u64, to: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, to, offset)
    }
}

impl FileSource for Vec<u8> {
    fn read_at(&self, offset: u64, to: &mut [u8]) -> std::io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = to.len().min(self.len() - start);
        to[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
}

/// A file and the position that its descriptors share.
pub(crate) struct OpenFile {
    pub(crate) source: Box<dyn FileSource>,
    pub(crate) position: u64,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("position", &self.position).finish_non_exhaustive()
    }
}
