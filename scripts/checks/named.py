"""Tests, files and commands that the documentation names.

A test is named as SECURITY.md does: `suite::test`, `module::tests`, `src/module` (its tests), `src/module: test`. An
ellipsis stands for any letters, and modules between the first name and the last may be left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from .rust import crate, crate_roots

SPAN = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"[a-z0-9_…]+(?:::[a-z0-9_…]+)+")
SHORT_TEST = re.compile(r"[a-z0-9_]*_…[a-z0-9_…]*")
PLACE = re.compile(r"((?:src|crates|tests|benches|fuzz)/[\w/.-]*)(?:: ([a-z0-9_…]+))?")
CARGO_TEST = re.compile(r"\bcargo test\b([^`\n|;&]*)")

# Words that explain the form.
FORM = {"suite::test"}


class Tests:
    """Every test of the repository: its full path, and the file that holds it."""

    def __init__(self, root: Path):
        self.root = root
        self.paths: list[str] = []
        self.files: list[tuple[Path, str]] = []
        self.integration: dict[str, list[str]] = {}
        self.packages: dict[str, list[str]] = {}
        for manifest in [root / "Cargo.toml", *sorted(root.glob("crates/*/Cargo.toml"))]:
            self._package(manifest)

    def _package(self, manifest: Path):
        directory = manifest.parent
        found = re.search(r'^name = "([\w-]+)"', manifest.read_text(encoding="utf-8"), re.MULTILINE)
        package = found[1] if found else directory.name
        mine = self.packages.setdefault(package, [])
        short = directory.name.replace("-", "_")
        for unit in crate_roots(directory / "src"):
            mine += self._crate(unit, [] if directory == self.root else [short])
        for suite in [*directory.glob("tests/*/main.rs"), *directory.glob("tests/*.rs")]:
            name = suite.parent.name if suite.name == "main.rs" else suite.stem
            tests = self._crate(suite, [])
            self.integration.setdefault(name, []).extend(tests)
            mine += tests

    def _crate(self, root: Path, prefix: list[str]) -> list[str]:
        found = []
        for module in crate(root).below():
            for test in module.tests:
                path = "::".join([*prefix, *module.path, test])
                found.append(path)
                self.files.append((module.file, path))
        self.paths += found
        return found

    def has(self, pattern: str) -> bool:
        """Whether a test, or a module with tests, has such a path."""
        first, *rest = pattern.removeprefix("crate::").split("::")
        between = r"::(?:\w+::)*?"
        regex = re.compile(r"(?:\w+::)??" + between.join(_letters(part) for part in [first, *rest]) + r"(?:::.*)?")
        return any(regex.fullmatch(path) for path in self.paths)

    def has_short(self, pattern: str) -> bool:
        """Whether a test has such a last name."""
        regex = re.compile(_letters(pattern))
        return any(regex.fullmatch(path.rsplit("::", 1)[-1]) for path in self.paths)

    def has_below(self, place: Path, pattern: str | None) -> bool:
        """Whether a file, or the directory of that name, holds a test."""
        regex = re.compile(_letters(pattern or "…"))
        inside = (self.root / place, (self.root / place).with_suffix(""), (self.root / place).with_suffix(".rs"))
        return any(
            regex.fullmatch(path.rsplit("::", 1)[-1])
            for file, path in self.files
            if any(file == one or one in file.parents for one in inside)
        )


def _letters(pattern: str) -> str:
    return re.escape(pattern).replace("…", r"\w*")


def missing(page: Path, tests: Tests, all_are_tests: bool) -> list[str]:
    """What a page names and the repository does not have.

    On a page where `all_are_tests`, every path in code is one of a test; on the others only one whose first name is a
    suite's, or a crate's, and whose last is as long as a sentence.
    """
    found = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for span in SPAN.findall(line):
            if span in FORM:
                continue
            if TEST.fullmatch(span):
                is_test = all_are_tests or span.rsplit("::", 1)[-1].count("_") >= 3
                known = not is_test or tests.has(span)
            elif all_are_tests and SHORT_TEST.fullmatch(span):
                known = tests.has_short(span)
            elif place := PLACE.fullmatch(span):
                # From the root, or beside the page.
                there = [tests.root / place[1], page.parent / place[1]]
                known = any(one.exists() or one.with_suffix(".rs").exists() for one in there)
                if known and place[1].startswith(("src/", "crates/")) and (all_are_tests or place[2]):
                    known = tests.has_below(Path(place[1]), place[2])
            else:
                continue
            if not known:
                found.append(f"{page}:{number}: {span}")
        for arguments in CARGO_TEST.findall(line):
            if wrong := _wrong_command(arguments.split(), tests):
                found.append(f"{page}:{number}: cargo test{arguments.rstrip()}: {wrong}")
    return found


def _wrong_command(words: list[str], tests: Tests) -> str | None:
    """Why `cargo test` with these words finds nothing, if so."""
    among, filters = tests.paths, []
    words = iter(words)
    for word in words:
        if word == "--":
            break
        if word == "--test":
            name = next(words, "")
            if name not in tests.integration:
                return f"no test {name}"
            among = tests.integration[name]
        elif word in ("-p", "--package"):
            name = next(words, "")
            if name not in tests.packages:
                return f"no package {name}"
            among = tests.packages[name]
        elif word.startswith("-") or not re.fullmatch(r"[\w:]+", word):
            continue
        else:
            filters.append(word)
    lost = [one for one in filters if not any(one in path for path in among)]
    return f"no test is called {lost[0]}" if lost else None
