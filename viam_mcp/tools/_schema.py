"""A tool as data: what `tools/list` says and `tool_schemas/` keeps.

MCP clients take different parts of JSON Schema. What comes out here is inside what all of them take:
an object at the root, nothing referenced or combined, an optional argument simply not required.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from viam_mcp.tools._spec import Effect
from viam_mcp.tools.results._output import output_schema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

    from viam_mcp.tools._tool import Tool

Json = Any


class _PlainSchema(GenerateJsonSchema):
    """Pydantic's schema without titles, nulls and defaults that say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = super().default_schema(schema)
        if inner.get("default", ...) in (None, [], ()):
            inner.pop("default", None)
        return inner


@cache
def input_schema(tool: type[Tool]) -> dict[str, Json]:
    """The JSON schema of a tool's arguments."""
    generated = tool.model_json_schema(schema_generator=_PlainSchema, union_format="primitive_type_array")
    definitions = generated.pop("$defs", {})
    schema: dict[str, Json] = _inlined(generated, definitions)
    schema.pop("title", None)
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return schema


def _inlined(value: Json, definitions: dict[str, Json]) -> Json:
    """The schema with every reference replaced by what it refers to, and without what only repeats a class's name."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = definitions[value["$ref"].removeprefix("#/$defs/")]
        merged = {key: item for key, item in target.items() if key not in ("title", "description")}
        return _inlined({**merged, **{key: item for key, item in value.items() if key != "$ref"}}, definitions)
    return {key: _inlined(item, definitions) for key, item in value.items()}


@cache
def hints(tool: type[Tool]) -> dict[str, Json]:
    """The hints that a host shows or acts on, all of them said."""
    spec = tool.spec
    return {
        "readOnlyHint": spec.effect is Effect.READ,
        "destructiveHint": spec.effect is Effect.DESTRUCTIVE,
        "idempotentHint": spec.idempotent,
        "openWorldHint": True,
    }


@cache
def definition(tool: type[Tool]) -> dict[str, Json]:
    """A tool as `tools/list` gives it."""
    spec = tool.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "inputSchema": input_schema(tool),
        "outputSchema": output_schema(spec.returns),
        "annotations": hints(tool),
    }
