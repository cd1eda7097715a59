//! Metrics of the service's own behind bandog's: one page, in which each family is once (the Prometheus text format).

use std::collections::BTreeSet;

/// The suffixes that the names of samples add to the name of their family.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Appends `theirs` to `ours`; the families that are left out, since there are such already.
pub(super) fn append(ours: &mut Vec<u8>, theirs: &str) -> BTreeSet<String> {
    let page = String::from_utf8_lossy(ours).into_owned();
    let known: BTreeSet<&str> = page.lines().filter_map(subject).map(family).collect();
    let mut left_out = BTreeSet::new();
    for line in theirs.lines() {
        // Comments are for readers of their page; one of OpenMetrics says that it ends here.
        let Some(name) = subject(line) else { continue };
        if let Some(known) = [name, family(name)].into_iter().find(|name| known.contains(name)) {
            left_out.insert(known.to_owned());
            continue;
        }
        ours.extend_from_slice(line.as_bytes());
        ours.push(b'\n');
    }
    left_out
}

/// Whether there are metrics of a process among them.
pub(super) fn has_process(theirs: &str) -> bool {
    theirs.lines().filter_map(subject).any(|name| name.starts_with("process_"))
}

/// The name that a line is about, if it is one of the format.
fn subject(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let about = ["# HELP ", "# TYPE "].into_iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let end = about.find(|letter| !is_letter(letter)).unwrap_or(about.len());
    let (name, rest) = about.split_at(end);
    let is_name = name.starts_with(|letter: char| !letter.is_ascii_digit());
    (is_name && rest.starts_with([' ', '\t', '{'])).then_some(name)
}

/// The family of a sample of this name.
fn family(name: &str) -> &str {
    SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_family_is_on_the_page_once_and_nothing_else_is() {
        let mut page =
            b"# HELP a A.\n# TYPE a counter\na 1\n# TYPE t histogram\nt_bucket{le=\"1\"} 0\nt_sum 0\n".to_vec();
        let before = page.clone();
        let theirs = "# HELP b B.\n# TYPE b gauge\nb{x=\"a 1\"} 2\n# TYPE a counter\na 5\nt_count 1\nt 1\n\
            <html>\n\n# EOF\nb_count 3\n1x 2\nb";
        let left_out = append(&mut page, theirs);
        let added = std::str::from_utf8(&page[before.len()..]).expect("text");
        assert_eq!(added, "# HELP b B.\n# TYPE b gauge\nb{x=\"a 1\"} 2\nb_count 3\n");
        assert!(has_process("x 1\n# TYPE process_cpu_seconds_total counter") && !has_process(theirs));
        assert_eq!(left_out.into_iter().collect::<Vec<_>>(), ["a", "t"]);
    }

    proptest! {
        /// The text format: a sample is a name, labels, and a number, all of which stay as they were written.
        #[test]
        fn any_sample_of_a_family_that_is_not_ours_stays_as_it_was_written(
            samples in prop::collection::vec(
                (
                    prop::sample::select(vec!["theirs", "theirs_sum", "ours", "ours_bucket", "ours_2", ":a:b", "_", "9"]),
                    prop::sample::select(vec![
                        "", "{}", "{x=\"} y 1\"}", "{le=\"+Inf\",path=\"\\\\a\\\"b\\n\"}", "{x=\"\u{e9}\u{202e}\"}",
                    ]),
                    prop_oneof![
                        any::<f64>().prop_map(|number| number.to_string()),
                        prop::sample::select(vec![
                            "NaN", "+Inf", "-0", "1e300 1700000000000", "0x1p-2", "18446744073709551616",
                        ]).prop_map(str::to_owned),
                    ],
                ),
                0..8,
            ),
        ) {
            let line = |(name, labels, number): &(_, _, _)| (*name, format!("{name}{labels} {number}\n"));
            let lines: Vec<(&str, String)> = samples.iter().map(line).collect();
            let mut page = b"# TYPE ours counter\nours 1\n".to_vec();
            let before = page.len();
            append(&mut page, &lines.iter().map(|(_, line)| line.as_str()).collect::<String>());
            let wanted = lines.iter().filter(|(name, _)| !matches!(*name, "ours" | "ours_bucket" | "9"));
            let wanted: String = wanted.map(|(_, line)| line.as_str()).collect();
            prop_assert_eq!(std::str::from_utf8(&page[before..]).expect("text"), wanted);
        }
    }
}
