"""How comments and commit subjects read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .rust import comment_lines

# A sentence that begins with a pronoun in place of a noun, at the start of a line or within it. A question may.
HEADLESS = re.compile(r"(?:^\W*|[.!?;:]\s)(?:Who|Whoever|What|Whom)\s(?!.*\?$)")
PERSONS = re.compile(r"\b(?:nobody|somebody|everybody|anybody)\b", re.IGNORECASE)


class Comments:
    """The comment lines of some files, and those of them that say it badly."""

    def __init__(self, files: list[Path]):
        self.lines = 0
        self.headless: list[str] = []
        self.persons: list[str] = []
        for file in files:
            for number, text in comment_lines(file):
                self.lines += 1
                text = text.rstrip()
                shown = f"{file}:{number}: {text.strip()[:110]}"
                if HEADLESS.search(text):
                    self.headless.append(shown)
                if PERSONS.search(text):
                    self.persons.append(shown)

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
