//! Patterns in the words of JSON Schema.

use super::Pattern;

/// A pattern in the words of ECMA-262, in which JSON Schema has them; `None` if there are no such words.
///
/// The classes are spelled out, since many a reader takes them for those of Unicode.
pub(super) fn ecma(pattern: &Pattern) -> Option<String> {
    let mut spelled = String::new();
    let (mut in_class, mut in_count) = (false, false);
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
                // The ends of words are told apart by letters of ASCII in both; which end it is, ECMA-262 cannot say.
                ('b' | 'B', false) if letters.peek() == Some(&'{') => return None,
                ('<' | '>', false) => return None,
                // For readers who take a pattern for Unicode's, what means nothing must not be escaped.
                (other, _) if other.is_ascii_punctuation() && !is_syntax(other) && (other, in_class) != ('-', true) => {
                    spelled.push(other);
                }
                (other, _) if other.is_ascii_punctuation() || "nrtfv".contains(other) => {
                    spelled.extend(['\\', other]);
                }
                (other @ ('b' | 'B'), false) => spelled.extend(['\\', other]),
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
            ']' if in_class => {
                in_class = false;
                spelled.push(']');
            }
            '{' if !in_class => {
                in_count = true;
                spelled.push('{');
            }
            '}' if in_count => {
                in_count = false;
                spelled.push('}');
            }
            // Alone they stand for themselves, which not every reader takes without being told.
            ']' | '}' if !in_class => spelled.extend(['\\', letter]),
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

/// What means something in a pattern (`SyntaxCharacter` of ECMA-262 §22.2.1), and the slash.
fn is_syntax(letter: char) -> bool {
    r"^$\.*+?()[]{}|/".contains(letter)
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
            (r"^\w+\@\-[\-\.\@]\/", Some(r"^[A-Za-z0-9_]+@-[\-\.@]\/")),
            (r"a]b}[}]c{2}\}", Some(r"a\]b\}[}]c{2}\}")),
            (r"\ba\B", Some(r"\ba\B")),
            (r"\<a\>", None),
            (r"\b{start}a", None),
            ("(?i)abc", None),
            ("(?P<a>b)", None),
            (r"[a\W]", None),
        ] {
            let regex = Pattern::new(pattern).expect("a pattern");
            assert_eq!(ecma(&regex).as_deref(), wanted, "{pattern}");
        }
    }
}
