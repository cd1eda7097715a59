#!/usr/bin/env python3
"""Counts the work of a small request: system calls and instructions of bandog itself, for one binary or several.

    benches/counts.py BINARY…                 a table in Markdown, one row for each binary
    benches/counts.py --floor BENCH BINARY…   a row for the floor as well; BENCH is the program of this directory
    benches/counts.py --calls BINARY…         the system calls of one request, by name
    benches/counts.py --time BINARY…          the processor time of bandog's own threads for one request

The request is the one of the small case (`benches/src/small.rs`). Each figure is a difference of two runs, one with
many requests and one with few, so that start and end fall out; the table has the median of the rounds and, in brackets,
the least and the most. The binaries take turns. `strace` counts the calls, by the rules of
`tests/integration/cost.rs`; `valgrind --tool=callgrind` counts the instructions in user space, without those of the
function. Both run on this machine's kernel, whose cgroups and limits decide about some calls.
"""

from __future__ import annotations

import argparse
import base64
import collections
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

FEW = 20
SCRIPT = 'cat "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/out.bin"\n'
TELL = 'cat /proc/$$/environ > "$TMP_OUTPUT_DIR/out.bin"\n'
INPUT, ANSWER = b"hello\n", b"aGVsbG8K"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
# Seconds; valgrind makes everything some fifty times slower.
PATIENCE = 60
# The log is off where calls are counted: its thread writes in bursts, and more often on a slow machine.
WITHOUT_LOG = ("--log-level", "CRITICAL")


class Failed(Exception):
    """A run that did not go as it should."""


