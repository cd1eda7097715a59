"""Each check on a small tree where it has to fail, and on one where it must not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from . import imports, layers, named, rust, words

HOUSE = Path(__file__).resolve().parent.parent / "house.py"


class Tree(unittest.TestCase):
    """A repository of a few lines, in a directory of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name).resolve()

    def write(self, **files: str):
        """Writes files: `src_a_b_rs="…"` would be unreadable, so a dictionary is given as `**{"src/a.rs": "…"}`."""
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))

    def edges(self) -> set[tuple[str, str]]:
        src = self.root / "src"
        graph = imports.edges(src)
        return {(str(a.relative_to(src)), str(b.relative_to(src))) for a in graph for b in graph[a]}

    def circles(self) -> list[list[str]]:
        src = self.root / "src"
        return [[str(file.relative_to(src)) for file in circle] for circle in imports.circles(imports.edges(src))]


class Lexer(unittest.TestCase):
    """Text that looks like code, and code that looks like text."""

    def kinds(self, text: str) -> list[tuple[str, str]]:
        return [(token.kind, token.text) for token in rust.tokens(text)]

    def test_strings_and_comments_are_told_apart(self):
        text = r"""a "// \" no" r#"use "crate" // no"# /* one /* two */ still */ 'x' '\'' 'long b'/' // end"""
        self.assertEqual(
            self.kinds(text),
            [
                ("name", "a"),
                ("string", r'"// \" no"'),
                ("raw", 'r#"use "crate" // no"#'),
                ("comment", "/* one /* two */ still */"),
                ("char", "'x'"),
                ("char", r"'\''"),
                ("lifetime", "'long"),
                ("char", "b'/'"),
                ("comment", "// end"),
            ],
        )

    def test_lines_are_counted_through_strings(self):
        text = 'a\n"b\n\nc"\n/* d\n*/ e\nr"f\n" g'
        names = {token.text: token.line for token in rust.tokens(text) if token.kind == "name"}
        self.assertEqual(names, {"a": 1, "e": 6, "g": 8})


class Circles(Tree):
    """Imports between files."""

    def test_two_files_that_import_each_other_are_a_circle(self):
        self.write(
            **{
                "src/lib.rs": "mod a; mod b; mod c;",
                "src/a.rs": "use crate::b::B; pub struct A;",
                "src/b.rs": "pub struct B; fn f() { let _ = super::a::A; }",
                "src/c.rs": "use crate::{a, b::{self as other, B}};",
            }
        )
        self.assertEqual(self.circles(), [["a.rs", "b.rs"]])
        graph = imports.edges(self.root / "src")
        way = imports.shortest_circle(graph, imports.circles(graph)[0])
        self.assertEqual([file.name for file in way], ["a.rs", "b.rs", "a.rs"])

    def test_a_circle_of_three_through_renames_and_nested_trees(self):
        self.write(
            **{
                "src/main.rs": "mod a; mod b; mod c;",
                "src/a.rs": "use crate::{b as other}; fn f() { other::g() }",
                "src/b.rs": "use super::{c::{h as i}}; pub fn g() { i() }",
                "src/c.rs": "pub fn h() { crate::a::f() }",
            }
        )
        self.assertEqual(self.circles(), [["a.rs", "b.rs", "c.rs"]])

    def test_text_and_tests_import_nothing(self):
        self.write(
            **{
                "src/lib.rs": "mod a; mod b;",
                "src/a.rs": "use crate::b::B;",
                "src/b.rs": '''
                    // use crate::a::A;
                    /* use crate::a::A; */
                    pub struct B;
                    const TEXT: &str = "use crate::a::A;";
                    const MORE: &str = r#" crate::a::A "#;
                    impl B {
                        #[cfg(test)]
                        fn of(a: crate::a::A) -> impl Iterator<Item = u8> { [1].into_iter() }
                        fn after(&self) {}
                    }
                    #[cfg(test)]
                    use crate::a::A;
                    #[cfg(all(test, unix))]
                    mod tests { use crate::a::A; }
                    #[cfg(test)]
                    mod more;
                ''',
                "src/b/more.rs": "use crate::a::A;",
            }
        )
        self.assertEqual(self.edges(), {("a.rs", "b.rs")})

    def test_the_file_of_ones_own_folder_does_not_count_but_what_it_re_exports_does(self):
        self.write(
            **{
                "src/lib.rs": "mod a; pub use a::one::One as Top;",
                "src/a.rs": "mod one; mod two; mod three; pub(crate) use one::One; use two::Two; pub struct Own;",
                "src/a/one.rs": "use super::Own; pub struct One;",
                "src/a/two.rs": "use super::One; pub struct Two;",
                "src/a/three.rs": "use crate::Top; use super::Two;",
            }
        )
        self.assertEqual(
            self.edges(),
            {
                ("lib.rs", "a/one.rs"),
                ("a.rs", "a/one.rs"),
                ("a.rs", "a/two.rs"),
                ("a/two.rs", "a/one.rs"),
                ("a/three.rs", "a/one.rs"),
                ("a/three.rs", "a/two.rs"),
            },
        )
        self.assertEqual(self.circles(), [])

    def test_a_circle_behind_a_re_export_is_found(self):
        self.write(
            **{
                "src/lib.rs": "mod a;",
                "src/a.rs": "mod one; mod two; pub use one::One; pub use two::*;",
                "src/a/one.rs": "use super::Two; pub struct One;",
                "src/a/two.rs": "use super::One; pub struct Two;",
            }
        )
        self.assertEqual(self.circles(), [["a/one.rs", "a/two.rs"]])

    def test_globs_macros_attributes_and_inline_modules_import(self):
        self.write(
            **{
                "src/lib.rs": '#[macro_use] mod m; mod a; mod b; mod c; #[path = "odd/place.rs"] mod d; mod e;',
                "src/m.rs": "macro_rules! shout { ($x:expr) => { $crate::c::print($x) }; }",
                "src/a.rs": "use crate::b::*; fn f() -> Thing { shout!(1); Thing }",
                "src/b.rs": "pub use crate::c::Thing;",
                "src/c.rs": "pub struct Thing; pub fn print(_: u8) {}",
                "src/odd/place.rs": '#[serde(with = "crate::c::format")] struct D { a: u8 }',
                "src/e.rs": "mod inner { use super::super::d::D; fn f() -> impl Fn() + use<> { || () } } use uuid::Uuid;",
            }
        )
        self.assertEqual(
            self.edges(),
            {
                ("m.rs", "c.rs"),
                ("a.rs", "b.rs"),
                ("a.rs", "c.rs"),
                ("a.rs", "m.rs"),
                ("b.rs", "c.rs"),
                ("odd/place.rs", "c.rs"),
                ("e.rs", "odd/place.rs"),
            },
        )

    def test_a_crate_of_the_same_name_as_a_module_is_no_module(self):
        self.write(
            **{
                "src/lib.rs": "mod http; mod a;",
                "src/http.rs": "use http::Method; use crate::a::A; mod head;",
                "src/http/head.rs": "use http::{self, Method}; use bytes; fn f(m: http::Method, b: bytes::Bytes) {}",
                "src/a.rs": "pub struct A; fn f() -> http::Method { ::http::Method::GET }",
            }
        )
        self.assertEqual(self.edges(), {("http.rs", "a.rs")})


