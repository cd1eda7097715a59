use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::Path,
    process::Command,
};

use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use tempfile::NamedTempFile;

use super::*;
use crate::output::{
    BodySink, Disconnected, Output,
    buffer::ChunkWriter,
    testing::{MemorySink, OnFirstChunk, noise, output_of, write},
};

mod properties;

fn tree_of(dir: &Path) -> FileTree {
    match output_of(dir) {
        Output::Tree(tree) => tree,
        other => panic!("several files, not {other:?}"),
    }
}

fn zip_to(tree: &FileTree, sink: &mut dyn BodySink) -> Result<u64, TransferError> {
    let mut outlet = ChunkWriter::new(sink, tree.zip_len());
    tree.write_zip(&mut outlet)?;
    Ok(outlet.finish()?)
}

fn zipped(tree: &FileTree) -> Vec<u8> {
    let mut sink = MemorySink::default();
    let sent = zip_to(tree, &mut sink).expect("written");
    assert_eq!(sent, tree.zip_len(), "the length is known beforehand");
    let bytes = sink.bytes();
    assert_eq!(bytes.len() as u64, sent);
    bytes
}

fn archive(bytes: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("file");
    fs::write(file.path(), bytes).expect("written");
    file
}

/// An entry as Python's zipfile reports it.
struct Listed {
    name: Vec<u8>,
    size: u64,
    mode: u32,
    date: String,
    /// The extra field in the central directory.
    extra: Vec<u8>,
}

/// Lets Python's zipfile check every checksum, and say what it found.
fn python(archive: &Path) -> Vec<Listed> {
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None, 'a checksum is wrong'
    for i in z.infolist():
        name = i.orig_filename.encode('utf-8' if i.flag_bits & 0x800 else 'cp437')
        print(name.hex(), i.file_size, i.external_attr >> 16, '-'.join(map(str, i.date_time)), i.extra.hex())
";
    let run = Command::new("python3").arg("-c").arg(script).arg(archive).output().expect("python3 is installed");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let byte = |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).expect("hex"), 16).expect("hex");
    let bytes = |hex: &str| hex.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(run.stdout)
        .expect("text")
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("five words");
            let name = bytes(word());
            let (size, mode) = (word().parse().expect("size"), word().parse().expect("mode"));
            Listed { name, size, mode, date: word().to_owned(), extra: bytes(word()) }
        })
        .collect()
}

fn unzip(archive: &Path) {
    let run = Command::new("unzip").arg("-tqq").arg(archive).output().expect("unzip is installed");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {said}", run.status);
}

/// Reads an archive with three readers; gives names and contents.
fn read_back(archive: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    unzip(archive);
    let names: Vec<_> = python(archive).into_iter().map(|entry| entry.name).collect();
    let mut reader = ::zip::ZipArchive::new(File::open(archive).expect("archive")).expect("an archive");
    let entries: Vec<_> = (0..reader.len())
        .map(|index| {
            let mut entry = reader.by_index(index).expect("an entry");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the checksum is right");
            (entry.name_raw().to_vec(), content)
        })
        .collect();
    assert_eq!(entries.iter().map(|entry| entry.0.clone()).collect::<Vec<_>>(), names);
    entries
}

fn set_mtime(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    utimensat(CWD, path, &Timestamps { last_access: time, last_modification: time }, AtFlags::empty()).expect("time");
}

#[test]
fn names_of_every_kind_come_back_with_their_contents() {
    let dir = tempfile::tempdir().expect("tempdir");
    let long = [b'n'; 255];
    let mut names: Vec<&[u8]> = vec![
        b"plain",
        b"new\nline",
        b" spaces at both ends ",
        b"-rf",
        b"back\\slash",
        b"..x",
        b"...",
        b".hidden",
        b"\xFF\xFEnot UTF-8",
        "\u{65e5}\u{672c}\u{8a9e} \u{1F600}".as_bytes(),
        b"sub/-dir/*?\"'$(x)",
        b"tab\tand \x01 control",
        b"C:colon",
        b"empty",
        &long,
    ];
    for name in &names {
        let content = if *name == b"empty" { Vec::new() } else { name.repeat(3) };
        write(dir.path(), OsStr::from_bytes(name), content);
    }
    names.sort_unstable();
    let archive = archive(&zipped(&tree_of(dir.path())));
    let entries = read_back(archive.path());
    // As they are, but for the two that would lead elsewhere on another system.
    let stored = names.iter().map(|name| match *name {
        b"back\\slash" => &b"back_slash"[..],
        b"C:colon" => b"C_colon",
        name => name,
    });
    assert_eq!(entries.iter().map(|entry| entry.0.as_slice()).collect::<Vec<_>>(), stored.collect::<Vec<_>>());
    for ((_, content), name) in entries.into_iter().zip(names) {
        assert!(if name == b"empty" { content.is_empty() } else { content == name.repeat(3) });
    }
}

