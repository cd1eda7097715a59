//! Every link leads somewhere, both on GitHub and in the book.

use std::collections::{BTreeMap, BTreeSet};

use super::pages::{self, Page, has_extension};

/// Lines of the README, at most: more is not read.
const README_LIMIT: usize = 200;

#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let anchors: BTreeMap<&str, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.as_str(), page.anchors().into_iter().collect())).collect();
    let mut seen = 0;
    let mut broken = Vec::new();
    for page in &pages {
        for link in page.links() {
            seen += 1;
            let is_there = match anchors.get(link.path.as_str()) {
                Some(anchors) => link.anchor.is_empty() || anchors.contains(&link.anchor),
                None => link.anchor.is_empty() && pages::root().join(&link.path).exists(),
            };
            if !is_there {
                broken.push(format!("{}: [{}]({}#{})", page.path, link.words, link.path, link.anchor));
            }
        }
    }
    assert!(broken.is_empty(), "nothing at\n{}", broken.join("\n"));
    assert!(seen >= 200, "only {seen} links found: does this test still read the pages?");
}

#[test]
fn a_page_of_the_book_links_to_pages_and_pictures_of_the_book_only() {
    // The book holds nothing else, and its front page is called index.html there.
    for page in pages::all().iter().filter(|page| page.path.starts_with("docs/")) {
        for link in page.links() {
            let is_in_the_book =
                link.path.starts_with("docs/") && ["md", "svg"].iter().any(|e| has_extension(&link.path, e));
            let is_index = link.path == "docs/README.md" && page.path != "docs/SUMMARY.md";
            assert!(is_in_the_book && !is_index, "{}: {} is not in the book", page.path, link.path);
        }
    }
}

#[test]
fn no_link_is_in_a_form_that_is_not_checked() {
    for page in pages::all() {
        for line in page.prose() {
            let is_html = ["<a ", "<img ", "href="].iter().any(|tag| line.contains(tag));
            let is_reference = line.starts_with('[') && line.contains("]: ");
            assert!(!is_html && !is_reference, "{}: write [words](target): {line}", page.path);
        }
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary_once() {
    let links = Page::read("docs/SUMMARY.md").links();
    let mut listed: Vec<&str> = links.iter().map(|link| link.path.as_str()).collect();
    listed.sort_unstable();
    let pages = pages::all();
    let there: Vec<&str> = pages
        .iter()
        .map(|page| page.path.as_str())
        .filter(|path| path.starts_with("docs/") && *path != "docs/SUMMARY.md")
        .collect();
    assert_eq!(listed, there);
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = Page::read("README.md");
    let length = readme.text.lines().count();
    assert!(length <= README_LIMIT, "README.md has {length} lines, more than {README_LIMIT}");
    let links = readme.links();
    for page in Page::read("docs/SUMMARY.md").links() {
        assert!(links.iter().any(|link| link.path == page.path), "README.md does not link to {}", page.path);
    }
}
