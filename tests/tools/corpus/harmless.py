"""Configurations as machines have them, with nothing in them that anybody would hide."""

from __future__ import annotations

import hashlib
import random
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 77
_CONFIGURATIONS = 120

_PLACES = ("front", "rear", "left", "right", "dock", "aisle", "cell", "gripper", "mast", "bin")
_KINDS = (
    "arm",
    "camera",
    "motor",
    "base",
    "sensor",
    "gripper",
    "board",
    "encoder",
    "servo",
    "gantry",
    "movement_sensor",
)
_MAKERS = ("viam", "acme", "tidewater", "kestrel", "rand", "ethz-asl")
_MODELS = ("ur5e", "xarm6", "webcam", "realsense-d435", "gpio", "wheeled", "rplidar-a3", "bme280", "fake", "roboclaw")
_BRANCHES = ("main", "stable", "release-2026.11", "v2")
_SENTENCES = (
    "calibrated by hand on the bench, see the wiki", "replaces the old unit; cable 4 is loose",
    "do not move while docked",
    "token ring adapter removed", "the key is under the mat", "pass the second gate slowly", "no password required",
    "secret santa on Friday", "keyframes every 2 s", "code review pending", "authorized personnel only",
    "pin 11 is the enable line", "passed inspection 2026-03-02", "compass needs recalibration", "author: J. Doe",
)  # fmt: skip
_LOGS = (
    "component rdk:component:arm/{name} configured in {ms} ms", "connection to {host}:8080 lost, retry {n}",
    "module {model} started, pid {n}",
    "failed to refresh token: rpc error: code = Unavailable desc = connection refused",
    "token expired, refreshing", "password authentication disabled", "invalid key: {name}", "auth: required for {host}",
    "GET /api/v1/status 200 {ms}ms", "resource {id} not found", "secret store unavailable",
    "wrote {n} frames to /data/{name}.mp4",
    "access token refreshed", "credentials loaded from /etc/viam.json", "session {id} closed",
    "sync of {n} files done, sha256 {sha}",
    "commit {sha1} checked out", "key frame interval {n}", "no api key configured", "pin {p} set high",
    "tokens per second: {n}",
    "max_tokens={n} temperature=0.2", "code={n} reason=timeout", "keyboard interrupt",
    "passing {n} points to the planner",
    "authenticated as viam-server", "reading https://{host}/{name}/config?limit=10&page=2",
    "image ghcr.io/{maker}/{name}:v1.{n}.0",
)  # fmt: skip


def configurations() -> Iterator[dict[str, Any]]:
    """Configurations of machines."""
    for number in range(_CONFIGURATIONS):
        yield configuration(random.Random(SEED * 1000 + number))


def configuration(rng: random.Random) -> dict[str, Any]:
    """The configuration of one machine."""
    return {
        "components": [component(rng) for _ in range(rng.randrange(2, 6))],
        "services": [service(rng) for _ in range(rng.randrange(1, 4))],
        "modules": [module(rng) for _ in range(rng.randrange(1, 3))],
        "processes": [process(rng)],
        "fragments": [
            str(_uuid(rng)),
            {"id": str(_uuid(rng)), "version": "stable", "variables": {"arm_name": name(rng)}},
        ],
        "packages": [
            {"name": name(rng), "package": f"{_uuid(rng)}/{name(rng)}", "version": "latest", "type": "ml_model"}
        ],
        "remotes": [
            {
                "name": name(rng),
                "address": f"{name(rng)}-main.{_hex(rng, 10)}.viam.cloud",
                "auth": {"entity": f"{name(rng)}.viam.cloud"},
            }
        ],
        "network": {
            "fqdn": f"{name(rng)}.{_hex(rng, 10)}.viam.cloud",
            "bind_address": ":8080",
            "tls_cert_file": "/etc/ssl/robot.pem",
            "tls_key_file": "/etc/ssl/robot.key",
        },
        "maintenance": {
            "sensor_name": "rdk:component:sensor/dock",
            "maintenance_allowed_key": rng.choice(["is_safe", "docked", "is_docked_and_idle"]),
        },
        "auth": {
            "handlers": [{"type": "api-key", "config": {"keys": [str(_uuid(rng))]}}],
            "tls_auth_entities": [f"{name(rng)}.viam.cloud"],
        },
        "log": [{"pattern": "rdk.components.*", "level": "debug"}],
        "note": rng.choice(_SENTENCES),
        "revision": hashlib.sha256(rng.randbytes(8)).hexdigest(),
        "debug": False,
    }


