//! The results of the rounds of the small case, and the report's lines about them.

use super::{BANDOG, clients};
use crate::{
    floor, limit, load,
    report::{Goal, Line, Report, Throughput, Unit},
};

/// A contender in its turn, with a number of clients (or loops) at once. In the order of the plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    Loops(usize),
    Floor(usize),
    Bandog(usize),
    /// bandog with its workspaces on a disk.
    Disk(usize),
    /// The load generator, with a responder that runs nothing.
    Generator(usize),
}

/// The result of one turn.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Answers (or processes) a second.
    rate: f64,
    /// The time that half of them and that 99 of 100 did not exceed, in µs.
    median: f64,
    worst: f64,
    /// The load generator's share of one processor.
    busy: f64,
}

impl From<limit::Outcome> for Seen {
    fn from(outcome: limit::Outcome) -> Self {
        let [median, worst] = [0.5, 0.99].map(|part| outcome.quantile(part));
        Self { rate: outcome.rate, median, worst, busy: 0.0 }
    }
}

impl From<load::Outcome> for Seen {
    fn from(outcome: load::Outcome) -> Self {
        let [median, worst] = [0.5, 0.99].map(|part| outcome.quantile(part));
        Self { rate: outcome.rate, median, worst, busy: outcome.busy }
    }
}

/// All counted rounds, by turn.
#[derive(Debug, Default)]
pub struct Rounds(Vec<(Turn, Vec<Seen>)>);

impl Rounds {
    pub fn add(&mut self, turn: Turn, seen: Seen) {
        match self.0.iter_mut().find(|(known, _)| *known == turn) {
            Some((_, all)) => all.push(seen),
            None => self.0.push((turn, vec![seen])),
        }
    }

    /// Round by round; nothing if it had no turn.
    fn of(&self, turn: Turn) -> &[Seen] {
        self.0.iter().find(|(known, _)| *known == turn).map_or(&[], |(_, all)| all)
    }

    fn rates(&self, turn: Turn) -> Vec<f64> {
        self.of(turn).iter().map(|seen| seen.rate).collect()
    }

    /// How much longer this takes with one client than one loop does.
    fn added(&self, turn: Turn, time: fn(&Seen) -> f64) -> Vec<f64> {
        self.of(turn).iter().zip(self.of(Turn::Loops(1))).map(|(ours, bare)| time(ours) - time(bare)).collect()
    }

    pub fn tell(&self, cores: usize, report: &mut Report) {
        self.tell_of_loops(cores, report);
        self.tell_of_floor(cores, report);
        if !self.of(Turn::Disk(8)).is_empty() {
            let work = "same, 8 clients, workspace on the disk".into();
            let against = "bandog, workspace on tmpfs".into();
            let goal = Some(Goal::AtLeast(0.90));
            report.add(self.comparison(work, against, [Turn::Disk(8), Turn::Bandog(8)], goal));
        }
        report.add(Line::Figure {
            work: "the load generator against a responder that runs nothing, 8 clients".into(),
            unit: Unit::PerSecond,
            rounds: self.rates(Turn::Generator(8)),
            goal: None,
        });
        report.add(Line::Figure {
            work: "the load generator's share of one processor, bandog, 8 clients".into(),
            unit: Unit::Share,
            rounds: self.of(Turn::Bandog(8)).iter().map(|seen| seen.busy).collect(),
            goal: None,
        });
        self.draw(report);
    }

