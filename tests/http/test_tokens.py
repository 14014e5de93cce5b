"""The token file: who is in it, and what becomes of edits."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.site import edited
from viam_mcp.http import HttpError, add, by_tokens
from viam_mcp.tools import TOOLS, Effect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp.server.auth.provider import AccessToken


def verified(path: Path, *tokens: str) -> list[AccessToken | None]:
    """What a server that is started now finds of each token."""
    verifier = by_tokens(path).verifier

    async def verify() -> list[AccessToken | None]:
        return [await verifier.verify_token(token) for token in tokens]

    return asyncio.run(verify())


def grant(path: Path, token: str) -> Any:
    (credential,) = verified(path, token)
    assert credential is not None
    return credential.access  # type: ignore[attr-defined]


def test_a_token_is_256_random_bits_and_only_its_hash_is_kept(token_file: Path, new_token: Callable[..., str]) -> None:
    tokens = {new_token(f"caller-{number}") for number in range(20)}
    assert len(tokens) == 20
    assert all(re.fullmatch(r"vmt_[A-Za-z0-9_-]{43}", token) for token in tokens)
    text = token_file.read_text()
    for token in tokens:
        assert token not in text
        assert hashlib.sha256(token.encode()).hexdigest() in text
    assert token_file.stat().st_mode & 0o777 == 0o600


def test_a_token_by_itself_opens_everything_and_says_who_holds_it(token_file: Path, alice: str) -> None:
    found = grant(token_file, alice)
    assert (found.caller, found.effects, found.tools, found.policy) == ("token:alice", frozenset(Effect), None, None)


def test_the_token_itself_is_kept_nowhere(token_file: Path, alice: str) -> None:
    (credential,) = verified(token_file, alice)
    assert alice not in repr(credential)
    assert alice not in repr(vars(credential))


def test_scopes_and_toolsets_and_policy_are_as_the_file_has_them(
    token_file: Path, new_token: Callable[..., str], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('confirm_via = "deny"\n')
    token = new_token("bob", scopes=["viam:read", "viam:write"], toolsets=["machines"], policy=policy)
    found = grant(token_file, token)
    assert found.effects == {Effect.READ, Effect.WRITE}
    assert found.tools == {name for name, tool in TOOLS.items() if tool.spec.toolset == "machines"}
    assert found.policy == policy


def test_a_policy_is_looked_for_beside_the_token_file(token_file: Path, alice: str, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('confirm_via = "deny"\n')
    token_file.write_text(token_file.read_text() + 'policy = "policy.toml"\n')
    assert grant(token_file, alice).policy == tmp_path / "policy.toml"


def test_what_is_not_in_the_file_is_nobodys(token_file: Path, alice: str) -> None:
    digest = hashlib.sha256(alice.encode()).hexdigest()
    assert verified(token_file, "", digest, alice[:-1], alice + " ", alice.lower(), "ÿ", "x" * 100_000) == [None] * 7


def test_a_name_is_given_once(token_file: Path, new_token: Callable[..., str], alice: str) -> None:
    before = token_file.read_text()
    with pytest.raises(HttpError, match=r"has a token named 'alice' already"):
        new_token("alice")
    assert token_file.read_text() == before


def test_what_stands_in_the_file_stays_there(token_file: Path, alice: str) -> None:
    token_file.write_text("# Tokens of the night shift" + "\n" + token_file.read_text().rstrip("\n"))
    bob = add(token_file, "bob")
    assert token_file.read_text().startswith("# Tokens of the night shift\n")
    assert None not in verified(token_file, alice, bob)


def test_tokens_made_at_the_same_time_are_all_there(token_file: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda number: add(token_file, f"caller-{number}"), range(40)))
    assert None not in verified(token_file, *tokens)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "-"}, r"name: expected 1 to 64 letters"),
        ({"name": 'a"\nb'}, r"name: expected 1 to 64 letters"),
        (
            {"scopes": ["viam:all"]},
            r"'bob': there is no scope 'viam:all'; there are: viam:read, viam:write",
        ),
        ({"toolsets": ["robots"]}, r"'bob': There is no toolset 'robots'"),
        ({"scopes": []}, r"'bob': scopes = \[\] opens nothing: name some, or leave scopes out, which opens all"),
        ({"toolsets": ()}, r"'bob': toolsets = \[\] opens nothing: name some, or leave toolsets out"),
        ({"api_key_id": "", "api_key_env": "KEY"}, r"api_key_id: expected 1 to 128"),
        ({"api_key_id": "id", "api_key_env": ""}, r"api_key_env: expected the name of a variable"),
    ],
)
def test_what_is_not_known_makes_no_token(token_file: Path, alice: str, changes: dict[str, Any], reason: str) -> None:
    before = token_file.read_text()
    with pytest.raises(HttpError, match=reason):
        add(token_file, **({"name": "bob"} | changes))
    assert token_file.read_text() == before


def test_a_policy_that_is_none_makes_no_token(token_file: Path, tmp_path: Path) -> None:
    with pytest.raises(HttpError, match=r"'bob': .*missing\.toml cannot be read"):
        add(token_file, "bob", policy=tmp_path / "missing.toml")
    assert not token_file.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"has no token, so nobody could call"),
        ("tokens = [", r"is not TOML"),
        ('[[token]]\nname = "a"', r"token: extra inputs are not permitted"),
        ('[[tokens]]\nname = "a"', r"tokens\[1\]\.sha256: field required"),
        ('[[tokens]]\nname = "a"\nsha256 = "vmt_not_a_hash"', r"tokens\[1\]\.sha256: expected 64 of"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\n' * 2, r"has the name 'a' twice"),
        (
            f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\n[[tokens]]\nname = "b"\nsha256 = "{"0" * 64}"',
            r"has the hash '0+' twice",
        ),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\nscopes = ["admin"]', r"'a': there is no scope 'admin'"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\nscopes = []', r"'a': scopes = \[\] opens nothing"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\ntoolsets = []', r"'a': toolsets = \[\] opens nothing"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\npolicy = ""', r"policy: string should have at least 1"),
        (f'[[tokens]]\nname = "a"\nsha256 = "{"0" * 64}"\napi_key_file = ""', r"api_key_file: string should have at"),
    ],
)
def test_a_file_that_is_not_understood_stops_the_start(token_file: Path, text: str, reason: str) -> None:
    token_file.write_text(text)
    with pytest.raises(HttpError, match=reason) as caught:
        by_tokens(token_file)
    assert "vmt_" not in str(caught.value)


def test_a_file_that_is_no_file_stops_the_start(token_file: Path) -> None:
    with pytest.raises(HttpError, match=r"cannot be read: No such file"):
        by_tokens(token_file)
    token_file.mkdir()
    with pytest.raises(HttpError, match=r"is not a regular file"):
        by_tokens(token_file)


def test_a_file_of_bytes_stops_the_start(token_file: Path) -> None:
    token_file.write_bytes(b"\xff\xfe")
    with pytest.raises(HttpError, match=r"is not UTF-8 text"):
        by_tokens(token_file)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_stops_the_start(token_file: Path, alice: str, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(HttpError, match=r"can be changed by others than its owner.*chmod go-w"):
        by_tokens(token_file)


def read(path: Path) -> str:
    return path.read_text()


def changed_in_place(path: Path, old: str, new: str) -> None:
    before = path.stat()
    path.write_text(path.read_text().replace(old, new))
    # As it is with any edit that is not made within the same tick of the file system's clock.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def taken_away(path: Path) -> None:
    path.unlink()


async def test_edits_count_from_the_next_request_on(
    token_file: Path, new_token: Callable[..., str], alice: str
) -> None:
    verifier = by_tokens(token_file).verifier
    before = read(token_file)
    bob = new_token("bob")
    assert await verifier.verify_token(bob)
    edited(token_file, lambda text: before)
    assert await verifier.verify_token(bob) is None
    assert await verifier.verify_token(alice)


async def test_an_edit_in_place_of_the_same_length_counts_too(token_file: Path, alice: str) -> None:
    verifier = by_tokens(token_file).verifier
    assert await verifier.verify_token(alice)
    changed_in_place(token_file, hashlib.sha256(alice.encode()).hexdigest(), "0" * 64)
    assert await verifier.verify_token(alice) is None


@pytest.mark.parametrize("damage", ["tokens = [", ""])
async def test_a_file_that_became_unusable_lets_nobody_in_until_it_is_repaired(
    token_file: Path, alice: str, damage: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    verifier = by_tokens(token_file).verifier
    good = shutil.copy2(token_file, tmp_path / "good.toml")
    if damage:
        edited(token_file, lambda text: damage)
    else:
        taken_away(token_file)
    for _ in range(3):
        assert await verifier.verify_token(alice) is None
    assert len([record for record in caplog.records if record.message.startswith("Nobody is let in: ")]) == 1
    assert alice not in caplog.text
    shutil.copy2(good, token_file)
    assert await verifier.verify_token(alice)
