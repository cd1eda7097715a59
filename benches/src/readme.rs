//! The README's copy of the report: the table between two comments, and the plots beside this program.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

use crate::setting::Setting;

/// Where the plots are kept that the README shows.
const KEPT: &str = "benches/results";

const BEGIN: &str = "<!-- bench: BENCH_README=1 make bench -->\n";
const END: &str = "<!-- /bench -->";

/// Puts this table into the README of the working directory, and the plots where it shows them from.
pub fn refresh(setting: &Setting, table: &str) -> anyhow::Result<()> {
    ensure!(!setting.short && setting.only.is_empty(), "the README shows whole runs only");
    let path = Path::new("README.md");
    let text = fs::read_to_string(path).context("README.md, in the working directory")?;
    let replaced = between(&text, table).with_context(|| format!("README.md has no {BEGIN}… {END}"))?;
    fs::create_dir_all(KEPT)?;
    for name in ["throughput.svg", "goals.svg"] {
        fs::copy(setting.output.join(name), Path::new(KEPT).join(name)).with_context(|| format!("the plot {name}"))?;
    }
    fs::write(path, replaced)?;
    Ok(())
}

/// The text with `table` between the comments; nothing if they are not there.
fn between(text: &str, table: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{table}\n{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_between_the_comments_is_replaced_and_nothing_else() {
        let text = format!("before\n{BEGIN}old\n{END}\nafter\n");
        assert_eq!(between(&text, "new\n"), Some(format!("before\n{BEGIN}\nnew\n\n{END}\nafter\n")));
        assert_eq!(between("before\n", "new\n"), None);
    }
}
