//! The file that is moved.

use anyhow::Context;
use cauce_core::rng::Rng;
use cauce_lab::rng::LabRng;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What is in the file, without holding it in memory.
#[derive(Clone, Debug)]
pub struct Contents {
    len: u64,
    from: From,
}

#[derive(Clone, Debug)]
enum From {
    Seed(u64),
    Path(PathBuf),
}

/// The stream of the seed that the made-up file is drawn from.
const FILE_STREAM: u64 = 1 << 33;

impl Contents {
    /// `len` bytes that follow from `seed`.
    pub fn made_up(len: u64, seed: u64) -> Self {
        Contents { len, from: From::Seed(seed) }
    }

    /// The bytes of a file.
    pub fn of_file(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot read {}", path.display());
        let metadata = path.metadata().with_context(named)?;
        anyhow::ensure!(metadata.is_file(), "{} is not a regular file", path.display());
        File::open(path).with_context(named)?;
        Ok(Contents { len: metadata.len(), from: From::Path(path.to_owned()) })
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Reads them from the start.
    pub fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match &self.from {
            From::Seed(seed) => Box::new(MadeUp(LabRng::new(*seed, FILE_STREAM)).take(self.len)),
            From::Path(path) => Box::new(File::open(path)?.take(self.len)),
        })
    }
}

/// Random bytes without end.
struct MadeUp(LabRng);

impl Read for MadeUp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for part in buffer.chunks_mut(8) {
            let random = self.0.next_u64().to_le_bytes();
            part.copy_from_slice(&random[..part.len()]);
        }
        Ok(buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(contents: &Contents) -> Vec<u8> {
        let mut bytes = Vec::new();
        contents.open().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_seed_makes_the_same_file() {
        let one = whole(&Contents::made_up(10_001, 7));
        assert_eq!(one.len(), 10_001);
        assert_eq!(one, whole(&Contents::made_up(10_001, 7)));
        assert_ne!(one, whole(&Contents::made_up(10_001, 8)));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Contents::of_file(Path::new("/no/such/file")).unwrap_err();
        assert!(format!("{error:#}").contains("/no/such/file"));
    }
}
