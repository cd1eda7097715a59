//! Shared by the tests of outputs and replies: sinks, and directories to collect.

use std::{
    fs::File,
    io::Write as _,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use bytes::Bytes;

use super::{BodySink, Disconnected, Output, OutputError, collect};

/// A sink that keeps everything.
#[derive(Default)]
pub(crate) struct MemorySink {
    pub(crate) pieces: Vec<Bytes>,
    /// Whether the reader is slow.
    pub(crate) full: bool,
    /// Whether the reader has gone.
    pub(crate) gone: bool,
}

impl MemorySink {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).expect("UTF-8")
    }
}

impl BodySink for MemorySink {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        assert!(!piece.is_empty(), "no empty piece is ever sent");
        self.pieces.push(piece);
        if self.gone { Err(Disconnected) } else { Ok(()) }
    }

    fn room(&self) -> usize {
        if self.full { 0 } else { usize::MAX }
    }
}

/// A sink that does something when the first piece arrives.
pub(crate) struct OnFirstChunk<F: FnMut()>(pub(crate) Option<F>);

impl<F: FnMut()> BodySink for OnFirstChunk<F> {
    fn send(&mut self, _: Bytes) -> Result<(), Disconnected> {
        if let Some(mut act) = self.0.take() {
            act();
        }
        Ok(())
    }
}

pub(crate) fn open(dir: &Path) -> OwnedFd {
    File::open(dir).expect("an open directory").into()
}

/// Collects a directory; also gives the warnings.
pub(crate) fn collected(dir: &Path) -> (Result<Output, OutputError>, Vec<String>) {
    let mut warnings = Vec::new();
    let output = collect(open(dir).as_fd(), dir, None, &mut |warning| warnings.push(warning));
    (output, warnings)
}

/// Collects a directory in which there is nothing to complain about.
pub(crate) fn output_of(dir: &Path) -> Output {
    let (output, warnings) = collected(dir);
    assert!(warnings.is_empty(), "{warnings:?}");
    output.expect("a readable directory")
}

pub(crate) fn write(dir: &Path, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    File::create(path).expect("a file").write_all(content.as_ref()).expect("written");
}

/// Bytes that repeat nowhere soon.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