    fn tell_of_loops(&self, cores: usize, report: &mut Report) {
        let mut pairs = vec![(1, 1, None), (8, 8, Some(0.92))];
        if ![1, 8].contains(&cores) {
            pairs.insert(1, (8, cores, Some(0.88)));
        }
        for (ours, count, goal) in pairs {
            let work = format!("script with one output file, {}", clients(ours));
            let turns = [Turn::Bandog(ours), Turn::Loops(count)];
            report.add(self.comparison(work, loops(count), turns, goal.map(Goal::AtLeast)));
        }
        report.add(Line::Figure {
            work: "time added to a bare spawn, 1 client, p50".into(),
            unit: Unit::Microseconds,
            rounds: self.added(Turn::Bandog(1), |seen| seen.median),
            goal: Some(Goal::AtMost(120.0)),
        });
        report.add(Line::Figure {
            work: "time added to a bare spawn, 1 client, p99".into(),
            unit: Unit::Microseconds,
            rounds: self.added(Turn::Bandog(1), |seen| seen.worst),
            goal: None,
        });
    }

    fn tell_of_floor(&self, cores: usize, report: &mut Report) {
        for count in [1, 8] {
            let work = format!("script with one output file, {}", clients(count));
            let turns = [Turn::Bandog(count), Turn::Floor(count)];
            report.add(self.comparison(work, floor::NAME.into(), turns, None));
        }
        let turns = [Turn::Floor(8), Turn::Loops(cores)];
        report.add(self.comparison("the floor instead of bandog, 8 clients".into(), loops(cores), turns, None));
        report.add(Line::Figure {
            work: "time that the floor adds to a bare spawn, 1 client, p50".into(),
            unit: Unit::Microseconds,
            rounds: self.added(Turn::Floor(1), |seen| seen.median),
            goal: None,
        });
    }

    fn comparison(&self, work: String, against: String, [ours, theirs]: [Turn; 2], goal: Option<Goal>) -> Line {
        let (ours, theirs) = (self.rates(ours), self.rates(theirs));
        Line::Comparison { work, against, unit: Unit::PerSecond, ours, theirs, goal }
    }

    fn draw(&self, report: &mut Report) {
        let mut turns: Vec<Turn> = self.0.iter().map(|(turn, _)| *turn).collect();
        turns.sort_unstable();
        for turn in turns {
            let (contender, clients) = match turn {
                Turn::Loops(count) => (limit::NAME, count),
                Turn::Floor(clients) => (floor::NAME, clients),
                Turn::Bandog(clients) => (BANDOG, clients),
                Turn::Disk(_) | Turn::Generator(_) => continue,
            };
            report.throughput.push(Throughput { contender: contender.into(), clients, rounds: self.rates(turn) });
        }
    }
}

fn loops(count: usize) -> String {
    format!("{}, {count} at a time", limit::NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::median;

    fn seen(rate: f64, median: f64) -> Seen {
        Seen { rate, median, worst: median, busy: 0.0 }
    }

    #[test]
    fn what_is_added_is_told_round_by_round() {
        let mut rounds = Rounds::default();
        for (bare, floor) in [(1000.0, 1100.0), (2000.0, 2150.0)] {
            rounds.add(Turn::Loops(1), seen(1.0, bare));
            rounds.add(Turn::Floor(1), seen(1.0, floor));
        }
        assert_eq!(format!("{:?}", rounds.added(Turn::Floor(1), |seen| seen.median)), "[100.0, 150.0]");
    }

    #[test]
    fn the_floor_stands_beside_bandog_and_beside_as_many_loops_as_processors() {
        let mut rounds = Rounds::default();
        for (turn, rate) in [(Turn::Floor(8), 9.0), (Turn::Bandog(8), 8.0), (Turn::Loops(2), 10.0)] {
            rounds.add(turn, seen(rate, 1.0));
        }
        let mut report = Report::default();
        rounds.tell_of_floor(2, &mut report);
        let told = report.lines.iter().filter_map(|line| match line {
            Line::Comparison { against, ours, theirs, .. } if !ours.is_empty() => {
                Some((against.as_str(), median(ours), median(theirs)))
            }
            _ => None,
        });
        let told: Vec<_> = told.collect();
        assert_eq!(format!("{told:?}"), r#"[("floor", 8.0, 9.0), ("bare posix_spawn, 2 at a time", 9.0, 10.0)]"#);
    }
}
