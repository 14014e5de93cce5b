"""Credentials of every kind, each in a value as configurations, arguments and logs hold it."""

from __future__ import annotations

import base64
import json
import random
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 20261129
_ROUNDS = 6  # of each way to write a credential, with other names and other credentials


@dataclass(frozen=True)
class Planted:
    """A value with a credential in it.

    Attributes:
        kind: In which way it is written.
        value: The value: JSON, or a text.
        secret: The credential.
    """

    kind: str
    value: Any
    secret: str


NAMES = (
    "password", "Password", "DB_PASSWORD", "dbPassword", "passwd", "db_pass", "MYSQL_PWD", "passphrase", "psk",
    "wifi_psk",
    "wpa_passphrase", "secret", "client_secret", "clientSecret", "SECRET_KEY", "api_key", "apiKey", "API-KEY",
    "X-Api-Key", "apikey", "access_key", "AWS_SECRET_ACCESS_KEY", "private_key", "signing_key", "encryption_key",
    "token", "access_token", "refreshToken", "BOT_TOKEN", "auth_token", "credential", "bearer", "location_secret",
    "webhook_secret", "account_key", "sharedAccessKey", "license_key", "jwt", "admin_password", "wifi_key",
    "master_key",
)  # fmt: skip
PLAIN_NAMES = (
    "password",
    "DB_PASSWORD",
    "passwd",
    "psk",
    "wifi_psk",
    "api_key",
    "access_token",
    "client_secret",
    "token",
)
PINS = (
    "pin",
    "pin_code",
    "user_pin",
    "sim_pin",
    "unlock_code",
    "door_code",
    "alarm_code",
    "access_code",
    "security_code",
)
SEEDS = ("totp_seed", "otp_seed", "mfa_seed", "totp_secret", "recovery_seed")
COMMUNITIES = ("snmp_community", "snmp_ro_community", "snmp_rw_community", "snmpCommunity", "community_string")
HOSTS = ("db.example", "10.0.0.5", "mqtt.plant-3.example", "camera-12.local", "[2001:db8::7]")
SCHEMES = (
    "mqtt",
    "mqtts",
    "rtsp",
    "postgres",
    "postgresql",
    "amqp",
    "redis",
    "mongodb",
    "mongodb+srv",
    "ftp",
    "smb",
    "ldap",
)
WORDS = ("copper", "lantern", "orchid", "tractor", "meadow", "falcon", "granite", "harbor", "pebble", "walnut")