class Server(NamedTuple):
    """A program that answers the request: bandog, or the floor in the same environment as a function of bandog."""

    binary: pathlib.Path
    name: str
    # The environment of the floor's function; none for bandog, which makes it.
    told: tuple[bytes, ...] | None = None

    def command(self, home: pathlib.Path, flags: tuple[str, ...]) -> list[str | bytes]:
        function = ["/bin/sh", str(home / "script.sh")]
        if self.told is not None:
            return [str(self.binary), "floor", str(home / "workspace"), *self.told, "--", *function]
        address = ["--listen", "127.0.0.1:0", "--address-file", str(home / "address")]
        return [str(self.binary), "serve", *address, "--workspace", str(home / "workspace"), *flags, "--", *function]

    def run(self, home: pathlib.Path, requests: int, under=(), flags=WITHOUT_LOG, script=SCRIPT, met=None) -> bytes:
        """Starts it under a program, sends so many requests on one connection, stops it; returns the last answer.

        `met` is called with the process id and the number of the requests that have been answered.
        """
        (home / "workspace").mkdir()
        (home / "script.sh").write_text(script)
        # The floor tells its address there.
        output = home / "address" if self.told is not None else os.devnull
        with open(home / "errors", "wb") as errors, open(output, "wb") as stdout:
            command = [*under, *self.command(home, flags)]
            child = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors)
        try:
            answer = b""
            with socket.create_connection(self.address(home, child), PATIENCE) as connection:
                for number in range(requests):
                    answer = ask(connection)
                    if met:
                        met(child.pid, number + 1)
            self.signal(child, signal.SIGTERM)
            if child.wait(PATIENCE) not in ([0] if self.told is None else [-signal.SIGTERM]):
                raise Failed(f"{self.name} ended with {child.returncode}")
            return answer
        finally:
            if child.poll() is None:
                self.signal(child, signal.SIGKILL)
                child.kill()
                child.wait()

    def address(self, home: pathlib.Path, child: subprocess.Popen) -> tuple[str, int]:
        end = time.monotonic() + PATIENCE
        while not ((home / "address").exists() and (home / "address").read_text().endswith("\n")):
            if child.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} did not start: {(home / 'errors').read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        host, port = (home / "address").read_text().strip().rsplit(":", 1)
        return host, int(port)

    def signal(self, child: subprocess.Popen, which: signal.Signals) -> None:
        """Sends a signal to the server itself: the started process, or the child of strace, which passes none on."""
        children = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        own = [pid for pid in map(int, children) if executable(pid) == self.binary]
        os.kill(own[0] if own else child.pid, which)


def executable(pid: int) -> pathlib.Path | None:
    try:
        return pathlib.Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return None


def ask(connection: socket.socket) -> bytes:
    """Sends one request in one piece, and returns the body of its answer."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(INPUT)}\r\n\r\n"
    connection.sendall(head.encode() + INPUT)
    got, body, length = b"", b"", None
    while length is None or len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise Failed(f"the connection ended after {got!r}")
        got += piece
        head, found, body = got.partition(b"\r\n\r\n")
        if found:
            length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"an answer that is not 200: {got!r}")
    return body


def temporary() -> tempfile.TemporaryDirectory:
    """A directory for one run. All names have one length, which is a part of the function's environment, and none is one
    of bandog's own: a bandog that starts beside this removes what looks like a left workspace."""
    return tempfile.TemporaryDirectory(prefix="counts-")


def floor(bench: pathlib.Path, bandog: Server) -> Server:
    """The floor, with the environment that bandog gives its function."""
    with temporary() as directory:
        told = base64.b64decode(bandog.run(pathlib.Path(directory), 1, script=TELL))
    return Server(bench, "the floor", tuple(told.rstrip(b"\0").split(b"\0")))


def count_calls(trace: str) -> tuple[collections.Counter, int]:
    """The system calls of the server's own threads, by name, and those of its children before they become programs."""
    threads: dict[str, list[str]] = collections.defaultdict(list)
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        name = call.lstrip().split("(")[0]
        # The second half of an interrupted call, a signal or an end is no call. A signal that was ignored when this
        # started has to be given its default back.
        if re.fullmatch(r"[a-z0-9_]+", name) and "F_GETFD" not in call and name != "rt_sigaction":
            threads[thread].append(name)
    first = trace.split(" ", 1)[0]
    own, of_children = collections.Counter(), 0
    for thread, names in threads.items():
        if thread == first or "execve" not in names:
            own.update(names)
        else:
            before = names[: names.index("execve")]
            of_children += len(before) + 1 if "setpgid" in before else 0
    return own, of_children


def calls(server: Server, requests: int) -> tuple[dict[str, float], float]:
    """System calls of one request: the server's own by name, and those of the child before exec."""

    def counted(requests: int) -> tuple[collections.Counter, int]:
        with temporary() as directory:
            home = pathlib.Path(directory)
            server.run(home, requests, ["strace", "-f", "-qq", "-o", str(home / "trace")])
            return count_calls((home / "trace").read_text(errors="replace"))

    (few, few_of_child), (many, many_of_child) = counted(FEW), counted(FEW + requests)
    own = {name: (many[name] - few[name]) / requests for name in many.keys() | few.keys()}
    return own, (many_of_child - few_of_child) / requests


def instructions(server: Server, requests: int, flags: tuple[str, ...]) -> float:
    """Instructions of one request in user space, of all threads of the server."""

    def counted(requests: int) -> int:
        with temporary() as directory:
            home = pathlib.Path(directory)
            valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={home}/out.%p"]
            server.run(home, requests, valgrind, flags)
            # The last words are the server's own: it ends after its children.
            found = re.findall(r"Collected : (\d+)", (home / "errors").read_text(errors="replace"))
            if not found:
                raise Failed(f"callgrind told no count for {server.name}")
            return int(found[-1])

    return (counted(FEW + requests) - counted(FEW)) / requests


def table(servers: list[Server], rounds: int, requests: int) -> None:
    """Measures all in turns, and prints the table."""
    figures: dict[Server, list[tuple[float, ...]]] = {server: [] for server in servers}
    for number in range(rounds):
        for server, seen in figures.items():
            own, of_child = calls(server, requests)
            # valgrind knows no pidfd_open(2) up to 3.19, and the floor cannot do without.
            kinds = (WITHOUT_LOG, ()) if server.told is None else ()
            counted = [instructions(server, requests, flags) for flags in kinds]
            seen.append((sum(own.values()), of_child, *counted))
            print(f"counts: round {number + 1}, {server.name}: {seen[-1]}", file=sys.stderr)
    print("| binary | system calls | in the child before exec | instructions, no log | instructions, log |")
    print("|---|---:|---:|---:|---:|")
    for server, seen in figures.items():
        columns = [list(column) for column in zip(*seen, strict=True)]
        cells = [shown(column, form) for column, form in zip(columns, (".1f", ".1f", ",.0f", ",.0f"), strict=False)]
        cells += ["not measured"] * (4 - len(cells))
        print(f"| {server.name} | {' | '.join(cells)} |")


def shown(values: list[float], form: str) -> str:
    median, least, most = (format(f(values), form) for f in (statistics.median, min, max))
    return f"{median} ({least} … {most})"


def by_name(servers: list[Server], rounds: int, requests: int) -> None:
    """Prints the calls of one request by name, medians of the rounds."""
    for server in servers:
        seen = [calls(server, requests)[0] for _ in range(rounds)]
        medians = {name: statistics.median(r.get(name, 0) for r in seen) for name in set().union(*seen)}
        print(f"{sum(medians.values()):6.2f} {server.name}")
        for name, each in sorted(medians.items(), key=lambda row: -row[1]):
            if each >= 0.05:
                print(f"{each:6.2f}   {name}")


def own_time(server: Server, requests: int) -> float:
    """Microseconds of processor time that the server's own threads take for one request, the log's thread included."""
    seen = {}

    def met(pid: int, answered: int) -> None:
        if answered in (FEW, FEW + requests):
            tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
            seen[answered] = sum(int(task.read_text().split()[0]) for task in tasks)

    with temporary() as directory:
        server.run(pathlib.Path(directory), FEW + requests, flags=(), met=met)
    return (seen[FEW + requests] - seen[FEW]) / requests / 1000


def times(servers: list[Server], rounds: int, requests: int) -> None:
    """Prints the processor time of one request, measured in turns."""
    figures: dict[Server, list[float]] = {server: [] for server in servers}
    for _ in range(rounds):
        for server, seen in figures.items():
            seen.append(own_time(server, requests))
    for server, seen in figures.items():
        print(f"{shown(seen, '.0f')} µs {server.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("binaries", nargs="+", type=pathlib.Path, metavar="BINARY", help="a bandog")
    parser.add_argument("--floor", type=pathlib.Path, metavar="BENCH", help="the program that has the floor")
    parser.add_argument("--requests", type=int, default=200, help="requests of a run, beyond the few of the other")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    parser.add_argument("--calls", action="store_true", help="print the system calls by name instead")
    parser.add_argument("--time", action="store_true", help="print the processor time instead")
    options = parser.parse_args()
    servers = [Server(binary.resolve(strict=True), binary.name) for binary in options.binaries]
    if options.floor:
        servers.append(floor(options.floor.resolve(strict=True), servers[-1]))
    measure = times if options.time else by_name if options.calls else table
    measure(servers, options.rounds, options.requests)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"counts: {failed}")
