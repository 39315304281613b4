"""Parameters that several routes have. Pure."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import StringConstraints

from dashboard.model.history import PAGE_MAX

NAME_CHARS_MAX = 200
CURSOR_CHARS_MAX = 64

ProductId = Annotated[str, StringConstraints(max_length=NAME_CHARS_MAX)]
AgentName = Annotated[str, Path(description="Name of the agent", max_length=NAME_CHARS_MAX)]
TurnId = Annotated[str, Path(description="Id of the turn", max_length=NAME_CHARS_MAX)]
AnyAgent = Annotated[
    str | None,
    Query(description="Name of the agent; all without it", max_length=NAME_CHARS_MAX),
]
Limit = Annotated[int, Query(description="Most entries of the page", ge=1, le=PAGE_MAX)]
Cursor = Annotated[
    str | None,
    Query(description="`cursor` of the page before", max_length=CURSOR_CHARS_MAX),
]
