//! The journal of the uploads of one call, in a directory of its own, and those that dead predecessors have left.
//!
//! ```text
//! PLACE/bandog-uploads-ID/    locked (flock(2)) while its call goes on; made with the first upload, removed at the end
//! ```

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bandog_process::ids;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat};

use crate::{
    error::Error,
    journal::{Entry, Journal, Swept},
};

/// Begins the name of the directory.
const PREFIX: &str = "bandog-uploads-";

/// How long a directory without a lock is left alone: its process may be between making and locking it.
const UNLOCKED_LIMIT: Duration = Duration::from_secs(10);

/// The journal of one call.
#[derive(Debug)]
pub(super) struct Uploads {
    place: PathBuf,
    /// `None` before the first upload.
    own: Mutex<Option<OwnJournal>>,
}

#[derive(Debug)]
struct OwnJournal {
    path: PathBuf,
    journal: Journal,
    /// Open for its lock.
    _lock: OwnedFd,
}

impl Uploads {
    /// A journal in a directory of `place`.
    pub(super) fn new(place: PathBuf) -> Self {
        Self { place, own: Mutex::default() }
    }

    /// The journal, whose directory is made if there is none yet.
    pub(super) fn journal(&self) -> io::Result<Journal> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = &*own {
            return Ok(own.journal.clone());
        }
        let path = self.place.join(format!("{PREFIX}{}", ids::instance()));
        let journal = Journal::open(&path)?;
        let lock = open_dir(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        *own = Some(OwnJournal { path, journal: journal.clone(), _lock: lock });
        Ok(journal)
    }
}

/// Calls `discard` for what dead predecessors have left in no final state in `place`. Returns what came of it.
pub(super) fn sweep(place: &Path, mut discard: impl FnMut(&Entry) -> Result<(), Error>) -> io::Result<Swept> {
    let mut all = Swept::default();
    for entry in std::fs::read_dir(place)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let is_ours = |name: &str| name.strip_prefix(PREFIX).is_some_and(|rest| ids::is_instance(rest.as_bytes()));
        if !name.to_str().is_some_and(is_ours) {
            continue;
        }
        // One that is locked belongs to a process that lives, one of another user is not ours.
        let Some(_lock) = lock_of_dead(&path) else { continue };
        let Ok(journal) = Journal::open(&path) else { continue };
        let Swept { discarded, failed } = journal.sweep(&mut discard)?;
        all.discarded += discarded;
        all.failed.extend(failed);
        // Not empty where something could not be discarded: the next start tries again.
        let _ = std::fs::remove_dir(&path);
    }
    Ok(all)
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if let Some(own) = self.own.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // Not empty where something could not be discarded.
            let _ = std::fs::remove_dir(&own.path);
        }
    }
}

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// The lock of a directory whose process has ended.
fn lock_of_dead(path: &Path) -> Option<OwnedFd> {
    let dir = open_dir(path).ok()?;
    flock(&dir, FlockOperation::NonBlockingLockExclusive).ok()?;
    let changed = u64::try_from(fstat(&dir).ok()?.st_ctime).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(changed);
    let is_new = changed.elapsed().is_ok_and(|age| age < UNLOCKED_LIMIT);
    let is_empty = std::fs::read_dir(path).ok()?.next().is_none();
    (!(is_new && is_empty)).then_some(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectPath;

    fn entry() -> Entry {
        let object = ObjectPath::new("bucket", "key");
        Entry { provider: "s3.default".parse().expect("a name"), object, part: "upload".to_owned() }
    }

    #[test]
    fn what_the_dead_have_left_is_discarded_and_the_living_are_left_alone() {
        let place = tempfile::tempdir().expect("a directory");
        let uploads = |path: &Path| Uploads::new(path.to_owned());
        let count = || std::fs::read_dir(place.path()).expect("a directory").count();
        // Not made before it is needed, and removed at the end.
        let unused = uploads(place.path());
        drop(unused);
        let ended = uploads(place.path());
        ended.journal().expect("a journal").begin(&entry()).expect("begun").end();
        assert_eq!(count(), 1);
        drop(ended);
        assert_eq!(count(), 0);

        let living = uploads(place.path());
        let open = living.journal().expect("a journal").begin(&entry()).expect("begun");
        let dead = uploads(place.path());
        drop(dead.journal().expect("a journal").begin(&entry()).expect("begun"));
        drop(dead);
        assert_eq!(count(), 2);
        std::fs::create_dir(place.path().join("bandog-uploads-mine")).expect("made");
        let mut discarded = Vec::new();
        let swept = sweep(place.path(), |entry| {
            discarded.push(entry.clone());
            Ok(())
        });
        assert_eq!((swept.expect("swept").discarded, discarded), (1, vec![entry()]));
        assert_eq!(count(), 2, "that of the living, and another's");
        open.end();
    }
}
