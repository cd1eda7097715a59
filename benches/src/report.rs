//! The measurements: lines of one table.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    PerSecond,
    Seconds,
    Microseconds,
    BytesPerSecond,
    Bytes,
    Count,
    /// A part of a whole, 0 to 1.
    Share,
}

/// The goal for the ratio of a [`Line::Comparison`], or for the median of a [`Line::Figure`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// One line of the table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Line {
    /// bandog and one other at the same work, round by round. The ratio is that of the medians, ours by theirs.
    Comparison { work: String, against: String, unit: Unit, ours: Vec<f64>, theirs: Vec<f64>, goal: Option<Goal> },
    /// A figure of bandog's own.
    Figure { work: String, unit: Unit, rounds: Vec<f64>, goal: Option<Goal> },
    /// A contender that could not be had, and why.
    Absent { contender: String, why: String },
}

impl Line {
    /// The value that the goal is for: the ratio of the medians, or the median.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Comparison { ours, theirs, .. } => Some(median(ours) / median(theirs)),
            Self::Figure { rounds, .. } => Some(median(rounds)),
            Self::Absent { .. } => None,
        }
    }

    pub fn goal(&self) -> Option<Goal> {
        match self {
            Self::Comparison { goal, .. } | Self::Figure { goal, .. } => *goal,
            Self::Absent { .. } => None,
        }
    }

    /// Whether its goal is met; nothing if it has none.
    pub fn met(&self) -> Option<bool> {
        Some(self.goal()?.met(self.value()?))
    }
}

/// The throughput of one contender with a number of clients (or loops) at once, for the plot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Throughput {
    pub contender: String,
    pub clients: usize,
    /// Answers a second.
    pub rounds: Vec<f64>,
}

/// All of them, in the order they were measured, and what they were measured on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub machine: Machine,
    /// Counted rounds of those that have no number of their own.
    pub rounds: usize,
    /// Whether it was a short run, whose figures mean nothing.
    pub short: bool,
    pub lines: Vec<Line>,
    pub throughput: Vec<Throughput>,
}

impl Report {
    pub fn add(&mut self, line: Line) {
        self.lines.push(line);
    }
}

/// The middle one of the rounds; of an even number the lower one.
pub fn median(rounds: &[f64]) -> f64 {
    quartile(rounds, 2)
}

/// The round that so many quarters (0 to 4) of them do not exceed: 0 is the lowest one, 4 the highest.
pub fn quartile(rounds: &[f64], quarters: usize) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) * quarters / 4).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_even_number_the_lower_one_is_the_middle() {
        let told = [median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])];
        assert_eq!(format!("{told:?}"), "[2.0, 2.0]");
        let told = [0, 1, 3, 4].map(|quarters| quartile(&[5.0, 4.0, 3.0, 2.0, 1.0], quarters));
        assert_eq!(format!("{told:?}"), "[1.0, 2.0, 4.0, 5.0]");
    }

    #[test]
    fn a_goal_is_about_the_ratio_of_the_medians() {
        let goal = Some(Goal::AtLeast(0.5));
        let compared = |ours: f64| Line::Comparison {
            work: String::new(),
            against: String::new(),
            unit: Unit::PerSecond,
            ours: vec![ours],
            theirs: vec![4.0],
            goal,
        };
        assert_eq!([compared(2.0).met(), compared(1.9).met()], [Some(true), Some(false)]);
    }
}
