//! The report as pictures, each as SVG and as PNG.

mod goals;
mod throughput;

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow, ensure};
use plotters::{
    coord::Shift,
    prelude::*,
    style::{FontStyle, register_font},
};

use crate::report::Report;

/// Debian's package fonts-dejavu-core has it there.
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
const BOLD: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";

/// The font's name in an SVG: every viewer has a font of that name.
const SANS: &str = "sans-serif";

/// Pixels of a PNG for each unit of an SVG: it is looked at on dense screens, too.
const DENSE: u32 = 2;

/// Colours that people who see few of them can tell apart (Okabe and Ito), and the greys around them.
const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
const FAINT: RGBColor = RGBColor(0x6b, 0x72, 0x7b);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xea);
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const OTHERS: [RGBColor; 4] =
    [RGBColor(0xe6, 0x9f, 0x00), RGBColor(0x00, 0x9e, 0x73), RGBColor(0xcc, 0x79, 0xa7), RGBColor(0x8a, 0x5a, 0x2b)];

/// A picture: its size in units, and how it is drawn with so many pixels for each.
trait Picture {
    fn size(&self) -> (u32, u32);

    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static;
}

/// Where a picture is drawn.
struct Area<'a, B: DrawingBackend> {
    root: &'a DrawingArea<B, Shift>,
    scale: u32,
}

impl<B: DrawingBackend> Area<'_, B>
where
    B::ErrorType: 'static,
{
    /// So many units, in pixels.
    fn px(&self, units: i32) -> i32 {
        units * self.scale.cast_signed()
    }

    fn font<'c>(&self, units: u32, colour: &'c RGBColor) -> TextStyle<'c> {
        TextStyle::from((SANS, units * self.scale).into_font()).color(colour)
    }

    fn bold<'c>(&self, units: u32, colour: &'c RGBColor) -> TextStyle<'c> {
        TextStyle::from((SANS, units * self.scale).into_font().style(FontStyle::Bold)).color(colour)
    }

    /// Text at this place in units.
    fn text(&self, text: &str, at: (i32, i32), style: &TextStyle<'_>) -> anyhow::Result<()> {
        self.root.draw_text(text, style, (self.px(at.0), self.px(at.1))).map_err(|error| failed(&error))
    }
}

/// Errors of the drawing crate have no life of their own.
fn failed(error: &impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// Draws what there is to be drawn into this directory.
pub fn write(report: &Report, directory: &Path) -> anyhow::Result<()> {
    for (path, style) in [(FONT, FontStyle::Normal), (BOLD, FontStyle::Bold)] {
        let font = fs::read(path).with_context(|| format!("{path}, of the package fonts-dejavu-core"))?;
        let known = register_font(SANS, style, font.leak());
        ensure!(known.is_ok(), "{path} is not a font");
    }
    if let Some(picture) = throughput::Throughputs::of(report) {
        both(&picture, directory, "throughput")?;
    }
    if let Some(picture) = goals::Goals::of(report) {
        both(&picture, directory, "goals")?;
    }
    Ok(())
}

fn both(picture: &impl Picture, directory: &Path, name: &str) -> anyhow::Result<()> {
    let (width, height) = picture.size();
    let [svg, png] = ["svg", "png"].map(|kind| directory.join(format!("{name}.{kind}")));
    let root = SVGBackend::new(&svg, (width, height)).into_drawing_area();
    finish(picture, &root, 1)?;
    let root = BitMapBackend::new(&png, (width * DENSE, height * DENSE)).into_drawing_area();
    finish(picture, &root, DENSE)
}

fn finish<B: DrawingBackend>(picture: &impl Picture, root: &DrawingArea<B, Shift>, scale: u32) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    picture.draw(&Area { root, scale })?;
    root.present().map_err(|error| failed(&error))
}
