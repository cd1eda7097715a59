//! The README tells the truth: what it says is compared with what the program says itself.
//!
//! The table of settings is made by the program. To refresh it: `UPDATE_README=1 cargo test --test integration readme`.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use bandog::{
    config::{Habit, setting},
    reply::problem::Slug,
};

use crate::harness::{bandog, serve_command};

const REFRESH: &str = "refresh it: UPDATE_README=1 cargo test --test integration readme";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    fs::read_to_string(path()).expect("README.md")
}

/// What stands between `<!-- name: … -->` and `<!-- /name -->`, with what is before and after.
fn section<'a>(text: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let begin = text.find(&format!("<!-- {name}: ")).unwrap_or_else(|| panic!("no comment begins {name}"));
    let begin = begin + text[begin..].find("-->\n").expect("the comment ends with its line") + "-->\n".len();
    let len = text[begin..].find(&format!("<!-- /{name} -->")).unwrap_or_else(|| panic!("no comment ends {name}"));
    (&text[..begin], &text[begin..begin + len], &text[begin + len..])
}

/// The lines of the fenced blocks that are in one of `languages`, continued lines joined.
fn examples(text: &str, languages: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut language = None;
    for line in text.replace("\\\n", " ").lines() {
        match (line.strip_prefix("```"), language) {
            (Some(opened), None) => language = Some(languages.contains(&opened)),
            (Some(_), Some(_)) => language = None,
            (None, Some(true)) => lines.push(line.to_owned()),
            (None, _) => {}
        }
    }
    assert!(language.is_none(), "a fence is not closed");
    lines
}

/// The words after `bandog` of every command in a line that starts it, up to a `--` of its own.
fn uses(line: &str) -> Vec<Vec<&str>> {
    let commands = line.split(['|', ';', '&']).map(|command| {
        let words = command.split_whitespace().skip_while(|word| *word == "$" || word.starts_with("BANDOG_"));
        words.take_while(|word| *word != "--").collect::<Vec<_>>()
    });
    commands.filter(|words| words.first() == Some(&"bandog")).map(|words| words[1..].to_vec()).collect()
}

/// Every flag in the help of a subcommand; of `serve` without one.
fn flags(subcommand: &str) -> BTreeSet<String> {
    let help = bandog([subcommand, "--help"]).run().expect(0).text().to_owned();
    let words = help.split(|letter: char| letter.is_whitespace() || ",[]=".contains(letter));
    words.filter(|word| word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn the_table_of_settings_is_the_one_of_the_program() {
    let text = readme();
    let (before, table, after) = section(&text, "settings");
    if env::var_os("UPDATE_README").is_some() {
        fs::write(path(), format!("{before}\n{}\n{after}", setting::markdown())).expect("README.md can be written");
        return;
    }
    assert!(
        table.trim() == setting::markdown().trim(),
        "the table of settings in README.md is not the program's; {REFRESH}"
    );
}

#[test]
fn every_flag_in_an_example_exists() {
    let subcommands = ["serve", "run", "call", "check", "health", "install", "completions"];
    let mut seen = 0;
    for line in examples(&readme(), &["sh", "console"]) {
        for words in uses(&line) {
            let subcommand = words.first().filter(|first| subcommands.contains(first)).unwrap_or(&"serve");
            let known = flags(subcommand);
            for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                let flag = flag.split('=').next().unwrap_or(flag);
                assert!(known.contains(flag), "bandog {subcommand} has no {flag}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "only {seen} flags found: does this test still read the README?");
}

#[test]
fn the_table_of_errors_has_every_one_that_a_caller_can_see() {
    let text = readme();
    let never_seen = [Slug::BodyIncomplete, Slug::ClientGone];
    let rows = || text.lines().filter(|line| line.starts_with("| `"));
    for slug in Slug::ALL.into_iter().filter(|slug| !never_seen.contains(slug)) {
        let row = format!("| `{}` | {} | ", slug.as_str(), slug.status().as_u16());
        assert!(rows().any(|line| line.starts_with(&row)), "README.md has no row {row:?}");
    }
}

#[test]
fn the_page_of_differences_has_the_way_back_of_every_one_that_has_one() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = fs::read_to_string(path).expect("docs/compatibility.md");
    // The last cell of each row with four.
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() >= 4);
    let ways: Vec<&str> = rows.filter_map(|line| line.trim_end_matches('|').rsplit('|').next()).collect();
    for habit in Habit::ALL {
        let word = format!("`{}`", habit.word());
        assert!(
            ways.iter().any(|way| way.contains(&word)),
            "docs/compatibility.md does not say what {word} takes back"
        );
    }
}

#[test]
fn every_metric_it_names_is_on_the_page() {
    let server = serve_command("true").quiet().start();
    server.get("/").send().expect(200);
    let page = server.get("/_/metrics").send().expect(200).text().to_owned();
    let text = readme();
    let (_, table, _) = section(&text, "metrics");
    let named: BTreeSet<&str> = table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split('{').next())
        .filter(|name| name.starts_with("http_") || name.starts_with("bandog_"))
        .collect();
    let there: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next()).collect();
    assert_eq!(named, there);
}

#[test]
fn every_link_leads_somewhere() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |page: &str| fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut seen = 0;
    for page in
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/compatibility.md", "docs/actions.md"]
    {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            // Relative to the page that it stands on.
            let beside = std::path::Path::new(page).with_file_name(file);
            let target = read(if file.is_empty() { page } else { beside.to_str().expect("text") });
            let found = heading.is_empty() || target.lines().filter_map(anchor).any(|anchor| anchor == heading);
            assert!(found, "{page}: nothing at {link}");
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} links found: does this test still read the pages?");
}

/// What a link to a heading is called.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || "- ".contains(*letter));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}
