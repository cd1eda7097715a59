//! Patterns in the words of JSON Schema.

use regex_lite::Regex;

/// A pattern in the words of ECMA-262, in which JSON Schema has them; `None` if there are no such words.
///
/// The classes are spelled out, since many a reader takes them for those of Unicode.
pub(super) fn ecma(pattern: &Regex) -> Option<String> {
    let mut spelled = String::new();
    let mut in_class = false;
    let mut letters = pattern.as_str().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match (letters.next()?, in_class) {
                ('w', false) => spelled.push_str("[A-Za-z0-9_]"),
                ('W', false) => spelled.push_str("[^A-Za-z0-9_]"),
                ('d', false) => spelled.push_str("[0-9]"),
                ('D', false) => spelled.push_str("[^0-9]"),
                ('w', true) => spelled.push_str("A-Za-z0-9_"),
                ('d', true) => spelled.push_str("0-9"),
                ('s', true) => spelled.push_str(r"\t\n\v\f\r "),
                ('s', false) => spelled.push_str(r"[\t\n\v\f\r ]"),
                ('S', false) => spelled.push_str(r"[^\t\n\v\f\r ]"),
                ('A', false) => spelled.push('^'),
                ('z', false) => spelled.push('$'),
                // The ends of words are told apart by letters of ASCII in both.
                (other, _) if other.is_ascii_punctuation() || "bBnrtfv".contains(other) => {
                    spelled.push('\\');
                    spelled.push(other);
                }
                _ => return None,
            },
            '[' if in_class => return None,
            '[' => {
                in_class = true;
                spelled.push('[');
                // A bracket right at the beginning is one of the class.
                for first in ['^', ']'] {
                    if letters.next_if_eq(&first).is_some() {
                        spelled.push_str(if first == ']' { r"\]" } else { "^" });
                    }
                }
            }
            ']' => {
                in_class = false;
                spelled.push(']');
            }
            '(' if !in_class && letters.next_if_eq(&'?').is_some() => {
                // Flags and names are written in other ways.
                letters.next_if_eq(&':')?;
                spelled.push_str("(?:");
            }
            // There it takes no part of a character, and no line break.
            other => spelled.push(other),
        }
    }
    Some(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_said_in_words_that_mean_the_same_to_everybody() {
        for (pattern, wanted) in [
            (r"^\w{1,3}-\d+$", Some("^[A-Za-z0-9_]{1,3}-[0-9]+$")),
            (r"[\w.-]\.\S", Some(r"[A-Za-z0-9_.-]\.[^\t\n\v\f\r ]")),
            (r"[^]x]", Some(r"[^\]x]")),
            (r"\A(?:a|b)\z", Some("^(?:a|b)$")),
            ("(?i)abc", None),
            ("(?P<a>b)", None),
            (r"[a\W]", None),
        ] {
            let regex = Regex::new(pattern).expect("a pattern");
            assert_eq!(ecma(&regex).as_deref(), wanted, "{pattern}");
        }
    }
}
