"""Recorded replies: a file of requests' hashes and what was answered, one line per call.

A node called `gpt` that is given `replies.jsonl` keeps `replies.gpt.jsonl`, so several nodes can
share the flag. A line is a JSON object: `request_sha256`, and the `call` and `reply` as they were
published. Lines are only appended, each with one write and an fsync before the reply is sent; what
a crash left of a last line is passed over. Reads and writes that file.
"""

import fcntl
import hashlib
import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from arena.errors import UsageError
from arena.messages import ChatReply, ChatRequest, LlmCall

Mode = Literal["live", "record", "replay"]
LINE_BYTES_MAX = 2_000_000
"""Twice a record's bound: a call and its reply each fit in one."""


class RecordedReply(BaseModel):
    """One line of the file.

    Attributes:
        request_sha256: Of the request, as `request_sha256` computes it.
        call: As it was logged. reply: as it was sent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_sha256: str
    call: LlmCall
    reply: ChatReply

    def answer(self, request: ChatRequest, node: str, now: datetime) -> "RecordedReply":
        """The same answer to another asking of the request.

        Latency, attempts, tokens and cost stay those of the recorded call. It is marked as
        replayed, unless it was recorded for this very asking: then a crash came between the file
        and the topics.
        """
        replayed = self.call.replayed or self.call.started_at < request.issued_at
        asked = {
            "call_id": request.call_id,
            "agent": request.agent,
            "turn_id": request.turn_id,
            "round": request.round,
            "node": node,
            "replayed": replayed,
        }
        times = {"started_at": now, "ended_at": now}
        call = self.call.model_copy(update=asked | times)
        return RecordedReply(
            request_sha256=self.request_sha256,
            call=call,
            reply=self.reply.model_copy(update=asked),
        )


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    length: int
    ok: bool


def request_sha256(model_id: str, request: ChatRequest) -> str:
    """Hash of what decides a model's answer: model, messages, tools and sampling.

    SHA-256 of their JSON with sorted keys and no spaces; no id, agent or time enters it.
    """
    asked = request.model_dump(mode="json", include={"messages", "tools", "sampling"})
    body = orjson.dumps({"model": model_id, **asked}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()


def path_of(file: Path, node: str) -> Path:
    """The file of one node: `replies.jsonl` is `replies.<node>.jsonl`."""
    return file.with_name(f"{file.stem}.{node}{file.suffix}")


class Recordings:
    """The recorded replies of one node, found by request and call.

    Attributes:
        path: The file. skipped: lines of it that could not be read.
    """

    def __init__(self, path: Path, mode: Mode) -> None:
        """Read what was recorded.

        Raises:
            UsageError: There is nothing to replay, or the file cannot be written.
        """
        self.path = path
        self.mode = mode
        self.skipped = 0
        self._places: dict[str, dict[str, _Place]] = defaultdict(dict)
        self._lock = threading.Lock()
        flags = os.O_RDONLY if mode == "replay" else os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            self._file = os.open(path, flags | os.O_CLOEXEC, 0o644)
        except OSError as error:
            remedy = "record it first with --replies record" if mode == "replay" else ""
            raise UsageError(f"cannot open {path}: {error.strerror}", remedy=remedy) from None
        self._index()

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def find(self, sha256: str, call_id: str) -> RecordedReply | None:
        """What was recorded for a request; None where there is nothing to serve.

        While recording, only a reply that this very call got counts. In a replay another
        call of the same request will do, such as that of an agent with another name: which one
        follows from the call's id alone, so neither order nor a restart changes it.
        """
        places = self._places.get(sha256)
        if not places:
            return None
        place = places.get(call_id)
        if place is None and self.mode == "replay":
            number = int(hashlib.sha256(call_id.encode()).hexdigest(), 16)
            place = list(places.values())[number % len(places)]
        if place is None or (self.mode == "record" and not place.ok):
            return None
        return RecordedReply.model_validate_json(os.pread(self._file, place.length, place.offset))

    def add(self, recorded: RecordedReply) -> None:
        """Append a reply; it is on the disk when this returns. Blocks; may be called in a thread.

        A file that ends in half a line gets its end of line first.
        """
        line = recorded.model_dump_json().encode() + b"\n"
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                end = os.fstat(self._file).st_size
                torn = end > 0 and os.pread(self._file, 1, end - 1) != b"\n"
                written = b"\n" + line if torn else line
                os.write(self._file, written)
                os.fsync(self._file)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._note(recorded, end + len(written) - len(line), len(line))

    def missing(self, sha256: str) -> str:
        """Why a request cannot be answered, for the agent and the log."""
        return (
            f"{self.path.name} holds no reply to this request (sha256 {sha256[:12]}...); prompt, "
            "tools, model or seed differ from those recorded: run with --replies record"
        )

    def _note(self, recorded: RecordedReply, offset: int, length: int) -> None:
        """The first reply to a call counts; one that the model failed to give, until it did."""
        places, call_id = self._places[recorded.request_sha256], recorded.call.call_id
        known = places.get(call_id)
        if known is None or not known.ok:
            places[call_id] = _Place(offset, length, recorded.call.outcome == "ok")

    def _index(self) -> None:
        offset = 0
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            while line := lines.readline(LINE_BYTES_MAX):
                self._index_line(line, offset)
                offset += len(line)

    def _index_line(self, line: bytes, offset: int) -> None:
        try:
            found = RecordedReply.model_validate_json(line)
        except ValidationError:
            self.skipped += line != b"\n"
            return
        self._note(found, offset, len(line))
