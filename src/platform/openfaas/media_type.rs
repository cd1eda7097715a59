//! The first bytes of a body → its media type, where neither the function nor the caller has chosen one.
//!
//! Go's `DetectContentType` follows the rules of browsers (MIME Sniffing, §6 and §7). This is the part of them that
//! covers the usual results of functions. JSON is text by these rules.

/// The first bytes of a body, and its type.
const BEGINNINGS: [(&[u8], &str); 14] = [
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xFE\xFF", "text/plain; charset=utf-16be"),
    (b"\xFF\xFE", "text/plain; charset=utf-16le"),
    (b"\xEF\xBB\xBF", "text/plain; charset=utf-8"),
    (b"\x89PNG\r\n\x1A\n", "image/png"),
    (b"\xFF\xD8\xFF", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\x1F\x8B\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"OggS\x00", "application/ogg"),
    (b"\x00asm", "application/wasm"),
];

/// The tags that HTML begins with, after blanks and in any case; a blank or `>` follows.
const TAGS: [&str; 17] = [
    "<!DOCTYPE HTML",
    "<HTML",
    "<HEAD",
    "<SCRIPT",
    "<IFRAME",
    "<H1",
    "<DIV",
    "<FONT",
    "<TABLE",
    "<A",
    "<STYLE",
    "<TITLE",
    "<B",
    "<BODY",
    "<BR",
    "<P",
    "<!--",
];

/// The type of a body that begins with these bytes.
pub(super) fn guessed(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    let is_tag = |tag: &&str| {
        text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
            && text.get(tag.len()).is_some_and(|next| matches!(next, b' ' | b'>'))
    };
    if TAGS.iter().any(is_tag) {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return kind;
    }
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wave",
        _ if bytes.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)) => {
            "application/octet-stream"
        }
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_that_functions_answer_with_are_told_apart() {
        for (bytes, kind) in [
            (&b""[..], "text/plain; charset=utf-8"),
            (b"hello\n", "text/plain; charset=utf-8"),
            (b"{\"a\": 1}", "text/plain; charset=utf-8"),
            (b"\n <html><body>", "text/html; charset=utf-8"),
            (b"<!doctype HTML >", "text/html; charset=utf-8"),
            (b"<banana>", "text/plain; charset=utf-8"),
            (b"<?xml version=\"1.0\"?>", "text/xml; charset=utf-8"),
            (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"%PDF-1.7", "application/pdf"),
            (b"PK\x03\x04rest", "application/zip"),
            (b"a\0b", "application/octet-stream"),
            (b"\x1b[1mbold", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(guessed(bytes), kind, "{bytes:?}");
        }
    }
}
