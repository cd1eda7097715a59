//! Characters that make a line of a log look like another, written so that they are seen.

use std::fmt::Write as _;

/// Control characters other than a tab, written as `\xNN`, and other characters that are not seen as `\u{N}`, so that what
/// a client or a function chose (a path, a file name) cannot forge a line.
pub fn escape_controls(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        out.push_str(text);
        return;
    }
    for char in text.chars() {
        if char.is_control() && char != '\t' {
            let _ = write!(out, "\\x{:02x}", u32::from(char));
        } else if is_deceptive(char) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
        } else {
            out.push(char);
        }
    }
}

/// A JSON text whose strings hold no such character as it is. It means the same: outside of strings JSON has none.
pub(super) fn escaped_json(json: String) -> String {
    let is_seen = |char: char| !(char.is_control() || is_deceptive(char));
    if json.is_ascii() && json.bytes().all(|byte| byte != 0x7f) || json.chars().all(is_seen) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        if is_seen(char) {
            escaped.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// Whether a character that is no control character is not seen, or changes how others are seen: line ends of Unicode's
/// own (Zl, Zp), format characters (Cf, among them the marks that turn the direction of a text), and fillers without a
/// shape. By Unicode 16.
#[must_use]
pub fn is_deceptive(char: char) -> bool {
    matches!(
        char,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out_and_what_is_seen_is_not() {
        let escaped = |text: &str| {
            let mut out = String::new();
            escape_controls(text, &mut out);
            out
        };
        assert_eq!(escaped("a\u{2028}b\u{2029}c\u{85}d"), "a\\u{2028}b\\u{2029}c\\x85d");
        assert_eq!(
            escaped("\u{202e}\u{61c}\u{2066}\u{200f}\u{feff}\u{ad}"),
            "\\u{202e}\\u{61c}\\u{2066}\\u{200f}\\u{feff}\\u{ad}"
        );
        assert_eq!(escaped("\u{e0041}\u{1b}[0m\r\n\t"), "\\u{e0041}\\x1b[0m\\x0d\\x0a\t");
        assert_eq!(escaped("naïve – 文件 \u{1f600}"), "naïve – 文件 \u{1f600}");
    }
}
