"""What the store costs: a confirmed call, many open operations, a long audit, many callers."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import secrets
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.harness import Ratio, in_turns, timed
from tests.store.server import PostgresServer
from viam_mcp.store import (
    KEYS_VARIABLE,
    AuditFilter,
    GivenAnswer,
    NewOperation,
    RoomLimits,
    State,
    StateKeys,
    Store,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from viam_mcp.store import Run, Transaction

LINES, CALLERS, CALLS = 1_000_000, 64, 256
MACHINE = "4a8f1c2e-1111-4222-8333-444444444444"
ARGUMENTS = json.dumps({"robot_part_id": MACHINE, "robot_config": {"components": [{"name": "arm"}] * 40}})
PREVIEW = "\n".join(f"speed 1.0 → 1.5 in arm-{number}" for number in range(40))
ENTRY = {"caller": "token:alice", "tool": "update_robot_part", "arguments": {"id": MACHINE}, "subjects": [MACHINE]}


def store(_: Mapping[str, str], runs: int) -> Iterator[Ratio]:
    """What the store costs. Both databases have every commit on the disk when it returns, as the files had."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="viam-mcp-bench-")))
        server = PostgresServer(fsync="on", synchronous_commit="on", full_page_writes="on")
        stack.callback(server.close)
        opened = partial(_open, stack)
        files, sqlite = Files(folder / "files"), opened(str(folder / "call" / "state.db"))
        postgres = opened(server.url())
        before, ours, remote = in_turns(
            runs,
            lambda: timed(files.confirmed_call, 10),
            lambda: timed(lambda: confirmed_call(sqlite), 10),
            lambda: timed(lambda: confirmed_call(postgres), 10),
        )
        yield Ratio("a confirmed call in the store (SQLite), against the same steps as files", ours, before, 1.0)
        yield Ratio("a confirmed call in the store (PostgreSQL), against the same steps as files", remote, before, 1.5)
        yield _growth("SQLite", opened(str(folder / "few" / "db")), opened(str(folder / "many" / "db")), runs)
        few, many = (opened(server.url(server.new_database())) for _ in range(2))
        yield _growth("PostgreSQL", few, many, runs)
        yield from long_audit(opened(str(folder / "audit" / "state.db")), runs)
        for name, url in (("SQLite", str(folder / "callers" / "state.db")), ("PostgreSQL", server.url())):
            yield from many_callers(name, url)


def _growth(name: str, few: Store, many: Store, runs: int) -> Ratio:
    fill(few, 100)
    fill(many, 20_000)
    little, much = in_turns(runs, lambda: timed(lambda: put(few), 20), lambda: timed(lambda: put(many), 20))
    return Ratio(f"a question put to 20,000 open ones ({name}), against one put to 100", much, little, 1.3)


def long_audit(audit: Store, runs: int) -> Iterator[Ratio]:
    """Reading an audit of a million lines."""
    for start in range(0, LINES, 10_000):
        audit.write(partial(_lines, start, 10_000))
    wanted = AuditFilter(tools=["tool_3"], outcomes=["outcome_7"], callers=["caller_5"])
    (page,) = in_turns(runs, lambda: timed(lambda: audit.read(lambda tx: tx.audit.newest(wanted)), 3))
    yield Ratio(f"a filtered page of an audit of {LINES:,} lines, against a second", page, 1.0, 1.0)
    (whole,) = in_turns(1, lambda: timed(lambda: audit.read(lambda tx: tx.audit.verify()), 1))
    yield Ratio(f"verifying an audit of {LINES:,} lines, against ten seconds", whole, 10.0, 1.0)


def many_callers(name: str, url: str) -> Iterator[Ratio]:
    """The time of a confirmed call where 64 callers make them at once, by how many processes serve them."""
    taken = {workers: _served_by(url, workers) for workers in (1, 2, 4)}
    for workers in (2, 4):
        what = f"{CALLERS} callers, {CALLS} confirmed calls ({name}), {workers} processes against one"
        yield Ratio(what, taken[workers], taken[1])


