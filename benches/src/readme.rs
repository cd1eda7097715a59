//! The copies of the report in the documentation: the whole table and the plots in `docs/`, four figures in the README.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, ensure};

use crate::{
    report::{Line, Report, median},
    setting::Setting,
    table,
};

/// Where the pages find the plots.
const PLOTS: &str = "docs/plots";

/// The page with the whole table.
const PAGE: &str = "docs/performance.md";

const README: &str = "README.md";

/// The figures of the README: the README's words, the work, and the contender next to bandog where there is one.
const FIGURES: [(&str, &str, Option<&str>); 4] = [
    (
        "a script with one output file, 8 clients",
        "script with one output file, 8 clients",
        Some("bare posix_spawn, 8 at a time"),
    ),
    ("the same, next to OSCAR's supervisor", "script with one output file, 8 clients", Some("faas-supervisor")),
    ("time added to starting the script, median", "time added to a bare spawn, 1 client, p50", None),
    ("peak memory with 1000 MB in and out as base64", "peak RSS, 1000 MB in and out, Base64", None),
];

/// Puts the report into the pages below the working directory.
pub fn refresh(setting: &Setting, report: &Report, text: &str) -> anyhow::Result<()> {
    ensure!(!setting.short && setting.only.is_empty(), "the documentation shows whole runs only");
    let page = replaced(PAGE, "bench", text)?;
    let readme = replaced(README, "figures", &figures(report)?)?;
    fs::create_dir_all(PLOTS)?;
    for name in ["throughput.svg", "goals.svg"] {
        fs::copy(setting.output.join(name), Path::new(PLOTS).join(name)).with_context(|| format!("the plot {name}"))?;
    }
    fs::write(PAGE, page)?;
    fs::write(README, readme)?;
    Ok(())
}

/// The table of the README. The medians alone: the page has the spread.
fn figures(report: &Report) -> anyhow::Result<String> {
    let mut text = "| | bandog | next to | ratio |\n|---|---:|---|---:|\n".to_owned();
    for (words, wanted, beside) in FIGURES {
        let row = report.lines.iter().find_map(|line| match (line, beside) {
            (Line::Comparison { work, against, unit, ours, theirs, .. }, Some(beside))
                if work == wanted && against == beside =>
            {
                let [ours, theirs] = [median(ours), median(theirs)];
                let cells = [ours, theirs].map(|value| table::amount(value, *unit));
                Some(format!("{} | {against} {} | {}", cells[0], cells[1], table::ratio(ours / theirs)))
            }
            (Line::Figure { work, unit, rounds, .. }, None) if work == wanted => {
                Some(format!("{} | |", table::amount(median(rounds), *unit)))
            }
            _ => None,
        });
        let row = row.with_context(|| format!("the report has no line {wanted:?}"))?;
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {words} | {row} |");
    }
    Ok(text)
}

/// The page at `path` with `content` in its section `name`.
fn replaced(path: &str, name: &str, content: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("{path}, in the working directory"))?;
    between(&text, name, content).with_context(|| format!("{path} has no section {name}"))
}

/// The text with `content` between the comments of this name; nothing if they are not there.
fn between(text: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: BENCH_README=1 make bench -->\n"), format!("<!-- /{name} -->"));
    let begin = text.find(&begin)? + begin.len();
    let end = begin + text[begin..].find(&end)?;
    Some(format!("{}\n{}\n\n{}", &text[..begin], content.trim_end(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unit;

    #[test]
    fn only_the_text_between_the_comments_is_replaced() {
        let comment = "<!-- bench: BENCH_README=1 make bench -->";
        let text = format!("before\n{comment}\nold\n<!-- /bench -->\nafter\n");
        let expected = format!("before\n{comment}\n\nnew\n\n<!-- /bench -->\nafter\n");
        assert_eq!(between(&text, "bench", "new\n"), Some(expected));
        assert_eq!(between("before\n", "bench", "new\n"), None);
    }

    #[test]
    fn the_figures_are_the_medians_of_their_lines() {
        let rate = |against: &str, theirs| Line::Comparison {
            work: "script with one output file, 8 clients".to_owned(),
            against: against.to_owned(),
            unit: Unit::PerSecond,
            ours: vec![1200.0],
            theirs: vec![theirs],
            goal: None,
        };
        let figure =
            |work: &str, unit, value| Line::Figure { work: work.to_owned(), unit, rounds: vec![value], goal: None };
        let mut report = Report::default();
        assert!(figures(&report).is_err());
        report.add(rate("faas-supervisor", 4.0));
        report.add(rate("bare posix_spawn, 8 at a time", 1600.0));
        report.add(figure("time added to a bare spawn, 1 client, p50", Unit::Microseconds, 338.0));
        report.add(figure("peak RSS, 1000 MB in and out, Base64", Unit::Bytes, 8_388_608.0));
        let text = figures(&report).expect("all four");
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(rows.len(), 4, "{text}");
        assert!(rows[0].ends_with("| 1,200/s | bare posix_spawn, 8 at a time 1,600/s | 0.75 × |"), "{text}");
        assert!(rows[1].ends_with("| 1,200/s | faas-supervisor 4.0/s | 300 × |"), "{text}");
        assert!(rows[2].ends_with("| 338 µs | | |"), "{text}");
        assert!(rows[3].ends_with("| 8.00 MiB | | |"), "{text}");
    }
}
