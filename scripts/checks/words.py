"""How comments, messages and commit subjects read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .rust import comment_lines, tokens_of

# A sentence that begins with a pronoun in place of a noun, at the start of a line or within it. A question may.
HEADLESS = re.compile(
    r"""(?:^\W*|[.!?;:]\s)(?:Who|Whoever|What|Whom)\s(?!.*\?$)
      # Within a sentence: "whoever" in any place; "who" and "whom" where no noun is before them.
      | \bwhoever\b
      | [;:]\swhom?\s(?!.*\?$)
      | \b(?:for|of|by|[Oo]nly|but|than|where|if|when)\swho\s(?!.*\?$)
      | ,\swho\s[^,]*,\s(?:who|they|he|it)\s
    """,
    re.VERBOSE,
)
PERSONS = re.compile(r"\b(?:nobody|somebody|everybody|anybody)\b", re.IGNORECASE)


# The tests that a file ends with.
TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{", re.MULTILINE)


def messages(file: Path):
    """The lines of all strings of a file that may reach a user, with their numbers: those of tests do not."""
    if "tests" in file.parts or file.name in ("tests.rs", "testing.rs"):
        return
    text = file.read_text(encoding="utf-8")
    tests = TESTS.search(text)
    last = text.count("\n", 0, tests.start()) if tests else None
    for token in tokens_of(file):
        if token.kind not in ("string", "raw") or (last is not None and token.line > last):
            continue
        for offset, line in enumerate(token.text.strip('"').split("\n")):
            yield token.line + offset, line


class Comments:
    """The comment lines and messages of some files, and those of them that say it badly."""

    def __init__(self, files: list[Path]):
        self.lines = 0
        self.headless: list[str] = []
        self.persons: list[str] = []
        self.messages: list[str] = []
        for file in files:
            for number, text in comment_lines(file):
                self.lines += 1
                text = text.rstrip()
                shown = f"{file}:{number}: {text.strip()[:110]}"
                if HEADLESS.search(text):
                    self.headless.append(shown)
                if PERSONS.search(text):
                    self.persons.append(shown)
            for number, text in messages(file):
                if HEADLESS.search(text) or PERSONS.search(text):
                    self.messages.append(f"{file}:{number}: {text.strip()[:110]}")

    def percent(self, some: list[str]) -> float:
        return 100 * len(some) / max(1, self.lines)


def commit_subjects(root: Path, base: str) -> list[str] | None:
    """Abbreviated hash and subject of each commit since `base`, merges left out; none where git cannot tell."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "log", "--no-merges", "--format=%h %s", f"{base}..HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return listed.stdout.splitlines()
