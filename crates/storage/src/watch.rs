//! Directories in which new files are events: the inputs of the provider `local`.
//!
//! A file counts once it is whole: when its writer has closed it (`IN_CLOSE_WRITE` of inotify(7)), or when it was renamed
//! into the directory. Directories below are watched too. One that is gone is watched again once it is there again. Names
//! that begin with a dot are left alone, since programs write under such names what is not whole yet, and so are links and
//! special files.

mod found;

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use bandog_process::WakeFd;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

pub use self::found::FoundFile;
use crate::object::ObjectPath;

/// How long a file that was found in a listing must have been unchanged: it may still be written.
const SETTLED: Duration = Duration::from_secs(2);

/// How often a directory that is gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Bytes of events that are read at once.
const BUFFER: usize = 16 * 1024;

/// A directory that is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedDir {
    /// Its path.
    pub path: PathBuf,
    /// Its place in the store: the bucket, and the folder in it as the key.
    pub place: ObjectPath,
}

/// A watch of directories.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    roots: Vec<WatchedDir>,
    /// The directories that are watched, by the numbers that the kernel gives them.
    dirs: HashMap<i32, WatchedDir>,
    /// Roots that are gone, with the moment when that was noticed, until there is such a directory again.
    gone: Vec<(WatchedDir, SystemTime)>,
    /// Files that were found in a listing and may still be written, with the moment when they are looked at again.
    unsettled: BTreeMap<PathBuf, (Instant, ObjectPath)>,
    /// When all events up to then had been read.
    quiet: SystemTime,
}