#[test]
fn contents_around_every_buffer_size_come_back() {
    let dir = tempfile::tempdir().expect("tempdir");
    let sizes = [0, 1, 1023, 131_071, 131_072, 131_073, 262_143, 262_144, 262_145, 1_000_000];
    for size in sizes {
        write(dir.path(), format!("{size:08}"), noise(size));
    }
    symlink("00262145", dir.path().join("link")).expect("link");
    let archive = archive(&zipped(&tree_of(dir.path())));
    let entries = read_back(archive.path());
    for ((_, content), size) in entries.iter().zip(sizes.into_iter().chain([262_145])) {
        assert!(*content == noise(size), "{size} bytes");
    }
    assert_eq!(entries.len(), sizes.len() + 1);
}

#[test]
fn modes_are_kept_and_old_and_future_times_do_no_harm() {
    let dir = tempfile::tempdir().expect("tempdir");
    let cases = [
        ("a-1901", -2_177_452_800, 0o644, "1980-1-1-0-0-0"),
        ("b-before-1901", -2_200_000_000, 0o600, "1980-1-1-0-0-0"),
        ("c-1970", 0, 0o755, "1980-1-1-0-0-0"),
        ("d-1980", 315_532_799, 0o640, "1980-1-1-0-0-0"),
        ("e-now", 1_795_184_397, 0o4755, "2026-11-20-14-19-56"),
        ("f-2100", 4_102_444_800, 0o444, "2100-1-1-0-0-0"),
        ("g-2200", 7_258_118_400, 0o777, "2107-12-31-23-59-58"),
    ];
    for (name, seconds, mode, _) in cases {
        write(dir.path(), name, name);
        let path = dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        set_mtime(&path, seconds);
    }
    let tree = tree_of(dir.path());
    let seen: Vec<_> = tree.iter().map(TreeEntry::modified).collect();
    let archive = archive(&zipped(&tree));
    read_back(archive.path());
    let found = python(archive.path());
    for (index, (name, seconds, mode, date)) in cases.into_iter().enumerate() {
        assert_eq!((found[index].mode, found[index].date.as_str()), (0o100_000 | mode, date), "{name}");
        // Not every file system can say every time.
        let time = i32::try_from(seen[index]).ok().map(|time| [&b"UT\x05\0\x01"[..], &time.to_le_bytes()].concat());
        assert_eq!(found[index].extra, time.unwrap_or_default(), "{name}");
        assert!(seen[index] == seconds || !(0..=i64::from(i32::MAX)).contains(&seconds), "{name}");
    }
}

#[test]
fn seventy_thousand_entries_need_zip64_and_come_back() {
    let dir = tempfile::tempdir().expect("tempdir");
    for group in 0..70 {
        let sub = dir.path().join(format!("{group:02}"));
        fs::create_dir(&sub).expect("directory");
        for number in 0..1000 {
            fs::write(sub.join(format!("{number:03}")), number.to_string()).expect("file");
        }
    }
    let tree = tree_of(dir.path());
    assert_eq!(tree.len(), 70_000);
    let found = read_back(archive(&zipped(&tree)).path());
    assert_eq!(found.len(), 70_000);
    assert_eq!(found[69_999], (b"69/999".to_vec(), b"999".to_vec()));
}

#[test]
fn zip64_is_used_exactly_when_it_is_needed() {
    let dir = tempfile::tempdir().expect("tempdir");
    write(dir.path(), "a", "x");
    write(dir.path(), "b", "y");
    let bytes = zipped(&tree_of(dir.path()));
    assert!(!bytes.windows(4).any(|window| window == 0x0606_4b50_u32.to_le_bytes()));
    for (entries, wanted) in [(0xFFFE, END), (0xFFFF, END_64 + LOCATOR_64 + END)] {
        let mut out = Vec::new();
        end(&mut out, entries, 1, 1);
        assert_eq!(out.len() as u64, wanted);
    }
    for (len, wanted) in [(LIMIT_32 - 1, END), (LIMIT_32, END_64 + LOCATOR_64 + END)] {
        let mut out = Vec::new();
        end(&mut out, 2, 1, len);
        assert_eq!(out.len() as u64, wanted);
    }
}

/// Writes to a file, leaving holes for zeros.
struct Sparse(File);