def component(rng: random.Random) -> dict[str, Any]:
    """A component of any kind."""
    kind = rng.choice(_KINDS)
    return {
        "name": name(rng),
        "api": f"rdk:component:{kind}",
        "model": model(rng),
        "namespace": "rdk",
        "type": kind,
        "attributes": attributes(rng),
        "depends_on": [name(rng) for _ in range(rng.randrange(3))],
        "frame": {
            "parent": "world",
            "translation": {axis: round(rng.uniform(-900, 900), 3) for axis in "xyz"},
            "orientation": {
                "type": "ov_degrees",
                "value": {"x": 0, "y": 0, "z": 1, "th": round(rng.uniform(0, 360), 4)},
            },
        },
    }


def attributes(rng: random.Random) -> dict[str, Any]:
    """Some attributes as drivers have them."""
    all_of_them = {
        "host": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
        "port": rng.randrange(1024, 65536),
        "speed_degs_per_sec": round(rng.uniform(1, 180), 2),
        "payload": rng.choice([round(rng.uniform(0.1, 9), 2), {"mass_kg": 1.25, "center_of_gravity": [0, 0, 35.5]}]),
        "high_pass": round(rng.uniform(0.1, 60), 2),
        "low_pass_filter": {"cutoff_hz": 12.5, "order": 2},
        "band_pass": [300, 3400],
        "pin": rng.choice([str(rng.randrange(1, 41)), rng.randrange(1, 41), "io_1", "GPIO17"]),
        "pins": {"a": "13", "b": "15", "pwm": str(rng.randrange(1, 41)), "dir": "io2"},
        "digital_interrupts": [{"name": "hall", "pin": str(rng.randrange(1, 41))}],
        "board": name(rng),
        "serial_path": f"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_{_hex(rng, 8).upper()}-if00-port0",
        "video_path": f"/dev/video{rng.randrange(9)}",
        "serial_number": _hex(rng, 12).upper(),
        "mac": ":".join(_hex(rng, 2) for _ in range(6)),
        "intrinsic_parameters": {key: round(rng.uniform(200, 900), 6) for key in ("fx", "fy", "ppx", "ppy")},
        "distortion_parameters": {key: rng.uniform(-1, 1) for key in ("rk1", "rk2", "rk3", "tp1", "tp2")},
        "calibration": [rng.uniform(-3, 3) for _ in range(6)],
        "firmware": f"v{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(99)}-rc{rng.randrange(9)}",
        "image": f"ghcr.io/{rng.choice(_MAKERS)}/{name(rng)}@sha256:{hashlib.sha256(rng.randbytes(8)).hexdigest()}",
        "checksum": hashlib.md5(rng.randbytes(8)).hexdigest(),
        "key": rng.choice(["temperature", "is_open", "joint_3", "state", "camera-2"]),
        "sort_key": "created_at",
        "primary_key": "id",
        "keyboard_layout": "de-nodeadkeys",
        "key_frames": rng.randrange(300),
        "keys": rng.choice([88, ["a", "b", "shift"], ["up", "down"]]),
        "hot_key": "ctrl+alt+k",
        "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample user@host",
        "max_tokens": rng.randrange(1, 8192),
        "tokens": rng.randrange(1, 8192),
        "tokenizer": "bert-base-uncased",
        "stop_token": "<end>",
        "token_file": "/run/secrets/robot-token",
        "password_file": "/etc/viam/password.txt",
        "secret_name": "broker-credentials",
        "credentials_path": "/home/viam/.aws/credentials",
        "api_key_id": str(_uuid(rng)),
        "use_password": True,
        "password_required": rng.choice(["yes", "no", "optional"]),
        "password_min_length": 12,
        "auth_type": rng.choice(["basic", "none", "oauth2"]),
        "auth": rng.choice(["none", "basic", False]),
        "pass": rng.randrange(1, 9),
        "passes": 3,
        "bypass": False,
        "compass": "hmc5883l",
        "passive": True,
        "seed": rng.randrange(10**6),
        "random_seed": rng.randrange(10**6),
        "community": "north-campus",
        "code": rng.choice(["E42", "OK", 200]),
        "error_code": rng.randrange(1000, 9999),
        "zip_code": str(rng.randrange(10000, 99999)),
        "country_code": "DE",
        "status_codes": [200, 404, 1006],
        "author": "ada@example.com",
        "url": f"rtsp://{name(rng)}.local:554/stream{rng.randrange(9)}",
        "webhook_enabled": True,
        "webhook_timeout_s": 5,
        "endpoint": f"https://api.example/v1/{name(rng)}?limit=50&sort=asc",
        "env_password": "${BROKER_PASSWORD}",
        "password": "${BROKER_PASSWORD}",
        "description": rng.choice(_SENTENCES),
        "color": f"#{_hex(rng, 6)}",
        "version": f"{rng.randrange(3)}.{rng.randrange(20)}.{rng.randrange(99)}",
        "machine_id": str(_uuid(rng)),
        "commit": hashlib.sha1(rng.randbytes(8)).hexdigest(),
        "tags": ["prod", f"line-{rng.randrange(9)}", "eu-central-1"],
        "topic": f"plant/{name(rng)}/state/+",
        "query": "SELECT name, key FROM readings WHERE pass = 1",
        "certificate": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUExample0123456789abcdefABCDEF01234567890w\n"
        "-----END CERTIFICATE-----",
        "icon": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "cron": "*/15 * * * *",
        "coordinates": f"{rng.uniform(-90, 90):.6f},{rng.uniform(-180, 180):.6f}",
        "last_calibrated": f"2026-0{rng.randrange(1, 10)}-1{rng.randrange(10)}T08:15:0{rng.randrange(10)}.123456Z",
    }
    return {key: all_of_them[key] for key in rng.sample(sorted(all_of_them), 14)}


