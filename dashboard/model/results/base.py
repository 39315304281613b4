"""The base class of answers, and the kinds of entrants. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["agent", "baseline"]


class Result(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
