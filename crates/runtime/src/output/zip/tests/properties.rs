//! Properties of any archive.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_length_announced_is_the_length_written(
        files in prop::collection::btree_map("[a-c/\u{e9}]{1,9}", (0..400_000_usize, -3_000_000_000_i64..6_000_000_000), 2..8),
    ) {
        let dir = tempfile::tempdir().expect("tempdir");
        for (name, (size, seconds)) in &files {
            let name: Vec<_> = name.split('/').filter(|part| !part.is_empty()).collect();
            let path = dir.path().join(name.join("_/"));
            if !name.is_empty() && !path.exists() {
                write(dir.path(), name.join("_/"), noise(*size));
                set_mtime(&path, *seconds);
            }
        }
        write(dir.path(), "1", "");
        write(dir.path(), "2", "");
        let bytes = zipped(&tree_of(dir.path()));
        let mut reader = ::zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        for index in 0..reader.len() {
            let mut entry = reader.by_index(index).expect("entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the checksum is right");
        }
    }

    /// APPNOTE.TXT §4.4.4 and appendix D: bit 11 of the flags says that a name is UTF-8, and none is said for other names.
    #[test]
    fn any_names_come_back_with_their_contents_and_say_whether_they_are_text(
        names in prop::collection::btree_set(
            prop::collection::vec(any::<u8>().prop_filter("of a name", |byte| !b"\0/\\:".contains(byte)), 1..40), 2..6,
        ),
    ) {
        let names: Vec<_> = names.into_iter().filter(|name| name != b"." && name != b"..").collect();
        prop_assume!(names.len() > 1);
        let dir = tempfile::tempdir().expect("tempdir");
        for name in &names {
            write(dir.path(), OsStr::from_bytes(name), name.repeat(2));
        }
        let bytes = zipped(&tree_of(dir.path()));
        let mut reader = ::zip::ZipArchive::new(std::io::Cursor::new(&bytes)).expect("an archive");
        prop_assert_eq!(reader.len(), names.len());
        for (index, name) in names.iter().enumerate() {
            let mut entry = reader.by_index(index).expect("entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the checksum is right");
            prop_assert_eq!((entry.name_raw(), content), (&name[..], name.repeat(2)));
            let (local, central) = (entry.header_start(), entry.central_header_start());
            for at in [local + 6, central + 8] {
                let at = usize::try_from(at).expect("small");
                let says_text = u16::from_le_bytes([bytes[at], bytes[at + 1]]) & 0x800 != 0;
                prop_assert!(says_text == std::str::from_utf8(name).is_ok() || name.is_ascii(), "{:?}", name);
            }
        }
    }

    #[test]
    fn dos_time_never_leaves_what_can_be_said(seconds: i64) {
        let (date, time) = dos_time(seconds);
        prop_assert!((1..=12).contains(&(date >> 5 & 15)) && (1..=31).contains(&(date & 31)));
        prop_assert!(time >> 11 < 24 && (time >> 5 & 63) < 60 && (time & 31) < 30);
    }
}
