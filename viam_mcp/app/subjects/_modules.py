"""Modules: the programs that add components and services to machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from viam_mcp.app._chunks import Chunks, Source
from viam_mcp.app.subjects._subject import Subject, build
from viam_mcp.proto import app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

__all__ = ["ModuleMethods"]


class ModuleMethods(Subject):
    """Methods about modules. A module is named `namespace:name` or `organization-id:name`."""

    async def create_module(self, org_id: str, name: str) -> tuple[str, str]:
        """Make a module, private and without a version yet.

        Args:
            org_id: The organization that it will belong to.
            name: Its name, unique within the organization.

        Returns:
            Its id, and its page on the web.
        """
        request = build(app.CreateModuleRequest, organization_id=org_id, name=name)
        reply = await self._session.unary(self._stub.CreateModule, request)
        return reply.module_id, reply.url

    async def update_module(
        self,
        module_id: str,
        url: str,
        description: str,
        models: Sequence[app.Model] | None,
        entrypoint: str,
        public: bool = False,
    ) -> str:
        """Replace what the registry says about a module.

        Args:
            module_id: The module.
            url: Where its documentation and code are.
            description: What it is for, in short.
            models: The models that it offers.
            entrypoint: The program to start, relative to the archive.
            public: Everybody may see it (True) or only its organization (False).

        Returns:
            Its page on the web.
        """
        request = build(
            app.UpdateModuleRequest,
            module_id=module_id,
            visibility=app.VISIBILITY_PUBLIC if public else app.VISIBILITY_PRIVATE,
            url=url,
            description=description,
            models=models,
            entrypoint=entrypoint,
        )
        return (await self._session.unary(self._stub.UpdateModule, request)).url

    async def upload_module_file(
        self,
        module_file_info: app.ModuleFileInfo | None,
        file: Source,
        *,
        progress: Callable[[int], Awaitable[None]] | None = None,
    ) -> str:
        """Upload the archive of a module's version for one platform, in pieces of 64 KiB.

        Args:
            module_file_info: Which module, version and platform. A version cannot be uploaded twice.
            file: The bytes of the archive; or a binary file, from its position on, or an iterable of
                bytes, which are read as they are sent.
            progress: Is awaited after each piece with the number of bytes sent so far.

        Returns:
            The page of the module on the web.
        """
        info = module_file_info or app.ModuleFileInfo()
        content = Chunks(file)

        async def messages() -> AsyncGenerator[app.UploadModuleFileRequest]:
            yield build(app.UploadModuleFileRequest, module_file_info=info)
            sent = 0
            async for chunk in content.read():
                yield app.UploadModuleFileRequest(file=chunk)
                sent += len(chunk)
                if progress is not None:
                    await progress(sent)

        reply = await self._session.stream_unary(
            self._stub.UploadModuleFile, info, messages, replayable=content.replayable
        )
        return reply.url

    async def get_module(self, module_id: str) -> app.Module:
        """Get a module.

        Args:
            module_id: The module.
        """
        return (
            await self._session.unary(self._stub.GetModule, build(app.GetModuleRequest, module_id=module_id))
        ).module

    async def list_modules(self, org_id: str) -> list[app.Module]:
        """List the modules that an organization can use.

        Args:
            org_id: The organization.
        """
        request = build(app.ListModulesRequest, organization_id=org_id)
        return list((await self._session.unary(self._stub.ListModules, request)).modules)
