//! Answers a second by clients at once, for every contender beside the limit.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Area, BLUE, FAINT, GRID, INK, OTHERS, Picture, failed};
use crate::{
    floor, limit,
    report::{Report, Unit, quartile},
    small::BANDOG,
    table::amount,
};

/// How far apart labels of lines stand, in units.
const LABEL: i32 = 17;

/// One line: its name and, by clients, the lower quartile, the median and the upper one.
struct Course {
    name: String,
    colour: RGBColor,
    width: u32,
    points: Vec<(usize, [f64; 3])>,
}

pub struct Throughputs {
    courses: Vec<Course>,
    clients: Vec<usize>,
    machine: String,
}

impl Throughputs {
    /// Nothing if nothing of the kind was measured.
    pub fn of(report: &Report) -> Option<Self> {
        let mut courses: Vec<Course> = Vec::new();
        let mut clients = Vec::new();
        let mut others = OTHERS.into_iter().cycle();
        for seen in &report.throughput {
            clients.push(seen.clients);
            let point = (seen.clients, [1, 2, 3].map(|quarters| quartile(&seen.rounds, quarters)));
            if let Some(course) = courses.iter_mut().find(|course| course.name == seen.contender) {
                course.points.push(point);
                continue;
            }
            let (colour, width) = match seen.contender.as_str() {
                limit::NAME => (FAINT, 2),
                floor::NAME => (INK, 2),
                BANDOG => (BLUE, 4),
                _ => (others.next()?, 2),
            };
            courses.push(Course { name: seen.contender.clone(), colour, width, points: vec![point] });
        }
        clients.sort_unstable();
        clients.dedup();
        let machine = report.machine.short();
        (clients.len() > 1).then_some(Self { courses, clients, machine })
    }

    /// Where so many clients are on the axis: each doubling is as wide as the others.
    #[expect(clippy::cast_precision_loss, reason = "a few clients")]
    fn place(clients: usize) -> f64 {
        (clients as f64).log2()
    }
}

impl Picture for Throughputs {
    fn size(&self) -> (u32, u32) {
        (900, 520)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        area.text("Requests a second, script with one output file", (24, 20), &area.bold(20, &INK))?;
        area.text(&self.machine, (24, 48), &area.font(12, &FAINT))?;
        let most = self.courses.iter().flat_map(|course| &course.points).map(|(_, [.., high])| *high);
        let top = most.fold(1.0, f64::max) * 1.08;
        let [first, last] = [self.clients.first(), self.clients.last()].map(|count| Self::place(*count.unwrap_or(&1)));
        let (left, right, above, below) = (70, 200, 84, 56);
        let inner = area.root.margin(area.px(above), area.px(below), area.px(left), area.px(right));
        let mut chart =
            ChartBuilder::on(&inner).build_cartesian_2d(first - 0.25..last + 0.25, 0.0..top).map_err(|e| failed(&e))?;

        // The grid and its figures.
        let step = [100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0].into_iter().find(|step| top / step < 8.0);
        let step = step.unwrap_or(top / 4.0);
        let (figure, grid) = (area.font(13, &FAINT), GRID.stroke_width(area.scale));
        let mut level = 0.0;
        while level < top {
            let line = [(first - 0.25, level), (last + 0.25, level)];
            chart.draw_series([PathElement::new(line, grid)]).map_err(|error| failed(&error))?;
            let at = chart.backend_coord(&(first - 0.25, level));
            let style = figure.pos(Pos::new(HPos::Right, VPos::Center));
            let text = amount(level, Unit::Count);
            area.root.draw_text(&text, &style, (at.0 - area.px(8), at.1)).map_err(|error| failed(&error))?;
            level += step;
        }
        for clients in &self.clients {
            let at = chart.backend_coord(&(Self::place(*clients), 0.0));
            let style = figure.pos(Pos::new(HPos::Center, VPos::Top));
            area.root
                .draw_text(&clients.to_string(), &style, (at.0, at.1 + area.px(8)))
                .map_err(|error| failed(&error))?;
        }
        let (width, height) = self.size();
        let middle = (left + width.cast_signed() - right) / 2;
        let style = figure.pos(Pos::new(HPos::Center, VPos::Top));
        area.text("clients (of bare posix_spawn: loops) at once", (middle, height.cast_signed() - 28), &style)?;

        // bandog is drawn last, above the others.
        let mut labels = Vec::new();
        let order = self.courses.iter().filter(|course| course.name != BANDOG);
        for course in order.chain(self.courses.iter().filter(|course| course.name == BANDOG)) {
            let colour = course.colour;
            let line = colour.stroke_width(course.width * area.scale);
            let medians = course.points.iter().map(|(clients, [_, middle, _])| (Self::place(*clients), *middle));
            chart.draw_series(LineSeries::new(medians.clone(), line)).map_err(|error| failed(&error))?;
            let bars = course.points.iter().map(|(clients, [low, _, high])| {
                let place = Self::place(*clients);
                PathElement::new([(place, *low), (place, *high)], colour.stroke_width(area.scale * 2))
            });
            chart.draw_series(bars).map_err(|error| failed(&error))?;
            let radius = (course.width + 2) * area.scale;
            chart
                .draw_series(medians.clone().map(|point| Circle::new(point, radius, colour.filled())))
                .map_err(|error| failed(&error))?;
            if let Some(last) = medians.clone().next_back() {
                labels.push((chart.backend_coord(&last), course, last.1));
            }
        }

        // Names stand at the ends of their lines, none above another.
        labels.sort_by_key(|((_, y), ..)| *y);
        let mut free = i32::MIN;
        let x = area.px(width.cast_signed() - right + 12);
        for ((_, y), course, rate) in labels {
            let y = y.max(free);
            free = y + area.px(LABEL);
            let text = format!("{}  {}", course.name, amount(rate, Unit::PerSecond));
            let style =
                if course.name == BANDOG { area.bold(13, &course.colour) } else { area.font(12, &course.colour) };
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            area.root.draw_text(&text, &style, (x, y)).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}
