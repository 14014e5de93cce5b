"""Questions that are open: each can be answered once, by whom it was asked, about exactly what it showed."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from viam_mcp.policy._call import Stopped
from viam_mcp.policy._outcomes import Outcome
from viam_mcp.policy.confirm._question import Way
from viam_mcp.policy.confirm._tokens import Claims, InvalidToken, digest
from viam_mcp.policy.rules._text import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from viam_mcp.policy._call import Caller
    from viam_mcp.policy.confirm._shelf import Shelf
    from viam_mcp.policy.confirm._tokens import Seal
    from viam_mcp.tools import Tool

Json = Any


class Confirmations:
    """The questions that were asked, and which of them were answered.

    Args:
        seal: Seals their tokens.
        shelf: Where it is kept which were answered, and which calls wait for a token.
        seconds: How long a question stays open.
        clock: Seconds since 1970.
        fleet: What tells the fleet, and who this program is there, from others: an answer is good for one.
    """

    def __init__(self, seal: Seal, shelf: Shelf, seconds: float, clock: Callable[[], float], fleet: str) -> None:
        self.seconds = seconds
        self._fleet = fleet
        self._seal = seal
        self._shelf = shelf
        self._clock = clock

    async def open(self, tool: Tool, caller: Caller, way: Way, fingerprint: str) -> tuple[str, str]:
        """A new question about a call: its token, and its name.

        Args:
            tool: The call.
            caller: Who may answer.
            way: How the answer has to come.
            fingerprint: What was shown.

        Raises:
            PolicyError: What has to be kept for the answer cannot be.
        """
        claims = Claims(
            way=way,
            tool=tool.spec.name,
            arguments=_arguments(tool),
            caller=self._caller(caller),
            fingerprint=fingerprint,
            expires=int(self._clock() + self.seconds),
            nonce=secrets.token_hex(16),
        )
        if way is Way.TOKEN:
            # A model has to repeat the token, and arguments may be long: so they stay here.
            call = json.dumps(tool.model_dump(mode="json", exclude_unset=True)).encode()
            await self._put("call", caller, claims, self._seal.close(call, _purpose(claims)))
        return self._seal.seal(claims), claims.nonce

    async def redeem(self, token: str, tool: Tool, caller: Caller, way: Way, *, late: bool = False) -> Claims:
        """Use a token up for a call.

        Args:
            token: The token.
            tool: The call.
            caller: Who answers.
            way: How the answer came.
            late: Whether it may have expired, since the answer is none that anything comes of.

        Raises:
            Stopped: It is not good for this call, this caller and this way, or not any more.
            PolicyError: That it is used up cannot be kept.
        """
        name = tool.spec.name
        claims = self._claims(token, caller, name, late=late)
        if claims.way != way or claims.tool != name:
            raise Stopped(Outcome.WRONG_ANSWER, f"The confirmation is for another call. {name} was not done.")
        if claims.arguments != _arguments(tool):
            raise Stopped(Outcome.WRONG_ANSWER, f"The confirmation is for other arguments. {name} was not done.")
        if not await self._put("spent", caller, claims, b""):
            raise Stopped(Outcome.WRONG_ANSWER, _USED.format(name))
        await self._forget(caller, claims)
        return claims

    async def waiting(self, token: str, caller: Caller) -> tuple[str, dict[str, Json]]:
        """The call that a token stands for, whose result showed the question: its tool and arguments.

        Raises:
            Stopped: It stands for none that this caller may confirm.
            PolicyError: What was kept cannot be read.
        """
        claims = self._claims(token, caller, "The operation")
        sealed = await self._get("call", caller, claims)
        if sealed is None:
            used = await self._get("spent", caller, claims) is not None
            text = "The confirmation stands for no call that waits. Nothing was done."
            raise Stopped(Outcome.WRONG_ANSWER, _USED.format(claims.tool) if used else text)
        return claims.tool, json.loads(self._seal.disclose(sealed, _purpose(claims)))

    async def void(self, token: str, caller: Caller) -> None:
        """Let nobody answer a question any more that this caller was asked.

        Raises:
            PolicyError: That cannot be kept.
        """
        claims = self._seal.open(token)
        await self._put("spent", caller, claims, b"")
        await self._forget(caller, claims)

    def name_of(self, token: str) -> str | None:
        """The name of the question that a token is about; None if it is none of ours."""
        try:
            return self._seal.open(token).nonce
        except InvalidToken:
            return None

    def _claims(self, token: str, caller: Caller, name: str, *, late: bool = False) -> Claims:
        try:
            claims = self._seal.open(token)
        except InvalidToken as error:
            raise Stopped(
                Outcome.WRONG_ANSWER, f"The confirmation is not valid: {error}. {name} was not done."
            ) from None
        if claims.caller != self._caller(caller):
            raise Stopped(
                Outcome.WRONG_ANSWER,
                f"The confirmation was given to another caller, or for another fleet. {name} was not done.",
            )
        if claims.expires <= self._clock() and not late:
            raise Stopped(
                Outcome.EXPIRED,
                f"The confirmation has expired. {name} was not done; ask for it again if it is still wanted.",
            )
        return claims

    def _caller(self, caller: Caller) -> str:
        """The digest of who answers, and where."""
        return digest(canonical([caller.name, self._fleet]))

    async def _forget(self, caller: Caller, claims: Claims) -> None:
        """Take away what waited for an answer, so that it leaves room for others."""
        if claims.way == Way.TOKEN:
            await anyio.to_thread.run_sync(self._shelf.remove, digest(caller.account), f"call-{claims.nonce}")

    async def _get(self, kind: str, caller: Caller, claims: Claims) -> bytes | None:
        return await anyio.to_thread.run_sync(self._shelf.get, digest(caller.account), f"{kind}-{claims.nonce}")

    async def _put(self, kind: str, caller: Caller, claims: Claims, data: bytes) -> bool:
        # Whoever brings a new key with every call is still one caller, with the room of one.
        put, owner = self._shelf.put, digest(caller.account)
        return await anyio.to_thread.run_sync(put, owner, f"{kind}-{claims.nonce}", data, claims.expires)


_USED = "The confirmation was used before, and is good for once. {} was not done again."


def _arguments(tool: Tool) -> str:
    """The digest of a call's arguments, those that were left out among them."""
    return digest(canonical(tool.model_dump(mode="json")))


def _purpose(claims: Claims) -> str:
    return f"call {claims.nonce}"