def confirmed_call(target: Store) -> None:
    """Do what a confirmed call does in the store: the question, the answer, the beginning, the end."""
    asked = target.write(_ask)
    given = GivenAnswer("accepted", "alice", "token")
    target.write(lambda tx: tx.operations.answer(asked, "caller", given, approved=True))

    def begin(tx: Transaction) -> Run:
        tx.budgets.take({"budget": 1_000_000})
        run = tx.runs.start(ENTRY, asked, "caller")
        tx.audit.append({**ENTRY, "operation": asked, "outcome": "started"})
        return run

    run = target.write(begin)

    def end(tx: Transaction) -> None:
        tx.runs.finish(run, State.DONE, "done")
        tx.audit.append({**ENTRY, "operation": asked, "outcome": "done"})

    target.write(end)


def put(target: Store) -> None:
    """Store a question."""
    target.write(_ask)


def fill(target: Store, number: int) -> None:
    """Have so many questions open, of 20 owners."""

    def work(tx: Transaction) -> None:
        for one in range(min(number, 1_000)):
            tx.operations.ask(_question(f"owner-{one % 20}", "{}", ""))

    for _ in range(max(1, number // 1_000)):
        target.write(work)


class Files:
    """The steps of a confirmed call as they were before the store: files, each on the disk before the next step.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._cipher = AESGCM(secrets.token_bytes(32))
        self._last = b"0" * 64

    def confirmed_call(self) -> None:
        """Do what a confirmed call did."""
        name = secrets.token_hex(16)
        nonce = secrets.token_bytes(12)
        self._new(f"call-{name}", nonce + self._cipher.encrypt(nonce, ARGUMENTS.encode(), name.encode()))
        self._audit("asked")
        self._new(f"spent-{name}", b"")
        (self._folder / f"call-{name}").unlink()
        self._append("budget", b"1800000000.000\n")
        self._audit("started")
        self._audit("done")

    def _new(self, name: str, data: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, b"1800000000.000\n" + data)
        os.fsync(descriptor)
        os.close(descriptor)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def _audit(self, outcome: str) -> None:
        line = json.dumps({**ENTRY, "outcome": outcome, "previous": hashlib.sha256(self._last).hexdigest()}).encode()
        self._append("audit", line + b"\n")
        self._last = line

    def _append(self, name: str, data: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.pread(descriptor, 65_536, max(0, os.fstat(descriptor).st_size - 65_536))
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)


def _open(stack: ExitStack, place: str) -> Store:
    if "://" not in place:
        Path(place).parent.mkdir(exist_ok=True)
    found = Store(
        parse_address(place),
        StateKeys({KEYS_VARIABLE: "5a" * 32}),
        rooms=RoomLimits(own_number=100_000, own_bytes=1 << 40),
    )
    stack.callback(found.close)
    found.write(lambda tx: None)
    return found


def _question(owner: str, arguments: str, preview: str) -> NewOperation:
    return NewOperation(
        caller="caller",
        owner=owner,
        tool="update_robot_part",
        arguments=arguments,
        preview=preview,
        fingerprint="f" * 32,
        rule="destructive",
        way="token",
        expires=9e9,
        subjects=(MACHINE,),
    )


def _ask(tx: Transaction) -> str:
    asked = tx.operations.ask(_question("owner", ARGUMENTS, PREVIEW)).id
    tx.audit.append({**ENTRY, "operation": asked, "outcome": "asked"})
    return asked


def _lines(start: int, number: int, tx: Transaction) -> None:
    for one in range(start, start + number):
        line: dict[str, Any] = {**ENTRY, "tool": f"tool_{one % 7}", "caller": f"caller_{one % 31}"}
        tx.audit.append({**line, "outcome": f"outcome_{one % 11}", "subjects": [f"machine-{one % 5_000}"]})


def _served_by(place: str, workers: int) -> float:
    """How many seconds a call takes on average."""
    fork = multiprocessing.get_context("fork")
    start, end = fork.Barrier(workers + 1), fork.Barrier(workers + 1)
    processes = [fork.Process(target=_serve, args=(place, CALLERS // workers, start, end)) for _ in range(workers)]
    for process in processes:
        process.start()
    start.wait(60)
    begun = time.perf_counter()
    end.wait(600)
    taken = time.perf_counter() - begun
    for process in processes:
        process.join(60)
    return taken / CALLS


def _serve(place: str, callers: int, start: Any, end: Any) -> None:
    with ExitStack() as stack:
        target = _open(stack, place)

        def call() -> None:
            for _ in range(CALLS // CALLERS):
                confirmed_call(target)

        threads = [threading.Thread(target=call) for _ in range(callers)]
        start.wait(60)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        end.wait(600)


__all__ = ["store"]
