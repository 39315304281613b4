"""Style sheets, scripts and vendored libraries; a browser asks whether a file has changed."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).with_name("static")


class CheckedFiles(StaticFiles):
    """Files that a browser keeps, and asks about by their ETag before it uses them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer
