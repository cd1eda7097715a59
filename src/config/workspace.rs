//! `--workspace`: the directory in which the workspaces of invocations are made, checked at start.

use std::{
    fs,
    path::{self, Path, PathBuf},
};

use super::{reader::Reader, setting};

/// The way to correct each mistake.
const NEXT: &str = "name another with --workspace or mount a volume there";

/// Reads the directory, and checks that it can be used if it `is_needed`.
pub(super) fn read(reader: &mut Reader<'_>, is_needed: bool) -> Option<PathBuf> {
    let setting = &setting::WORKSPACE;
    let raw = reader.raw_or_default(setting)?;
    reader.note(setting, raw.value.to_string_lossy(), raw.origin.clone());
    let path = Path::new(&raw.value);
    let directory = if is_needed { usable_directory(path) } else { absolute(path) };
    reader.accept(setting, Some(raw), directory)
}

/// The absolute path of a directory in which a directory could be made just now.
fn usable_directory(directory: &Path) -> Result<PathBuf, String> {
    let absolute = absolute(directory)?;
    match fs::metadata(&absolute) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(format!("not a directory; {NEXT}")),
        Err(error) => return Err(format!("cannot be used: {error}; {NEXT}")),
    }
    // A real attempt also finds missing permissions, read-only mounts, quotas and full disks.
    let probe = tempfile::Builder::new().prefix("bandog-check-").tempdir_in(&absolute);
    probe
        .and_then(tempfile::TempDir::close)
        .map_err(|error| format!("cannot make a directory in it: {}; {NEXT}", error.kind()))?;
    Ok(absolute)
}

fn absolute(directory: &Path) -> Result<PathBuf, String> {
    path::absolute(directory).map_err(|_| "expected a directory".to_owned())
}
