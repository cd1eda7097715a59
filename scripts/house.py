#!/usr/bin/env python3
"""The rules of the house that no compiler checks: imports, names, sizes, words, and tests that documents name.

    scripts/house.py --all            every check; fails if a figure is above its limit
    scripts/house.py words types      some of them
    scripts/house.py --verbose …      the places also where the limit holds
    scripts/house.py --list           the names of the checks

Python 3.11 and its standard library are enough. `python3 -m unittest discover -s scripts -t scripts` tests the checks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True

from checks import imports, layers, named, words  # noqa: E402


# The most that each check lets pass, and its unit.
LIMITS = {
    "circles": (0, "files in circles of imports"),
    "headless": (1.0, "% of comment lines with a sentence that begins with What, Who, Whoever or Whom, or with a clause of who alone"),
    "persons": (0.2, "% of comment lines with nobody, somebody, everybody or anybody"),
    "headless-in-tests": (1.0, "% of comment lines of tests, benches and fuzz with such a sentence or clause"),
    "persons-in-tests": (0.2, "% of comment lines of tests, benches and fuzz with such a word"),
    "messages": (0, "lines of messages with such a sentence or word"),
    "subjects": (0, "commit subjects over 72 characters"),
    "types": (0, "names that a crate gives to two types"),
    "long-files": (8, "source files over 400 lines"),
    "unsafe": (0, "places of unsafe code, or crates that do not forbid it"),
    "layers": (0, "lines below the root, tests included, that name Config, a program that bandog replaces, or a habit of one"),
    "named-tests": (0, "tests, files and commands that documents name and that do not exist"),
}

LONGEST_FILE = 400  # lines; a longer one holds two nouns
LONGEST_SUBJECT = 72  # characters; what git log and mail show of a subject
# The last commit before the rule for subjects.
SUBJECTS_SINCE = "1d3a1265a0e00a3f7a5252256778b3b33a21b793"

# The repository that this script belongs to.
OWN_ROOT = Path(__file__).resolve().parent.parent

# The only code that may be unsafe.
UNSAFE_ALLOWED = ("crates/process/src",)

# Where a crate below the root may name what only the platforms know: path → name → the reason.
LAYER_EXCEPTIONS: dict[str, dict[str, str]] = {
    "crates/http/src/resolver.rs": {"Config": "the type of that name of the HTTP client"},
}

# Pages on which every path in code is one of a test, and the pages that may name some.
PAGES_OF_TESTS = ("SECURITY.md",)
OTHER_PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "benches/README.md", "findings/README.md")


class Measured(NamedTuple):
    """A figure, the limit it is held against, and the places that make it up."""

    limit: str
    figure: float
    places: list[str]
    note: str = ""


class House:
    """The repository, as the checks see it. Each method that ends in `_check` is one."""

    def __init__(self, root: Path):
        self.root = root
        self.sources = [src for src in [root / "src", *sorted(root.glob("crates/*/src"))] if src.is_dir()]
        self.files = [file for src in self.sources for file in sorted(src.rglob("*.rs"))]
        others = ("tests", "benches", "fuzz", "crates/*/tests", "crates/*/benches")
        self.other_files = sorted(
            file
            for pattern in others
            for directory in root.glob(pattern)
            for file in directory.rglob("*.rs")
            if "target" not in file.relative_to(root).parts
        )

    def shown(self, path: Path) -> str:
        return str(path.relative_to(self.root))

    def circles_check(self):
        """Circles of imports between the source files of each crate."""
        count, places = 0, []
        for src in self.sources:
            graph = imports.edges(src)
            for circle in imports.circles(graph):
                count += len(circle)
                way = imports.shortest_circle(graph, circle)
                arrows = [f"{self.shown(a)}:{graph[a][b]}" for a, b in zip(way, way[1:], strict=False)]
                names = ", ".join(file.relative_to(src).as_posix() for file in circle)
                places.append(f"{len(circle)} files of {self.shown(src)}: {names}; one way round: {' → '.join(arrows)}")
        yield Measured("circles", count, places, f"{len(places)} circles")

    def words_check(self):
        """Words in comments that stand in place of a noun, and the length of commit subjects."""
        comments, others = words.Comments(self.files), words.Comments(self.other_files)
        for suffix, read in (("", comments), ("-in-tests", others)):
            for limit, places in (("headless", read.headless), ("persons", read.persons)):
                note = f"{len(places)} of {read.lines}"
                yield Measured(f"{limit}{suffix}", read.percent(places), places, note)
        yield Measured("messages", len(comments.messages), comments.messages)
        subjects = words.commit_subjects(self.root, SUBJECTS_SINCE)
        if subjects is None:
            yield Measured("subjects", 0, [], f"not checked: git knows no {SUBJECTS_SINCE[:7]} here")
        else:
            long = [line for line in subjects if len(line.split(" ", 1)[-1]) > LONGEST_SUBJECT]
            yield Measured("subjects", len(long), long, f"of {len(subjects)}")

    def types_check(self):
        """Types of one name within a crate, tests left out."""
        places = [f"{self.shown(src)}: {found}" for src in self.sources for found in layers.types_of_one_name(src)]
        yield Measured("types", len(places), [place.replace(f"{self.root}/", "") for place in places])

    def files_check(self):
        """The length of source files."""
        def long(files):
            lengths = ((len(file.read_text(encoding="utf-8").splitlines()), file) for file in files)
            return sorted(((n, self.shown(file)) for n, file in lengths if n > LONGEST_FILE), reverse=True)

        here, there = long(self.files), long(self.other_files)
        note = f"tests, benches and fuzz: {len(there)}"
        yield Measured("long-files", len(here), [f"{name}: {n} lines" for n, name in here], note)

    def unsafe_check(self):
        """Unsafe code outside the crate that has it, and crates that do not forbid it."""
        allowed = [self.root / place for place in UNSAFE_ALLOWED]
        found = layers.unsafe_code(self.files, allowed)
        manifests = [src.parent / "Cargo.toml" for src in self.sources if src not in allowed]
        forbidden = [layers.forbids_unsafe(manifest, self.root / "Cargo.toml") for manifest in manifests]
        found += [f"{manifest}: forbids no unsafe code" for manifest, so in zip(manifests, forbidden, strict=True) if not so]
        yield Measured("unsafe", len(found), found)

    def layers_check(self):
        """Names of the replaced programs, and of the settings as a whole, below the root."""
        files = [file for file in self.files + self.other_files if self.root / "crates" in file.parents]
        found = layers.foreign_names(files, LAYER_EXCEPTIONS, self.root)
        if self.root == OWN_ROOT:
            # Another tree need not have the files that the exceptions are for.
            found += layers.unused_exceptions(LAYER_EXCEPTIONS, self.root)
        yield Measured("layers", len(found), found)

    def named_check(self):
        """Tests, files and commands that documents name."""
        tests = named.Tests(self.root)
        found = []
        for pages, all_are_tests in ((PAGES_OF_TESTS, True), (OTHER_PAGES, False)):
            for page in sorted(page for pattern in pages for page in self.root.glob(pattern)):
                found += named.missing(page, tests, all_are_tests)
        yield Measured("named-tests", len(found), found, f"{len(tests.paths)} tests known")


CHECKS = [name.removesuffix("_check") for name in vars(House) if name.endswith("_check")]


def main() -> int:
    """Runs the checks that are asked for; the exit status is 1 if a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"one of: {', '.join(CHECKS)}")
    parser.add_argument("--all", action="store_true", help="every check")
    parser.add_argument("--verbose", action="store_true", help="show the places also where a limit holds")
    parser.add_argument("--list", action="store_true", help="print the names of the checks")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the repository")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CHECKS))
        return 0
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown or not (options.checks or options.all):
        parser.error(f"unknown check {unknown[0]}" if unknown else "name a check, or --all")
    house = House(options.root.resolve())
    failed = []
    for check in options.checks or CHECKS:
        for limit, figure, places, note in getattr(house, f"{check}_check")():
            most, unit = LIMITS[limit]
            holds = figure <= most + 1e-9
            print(f"house: {limit}: {_figure(figure)} {unit}" + (f" ({note})" if note else ""))
            if not holds or options.verbose:
                print("".join(f"    {place.replace(f'{house.root}/', '')}\n" for place in places), end="")
            if not holds:
                print(f"house: {limit}: FAILED: at most {_figure(most)}")
                failed.append(limit)
    if failed:
        print(f"house: failed: {', '.join(failed)}")
    return 1 if failed else 0


def _figure(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
