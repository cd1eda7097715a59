//! The report as a table in Markdown.

use std::fmt::Write as _;

use crate::report::{Goal, Line, Report, Unit, median, quartile};

/// The machine, then the table.
pub fn markdown(report: &Report) -> String {
    let Report { machine, rounds, short, .. } = report;
    let mut text =
        format!("{machine}. Medians of {rounds} rounds in turns, in brackets the middle half of the rounds.\n\n");
    if *short {
        text.push_str("**This was a short run, to see that everything works: its figures mean nothing.**\n\n");
    }
    text.push_str("| work | bandog | beside | | ratio | goal | |\n|---|---:|---|---:|---:|---:|---|\n");
    for line in &report.lines {
        let goal = line.goal().map(|goal| goal_text(line, goal)).unwrap_or_default();
        let met = match line.met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        // Writing to a string does not fail.
        let _ = match line {
            Line::Comparison { work, against, unit, ours, theirs, .. } => writeln!(
                text,
                "| {work} | {} | {against} | {} | {} | {goal} | {met} |",
                spread(ours, *unit),
                spread(theirs, *unit),
                ratio(median(ours) / median(theirs)),
            ),
            Line::Figure { work, unit, rounds, .. } => {
                writeln!(text, "| {work} | {} | | | | {goal} | {met} |", spread(rounds, *unit))
            }
            Line::Absent { contender, why } => writeln!(text, "| *absent* | | {contender} | {why} | | | |"),
        };
    }
    text
}

/// The median, and the middle half of the rounds.
fn spread(rounds: &[f64], unit: Unit) -> String {
    let [low, middle, high] = [1, 2, 3].map(|quarters| amount(quartile(rounds, quarters), unit));
    if low == high { middle } else { format!("{middle} ({low} … {high})") }
}

/// A ratio or a figure of this line.
pub fn value_text(line: &Line, value: f64) -> String {
    match line {
        Line::Figure { unit, .. } => amount(value, *unit),
        _ => ratio(value),
    }
}

pub fn goal_text(line: &Line, goal: Goal) -> String {
    match goal {
        Goal::AtLeast(value) => format!("≥ {}", value_text(line, value)),
        Goal::AtMost(value) => format!("≤ {}", value_text(line, value)),
    }
}

/// Two digits after the point, none where they say nothing, and more where two would be zeros.
pub fn ratio(value: f64) -> String {
    match value {
        20.0.. => format!("{value:.0} ×"),
        0.0..0.01 => format!("{value:.4} ×"),
        _ => format!("{value:.2} ×"),
    }
}

/// A figure as a person would write it.
pub fn amount(value: f64, unit: Unit) -> String {
    /// Thousands apart from each other.
    fn grouped(value: f64) -> String {
        let digits = format!("{value:.0}");
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("−", digits));
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        format!("{sign}{text}")
    }
    const MEBI: f64 = 1_048_576.0;
    match unit {
        Unit::PerSecond if value < 100.0 => format!("{value:.1}/s"),
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Seconds if value < 0.1 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Microseconds => format!("{} µs", grouped(value)),
        Unit::BytesPerSecond => format!("{} MB/s", grouped(value / 1e6)),
        Unit::Bytes if value.abs() < MEBI => format!("{:.1} KiB", value / 1024.0),
        Unit::Bytes => format!("{:.2} MiB", value / MEBI),
        Unit::Count if value.fract() == 0.0 => grouped(value),
        Unit::Count => format!("{value:.1}"),
        Unit::Share => format!("{:.0} %", value * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_writes_them() {
        assert_eq!(amount(1_234_567.0, Unit::PerSecond), "1,234,567/s");
        assert_eq!(amount(3.04, Unit::PerSecond), "3.0/s");
        assert_eq!(amount(0.001_86, Unit::Seconds), "1.86 ms");
        assert_eq!(amount(-1_200.0, Unit::Microseconds), "−1,200 µs");
        assert_eq!(amount(5_242_880.0, Unit::Bytes), "5.00 MiB");
        assert_eq!(amount(0.125, Unit::Share), "12 %");
        let ratios = [33.4, 1.006, 0.0023].map(ratio);
        assert_eq!(ratios, ["33 ×", "1.01 ×", "0.0023 ×"]);
    }
}
