"""A stand-in for the few URLs of GitHub and of the catalog that the Marketplace uses.

    async with GitHub(files, {"bitrix24_sip.zip": zip}) as github:
        ...  # github.url, github.asked

It has one repository with one release, tagged TAG; the branch has the same files.
"""

from base64 import b64encode
import io
from types import TracebackType
from typing import Any, Self
from zipfile import ZipFile

from aiohttp import web

NAME = "bitrix24-sip/ha-bitrix24-sip"
REPOSITORY_ID = "1234567890"
TAG = "v1.0.0"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "gho_stand_in"


class GitHub:
    """One server for all hosts: /api, /raw, /catalog, and github.com at the top.

    asked: the requested paths. listed: whether the catalog has the repository.
    """

    def __init__(
        self, files: dict[str, bytes], assets: dict[str, bytes], *, listed: bool = True
    ) -> None:
        """Set the repository's files by path, and the release's assets by name."""
        self.asked: list[str] = []
        self.url = ""
        self._files = files
        self._assets = assets
        self._listed = listed
        app = web.Application(middlewares=[self._note])
        app.add_routes(
            [
                web.get("/catalog/{section}/data.json", self._catalog),
                web.get(f"/raw/{NAME}/{{ref}}/{{path:.+}}", self._raw),
                web.get(f"/{NAME}/archive/refs/tags/{TAG}.zip", self._archive),
                web.get(f"/{NAME}/releases/download/{TAG}/{{name}}", self._asset),
                web.get("/api/rate_limit", self._rate_limit),
                web.get(f"/api/repos/{NAME}", self._repository),
                web.get(f"/api/repos/{NAME}/releases", self._releases),
                web.get(f"/api/repos/{NAME}/branches/main", self._branch),
                web.get(f"/api/repos/{NAME}/git/trees/{{ref:.+}}", self._tree),
                web.get(f"/api/repos/{NAME}/contents/{{path:.+}}", self._contents),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        """Listen on loopback."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self._runner.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        response: web.StreamResponse = await handler(request)
        return response

    # The catalog.

    async def _catalog(self, request: web.Request) -> web.Response:
        section = request.match_info["section"]
        if section in ("removed", "critical"):
            return web.json_response([])
        if section != "integration" or not self._listed:
            return web.json_response({})
        entry = {
            "description": "SIP lines of a Bitrix24 portal",
            "domain": "bitrix24_sip",
            "etag_repository": "1",
            "full_name": NAME,
            "last_commit": COMMIT[:7],
            "last_fetched": 1795392000,
            "last_updated": "2026-11-23T00:00:00Z",
            "last_version": TAG,
            "manifest": {"name": "Bitrix24 SIP"},
            "manifest_name": "Bitrix24 SIP",
            "topics": ["bitrix24"],
        }
        return web.json_response({REPOSITORY_ID: entry})

    # github.com and raw.githubusercontent.com.

    async def _raw(self, request: web.Request) -> web.Response:
        if request.match_info["ref"] not in (TAG, "main"):
            raise web.HTTPNotFound
        return web.Response(body=self._file(request.match_info["path"]))

    async def _archive(self, request: web.Request) -> web.Response:
        """Answer with the source: one folder, named by repository and tag."""
        top = f"ha-bitrix24-sip-{TAG.removeprefix('v')}"
        content = io.BytesIO()
        with ZipFile(content, "w") as archive:
            for path, data in self._files.items():
                archive.writestr(f"{top}/{path}", data)
        return web.Response(body=content.getvalue(), content_type="application/zip")

    async def _asset(self, request: web.Request) -> web.Response:
        if (asset := self._assets.get(request.match_info["name"])) is None:
            raise web.HTTPNotFound
        return web.Response(body=asset, content_type="application/octet-stream")

    # api.github.com, for a repository that a person adds by its address.

    async def _rate_limit(self, request: web.Request) -> web.Response:
        limit = {"limit": 5000, "remaining": 4999, "reset": 1795395600, "used": 1}
        return self._json(request, {"resources": {"core": limit}, "rate": limit})

    async def _repository(self, request: web.Request) -> web.Response:
        return self._json(
            request,
            {
                "id": int(REPOSITORY_ID),
                "full_name": NAME,
                "name": NAME.partition("/")[2],
                "description": "SIP lines of a Bitrix24 portal",
                "default_branch": "main",
                "archived": False,
                "disabled": False,
                "fork": False,
                "has_issues": True,
                "open_issues": 0,
                "pushed_at": "2026-11-23T00:00:00Z",
                "stargazers_count": 1,
                "topics": ["bitrix24"],
            },
        )

    async def _releases(self, request: web.Request) -> web.Response:
        assets = [
            {
                "name": name,
                "download_count": 0,
                "browser_download_url": f"{self.url}/{NAME}/releases/download/{TAG}/{name}",
            }
            for name in self._assets
        ]
        release = {
            "tag_name": TAG,
            "name": TAG,
            "draft": False,
            "prerelease": False,
            "published_at": "2026-11-23T00:00:00Z",
            "body": "",
            "assets": assets,
        }
        return self._json(request, [release])

    async def _branch(self, request: web.Request) -> web.Response:
        return self._json(request, {"name": "main", "commit": {"sha": COMMIT}})

    async def _tree(self, request: web.Request) -> web.Response:
        folders = {
            "/".join(parts[:depth])
            for parts in (path.split("/") for path in self._files)
            for depth in range(1, len(parts))
        }
        tree = [{"path": path, "type": "tree"} for path in sorted(folders)]
        tree += [{"path": path, "type": "blob"} for path in self._files]
        return self._json(request, {"sha": COMMIT, "tree": tree, "truncated": False})

    async def _contents(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        content = b64encode(self._file(path)).decode()
        return self._json(
            request, {"path": path, "encoding": "base64", "content": content}
        )

    def _json(self, request: web.Request, data: Any) -> web.Response:
        """Answer as the API does, to the connected account only."""
        if TOKEN not in request.headers.get("Authorization", ""):
            raise web.HTTPUnauthorized
        return web.json_response(data, headers={"ETag": '"1"'})

    def _file(self, path: str) -> bytes:
        if path not in self._files:
            raise web.HTTPNotFound
        return self._files[path]
