//! Pages of Markdown: their sections, blocks, headings and links.
//!
//! It does not parse all of Markdown. The pages use `#` headings, fenced blocks and inline links; a test
//! rejects the other forms, so that no link goes unchecked.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The pages outside `docs/`.
const OUTSIDE: [&str; 5] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "benches/README.md"];

/// A page, and where it is.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path below the repository's root.
    pub(super) path: String,
    pub(super) text: String,
}

/// A link on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) words: String,
    /// The file it leads to, below the root.
    pub(super) path: String,
    /// The heading it leads to; empty for the page itself.
    pub(super) anchor: String,
}

/// The repository's root.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the book, and those outside.
pub(super) fn all() -> Vec<Page> {
    let mut paths: Vec<String> = OUTSIDE.map(str::to_owned).into();
    let mut directories = vec!["docs".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).expect("a directory of pages") {
            let entry = entry.expect("an entry");
            let path = format!("{directory}/{}", entry.file_name().to_str().expect("a name that is text"));
            if entry.file_type().expect("a type").is_dir() {
                directories.push(path);
            } else if has_extension(&path, "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

impl Page {
    pub(super) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    pub(super) fn file(&self) -> PathBuf {
        root().join(&self.path)
    }

    /// The text between `<!-- name: … -->` and `<!-- /name -->`, with what is before and after.
    pub(super) fn section(&self, name: &str) -> (&str, &str, &str) {
        let (text, path) = (&self.text, &self.path);
        let begin = text.find(&format!("<!-- {name}: ")).unwrap_or_else(|| panic!("{path}: no comment begins {name}"));
        let begin = begin + text[begin..].find("-->\n").expect("the comment ends with its line") + "-->\n".len();
        let end = text[begin..].find(&format!("<!-- /{name} -->"));
        let end = begin + end.unwrap_or_else(|| panic!("{path}: no comment ends {name}"));
        (&text[..begin], &text[begin..end], &text[end..])
    }

    /// The rows of all tables in the section `name`, as cells; headers and rules are left out.
    pub(super) fn rows(&self, name: &str) -> Vec<Vec<String>> {
        rows(self.section(name).1)
    }

    /// Every line with the language of the fenced block that it is in; `None` outside of blocks and for the fences.
    pub(super) fn lines(&self) -> Vec<(Option<&str>, &str)> {
        let mut language = None;
        let mut lines = Vec::new();
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), language) {
                (Some(opened), None) => language = Some(opened),
                (Some(_), Some(_)) => language = None,
                (None, _) => lines.push((language, line)),
            }
        }
        assert!(language.is_none(), "{}: a fence is not closed", self.path);
        lines
    }

    /// The lines outside of fenced blocks.
    pub(super) fn prose(&self) -> impl Iterator<Item = &str> {
        self.lines().into_iter().filter(|(language, _)| language.is_none()).map(|(_, line)| line)
    }

    /// The text below the heading of this anchor, to the next heading of its level or above.
    pub(super) fn below(&self, anchor: &str) -> String {
        let mut level = None;
        let mut seen = BTreeMap::new();
        let mut kept = String::new();
        for (language, line) in self.lines() {
            if let Some((depth, name)) = heading(line).filter(|_| language.is_none()) {
                let is_it = unique(&mut seen, name) == anchor;
                match level {
                    None if is_it => level = Some(depth),
                    Some(level) if depth <= level => break,
                    _ => {}
                }
            } else if level.is_some() {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept
    }

    /// The anchors of the headings of this page, named as GitHub and mdBook name them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut seen = BTreeMap::new();
        self.prose().filter_map(heading).map(|(_, name)| unique(&mut seen, name)).collect()
    }

    /// Its links, except those to other hosts.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for line in self.prose() {
            let masked = mask_code(line);
            for (at, _) in masked.match_indices("](") {
                let target = masked[at + 2..].split(')').next().expect("a first part");
                if target.contains("://") {
                    continue;
                }
                let words = masked[..at].rfind('[').map_or("", |begin| &line[begin + 1..at]);
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = if file.is_empty() { self.path.clone() } else { beside(&self.path, file) };
                links.push(Link { words: words.to_owned(), path, anchor: anchor.to_owned() });
            }
        }
        links
    }
}

/// The cells of the rows of tables, without headers and rules.
pub(super) fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &&str| line.starts_with("|-");
    let body = lines
        .iter()
        .enumerate()
        .filter(|(index, line)| line.starts_with("| ") && !is_rule(line) && !lines.get(index + 1).is_some_and(is_rule));
    body.map(|(_, line)| {
        let cells = line.trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
        cells.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
    })
    .collect()
}

/// The level of a heading, and its anchor if no heading before it has the same.
fn heading(line: &str) -> Option<(usize, String)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text.strip_prefix(' ').filter(|_| (1..=6).contains(&level))?;
    let kept = text.trim().chars().filter(|letter| letter.is_alphanumeric() || "-_ ".contains(*letter));
    Some((level, kept.collect::<String>().to_lowercase().replace(' ', "-")))
}

/// The second heading of a name gets a number.
fn unique(seen: &mut BTreeMap<String, u32>, name: String) -> String {
    let count = seen.entry(name.clone()).or_insert(0);
    *count += 1;
    if *count == 1 { name } else { format!("{name}-{}", *count - 1) }
}

/// The line with every bracket in a code span replaced by a blank.
fn mask_code(line: &str) -> String {
    let mut in_code = false;
    let masked = line.chars().map(|letter| {
        in_code ^= letter == '`';
        if in_code && "[]()".contains(letter) { ' ' } else { letter }
    });
    masked.collect()
}

/// The path of `file` as it stands on the page at `path`, without `.` and `..`.
fn beside(path: &str, file: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => assert!(parts.pop().is_some(), "{path}: {file} leads out of the repository"),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn headings_and_links_are_read_as_browsers_are_led_by_them() {
    let text = "# A `b-c`: d!\n\n## Same\n\n## Same\n\n```sh\n# no heading\n```\n\nSee [x](y.md#z), `[n](o)`, \
                [`q`](#same-1) and ![p](../p.svg).\n";
    let page = Page { path: "docs/deploy/a.md".to_owned(), text: text.to_owned() };
    assert_eq!(page.anchors(), ["a-b-c-d", "same", "same-1"]);
    let links: Vec<(String, String, String)> =
        page.links().into_iter().map(|link| (link.words, link.path, link.anchor)).collect();
    let expected = [("x", "docs/deploy/y.md", "z"), ("`q`", "docs/deploy/a.md", "same-1"), ("p", "docs/p.svg", "")];
    assert_eq!(links, expected.map(|(words, path, anchor)| (words.to_owned(), path.to_owned(), anchor.to_owned())));
}