def letters(rng: random.Random, length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Random characters, with a digit among them."""
    text = "".join(rng.choice(alphabet) for _ in range(length - 1))
    digits = [character for character in alphabet if character.isdigit()] or [alphabet[0]]
    place = rng.randrange(length)
    return text[:place] + rng.choice(digits) + text[place:]


def password(rng: random.Random) -> str:
    """A password as people and programs choose them."""
    word = rng.choice(WORDS)
    return rng.choice(
        [
            word.capitalize() + str(rng.randrange(100, 9999)) + rng.choice("!#%*"),
            letters(rng, rng.randrange(10, 25)),
            f"{word}{rng.randrange(10, 99)}",
            f"{letters(rng, 6)}-{letters(rng, 6)}",
            word[:2] + rng.choice("@$!") + word[2:] + str(rng.randrange(10)),
        ]
    )


_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits
_URLSAFE = string.ascii_letters + string.digits + "-_"

TOKENS: dict[str, Callable[[random.Random], str]] = {
    "github": lambda rng: rng.choice(["ghp_", "gho_", "ghs_", "ghu_"]) + letters(rng, 36),
    "github fine": lambda rng: "github_pat_" + letters(rng, 22) + "_" + letters(rng, 59),
    "gitlab": lambda rng: "glpat-" + letters(rng, 20),
    "slack": lambda rng: f"xoxb-{rng.randrange(10**11, 10**12)}-{rng.randrange(10**12, 10**13)}-{letters(rng, 24)}",
    "slack app": lambda rng: (
        f"xapp-1-A{letters(rng, 10, _UPPER)}-{rng.randrange(10**12, 10**13)}-{letters(rng, 64, _HEX)}"
    ),
    "aws id": lambda rng: rng.choice(["AKIA", "ASIA"]) + letters(rng, 16, _UPPER),
    "google": lambda rng: "AIza" + letters(rng, 35, _URLSAFE),
    "google oauth": lambda rng: "ya29." + letters(rng, 60, _URLSAFE),
    "google secret": lambda rng: "GOCSPX-" + letters(rng, 28, _URLSAFE),
    "stripe": lambda rng: rng.choice(["sk_live_", "sk_test_", "rk_live_"]) + letters(rng, 24),
    "stripe hook": lambda rng: "whsec_" + letters(rng, 32),
    "openai": lambda rng: "sk-" + letters(rng, 20) + "T3BlbkFJ" + letters(rng, 20),
    "openai project": lambda rng: "sk-proj-" + letters(rng, 60, _URLSAFE),
    "anthropic": lambda rng: "sk-ant-api03-" + letters(rng, 93, _URLSAFE) + "AA",
    "tailscale": lambda rng: f"tskey-auth-k{letters(rng, 11)}CNTRL-{letters(rng, 32)}",
    "hugging face": lambda rng: "hf_" + letters(rng, 34, string.ascii_letters),
    "npm": lambda rng: "npm_" + letters(rng, 36),
    "pypi": lambda rng: "pypi-AgEIcHlwaS5vcmc" + letters(rng, 140, _URLSAFE),
    "sendgrid": lambda rng: f"SG.{letters(rng, 22, _URLSAFE)}.{letters(rng, 43, _URLSAFE)}",
    "telegram": lambda rng: f"{rng.randrange(10**8, 10**10)}:AA{letters(rng, 33, _URLSAFE)}",
    "discord": lambda rng: f"MTk4NjIyNDgzNDcxOTI1{letters(rng, 6)}.{letters(rng, 6)}.{letters(rng, 30)}",
    "digitalocean": lambda rng: "dop_v1_" + letters(rng, 64, _HEX),
    "vault": lambda rng: "hvs." + letters(rng, 90, _URLSAFE),
    "docker": lambda rng: "dckr_pat_" + letters(rng, 27, _URLSAFE),
    "shopify": lambda rng: "shpat_" + letters(rng, 32, _HEX),
    "databricks": lambda rng: "dapi" + letters(rng, 32, _HEX),
    "mailgun": lambda rng: "key-" + letters(rng, 32, _HEX),
    "grafana": lambda rng: f"glsa_{letters(rng, 32)}_{letters(rng, 8, _HEX)}",
    "linear": lambda rng: "lin_api_" + letters(rng, 40),
    "cloudflare": lambda rng: "cfut_" + letters(rng, 48),
    "doppler": lambda rng: "dp.pt." + letters(rng, 43),
    "postman": lambda rng: f"PMAK-{letters(rng, 24, _HEX)}-{letters(rng, 34, _HEX)}",
    "jwt": lambda rng: ".".join(
        [
            base64url(json.dumps({"alg": "HS256"})),
            base64url(json.dumps({"sub": letters(rng, 8)})),
            letters(rng, 43, _URLSAFE),
        ]
    ),
}


def base64url(text: str) -> str:
    """The text in the base64 of URLs."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def base64text(text: str) -> str:
    """The text in base64."""
    return base64.b64encode(text.encode()).decode()


def pkcs8(rng: random.Random) -> str:
    """The body of a private key: 64 characters, as an Ed25519 key has them."""
    return base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + rng.randbytes(32)).decode()


def rsa(rng: random.Random) -> str:
    """The body of a longer private key."""
    head = bytes.fromhex("308204bd020100300d06092a864886f70d0101010500048204a7308204a30201000282010100")
    return base64.b64encode(head + rng.randbytes(300)).decode()


