//! Patterns: regular expressions with a bounded cost, and their translation for JSON Schema.

use regex_lite::{Error, Regex, RegexBuilder};

use crate::json::{Budget, BudgetExceeded};

/// The maximum size of a compiled pattern in bytes.
const MAX_SIZE: usize = 1024 * 1024;

/// The size assumed for the smallest patterns, in bytes.
const MIN_SIZE: usize = 256;

/// The cost of a character in addition to the pattern's size, for the work that is the same for every pattern.
const PER_CHARACTER: u64 = 512;

/// A regular expression. A match takes at most the length of the text times the size of the pattern. That cost is taken
/// from the [`Budget`] of the call beforehand, since a match cannot be interrupted.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// The cost of each character of a text.
    cost: u64,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// The text is not a regular expression, uses a feature that regex-lite lacks (look-around, back-references), or is
    /// too large.
    pub fn new(text: &str) -> Result<Self, Error> {
        let within = |size| RegexBuilder::new(text).size_limit(size).build();
        let regex = within(MAX_SIZE)?;
        // regex-lite does not report the size, only whether it exceeds a limit.
        let sizes = std::iter::successors(Some(MIN_SIZE), |size| Some(size * 2));
        let size = sizes.take_while(|size| *size < MAX_SIZE).find(|size| within(*size).is_ok()).unwrap_or(MAX_SIZE);
        Ok(Self { regex, cost: size as u64 + PER_CHARACTER })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// The length in characters of the longest text that one call may match.
    #[must_use]
    pub fn longest(&self) -> u64 {
        Budget::STEPS / self.cost
    }

    /// Whether it matches somewhere in `text`.
    pub(crate) fn is_in(&self, text: &str, budget: &mut Budget) -> Result<bool, BudgetExceeded> {
        budget.spend_steps(self.cost.saturating_mul(text.chars().count() as u64))?;
        Ok(self.regex.is_match(text))
    }

    /// The pattern in the syntax of ECMA-262, which JSON Schema uses; `None` if it cannot be expressed. The OpenAPI
    /// document depends on it.
    ///
    /// Classes are written out, since many implementations of JSON Schema give them their Unicode meaning.
    pub(super) fn to_ecma_262(&self) -> Option<String> {
        let mut spelled = String::new();
        let (mut in_class, mut in_count) = (false, false);
        let mut letters = self.as_str().chars().peekable();
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
                    // Both syntaxes define word boundaries by ASCII letters, but ECMA-262 cannot tell the start of a
                    // word from its end.
                    ('b' | 'B', false) if letters.peek() == Some(&'{') => return None,
                    ('<' | '>', false) => return None,
                    // ECMA-262 with the flag `u` forbids escaping a character without a special meaning.
                    (other, _)
                        if other.is_ascii_punctuation() && !is_syntax(other) && (other, in_class) != ('-', true) =>
                    {
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
                    // A bracket at the beginning of a class belongs to it.
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
                // Unpaired they are literals, which some implementations accept only when escaped.
                ']' | '}' if !in_class => spelled.extend(['\\', letter]),
                '(' if !in_class && letters.next_if_eq(&'?').is_some() => {
                    // Flags and named groups have another syntax.
                    letters.next_if_eq(&':')?;
                    spelled.push_str("(?:");
                }
                // `.` included: in both syntaxes it matches a whole character other than a line break.
                other => spelled.push(other),
            }
        }
        Some(spelled)
    }
}

/// Characters with a meaning in a pattern (`SyntaxCharacter` of ECMA-262 §22.2.1), and the slash.
fn is_syntax(letter: char) -> bool {
    r"^$\.*+?()[]{}|/".contains(letter)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_simple_pattern_is_looked_for_in_megabytes_and_a_large_one_in_kilobytes() {
        for (text, least, most) in [
            (r"\S", 4_000_000, 6_000_000),
            ("^[a-z0-9-]+$", 2_000_000, 6_000_000),
            (r"^[\w.+-]+@[\w.-]+$", 1_000_000, 6_000_000),
            ("^([a-z]{1,1000})+$", 10_000, 200_000),
        ] {
            let longest = Pattern::new(text).expect("a pattern").longest();
            assert!((least..most).contains(&longest), "{text}: {longest}");
        }
        assert!(Pattern::new(r"\w{1000}{1000}").is_err());
    }

    #[test]
    fn what_all_texts_of_a_call_cost_is_bounded_and_so_is_the_time() {
        let pattern = Pattern::new("^([a-z]{1,1000})+$").expect("a pattern");
        let started = Instant::now();
        let longest = "a".repeat(usize::try_from(pattern.longest()).expect("fits"));
        assert!(pattern.is_in(&longest, &mut Budget::default()).expect("within"));
        // An unoptimized build takes some seconds.
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
        let mut budget = Budget::default();
        let texts = std::iter::repeat_with(|| pattern.is_in(&longest[..longest.len() / 3], &mut budget));
        assert_eq!(texts.take(5).flatten().count(), 3);
        assert!(pattern.is_in("", &mut budget).is_ok());
    }

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
            let parsed = Pattern::new(pattern).expect("a pattern");
            assert_eq!(parsed.to_ecma_262().as_deref(), wanted, "{pattern}");
        }
    }
}
