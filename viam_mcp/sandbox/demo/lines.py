"""What the demo fleet's parts log, as data.

`{n}`, `{ms}`, `{pct}` and `{volts}` in a message become numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BY_KIND",
    "CRASH_LOOP",
    "CRASH_LOOP_EDIT",
    "EVERY_PART",
    "NOISE",
    "START",
    "UNDERVOLTAGE",
    "VOICES",
    "Ending",
    "Line",
    "Voice",
]


@dataclass(frozen=True)
class Line:
    """Something that a part logs, `weight` times as often as a line of weight 1.

    `source` is "file:line" in the code that logs, `fields` what it logs beside the message.
    """

    level: str
    logger: str
    message: str
    source: str = ""
    weight: int = 1
    stack: str = ""
    fields: tuple[tuple[str, str | int], ...] = ()


_GO_STACK = (
    "go.viam.com/rdk/robot/impl.(*resourceManager).processResource\n"
    "\t/__w/rdk/robot/impl/resource_manager.go:842\n"
    "go.viam.com/rdk/robot/impl.(*resourceManager).completeConfig.func1\n"
    "\t/__w/rdk/robot/impl/resource_manager.go:611"
)
_PY_STACK = (
    "Traceback (most recent call last):\n"
    '  File "/root/.viam/packages/data/module/barcode-reader/src/label.py", line 88, in get_readings\n'
    "    code = decode(image)[0]\n"
    "IndexError: list index out of range"
)

EVERY_PART = (
    Line("info", "rdk.networking", "connected to the cloud, round trip {ms} ms", "rpc/dialer.go:311", 14),
    Line("info", "rdk.config", "configuration is up to date, revision {n}", "config/watcher.go:118", 12),
    Line("info", "rdk.data_manager", "captured {n} readings, {pct}% of the buffer used", "datamanager/sync.go:204", 16),
    Line("info", "rdk.resource_manager", "reconfigured {n} resources in {ms} ms", "impl/resource_manager.go:640", 6),
    Line("info", "rdk.web", "{n} streams open", "web/web.go:402", 5),
    Line("debug", "rdk.modmanager", "module answers, heartbeat {ms} ms", "modmanager/manager.go:733", 2),
    Line("warn", "rdk.networking", "round trip of {ms} ms is slow; keeping the connection", "rpc/dialer.go:329", 5),
    Line(
        "warn",
        "rdk.data_manager",
        "upload is {n} files behind",
        "datamanager/sync.go:251",
        2,
        fields=(("queue", "upload"), ("bandwidth_kbps", 412)),
    ),
    Line(
        "error",
        "rdk.resource_manager",
        "resource was not ready within {n} s; trying again",
        "impl/resource_manager.go:829",
        1,
        stack=_GO_STACK,
        fields=(("resource", "rdk:service:data_manager/data-manager"),),
    ),
)

START = (
    Line("info", "rdk", "viam-server v0.101.0 starting, go1.23.4, linux/arm64", "server/entrypoint.go:143"),
    Line("info", "rdk.config", "read the cached configuration", "config/reader.go:390"),
    Line("info", "rdk.networking", "signaling answerer is ready", "rpc/wrtc_signaling_answerer.go:95"),
    Line("info", "rdk.modmanager", "started the modules in {ms} ms", "modmanager/manager.go:210"),
    Line("info", "rdk", "serving on :8080", "web/web.go:377"),
)

BY_KIND: Mapping[str, tuple[Line, ...]] = {
    "camera": (
        Line("info", "rdk.camera", "{n} frames in the last minute, {pct}% usable", "webcam/webcam.go:268", 16),
        Line("debug", "rdk.camera", "exposure {n}, gain {pct}", "webcam/webcam.go:301", 1),
        Line("warn", "rdk.camera", "frame came {ms} ms late", "webcam/webcam.go:290", 4),
        Line(
            "error",
            "rdk.camera",
            "no frame from /dev/video2: device or resource busy",
            "webcam/webcam.go:244",
            2,
            stack=_GO_STACK,
            fields=(("component", "camera"), ("errno", 16)),
        ),
    ),
    "arm": (
        Line("info", "rdk.arm", "moved to pose {n} in {ms} ms", "ufactory/xarm.go:411", 14),
        Line("warn", "rdk.arm", "joint 4 at {pct}% of its torque limit", "ufactory/xarm.go:472", 2),
        Line("error", "rdk.motion", "no plan to pose {n}: in collision with 'shelf'", "builtin/builtin.go:233", 1),
    ),
    "base": (
        Line("info", "rdk.base", "drove {n} m, {pct}% of the route done", "wheeled/wheeled_base.go:190", 14),
        Line("info", "rdk.power", "battery at {volts:.1f} V", "power/pack.go:71", 10),
        Line("warn", "rdk.base", "left wheel slipped for {ms} ms", "wheeled/wheeled_base.go:222", 2),
        Line("error", "rdk.motor", "motor 'right' draws too much: stopped for {ms} ms", "gpio/basic.go:151", 1),
    ),
    "scanner": (
        Line("info", "barcode-reader", "read label TW{n}-{ms}", "src/label.py:96", 20),
        Line("warn", "barcode-reader", "label is unreadable at {pct}% confidence", "src/label.py:91", 3),
        Line("error", "barcode-reader", "the reading failed", "src/label.py:88", 1, stack=_PY_STACK),
    ),
    "process": (
        Line("info", "rdk.generic", "cycle {n} done in {ms} ms", "process/cycle.go:140", 16),
        Line("warn", "rdk.generic", "cycle {n} was repeated", "process/cycle.go:155", 2),
        Line("error", "rdk.generic", "cycle {n} given up after 3 tries", "process/cycle.go:163", 1),
    ),
}

_NOISE = Line(
    "warn",
    "rdk.camera",
    "corrupt JPEG data: {n} extraneous bytes before marker 0xd9",
    "webcam/decode.go:57",
    fields=(("component", "wrist"),),
)
NOISE = (_NOISE, Line("info", "rdk.camera", "reopened 'wrist' after a broken frame", "webcam/webcam.go:233", weight=4))

# How a part went silent: seconds before its last entry, and the line.
Ending = tuple[tuple[int, Line], ...]

_PACK = "power/pack.go"
UNDERVOLTAGE: Ending = (
    (4_500, Line("info", "rdk.power", "battery at 23.9 V, not charging", f"{_PACK}:71")),
    (3_600, Line("warn", "rdk.power", "battery at 23.1 V: the dock gives no charge", f"{_PACK}:96")),
    (2_400, Line("warn", "rdk.power", "battery at 22.4 V", f"{_PACK}:96")),
    (1_500, Line("warn", "rdk.power", "battery at 21.9 V: undervoltage, below 22.0 V", f"{_PACK}:103")),
    (900, Line("error", "rdk.power", "battery undervoltage: 21.2 V, motors disabled", f"{_PACK}:110")),
    (420, Line("error", "rdk.power", "battery undervoltage: 20.7 V, cutoff is at 20.5 V", f"{_PACK}:110")),
    (200, Line("error", "rdk.base", "stopped: motor power is gone", "wheeled/wheeled_base.go:260")),
    (
        75,
        Line(
            "error",
            "rdk.networking",
            "cannot reach app.viam.com:443: connect: network is unreachable",
            "rpc/dialer.go:342",
            stack="go.viam.com/utils/rpc.dialInner\n\t/go/pkg/mod/go.viam.com/utils/rpc/dialer.go:342",
            fields=(("attempt", 1), ("interface", "wlan0")),
        ),
    ),
    (30, Line("error", "rdk.networking", "cannot reach app.viam.com:443: network is unreachable", "rpc/dialer.go:342")),
    (0, Line("warn", "rdk.power", "battery at 20.5 V: powering off the computer", f"{_PACK}:121")),
)

_LOST_POWER: Ending = (
    (180, Line("error", "rdk.arm", "controller box 10.0.4.31: connection reset by peer", "ufactory/xarm.go:198")),
    (
        60,
        Line("error", "rdk.networking", "cannot reach app.viam.com:443: network is unreachable", "rpc/dialer.go:342"),
    ),
    (0, Line("error", "rdk.networking", "still unreachable; logs are kept on this computer", "rpc/dialer.go:350")),
)

_SEGFAULT = (
    "panic: runtime error: invalid memory address or nil pointer dereference\n"
    "[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x7f3a10]\n\n"
    "goroutine 41 [running]:\n"
    "tidewater/drive-control/slip.(*Estimator).Update(0x0)\n"
    "\t/src/slip/estimator.go:77"
)
_MODULE = (("module", "tidewater_drive-control"), ("version", "1.4.2"))


def _crash(number: int) -> Ending:
    backoff = min(2**number, 60)
    manager = "modmanager/manager.go"
    return (
        (
            5,
            Line(
                "error",
                "rdk.modmanager.tidewater_drive-control",
                "panic in slip.(*Estimator).Update: nil pointer dereference",
                f"{manager}:1004",
                stack=_SEGFAULT,
                fields=_MODULE,
            ),
        ),
        (4, Line("error", "rdk.modmanager", "module exited with code 2", f"{manager}:611", fields=_MODULE)),
        (
            3,
            Line(
                "warn",
                "rdk.modmanager",
                f"restart {number} of the module in {backoff} s",
                f"{manager}:655",
                fields=_MODULE,
            ),
        ),
    )


CRASH_LOOP_EDIT = 1_834  # seconds before the end: the update of the module that began it
CRASH_LOOP: Ending = (
    (1_830, Line("info", "rdk.config", "new configuration: module tidewater:drive-control 1.4.1 -> 1.4.2")),
    (1_815, Line("info", "rdk.modmanager", "started tidewater_drive-control 1.4.2", "modmanager/manager.go:210")),
    *((1_800 - 65 * number + ago, line) for number in range(1, 25) for ago, line in _crash(number)),
    (90, Line("error", "rdk.resource_manager", "'drive' and 'odometry' are gone", "impl/resource_manager.go:829")),
    (20, Line("error", "rdk", "watchdog: no odometry for 300 s, stopping viam-server", "server/watchdog.go:58")),
    (0, Line("info", "rdk", "viam-server stopped", "server/entrypoint.go:512")),
)

_RETURNED: Ending = (
    (300, Line("info", "rdk.base", "parked", "wheeled/wheeled_base.go:301")),
    (0, Line("info", "rdk", "viam-server stopped: the computer is shutting down", "server/entrypoint.go:512")),
)


@dataclass(frozen=True)
class Voice:
    """What a part logs over a week, and, if it is offline, how that ended and when.

    `silent_since` is in seconds after last night's midnight UTC.
    """

    entries: int
    kinds: tuple[str, ...]
    noise: int = 0
    ending: Ending = ()
    silent_since: int | None = None


_HOUR = 3_600
_DAY = 24 * _HOUR

# Parts that are awaiting setup have none.
VOICES: Mapping[str, Voice] = {
    "picker-01-main": Voice(1_500, ("base", "process")),
    "picker-01-arm": Voice(900, ("arm",)),
    "picker-01-cameras": Voice(1_100, ("camera",)),
    "picker-02-main": Voice(1_400, ("base", "arm", "process")),
    "picker-02-cameras": Voice(1_500, ("camera",), noise=5_600),
    "picker-03-main": Voice(1_300, ("base", "process"), ending=UNDERVOLTAGE, silent_since=-73 * 60),
    "picker-03-arm": Voice(800, ("arm",), ending=_LOST_POWER, silent_since=-74 * 60),
    "hauler-01-main": Voice(1_500, ("base",)),
    "hauler-01-lidar": Voice(700, ("camera",)),
    "hauler-02-main": Voice(1_400, ("base",), ending=CRASH_LOOP, silent_since=48 * 60),
    "cold-inspector-01-main": Voice(900, ("process",)),
    "cold-inspector-01-thermal": Voice(700, ("camera",)),
    "dock-counter-01-main": Voice(1_600, ("scanner", "camera")),
    "rental-rover-main": Voice(400, ("base", "camera"), ending=_RETURNED, silent_since=-21 * _DAY + 15 * _HOUR),
    "pilot-sorter-01-main": Voice(1_300, ("process",)),
    "pilot-sorter-01-cameras": Voice(1_000, ("camera",)),
    "demo-cell-01-main": Voice(900, ("process",)),
    "demo-cell-01-arm": Voice(700, ("arm",)),
}
