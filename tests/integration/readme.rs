//! The README and the book tell the truth: they are compared with the program, every link is followed, and every
//! session is run.
//!
//! The table of settings and the copies of deployment files are generated. To refresh them:
//! `UPDATE_README=1 cargo test --test integration readme`.

mod links;
mod pages;
mod questions;
mod sessions;
mod tables;

use std::{env, fs};

use pages::Page;

const REFRESH: &str = "refresh it: UPDATE_README=1 cargo test --test integration readme";

/// Compares the section `name` of this page with what it should be, or writes it there with `UPDATE_README=1`.
fn generated(page: &Page, name: &str, content: &str) {
    let (before, section, after) = page.section(name);
    if env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}\n{}\n\n{after}", content.trim_end());
        fs::write(page.file(), text).unwrap_or_else(|error| panic!("{}: {error}", page.path));
        return;
    }
    assert!(section.trim() == content.trim(), "{}: the section {name:?} is out of date; {REFRESH}", page.path);
}