class Types(Tree):
    """Types of one name."""

    def test_two_types_of_one_name_are_found_and_their_like_are_not(self):
        self.write(
            **{
                "src/lib.rs": "mod a; mod b;",
                "src/a.rs": '''
                    pub(crate) struct Same<T = u8>(T);
                    pub union Late { a: u8 }
                    impl Iterator for Same { type Item = u8; fn next(&mut self) -> Option<u8> { struct Local; None } }
                ''',
                "src/b.rs": '''
                    pub type Same = u8;
                    enum Late {}
                    impl Iterator for Late { type Item = u8; fn next(&mut self) -> Option<u8> { struct Local; None } }
                    trait Name { type Item; }
                    #[cfg(test)] mod tests { struct Name; }
                ''',
            }
        )
        found = layers.types_of_one_name(self.root / "src")
        self.assertEqual([line.split(":")[0] for line in found], ["Late", "Same"])


class Words(Tree):
    """Comments."""

    def test_headless_sentences_and_persons_are_counted_in_comments_only(self):
        self.write(
            **{
                "src/lib.rs": '''
                    //! What nobody takes.
                    // Who is there?
                    /// A caller. Whoever it is, stays.
                    /* Whom
                     * What a block says.
                     */
                    const TEXT: &str = "
                        // What a string says of anybody.
                    "; // Somebody is behind the code.
                    // Not for who asks; it is for callers who ask, and whoever
                    // waits does not. Who may do it depends on the
                    // client, who knows who called.
                    const MESSAGE: &str = "no token: nobody may call";
                    const OTHER: &str = "Who calls is unknown";
#[cfg(test)]
mod tests { const NAME: &str = "nobody"; }
                ''',
            }
        )
        self.write(**{"src/tests.rs": 'const NAME: &str = "nobody";', "tests/a.rs": 'const NAME: &str = "nobody";'})
        comments = words.Comments([self.root / name for name in ("src/lib.rs", "src/tests.rs", "tests/a.rs")])
        self.assertEqual(comments.lines, 10)
        self.assertEqual([int(line.split(":")[1]) for line in comments.headless], [2, 4, 6, 11, 12])
        self.assertEqual([int(line.split(":")[1]) for line in comments.persons], [2, 10])
        self.assertEqual([int(line.split(":")[1]) for line in comments.messages], [9, 14, 15])

    def test_subjects_are_read_since_the_base(self):
        def git(*arguments: str) -> str:
            who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
            command = ["git", *who, "-C", str(self.root), *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "--quiet")
        git("commit", "--quiet", "--allow-empty", "-m", "x" * 80)
        base = git("rev-parse", "HEAD")
        git("commit", "--quiet", "--allow-empty", "-m", "y" * 73)
        self.assertEqual([len(line.split(" ", 1)[1]) for line in words.commit_subjects(self.root, base)], [73])
        self.assertIsNone(words.commit_subjects(self.root, "0" * 40))


