"""What is said of an address where no gRPC server answers: one sentence for each reason, and what to do about it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import re
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.app.service import KEY, KEY_ID, Service, serving
from viam_mcp.app import AppError, DeadlineExceeded, Unavailable, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WAITS_FOR_EVER = None
SPEAKS_HTTP1 = (
    "HOST speaks HTTP/1, and gRPC needs HTTP/2. Check the port: it may be the one for web pages instead of the app's."
)
NOT_HTTP2 = (
    "HOST speaks TLS, but not HTTP/2, which gRPC needs. "
    "Check the URL: it may be the address of web pages instead of the app's."
)
SAYS_NOTHING = (
    "http://HOST closed the connection before it said anything. "
    "Check the URL; a server that expects TLS is reached by https://."
)


@asynccontextmanager
async def listening(answer: bytes | None, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that is not gRPC: it answers the first bytes that it gets with some of its own, and closes."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1)
            if answer is WAITS_FOR_EVER:
                await over.wait()
            else:
                writer.write(answer)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ssl.SSLError, ConnectionError):
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


async def said(url: str, *, timeout: float = 20, **options: object) -> str:
    """What connecting to a URL fails with."""
    with pytest.raises(Unavailable) as refused:
        async with connect(url, api_key_id=KEY_ID, api_key=KEY, timeout=timeout, **options):  # type: ignore[arg-type]
            pass
    assert not refused.value.outcome_unknown
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", str(refused.value))
    return text.removeprefix("Authenticate() failed (UNAVAILABLE): ")


async def test_nothing_that_listens_is_said_in_one_sentence(unused_port: int) -> None:
    assert await said(f"http://127.0.0.1:{unused_port}") == (
        "could not connect to http://HOST: Connection refused. Check the network and the URL, then try again."
    )


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            f"http://{SPEAKS_HTTP1}",
        ),
        (
            b"SSH-2.0-OpenSSH_9.7\r\n" * 4,
            "http://HOST speaks another protocol than HTTP/2, which gRPC needs. Check the host and the port.",
        ),
        # What a TLS server sends who is not greeted in TLS: an alert.
        (b"\x15\x03\x01\x00\x02\x02\x46", "http://HOST expects TLS. Use https:// instead of http://."),
        (
            b"",
            SAYS_NOTHING,
        ),
        (
            b"\0\0",
            SAYS_NOTHING,
        ),
    ],
)
async def test_what_is_not_grpc_is_named_by_its_first_bytes(answer: bytes, sentence: str) -> None:
    async with listening(answer) as address:
        assert await said(f"http://{address}") == sentence


async def test_a_write_to_what_is_not_grpc_has_not_happened(unused_port: int) -> None:
    async with (
        listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        connect(f"http://{address}", api_key_id=KEY_ID, api_key=KEY, lazy=True) as app,
    ):
        with pytest.raises(AppError, match="speaks HTTP/1") as failed:
            await app.delete_robot("r")
    assert not failed.value.outcome_unknown


async def test_a_port_for_tls_is_reached_by_https(tmp_path: Path) -> None:
    _, context = certified(tmp_path)
    async with serving(Service(), ssl=context) as service:
        sentence = await said(service.url.replace("https:", "http:"))
    assert sentence in (
        "http://HOST expects TLS. Use https:// instead of http://.",
        # Where the server's OpenSSL says nothing.
        SAYS_NOTHING,
    )


async def test_a_server_that_says_nothing_runs_into_the_deadline() -> None:
    async with listening(WAITS_FOR_EVER) as address:
        with pytest.raises(DeadlineExceeded, match=r"did not answer within 0\.2 s") as late:
            async with connect(f"http://{address}", api_key_id=KEY_ID, api_key=KEY, timeout=0.2):
                pass
    assert not late.value.outcome_unknown


async def test_a_server_that_says_nothing_is_given_up_after_the_connect_timeout() -> None:
    async with listening(WAITS_FOR_EVER) as address:
        sentence = await said(f"http://{address}", timeout=5, connect_timeout=0.05)
    assert sentence.startswith("http://HOST said nothing within 0.05 s.")


async def test_tls_that_nobody_answers_runs_into_the_connect_timeout() -> None:
    async with listening(WAITS_FOR_EVER) as address:
        sentence = await said(
            f"https://{address}", timeout=0.4, connect_timeout=0.1, ssl_context=ssl.create_default_context()
        )
    assert sentence.startswith("could not connect to https://HOST within")


async def test_tls_towards_a_plain_server_names_the_way_out(service: Service) -> None:
    sentence = "https://HOST does not speak TLS. For a plain local server use http://host:port."
    assert await said(service.url.replace("http:", "https:")) == sentence
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert await said(f"https://{address}") == sentence


async def test_web_pages_over_tls_are_no_app(tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["http/1.1"])
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n", context) as address:
        sentence = await said(f"https://{address}", ssl_context=trusting)
    # A server that insists on a protocol refuses the handshake, others answer in their own.
    assert sentence in (
        f"https://{NOT_HTTP2}",
        f"https://{SPEAKS_HTTP1}",
    )


async def test_tls_requires_http2_and_a_trusted_certificate(tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)
    async with serving(Service(), ssl=context) as service:
        trusting = ssl.create_default_context(cafile=certificate)
        async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, ssl_context=trusting) as app:
            await app.get_robot("r")
        sentence = await said(service.url, ssl_context=ssl.create_default_context())
    assert sentence.startswith("the certificate of https://HOST is not trusted: ")
    assert sentence.endswith("SSL_CERT_FILE names a file with others.")
    assert len(service.received("GetRobot")) == 1


async def test_old_tls_is_refused(tmp_path: Path) -> None:
    certificate, context = certified(tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(Service(), ssl=context) as service:
        sentence = await said(service.url, ssl_context=ssl.create_default_context(cafile=certificate))
    assert "TLS 1.2 or newer is needed" in sentence


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_a_ca_file_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    _, context = certified(tmp_path)
    missing = tmp_path / "missing"
    monkeypatch.setenv(variable, str(missing))
    async with serving(Service(), ssl=context) as service:
        sentence = await said(service.url)
    assert sentence.endswith(f". {variable} names {missing}, which does not exist: correct or unset it.")


async def test_a_computer_without_certificates_of_authorities_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, context = certified(tmp_path)
    nowhere = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "/nowhere", "SSL_CERT_DIR", "/nowhere")  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    async with serving(Service(), ssl=context) as service:
        sentence = await said(service.url, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert "This computer has no certificates of authorities" in sentence


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, and the server side's TLS with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "viam-mcp tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.set_alpn_protocols(["h2"])
    return path, context