impl Watch {
    /// Watches `roots` and the directories below them from now on.
    ///
    /// # Errors
    /// The error of the kernel, with the directory.
    pub fn new(roots: Vec<WatchedDir>) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|errno| named(errno, "cannot watch directories (see fs.inotify.max_user_instances)"))?;
        let mut watch = Self {
            inotify,
            roots: roots.clone(),
            dirs: HashMap::new(),
            gone: Vec::new(),
            unsettled: BTreeMap::new(),
            quiet: SystemTime::now(),
        };
        for root in roots {
            let path = root.path.display();
            watch.add(root.clone()).map_err(|error| named_io(&error, &format!("cannot watch {path}")))?;
            watch.add_existing(&root);
        }
        Ok(watch)
    }

    /// Calls `found` for the files that are there already.
    pub fn list(&mut self, found: &mut dyn FnMut(FoundFile)) {
        for root in self.roots.clone() {
            self.list_dir(&root, None, found);
        }
    }

    /// Calls `found` for each new file, until `stop` is signalled.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn run(&mut self, stop: &WakeFd, found: &mut dyn FnMut(FoundFile)) -> io::Result<()> {
        loop {
            let wait = self.unsettled.values().map(|(due, _)| due.saturating_duration_since(Instant::now())).min();
            let wait =
                if self.gone.is_empty() { wait } else { Some(wait.map_or(LOOK_AGAIN, |wait| wait.min(LOOK_AGAIN))) };
            let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
            let mut ready = [PollFd::new(stop, PollFlags::IN), PollFd::new(&self.inotify, PollFlags::IN)];
            match poll(&mut ready, wait.as_ref()) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let [stop, events] = ready.map(|fd| !fd.revents().is_empty());
            if stop {
                return Ok(());
            }
            if events {
                self.read(found);
            }
            self.look_again(found);
            self.find_again(found);
        }
    }

    /// Reads the events that have come.
    fn read(&mut self, found: &mut dyn FnMut(FoundFile)) {
        let now = SystemTime::now();
        let mut events = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(self.inotify.as_fd(), &mut buffer);
        let mut is_whole = true;
        // Until `EAGAIN`: there are no more.
        while let Ok(event) = reader.next() {
            is_whole &= !event.events().contains(ReadFlags::QUEUE_OVERFLOW);
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            events.push((event.wd(), event.events(), name));
        }
        for (number, kind, name) in events {
            if kind.contains(ReadFlags::IGNORED) {
                self.lose(number);
                continue;
            }
            if kind.contains(ReadFlags::MOVE_SELF) && self.dirs.get(&number).is_some_and(|dir| self.roots.contains(dir))
            {
                self.lose(number);
                continue;
            }
            let Some((dir, name)) = self.dirs.get(&number).zip(name) else { continue };
            let Some(below) = dir.below(&name) else { continue };
            if kind.contains(ReadFlags::ISDIR) {
                if kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                    self.add_below(&below, found);
                }
            } else if kind.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
                self.unsettled.remove(&below.path);
                FoundFile::of(&below.path, below.place).into_iter().for_each(&mut *found);
            }
        }
        if !is_whole {
            tracing::warn!("more files came than the kernel keeps events of; the directories are read again");
            let since = self.quiet;
            for root in self.roots.clone() {
                self.list_dir(&root, Some(since), found);
            }
        }
        self.quiet = now;
    }

    /// Looks at files that may have been written while they were listed.
    fn look_again(&mut self, found: &mut dyn FnMut(FoundFile)) {
        let now = Instant::now();
        let due: Vec<PathBuf> =
            self.unsettled.iter().filter(|(_, (due, _))| *due <= now).map(|(path, _)| path.clone()).collect();
        for path in due {
            if let Some((_, place)) = self.unsettled.remove(&path) {
                self.settle(&path, place, found);
            }
        }
    }

    /// Watches a directory.
    fn add(&mut self, dir: WatchedDir) -> io::Result<()> {
        let kinds = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::CREATE;
        let kinds = kinds | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        let number = inotify::add_watch(&self.inotify, &dir.path, kinds)?;
        self.dirs.insert(number, dir);
        Ok(())
    }

    /// Watches a directory below a root. Returns whether it is watched.
    fn add_known(&mut self, dir: &WatchedDir) -> bool {
        let Err(error) = self.add(dir.clone()) else { return true };
        // It may be gone by now.
        if error.kind() != io::ErrorKind::NotFound {
            let path = dir.path.display();
            tracing::error!("cannot watch {path}: {error}; its files are no events (see fs.inotify.max_user_watches)");
        }
        false
    }

    /// Watches the directories that are in a directory, and those in them.
    fn add_existing(&mut self, dir: &WatchedDir) {
        for entry in fs::read_dir(&dir.path).into_iter().flatten().flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let Some(below) = is_dir.then(|| dir.below(&entry.file_name())).flatten() else { continue };
            if self.add_known(&below) {
                self.add_existing(&below);
            }
        }
    }

    /// Watches a directory that has come, then lists it: what came into it before is no event.
    fn add_below(&mut self, dir: &WatchedDir, found: &mut dyn FnMut(FoundFile)) {
        if self.add_known(dir) {
            self.list_dir(dir, None, found);
        }
    }

    /// Forgets a directory that is gone. A root is looked for from now on, and nothing below it is watched any more.
    fn lose(&mut self, number: i32) {
        let Some(lost) = self.dirs.remove(&number) else { return };
        if !self.roots.contains(&lost) {
            return;
        }
        tracing::error!("{} is gone; its files are no events until it is there again", lost.path.display());
        let below: Vec<i32> =
            self.dirs.iter().filter(|(_, dir)| dir.path.starts_with(&lost.path)).map(|(number, _)| *number).collect();
        let roots = below.iter().filter_map(|number| self.dirs.remove(number)).filter(|dir| self.roots.contains(dir));
        let now = SystemTime::now();
        self.gone.extend(roots.chain([lost]).map(|dir| (dir, now)));
        for number in below.into_iter().chain([number]) {
            // It is gone already, unless the directory was renamed.
            let _ = inotify::remove_watch(&self.inotify, number);
        }
    }

    /// Watches the roots again that were gone, with the files that came into them meanwhile.
    fn find_again(&mut self, found: &mut dyn FnMut(FoundFile)) {
        for (root, since) in std::mem::take(&mut self.gone) {
            if self.add(root.clone()).is_ok() {
                tracing::info!("{} is there again", root.path.display());
                self.list_dir(&root, Some(since), found);
            } else {
                self.gone.push((root, since));
            }
        }
    }

    /// Calls `found` for the files in a directory, of which those count that have changed `since` then. Watches the
    /// directories in it.
    fn list_dir(&mut self, dir: &WatchedDir, since: Option<SystemTime>, found: &mut dyn FnMut(FoundFile)) {
        let entries = match fs::read_dir(&dir.path) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!("cannot read {}: {error}", dir.path.display());
                return;
            }
        };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let Some(below) = dir.below(&name) else { continue };
            let Ok(metadata) = below.path.symlink_metadata() else { continue };
            if metadata.is_dir() {
                let is_new = !self.dirs.values().any(|known| known.path == below.path);
                if is_new {
                    self.add_below(&below, found);
                } else {
                    self.list_dir(&below, since, found);
                }
            } else if metadata.is_file() && since.is_none_or(|since| found::changed_since(&metadata, since)) {
                self.settle(&below.path, below.place, found);
            }
        }
    }

    /// Calls `found` for a file unless it was changed a moment ago: then it is looked at again.
    fn settle(&mut self, path: &Path, place: ObjectPath, found: &mut dyn FnMut(FoundFile)) {
        let Some(file) = FoundFile::of(path, place.clone()) else { return };
        if file.age() < SETTLED {
            self.unsettled.insert(path.to_owned(), (Instant::now() + SETTLED, place));
        } else {
            found(file);
        }
    }
}

impl WatchedDir {
    /// The entry `name` of the directory; `None` if it is left alone, or no key can have its name.
    fn below(&self, name: &OsStr) -> Option<Self> {
        if name.as_bytes().starts_with(b".") {
            return None;
        }
        let Some(text) = name.to_str() else {
            let path = self.path.join(name);
            tracing::warn!("{} is no event: its name is not UTF-8, as keys of objects are", path.display());
            return None;
        };
        let key = if self.place.key.is_empty() { text.to_owned() } else { format!("{}/{text}", self.place.key) };
        Some(Self { path: self.path.join(name), place: ObjectPath::new(self.place.bucket.clone(), key) })
    }
}

fn named(errno: Errno, what: &str) -> io::Error {
    named_io(&errno.into(), what)
}

fn named_io(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
