"""Rules are met by what arguments mean, however they are spelt: one normal form before any rule sees them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.policy import Action, NormalForm, parse
from viam_mcp.policy.rules._text import cleaned, folded
from viam_mcp.tools import TOOLS

ORG = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"
FRAGMENT = "4ad5a9b1-d073-490d-9f41-a2a0927186a0"


def action(tool: str, path: str, pattern: str, arguments: dict[str, Any], said: str = "deny") -> Action:
    """What a rule about one argument makes of a call."""
    condition = f"{json.dumps(path)} = {json.dumps(pattern)}"
    text = f'[[rules]]\naction = "{said}"\ntools = ["{tool}"]\narguments = {{ {condition} }}\n'
    spec = TOOLS[tool].spec
    return parse(text, "p.toml").decide(spec, arguments, spec.effect).action


def denied(path: str, pattern: str, config: Any, tool: str = "update_robot_part") -> bool:
    """Whether a rule about a configuration denies it, as an object and as text alike."""
    name = "config" if tool == "update_fragment" else "robot_config"
    as_object = action(tool, f"{name}.{path}", pattern, {name: config}) is Action.DENY
    if tool == "update_robot_part":
        as_text = {"robot_config_json": json.dumps(config)}
        assert (action(tool, f"{name}.{path}", pattern, as_text) is Action.DENY) is as_object
    return as_object


SHELL = [
    {"type": "shell"},
    {"Type": "Shell"},
    {"type": "rdk:service:shell"},
    {"namespace": "rdk", "type": "shell"},
    {"api": "rdk:service:shell"},
    {"api": "RDK:Service:SHELL"},
    {"api": {"namespace": "rdk", "type": "service", "subtype": "shell"}},
    {"api": "rdk:service:shell", "type": "generic"},
    {"api": "rdk:service:generic", "type": "shell"},
]


@pytest.mark.parametrize("entry", SHELL)
@pytest.mark.parametrize(("path", "pattern"), [("services.type", "shell"), ("services.api", "rdk:service:shell")])
def test_a_service_is_found_by_its_type_and_by_its_api(entry: dict[str, Any], path: str, pattern: str) -> None:
    for tool in ("update_robot_part", "update_fragment"):
        assert denied(path, pattern, {"services": [{"name": "s", **entry}]}, tool)
        assert not denied(path, pattern, {"services": [{"name": "shell", "type": "slam"}]}, tool)
    mod = {"fragment_id": FRAGMENT, "mods": [{"$set": {"services.s": entry}}]}
    assert denied(path, pattern, {"fragment_mods": [mod]})


@pytest.mark.parametrize("api", ["rdk:service:shell", {"namespace": "rdk", "type": "service", "subtype": "shell"}])
def test_a_service_among_the_components_is_a_service(api: Any) -> None:
    assert denied("services.type", "shell", {"components": [{"name": "s", "api": api}]})
    assert denied("components.type", "arm", {"services": [{"name": "a", "api": "rdk:component:arm"}]})


@pytest.mark.parametrize("pattern", ["rdk:builtin:fake", "fake", "*:fake"])
@pytest.mark.parametrize(
    "model",
    [
        "fake",
        "rdk:builtin:fake",
        {"namespace": "rdk", "model_family": "builtin", "name": "fake"},
        {"name": "fake"},
        {"namespace": "rdk", "model_family": {"oddly": "nested"}, "name": "fake"},
    ],
)
def test_a_model_is_found_by_its_name_and_as_a_triple(model: Any, pattern: str) -> None:
    assert denied("components.model", pattern, {"components": [{"name": "a", "model": model}]})
    assert not denied("components.model", pattern, {"components": [{"name": "fake", "model": "acme:drive:tracked"}]})


def test_a_model_is_found_by_what_it_is_made_of() -> None:
    for model in ("acme:drive:tracked", {"namespace": "acme", "model_family": "drive", "name": "tracked"}):
        config = {"components": [{"name": "a", "model": model}]}
        assert denied("components.model", "acme:*", config)
        assert denied("components.model.namespace", "acme", config)


def test_a_model_of_one_word_is_built_in_and_of_one_of_two_words_nothing_can_be_told() -> None:
    assert not denied("components.model", "other", {"components": [{"name": "a", "model": "fake"}]})
    assert denied("components.model", "other", {"components": [{"name": "a", "model": "acme:tracked"}]})


@pytest.mark.parametrize(
    "config",
    [
        {"fragments": [FRAGMENT]},
        {"fragments": FRAGMENT},
        {"fragments": [{"id": FRAGMENT}]},
        {"Fragments": [{"ID": FRAGMENT.upper(), "version": "stable", "prefix": "left"}]},
        {"fragments": [{"fragment_id": FRAGMENT}]},
        {"fragments": [[FRAGMENT]]},
        {"fragment_mods": [{"fragment_id": FRAGMENT, "mods": []}]},
    ],
)
@pytest.mark.parametrize("path", ["fragments", "fragments.id"])
def test_a_fragment_is_found_by_its_id_as_a_text_and_as_an_object(config: Any, path: str) -> None:
    assert denied(path, FRAGMENT, config)
    assert not denied(path, FRAGMENT, {"fragments": [ORG, {"id": ORG, "prefix": FRAGMENT}]})


@pytest.mark.parametrize(
    "sets",
    [
        {"modules.m.executable_path": "/opt/evil"},
        {"modules.m": {"executable_path": "/opt/evil"}},
        {"modules": [{"name": "m", "executable_path": "/opt/evil"}]},
        {"modules.acme.drive.executable_path": "/opt/evil"},
        {"Modules.M.Executable_Path": "/opt/./evil"},
    ],
)
def test_what_a_fragments_modification_sets_is_part_of_the_configuration(sets: dict[str, Any]) -> None:
    config = {"fragment_mods": [{"fragment_id": FRAGMENT, "mods": [{"$unset": {"modules.x": ""}}, {"$set": sets}]}]}
    assert denied("modules.executable_path", "/opt/evil", config)
    assert denied("modules.type", "local", config)
    assert not denied("modules.executable_path", "/opt/good", config)
    assert not denied("services.type", "shell", config)


def test_what_a_modification_sets_outside_of_the_sections_is_found_as_well() -> None:
    config = {"fragment_mods": [{"mods": [{"$set": {"network.bind_address": "0.0.0.0:80", "debug": True}}]}]}
    assert denied("network.bind_address", "0.0.0.0:*", config)
    assert denied("debug", "true", config)


@pytest.mark.parametrize(
    "config",
    [
        {"fragment_mods": [{"mods": [{"$rename": {"modules.m": "n"}}]}]},
        {"fragment_mods": [{"mods": [{"$set": "modules.m.executable_path"}]}]},
        {"fragment_mods": [{"mods": ["$set"]}]},
        {"modules": ["m"]},
        {"modules": [{"executable_path": {"$variable": {"name": "path"}}}]},
        {"modules": [{"$variable": {"name": "module"}}]},
        {"modules": [{"executable_path": "${environment.HOME}/x"}]},
    ],
)
def test_a_value_of_which_nothing_can_be_told_is_met_by_the_stricter_action(config: Any) -> None:
    path, sent = "robot_config.modules.executable_path", {"robot_config": config}
    assert action("update_robot_part", path, "/opt/evil", sent) is Action.DENY
    assert action("update_robot_part", path, "/opt/*", sent, "allow") is Action.CONFIRM


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '{"modules": [{"type": "registry", "type": "local"}]}',
        '{"modules": [{"type": "local", "type": "registry"}]}',
    ],
)
def test_of_a_text_that_can_be_read_in_two_ways_both_are_meant(text: str) -> None:
    sent = {"robot_config_json": text}
    assert action("update_robot_part", "robot_config.modules.type", "local", sent) is Action.DENY
    assert action("update_robot_part", "robot_config.modules.type", "registry", sent, "allow") is Action.CONFIRM


def test_nesting_without_end_is_nothing_that_can_be_told() -> None:
    text = '{"a":' * 50_000 + "1" + "}" * 50_000
    sent = {"robot_config_json": text}
    assert action("update_robot_part", "robot_config.modules.type", "local", sent) is Action.DENY


@pytest.mark.parametrize("sent", ["acme:drive", f"{ORG}:drive", f"{ORG.upper()}:Drive"])
def test_a_module_in_a_configuration_is_one_whichever_way_its_owner_is_named(sent: str) -> None:
    assert denied("modules.module_id", "acme:drive", {"modules": [{"module_id": sent}]})
    assert not denied("modules.module_id", "acme:arm", {"modules": [{"module_id": sent}]})


def test_a_package_is_named_with_either_sign() -> None:
    for package in ("acme:drive", "acme/drive", f"{ORG}/drive"):
        assert denied("packages.package", "acme:drive", {"packages": [{"package": package}]})


EMAILS = [
    "eve@evil.example",
    "EVE@Evil.Example",
    "eve@evil.example.",
    " eve@evil.example",
    "Eve <eve@evil.example>",
    '"ops@good.example" <eve@evil.example>',
    "eve@evil.example (ops@good.example)",
    "ops@good.example, eve@evil.example",
    '"eve"@evil.example',
    "e\u200bve@evil.example",
    "\uff45ve@evil\uff0eexample",
]


@pytest.mark.parametrize("email", EMAILS)
def test_an_address_is_found_whatever_stands_around_it(email: str) -> None:
    for pattern in ("eve@evil.example", "*@evil.example"):
        assert action("create_organization_invite", "email", pattern, {"email": email}) is Action.DENY
    assert action("create_organization_invite", "email", "*@other.example", {"email": email}) is Action.CONFIRM
    allowed = action("create_organization_invite", "email", "*@good.example", {"email": email}, "allow")
    assert allowed is Action.CONFIRM
    shown = NormalForm(TOOLS["create_organization_invite"], {"email": email}).shown()
    assert "eve@evil.example" in json.dumps(shown).casefold()


def test_an_address_with_a_name_may_be_allowed_and_what_is_none_is_not() -> None:
    assert (
        action("create_organization_invite", "email", "*@good.example*", {"email": "A <a@good.example>"}, "allow")
        is Action.ALLOW
    )
    assert action("create_organization_invite", "email", "*", {"email": "good.example"}, "allow") is Action.CONFIRM
    assert action("create_organization_invite", "email", "x@good.example", {"email": "good.example"}) is Action.DENY


def test_a_hosts_name_is_one_in_its_own_letters_and_in_those_of_the_dns() -> None:
    for email in ("eve@b\u00fccher.example", "eve@xn--bcher-kva.example", "eve@bu\u0308cher.example"):
        for pattern in ("*@b\u00fccher.example", "*@xn--bcher-kva.example"):
            assert action("create_organization_invite", "email", pattern, {"email": email}) is Action.DENY


NUMBERS = [1e23, 10**23, "1e23", "1E+23", "100000000000000000000000", 100000000000000000000000.0]


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("pattern", [value for value in NUMBERS if isinstance(value, str)])
def test_a_number_is_one_however_it_is_written(value: Any, pattern: str) -> None:
    assert denied("jobs.limit", pattern, {"jobs": [{"limit": value}]})
    assert not denied("jobs.limit", "1e22", {"jobs": [{"limit": value}]})
    if not isinstance(value, str):
        sent = {"robot_config": {"jobs": [{"limit": value}]}}
        assert action("update_robot_part", "robot_config.jobs.limit", pattern, sent, "allow") is Action.ALLOW


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("/usr/bin/evil", ["/usr/bin/../bin/evil", "/usr//bin/evil", "/usr/./bin/evil/"]),
        ("http://evil.example/*", ["http://evil.example./x", "HTTP://EVIL.example/x", "http://evil%2Eexample/x"]),
        ("127.0.0.1", ["127.1", "0x7f000001", "2130706433", "127.0.0.1."]),
        ("::1", ["0:0:0:0:0:0:0:1", "[::1]", "::0001"]),
        ("evil.local", ["evil.local.", "Evil.Local", "evil.loca\u200bl"]),
    ],
)
def test_a_path_a_url_and_an_address_are_found_in_other_spellings(pattern: str, values: list[str]) -> None:
    for value in values:
        assert denied("components.attributes.host", pattern, {"components": [{"attributes": {"host": value}}]}), value


def test_a_name_with_dots_in_it_is_found_by_its_path() -> None:
    assert denied("components.attributes.a.b", "x", {"components": [{"attributes": {"a.b": "x"}}]})
    assert denied("components.attributes.a.b", "x", {"components": [{"attributes": {"a": {"b": "x"}}}]})


@pytest.mark.parametrize(
    ("tool", "said", "sent"),
    [
        ("update_module", "visibility", {"public": True}),
        ("update_fragment", "visibility", {"public": True, "visibility": "private"}),
        ("update_fragment", "public", {"visibility": "public_unlisted"}),
        ("update_registry_item", "public", {"visibility": "public"}),
    ],
)
def test_what_is_public_is_visible_to_all(tool: str, said: str, sent: dict[str, Any]) -> None:
    assert action(tool, said, "public" if said == "visibility" else "true", sent) is Action.DENY


def test_a_list_of_one_is_shown_as_a_list() -> None:
    form = NormalForm(TOOLS["list_registry_items"], {"types": ["module"], "organization_id": ORG})
    assert form.shown() == {"types": ["module"], "organization_id": ORG}


# ---- whatever somebody thinks of

WORDS = st.text("abcdefghijklmnopqrstuvwxyz\u00e9\u00fc\u00df", min_size=3, max_size=12)
INVISIBLE = st.sampled_from("\u200b\u200d\u2060\u00ad\ufeff\u202e\ufe0f\u034f\U000e0041\x00\x1b\u3164")


@st.composite
def respelt(draw: st.DrawFn, text: str) -> str:
    """The same text in other characters."""
    steps = draw(st.lists(st.sampled_from(["case", "nfd", "nfkd", "wide", "invisible", "space", "dot"]), max_size=6))
    for step in steps:
        if step == "case":
            text = "".join(one.upper() if draw(st.booleans()) else one for one in text)
        elif step in ("nfd", "nfkd"):
            text = unicodedata.normalize("NFD" if step == "nfd" else "NFKD", text)
        elif step == "wide":
            text = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" and draw(st.booleans()) else one for one in text)
        elif step == "invisible":
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(INVISIBLE) + text[place:]
        elif step == "space":
            text = draw(st.sampled_from([" ", "\t", "\n", "\u00a0", "\u3000"])) + text + " "
        else:
            text += draw(st.sampled_from([".", "..", "\uff0e"]))
    return text


@given(WORDS, st.data())
def test_no_respelling_of_a_text_evades_a_deny(word: str, data: st.DataObject) -> None:
    spelling = data.draw(respelt(word))
    assert action("update_robot", "name", word, {"name": spelling}) is Action.DENY
    assert action("update_robot", "name", f"{word[:2]}*", {"name": spelling}) is Action.DENY


@given(WORDS, st.data())
def test_no_respelling_of_a_configuration_evades_a_deny(word: str, data: st.DataObject) -> None:
    value: Any = data.draw(respelt(word))
    key = data.draw(respelt("executable_path").filter(lambda text: "." not in cleaned(text)))
    entry: Any = {"name": "m", key: value}
    form = data.draw(st.sampled_from(["list", "single", "mods", "mods of one"]))
    section = data.draw(respelt("modules"))
    config: Any = {section: [entry]} if form == "list" else {section: entry}
    if form.startswith("mods"):
        sets = {"modules.m": entry} if form == "mods" else {f"modules.m.{cleaned(key)}": value}
        config = {"fragment_mods": [{"fragment_id": ORG, "mods": [{"$set": sets}]}]}
    sent = {"robot_config": config} if data.draw(st.booleans()) else {"robot_config_json": json.dumps(config)}
    assert action("update_robot_part", "robot_config.modules.executable_path", word, sent) is Action.DENY


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60), st.data())
def test_no_respelling_of_a_number_evades_a_deny(value: float, data: st.DataObject) -> None:
    forms = [
        repr(value),
        repr(float(value)),
        f"{float(value):.17e}",
        f"{float(value):.0f}" if float(value).is_integer() else repr(value),
    ]
    pattern = data.draw(st.sampled_from(forms))
    sent: Any = data.draw(st.sampled_from([value, float(value), *forms]))
    if float(pattern) == float(sent):
        assert denied("jobs.limit", pattern, {"jobs": [{"limit": sent}]})


@given(WORDS, WORDS)
def test_a_deny_means_nothing_else(word: str, other: str) -> None:
    expected = Action.DENY if folded(word) == folded(other) else Action.CONFIRM
    assert action("update_robot", "name", word, {"name": other}) is expected


@given(WORDS, st.data())
def test_what_allows_is_met_by_nothing_that_means_something_else(word: str, data: st.DataObject) -> None:
    spelling = data.draw(respelt(word))
    expected = Action.ALLOW if spelling == word else Action.CONFIRM
    assert action("update_robot", "name", word, {"name": spelling}, "allow") is expected


@given(st.text())
def test_folding_once_is_enough_and_a_pattern_without_wildcards_stands_for_itself(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    pattern = "".join(f"[{one}]" if one in "*?[" else one for one in text)
    assert NormalForm(None, {"name": text}).holds("name", [pattern], widens=False)
    assert NormalForm(None, {"name": folded(text)}).holds("name", [pattern], widens=False)


config_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "services",
                    "components",
                    "modules",
                    "fragments",
                    "fragment_mods",
                    "mods",
                    "$set",
                    "api",
                    "model",
                    "type",
                    "a.b",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["services", "components", "modules", "fragments", "fragment_mods"]), config_values)
)
def test_any_configuration_has_a_normal_form_that_can_be_shown(config: dict[str, Any]) -> None:
    form = NormalForm(TOOLS["update_robot_part"], {"robot_config": config})
    json.dumps(form.shown())
    for path in ("services.type", "modules.executable_path", "fragments.id", "fragments"):
        form.holds(f"robot_config.{path}", ["x"], widens=True)
        form.holds(f"robot_config.{path}", ["x"], widens=False)


@pytest.mark.parametrize(
    ("path", "pattern", "config"),
    [
        ("modules.executable_path", "/srv/*", {"modules": [{"name": "m", "executable_path": "//srv/run"}]}),
        ("modules.type", "local", {"modules": [{"name": "m", "type": "", "executable_path": "/srv/run"}]}),
        ("packages.package", "acme/maps", {"packages": [{"name": "p", "package": "acme:maps"}]}),
        ("packages.package", "acme:maps", {"packages": [{"name": "p", "package": "acme/maps"}]}),
        ("components.attributes.host", "192.0.2.7", {"components": [{"attributes": {"host": "::ffff:192.0.2.7"}}]}),
        ("components.attributes.host", "bad.example", {"components": [{"attributes": {"host": "bad\u3002example"}}]}),
        ("services.type", "shell", {"services": [{"name": "s", "namespace": "rdk", "subtype": "shell"}]}),
        ("services.type", "shell", {"services": [{"name": "s", "api": "no api"}]}),
        ("services.type", "shell", {"services": [{"name": "s", "api": {"type": "service", "api_subtype": "shell"}}]}),
    ],
)
def test_more_spellings_are_met(path: str, pattern: str, config: dict[str, Any]) -> None:
    assert denied(path, pattern, config)


@pytest.mark.parametrize(
    "sections",
    [
        {"modules": {"m": {"executable_path": "/srv/run"}}},
        {"modules": {"m.n": {"executable_path": "/srv/run"}, "o": {}}},
    ],
)
def test_a_section_that_a_fragments_modification_sets_as_an_object_is_read_by_name(sections: dict[str, Any]) -> None:
    config = {"fragment_mods": [{"fragment_id": FRAGMENT, "mods": [{"$set": sections}]}]}
    assert denied("modules.executable_path", "/srv/*", config)
    assert denied("modules.name", next(iter(sections["modules"])), config)
    assert not denied("modules.executable_path", "/opt/*", config)
