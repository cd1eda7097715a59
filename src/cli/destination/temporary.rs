//! A file without its name, in the directory where it will get it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Seek as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _, unix::ffi::OsStringExt as _},
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid, fchmod, fchown, fstat, linkat, openat, renameat,
        renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use crate::ids;

/// How many names are tried before a directory counts as full of them.
pub(super) const TRIES: u32 = 10_000;

/// Bytes of a file name, at most (`NAME_MAX` of limits.h).
const NAME_MAX: usize = 255;

/// The mode with which programs create files, less the umask.
const NEW: Mode = Mode::from_raw_mode(0o666);

/// How a file gets its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// The name is free, so far. The mode, if it is not that of any new file.
    New(Option<Mode>),
    /// It replaces a file, whose mode and owner it takes over.
    Replacing { mode: Mode, owner: (u32, u32) },
    /// Something that must not be replaced has the name: a free one is taken. The mode as above.
    Beside(Option<Mode>),
}

impl Wanted {
    /// It replaces a file with this mode and this owner.
    pub(super) fn of(mode: u32, user: u32, group: u32) -> Self {
        Self::Replacing { mode: Mode::from_raw_mode(mode & 0o777), owner: (user, group) }
    }

    /// What becomes of a new file with this name and this mode, given what the name belongs to now.
    pub(super) fn beside(found: Result<Stat, Errno>, mode: Option<Mode>) -> io::Result<Self> {
        match found {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Self::of(stat.st_mode, stat.st_uid, stat.st_gid))
            }
            Ok(_) => Ok(Self::Beside(mode)),
            Err(Errno::NOENT) => Ok(Self::New(mode)),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file without its name. Drop removes it.
#[derive(Debug)]
pub(super) struct Temporary {
    directory: OwnedFd,
    file: File,
    /// The name that it has so far; empty once it has its own.
    so_far: String,
    name: OsString,
    wanted: Wanted,
}

impl Temporary {
    /// Creates a file in `directory` that is to be called `name`.
    pub(super) fn new(directory: OwnedFd, name: &OsStr, wanted: Wanted) -> io::Result<Self> {
        let so_far = format!(".bandog-{}", ids::random().simple());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // What replaces a private file is private from the beginning.
        let mode = if matches!(wanted, Wanted::Replacing { .. }) { Mode::RUSR | Mode::WUSR } else { NEW };
        let file = openat(&directory, &*so_far, flags, mode)?;
        let temporary = Self { directory, file: file.into(), so_far, name: name.to_owned(), wanted };
        if let Wanted::Replacing { mode, owner } = wanted {
            let stat = fstat(&temporary.file)?;
            if (stat.st_uid, stat.st_gid) != owner {
                // Only root may do that; for others it becomes a file of their own.
                let (user, group) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
                let _ = fchown(&temporary.file, Some(user), Some(group));
            }
            fchmod(&temporary.file, mode)?;
        }
        Ok(temporary)
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name. Returns the one that it got, if that is not the one that was asked for.
    pub(super) fn finish(mut self) -> io::Result<Option<OsString>> {
        if let Wanted::New(Some(mode)) | Wanted::Beside(Some(mode)) = self.wanted {
            fchmod(&self.file, mode)?;
        }
        if matches!(self.wanted, Wanted::Beside(_)) {
            return self.finish_beside();
        }
        match renameat(&self.directory, &*self.so_far, &self.directory, &*self.name) {
            Ok(()) => {
                self.so_far.clear();
                Ok(None)
            }
            // Something is mounted there, as files are into containers: it can be written, and not replaced.
            Err(Errno::BUSY) => {
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let mut into = File::from(openat(&self.directory, &*self.name, flags, Mode::empty())?);
                replace_content(&mut self.file, &mut into).map(|()| None)
            }
            // By now a directory has the name.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => self.finish_beside(),
            Err(error) => Err(error.into()),
        }
    }

    fn finish_beside(mut self) -> io::Result<Option<OsString>> {
        for number in 1..TRIES {
            let name = numbered(&self.name, number);
            match self.take(&name) {
                Ok(()) => {
                    self.so_far.clear();
                    return Ok(Some(name));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Takes a name unless something else has it.
    fn take(&self, name: &OsStr) -> Result<(), Errno> {
        let directory = &self.directory;
        match renameat_with(directory, &*self.so_far, directory, name, RenameFlags::NOREPLACE) {
            // The file system does not know the flag, or the kernel or a seccomp filter not the call.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => {}
            taken => return taken,
        }
        match linkat(directory, &*self.so_far, directory, name, AtFlags::empty()) {
            Ok(()) => unlinkat(directory, &*self.so_far, AtFlags::empty()),
            // It knows no second names either.
            Err(Errno::PERM | Errno::OPNOTSUPP) => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EXIST),
                Err(_) => renameat(directory, &*self.so_far, directory, name),
            },
            Err(error) => Err(error),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.so_far.is_empty() {
            let _ = unlinkat(&self.directory, &*self.so_far, AtFlags::empty());
        }
    }
}

/// Opens a directory in which files are made, by its path.
pub(super) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Replaces the content of one file by that of another.
pub(super) fn replace_content(from: &mut File, into: &mut File) -> io::Result<()> {
    from.rewind()?;
    into.set_len(0)?;
    io::copy(from, into).map(drop)
}

/// The name with a number before its extension: `a.txt` → `a-1.txt`.
pub(super) fn numbered(name: &OsStr, number: u32) -> OsString {
    let path = Path::new(name);
    let extension = path.extension().map(|extension| [b".", extension.as_bytes()].concat()).unwrap_or_default();
    let suffix = [format!("-{number}").as_bytes(), &extension].concat();
    let stem = if extension.is_empty() { name } else { path.file_stem().unwrap_or(name) }.as_bytes();
    // Shortened where the whole would be longer than a name may be.
    let stem = &stem[..stem.len().min(NAME_MAX.saturating_sub(suffix.len()))];
    OsString::from_vec([stem, &suffix].concat())
}
