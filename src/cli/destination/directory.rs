//! A directory that results are written into, and nothing outside of it: no link in it is followed.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, mkdirat, openat, statat},
    io::Errno,
};

use super::{
    Destination, OpenFile, parent,
    temporary::{self, TRIES, Temporary, Wanted, numbered},
};

/// The mode with which programs create directories, less the umask.
const NEW: Mode = Mode::from_raw_mode(0o777);

/// A directory that results are written into.
#[derive(Debug)]
pub(in crate::cli) struct Directory {
    path: PathBuf,
    fd: OwnedFd,
    /// The directories that were made below it under another name than asked for.
    made_beside: HashSet<PathBuf>,
    /// The directory of the last file: as asked for, as it is called, and open.
    last: Option<(PathBuf, PathBuf, OwnedFd)>,
}

impl Directory {
    /// Opens or makes the directory. If something else has its name, the directory is made beside that, under a name
    /// that is free.
    pub(in crate::cli) fn open(path: &Path) -> io::Result<Self> {
        let opened = |path: PathBuf| {
            let fd = temporary::open_directory(&path)?;
            Ok(Self { path, fd, made_beside: HashSet::new(), last: None })
        };
        // Without slashes at the end: the file of that name is no directory, but has the name.
        let Some(name) = path.file_name() else { return opened(path.to_owned()) };
        let bare = path.with_file_name(name);
        if path.is_dir() {
            return opened(bare);
        }
        fs::create_dir_all(parent(&bare))?;
        match fs::create_dir(&bare) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.and_then(|()| opened(bare)),
        }
        for number in 1..TRIES {
            let beside = bare.with_file_name(numbered(name, number));
            match fs::create_dir(&beside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.and_then(|()| opened(beside)),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Where it is.
    pub(in crate::cli) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write a file at this path below the directory. A new file gets `mode`, if it is given. What is no file,
    /// such as a link, is neither followed nor replaced: the file is made beside it, under a name that is free.
    pub(in crate::cli) fn create(&mut self, relative: &Path, mode: Option<u32>) -> io::Result<Destination> {
        let name = relative.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let (place, directory) = self.enter(relative.parent().unwrap_or(Path::new("")))?;
        let mode = mode.map(|mode| Mode::from_raw_mode(mode & 0o777));
        let wanted = Wanted::beside(statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW), mode)?;
        let path = self.path.join(place).join(name);
        let target = OpenFile::Temporary(Temporary::new(directory, name, wanted)?);
        Ok(Destination { path, target, error: None })
    }

    /// The directory at this path below this one, which is made if need be, and the path that it has.
    fn enter(&mut self, asked: &Path) -> io::Result<(PathBuf, OwnedFd)> {
        // Files come sorted, so that most are where the last one was.
        if let Some((last, place, fd)) = &self.last
            && last == asked
        {
            return Ok((place.clone(), fd.try_clone()?));
        }
        let (mut place, mut at) = (PathBuf::new(), self.fd.try_clone()?);
        for component in asked.components() {
            let Component::Normal(name) = component else { return Err(io::ErrorKind::InvalidInput.into()) };
            let (name, below) = self.step(&at, &place, name)?;
            place.push(name);
            at = below;
        }
        self.last = Some((asked.to_owned(), place.clone(), at.try_clone()?));
        Ok((place, at))
    }

    /// One step down.
    fn step(&mut self, at: &OwnedFd, place: &Path, name: &OsStr) -> io::Result<(OsString, OwnedFd)> {
        for number in 0..TRIES {
            let tried = if number == 0 { name.to_owned() } else { numbered(name, number) };
            match mkdirat(at, &*tried, NEW) {
                Ok(()) if number > 0 => {
                    self.made_beside.insert(place.join(&tried));
                }
                // Under another name only a directory of this run is meant.
                Err(Errno::EXIST) if number > 0 && !self.made_beside.contains(&place.join(&tried)) => continue,
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(at.as_fd(), &*tried, flags, Mode::empty()) {
                Ok(below) => return Ok((tried, below)),
                // A link, or another thing that is no directory.
                Err(Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }
}