class Layers(Tree):
    """Names and `unsafe` out of their place."""

    def test_foreign_names_are_found_unless_excepted(self):
        self.write(**{"crates/http/src/lib.rs": "// As the watchdog.\nstruct Config;\nuse rustls::ClientConfig;\n"})
        file = self.root / "crates/http/src/lib.rs"
        self.assertEqual(len(layers.foreign_names([file], {}, self.root)), 2)
        excepted = {"crates/http/src/lib.rs": {"Config": "a reason", "OSCAR": "a reason"}}
        found = layers.foreign_names([file], excepted, self.root)
        self.assertEqual([line.split(": ")[1] for line in found], ["watchdog"])
        self.assertEqual(len(layers.unused_exceptions(excepted, self.root)), 1)

    def test_the_habits_of_the_replaced_programs_are_foreign(self):
        lines = [
            'let logger = "supervisor";',
            '"see log_buffer_size"',
            '"suppress_lock=true does without"',
            "// As `marshal_request` does.",
            'r#"Bearer realm="IAM function invoke""#',
            "fn supervise() {} // max_inflight, ready_path",
        ]
        self.write(**{"crates/x/src/lib.rs": "\n".join(lines)})
        found = layers.foreign_names([self.root / "crates/x/src/lib.rs"], {}, self.root)
        self.assertEqual([int(line.split(":")[1]) for line in found], [1, 2, 3, 4, 5])

    def test_unsafe_is_found_outside_its_place_and_not_in_text(self):
        self.write(
            **{
                "src/lib.rs": '//! unsafe\n#![forbid(missing_docs, unsafe_code)]\nconst A: &str = "unsafe";',
                "src/a.rs": "fn f() { unsafe { g() } }",
                "src/process/b.rs": "fn f() { unsafe { g() } }",
            }
        )
        files = sorted((self.root / "src").rglob("*.rs"))
        found = layers.unsafe_code(files, [self.root / "src/process"])
        self.assertEqual([line.rsplit("/", 1)[1] for line in found], ["a.rs:1: unsafe"])

    def test_unsafe_code_is_forbidden_by_lints_or_in_every_root(self):
        self.write(
            **{
                "Cargo.toml": '[workspace.lints.rust]\nunsafe_code = "forbid"\n',
                "a/Cargo.toml": "[lints]\nworkspace = true\n",
                "b/Cargo.toml": '[lints.rust]\nunsafe_code = { level = "forbid", priority = 1 }\n',
                "c/Cargo.toml": "",
                "c/src/lib.rs": "#![forbid(missing_docs, unsafe_code)]\n",
                "d/Cargo.toml": '[lints.rust]\nunsafe_code = "deny"\n',
                "d/src/lib.rs": "#![forbid(unsafe_code)]\n",
                "d/src/main.rs": "// #![forbid(unsafe_code)]\n",
            }
        )
        forbid = [layers.forbids_unsafe(self.root / name / "Cargo.toml", self.root / "Cargo.toml") for name in "abcd"]
        self.assertEqual(forbid, [True, True, True, False])


