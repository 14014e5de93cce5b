"""Modules: registry items that add components and services to machines."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Annotated, BinaryIO, cast

import anyio.to_thread
from pydantic import AfterValidator, Field

from viam_mcp.app import AppError
from viam_mcp.proto import app as wire
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._files import sha256
from viam_mcp.tools._saving import Source, opened
from viam_mcp.tools._spec import Effect
from viam_mcp.tools._tool import ListTool, Tool
from viam_mcp.tools.arguments._nested import Model, ModuleFileInfo
from viam_mcp.tools.arguments._types import Name, NewPublicity, OrganizationId, RegistryItemId, Text
from viam_mcp.tools.previews._archive import look_into, platform_lines
from viam_mcp.tools.previews._model import Consequence, Preview, Risk
from viam_mcp.tools.previews._names import brief, named, organization_name, quoted
from viam_mcp.tools.previews._wording import (
    UNCHANGED,
    Called,
    change,
    exact,
    preview,
    state_of,
    usage,
    visibility_change,
    visibility_name,
)
from viam_mcp.tools.results._output import Many, One, Values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment

_PIECE = 1_048_576
_UPLOADED = "This version has a file for this platform already: the service refuses another one."


def _distinct(models: list[Model]) -> list[Model]:
    names = Counter((model.api, model.model) for model in models)
    (api, name), times = names.most_common(1)[0] if names else (("", ""), 0)
    if times > 1:
        raise ValueError(f"the model {quoted(name)} ({quoted(api)}) is in it {times} times")
    return models


_Distinct = AfterValidator(_distinct)


class CreateModule(Tool, toolset="modules", effect=Effect.WRITE, returns=Values(module_id=str, url=str)):
    """Create a private module without versions. Describe it with update_module, then upload_module_file.
    Returns its id and the address of its page."""

    org_id: OrganizationId
    name: Name

    async def subject(self, app: AppClient) -> str:
        return f"module {quoted(self.name)} in {await organization_name(app, self.org_id)}"

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_module(self.org_id, self.name)


class UpdateModule(Tool, toolset="modules", effect=Effect.DESTRUCTIVE, returns=Values(url=str)):
    """Replace a module's description, models, entrypoint and visibility: all are set, so read the present ones
    with get_module first; public left out makes it private. Returns the address of its page."""

    module_id: RegistryItemId
    url: Annotated[Text, Field(description="Of its documentation or code")]
    description: Text
    models: Annotated[list[Model], Field(max_length=1000, description="All of its models"), _Distinct] | None
    entrypoint: Annotated[Text, Field(description="The program that starts it")]
    public: NewPublicity = False

    async def subject(self, app: AppClient) -> str:
        return f"module {quoted(self.module_id)}"

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        module = await app.get_module(self.module_id)
        old = {(model.api, model.model): model for model in module.models}
        new = {(model.api, model.model): model for model in self.models or ()}
        visibility = "public" if self.public else "private"
        shown_to = visibility_change(visibility_name(module.visibility), visibility)
        starts = change("Entrypoint", module.entrypoint, self.entrypoint)
        lines = [
            *shown_to,
            *starts,
            *change("Description", module.description, self.description),
            *change("URL", module.url, self.url),
            *(f"Model taken away: {exact(name)} ({exact(api)})." for api, name in old if (api, name) not in new),
            *(f"Model added: {exact(name)} ({exact(api)})." for api, name in new if (api, name) not in old),
            *(
                line
                for key in new
                if key in old
                for line in change(
                    f"Description of model {exact(key[1])}", old[key].description, new[key].description or ""
                )
            ),
            *(
                f"Model {exact(key[1])} loses its documentation and supported hardware, which this tool does not take."
                for key in new
                if key in old and (old[key].markdown_documentation or old[key].supported_hardware)
            ),
        ]
        consequences = [
            *(
                [Consequence(Risk.CODE, "RUNS CODE", f"entrypoint {exact(self.entrypoint, sent=True)}")]
                if starts
                else []
            ),
            *([Consequence(Risk.ACCESS, "VISIBILITY", visibility)] if shown_to else []),
        ]
        bound = state_of(module.description, module.entrypoint, module.url, *module.models)
        return _called(module).preview(
            self, [*(lines or [UNCHANGED]), *usage(module)], consequences=consequences, bound=bound
        )

    async def run(self, app: AppClient) -> str:
        models = None if self.models is None else [model.message() for model in self.models]
        return await app.update_module(self.module_id, self.url, self.description, models, self.entrypoint, self.public)


class UploadModuleFile(Tool, toolset="modules", effect=Effect.DESTRUCTIVE, returns=Values(url=str)):
    """Upload one version of a module for one platform, from an archive below the server's files folder.
    Machines that follow the latest version install it. A version is uploaded once for a platform, ever. Returns
    the address of the file."""

    module_file_info: ModuleFileInfo
    file: Source

    async def subject(self, app: AppClient) -> str:
        info = self.module_file_info
        return (
            f"{quoted(self.file)} as module {quoted(info.module_id)} {quoted(info.version)} for {quoted(info.platform)}"
        )

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        info = self.module_file_info
        with opened(environment, self.file) as (stream, size):
            digest = await anyio.to_thread.run_sync(sha256, stream)
            archive = await anyio.to_thread.run_sync(look_into, stream)
        sends = [
            f"Version: {exact(info.version)}; platform: {exact(info.platform)}{_tagged(info.platform_tags)}.",
            f"File: {exact(self.file)}, {size:,} bytes, SHA-256 {digest}.",
            "Machines that follow the latest version install it and run it. It can be uploaded once, ever.",
        ]
        try:
            module = await app.get_module(info.module_id)
        except AppError as error:
            # The file was read, and what is agreed to is bound to it all the same.
            unknown = ["What the module is like so far could not be read.", *archive.lines("", info.platform)]
            what = await self.subject(app)
            return preview(self, what, [*sends, *unknown], consequences=_runs(info), now=(str(error),), file=digest)
        platforms = {upload.platform for one in module.versions if one.version == info.version for upload in one.files}
        known = {upload.platform for one in module.versions for upload in one.files}
        newest = module.versions[-1].version if module.versions else "none"
        lines = [
            *sends,
            *([_UPLOADED] if info.platform in platforms else []),
            *archive.lines(module.entrypoint, info.platform),
            *platform_lines(info.platform, known),
            f"The newest version so far: {exact(newest)}. Visibility: {visibility_name(module.visibility)}.",
            *usage(module),
        ]
        called = _called(module)
        whole = f"{called.what} {quoted(info.version)} for {quoted(info.platform)}"
        return replace(called, what=whole).preview(self, lines, consequences=_runs(info), file=digest)

    async def execute(self, app: AppClient, environment: Environment) -> str:
        with opened(environment, self.file) as (stream, size):

            async def progress(sent: int) -> None:
                await environment.progress(sent, size, f"{sent:,} of {size:,} bytes")

            agreed = environment.file
            content = cast("BinaryIO", stream) if agreed is None else _AsShown(stream, agreed, self.file)
            return await app.upload_module_file(self.module_file_info.message(), content, progress=progress)


class _AsShown:
    """The bytes of a file, of which the last are given only if all of them are those that somebody agreed to.

    Without the last ones the upload does not end, and what has not ended is no version.
    """

    def __init__(self, stream: IO[bytes], digest: str, path: str) -> None:
        self._stream = stream
        self._digest = digest
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read, held = hashlib.sha256(), b""
        await anyio.to_thread.run_sync(self._stream.seek, 0)
        while piece := await anyio.to_thread.run_sync(self._stream.read, _PIECE):
            if held:
                yield held
            read.update(piece)
            held = piece
        if read.hexdigest() != self._digest:
            raise ToolError(f"{quoted(self._path)} has changed since it was shown. Nothing was uploaded: ask again.")
        if held:
            yield held


class GetModule(Tool, toolset="modules", core=True, returns=One("module", wire.Module)):
    """Get one module: description, models, entrypoint, versions with platforms, how many machines use it."""

    module_id: RegistryItemId

    async def run(self, app: AppClient) -> wire.Module:
        return await app.get_module(self.module_id)


class ListModules(ListTool, toolset="modules", core=True, returns=Many(modules=wire.Module)):
    """List an organization's modules. For other types of registry item, or other organizations' public ones,
    use list_registry_items."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.Module]:
        return await app.list_modules(self.org_id)


def _called(module: wire.Module) -> Called:
    owner = module.public_namespace or module.organization_id
    return Called(
        what=named("module", module.name, module.module_id),
        title=brief("module", module.name),
        where=f"of {exact(owner)}",
        subject=module.name,
    )


def _runs(info: ModuleFileInfo) -> list[Consequence]:
    """Return what is grave about a new version of a module."""
    return [Consequence(Risk.CODE, "RUNS CODE", f"version {exact(info.version)} for {exact(info.platform)}")]


def _tagged(tags: list[str]) -> str:
    return f", for machines with {', '.join(map(exact, tags))}" if tags else ""
