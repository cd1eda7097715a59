//! The event of OSCAR's jobs, which comes twice: whole in `EVENT`, and on the standard input as `echo $EVENT` leaves it.
//!
//! OSCAR starts a job as `/bin/sh -c "echo $EVENT | /oscar/bin/supervisor"`, where no quotes keep the shell from
//! splitting the event at blanks, putting names of files where `*`, `?` and `[` stand, and, in some shells, reading its
//! backslashes. What to take is decided here from the two and nothing else.

use memchr::memmem;

/// Which of the two is the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// `EVENT`: the standard input is a copy of it.
    Variable,
    /// What `EVENT` holds in base64: somebody has decoded it on the way (interLink's jobs do).
    Decoded(Vec<u8>),
    /// The standard input: it is no copy of `EVENT`.
    Stdin,
}

/// Bytes of a standard input that is compared. `EVENT` has at most 128 KiB; file names in the place of a `*` may make
/// more of it.
pub(super) const COPY_LIMIT: usize = 1024 * 1024;

/// Chooses between `EVENT`, which is not empty, and the whole standard input. In a job of OSCAR's the pipe is its own,
/// so that nothing else can be on it.
pub(super) fn choose(event: &[u8], stdin: &[u8], is_job: bool) -> Chosen {
    let bare = without_line_end(stdin);
    if bare == without_line_end(event) {
        return Chosen::Variable;
    }
    // `base64 -d` takes line breaks, which the shell has made blanks.
    if let Ok(decoded) = base64_simd::forgiving_decode_to_vec(event)
        && without_line_end(&decoded) == bare
        && !bare.is_empty()
    {
        return Chosen::Decoded(decoded);
    }
    if is_job || stdin.is_empty() || is_echo(event, stdin) { Chosen::Variable } else { Chosen::Stdin }
}

/// Whether `stdin` is what some shell's `echo $EVENT` writes for this `event`.
fn is_echo(event: &[u8], stdin: &[u8]) -> bool {
    // POSIX' blanks, which a shell starts with in IFS.
    let words: Vec<&[u8]> = event.split(|byte| b" \t\n".contains(byte)).filter(|word| !word.is_empty()).collect();
    let is_option =
        |word: &[u8]| word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|letter| b"neE".contains(letter));
    let options = words.iter().take_while(|word| is_option(word)).count();
    // No shell takes more for options than bash does; dash takes the first `-n` alone.
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

/// What an `echo` may have written: these texts in this order, with anything at all between each two.
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
            // Shells differ in what they make of these: a byte, a letter, or nothing of the kind.
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
            // The first place is as good as any: what follows may begin anywhere behind it.
            let Some(at) = memmem::find(rest, text) else { return false };
            rest = &rest[at + text.len()..];
        }
        if self.is_open { memmem::find(rest, last).is_some() } else { rest.ends_with(last) }
    }
}

/// A word as what is in the output whatever files there are, what names of files may take the place of, and again the
/// former. Names of files begin and end as the word does.
fn split_at_names(word: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let Some(first) = word.iter().position(|byte| b"*?[".contains(byte)) else { return (word, b"", b"") };
    // A backslash in a pattern quotes, and is then in no name.
    let start = memchr::memchr(b'\\', word).map_or(first, |backslash| backslash.min(first));
    let is_loose = |byte: &u8| b"*?[]".contains(byte);
    let last = word.iter().rposition(is_loose).unwrap_or(first);
    // Nor can it be told where what a backslash begins has its end: after at most eight digits.
    let quoted = memchr::memrchr(b'\\', word).map_or(0, |backslash| {
        let behind = (backslash + 2).min(word.len());
        behind + word[behind..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count()
    });
    let end = quoted.max(last + 1);
    (&word[..start], &word[start..end], &word[end..])
}

#[cfg(test)]
mod tests;