class Named(Tree):
    """Tests that documents name."""

    def setUp(self):
        super().setUp()
        self.write(
            **{
                "Cargo.toml": '[package]\nname = "root"\n',
                "src/lib.rs": "mod a;",
                "src/a.rs": "#[cfg(test)] mod tests { #[test] fn small_things_work() {} }",
                "crates/codec/Cargo.toml": '[package]\nname = "root-codec"\n',
                "crates/codec/src/lib.rs": "proptest! { #[test] fn any_bytes_go_through(a in any()) {} }",
                "tests/integration/main.rs": "mod faults;",
                "tests/integration/faults.rs": "mod inner;",
                "tests/integration/faults/inner.rs": "#[tokio::test]\nasync fn f01_a_child_that_stays() {} fn f02_no() {}",
            }
        )

    def missing(self, text: str, all_are_tests: bool = True) -> list[str]:
        self.write(**{"PAGE.md": text})
        tests = named.Tests(self.root)
        return [line.split(": ", 1)[1] for line in named.missing(self.root / "PAGE.md", tests, all_are_tests)]

    def test_all_forms_of_a_name_are_known(self):
        self.assertEqual(
            self.missing(
                "`faults::f01_a_child_that_stays`, `faults::f01_…`, `f01_…`, `faults::…_stays`, `faults::…`, "
                "`a::tests`, `src/a`, `src/a: small_…`, `crates/codec`, `codec::any_bytes_…`, `suite::test`, "
                "`cargo test -p root-codec any_bytes`, `cargo test --test integration faults::`"
            ),
            [],
        )

    def test_each_form_of_a_name_that_is_gone_is_told(self):
        gone = ["faults::f02_no", "faults::f02_…", "f03_…", "b::tests", "src/a: large_…", "src/b", "inner::f01_a"]
        self.assertEqual(self.missing(" ".join(f"`{name}`" for name in gone)), gone)
        self.assertEqual(
            self.missing("`cargo test --test other`\n`cargo test -p x`\n`cargo test --test integration readme`"),
            [
                "cargo test --test other: no test other",
                "cargo test -p x: no package x",
                "cargo test --test integration readme: no test is called readme",
            ],
        )

    def test_other_pages_may_name_modules_and_functions(self):
        self.assertEqual(self.missing("`reply::deliver` `std::fs::read`", all_are_tests=False), [])
        self.assertEqual(self.missing("`faults::f01_a_child_that_goes`", False), ["faults::f01_a_child_that_goes"])


class Program(Tree):
    """scripts/house.py itself."""

    def house(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, HOUSE, "--root", self.root, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_clean_tree_passes_and_each_fault_is_named(self):
        self.write(**{"src/main.rs": "#![forbid(unsafe_code)]\n//! A program.\nfn main() {}\n"})
        self.write(**{"Cargo.toml": '[package]\nname = "root"\n', "SECURITY.md": "Nothing.\n"})
        ran = self.house("--all")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran.stdout)

        self.write(
            **{
                "src/main.rs": 'mod a; mod b; // What nobody says.\nfn main() { panic!("nobody may call") }\n',
                "src/a.rs": "use crate::b; struct Two;\n",
                "src/b.rs": "use crate::a; struct Two; fn f() { unsafe {} }\n",
                "crates/x/Cargo.toml": '[package]\nname = "x"\n',
                "crates/x/src/lib.rs": "",
                "crates/x/tests/t.rs": "// The watchdog.\n",
                "SECURITY.md": "`faults::f01_…`\n",
                **{f"src/long{n}.rs": "\n" * 401 for n in range(9)},
            }
        )
        ran = self.house("--all")
        self.assertEqual(ran.returncode, 1, ran.stdout)
        failed = "circles, headless, persons, messages, types, long-files, unsafe, layers, named-tests"
        self.assertEqual(ran.stdout.splitlines()[-1], f"house: failed: {failed}")
        self.assertIn("src/a.rs:1 → src/b.rs:1", ran.stdout)

    def test_comments_of_tests_benches_and_fuzz_have_the_limits_of_sources(self):
        self.write(**{"src/main.rs": "//! A program.\nfn main() {}\n"})
        for place in ("tests/a.rs", "benches/src/a.rs", "fuzz/a.rs", "crates/x/tests/a.rs", "crates/x/benches/a.rs"):
            with self.subTest(place):
                self.write(**{place: "// A test.\n" * 99 + "// What is tested.\n"})
                self.assertEqual(self.house("words").returncode, 0, "1 % is allowed")
                self.write(**{place: "// A test.\n" * 98 + "// What is tested.\n" * 2})
                ran = self.house("words")
                self.assertEqual(ran.stdout.splitlines()[-1], "house: failed: headless-in-tests")
                self.assertIn(f"    {place}:99: What is tested.", ran.stdout)
                self.write(**{place: "// A test.\n" * 99 + "// Nobody reads it.\n"})
                ran = self.house("words")
                self.assertEqual(ran.stdout.splitlines()[-1], "house: failed: persons-in-tests")
                (self.root / place).unlink()
        self.write(**{"src/tests.rs": "// A test.\n" * 96 + "// What is tested.\n" * 3, "tests/a.rs": "// A test.\n" * 900})
        ran = self.house("words")
        self.assertEqual(ran.stdout.splitlines()[-1], "house: failed: headless", "the figures are not mixed")

    def test_a_check_that_does_not_exist_is_an_error(self):
        self.assertEqual(self.house("wrods").returncode, 2)
        self.assertEqual(self.house().returncode, 2)


if __name__ == "__main__":
    unittest.main()
