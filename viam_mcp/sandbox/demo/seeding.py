"""Make the demo fleet's rows from its data, in the order in which they refer to each other.

What has a history is made by the services' own rpcs, one edit after the other at times gone by, so that
revisions, histories and the use of fragments are what those rpcs leave behind.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from viam_mcp.proto import app
from viam_mcp.sandbox.demo.edits import lineage
from viam_mcp.sandbox.demo.extras import DEPRECATED_VERSIONS, HOSTED_APPS
from viam_mcp.sandbox.demo.fragments import FRAGMENTS
from viam_mcp.sandbox.demo.lines import CRASH_LOOP_EDIT, VOICES
from viam_mcp.sandbox.demo.logs import SECOND, log_rows
from viam_mcp.sandbox.demo.parts import FEW_EDITS, PART_EDITS, PARTS
from viam_mcp.sandbox.demo.places import (
    CRASH_LOOP_PART,
    EDITORS,
    INVITES,
    KEYS,
    LOCATIONS,
    MACHINES,
    MEMBERS,
    ORGANIZATIONS,
    OWNER_KEY,
    DemoMachine,
)
from viam_mcp.sandbox.demo.registry import ITEMS, DemoItem
from viam_mcp.sandbox.rows.store import new_api_key, new_secret
from viam_mcp.sandbox.rpc import IncomingCall
from viam_mcp.sandbox.rules.config import references
from viam_mcp.sandbox.rules.names import dns
from viam_mcp.sandbox.rules.shared_secrets import LOCATION, PART
from viam_mcp.sandbox.services import parts
from viam_mcp.sandbox.services.fragments import FragmentRpcs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viam_mcp.sandbox.demo.logs import LogRow
    from viam_mcp.sandbox.demo.resources import Json
    from viam_mcp.sandbox.rows.store import FleetStore

__all__ = ["Seeding"]

_HOUR = 3_600 * SECOND
_DAY = 24 * _HOUR
_FIRST_EDIT = 20 * 60 * SECOND  # after a thing was made

_PLACEHOLDER = re.compile(r"<(\w+)(?::([^>]+))?>")
_NAMESPACES = {org.name: org.namespace for org in ORGANIZATIONS}
_VERSIONS = {f"{_NAMESPACES[item.org]}:{item.name}": [version for version, _ in item.versions] for item in ITEMS}


class Seeding:
    """One filling of a store.

    Attributes:
        store: The store that is filled.
        made: What was made so far, by kind and name: `made["part", "picker-01-main"]` is an id.
    """

    def __init__(self, store: FleetStore, now: int, seed: int) -> None:
        self.made: dict[tuple[str, str], str] = {}
        self.store = store
        self._now = now
        self._rng = random.Random(seed)  # noqa: S311 - nothing secret comes from it
        # The last midnight, UTC, that is at least two hours ago: the events of "last night" are relative to it.
        self._midnight = (now - 2 * _HOUR) // _DAY * _DAY

    def people(self) -> None:
        """Make organizations, their members and invites, and their keys."""
        for org in ORGANIZATIONS:
            org_id = self.new("org", org.name)
            self.store.insert(
                "organizations",
                id=org_id,
                name=org.name,
                created_on=self.ago(org.age),
                public_namespace=org.namespace,
                default_region=org.region,
                metadata=org.metadata,
            )
            self.store.insert("namespaces", namespace=org.namespace, org_id=org_id)
        for member in MEMBERS:
            seen = None if member.seen is None else self._now - int(member.seen * _HOUR)
            user_id = self.new("user", member.email)
            self.store.insert("users", id=user_id, email=member.email, last_login=seen, last_access=seen)
            for org_name in dict.fromkeys(grant.org for grant in member.grants):
                added = self.ago(member.age)
                self.store.insert("members", org_id=self.made["org", org_name], user_id=user_id, date_added=added)
        for invite in INVITES:
            org_id = self.made["org", invite.grants[0].org]
            self.store.insert("invites", org_id=org_id, email=invite.email, created_on=self.ago(invite.age))
        for key in KEYS:
            value = self.made["key_value", key.name] = new_api_key()
            self.store.insert(
                "api_keys",
                id=self.new("key", key.name),
                org_id=self.made["org", key.org],
                key=value,
                name=key.name,
                created_on=self.ago(key.age),
            )

    def places(self) -> None:
        """Make locations, and machines whose parts are not configured yet."""
        for location in LOCATIONS:
            location_id = self.made["location", location.name] = self.store.new_location_id()
            created = self.ago(location.age)
            self.store.insert(
                "locations",
                id=location_id,
                org_id=self.made["org", location.org],
                name=location.name,
                parent_id=self.made["location", location.parent] if location.parent else None,
                created_on=created,
                metadata=location.metadata,
            )
            for org_name in location.shared_with:
                self.store.insert("location_shares", location_id=location_id, org_id=self.made["org", org_name])
            for rotation in range(location.secrets):
                LOCATION.add(self._by_seed(created + rotation * 90 * _DAY), location_id)
            self.made["location_secret", location.name] = LOCATION.of(self.store, location_id)[0].secret
        for machine in MACHINES:
            self._machine(machine)

    def _machine(self, machine: DemoMachine) -> None:
        robot_id = self.new("robot", machine.name)
        location_id = self.made["location", machine.location]
        created = self.ago(machine.age)
        self.store.insert(
            "robots",
            id=robot_id,
            location_id=location_id,
            name=machine.name,
            created_on=created,
            rover_rental=int(machine.rover_rental),
            metadata=machine.metadata,
        )
        for number, name in enumerate(machine.parts):
            part_id = parts.add(self._by_seed(created), robot_id, name, main=number == 0)
            self.made["part", name] = part_id
            self.made["part_secret", name] = PART.of(self.store, part_id)[0].secret
            self.made["fqdn", name] = f"{dns(name)}.{location_id}.viam.cloud"

    def grants(self) -> None:
        """Grant roles to members, invites and keys."""
        holders = [
            *(("user", self.made["user", member.email], member.grants) for member in MEMBERS),
            *(("invite", invite.email, invite.grants) for invite in INVITES),
            *(("api-key", self.made["key", key.name], key.grants) for key in KEYS),
        ]
        for identity_type, identity_id, grants in holders:
            for grant in grants:
                kind = "org" if grant.resource_type == "organization" else grant.resource_type
                self.store.insert(
                    "authorizations",
                    org_id=self.made["org", grant.org],
                    identity_id=identity_id,
                    identity_type=identity_type,
                    role=grant.role,
                    resource_type=grant.resource_type,
                    resource_id=self.made[kind, grant.resource],
                )

    def fragments(self) -> None:
        """Make fragments with their revisions, history and tags, edit by edit as clients would."""
        service = FragmentRpcs()
        for name, fragment in FRAGMENTS.items():
            org_id, created = self.made["org", fragment.org], self.ago(fragment.age)
            creation = app.CreateFragmentRequest(name=name, organization_id=org_id, visibility=fragment.visibility)
            fragment_id = service.create(self._by_editor(fragment.org, created), creation).fragment.id
            self.made["fragment", name] = fragment_id
            times = self._edit_times(created, self._now - 2 * _DAY, fragment.edits)
            states = lineage(self.resolved(fragment.config), fragment.edits, _VERSIONS, self._rng)
            revisions = []
            for time, state in zip(times, states, strict=True):
                update = app.UpdateFragmentRequest(id=fragment_id, name=name, fragment_config_json=json.dumps(state))
                revisions.append(service.update(self._by_editor(fragment.org, time), update).fragment.revision)
            for tag, before in fragment.tags.items():
                tagged = app.SetFragmentTagRequest(fragment_id=fragment_id, tag=tag, revision=revisions[-1 - before])
                service.set_tag(self._by_editor(fragment.org, times[-1]), tagged)
            self.made["revision", name] = revisions[-1 - fragment.tags["stable"]]
        for org in ORGANIZATIONS:
            if org.default_fragment:
                imported = app.FragmentImport(fragment_id=self.made["fragment", org.default_fragment])
                self.store.run(
                    "UPDATE organizations SET default_fragments = ? WHERE name = ?",
                    app.FragmentImportList(fragments=[imported]).SerializeToString(),
                    org.name,
                )

    def configurations(self) -> None:
        """Configure parts, edit by edit as clients would."""
        service = parts.PartRpcs()
        for machine, name in _parts_of_machines():
            if not PARTS[name]:
                continue
            owner = next(location.org for location in LOCATIONS if location.name == machine.location)
            edits = PART_EDITS.get(name, FEW_EDITS)
            times = self._edit_times(self.ago(machine.age), self._last_edit(name), edits)
            for time, state in zip(
                times, lineage(self.resolved(PARTS[name]), edits, _VERSIONS, self._rng), strict=True
            ):
                update = app.UpdateRobotPartRequest(
                    id=self.made["part", name], name=name, robot_config_json=json.dumps(state)
                )
                service.update(self._by_editor(owner, time), update)
                # Set at its first configuration, so that its history says that it was online.
                self.store.run("UPDATE parts SET online = 1 WHERE id = ?", self.made["part", name])

    def presence(self) -> None:
        """Set which parts are online, when the others were last, and what they say about themselves."""
        for machine, name in _parts_of_machines():
            if name not in VOICES:
                continue
            silent_since = self._silent_since(name)
            info = {
                "hostname": name,
                "os": "linux",
                "platform": "linux/arm64",
                "version": "0.101.0",
                "agent_version": "0.20.4",
            }
            self.store.run(
                "UPDATE parts SET online = ?, last_access = ?, user_supplied_info = ?, metadata = ? WHERE id = ?",
                int(silent_since is None),
                self._now if silent_since is None else silent_since,
                json.dumps(info),
                json.dumps({"image": "fleet-os 24.10", "machine": machine.name}),
                self.made["part", name],
            )

    def registry(self) -> None:
        """Make registry items, and count how much they are in use."""
        texts = self._texts()
        for item in ITEMS:
            org_id = self.made["org", item.org]
            names = (f'"{_NAMESPACES[item.org]}:{item.name}"', f'"{org_id}/{item.name}"')
            users = [owner for owner, text in texts if any(name in text for name in names)]
            outside = [owner for owner in users if owner != org_id]
            self.store.insert(
                "registry_items",
                org_id=org_id,
                name=item.name,
                type=item.type,
                visibility=item.visibility,
                url=item.url,
                description=item.description,
                markdown_description=item.markdown,
                entrypoint=item.entrypoint,
                first_run=item.first_run,
                models=app.Module(
                    models=[app.Model(api=api, model=model) for api, model in item.models],
                    apps=[HOSTED_APPS[item.name]] if item.name in HOSTED_APPS else [],
                ).SerializeToString(),
                model_type=item.model_type,
                model_framework=item.framework,
                draft=int(item.draft),
                created_at=self.ago(item.versions[0][1]),
                updated_at=self.ago(item.versions[-1][1]),
                robot_usage=len(users),
                external_robot_usage=len(outside),
                org_usage=len(set(users)),
                external_org_usage=len(set(outside)),
            )
            self._uploads(item)
            if item.name in DEPRECATED_VERSIONS:
                version, message = DEPRECATED_VERSIONS[item.name]
                self.store.insert(
                    "deprecations",
                    org_id=org_id,
                    name=item.name,
                    version=version,
                    deprecated_at=self.ago(80),
                    message=message,
                )

    def _uploads(self, item: DemoItem) -> None:
        for version, age in item.versions:
            for platform in item.platforms:
                self.store.insert(
                    "registry_uploads",
                    org_id=self.made["org", item.org],
                    name=item.name,
                    version=version,
                    platform=platform,
                    uploaded_at=self.ago(age),
                    size=self._rng.randrange(200_000, 40_000_000),
                    sha256=hashlib.sha256(f"{item.name} {version} {platform}".encode()).hexdigest(),
                )

    def logs(self) -> Iterator[LogRow]:
        """Yield a week of log entries, part by part."""
        for name in VOICES:
            # Those that are online have logged within the last minute.
            last = self._silent_since(name) or self._now - self._rng.randrange(5 * SECOND, 50 * SECOND)
            yield from log_rows(self.made["part", name], name, last, self._rng)

    def new(self, kind: str, name: str) -> str:
        """Return a new id for the thing of that kind and name, which `made` has from now on."""
        self.made[kind, name] = self.store.new_uuid()
        return self.made[kind, name]

    def ago(self, days: float) -> int:
        """Return the time that was so many days ago."""
        return self._now - int(days * _DAY)

    def _silent_since(self, part_name: str) -> int | None:
        after_midnight = VOICES[part_name].silent_since
        return None if after_midnight is None else self._midnight + after_midnight * SECOND

    def _last_edit(self, part_name: str) -> int:
        silent_since = self._silent_since(part_name) or self._now
        if part_name == CRASH_LOOP_PART:
            return silent_since - CRASH_LOOP_EDIT * SECOND
        return silent_since - self._rng.randrange(_DAY, 12 * _DAY)

    def _edit_times(self, created: int, last: int, count: int) -> list[int]:
        first = created + _FIRST_EDIT
        return [first, *sorted(self._rng.randrange(first, last) for _ in range(count - 2)), last]

    def _by_seed(self, time: int) -> IncomingCall:
        return IncomingCall(self.store, self.made["key", OWNER_KEY], "api-key", time)

    def _by_editor(self, org_name: str, time: int) -> IncomingCall:
        who = self._rng.choice(EDITORS[org_name])
        if ("user", who) in self.made:
            return IncomingCall(self.store, self.made["user", who], "user", time)
        return IncomingCall(self.store, self.made["key", who], "api-key", time)

    def resolved(self, config: Json) -> Json:
        """Return a configuration with its placeholders replaced."""

        def replacement(match: re.Match[str]) -> str:
            kind, name = match.groups()
            return new_secret() if kind == "secret" else self.made[kind, name]

        resolved: Json = json.loads(_PLACEHOLDER.sub(replacement, json.dumps(config)))
        return resolved

    def _texts(self) -> list[tuple[str, str]]:
        """Return, for each machine, its organization and the text of all that configures it, fragments included."""

        @cache
        def fragment(fragment_id: str) -> str:
            return whole(self.store.value("SELECT config_json FROM fragments WHERE id = ?", fragment_id))

        def whole(text: str) -> str:
            return "\n".join([text, *map(fragment, references(text))])

        rows = self.store.all(
            "SELECT robot_id, org_id, config_json FROM parts"
            " JOIN robots ON robots.id = robot_id JOIN locations ON locations.id = location_id ORDER BY robot_id"
        )
        return [
            (org_id, "\n".join(whole(row["config_json"]) for row in group))
            for (_, org_id), group in groupby(rows, key=lambda row: (row["robot_id"], row["org_id"]))
        ]


def _parts_of_machines() -> list[tuple[DemoMachine, str]]:
    return [(machine, name) for machine in MACHINES for name in machine.parts]