def service(rng: random.Random) -> dict[str, Any]:
    """A service."""
    return {
        "name": name(rng),
        "api": "rdk:service:data_manager",
        "model": "rdk:builtin:builtin",
        "attributes": {
            "capture_dir": f"/data/{name(rng)}",
            "sync_interval_mins": round(rng.uniform(0.1, 5), 2),
            "tags": [f"shift-{rng.randrange(3)}"],
            "additional_sync_paths": ["/home/viam/logs", "~/captures"],
            "selective_syncer_name": name(rng),
            "file_last_modified_millis": rng.randrange(10**13),
        },
    }


def module(rng: random.Random) -> dict[str, Any]:
    """A module from the registry, or a local one."""
    return {
        "type": "registry",
        "name": f"{rng.choice(_MAKERS)}_{name(rng)}",
        "module_id": f"{rng.choice(_MAKERS)}:{name(rng)}",
        "version": f"^{rng.randrange(3)}.{rng.randrange(20)}.0",
        "executable_path": f"/opt/{name(rng)}/bin/run.sh",
        "env": {
            "LOG_LEVEL": "debug",
            "PYTHONPATH": "/opt/lib",
            "DISPLAY": ":0",
            "MODEL_PATH": f"/data/{name(rng)}.tflite",
        },
        "first_run_timeout": "5m0s",
    }


def process(rng: random.Random) -> dict[str, Any]:
    """A process that runs beside."""
    return {
        "id": name(rng),
        "name": rng.choice(["/usr/bin/python3", "docker", "ssh", "ffmpeg", "rsync"]),
        "args": rng.choice(
            [
                ["-m", "http.server", str(rng.randrange(1024, 65536))],
                ["run", "-u", "1000:1000", "-p", "8080:80", "--name", name(rng), f"{name(rng)}:1.{rng.randrange(9)}"],
                ["-p", "2222", "-i", "/home/viam/.ssh/id_ed25519", f"viam@{name(rng)}.local"],
                ["-i", f"rtsp://{name(rng)}.local/1", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
                ["-avz", "--password-file", "/etc/rsync.secret", "/data/", f"backup@{name(rng)}:/srv/{name(rng)}"],
                ["--key", "temperature", "--sort-key", "time", "--token-limit", "512"],
            ]
        ),
        "cwd": f"/srv/{name(rng)}",
        "log": True,
    }


def log_lines() -> Iterator[str]:
    """Lines that machines log."""
    rng = random.Random(SEED)
    for _ in range(12):
        for line in _LOGS:
            yield line.format(
                name=name(rng), model=model(rng), maker=rng.choice(_MAKERS), host=f"{name(rng)}.local", id=_uuid(rng),
                ms=rng.randrange(900), n=rng.randrange(1, 9000), p=rng.randrange(1, 40),
                sha=hashlib.sha256(rng.randbytes(4)).hexdigest(), sha1=hashlib.sha1(rng.randbytes(4)).hexdigest(),
            )  # fmt: skip


def name(rng: random.Random) -> str:
    """What people call a thing."""
    joined = rng.choice(["-", "_"]).join([rng.choice(_PLACES), rng.choice(_KINDS)])
    return rng.choice([joined, f"{joined}-{rng.randrange(1, 40)}", joined.title().replace("_", "").replace("-", "")])


def model(rng: random.Random) -> str:
    """A model triple."""
    return f"{rng.choice(_MAKERS)}:{rng.choice(_KINDS)}:{rng.choice(_MODELS)}"


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a configuration, with where it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def _hex(rng: random.Random, length: int) -> str:
    return f"{rng.getrandbits(4 * length):0{length}x}"


def _uuid(rng: random.Random) -> uuid.UUID:
    return uuid.UUID(int=rng.getrandbits(128), version=4)
