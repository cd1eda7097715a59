"""Reads Rust source as far as the checks need it: tokens, comments, modules, items, imports and paths.

It is a lexer and a reader of items, not a compiler. It knows strings, raw strings, nested comments, lifetimes, nested
`use` trees, renames, globs, re-exports, inline modules, `#[path]`, imports inside functions, `macro_rules!` and paths
inside attributes such as `#[serde(with = "crate::a::b")]`. It does not expand macros: a path that a macro puts together
from pieces is not seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*)
  | (?P<block>/\*)
  | (?P<raw>(?:b|c)?r(?P<hashes>\#*)".*?"(?P=hashes))
  | (?P<string>(?:b|c)?"(?:[^"\\]|\\.)*")
  | (?P<char>b?'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]*\}|x[0-9a-fA-F]{2}|.))')
  | (?P<lifetime>'[^\W\d]\w*)
  | (?P<name>(?:r\#)?[^\W\d]\w*)
  | (?P<number>\d\w*)
  | (?P<colons>::)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
SPANS_LINES = {"space", "comment", "raw", "string"}
BLOCK_EDGE = re.compile(r"/\*|\*/")
PATH_IN_STRING = re.compile(r'"((?:\w+::)+\w+)"')

OPENING = {"(": ")", "[": "]", "{": "}"}
TYPE_KEYWORDS = {"struct", "enum", "union", "trait", "type"}
ITEM_KEYWORDS = TYPE_KEYWORDS | {"fn", "const", "static", "impl", "extern", "mod"}
MODIFIERS = {"pub", "unsafe", "async", "default"}


class Token(NamedTuple):
    kind: str
    text: str
    line: int


class Import(NamedTuple):
    """One leaf of a `use` tree: the path, the name it gets here, and whether it is a glob."""

    path: tuple[str, ...]
    name: str
    glob: bool
    line: int


@dataclass
class Module:
    """A module: a file, or a block `mod name { … }` within one."""

    file: Path
    path: tuple[str, ...]
    parent: Module | None
    is_test: bool = False
    children: dict[str, Module] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    # The paths that expressions, types and attributes name, with their lines.
    paths: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    # Single names and macro calls, for what globs and `#[macro_use]` bring in.
    names: dict[str, int] = field(default_factory=dict)
    macro_calls: dict[str, int] = field(default_factory=dict)
    # Items by name, with the line of the first definition.
    items: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    macros: dict[str, int] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)

    def below(self):
        """This module and all below it."""
        yield self
        for child in self.children.values():
            yield from child.below()


def tokens(text: str) -> list[Token]:
    """All tokens of a source text, comments included, white space left out."""
    found, at, line = [], 0, 1
    match_at, size = TOKEN.match, len(text)
    while at < size:
        match = match_at(text, at)
        kind, end = match.lastgroup, match.end()
        if kind == "block":
            end, kind = _end_of_block_comment(text, end), "comment"
        if kind != "space":
            found.append(Token(kind, text[at:end], line))
        if kind in SPANS_LINES:
            line += text.count("\n", at, end)
        at = end
    return found


def _end_of_block_comment(text: str, at: int) -> int:
    depth = 1
    while depth:
        edge = BLOCK_EDGE.search(text, at)
        if not edge:
            return len(text)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


@cache
def tokens_of(file: Path) -> tuple[Token, ...]:
    return tuple(tokens(file.read_text(encoding="utf-8")))


def comment_lines(file: Path):
    """Every line of every comment of a file: its number and the text without the comment marks."""
    for token in tokens_of(file):
        if token.kind != "comment":
            continue
        for offset, line in enumerate(token.text.split("\n")):
            yield token.line + offset, re.sub(r"^\s*(?://[/!]?|/\*[*!]?|\*(?!/))\s?|\s*\*/$", "", line)


@cache
def crate(root: Path) -> Module:
    """The tree of modules below a crate root (`lib.rs`, `main.rs`)."""
    module = Module(root, (), None)
    _Reader(module, inner_dir=root.parent).file()
    return module


def crate_roots(src: Path) -> list[Path]:
    """The crate roots in a `src` directory."""
    return [root for root in (src / "lib.rs", src / "main.rs", *sorted(src.glob("bin/*.rs"))) if root.is_file()]


class _Reader:
    """Fills a module from the tokens of its file."""

    def __init__(self, module: Module, inner_dir: Path):
        self.module = module
        # The directory in which `mod name;` looks for its file.
        self.inner_dir = inner_dir
        self.tokens = [token for token in tokens_of(module.file) if token.kind != "comment"]

    def file(self):
        self.items(self.module, self.inner_dir, 0, len(self.tokens))

    def text(self, at: int) -> str:
        return self.tokens[at].text if at < len(self.tokens) else ""

    def is_name(self, at: int) -> bool:
        return at < len(self.tokens) and self.tokens[at].kind == "name"

    def matching(self, at: int) -> int:
        """The position of the bracket that closes the one at `at`."""
        depth = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.kind == "sign":
                depth += (token.text in OPENING) - (token.text in OPENING.values())
                if not depth:
                    return at
            at += 1
        return at

    def end_of_item(self, at: int) -> int:
        """The position after the item, statement, field or match arm that begins at `at`."""
        while self.text(at) in MODIFIERS or self.text(at) == "(" or (self.text(at), self.text(at + 1)) == ("const", "fn"):
            at = self.matching(at) + 1 if self.text(at) == "(" else at + 1
        ends_with_semicolon = self.text(at) in ("use", "type", "const", "static", "let")
        has_commas = self.text(at) in ITEM_KEYWORDS | {"macro_rules"} or ends_with_semicolon
        while at < len(self.tokens):
            text = self.text(at)
            if text in OPENING:
                at = self.matching(at)
                if text == "{" and not ends_with_semicolon and self.text(at + 1) not in (",", ";", ".", "?"):
                    return at + 1
            elif text == ";" or (text == "," and not has_commas):
                return at + 1
            elif text in OPENING.values():
                return at
            at += 1
        return at

    def items(self, module: Module, inner_dir: Path, at: int, end: int):
        """Reads the items of a module."""
        is_test_item, is_test_fn, path = False, False, None
        while at < end:
            text = self.text(at)
            if text == "#":
                start, at = at, self.after_attribute(at)
                words = [token.text for token in self.tokens[start:at]]
                is_test_item = is_test_item or _is_cfg_test(words)
                is_test_fn = is_test_fn or _is_test_attribute(words)
                if "path" in words[:3] and words[-2][:1] == '"':
                    path = words[-2].strip('"')
                self.attribute(module, start, at)
                continue
            if text == "mod" and self.is_name(at + 1):
                at = self.mod(module, inner_dir, at, is_test_item or module.is_test, path)
            elif text == "pub":
                at += 1
                if self.text(at) == "(":
                    at = self.matching(at) + 1
                continue
            elif is_test_item and not module.is_test:
                at = self.end_of_item(at)
            elif text == "macro_rules" and self.text(at + 1) == "!":
                name, line = self.text(at + 2), self.tokens[at].line
                module.macros.setdefault(name, line)
                module.items.setdefault(name, line)
                close = self.matching(at + 3)
                self.body(module, at + 3, close)
                at = close + 1
            else:
                at = self.item(module, at, is_test_fn)
            is_test_item, is_test_fn, path = False, False, None

    def mod(self, module: Module, inner_dir: Path, at: int, is_test: bool, path: str | None) -> int:
        name = self.text(at + 1).removeprefix("r#")
        child_path = (*module.path, name)
        module.items.setdefault(name, self.tokens[at].line)
        if self.text(at + 2) == "{":
            child = Module(module.file, child_path, module, is_test)
            module.children[name] = child
            end = self.matching(at + 2)
            self.items(child, inner_dir / name, at + 3, end)
            return end + 1
        # The path in an attribute counts from the directory of the file that it stands in.
        places = [module.file.parent / path] if path else [inner_dir / f"{name}.rs", inner_dir / name / "mod.rs"]
        for file in places:
            if file.is_file():
                child = Module(file, child_path, module, is_test)
                module.children[name] = child
                _Reader(child, file.parent if file.name == "mod.rs" or path else inner_dir / name).file()
                break
        return at + 3

    def item(self, module: Module, at: int, is_test_fn: bool) -> int:
        """Reads one item that is no module: notes what it defines, and reads its body for paths."""
        start, line = at, self.tokens[at].line
        end = self.end_of_item(at)
        while at < end:
            text = self.text(at)
            if text == "use":
                break
            if text in ITEM_KEYWORDS and self.is_name(at + 1) and self.text(at + 1) not in ITEM_KEYWORDS:
                name = self.text(at + 2 if self.text(at + 1) == "mut" else at + 1)
                if text in ("extern", "impl"):
                    break
                module.items.setdefault(name, line)
                if text in TYPE_KEYWORDS:
                    module.types.setdefault(name, self.tokens[at].line)
                if text == "fn" and is_test_fn:
                    module.tests.append(name)
                break
            if text in OPENING or text == "impl":
                break
            at += 1
        self.body(module, start, end)
        return max(end, start + 1)

    def after_attribute(self, at: int) -> int:
        return self.matching(at + 2 if self.text(at + 1) == "!" else at + 1) + 1

    def attribute(self, module: Module, start: int, end: int):
        """Paths in an attribute's strings, as serde takes them, and outside of strings."""
        for token in self.tokens[start:end]:
            match = PATH_IN_STRING.fullmatch(token.text) if token.kind == "string" else None
            if match:
                module.paths.append((tuple(match[1].split("::")), token.line))
        self.paths(module, start, end)

    def body(self, module: Module, at: int, end: int):
        """Reads everything else: imports inside functions, paths, calls of macros, tests inside macros."""
        plain = at
        while at < end:
            text = self.text(at)
            if text == "#" and self.text(at + 1) in ("[", "!"):
                self.paths(module, plain, at)
                start, at = at, self.after_attribute(at)
                words = [token.text for token in self.tokens[start:at]]
                self.attribute(module, start, at)
                if _is_cfg_test(words) and not module.is_test:
                    at = self.end_of_item(at)
                elif _is_test_attribute(words):
                    following = next((i for i in range(at, min(at + 40, end)) if self.text(i) == "fn"), None)
                    if following is not None:
                        module.tests.append(self.text(following + 1))
                plain = at
            elif text == "use" and self.text(at + 1) != "<":
                self.paths(module, plain, at)
                at = self.use(module, at)
                plain = at
            else:
                at += 1
        self.paths(module, plain, end)

    def use(self, module: Module, at: int) -> int:
        end = at
        while end < len(self.tokens) and self.text(end) != ";":
            end += 1
        # A leading `::` names another crate.
        if self.text(at + 1) != "::":
            self.use_tree(module, (), at + 1, end)
        return end + 1

    def use_tree(self, module: Module, prefix: tuple[str, ...], at: int, end: int) -> int:
        """One tree of a `use`; returns the position behind it."""
        path, line = list(prefix), self.tokens[at].line
        while at < end:
            text = self.text(at)
            if text == "{":
                at += 1
                while at < end and self.text(at) != "}":
                    at = self.use_tree(module, tuple(path), at, end)
                    if self.text(at) == ",":
                        at += 1
                return at + 1
            if text == "*":
                module.imports.append(Import(tuple(path), "*", True, line))
                return at + 1
            if text == "::":
                at += 1
                continue
            if self.is_name(at) and text != "as":
                path.append(text.removeprefix("r#"))
                at += 1
                if self.text(at) == "::":
                    continue
                if path[-1] == "self" and len(path) > 1:
                    path.pop()
                name = path[-1]
                if self.text(at) == "as":
                    name = self.text(at + 1)
                    at += 2
                module.imports.append(Import(tuple(path), name, False, line))
                return at
            return at + 1
        return at

    def paths(self, module: Module, at: int, end: int):
        """Notes the paths, single names and macro calls between two positions."""
        while at < end:
            if not self.is_name(at):
                # What follows `::` here belongs to a path that begins with a crate or a type in brackets.
                at += 2 if self.text(at) == "::" and self.is_name(at + 1) else 1
                continue
            line, path = self.tokens[at].line, [self.text(at).removeprefix("r#")]
            while self.text(at + 1) == "::" and self.is_name(at + 2) and at + 2 < end:
                path.append(self.text(at + 2).removeprefix("r#"))
                at += 2
            at += 1
            if self.text(at) == "!" and self.text(at + 1) in OPENING:
                if len(path) == 1:
                    module.macro_calls.setdefault(path[0], line)
            if len(path) > 1:
                module.paths.append((tuple(path), line))
            else:
                module.names.setdefault(path[0], line)


def _is_cfg_test(words: list[str]) -> bool:
    """`#[cfg(test)]` and `#[cfg(all(test, …))]`: what they stand on is in no build but a test's."""
    text = "".join(words)
    return text.startswith(("#[cfg(test)", "#[cfg(all(test,", "#![cfg(test)"))


def _is_test_attribute(words: list[str]) -> bool:
    """`#[test]`, `#[tokio::test]` and the like."""
    path = []
    for word in words[2:]:
        if word in ("]", "("):
            break
        path.append(word)
    return bool(path) and path[-1] == "test"
