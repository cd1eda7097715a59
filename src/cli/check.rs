//! `bandog check`: prints the resolved configuration.

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

#[cfg(feature = "storage")]
mod online;

use super::{BAD_CONFIGURATION, FunctionFlags, exit::print};
use crate::{config::Resolution, telemetry};

pub(super) const EXAMPLES: &str = "Examples:
  bandog check                    in a container: is everything in place?
  bandog check ./ocr.sh --format json
  bandog check --online           and can each storage provider be reached?

The exit code is 0 if bandog would start, else 78. Secrets are never shown.";

/// The flags of `bandog check`.
#[derive(Debug, clap::Args)]
pub struct CheckFlags {
    /// How the configuration is printed
    #[arg(long, value_enum, default_value_t = CheckFormat::Text, value_name = "FORMAT")]
    pub format: CheckFormat,
    /// Try each storage provider as well: can it be reached with these credentials, and is there the bucket?
    #[cfg(feature = "storage")]
    #[arg(long)]
    pub online: bool,
    /// The settings and the function.
    #[command(flatten)]
    pub function: FunctionFlags,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table.
    Text,
    /// A JSON object.
    Json,
}

/// Prints the configuration.
pub(super) fn main(flags: &CheckFlags, resolution: &Resolution) -> ExitCode {
    #[cfg(feature = "storage")]
    let tried = flags.online.then(|| online::checked(resolution));
    #[cfg(feature = "storage")]
    let resolution = tried.as_ref().unwrap_or(resolution);
    let text = match flags.format {
        CheckFormat::Text => table(resolution),
        CheckFormat::Json => object(resolution),
    };
    print(text.as_bytes(), if resolution.mistakes.is_empty() { 0 } else { BAD_CONFIGURATION })
}

fn table(resolution: &Resolution) -> String {
    // A long command line must not push the last column out of sight.
    const WIDEST: usize = 40;
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let names = width(&mut resolution.entries.iter().map(|entry| entry.name.len()));
    let values = width(&mut resolution.entries.iter().map(|entry| entry.value.chars().count()));
    let rows = resolution
        .entries
        .iter()
        .map(|entry| format!("{:names$}  {:values$}  {}\n", entry.name, escaped(&entry.value), entry.origin));
    let warnings = resolution.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    let mistakes = resolution.mistakes.iter().map(|mistake| format!("mistake: {mistake}\n"));
    let gap = if resolution.warnings.len() + resolution.mistakes.len() > 0 { "\n" } else { "" };
    rows.chain([gap.to_owned()]).chain(warnings).chain(mistakes).collect()
}

/// A value on one line.
fn escaped(text: &str) -> String {
    let is_unseen = |letter: char| letter.is_control() || telemetry::is_deceptive(letter);
    text.chars()
        .flat_map(|letter| if is_unseen(letter) { letter.escape_default().collect() } else { vec![letter] })
        .collect()
}

fn object(resolution: &Resolution) -> String {
    let settings: Vec<_> = resolution
        .entries
        .iter()
        .map(|entry| json!({"name": entry.name, "value": entry.value, "origin": entry.origin.to_string()}))
        .collect();
    let mistakes: Vec<_> = resolution.mistakes.iter().map(ToString::to_string).collect();
    let whole = json!({"settings": settings, "warnings": resolution.warnings, "mistakes": mistakes});
    format!("{whole:#}\n")
}
