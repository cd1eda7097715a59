//! The names that files have elsewhere: inside an archive, and as a browser saves them.
//!
//! A name that a function chose (often from its input) is any bytes without NUL and `/`. The program that unpacks the
//! archive may run on Windows, where `\` leads into other directories as well and `C:` onto another disk. Both are
//! replaced; every other name stays as it is, byte by byte.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

/// Other names for some files, by the place of the file in the list.
pub(super) type ArchiveNames = BTreeMap<usize, Vec<u8>>;

/// The paths that need another name in the archive. No two files get the same name, and no file that of a directory.
pub(super) fn renamed<'p>(paths: impl Iterator<Item = &'p [u8]> + Clone) -> ArchiveNames {
    if paths.clone().all(is_safe) {
        return ArchiveNames::new();
    }
    let mut taken = TakenNames::default();
    for path in paths.clone() {
        taken.directories.extend(prefixes(path).filter(|prefix| is_safe(prefix)).map(<[u8]>::to_vec));
        if is_safe(path) {
            taken.files.insert(path.to_vec());
        }
    }
    paths.enumerate().filter(|(_, path)| !is_safe(path)).map(|(place, path)| (place, taken.name_for(path))).collect()
}

/// The names in an archive so far.
#[derive(Default)]
struct TakenNames {
    files: HashSet<Vec<u8>>,
    directories: HashSet<Vec<u8>>,
    /// The names of directories that were given one, by their paths, so that their files stay together.
    given: HashMap<Vec<u8>, Vec<u8>>,
}

impl TakenNames {
    /// Takes a name for the file at `path`. Numbers tell apart what would have one name otherwise.
    fn name_for(&mut self, path: &[u8]) -> Vec<u8> {
        let mut name = Vec::new();
        for directory in prefixes(path) {
            let given = self.given.get(directory).cloned();
            name = given.unwrap_or_else(|| {
                let name = numbered(&within(&name, directory), |name| self.files.contains(name));
                self.directories.insert(name.clone());
                self.given.insert(directory.to_vec(), name.clone());
                name
            });
        }
        let name = numbered(&within(&name, path), |name| self.files.contains(name) || self.directories.contains(name));
        self.files.insert(name.clone());
        name
    }
}

/// The directories of a path, from the top.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'/', path).map(|end| &path[..end])
}

/// The last part of `path`, without what leads elsewhere, in a directory of the archive.
fn within(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let path = portable(path);
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if directory.is_empty() { last.to_vec() } else { [directory, last].join(&b'/') }
}

/// The name, with a number if it is taken.
fn numbered(name: &[u8], is_taken: impl Fn(&Vec<u8>) -> bool) -> Vec<u8> {
    let names = (2_u32..).map(|number| [name, format!("-{number}").as_bytes()].concat());
    std::iter::once(name.to_vec()).chain(names).find(|name| !is_taken(name)).unwrap_or_default()
}

fn is_safe(path: &[u8]) -> bool {
    safe(path).is_none()
}

/// The path without what leads elsewhere.
pub(crate) fn portable(path: &[u8]) -> Cow<'_, [u8]> {
    safe(path).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// The same; `None` if there is nothing of that kind in it.
fn safe(path: &[u8]) -> Option<Vec<u8>> {
    let is_drive = path.first().is_some_and(u8::is_ascii_alphabetic) && path.get(1) == Some(&b':');
    if !is_drive && !path.contains(&b'\\') {
        return None;
    }
    let mut name: Vec<u8> = path.iter().map(|byte| if *byte == b'\\' { b'_' } else { *byte }).collect();
    if is_drive {
        name[1] = b'_';
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(paths: &[&'static [u8]]) -> Vec<String> {
        let renamed = renamed(paths.iter().copied());
        let name = |(place, path): (usize, &&[u8])| renamed.get(&place).map_or(path.to_vec(), Vec::clone);
        paths.iter().enumerate().map(name).map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        assert!(
            renamed(["a b", "d/e.f", "é", "-rf", "ab:c", "c/d:e", "new\nline"].map(str::as_bytes).into_iter())
                .is_empty()
        );
        assert!(renamed([&b"caf\xe9"[..]].into_iter()).is_empty());
    }

    #[test]
    fn what_leads_elsewhere_on_another_system_is_replaced() {
        let paths = [&b"..\\..\\x"[..], b"C:\\x", b"c:x", b"d/e\\f"];
        assert_eq!(all(&paths), [".._.._x", "C__x", "c_x", "d/e_f"]);
    }

    #[test]
    fn no_two_files_get_one_name() {
        let paths = [&b"\\a\\b"[..], b"\\a_b", b"_a\\b", b"_a_b", b"_a_b-2"];
        assert_eq!(all(&paths), ["_a_b-3", "_a_b-4", "_a_b-5", "_a_b", "_a_b-2"]);
    }

    /// The paths of a directory tree: no file is a directory as well.
    fn trees() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let path = "[a\\\\_:]{1,3}(/[a\\\\_:]{1,3}){0,2}".prop_map(String::into_bytes);
        prop::collection::btree_set(path, 1..8).prop_map(|paths| {
            let is_directory =
                |path: &Vec<u8>| paths.iter().any(|other| other.starts_with(&[path, &b"/"[..]].concat()));
            paths.iter().filter(|path| !is_directory(path)).cloned().collect()
        })
    }

    #[test]
    fn no_file_gets_the_name_of_a_directory_and_the_files_of_one_stay_together() {
        let paths = [&b"a:/x"[..], b"a:/y", b"a_", b"d_/e", b"d\\", b"f\\/g", b"f_/g"];
        assert_eq!(all(&paths), ["a_-2/x", "a_-2/y", "a_", "d_/e", "d_-2", "f_/g-2", "f_/g"]);
    }

    proptest! {
        /// APPNOTE.TXT §4.4.17.1: a name is a relative path with forward slashes, without a drive. Two entries of one name,
        /// or a file that is also a directory, cannot both be unpacked.
        #[test]
        fn any_tree_can_be_unpacked_on_every_system(paths in trees()) {
            let renamed = renamed(paths.iter().map(Vec::as_slice));
            let stored = |(place, path)| renamed.get(&place).unwrap_or(path).as_slice();
            let stored: Vec<&[u8]> = paths.iter().enumerate().map(stored).collect();
            for (path, stored) in paths.iter().zip(&stored) {
                prop_assert!(!stored.contains(&b'\\'));
                prop_assert!(!(stored[0].is_ascii_alphabetic() && stored.get(1) == Some(&b':')));
                if !path.contains(&b'\\') && !path.contains(&b':') {
                    prop_assert_eq!(&path[..], *stored, "it stays as it is");
                }
            }
            for (place, one) in stored.iter().enumerate() {
                for (other_place, other) in stored.iter().enumerate() {
                    prop_assert!(place == other_place || one != other, "two of {:?}", String::from_utf8_lossy(one));
                    let within = [one, &b"/"[..]].concat();
                    let one = String::from_utf8_lossy(one);
                    prop_assert!(!other.starts_with(&within), "{:?} is a file and a directory", one);
                }
            }
        }
    }
}
