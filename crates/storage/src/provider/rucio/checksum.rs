//! The checksums that Rucio keeps of a file: Adler-32 and MD5.

use std::{fmt::Write as _, fs::File, os::unix::fs::FileExt as _};

use md5::{Digest as _, Md5};

use crate::{control::Control, error::Error};

/// The modulus of Adler-32 (RFC 1950 §8.2).
const MODULUS: u32 = 65_521;

/// Bytes after which the sums are reduced: the most after which they fit into 32 bits.
const RUN: usize = 5552;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// The checksums of a file, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksums {
    pub(crate) bytes: u64,
    pub(crate) adler32: String,
    pub(crate) md5: String,
}

impl Checksums {
    /// Reads a file; its position is not used.
    ///
    /// # Errors
    /// It cannot be read, or the call must end.
    pub(crate) fn of(file: &File, control: &Control<'_>) -> Result<Self, Error> {
        let (mut sums, mut md5, mut bytes) = ((1, 0), Md5::new(), 0);
        let mut piece = vec![0; PIECE];
        loop {
            control.check()?;
            let count = file.read_at(&mut piece, bytes).map_err(|error| Error::file("read the file", &error))?;
            if count == 0 {
                let md5 = md5.finalize().iter().fold(String::new(), |mut text, byte| {
                    // A string takes everything.
                    let _ = write!(text, "{byte:02x}");
                    text
                });
                return Ok(Self { bytes, adler32: format!("{:04x}{:04x}", sums.1, sums.0), md5 });
            }
            sums = adler32(sums, &piece[..count]);
            md5.update(&piece[..count]);
            bytes += count as u64;
        }
    }

    /// Whether a file with these checksums, as far as they are known, can be this one.
    pub(crate) fn agree_with(&self, bytes: Option<u64>, adler32: Option<&str>, md5: Option<&str>) -> bool {
        let digits = |text: &str| text.trim_start_matches('0').to_ascii_lowercase();
        bytes.is_none_or(|bytes| bytes == self.bytes)
            && adler32.is_none_or(|other| digits(other) == digits(&self.adler32))
            && md5.is_none_or(|other| digits(other) == digits(&self.md5))
    }
}

/// Both sums of Adler-32 after more bytes.
fn adler32((mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    for run in bytes.chunks(RUN) {
        for byte in run {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::source;

    #[test]
    fn the_checksums_are_those_that_rucio_computes() {
        let of = |content: &[u8]| Checksums::of(source(content).file(), &Control::default()).expect("checksums");
        let hello = of(b"hello");
        assert_eq!((hello.bytes, hello.adler32.as_str()), (5, "062c0215"));
        assert_eq!(hello.md5, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!((of(b"").adler32.as_str(), of(b"").bytes), ("00000001", 0));
        // zlib.adler32(b"\xff" * 200000)
        assert_eq!(of(&vec![0xff; 200_000]).adler32, "14d06057");
        assert!(hello.agree_with(Some(5), Some("62C0215"), None) && hello.agree_with(None, None, None));
        assert!(!hello.agree_with(Some(6), None, None) && !hello.agree_with(None, Some("1"), None));
        assert!(!hello.agree_with(None, None, Some("0")));
    }
}
