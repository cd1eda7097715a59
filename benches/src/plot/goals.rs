//! How each line of the report stands to its goal.

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Area, BLUE, FAINT, GRID, INK, Picture, VERMILION, failed};
use crate::{
    report::{Goal, Line, Report},
    table,
};

/// Height of a bar and of what belongs to it, in units.
const ROW: i32 = 24;

/// Above and below the rows.
const HEAD: i32 = 100;
const FOOT: i32 = 30;

/// Where the bars begin and end.
const LEFT: i32 = 520;
const RIGHT: i32 = 880;
const WIDTH: i32 = 1080;

/// The range of the axis, in times the goal; longer bars are cut, and their figure says so.
const AXIS: std::ops::Range<f64> = 0.25..8.0;

/// The label of 1 on the axis.
const GOAL: &str = "goal";

struct Row {
    text: String,
    /// How many times as good as the goal: from 1 on it is met.
    times: f64,
    figure: String,
}

pub struct Goals {
    rows: Vec<Row>,
    machine: String,
}

impl Goals {
    /// Nothing if no line has a goal.
    pub fn of(report: &Report) -> Option<Self> {
        let rows: Vec<Row> = report.lines.iter().filter_map(Row::of).collect();
        (!rows.is_empty()).then(|| Self { rows, machine: report.machine.short() })
    }
}

impl Row {
    fn of(line: &Line) -> Option<Self> {
        let (goal, value) = (line.goal()?, line.value()?);
        let times = match goal {
            Goal::AtLeast(least) => value / least,
            // A value of nothing, or less than nothing by noise, is the best that can be shown.
            Goal::AtMost(most) => most / value.max(most / 1000.0),
        };
        let text = match line {
            Line::Comparison { work, against, .. } => format!("{work}, beside {against}"),
            Line::Figure { work, .. } => work.clone(),
            Line::Absent { .. } => return None,
        };
        let figure = format!("{} (goal {})", table::value_text(line, value), table::goal_text(line, goal));
        Some(Self { text, times, figure })
    }
}

impl Picture for Goals {
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a few dozen rows")]
    fn size(&self) -> (u32, u32) {
        (WIDTH.cast_unsigned(), (HEAD + self.rows.len() as i32 * ROW + FOOT).cast_unsigned())
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let (_, height) = self.size();
        let bottom = height.cast_signed() - FOOT;
        area.text("What was measured, in times its goal", (24, 20), &area.bold(20, &INK))?;
        area.text(&self.machine, (24, 48), &area.font(12, &FAINT))?;
        for (times, label) in [(0.25, "¼"), (0.5, "½"), (1.0, GOAL), (2.0, "2 ×"), (4.0, "4 ×"), (8.0, "8 ×")] {
            let (colour, width) = if label == GOAL { (INK, 2) } else { (GRID, 1) };
            rectangle(area, (place(times), HEAD - 8, place(times) + width, bottom + 4), colour)?;
            let style = area.font(12, &FAINT).pos(Pos::new(HPos::Center, VPos::Bottom));
            area.text(label, (place(times), HEAD - 12), &style)?;
        }
        let mut top = HEAD;
        for row in &self.rows {
            let colour = if row.times >= 1.0 { BLUE } else { VERMILION };
            let (one, end) = (place(1.0), place(row.times));
            rectangle(area, (one.min(end), top + 4, one.max(end).max(one.min(end) + 2), top + ROW - 4), colour)?;
            let middle = top + ROW / 2;
            let style = area.font(12, &INK).pos(Pos::new(HPos::Right, VPos::Center));
            area.text(&row.text, (LEFT - 14, middle), &style)?;
            let style = if row.times >= 1.0 { area.font(12, &INK) } else { area.bold(12, &VERMILION) };
            area.text(&row.figure, (RIGHT + 14, middle), &style.pos(Pos::new(HPos::Left, VPos::Center)))?;
            top += ROW;
        }
        Ok(())
    }
}

/// Where so many times the goal is, in units: each doubling is as wide as the others.
#[expect(clippy::cast_possible_truncation, reason = "a place on the picture")]
fn place(times: f64) -> i32 {
    let part = (times.clamp(AXIS.start, AXIS.end) / AXIS.start).log2() / (AXIS.end / AXIS.start).log2();
    LEFT + (f64::from(RIGHT - LEFT) * part).round() as i32
}

fn rectangle<B: DrawingBackend>(
    area: &Area<'_, B>,
    (left, top, right, bottom): (i32, i32, i32, i32),
    colour: RGBColor,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let root: &DrawingArea<B, Shift> = area.root;
    let corners = [(area.px(left), area.px(top)), (area.px(right), area.px(bottom))];
    root.draw(&Rectangle::new(corners, colour.filled())).map_err(|error| failed(&error))
}
