//! The event of OSCAR's jobs, which arrives twice: unchanged in `EVENT`, and on the standard input as `echo $EVENT`
//! prints it.
//!
//! OSCAR starts a job as `/bin/sh -c "echo $EVENT | /oscar/bin/supervisor"`. Without quotes, the shell splits the event
//! at blanks, replaces words with `*`, `?` and `[` by file names, and, in some shells, interprets backslashes. The choice
//! is made from these two texts alone.

use std::ffi::OsString;

use memchr::memmem;

/// The event of a job, as bandog was started with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// `EVENT`; not empty.
    pub variable: OsString,
    /// Whether `JOB_UUID` shows that this is one of OSCAR's jobs. Its standard input can only be a copy then.
    pub is_job: bool,
}

/// The text that is the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    /// `EVENT`: the standard input is a copy of it.
    Variable,
    /// `EVENT`, decoded from base64: the standard input is a decoded copy (interLink's jobs decode it).
    Decoded(Vec<u8>),
    /// The standard input: it is no copy of `EVENT`.
    Stdin,
}

impl JobEvent {
    /// Bytes of a standard input that are compared. `EVENT` has at most 128 KiB; file names in place of a `*` may make
    /// it longer.
    pub const COPY_LIMIT: usize = 1024 * 1024;

    /// Chooses between `EVENT` and the standard input. `stdin` is the whole of it, or the first bytes of one that is
    /// longer than [`JobEvent::COPY_LIMIT`].
    #[must_use]
    pub fn source(&self, stdin: &[u8]) -> EventSource {
        if stdin.len() > Self::COPY_LIMIT && !self.is_job {
            return EventSource::Stdin;
        }
        choose(self.variable.as_encoded_bytes(), stdin, self.is_job)
    }
}

fn choose(event: &[u8], stdin: &[u8], is_job: bool) -> EventSource {
    let bare = without_line_end(stdin);
    if bare == without_line_end(event) {
        return EventSource::Variable;
    }
    // `base64 -d` takes line breaks, which the shell has made blanks.
    if let Ok(decoded) = base64_simd::forgiving_decode_to_vec(event)
        && without_line_end(&decoded) == bare
        && !bare.is_empty()
    {
        return EventSource::Decoded(decoded);
    }
    if is_job || stdin.is_empty() || is_echo(event, stdin) { EventSource::Variable } else { EventSource::Stdin }
}

/// Whether `stdin` is what some shell's `echo $EVENT` writes for this `event`.
fn is_echo(event: &[u8], stdin: &[u8]) -> bool {
    // The initial value of IFS in POSIX shells.
    let words: Vec<&[u8]> = event.split(|byte| b" \t\n".contains(byte)).filter(|word| !word.is_empty()).collect();
    let is_option =
        |word: &[u8]| word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|letter| b"neE".contains(letter));
    let options = words.iter().take_while(|word| is_option(word)).count();
    // bash reads the most words as options; dash reads only a first `-n`.
    let starts = [0, usize::from(words.first().is_some_and(|word| *word == b"-n")), options];
    let outputs = [stdin, without_line_end(stdin)];
    starts.into_iter().any(|start| {
        [false, true].into_iter().any(|escapes| {
            let pattern = Pattern::of_echo(&words[start..], escapes);
            outputs.into_iter().any(|output| pattern.matches(output))
        })
    })
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

/// The outputs that an `echo` may have written: these texts in this order, with any bytes between each two.
#[derive(Debug)]
struct Pattern {
    /// At least one.
    texts: Vec<Vec<u8>>,
    /// Whether anything may follow the last of them.
    is_open: bool,
}

