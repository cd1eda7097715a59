//! The names that files have elsewhere: inside an archive, and as a browser saves them.
//!
//! A name that a function chose (often from its input) is any bytes without NUL and `/`. The program that unpacks the
//! archive may run on Windows, where `\` leads into other directories as well and `C:` onto another disk. Both are
//! replaced; every other name stays as it is, byte by byte.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

/// Other names for some files, by the place of the file in the list.
pub(super) type ArchiveNames = BTreeMap<usize, Vec<u8>>;

/// The paths that need another name in the archive. No two files get the same name.
pub(super) fn renamed<'p>(paths: impl Iterator<Item = &'p [u8]> + Clone) -> ArchiveNames {
    let mut renamed = ArchiveNames::new();
    for (place, path) in paths.clone().enumerate() {
        renamed.extend(safe(path).map(|name| (place, name)));
    }
    if renamed.is_empty() {
        return renamed;
    }
    let mut taken: HashSet<Vec<u8>> = paths.map(<[u8]>::to_vec).collect();
    for name in renamed.values_mut() {
        let plain = name.clone();
        let mut number = 1_u32;
        while !taken.insert(name.clone()) {
            number += 1;
            *name = [&plain[..], format!("-{number}").as_bytes()].concat();
        }
    }
    renamed
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
}
