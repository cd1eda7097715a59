//! The directory: from the path of a request to an open file in it.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use percent_encoding::percent_decode_str;
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, stat},
    io::Errno,
};

use super::moment;

/// The page of a directory.
const INDEX: &str = "index.html";

/// How often a lookup is retried while the path changes underneath.
const TRIES: usize = 16;

/// Opening a FIFO does not block, and a terminal does not become the controlling one.
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The directory that is served. One that is replaced by another of the same name (a deployment, a volume that is mounted
/// again) is followed from the next request on.
#[derive(Debug)]
pub struct StaticDir {
    path: PathBuf,
    root: Mutex<Root>,
}

/// The directory as it was found last.
#[derive(Debug, Clone)]
struct Root {
    fd: Arc<OwnedFd>,
    /// Device and inode.
    id: (u64, u64),
}

impl Root {
    fn open(path: &Path) -> Result<Self, Errno> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let id = id(&fstat(&fd)?);
        Ok(Self { fd: Arc::new(fd), id })
    }
}

fn id(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// The result of a lookup.
pub(super) enum Lookup {
    File(File),
    /// Named without the slash at its end.
    Directory,
    Nothing,
}

/// A file, and what is known of it.
pub(super) struct File {
    pub(super) fd: OwnedFd,
    /// Its path, for its type and for messages.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
}

impl StaticDir {
    /// Opens the directory.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = Root::open(path)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), root: Mutex::new(root) })
    }

    /// The directory that has the name now. While there is none, the last one is served.
    fn root(&self) -> Arc<OwnedFd> {
        let mut root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        if stat(&self.path).is_ok_and(|stat| id(&stat) != root.id)
            && let Ok(next) = Root::open(&self.path)
        {
            tracing::info!("the directory {} was replaced; the new one is served", self.path.display());
            *root = next;
        }
        Arc::clone(&root.fd)
    }

    /// Finds the file at the path of a request. An entry that is not a regular file, is outside of the directory or may
    /// not be read counts as missing.
    pub(super) fn find(&self, path: &str) -> io::Result<Lookup> {
        let Some(segments) = segments(path) else { return Ok(Lookup::Nothing) };
        let names_directory = path.ends_with('/');
        let root = Beneath(self.root());
        let Some(found) = root.look(&segments)? else { return Ok(Lookup::Nothing) };
        match FileType::from_raw_mode(found.1.st_mode) {
            FileType::RegularFile if !names_directory => Ok(Lookup::File(file(found, &segments))),
            FileType::Directory if !names_directory => Ok(Lookup::Directory),
            FileType::Directory => {
                let index = [segments, vec![INDEX.as_bytes().to_vec()]].concat();
                let found = root.look(&index)?;
                let found = found.filter(|(_, stat)| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
                Ok(found.map_or(Lookup::Nothing, |found| Lookup::File(file(found, &index))))
            }
            _ => Ok(Lookup::Nothing),
        }
    }
}

/// Lookups beneath one directory.
struct Beneath(Arc<OwnedFd>);

impl Beneath {
    /// Opens what is at the end of `segments`; `None` if there is nothing that may be seen.
    fn look(&self, segments: &[Vec<u8>]) -> io::Result<Option<(OwnedFd, Stat)>> {
        match self.open_beneath(segments).and_then(|fd| Ok((fstat(&fd)?, fd))) {
            Ok((stat, fd)) => Ok(Some((fd, stat))),
            // EXDEV: a link leads out of the directory (openat2(2)). ENXIO: a socket.
            Err(
                Errno::NOENT
                | Errno::NOTDIR
                | Errno::LOOP
                | Errno::XDEV
                | Errno::NAMETOOLONG
                | Errno::ACCESS
                | Errno::PERM
                | Errno::NXIO
                | Errno::NODEV,
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open_beneath(&self, segments: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        let path = if segments.is_empty() { b".".to_vec() } else { segments.join(&b'/') };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.0, OsStr::from_bytes(&path), OPEN, Mode::empty(), beneath) {
                // Something was moved while it was looked for, and the kernel cannot tell where it is now.
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Linux before 5.6, or a filter that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_stepwise(segments),
                result => return result,
            }
        }
        Err(Errno::NOENT)
    }

    /// The same without the kernel's help: no link is followed at all.
    fn open_stepwise(&self, segments: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        let Some((last, directories)) = segments.split_last() else {
            return openat(&self.0, ".", OPEN | OFlags::DIRECTORY, Mode::empty());
        };
        let mut at: Option<OwnedFd> = None;
        for name in directories {
            let from = at.as_ref().map_or(self.0.as_fd(), OwnedFd::as_fd);
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = Some(openat(from, OsStr::from_bytes(name), flags, Mode::empty())?);
        }
        let from = at.as_ref().map_or(self.0.as_fd(), OwnedFd::as_fd);
        openat(from, OsStr::from_bytes(last), OPEN | OFlags::NOFOLLOW, Mode::empty())
    }
}

fn file((fd, stat): (OwnedFd, Stat), segments: &[Vec<u8>]) -> File {
    let modified = moment(stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or_default());
    let name = String::from_utf8_lossy(&segments.join(&b'/')).into_owned();
    File { fd, name, size: u64::try_from(stat.st_size).unwrap_or_default(), modified }
}

/// The names in a path, decoded; `None` if one of them cannot be that of a file: it holds a slash or a NUL, or leads up
/// (`..`) or nowhere (`.`). Slashes that follow each other count as one.
fn segments(path: &str) -> Option<Vec<Vec<u8>>> {
    let names = path.split('/').filter(|name| !name.is_empty());
    names
        .map(|name| {
            let name: Vec<u8> = percent_decode_str(name).collect();
            let is_plain = !name.iter().any(|byte| matches!(byte, b'/' | 0)) && name != b"." && name != b"..";
            is_plain.then_some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn no_path_leads_up_however_it_is_written() {
        for path in ["/../x", "/a/../../x", "/%2e%2e/x", "/a/%2E./x", "/a%2f..%2f..%2fx", "/a%00b", "/.", "/./x"] {
            assert_eq!(segments(path), None, "{path}");
        }
        assert_eq!(segments("//a///b%20c/"), Some(vec![b"a".to_vec(), b"b c".to_vec()]));
        assert_eq!(segments("/...").map(|names| names.len()), Some(1));
    }

    /// A directory with a file, a link in it, links out of it, and the same in a subdirectory.
    fn site() -> (tempfile::TempDir, StaticDir) {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub")).expect("made");
        fs::write(dir.path().join("secret"), "secret").expect("written");
        fs::write(root.join("file"), "file").expect("written");
        for (target, link) in [("file", "inside"), ("../secret", "outside"), ("/etc/passwd", "absolute"), ("..", "up")]
        {
            std::os::unix::fs::symlink(target, root.join(link)).expect("linked");
        }
        std::os::unix::fs::symlink("../../secret", root.join("sub/outside")).expect("linked");
        let site = StaticDir::open(&root).expect("opened");
        (dir, site)
    }

    fn names(path: &str) -> Vec<Vec<u8>> {
        segments(path).expect("a path")
    }

    #[test]
    fn a_link_is_followed_within_the_directory_and_not_out_of_it() {
        let (_dir, site) = site();
        let site = Beneath(site.root());
        assert!(site.look(&names("/inside")).expect("looked").is_some());
        for path in ["/outside", "/absolute", "/up/secret", "/sub/outside"] {
            assert!(site.look(&names(path)).expect("looked").is_none(), "{path}");
        }
    }

    #[test]
    fn without_the_kernels_help_no_link_is_followed() {
        let (_dir, site) = site();
        let site = Beneath(site.root());
        assert!(site.open_stepwise(&names("/file")).is_ok());
        assert!(site.open_stepwise(&[]).is_ok());
        for path in ["/inside", "/outside", "/absolute", "/up/secret", "/sub/outside"] {
            assert!(site.open_stepwise(&names(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_directory_that_is_replaced_is_found_again() {
        let (dir, site) = site();
        let at = |name: &str| dir.path().join(name);
        let content = |site: &StaticDir| match site.find("/file").expect("looked") {
            Lookup::File(found) => found.size,
            Lookup::Directory | Lookup::Nothing => u64::MAX,
        };
        assert_eq!(content(&site), 4);
        fs::create_dir(at("next")).expect("made");
        fs::write(at("next/file"), "another").expect("written");
        fs::rename(at("root"), at("old")).expect("moved");
        assert_eq!(content(&site), 4, "while there is none the last one counts");
        fs::rename(at("next"), at("root")).expect("moved");
        assert_eq!(content(&site), 7);
        fs::remove_dir_all(at("root")).expect("removed");
        fs::create_dir(at("root")).expect("made");
        fs::write(at("root/file"), "x").expect("written");
        assert_eq!(content(&site), 1);
    }
}
