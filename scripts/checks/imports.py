"""Circles of imports between the source files of a crate.

A file imports another if it names something that the other defines, or that the other re-exports; a name that goes
through a re-export counts for the file that re-exports it and for the file that defines it. Code of tests does not
count. Neither do imports of the file of one's own folder (`a/b.rs` of `a.rs`), of `lib.rs`, `main.rs` and `mod.rs`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from .rust import Module, crate, crate_roots

Edges = dict[Path, dict[Path, int]]


def edges(src: Path) -> Edges:
    """The imports between the files of a crate: file → imported file → the line of the first such import."""
    found: Edges = defaultdict(dict)
    for root in crate_roots(src):
        top = crate(root)
        macros = {name: module for module in top.below() for name in module.macros}
        for module in top.below():
            if module.is_test:
                continue
            for target, line in _targets(top, module, macros):
                if target != module.file and not _is_folder_of(target, module.file):
                    found[module.file].setdefault(target, line)
    return found


def circles(graph: Edges) -> list[list[Path]]:
    """The strongly connected components of more than one file (Tarjan, without recursion), largest first."""
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    on_stack: set[Path] = set()
    found = []
    for start in sorted(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph.get(start, ()))))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, rest = work[-1]
            for following in rest:
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    on_stack.add(following)
                    work.append((following, iter(sorted(graph.get(following, ())))))
                    break
                if following in on_stack:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    if len(component) > 1:
                        found.append(sorted(component))
    return sorted(found, key=lambda component: (-len(component), component))


def shortest_circle(graph: Edges, files: list[Path]) -> list[Path]:
    """A shortest way through some of `files` that ends where it begins."""
    inside, best = set(files), None
    for start in files:
        before: dict[Path, Path] = {}
        queue = [start]
        for node in queue:
            for following in sorted(graph.get(node, ())):
                if following == start:
                    way = [node]
                    while way[-1] != start:
                        way.append(before[way[-1]])
                    if best is None or len(way) < len(best):
                        best = way[::-1]
                elif following in inside and following not in before:
                    before[following] = node
                    queue.append(following)
    return [*best, best[0]] if best else []


def _is_folder_of(target: Path, file: Path) -> bool:
    return target.name in ("lib.rs", "main.rs", "mod.rs") or target.with_suffix("") in file.parents


def _targets(top: Module, module: Module, macros: dict[str, Module]):
    """The files that a module names, with lines."""
    for use in module.imports:
        for file in _files_of(top, module, use.path):
            yield file, use.line
        if use.glob:
            source = _module_at(top, module, use.path)
            # What a glob brings in is known by the names that this module uses and does not define.
            for name, line in module.names.items() if source else ():
                if name not in module.items and _defines(source, name):
                    for file in _files_of(top, source, (name,)):
                        yield file, line
    for path, line in module.paths:
        for file in _files_of(top, module, path):
            yield file, line
    for name, line in module.macro_calls.items():
        if name in macros and not any(use.name == name for use in module.imports):
            yield macros[name].file, line


def _defines(module: Module, name: str) -> bool:
    return name in module.children or name in module.items or any(use.name == name for use in module.imports)


def _start(top: Module, module: Module, path: tuple[str, ...]) -> tuple[Module | None, tuple[str, ...]]:
    """The module that a path begins in, and the rest of the path; none for a path into another crate."""
    first, rest = path[0], path[1:]
    if first == "crate":
        return top, rest
    if first == "self":
        return module, rest
    if first == "super":
        module = module.parent
        while rest and rest[0] == "super" and module:
            module, rest = module.parent, rest[1:]
        return module, rest
    # `use uuid;` and `use log::{self, Level}` name a crate, which is not one of ours.
    is_crate = first not in module.children and any(use.name == use.path[0] == first for use in module.imports if use.path)
    known = _defines(module, first) or any(use.glob for use in module.imports)
    return (module, path) if known and not is_crate else (None, path)


def _module_at(top: Module, module: Module, path: tuple[str, ...]) -> Module | None:
    """The module that a path names, if it names one of this crate."""
    at, rest = _start(top, module, path) if path else (module, ())
    for name in rest:
        if not at:
            return None
        alias = next((use for use in at.imports if use.name == name and not use.glob), None)
        if name in at.children:
            at = at.children[name]
        elif alias and alias.path != path:
            at = _module_at(top, at, alias.path)
        else:
            return None
    return at


def _files_of(top: Module, module: Module, path: tuple[str, ...], seen: frozenset = frozenset()) -> set[Path]:
    """The files that a path leads to: where its last known name is defined, and each that re-exports it."""
    if not path or (id(module), path) in seen:
        return set()
    seen |= {(id(module), path)}
    at, rest = _start(top, module, path)
    if at is None:
        return set()
    for position, name in enumerate(rest):
        if name in at.children:
            at = at.children[name]
            continue
        if name in at.items:
            break
        for use in at.imports:
            if use.name == name and not use.glob:
                onward = _files_of(top, at, use.path + rest[position + 1 :], seen)
                return onward | {at.file} if onward else {at.file}
        for use in at.imports:
            source = _module_at(top, at, use.path) if use.glob else None
            if source and source is not at and _defines(source, name):
                return _files_of(top, source, rest[position:], seen) | {at.file}
        # A name of another crate, a variant, or one that a macro makes.
        return {at.file} if path[0] in ("crate", "self", "super") or position else set()
    return {at.file}
