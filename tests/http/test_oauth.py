"""Access tokens of an authorization server: which are taken, and how its keys are kept."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import RSAAlgorithm
from starlette.responses import RedirectResponse, Response

from tests.http.issuer import AUDIENCE, Issuer, ec_key, rsa_key
from viam_mcp.http import HttpError, Trust, by_oauth
from viam_mcp.http.auth._jwks import FRESH_SECONDS, STALE_SECONDS, UNKNOWN_SECONDS, KeySet
from viam_mcp.http.auth._oauth import LEEWAY_SECONDS
from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from mcp.server.auth.provider import TokenVerifier

    from viam_mcp.http.auth._credential import Credential


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> TokenVerifier:
    trust = Trust(issuer.url, AUDIENCE, issuer.jwks_url)
    return by_oauth(trust, KeySet(issuer.jwks_url, clock)).verifier


async def taken(verifier: TokenVerifier, token: str) -> Credential:
    credential = await verifier.verify_token(token)
    assert credential is not None
    return credential  # type: ignore[return-value]


async def test_a_token_says_who_calls_and_what_is_open(verifier: TokenVerifier, issuer: Issuer) -> None:
    token = issuer.token(scope="openid viam:read viam:destructive")
    credential = await taken(verifier, token)
    assert credential.access.caller == "oauth:alice@console"
    assert credential.access.effects == {Effect.READ, Effect.DESTRUCTIVE}
    assert (credential.subject, credential.client_id, credential.resource) == ("alice", "console", AUDIENCE)
    assert token not in repr(credential)


@pytest.mark.parametrize(
    ("claims", "caller"),
    [
        ({"sub": "a@b", "client_id": "c"}, "oauth:a@b@c"),
        ({"sub": "a", "client_id": "b@c"}, "oauth:a@b%40c"),
        ({"client_id": None, "azp": "portal"}, "oauth:alice@portal"),
        ({"client_id": None}, "oauth:alice@"),
        ({"sub": "a b/c\n"}, "oauth:a%20b%2Fc%0A@console"),
    ],
)
async def test_no_two_callers_have_the_same_name(
    verifier: TokenVerifier, issuer: Issuer, claims: dict[str, Any], caller: str
) -> None:
    assert (await taken(verifier, issuer.token(**claims))).access.caller == caller


@pytest.mark.parametrize(
    "scopes",
    [{"scope": None, "scp": "viam:read"}, {"scope": None, "scp": ["viam:read", 7]}, {"scope": ["viam:read"]}],
)
async def test_scopes_are_found_where_servers_put_them(
    verifier: TokenVerifier, issuer: Issuer, scopes: dict[str, Any]
) -> None:
    assert (await taken(verifier, issuer.token(**scopes))).access.effects == {Effect.READ}


@pytest.mark.parametrize("scopes", [{"scope": None}, {"scope": 7}, {"scope": "viam:readwrite VIAM:READ read"}])
async def test_what_is_no_scope_opens_nothing(verifier: TokenVerifier, issuer: Issuer, scopes: dict[str, Any]) -> None:
    assert (await taken(verifier, issuer.token(**scopes))).access.effects == frozenset()


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example.com/mcp"},
        {"aud": AUDIENCE + "/"},
        {"aud": None},
        {"iss": "https://other.example.com"},
        {"iss": None},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": "\ud800"},
        {"client_id": "\ud800"},
        {"exp": None},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": []},
        {"exp": "9" * 5_000},
        {"nbf": float("inf")},
        {"iat": float("inf")},
        {"exp": "soon"},
    ],
    ids=lambda changed: "-".join(changed),
)
async def test_a_token_with_other_claims_is_not_taken(
    verifier: TokenVerifier, issuer: Issuer, changed: dict[str, Any]
) -> None:
    assert await verifier.verify_token(issuer.token(**changed)) is None


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -31), ("nbf", 600), ("iat", 600)])
async def test_a_token_of_another_time_is_not_taken(
    verifier: TokenVerifier, issuer: Issuer, claim: str, seconds: int
) -> None:
    changed: dict[str, Any] = {claim: int(time.time()) + seconds}
    assert await verifier.verify_token(issuer.token(**changed)) is None


@pytest.mark.parametrize("end", [1e300, "9999999999", int("9" * 400)], ids=["float", "text", "long"])
async def test_an_end_that_is_far_off_is_an_end(verifier: TokenVerifier, issuer: Issuer, end: Any) -> None:
    assert (await taken(verifier, issuer.token(exp=end))).expires_at == int(end) + LEEWAY_SECONDS


async def test_an_audience_may_be_one_of_several(verifier: TokenVerifier, issuer: Issuer) -> None:
    assert await verifier.verify_token(issuer.token(aud=["https://other.example.com", AUDIENCE]))


async def test_clocks_may_differ_a_little(verifier: TokenVerifier, issuer: Issuer) -> None:
    now = int(time.time())
    credential = await taken(verifier, issuer.token(exp=now - 5, nbf=now + 5, iat=now + 5))
    # The SDK compares this with its own clock, and allows for no difference.
    assert credential.expires_at is not None
    assert credential.expires_at > time.time()


async def test_a_token_signed_with_another_key_of_the_same_id_is_not_taken(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    assert await verifier.verify_token(issuer.token(key="forged", headers={"kid": "first"})) is None


async def test_a_token_that_is_not_signed_is_not_taken(verifier: TokenVerifier, issuer: Issuer) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    for alg in ("none", "None", "NONE"):
        unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "first"})
        head = jwt.utils.base64url_encode(f'{{"alg":"{alg}","kid":"first"}}'.encode()).decode()
        assert await verifier.verify_token(f"{head}.{unsigned.split('.')[1]}.") is None
    assert issuer.asked == 0


async def test_a_token_signed_with_the_public_key_as_a_password_is_not_taken(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    public = rsa_key("first").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"first"}')
    body = jwt.encode(claims, "", algorithm="none").split(".")[1].encode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b"." + body, pem)
    forged = b".".join((head, body, jwt.utils.base64url_encode(signature))).decode()
    assert await verifier.verify_token(forged) is None


async def test_a_key_that_is_a_password_is_not_taken_from_the_server_either(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    secret = b"0" * 32
    issuer.published = [{"kty": "oct", "kid": "first", "k": jwt.utils.base64url_encode(secret).decode()}]
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    token = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "first"})
    assert await verifier.verify_token(token) is None


async def test_a_key_that_is_a_password_is_not_one_for_other_signatures_either(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    secret = b"0" * 32
    k = jwt.utils.base64url_encode(secret).decode()
    issuer.published = [{"kty": "oct", "kid": "first", "k": k, "alg": alg} for alg in ("RS256", "HS256")]
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    head = jwt.utils.base64url_encode(b'{"alg":"RS256","kid":"first"}')
    body = jwt.encode(claims, "", algorithm="none").split(".")[1].encode()
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b"." + body, secret)
    forged = b".".join((head, body, jwt.utils.base64url_encode(signature))).decode()
    assert await verifier.verify_token(forged) is None


async def test_elliptic_curves_are_taken(verifier: TokenVerifier, issuer: Issuer) -> None:
    issuer.published = [issuer.ec_jwk("curve")]
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    assert await verifier.verify_token(jwt.encode(claims, ec_key("curve"), algorithm="ES256", headers={"kid": "curve"}))


async def test_a_key_for_encryption_is_not_one_for_signatures(verifier: TokenVerifier, issuer: Issuer) -> None:
    issuer.published = [issuer.jwk("first", use="enc")]
    assert await verifier.verify_token(issuer.token()) is None


async def test_a_key_whose_private_half_is_published_is_not_taken(verifier: TokenVerifier, issuer: Issuer) -> None:
    issuer.published = [{**RSAAlgorithm.to_jwk(rsa_key("first"), as_dict=True), "kid": "first"}]
    assert await verifier.verify_token(issuer.token()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"kid": ["first"]},
        {"kid": {}},
        {"kid": None},
        {"alg": ["RS256"]},
        {"alg": "HS256"},
        {"kty": ["RSA"]},
        {"kty": "unknown"},
        {"n": 7},
        {"n": "AA"},
        {"n": None},
        {"e": [1]},
        {"d": "AA"},
        {"use": "enc"},
        {"use": None},
        {"use": 5},
        {"use": ["sig"]},
        {"use": {}},
        {"key_ops": None},
        {"key_ops": 5},
        {"key_ops": True},
        {"key_ops": {}},
        {"key_ops": "verify"},
        {"key_ops": []},
        {"key_ops": [["verify"]]},
        {"key_ops": [None, 5, {}]},
    ],
    ids=str,
)
async def test_a_key_that_cannot_be_used_is_skipped_with_a_line_in_the_log(
    verifier: TokenVerifier, issuer: Issuer, changed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    issuer.published = [issuer.jwk("second") | changed, issuer.jwk("first")]
    assert await verifier.verify_token(issuer.token())
    assert await verifier.verify_token(issuer.token(key="second")) is None
    (line,) = [record.getMessage() for record in caplog.records if "is skipped" in record.getMessage()]
    assert "kid" in line


@pytest.mark.parametrize("entry", [None, 5, "key", [], ["verify"], {}])
async def test_an_entry_that_is_no_key_at_all_is_skipped_too(
    verifier: TokenVerifier, issuer: Issuer, entry: Any
) -> None:
    issuer.published = [entry, issuer.jwk("first")]
    assert await verifier.verify_token(issuer.token())


async def test_a_key_that_says_what_it_is_for_is_taken(verifier: TokenVerifier, issuer: Issuer) -> None:
    issuer.published = [issuer.jwk("first", key_ops=["sign", "verify"], use="sig")]
    assert await verifier.verify_token(issuer.token())


@pytest.mark.parametrize(
    "header",
    [
        {"kid": ["first"]},
        {"kid": {}},
        {"kid": 7},
        {"kid": None},
        {"kid": "\ud800"},
        {"alg": ["RS256"]},
        {"alg": {}},
        {"kid": "first", "jwk": {"kty": "oct", "k": "AA"}},
        {"kid": "first", "jku": "https://evil.example/jwks"},
        {"kid": "../../dev/null"},
    ],
    ids=str,
)
async def test_a_header_that_asks_for_another_key_is_not_followed(
    verifier: TokenVerifier, issuer: Issuer, header: dict[str, Any]
) -> None:
    head = jwt.utils.base64url_encode(json.dumps({"alg": "RS256"} | header).encode()).decode()
    body, signature = issuer.token(key="forged").split(".")[1:]
    assert await verifier.verify_token(f"{head}.{body}.{signature}") is None


@pytest.mark.parametrize(
    "head", ["[" * 9_000, '{"alg":"RS256","x":' + "[" * 9_000, '{"alg":"RS256","x":' + "1" * 5_000]
)
async def test_a_header_without_an_end_is_not_taken(verifier: TokenVerifier, head: str) -> None:
    assert await verifier.verify_token(f"{jwt.utils.base64url_encode(head.encode()).decode()}.e30.AAAA") is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "vmt_x", "....", "e30.e30.", "ÿ.ÿ.ÿ", "a" * 100_000])
async def test_what_is_no_token_is_not_taken(verifier: TokenVerifier, token: str) -> None:
    assert await verifier.verify_token(token) is None


async def test_a_token_that_names_no_key_means_the_only_one(verifier: TokenVerifier, issuer: Issuer) -> None:
    assert await verifier.verify_token(issuer.token(headers={}))


async def test_a_token_that_names_no_key_is_not_taken_where_there_are_several(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    issuer.published.append(issuer.jwk("second"))
    assert await verifier.verify_token(issuer.token(headers={})) is None


async def test_keys_are_asked_for_once_until_they_are_old(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    for _ in range(5):
        await taken(verifier, issuer.token())
    assert issuer.asked == 1
    clock.now += FRESH_SECONDS
    await taken(verifier, issuer.token())
    assert issuer.asked == 2


async def test_a_new_key_is_found_and_one_that_was_withdrawn_is_forgotten(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    await taken(verifier, issuer.token())
    issuer.published = [issuer.jwk("second")]
    clock.now += UNKNOWN_SECONDS
    await taken(verifier, issuer.token(key="second"))
    assert await verifier.verify_token(issuer.token(key="first")) is None


async def test_unknown_keys_do_not_have_the_server_asked_over_and_over(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    await taken(verifier, issuer.token())
    for number in range(20):
        assert await verifier.verify_token(issuer.token(headers={"kid": f"unknown {number}"})) is None
    assert issuer.asked == 1
    clock.now += UNKNOWN_SECONDS
    for number in range(20):
        assert await verifier.verify_token(issuer.token(headers={"kid": f"unknown {number}"})) is None
    assert issuer.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        Response("no", 500),
        Response("no"),
        Response("[]"),
        Response('{"keys": {}}'),
        Response('{"keys": []}'),
        Response('{"keys": [7]}'),
        Response('{"keys": [' + "{}," * 100 + "{}]}"),
        Response(" " * 300_000 + '{"keys": []}'),
        Response("[" * 200_000),
        Response(b"\xff\xfe"),
        Response("no", headers={"content-encoding": "gzip"}),
        RedirectResponse("/jwks"),
    ],
    ids=range(12),
)
async def test_keys_stay_for_a_day_when_the_server_answers_badly(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock, answer: Response
) -> None:
    await taken(verifier, issuer.token())
    issuer.answer = answer
    clock.now += FRESH_SECONDS
    await taken(verifier, issuer.token())
    assert issuer.asked == 2
    clock.now += STALE_SECONDS
    assert await verifier.verify_token(issuer.token()) is None
    issuer.answer = None
    clock.now += UNKNOWN_SECONDS
    await taken(verifier, issuer.token())


async def test_nobody_is_let_in_while_there_are_no_keys(clock: Clock, issuer: Issuer) -> None:
    nowhere = "http://127.0.0.1:1/jwks"
    verifier = by_oauth(Trust(issuer.url, AUDIENCE, nowhere), KeySet(nowhere, clock)).verifier
    assert await verifier.verify_token(issuer.token()) is None


@pytest.mark.parametrize("field", ["issuer", "audience", "jwks_url"])
@pytest.mark.parametrize(
    "value", ["", "http://fleet.example.com", "fleet.example.com", "file:///etc/passwd", "https://"]
)
def test_what_is_no_https_url_stops_the_start(field: str, value: str) -> None:
    good: dict[str, Any] = {
        "issuer": "https://login.example.com",
        "audience": AUDIENCE,
        "jwks_url": "https://login.example.com/keys",
    }
    with pytest.raises(HttpError, match=f"--oauth-{field.replace('_', '-')}"):
        Trust(**(good | {field: value}))


def test_a_required_scope_that_means_nothing_stops_the_start() -> None:
    trust = Trust("https://a.example", AUDIENCE, "https://a.example/keys", ("viam:admin",))
    with pytest.raises(HttpError, match=r"there is no scope 'viam:admin'"):
        by_oauth(trust)