def texts(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """One credential in each way to write it in a text: the kind, the text, the credential."""
    name, plain, secret, host = rng.choice(NAMES), rng.choice(PLAIN_NAMES), password(rng), rng.choice(HOSTS)
    user = rng.choice(["admin", "svc-arm", "viam", "root"])
    quoted = rng.choice(["'{}'", '"{}"']).format(secret)
    for kind, form in {
        "name=value": f"{name}={secret}",
        "name = value": f"starting with {name} = {secret} on {host}",
        "quoted value": f"{name}={quoted} --fast",
        "properties": f"host={host}\nport=1883\n{name}={secret}\n",
        "connection string": f"Server={host};Database=fleet;User Id={user};Password={secret};Encrypt=yes",
        "json in a line": f'got {{"{name}": "{secret}", "host": "{host}"}} from upstream',
        "escaped json": f'body "{{\\"{name}\\":\\"{secret}\\",\\"n\\":1}}" refused',
        "python": f"config {{'{name}': '{secret}', 'host': '{host}'}}",
        "yaml line": f"{plain}: {secret}",
        "yaml": f"broker:\n  host: {host}\n  {name}: {secret}\n  retries: 3\n",
        "yaml quoted": f"broker:\n  host: {host}\n  {name}: {quoted}\n",
        "yaml list": f"users:\n  - name: {user}\n    {name}: {secret}\n",
        "yaml pair": f"env:\n  - name: {plain.upper()}\n    value: {secret}\n",
        "name: value in a sentence": f"connecting to {host} with {plain}: {secret}",
        "name value": f"login as {user} with {plain} {secret} failed",
        "name is value": f"the {plain} is {secret}",
        "go map": f"config map[host:{host} {name}:{secret} retries:3]",
        "go struct": f"dialing {{Host:{host} Password:{secret} Retries:3}}",
        "go pointer": f'dialing &{{Host:"{host}", Token:"{secret}"}}',
        "option": f"run --{plain.replace('_', '-')} {secret} --fast",
        "option=": f"run --{plain.replace('_', '-')}={secret} --fast",
        "go option": f"run -password {secret} -v",
        "curl -u": f"curl -s -u {user}:{secret} http://{host}/status",
        "curl --user": f"curl --user '{user}:{secret}' https://{host}/status",
        "mysql": f"mysql -h {host} -u {user} -p{secret} fleet",
        "sshpass": f"sshpass -p {secret} ssh {user}@{host}",
        "redis": f"redis-cli -h {host} -a {secret} ping",
        "mosquitto": f"mosquitto_pub -h {host} -u {user} -P {secret} -t x -m y",
        "netrc": f"machine {host} login {user} password {secret}",
        "netrc lines": f"machine {host}\n  login {user}\n  password {secret}\n",
        "header": f"X-Api-Key: {secret}",
        "header of curl": f'curl -H "X-Auth-Token: {secret}" http://{host}/x',
        "cookie": f"Cookie: session={secret}; theme=dark",
        "basic": f"Authorization: Basic {base64text(f'{user}:{secret}')}",
        "bearer": f"Authorization: Bearer {letters(rng, 40)}",
        "query": f"GET https://{host}/v1/state?{plain}={secret}&limit=10 200",
        "xml": f"<config><host>{host}</host><password>{secret}</password></config>",
        "call": f'client.setPassword("{secret}")',
        "assignment": f"config['{name}'] = '{secret}'",
        "arrow": f'"{name}" => "{secret}"',
        "export": f"export {plain.upper()}={secret} && ./run.sh",
        "wpa": f"wpa_passphrase workshop {secret}{secret}",
        "snmp": f"snmp-server community {secret} RO",
        "snmpwalk": f"snmpwalk -v2c -c {secret} {host} system",
        "docker": f"docker login -u {user} -p {secret} registry.example",
        "data of curl": f"curl -d '{plain}={secret}' https://{host}/login",
        "cisco": f"username {user} secret 5 {secret}",
        "paired": f"{{Name:{plain.upper()} Value:{secret}}}",
    }.items():
        yield kind, form, (form.split()[-1] if kind in ("basic", "bearer") else secret)


def urls(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """The same for URLs."""
    secret, host, scheme = password(rng), rng.choice(HOSTS), rng.choice(SCHEMES)
    odd = letters(rng, 5) + rng.choice("/@?#\"' ") + letters(rng, 6, string.ascii_letters)
    odd = rng.choice(string.ascii_letters) + odd
    signature, token = letters(rng, 64, _HEX), letters(rng, 24)
    for kind, form, credential in (
        ("url", f"{scheme}://user:{secret}@{host}:1883/topic", secret),
        ("url in a line", f"dial {scheme}://svc:{secret}@{host}/x failed: timeout", secret),
        ("url without a user", f"redis://:{secret}@{host}:6379/0", secret),
        ("url with an odd password", f"{scheme}://user:{odd}@{host}/x", odd),
        ("token before the host", f"https://{token}@{host}/repo.git", token),
        ("token before the host of any scheme", f"{scheme}://{token}@{host}/x", token),
        (
            "signed url",
            f"https://bucket.s3.example/a.bin?X-Amz-Date=20260101T000000Z&X-Amz-Signature={signature}",
            signature,
        ),
        ("azure sas", f"https://store.blob.example/c?sv=2024-01-01&se=2026-12-31&sig={letters(rng, 40)}%3D", ""),
        (
            "slack hook",
            f"https://hooks.slack.com/services/T{letters(rng, 9, _UPPER)}/B{letters(rng, 9, _UPPER)}/{token}",
            token,
        ),
        (
            "discord hook",
            f"https://discord.com/api/webhooks/{rng.randrange(10**17, 10**18)}/{letters(rng, 68, _URLSAFE)}",
            "",
        ),
        ("telegram", f"https://api.telegram.org/bot{TOKENS['telegram'](rng)}/getUpdates", ""),
        ("google maps", f"https://maps.example/api/js?key={TOKENS['google'](rng)}&v=3", ""),
        (
            "teams hook",
            f"https://acme.webhook.office.com/webhookb2/{token}@{letters(rng, 12)}/IncomingWebhook/{signature}",
            signature,
        ),
        ("code", f"https://{host}/cb?code={token}&state=1", token),
        ("fragment", f"https://{host}/cb#access_token={token}&state=1", token),
    ):
        yield kind, form, credential or _last_random(form)


def _last_random(text: str) -> str:
    """The longest run of characters of a token."""
    return max(text.replace("%", "/").replace("=", "/").replace("&", "/").split("/"), key=len)


def configurations(rng: random.Random) -> Iterator[tuple[str, Any, str]]:
    """One credential in each way to write it in a configuration."""
    name, secret, host = rng.choice(NAMES), password(rng), rng.choice(HOSTS)
    pin = rng.randrange(1000, 999_999)
    seed, community = (
        letters(rng, 16, string.ascii_uppercase + "234567"),
        rng.choice(WORDS) + str(rng.randrange(10, 99)),
    )
    yield "attribute", {"attributes": {name: secret, "host": host}}, secret
    yield "environment", {"modules": [{"name": "m", "env": {name.upper(): secret}}]}, secret
    yield "named value", {"env": [{"name": name, "value": secret}]}, secret
    yield "list under a name", {f"{name.rstrip('s')}s": [secret, secret]}, secret
    yield "object under a name", {"credentials": {"type": "custom", "value": secret}}, secret
    yield (
        "remote",
        {"remotes": [{"auth": {"credentials": {"type": "robot-location-secret", "payload": secret}}}]},
        secret,
    )
    yield "cloud", {"cloud": {"id": "x", "secret": letters(rng, 48)}}, ""
    yield "handler", {"auth": {"handlers": [{"type": "api-key", "config": {"key": letters(rng, 32)}}]}}, ""
    yield "key id", {"config": {f"{letters(rng, 8, _HEX)}-aaaa-4bbb-8ccc-{letters(rng, 12, _HEX)}": secret}}, secret
    yield "pin", {rng.choice(PINS): str(pin)}, str(pin)
    yield "pin as a number", {"attributes": {rng.choice(PINS): pin, "retries": 3}}, str(pin)
    yield "seed", {rng.choice(SEEDS): seed}, seed
    yield "community", {rng.choice(COMMUNITIES): community}, community
    yield "community under snmp", {"snmp": {"version": "2c", "community": community}}, community
    yield "argument", {"args": ["--fast", f"--{rng.choice(PLAIN_NAMES).replace('_', '-')}", secret]}, secret
    yield "argument=", {"args": [f"--{name}={secret}", "-v"]}, secret
    yield "header in arguments", {"args": ["-s", "-H", f"X-Api-Key: {secret}", f"http://{host}/"]}, secret
    yield "authorization in arguments", {"args": ["-H", f"Authorization: Token {secret}", f"http://{host}/"]}, secret
    yield "cookie in arguments", {"args": ["--cookie", f"sid={secret}", f"http://{host}/"]}, secret
    yield "user in arguments", {"name": "curl", "args": ["-u", f"bot:{secret}", f"http://{host}/"]}, secret
    attached = f"{letters(rng, 9)}Q7"
    yield "attached in arguments", {"name": "/usr/bin/mysql", "args": ["-uroot", f"-p{attached}"]}, attached
    yield "password option", {"name": "sshpass", "args": ["-p", secret, "ssh", f"x@{host}"]}, secret
    yield "json in a text", {"payload": json.dumps({"wifi": {"ssid": "plant", name: secret}})}, secret
    yield "yaml in a text", {"config_file": f"mqtt:\n  host: {host}\n  {name}: {secret}\n"}, secret
    yield "command", {"command": f"run.sh {name}={secret} --log-level debug"}, secret


def forms(rng: random.Random) -> Iterator[tuple[str, Any, str]]:
    """Credentials that are told by their form, under names that say nothing."""
    for service, make in TOKENS.items():
        token = make(rng)
        yield f"{service} alone", {"note": token}, token
        yield f"{service} in a line", f"using {token} for the upload", token
        yield f"{service} in base64", {"blob": base64text(token)}, base64text(token)
        yield f"{service} in base64 of json", {"data": base64text(json.dumps({"k": token}))}, ""
    body, long = pkcs8(rng), rsa(rng)
    lines = "\n".join(long[at : at + 64] for at in range(0, len(long), 64))
    for kind, text in {
        "pem": f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n",
        "rsa pem": f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----",
        "pem of one line": f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----",
        "pem with blanks": f"-----BEGIN PRIVATE KEY----- {body} -----END PRIVATE KEY-----",
        "pem escaped": f"-----BEGIN EC PRIVATE KEY-----\\n{body}\\n-----END EC PRIVATE KEY-----\\n",
        "pem cut off": f"read -----BEGIN OPENSSH PRIVATE KEY-----\n{lines}",
    }.items():
        yield kind, {"file": text}, body if body in text else long[:64]
        yield f"{kind} in a line", f"loaded {text}", body if body in text else long[:64]
    yield (
        "pem in lines",
        {"file": ["-----BEGIN PRIVATE KEY-----", *lines.split("\n"), "-----END PRIVATE KEY-----"]},
        long[64:128],
    )
    yield "pkcs8", {"file": body}, body
    yield "longer pkcs8", {"file": long}, long
    yield "base64 of json", {"blob": base64text(json.dumps({"password": password(rng)}))}, ""
    yield "base64 of a command", {"blob": base64text(f"run --token {letters(rng, 20)}")}, ""
    yield "base64 of a user", {"blob": base64text(f"admin:{letters(rng, 10)}")}, ""


def planted() -> list[Planted]:
    """Everything that is planted. Where no credential is named, it is the longest text of the value."""
    found = []
    for number in range(_ROUNDS):
        rng = random.Random(SEED + number)
        for make in (texts, urls, configurations, *([forms] if number % 3 == 0 else ())):
            found += [Planted(kind, value, secret or longest(value)) for kind, value, secret in make(rng)]
    return found


def longest(value: Any) -> str:
    """The longest text in a value."""
    if isinstance(value, dict):
        return max((longest(item) for item in value.values()), key=len)
    if isinstance(value, list):
        return max((longest(item) for item in value), key=len)
    return value if isinstance(value, str) else ""
