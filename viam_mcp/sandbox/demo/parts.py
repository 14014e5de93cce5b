"""What the demo fleet's parts are configured with, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.sandbox.demo.places import HOSTILE_PART, INJECTION_MACHINE, KESTREL, NOISY_PART, TIDEWATER
from viam_mcp.sandbox.demo.resources import Json, component, module, service, webcam

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FEW_EDITS", "PARTS", "PART_EDITS"]


def _network(port: int = 8080) -> Json:
    return {"fqdn": "", "bind_address": f":{port}", "no_tls": False, "traffic_tunnel_endpoints": []}


def _key_auth(key: str) -> Json:
    config = {f"<key:{key}>": f"<key_value:{key}>", "keys": [f"<key:{key}>"]}
    return {"handlers": [{"type": "api-key", "config": config}]}


def _cloud(part: str, location: str) -> Json:
    return {
        "app_address": "https://app.viam.com:443",
        "id": f"<part:{part}>",
        "secret": f"<part_secret:{part}>",
        "location_secret": f"<location_secret:{location}>",
    }


def _xarm(host: str) -> Json:
    attributes = {"host": host, "speed_degs_per_sec": 45, "acceleration_degs_per_sec_per_sec": 120}
    mounted = {"parent": "world", "translation": {"x": 0, "y": 0, "z": 310}, "orientation": {"type": "ov_degrees"}}
    return {**component("arm", "arm", "viam:ufactory:xArm6", attributes), "frame": mounted}


def _hauler(wheel_mm: float, version: str) -> Json:
    return {
        "components": [
            component("left", "motor", "rdk:builtin:gpio", {"pins": {"pwm": "32", "dir": "29"}, "max_rpm": 180}),
            component("right", "motor", "rdk:builtin:gpio", {"pins": {"pwm": "33", "dir": "31"}, "max_rpm": 180}),
            component(
                "drive",
                "base",
                "tidewater:drive-control:two-wheel",
                {"wheel_circumference_mm": wheel_mm, "width_mm": 540, "p_gain": 0.82, "i_gain": 0.11},
                "left",
                "right",
            ),
            component("odometry", "movement_sensor", "tidewater:drive-control:odometry", {"rate_hz": 50}, "drive"),
        ],
        "services": [
            service("nav", "navigation", "rdk:builtin:builtin", {"base": "drive", "meters_per_sec": 0.6}),
        ],
        "modules": [module("tidewater:drive-control", version)],
        "network": _network(),
    }


PARTS: Mapping[str, Json] = {
    "picker-01-main": {
        "cloud": _cloud("picker-01-main", "Warehouse 1"),
        "auth": _key_auth("picker-01-machine"),
        "components": [
            component("base", "base", "rdk:builtin:wheeled", {"wheel_circumference_mm": 628.3, "width_mm": 610}),
            component("lift", "gantry", "rdk:builtin:single-axis", {"length_mm": 2400, "mm_per_rev": 10}),
        ],
        "services": [
            service("pick", "generic", "tidewater:picking:cycle", {"retries": 3, "cycle_timeout_sec": 42.5}),
        ],
        "modules": [
            module("tidewater:picking", "3.2.0"),
            module("tidewater:barcode-reader", "0.5.0"),
            module(
                "viam:ufactory", "1.4.0", env={"WMS_API_TOKEN": "<secret>", "WMS_URL": "https://wms.tidewater.example"}
            ),
        ],
        "remotes": [
            {
                "name": "dock-counter",
                "address": f"<fqdn:{HOSTILE_PART}>",
                "auth": {
                    "entity": "<key:warehouse-1-operator>",
                    "credentials": {"type": "api-key", "payload": "<key_value:warehouse-1-operator>"},
                },
            }
        ],
        "fragments": [
            {"id": "<fragment:picker-base>", "version": "stable"},
            {"id": "<fragment:fleet-telemetry>"},
        ],
        "network": _network(),
    },
    "picker-01-arm": {"components": [_xarm("10.0.4.11")], "modules": [module("viam:ufactory", "1.4.0")]},
    "picker-01-cameras": {
        "components": [
            webcam("overview", 1920, 1080),
            component("aisle", "camera", "viam:viamrtsp:rtsp", {"rtsp_address": "rtsp://viewer:<secret>@10.0.4.12/1"}),
        ],
        "modules": [module("viam:viamrtsp", "latest")],
        "fragments": ["<fragment:camera-pair>"],
    },
    "picker-02-main": {
        "components": [
            component("base", "base", "rdk:builtin:wheeled", {"wheel_circumference_mm": 629.1, "width_mm": 610}),
            _xarm("10.0.4.21"),
        ],
        "services": [service("pick", "generic", "tidewater:picking:cycle", {"retries": 3, "cycle_timeout_sec": 40})],
        "modules": [
            module("tidewater:picking", "3.2.0"),
            module("viam:ufactory", "1.4.0", env={"WMS_API_TOKEN": "<secret>"}),
        ],
        "fragments": [
            {"id": "<fragment:picker-base>", "version": "stable"},
            {"id": "<fragment:fleet-telemetry>"},
        ],
        "network": _network(),
    },
    NOISY_PART: {
        "components": [webcam("overview", 1920, 1080, 30), webcam("wrist", 640, 480, 30)],
        "services": [
            service("pallets", "mlmodel", "viam:mlmodel-tflite:tflite_cpu", {"num_threads": 2, "threshold": 0.55})
        ],
        "packages": [
            {
                "name": "pallet-detector",
                "package": f"<org:{TIDEWATER}>/pallet-detector",
                "type": "ml_model",
                "version": "2.2.0",
            }
        ],
    },
    "picker-03-main": {
        "components": [
            component("base", "base", "rdk:builtin:wheeled", {"wheel_circumference_mm": 627.8, "width_mm": 610}),
            component(
                "battery",
                "power_sensor",
                "tidewater:power:pack",
                {"low_volts": 22.0, "cutoff_volts": 20.5, "poll_sec": 5},
            ),
        ],
        "services": [service("pick", "generic", "tidewater:picking:cycle", {"retries": 2, "cycle_timeout_sec": 45})],
        "modules": [
            module("tidewater:picking", "3.1.0"),
            module("viam:ufactory", "1.3.0", env={"WMS_API_TOKEN": "<secret>"}),
        ],
        "fragments": [{"id": "<fragment:picker-base>", "version": "stable"}, {"id": "<fragment:safety-scanner>"}],
        "network": _network(),
    },
    "picker-03-arm": {"components": [_xarm("10.0.4.31")], "modules": [module("viam:ufactory", "1.3.0")]},
    "hauler-01-main": {
        **_hauler(718.4, "1.4.1"),
        "auth": _key_auth("hauler-01-machine"),
        "fragments": [
            {"id": "<fragment:hauler-drive-tuning>", "version": "<revision:hauler-drive-tuning>"},
            {"id": "<fragment:fleet-telemetry>", "version": "canary"},
        ],
    },
    "hauler-01-lidar": {
        "components": [
            component("lidar", "camera", "viam:lidar:rplidar", {"device_path": "/dev/rplidar", "min_range_mm": 150}),
        ],
        "remotes": [
            {"name": "drive", "address": "<fqdn:hauler-01-main>", "secret": "<location_secret:Warehouse 2>"},
        ],
    },
    "hauler-02-main": {
        **_hauler(717.9, "1.4.2"),
        "fragments": [
            {"id": "<fragment:hauler-drive-tuning>", "version": "<revision:hauler-drive-tuning>"},
            {"id": "<fragment:fleet-telemetry>"},
        ],
    },
    "cold-inspector-01-main": {
        "components": [
            component("mast", "servo", "rdk:builtin:gpio", {"pin": "12", "min": 10, "max": 170}),
            component("frost", "sensor", "viam:sensors:dht22", {"pin": "7", "offset_celsius": -0.4}),
        ],
        "services": [service("round", "generic", "tidewater:rounds:schedule", {"every_mins": 20, "dwell_sec": 8})],
        "fragments": [{"id": "<fragment:fleet-telemetry>"}],
        "network": _network(8090),
    },
    "cold-inspector-01-thermal": {
        "components": [component("thermal", "camera", "viam:flir:lepton", {"spi_bus": "0", "frame_rate": 9})],
        "auth": {"handlers": [{"type": "robot-location-secret", "config": {"secret": "<secret>"}}]},
    },
    HOSTILE_PART: {
        "components": [
            webcam("label-camera", 1920, 1080),
            component("scanner", "sensor", "tidewater:barcode-reader:label", {"min_confidence": 0.7, "every_ms": 200}),
        ],
        "services": [],
        "modules": [module("tidewater:barcode-reader", "0.5.0", env={"CARRIER_FTP_PASSWORD": "<secret>"})],
        "fragments": [{"id": "<fragment:fleet-telemetry>"}],
    },
    "dock-counter-02-main": {},
    "rental-rover-main": {
        "components": [
            component("base", "base", "rdk:builtin:wheeled", {"wheel_circumference_mm": 217, "width_mm": 260}),
            webcam("cam", 640, 480),
        ],
        "services": [],
    },
    "pilot-sorter-01-main": {
        "components": [
            component("belt", "motor", "rdk:builtin:gpio", {"pins": {"pwm": "32", "dir": "29"}, "max_rpm": 240}),
            component("diverter", "servo", "rdk:builtin:gpio", {"pin": "11", "min": 0, "max": 95}),
        ],
        "services": [service("sort", "generic", "kestrel:sorting:lanes", {"lanes": 4, "jam_timeout_sec": 6})],
        "modules": [module("kestrel:safety-scanner", "1.1.0", env={"PLC_PASSWORD": "<secret>"})],
        "fragments": [{"id": "<fragment:safety-scanner>"}],
        "network": _network(),
    },
    "pilot-sorter-01-cameras": {
        "components": [webcam("lane-1"), webcam("lane-2"), webcam("lane-3"), webcam("lane-4")],
        "packages": [
            {
                "name": "bin-state",
                "package": f"<org:{KESTREL}>/bin-state",
                "type": "ml_model",
                "version": "1.0.1",
            }
        ],
    },
    "demo-cell-01-main": {
        "auth": _key_auth("demo-cell-01-machine"),
        "components": [webcam("cell", 1280, 960)],
        "services": [service("show", "generic", "kestrel:demo:loop", {"pause_sec": 4, "cycles": 250})],
        "modules": [module("kestrel:safety-scanner", "1.0.0"), module("kestrel:label-printer", "0.1.0")],
        "fragments": [
            {"id": "<fragment:bench-cell>", "version": "stable"},
            {"id": "<fragment:safety-scanner>", "version": "stable"},
        ],
    },
    "demo-cell-01-arm": {"components": [_xarm("192.168.7.20")]},
    f"{INJECTION_MACHINE}-main": {},
}


# How often a part has been edited since it was made; those that are not here, FEW_EDITS times.
PART_EDITS: Mapping[str, int] = {
    "picker-01-main": 24,
    "hauler-01-main": 13,
    "hauler-02-main": 11,
    "picker-03-main": 9,
    "picker-02-main": 7,
    "pilot-sorter-01-main": 6,
    "demo-cell-01-main": 5,
    HOSTILE_PART: 4,
}
FEW_EDITS = 2