impl BodySink for Sparse {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        static ZEROS: [u8; 4096] = [0; 4096];
        for part in piece.chunks(ZEROS.len()) {
            if part == &ZEROS[..part.len()] {
                self.0.seek_relative(i64::try_from(part.len()).expect("small")).expect("seek");
            } else {
                self.0.write_all(part).expect("written");
            }
        }
        Ok(())
    }
}

#[test]
fn a_file_of_five_gibibytes_and_what_follows_it_come_back() {
    const SIZE: u64 = 5 << 30;
    let dir = tempfile::tempdir().expect("tempdir");
    write(dir.path(), "a", "before");
    let mut large = File::create(dir.path().join("large")).expect("file");
    large.set_len(SIZE).expect("sparse");
    large.seek(SeekFrom::Start(SIZE - 3)).expect("seek");
    large.write_all(b"end").expect("written");
    write(dir.path(), "z", "after");
    let tree = tree_of(dir.path());
    let archive = archive(b"");
    let mut sink = Sparse(File::create(archive.path()).expect("archive"));
    assert_eq!(zip_to(&tree, &mut sink).expect("written"), tree.zip_len());
    assert_eq!(sink.0.metadata().expect("archive").len(), tree.zip_len());
    unzip(archive.path());
    let found = python(archive.path());
    let sizes: Vec<_> = found.iter().map(|entry| (entry.name.as_slice(), entry.size)).collect();
    assert_eq!(sizes, [(&b"a"[..], 6), (b"large", SIZE), (b"z", 5)]);
    let mut reader = ::zip::ZipArchive::new(File::open(archive.path()).expect("archive")).expect("an archive");
    assert_eq!(reader.by_index(1).expect("large").size(), SIZE);
    let mut after = String::new();
    reader.by_index(2).expect("z").read_to_string(&mut after).expect("the checksum is right");
    assert_eq!(after, "after");
}

#[test]
fn a_file_that_is_not_what_was_seen_breaks_the_archive() {
    let broken = |change: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().expect("tempdir");
        write(dir.path(), "a", "x");
        write(dir.path(), "sub/b", noise(1000));
        let tree = tree_of(dir.path());
        change(&dir.path().join("sub/b"));
        let result = zip_to(&tree, &mut MemorySink::default());
        assert!(matches!(&result, Err(TransferError::Changed { name }) if name == Path::new("sub/b")), "{result:?}");
    };
    broken(&|path| fs::write(path, "short").expect("shorter"));
    broken(&|path| File::options().append(true).open(path).expect("open").write_all(b"x").expect("longer"));
    broken(&|path| fs::remove_file(path).expect("removed"));
    broken(&|path| {
        fs::rename(path, path.with_extension("old")).expect("renamed");
        fs::write(path, noise(1000)).expect("replaced by one of the same size");
    });
    broken(&|path| {
        fs::rename(path, path.with_extension("old")).expect("renamed");
        symlink("b.old", path).expect("replaced by a link to the same");
    });
    broken(&|path| {
        let parent = path.parent().expect("parent");
        fs::rename(parent, parent.with_extension("old")).expect("renamed");
        symlink("sub.old", parent).expect("its directory replaced by a link to it");
    });
}

#[test]
fn a_large_file_that_changes_between_its_two_readings_breaks_the_archive() {
    for change in ["shrinks", "grows", "is rewritten"] {
        let dir = tempfile::tempdir().expect("tempdir");
        write(dir.path(), "a", "x");
        write(dir.path(), "b", noise(1_000_000));
        let tree = tree_of(dir.path());
        let path = dir.path().join("b");
        let mut sink = OnFirstChunk(Some(|| match change {
            "shrinks" => File::options().write(true).open(&path).expect("open").set_len(600_000).expect("shorter"),
            "grows" => File::options().append(true).open(&path).expect("open").write_all(b"x").expect("longer"),
            _ => fs::write(&path, vec![7; 1_000_000]).expect("rewritten"),
        }));
        let result = zip_to(&tree, &mut sink);
        assert!(
            matches!(&result, Err(TransferError::Changed { name }) if name == Path::new("b")),
            "{change}: {result:?}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    write(dir.path(), "a", "x");
    write(dir.path(), "b", noise(1_000_000));
    let mut sink = MemorySink { gone: true, ..MemorySink::default() };
    assert!(matches!(zip_to(&tree_of(dir.path()), &mut sink), Err(TransferError::Disconnected(Disconnected))));
    assert_eq!(sink.pieces.len(), 1, "nothing is sent after that");
}
