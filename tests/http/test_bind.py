"""Which addresses and names a server may be started with."""

from __future__ import annotations

import pytest

from viam_mcp.http import HttpError, is_loopback, transport_security, url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_addresses_that_only_this_computer_reaches_need_nothing(host: str) -> None:
    assert is_loopback(host)
    assert "localhost:*" in transport_security(host, authenticated=False).allowed_hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fleet.example.com", "localhost.example.com", ""])
def test_other_addresses_need_the_names_that_clients_call_the_server_by(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(HttpError, match=r"give --allowed-hosts"):
        transport_security(host, authenticated=True)


def test_other_addresses_need_callers_who_say_who_they_are() -> None:
    with pytest.raises(HttpError, match=r"--host 0\.0\.0\.0 is for callers on other computers, and --auth none"):
        transport_security("0.0.0.0", allowed_hosts=["fleet.example.com"], authenticated=False)


def test_a_name_from_outside_on_this_computer_alone_means_a_proxy_and_needs_authentication_too() -> None:
    with pytest.raises(HttpError, match=r"--allowed-hosts fleet\.example\.com is for callers on other computers"):
        transport_security("127.0.0.1", allowed_hosts=["localhost", "fleet.example.com"], authenticated=False)


def test_the_names_of_this_computer_are_not_taken_on_other_addresses() -> None:
    settings = transport_security("0.0.0.0", allowed_hosts=["fleet.example.com", "b.example:8443"], authenticated=True)
    assert settings.enable_dns_rebinding_protection
    assert settings.allowed_hosts == ["fleet.example.com", "fleet.example.com:*", "b.example:8443"]
    assert settings.allowed_origins == []


def test_the_address_itself_is_among_the_names_on_this_computer() -> None:
    assert {"127.0.0.9", "127.0.0.9:*", "[::1]:*"} <= set(
        transport_security("127.0.0.9", authenticated=False).allowed_hosts
    )


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "*.example.com",
        "https://a.example",
        "a.example/mcp",
        "a b",
        "",
        "a.example:",
        "a.example:70000",
        "a.b:x",
        "a.",
        "a\n",
    ],
)
def test_what_is_no_host_is_not_taken_for_one(name: str) -> None:
    with pytest.raises(HttpError, match=r"is not a host"):
        transport_security("127.0.0.1", allowed_hosts=[name], authenticated=True)


@pytest.mark.parametrize("origin", ["*", "null", "a.example", "https://*", "https://a.example/", "ftp://a.example"])
def test_what_is_no_origin_is_not_taken_for_one(origin: str) -> None:
    with pytest.raises(HttpError, match=r"is not an origin"):
        transport_security("127.0.0.1", allowed_origins=[origin], authenticated=True)


def test_an_address_of_the_sixth_version_stands_in_brackets_in_a_url() -> None:
    assert url("::1", 8000, tls=False) == "http://[::1]:8000"
    assert url("127.0.0.1", 443, tls=True) == "https://127.0.0.1:443"
