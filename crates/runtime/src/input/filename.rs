//! Names of input files.
//!
//! A name that the sender chose is kept as far as possible, but becomes a plain base name: it cannot leave the
//! directory, contains no control characters, and fits every file system.

use crate::{ids, telemetry};

/// The longest name in bytes that Linux file systems take (`NAME_MAX`); longer ones are cut before the extension.
const MAX_BYTES: usize = 255;

/// The longest end of a name in bytes, with its dot, that is taken for an extension worth keeping when it is cut.
const MAX_EXTENSION: usize = 32;

/// A name for a body that came without one.
#[must_use]
pub fn generated(extension: Option<&str>) -> String {
    let id = ids::random();
    match extension {
        Some(extension) => format!("event-file-{id}.{extension}"),
        None => format!("event-file-{id}"),
    }
}

/// The plain base name in what a sender sent, if there is one.
#[must_use]
pub fn sanitised(sent: &str) -> Option<String> {
    // Windows programs send whole paths, with their own separator.
    let base = sent.rsplit(['/', '\\']).next().unwrap_or(sent);
    let visible: String = base.chars().map(|c| if is_deceptive(c) { '_' } else { c }).collect();
    match visible.trim() {
        "" | "." | ".." => None,
        name => Some(shortened(name, "")),
    }
}

/// The name of the `number`th file that would be called `name`: `photo-2.png`.
#[must_use]
pub fn numbered(name: &str, number: u32) -> String {
    shortened(name, &format!("-{number}"))
}

/// `name` with `mark` before its extension, cut to what a file system takes.
fn shortened(name: &str, mark: &str) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= MAX_EXTENSION).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let room = MAX_BYTES - mark.len() - extension.len();
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{stem}{mark}{extension}")
}

/// Characters that end a string early, break a line, or show a name other than it is.
fn is_deceptive(c: char) -> bool {
    c.is_control() || telemetry::is_deceptive(c)
}

/// The usual extension, without its dot, of a media type (`image/png`, in lower case).
#[must_use]
pub fn extension(media_type: &str) -> Option<&'static str> {
    EXTENSIONS
        .binary_search_by_key(&media_type, |(known, _)| known)
        .map_or_else(|_| mime2ext::mime2ext(media_type), |at| Some(EXTENSIONS[at].1))
        .filter(|extension| !extension.is_empty())
}

