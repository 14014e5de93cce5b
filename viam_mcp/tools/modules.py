"""Modules: registry items that add components and services to machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from viam_mcp.proto import app as wire
from viam_mcp.tools._base import Effect, ListTool, Tool
from viam_mcp.tools._files import Source, opened
from viam_mcp.tools._nested import Model, ModuleFileInfo
from viam_mcp.tools._output import Many, One, Values
from viam_mcp.tools._types import Name, OrganizationId, RegistryItemId, Text

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment


class CreateModule(Tool, toolset="modules", effect=Effect.WRITE, returns=Values(module_id=str, url=str)):
    """Create a private module without versions. Describe it with update_module, then upload_module_file.
    Returns its id and the address of its page."""

    org_id: OrganizationId
    name: Name

    async def run(self, app: AppClient) -> tuple[str, str]:
        return await app.create_module(self.org_id, self.name)


class UpdateModule(Tool, toolset="modules", effect=Effect.DESTRUCTIVE, returns=Values(url=str)):
    """Replace a module's description, models, entrypoint and visibility: all are set, so read the present ones
    with get_module first; public left out makes it private. Returns the address of its page."""

    module_id: RegistryItemId
    url: Annotated[Text, Field(description="Of its documentation or code")]
    description: Text
    models: Annotated[list[Model], Field(description="All of its models")] | None
    entrypoint: Annotated[Text, Field(description="The program that starts it")]
    public: bool = False

    async def subject(self, app: AppClient) -> str:
        return f"module {self.module_id}"

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
        return f"{self.file} as module {info.module_id} {info.version} for {info.platform}"

    async def execute(self, app: AppClient, environment: Environment) -> str:
        with opened(environment, self.file) as (stream, size):

            async def progress(sent: int) -> None:
                await environment.progress(sent, size, f"{sent:,} of {size:,} bytes")

            return await app.upload_module_file(self.module_file_info.message(), stream, progress=progress)


class GetModule(Tool, toolset="modules", returns=One("module", wire.Module)):
    """Get one module: description, models, entrypoint, versions with platforms, how many machines use it."""

    module_id: RegistryItemId

    async def run(self, app: AppClient) -> wire.Module:
        return await app.get_module(self.module_id)


class ListModules(ListTool, toolset="modules", returns=Many(modules=wire.Module)):
    """List an organization's modules. For other types of registry item, or other organizations' public ones,
    use list_registry_items."""

    org_id: OrganizationId

    async def run(self, app: AppClient) -> list[wire.Module]:
        return await app.list_modules(self.org_id)
