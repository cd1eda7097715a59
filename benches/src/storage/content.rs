//! The content of files and objects, and the check that an object has it.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Write as _},
    path::Path,
};

use anyhow::{Context as _, ensure};

/// Bytes that are written and compared at once.
const PIECE: usize = 64 * 1024;

/// Random bytes that are the same for the same seed, so that nobody has to keep them: a multiplicative generator (Steele
/// and Vigna 2021).
struct Generator(u64);

impl Generator {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn fill(&mut self, piece: &mut [u8]) {
        for eight in piece.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1);
            // The upper half is the better one.
            let bytes = (self.0 ^ (self.0 >> 32)).to_le_bytes();
            eight.copy_from_slice(&bytes[..eight.len()]);
        }
    }
}

/// Bytes of this seed.
pub(super) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Generator::new(seed).fill(&mut bytes);
    bytes
}

/// Makes a file of this seed.
pub(super) fn write(path: &Path, length: u64, seed: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| format!("cannot make {}", path.display()))?);
    pieces(length, seed, |piece| Ok(file.write_all(piece)?))?;
    Ok(file.flush()?)
}

/// Fails unless the file is one of this seed.
pub(super) fn check(path: &Path, length: u64, seed: u64) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("the store has no {}", path.display()))?;
    let found = file.metadata()?.len();
    ensure!(found == length, "{} has {found} bytes, not {length}", path.display());
    let mut file = BufReader::new(file);
    let mut found = vec![0; PIECE];
    pieces(length, seed, |piece| {
        let found = &mut found[..piece.len()];
        file.read_exact(found)?;
        ensure!(found == piece, "{} has other bytes than were sent", path.display());
        Ok(())
    })
}

fn pieces(length: u64, seed: u64, mut take: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (mut generator, mut piece, mut left) = (Generator::new(seed), vec![0; PIECE], length);
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        generator.fill(&mut piece[..count]);
        take(&piece[..count])?;
        left -= count as u64;
    }
    Ok(())
}

/// Many small files: each has its number as its name and as its seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files {
    pub(super) count: usize,
    /// Bytes of each.
    pub(super) size: usize,
}

impl Files {
    pub(super) fn name(number: usize) -> String {
        format!("f{number:05}")
    }

    pub(super) fn bytes(self, number: usize) -> Vec<u8> {
        bytes(self.size, number as u64)
    }

    /// Makes all of them in a new directory.
    pub(super) fn write(self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir(directory)?;
        (0..self.count).try_for_each(|number| Ok(fs::write(directory.join(Self::name(number)), self.bytes(number))?))
    }

    /// Fails unless the directory has all of them, and nothing else.
    pub(super) fn check(self, directory: &Path) -> anyhow::Result<()> {
        let found =
            fs::read_dir(directory).with_context(|| format!("the store has no {}", directory.display()))?.count();
        ensure!(found == self.count, "{} has {found} objects, not {}", directory.display(), self.count);
        (0..self.count)
            .try_for_each(|number| check(&directory.join(Self::name(number)), self.size as u64, number as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_right_only_with_all_its_bytes() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("file");
        write(&path, 200_001, 7).expect("written");
        check(&path, 200_001, 7).expect("the same");
        assert!(check(&path, 200_001, 8).is_err());
        assert!(check(&path, 200_000, 7).is_err());
        let mut wrong = fs::read(&path).expect("read");
        wrong[200_000] ^= 1;
        fs::write(&path, &wrong).expect("written");
        assert!(check(&path, 200_001, 7).is_err());
        // A piece alone is the beginning of the file.
        assert_eq!(bytes(100, 7), wrong[..100]);
    }

    #[test]
    fn a_directory_of_files_is_right_only_with_all_of_them() {
        let home = tempfile::tempdir().expect("a directory");
        let (files, path) = (Files { count: 3, size: 10 }, home.path().join("files"));
        files.write(&path).expect("written");
        files.check(&path).expect("the same");
        assert!(Files { count: 2, ..files }.check(&path).is_err());
        fs::write(path.join(Files::name(1)), files.bytes(2)).expect("written");
        assert!(files.check(&path).is_err());
    }
}