impl Pattern {
    /// Of `words`, in a shell whose `echo` reads backslashes or leaves them alone.
    fn of_echo(words: &[&[u8]], escapes: bool) -> Self {
        let mut pattern = Self { texts: vec![Vec::new()], is_open: false };
        for (number, word) in words.iter().enumerate() {
            if number > 0 {
                pattern.text(b" ");
            }
            let (before, wild, after) = split_at_names(word);
            if !pattern.words(before, escapes) {
                return pattern;
            }
            if wild.is_empty() {
                continue;
            }
            pattern.anything();
            if escapes && memmem::find(wild, b"\\c").is_some() {
                // Where no file has such a name, it is the end.
                pattern.is_open = true;
                return pattern;
            }
            if !pattern.words(after, escapes) {
                return pattern;
            }
        }
        pattern
    }

    /// Adds text of the event; `false` if nothing comes after it, because of a `\c`.
    fn words(&mut self, mut text: &[u8], escapes: bool) -> bool {
        while let Some(at) = memchr::memchr(b'\\', text).filter(|_| escapes) {
            self.text(&text[..at]);
            let Some((&letter, after)) = text[at + 1..].split_first() else {
                self.text(b"\\");
                return true;
            };
            text = after;
            let digits = |most: usize, is_digit: fn(&u8) -> bool| {
                after.iter().take(most).take_while(|byte| is_digit(byte)).count()
            };
            let is_octal: fn(&u8) -> bool = |byte| matches!(byte, b'0'..=b'7');
            // Shells differ in the meaning of these: a byte, a letter, or the text itself.
            let unsure = match letter {
                b'0'..=b'7' => Some(digits(3, is_octal)),
                b'x' => Some(digits(2, u8::is_ascii_hexdigit)),
                b'u' => Some(digits(4, u8::is_ascii_hexdigit)),
                b'U' => Some(digits(8, u8::is_ascii_hexdigit)),
                b'e' | b'E' => Some(0),
                _ => None,
            };
            if let Some(digits) = unsure {
                self.anything();
                text = &after[digits..];
                continue;
            }
            match letter {
                b'c' => return false,
                b'a' => self.text(b"\x07"),
                b'b' => self.text(b"\x08"),
                b'f' => self.text(b"\x0c"),
                b'n' => self.text(b"\n"),
                b'r' => self.text(b"\r"),
                b't' => self.text(b"\t"),
                b'v' => self.text(b"\x0b"),
                b'\\' => self.text(b"\\"),
                other => self.text(&[b'\\', other]),
            }
        }
        self.text(text);
        true
    }

    fn text(&mut self, text: &[u8]) {
        if let Some(last) = self.texts.last_mut() {
            last.extend_from_slice(text);
        }
    }

    fn anything(&mut self) {
        self.texts.push(Vec::new());
    }

    fn matches(&self, output: &[u8]) -> bool {
        let [first, between @ ..] = self.texts.as_slice() else { return false };
        let Some(mut rest) = output.strip_prefix(first.as_slice()) else { return false };
        let Some((last, between)) = between.split_last() else { return self.is_open || rest.is_empty() };
        for text in between {
            // The first match is as good as any other: the next text may begin anywhere after it.
            let Some(at) = memmem::find(rest, text) else { return false };
            rest = &rest[at + text.len()..];
        }
        if self.is_open { memmem::find(rest, last).is_some() } else { rest.ends_with(last) }
    }
}

/// Splits a word into a fixed start, a middle that the shell may replace by file names, and a fixed end. The file names
/// begin and end as the word does.
fn split_at_names(word: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let Some(first) = word.iter().position(|byte| b"*?[".contains(byte)) else { return (word, b"", b"") };
    // A backslash quotes within a pattern, so that no file name contains it.
    let start = memchr::memchr(b'\\', word).map_or(first, |backslash| backslash.min(first));
    let is_loose = |byte: &u8| b"*?[]".contains(byte);
    let last = word.iter().rposition(is_loose).unwrap_or(first);
    // The length of an escape is unknown too: up to eight digits may follow the backslash.
    let quoted = memchr::memrchr(b'\\', word).map_or(0, |backslash| {
        let behind = (backslash + 2).min(word.len());
        behind + word[behind..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count()
    });
    let end = quoted.max(last + 1);
    (&word[..start], &word[start..end], &word[end..])
}

#[cfg(test)]
mod tests;
