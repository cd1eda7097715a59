//! The tables that are printed at the end, and quoted in docs/performance.md.

use std::fmt::Write as _;

use crate::{bandog::Service, census::Course, kind::Kind, play::Verdict};

/// How the calls of one kind went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    sent: usize,
    answered: usize,
    turned_away: usize,
    cancelled: usize,
    wrong: usize,
}

/// How all went.
#[derive(Debug)]
pub(crate) struct Tally(Vec<Row>);

impl Tally {
    pub(crate) fn new() -> Self {
        Self(vec![Row::default(); Kind::ALL.len()])
    }

    pub(crate) fn count(&mut self, kind: Kind, verdict: &Verdict) {
        let row = &mut self.0[kind.row()];
        row.sent += 1;
        *match verdict {
            Verdict::Answered => &mut row.answered,
            Verdict::TurnedAway => &mut row.turned_away,
            Verdict::Cancelled => &mut row.cancelled,
            Verdict::Wrong(_) => &mut row.wrong,
        } += 1;
    }

    pub(crate) fn wrong(&self) -> usize {
        self.0.iter().map(|row| row.wrong).sum()
    }

    /// How many a service turned away.
    pub(crate) fn turned_away(&self, service: Service) -> usize {
        let rows = Kind::ALL.iter().zip(&self.0);
        rows.filter(|((kind, ..), _)| kind.service() == service).map(|(_, row)| row.turned_away).sum()
    }

    pub(crate) fn sent(&self) -> usize {
        self.0.iter().map(|row| row.sent).sum()
    }

    /// Kinds of which none was ever answered, or cancelled as meant: nothing was shown of them.
    pub(crate) fn unseen(&self) -> Vec<&'static str> {
        let rows = Kind::ALL.iter().zip(&self.0);
        rows.filter(|(_, row)| row.answered + row.cancelled == 0).map(|((_, name, _), _)| *name).collect()
    }

    pub(crate) fn table(&self) -> String {
        let mut text =
            "| kind | sent | as expected | 429 | cancelled | wrong |\n|---|--:|--:|--:|--:|--:|\n".to_owned();
        let mut all = Row::default();
        for ((_, name, _), row) in Kind::ALL.iter().zip(&self.0) {
            line(&mut text, name, row);
            all.sent += row.sent;
            all.answered += row.answered;
            all.turned_away += row.turned_away;
            all.cancelled += row.cancelled;
            all.wrong += row.wrong;
        }
        line(&mut text, "**all**", &all);
        text
    }
}

fn line(text: &mut String, name: &str, row: &Row) {
    let Row { sent, answered, turned_away, cancelled, wrong } = row;
    let _ = writeln!(text, "| {name} | {sent} | {answered} | {turned_away} | {cancelled} | {wrong} |");
}

/// The resources that each bandog held, line by line.
pub(crate) fn census(courses: &[(Service, Course)]) -> String {
    let mut text =
        "| bandog held | RSS, KiB | of it no file's | descriptors | threads | processes | workspaces | KiB for each connection |\n\
                    |---|--:|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
    for (service, course) in courses {
        for (moment, census) in course.lines() {
            let _ = writeln!(text, "| {}, {moment} {census}", service.name());
        }
    }
    text
}
