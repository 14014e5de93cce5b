"""The pieces that the demo fleet's configurations are made of.

A value may hold `<kind:name>`, which the seed replaces by what the fleet made for that name: the id of
a `part`, `fragment`, `org` or `key`, a `key_value`, a `part_secret` or `location_secret`, the `revision`
that a fragment's tag "stable" is on, a part's `fqdn`. `<secret>` is a new credential each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Json", "component", "module", "service", "webcam"]

Json = dict[str, Any]


def component(name: str, api: str, model: str, attributes: Mapping[str, Any], *depends_on: str) -> Json:
    """Return a component; `api` is the last word of its API."""
    made = {"name": name, "api": f"rdk:component:{api}", "model": model, "attributes": dict(attributes)}
    return {**made, "depends_on": list(depends_on)} if depends_on else made


def service(name: str, api: str, model: str, attributes: Mapping[str, Any]) -> Json:
    """Return a service; `api` is the last word of its API."""
    return {"name": name, "api": f"rdk:service:{api}", "model": model, "attributes": dict(attributes)}


def module(item: str, version: str, env: Mapping[str, str] | None = None) -> Json:
    """Return a module from the registry, by its item's id."""
    made = {"type": "registry", "name": item.replace(":", "_"), "module_id": item, "version": version}
    return made if env is None else {**made, "env": dict(env), "log_level": "info"}


def webcam(name: str, width: int = 1280, height: int = 720, fps: int = 15) -> Json:
    """Return a camera of that many pixels and frames per second."""
    attributes = {"video_path": f"usb-{name}", "width_px": width, "height_px": height, "frame_rate": fps}
    return component(name, "camera", "rdk:builtin:webcam", attributes)
