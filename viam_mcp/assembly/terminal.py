"""Asks the person at the terminal for a confirmation."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from viam_mcp.policy import Answer, Reply, Way
from viam_mcp.tools import TOKEN_BYTES

if TYPE_CHECKING:
    from viam_mcp.policy import Question

_TERMINAL = Path("/dev/tty")
_POLL_SECONDS = 0.2  # between two looks whether the question is still open


class TerminalAsker:
    """Asks a question on the controlling terminal. What is piped into the command cannot answer it."""

    way = Way.PERSON
    carries = TOKEN_BYTES
    answer = None

    async def ask(self, question: Question) -> Answer:
        """Ask, and wait for a line. Without a terminal the question counts as lost."""
        closed = threading.Event()
        try:
            with anyio.move_on_after(question.seconds):
                return await anyio.to_thread.run_sync(_ask, question, closed, abandon_on_cancel=True)
        finally:
            closed.set()
        return Answer(question.id, Reply.TIMED_OUT)


def _ask(question: Question, closed: threading.Event) -> Answer:
    prompt = "Name: " if question.type_name else "Do it? Type yes: "
    if not question.is_last:
        prompt = f"Page {question.page} of {question.of}. Go on? Type yes: "
    try:
        with _TERMINAL.open("r+b", buffering=0) as terminal:
            # What was typed before the question was shown is no answer to it.
            termios.tcflush(terminal, termios.TCIFLUSH)
            encoding = os.device_encoding(terminal.fileno()) or "utf-8"
            terminal.write(f"{question.message}\n{prompt}".encode(encoding, errors="backslashreplace"))
            # A thread that blocks on a read would keep the process from ending.
            while not select.select([terminal], [], [], _POLL_SECONDS)[0]:
                if closed.is_set():
                    return Answer(question.id, Reply.CANCELLED)
            line = terminal.readline(4_096)
    except (OSError, termios.error):
        sys.stderr.write("There is no terminal to ask on.\n")
        return Answer(question.id, Reply.LOST)
    if not line:
        return Answer(question.id, Reply.CANCELLED)
    text = line.decode(encoding, errors="replace").removesuffix("\n").removesuffix("\r")
    if question.type_name:
        return Answer(question.id, Reply.ACCEPTED, typed=text)
    agreed = text.strip().lower() == "yes"
    return Answer(question.id, Reply.ACCEPTED if agreed else Reply.DECLINED, agreed=agreed)