/// Where the table of `mime2ext` answers with an extension that few programs expect, or with one that says nothing
/// (empty: none). Sorted by type.
const EXTENSIONS: &[(&str, &str)] = &[
    ("application/fits", "fits"),
    ("application/octet-stream", ""),
    ("application/ogg", "ogg"),
    ("application/postscript", "ps"),
    ("application/vnd.apache.parquet", "parquet"),
    ("application/x-gzip", "gz"),
    ("application/x-hdf5", "h5"),
    ("application/x-ndjson", "ndjson"),
    ("application/x-yaml", "yaml"),
    ("application/yaml", "yaml"),
    ("application/zstd", "zst"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/webm", "webm"),
    ("image/jpg", "jpg"),
    ("image/pjpeg", "jpg"),
    ("text/json", "json"),
    ("text/x-python", "py"),
    ("video/quicktime", "mov"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_whatever_path_was_sent() {
        for (sent, wanted) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\Users\\x\\y.png", "y.png"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("a/b\\c", "c"),
            ("  padded name.txt ", "padded name.txt"),
            (".bashrc", ".bashrc"),
            ("-rf", "-rf"),
            ("CON", "CON"),
            ("a:b|c?.txt", "a:b|c?.txt"),
            ("naïve – 文件.txt", "naïve – 文件.txt"),
        ] {
            assert_eq!(sanitised(sent).as_deref(), Some(wanted), "{sent:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_name_is_not_taken() {
        for sent in ["", " ", ".", "..", "/", "a/", "a/..", "\\", "x\\.", "\t\t/ "] {
            assert_eq!(sanitised(sent), None, "{sent:?}");
        }
    }

    #[test]
    fn what_would_end_break_or_reorder_a_name_is_replaced() {
        for (sent, wanted) in [
            ("a\0.png/../b\0c", "b_c"),
            ("line\nbreak\r.txt", "line_break_.txt"),
            ("evil\u{202e}gpj.exe", "evil_gpj.exe"),
            ("zero\u{200b}width\u{feff}", "zero_width_"),
            ("iso\u{2066}late\u{2069}", "iso_late_"),
            ("del\x7f c1\u{85}x", "del_ c1_x"),
            ("sep\u{2028}x", "sep_x"),
            ("tag\u{e0041}", "tag_"),
        ] {
            assert_eq!(sanitised(sent).as_deref(), Some(wanted), "{sent:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_at_a_character_and_keeps_its_extension() {
        let long = sanitised(&format!("{}.tar", "é".repeat(300))).expect("a name");
        assert!(long.ends_with("é.tar"));
        assert_eq!(long.len(), 254, "one byte is left over, for é has two");
        let no_extension = sanitised(&format!("a.{}", "x".repeat(300))).expect("a name");
        assert_eq!(no_extension.len(), MAX_BYTES);
        assert_eq!(sanitised(&"x".repeat(255)).expect("a name").len(), MAX_BYTES);
    }

    #[test]
    fn a_number_goes_before_the_extension_and_never_over_the_limit() {
        assert_eq!(numbered("photo.png", 2), "photo-2.png");
        assert_eq!(numbered("photo", 10), "photo-10");
        assert_eq!(numbered(".profile", 2), ".profile-2");
        assert_eq!(numbered("a.tar.gz", 2), "a.tar-2.gz");
        let long = numbered(&format!("{}.png", "x".repeat(251)), 12);
        assert_eq!(long.len(), MAX_BYTES);
        assert!(long.ends_with("x-12.png"));
    }

    #[test]
    fn a_known_type_has_its_usual_extension() {
        assert!(EXTENSIONS.is_sorted(), "it is searched by halves");
        for (media_type, wanted) in [
            ("image/png", Some("png")),
            ("image/jpeg", Some("jpg")),
            ("image/jpg", Some("jpg")),
            ("text/csv", Some("csv")),
            ("audio/mpeg", Some("mp3")),
            ("video/quicktime", Some("mov")),
            ("application/pdf", Some("pdf")),
            ("application/zip", Some("zip")),
            ("application/gzip", Some("gz")),
            ("application/octet-stream", None),
            ("application/x-unheard-of", None),
            ("no-type", None),
        ] {
            assert_eq!(extension(media_type), wanted, "{media_type}");
        }
    }

    #[test]
    fn generated_names_differ() {
        let name = generated(Some("png"));
        assert!(name.starts_with("event-file-") && name.len() == 11 + 36 + 4);
        assert_ne!(generated(None), generated(None));
    }

    proptest! {
        /// A plain name (path_resolution(7)): without a separator, neither `.` nor `..`, of at most `NAME_MAX` bytes. It
        /// stays as it was sent, but for characters that are not seen and for its length.
        #[test]
        fn any_name_that_is_sent_becomes_a_plain_one(
            sent in prop_oneof![
                "[a-zé/\\\\. \u{0}\n\u{202e}\u{200b}\u{e000}-]{0,16}",
                "[a-é\u{1f600}]{0,120}[.][a-é]{0,40}",
                "\\PC{0,80}",
            ],
            number in prop::option::of(2_u32..),
        ) {
            let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
            let Some(name) = sanitised(&sent) else {
                let seen = last.trim();
                prop_assert!(["", ".", ".."].contains(&seen), "{:?} is a name", seen);
                return Ok(());
            };
            let name = number.map_or(name.clone(), |number| numbered(&name, number));
            prop_assert!(!name.is_empty() && name != "." && name != ".." && name.len() <= 255, "{:?}", name);
            let is_unseen = |char: char| char.is_control() || telemetry::is_deceptive(char);
            prop_assert!(!name.contains(['/', '\\']) && !name.contains(is_unseen), "{:?}", name);
            if name.len() < 200 && number.is_none() {
                let wanted = last.trim_matches(|char: char| char.is_whitespace() && !is_unseen(char));
                prop_assert_eq!(name.chars().count(), wanted.chars().count());
                for char in name.chars().filter(|char| *char != '_') {
                    prop_assert!(last.contains(char));
                }
            }
            if let Some(number) = number {
                prop_assert!(name.contains(&format!("-{number}")), "{}", name);
            }
        }
    }
}
