"""Asking whoever sits at the terminal."""

from __future__ import annotations

import select
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from viam_mcp.policy import Answer, Reply, Way

if TYPE_CHECKING:
    from viam_mcp.policy import Question

_TERMINAL = Path("/dev/tty")
_GLANCE = 0.2  # seconds between looks at whether anybody still waits for the answer


class TerminalAsker:
    """Puts a question on the controlling terminal, which a pipe into the command cannot answer."""

    way = Way.PERSON
    answer = None

    async def ask(self, question: Question) -> Answer:
        """Ask, and wait for a line. Without a terminal, nobody is there to ask."""
        gone = threading.Event()
        try:
            with anyio.move_on_after(question.seconds):
                return await anyio.to_thread.run_sync(_ask, question, gone, abandon_on_cancel=True)
        finally:
            gone.set()
        return Answer(question.token, Reply.TIMED_OUT)


def _ask(question: Question, gone: threading.Event) -> Answer:
    prompt = "Name: " if question.type_name else "Do it? Type yes: "
    try:
        with _TERMINAL.open("r+b", buffering=0) as terminal:
            # What was typed before the question is no answer to it.
            termios.tcflush(terminal, termios.TCIFLUSH)
            terminal.write(f"{question.message}\n{prompt}".encode())
            # A thread that waits for a line without end would keep the process from ending.
            while not select.select([terminal], [], [], _GLANCE)[0]:
                if gone.is_set():
                    return Answer(question.token, Reply.CANCELLED)
            line = terminal.readline(4_096)
    except (OSError, termios.error):
        print("There is no terminal to ask on.", file=sys.stderr)
        return Answer(question.token, Reply.LOST)
    if not line:
        return Answer(question.token, Reply.CANCELLED)
    text = line.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if question.type_name:
        return Answer(question.token, Reply.ACCEPTED, typed=text)
    agreed = text.strip().lower() == "yes"
    return Answer(question.token, Reply.ACCEPTED if agreed else Reply.DECLINED, agreed=agreed)
