"""Names and keywords that have their place in some crates only, and types that have one name twice."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from .rust import crate, crate_roots, tokens_of

# The programs that bandog takes the place of, and the type that is on top of all settings.
FOREIGN = {
    "Config": re.compile(r"\bConfig\b"),
    "OpenFaaS": re.compile(r"openfaas", re.IGNORECASE),
    "OSCAR": re.compile(r"\boscar", re.IGNORECASE),
    "faas-supervisor": re.compile(r"faas[-_ ]?supervisor", re.IGNORECASE),
    "supervisor": re.compile(r"\bsupervisors?\b", re.IGNORECASE),
    "watchdog": re.compile(r"watchdog", re.IGNORECASE),
    # Those of their variables that are no word of bandog's own as well (such as max_inflight).
    "variable": re.compile(
        r"\b(?:fprocess|function_process|upstream_url|http_upstream_url|static_path|prefix_logs|log_buffer_size"
        r"|log_call_?id|marshal_request|combine_output|cgi_headers|write_debug|debug_headers|suppress_lock"
        r"|healthcheck_interval|write_timeout|hard_timeout|buffer_http|http_buffer_req_body|jwt_auth\w*|oauth_enabled)\b"
    ),
    # The realm of their tokens.
    "realm": re.compile(r"IAM function"),
}


def foreign_names(files: Iterable[Path], exceptions: dict[str, dict[str, str]], root: Path) -> list[str]:
    """The lines that name one of FOREIGN, but for those that `exceptions` (path → name → reason) lists."""
    found = []
    for file in files:
        allowed = exceptions.get(str(file.relative_to(root)), {})
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for name, pattern in FOREIGN.items():
                if name not in allowed and pattern.search(line):
                    found.append(f"{file}:{number}: {name}: {line.strip()[:100]}")
    return found


def unused_exceptions(exceptions: dict[str, dict[str, str]], root: Path) -> list[str]:
    """The exceptions that nothing needs any more."""
    found = []
    for path, names in exceptions.items():
        text = (root / path).read_text(encoding="utf-8") if (root / path).is_file() else ""
        found += [f"{path}: the exception for {name} is not needed" for name in names if not FOREIGN[name].search(text)]
    return found


def unsafe_code(files: Iterable[Path], allowed: list[Path]) -> list[str]:
    """The places of the keyword `unsafe` outside the directories and files that may have it."""
    return [
        f"{file}:{token.line}: unsafe"
        for file in files
        if not any(file == place or place in file.parents for place in allowed)
        for token in tokens_of(file)
        if token.kind == "name" and token.text == "unsafe"
    ]


def forbids_unsafe(manifest: Path, workspace: Path) -> bool:
    """Whether a crate forbids unsafe code: by its lints, by those of the workspace, or in each of its roots."""
    own = _toml(manifest).get("lints", {})
    if own.get("workspace"):
        own = _toml(workspace).get("workspace", {}).get("lints", {})
    lint = own.get("rust", {}).get("unsafe_code")
    if (lint.get("level") if isinstance(lint, dict) else lint) == "forbid":
        return True
    roots = crate_roots(manifest.parent / "src")
    texts = ("".join(token.text for token in tokens_of(root) if token.kind != "comment") for root in roots)
    return bool(roots) and all(re.search(r"#!\[forbid\((?:\w+,)*unsafe_code\b", text) for text in texts)


def _toml(file: Path) -> dict:
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def types_of_one_name(src: Path) -> list[str]:
    """Each name that two modules of a crate give to a type (struct, enum, union, trait, type alias), tests left out."""
    places = defaultdict(set)
    for root in crate_roots(src):
        for module in crate(root).below():
            for name, line in {} if module.is_test else module.types.items():
                places[name].add((module.file, module.path, line))
    return [
        f"{name}: {', '.join(sorted(f'{file}:{line}' for file, _, line in where))}"
        for name, where in sorted(places.items())
        if len(where) > 1
    ]
