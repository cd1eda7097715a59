//! The end of a function's output, kept for the container log in case that the function fails.

use crate::telemetry;

/// Lines of output that the container log shows of a function that failed.
pub(super) const LINES: usize = 20;

/// Bytes of them. If they are longer, the beginning is left out.
pub(super) const LIMIT: usize = 16 * 1024;

/// The end of the output of one invocation.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    kept: Vec<u8>,
    is_cut: bool,
}

impl LastLines {
    /// Adds output of the function.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let newest = &bytes[bytes.len().saturating_sub(LIMIT)..];
        if newest.len() < bytes.len() {
            self.kept.clear();
            self.is_cut = true;
        }
        self.kept.extend_from_slice(newest);
        // Shortened at twice the limit, so that each byte is moved once on average.
        if self.kept.len() > 2 * LIMIT {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let excess = self.kept.len().saturating_sub(LIMIT);
        self.kept.drain(..excess);
        self.is_cut |= excess > 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The last lines, and whether the first of them lacks its beginning.
    fn lines(&mut self) -> (Vec<&[u8]>, bool) {
        self.shorten();
        let text = self.kept.strip_suffix(b"\n").unwrap_or(&self.kept);
        let mut lines: Vec<&[u8]> = text.rsplit(|byte| *byte == b'\n').take(LINES + 1).collect();
        let is_whole = lines.len() > LINES || !self.is_cut;
        lines.truncate(LINES);
        lines.reverse();
        (lines, is_whole)
    }

    /// Writes the last lines to the container log.
    pub(super) fn quote(mut self, call_id: &str, stream: Option<&'static str>) {
        if self.is_empty() {
            return;
        }
        let (lines, is_whole) = self.lines();
        for (index, line) in lines.into_iter().enumerate() {
            let mark = if index == 0 && !is_whole { "…" } else { "" };
            telemetry::quote(call_id, &format!("{mark}{}", String::from_utf8_lossy(line)), stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let mut last = LastLines::default();
        for piece in pieces {
            last.push(piece);
        }
        let (lines, is_whole) = last.lines();
        (lines.into_iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect(), is_whole)
    }

    #[test]
    fn the_last_twenty_lines_are_kept_with_and_without_a_line_end() {
        let numbers = |from: u32| (from..=25).map(|number| number.to_string()).collect::<Vec<_>>();
        let (text, wanted) = (numbers(1).join("\n") + "\n", numbers(6));
        assert_eq!(lines(&[text.as_bytes()]), (wanted.clone(), true));
        assert_eq!(lines(&[text.trim_end().as_bytes()]), (wanted, true));
        assert_eq!(lines(&[b"a\nb", b"c\n\n"]), (vec!["a".to_owned(), "bc".to_owned(), String::new()], true));
    }

    #[test]
    fn of_long_lines_the_end_is_kept_in_bounded_memory() {
        let long = vec![b'x'; 10 * LIMIT];
        let (kept, is_whole) = lines(&[&long, b"\nend"]);
        assert_eq!((kept.len(), kept[0].len() + kept[1].len() + 1, is_whole), (2, LIMIT, false));
        let mut last = LastLines::default();
        for _ in 0..1000 {
            last.push(&[b'y'; 100]);
            assert!(last.kept.len() <= 2 * LIMIT);
        }
        assert_eq!((last.lines().0[0].len(), last.is_cut), (LIMIT, true));
    }

    proptest! {
        /// The end of what was written, of at most [`LIMIT`] bytes and [`LINES`] lines, however it arrived.
        #[test]
        fn any_output_in_any_pieces_ends_in_the_same_lines(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..20),
                    (0..3 * LIMIT, prop::sample::select(b"x\n".to_vec())).prop_map(|(count, byte)| vec![byte; count]),
                ],
                0..8,
            ),
        ) {
            let all = pieces.concat();
            let mut last = LastLines::default();
            for piece in &pieces {
                last.push(piece);
            }
            let (kept, is_whole) = last.lines();
            let end = &all[all.len().saturating_sub(LIMIT)..];
            let mut wanted: Vec<&[u8]> = end.strip_suffix(b"\n").unwrap_or(end).split(|byte| *byte == b'\n').collect();
            let first_is_whole = end.len() == all.len() || wanted.len() > LINES;
            wanted.drain(..wanted.len().saturating_sub(LINES));
            prop_assert_eq!(kept, wanted);
            prop_assert_eq!(is_whole, first_is_whole);
        }
    }
}
