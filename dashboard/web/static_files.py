"""Style sheets, scripts and vendored libraries, with an ETag each."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")
VERSION_CHARS = 12
FOREVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"


class VersionedFiles(StaticFiles):
    """Files that a browser keeps forever if their address has a version, and else asks about."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        answer = await super().get_response(path, scope)
        has_version = scope.get("query_string", b"").startswith(b"v=")
        answer.headers["Cache-Control"] = FOREVER if has_version else ASK_FIRST
        return answer


@cache
def static_url(name: str) -> str:
    """The address of a file, with a version that follows from its content.

    Args:
        name: Its path in the folder, such as "page.css".

    Raises:
        OSError: There is no such file.
    """
    digest = sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:VERSION_CHARS]}"
