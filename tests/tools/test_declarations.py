"""A tool declares what the policy has to know of it, or it does not import."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from google.protobuf.struct_pb2 import Struct
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

import viam_mcp
from viam_mcp.proto import POOL
from viam_mcp.proto import app as wire
from viam_mcp.tools import TOOLS, Effect, ListTool, NotARef, Ref, ScopedBy, Tool, references
from viam_mcp.tools._belongs import BELONGS, belongs, undeclared_fields
from viam_mcp.tools.arguments._types import LocationId, MachineId, OrganizationId, ResourceId, ResourceType
from viam_mcp.tools.results._output import Done, Many, One, Values, output_schema

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

ONE, OTHER = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11", "00000000-3c86-4c0e-9d5c-2f6f0c4f1a11"


class Inner(BaseModel):
    """An argument that is an object."""

    model_config = {"frozen": True}
    fragment_id: str


def declared(fields: dict[str, Any], base: type[Tool] = Tool, /, **keywords: Any) -> type[Tool]:
    """A tool that somebody adds, with these arguments and class keywords; it is not kept."""
    keywords = {
        "toolset": "machines",
        "returns": Done("Did {subject}."),
        "effect": Effect.READ,
        "rpc": None,
        **keywords,
    }
    metaclass: Any = type(base)
    namespace = {"__annotations__": fields, "__module__": __name__}
    made: type[Tool] = metaclass("DoSomething", (base,), namespace, **keywords)
    TOOLS.pop("do_something", None)
    return made


SECRET_KEY = Values(value=str, secret="value")
MACHINE = {"robot_id": MachineId}


@pytest.mark.parametrize(
    ("fields", "keywords", "said"),
    [
        (
            {"machine_id": str},
            {},
            r'DoSomething\.machine_id looks like an id: say what it names, as in .*Ref\("machine',
        ),
        ({"id": str}, {}, r"DoSomething\.id looks like an id"),
        ({**MACHINE, "machine_ids": list[str]}, {}, r"DoSomething\.machine_ids looks like an id"),
        ({**MACHINE, "ids": list[str] | None}, {}, r"DoSomething\.ids looks like an id"),
        ({**MACHINE, "imports": list[Inner]}, {}, r"Inner\.fragment_id looks like an id"),
        ({**MACHINE, "location": str}, {}, r"DoSomething\.location looks like an id"),
        ({**MACHINE, "other_machines": list[str] | None}, {}, r"DoSomething\.other_machines looks like an id"),
        ({"resource_id": ResourceId}, {}, "looks at resource_type, and there is no such field"),
        ({"name": str}, {}, "no argument names a thing of the fleet.*ScopedBy.NOTHING"),
        (MACHINE, {"scoped_by": ScopedBy.NOTHING}, "its arguments name things of the fleet"),
        (MACHINE, {"scoped_by": ScopedBy.ITEMS}, "only a list"),
        (MACHINE, {"grants": True}, "grants access, which is effect=Effect.DESTRUCTIVE"),
        (MACHINE, {"mints": "delete it"}, "mints a credential.*reveals_secret=True"),
        (MACHINE, {"reveals_secret": True}, "nothing in its answer is marked as a credential"),
        (MACHINE, {"returns": One("part", wire.RobotPart)}, "can hold a credential: say reveals_secret"),
        (MACHINE, {"returns": SECRET_KEY}, "can hold a credential: say reveals_secret"),
        (MACHINE, {"returns": One("x", wire.StorageConfig)}, "StorageConfig does not say where it belongs"),
        (MACHINE, {"rpc": "no_such_rpc"}, "no rpc is named like it"),
        (MACHINE, {"rpc": "DeleteRobot"}, "DeleteRobot changes something by the wire contract.*effect is read"),
        (MACHINE, {"rpc": "GetRobot", "effect": Effect.WRITE}, "GetRobot has no side effects .*effect is write"),
        (MACHINE, {"rpc": "UpdateRobot", "effect": Effect.WRITE}, "UpdateRobot does not begin with .*DESTRUCTIVE"),
        (
            MACHINE,
            {"rpc": "CreateOAuthApp", "effect": Effect.WRITE, "returns": Values(client_id=str, client_secret=str)},
            "the answer of CreateOAuthApp can hold a credential: name the member",
        ),
        (MACHINE, {"returns": None}, "say its toolset= and what it returns="),
        (MACHINE, {"toolset": None}, "say its toolset= and what it returns="),
    ],
)
def test_a_tool_that_declares_too_little_does_not_import(
    fields: dict[str, Any], keywords: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        declared(fields, **keywords)
    assert "do_something" not in TOOLS


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (wire.StorageConfig, "StorageConfig does not say where it belongs"),
        (wire.OrganizationMember, "OrganizationMember belongs to what is asked about"),
    ],
)
def test_a_list_over_many_places_has_items_that_say_where_they_belong(message: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        declared({}, ListTool, scoped_by=ScopedBy.ITEMS, returns=Many(items=message))


def test_a_tool_named_like_no_rpc_says_so() -> None:
    with pytest.raises(TypeError, match="name one with rpc="):
        metaclass: Any = type(Tool)
        metaclass(
            "DoSomething",
            (Tool,),
            {"__annotations__": MACHINE, "__module__": __name__},
            toolset="machines",
            returns=Done(""),
        )
    named = declared(MACHINE, rpc="RemoveFavoriteMachine", effect=Effect.DESTRUCTIVE).spec.rpc
    assert named is not None
    assert named.name == "RemoveFavoriteMachine"
    assert declared(MACHINE, effect=Effect.READ, rpc=None).spec.rpc is None


def test_what_a_tool_declares_is_known_of_it() -> None:
    tool = declared(
        MACHINE,
        returns=SECRET_KEY,
        reveals_secret=True,
        mints="undo",
        effect=Effect.DESTRUCTIVE,
        grants=True,
        core=True,
    )
    assert (tool.spec.mints, tool.spec.remedy, tool.spec.grants, tool.spec.core) == (True, "undo", True, True)


@pytest.mark.parametrize(
    ("fields", "arguments", "named"),
    [
        (MACHINE, {"robot_id": ONE.upper()}, [(("machine",), ONE)]),
        ({"ids": list[MachineId]}, {"ids": [ONE, OTHER]}, [(("machine",), ONE), (("machine",), OTHER)]),
        ({"ids": Annotated[list[str], Ref("part", "key")] | None}, {"ids": ["x"]}, [(("part", "key"), "x")]),
        (
            {"resource_type": ResourceType, "resource_id": ResourceId},
            {"resource_type": "robot", "resource_id": ONE},
            [(("machine",), ONE)],
        ),
        ({**MACHINE, "location_id": LocationId | None}, {"robot_id": ONE, "location_id": None}, [(("machine",), ONE)]),
        (
            {**MACHINE, "imports": Annotated[list[Inner], NotARef("a test")] | None, "user_id": NotARef},
            {"robot_id": ONE},
            None,
        ),
    ],
)
def test_what_the_arguments_of_a_call_name_follows_from_their_types(
    fields: dict[str, Any], arguments: dict[str, Any], named: list[Any] | None
) -> None:
    if named is None:
        with pytest.raises(TypeError):
            declared(fields)
        return
    call = declared(fields).model_validate(arguments)
    assert [(one.kinds, one.id) for one in references(call)] == named


def test_an_id_in_an_argument_that_is_an_object_is_found() -> None:
    class Import(BaseModel):
        model_config = {"frozen": True}
        fragment_id: Annotated[str, Ref("fragment"), Field(description="x")]

    tool = declared({"org_id": OrganizationId, "imports": list[Import]})
    call = tool.model_validate({"org_id": ONE, "imports": [{"fragment_id": "a"}, {"fragment_id": "b"}]})
    assert [one.id for one in references(call)] == [ONE, "a", "b"]


@pytest.mark.parametrize("folder", ["policy", "calls", "assembly", "http", "operations"])
def test_no_tool_is_known_by_its_name_outside_of_the_tools(folder: str) -> None:
    """What the policy and the pipeline have to know of a tool is declared on it. Resources and prompts name theirs."""
    modules = list((Path(viam_mcp.__file__).parent / folder).rglob("*.py"))
    assert modules
    for module in modules:
        texts = {node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant)}
        assert TOOLS.keys() & texts == set(), module


def test_a_ref_says_what_is_named_in_one_way() -> None:
    with pytest.raises(TypeError, match="robot is no kind of thing"):
        Ref("robot")  # type: ignore[arg-type]
    for given in ({}, {"by": "resource_type"}):
        kinds = () if not given else ("machine",)
        with pytest.raises(TypeError, match="say what is named"):
            Ref(*kinds, **given)  # type: ignore[arg-type]


def test_a_message_says_of_each_of_its_ids_what_it_names() -> None:
    with pytest.raises(TypeError, match=r"RoverRentalRobot\.location_id looks like an id"):
        belongs(wire.RoverRentalRobot, "robot_id", robot_id=Ref("machine"))
    with pytest.raises(TypeError, match="has no field robot"):
        belongs(wire.RoverRentalRobot, "robot", robot=Ref("machine"))
    with pytest.raises(TypeError, match="within name, which has to name something"):
        belongs(wire.OrganizationIdentity, "name", id=Ref("organization"))


def messages_of(descriptor: Descriptor, found: dict[str, Descriptor]) -> None:
    """Collect a type of message and all that are in it."""
    if descriptor.full_name not in found and not descriptor.full_name.startswith("google.protobuf."):
        found[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                messages_of(field.message_type, found)


def test_every_id_in_every_answer_of_the_service_says_what_it_names() -> None:
    found: dict[str, Descriptor] = {}
    for rpc in POOL.FindServiceByName("viam.app.v1.AppService").methods:
        messages_of(rpc.output_type, found)
        for field in rpc.output_type.fields:
            if field.message_type is not None and not field.message_type.GetOptions().map_entry:
                inner = field.message_type.full_name
                assert inner in BELONGS or inner.startswith("google.protobuf."), f"{rpc.name}: {inner}"
    assert len(found) > 180
    for name, descriptor in found.items():
        known = BELONGS.get(name)
        assert undeclared_fields(descriptor, known.fields if known else ()) == [], name


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Values(found=set), r"Values\(found=set\): there are str, bool, int, float, dict, list"),
        (lambda: Values(value=str, secret="values"), "values is no member"),
        (lambda: One("metadata", Struct), r"metadata of type google.protobuf.Struct .*Values\(metadata=dict\)"),
        (lambda: Many(metadata=Struct), r"metadata of type google.protobuf.Struct"),
    ],
)
def test_a_result_of_a_shape_that_has_no_schema_says_what_to_use(make: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make()


def test_an_object_among_plain_values_has_a_schema_and_is_redacted_and_made_safe() -> None:
    returns = Values(metadata=dict, tags=list, share=float, token=str, refresh=str, secret=("token", "refresh"))
    schema = output_schema(returns)
    assert schema["properties"]["metadata"] == {"type": "object"}
    assert schema["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}
    value = ({"password": "hunter2", "note\x1b": ["a\x1bb"]}, ["x\x1b"], 0.5, "hunter3", "hunter4")
    shown = returns.encode(value, reveal=False)
    Draft202012Validator(schema).validate({**shown, "warnings": []})
    assert "hunter" not in str(shown)
    assert "\x1b" not in str(shown)
    assert shown["share"] == 0.5
    assert "hunter2" in str(returns.encode(value, reveal=True))


def test_a_tool_that_is_no_single_rpc_says_what_it_does() -> None:
    with pytest.raises(TypeError, match="with rpc=None, say its effect="):
        undeclared = {"__annotations__": MACHINE, "__module__": __name__, "__doc__": "Do something."}
        metaclass: Any = type(Tool)
        metaclass("DoSomething", (Tool,), undeclared, toolset="machines", returns=Done("Did {subject}."), rpc=None)
