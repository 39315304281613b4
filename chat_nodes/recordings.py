"""Recorded replies: a file with the hash of each request and its answer, one line per call.

A node called `gpt` that is given `replies.jsonl` uses `replies.gpt.jsonl`, so several nodes can
share the flag. A line is a JSON object: `request_sha256`, and the `call` and `reply` as they were
published. Lines are only appended, each with one write and an fsync before the reply is sent; a
last line that a crash cut is skipped. Reads and writes that file.
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
"""Twice the largest record: a line holds a call and its reply."""


class RecordedReply(BaseModel):
    """One line of the file.

    Attributes:
        request_sha256: Hash of the request, as `request_sha256` computes it.
        call: The call as it was logged.
        reply: The reply as it was sent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    request_sha256: str
    call: LlmCall
    reply: ChatReply

    def answer(
        self, request: ChatRequest, node: str, now: datetime, *, is_earlier: bool = False
    ) -> "RecordedReply":
        """The same answer for another request with the same hash.

        Latency, attempts, tokens and cost are those of the recorded call. The answer is marked as
        replayed, unless this run recorded it for this very request: then the node crashed between
        writing the file and the topics. The clocks tell; `is_earlier` says it in a replay, which
        records nothing, and in a backtest, whose clock is not the machine's.
        """
        earlier = is_earlier or self.call.started_at < request.issued_at
        replayed = self.call.replayed or earlier
        fields = {
            "call_id": request.call_id,
            "agent": request.agent,
            "asker": request.asker,
            "turn_id": request.turn_id,
            "round": request.round,
            "stage": request.stage,
            "role": request.role,
            "node": node,
            "replayed": replayed,
        }
        times = {"started_at": now, "ended_at": now}
        call = self.call.model_copy(update=fields | times)
        return RecordedReply(
            request_sha256=self.request_sha256,
            call=call,
            reply=self.reply.model_copy(update=fields),
        )


@dataclass(frozen=True, slots=True)
class _LineLocation:
    offset: int
    length: int
    ok: bool


def request_sha256(model_id: str, request: ChatRequest) -> str:
    """Hash of what determines a model's answer: model, messages, tools and sampling.

    SHA-256 of their JSON with sorted keys and no spaces; ids, agent and times are left out.
    """
    fields = request.model_dump(mode="json", include={"messages", "tools", "sampling"})
    body = orjson.dumps({"model": model_id, **fields}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()


def path_of(file: Path, node: str) -> Path:
    """The file of one node: `replies.jsonl` is `replies.<node>.jsonl`."""
    return file.with_name(f"{file.stem}.{node}{file.suffix}")


class Recordings:
    """The recorded replies of one node, found by request and call.

    Attributes:
        path: The file.
        skipped: Number of lines that could not be read.
    """

    def __init__(self, path: Path, mode: Mode) -> None:
        """Open the file and index its lines.

        Raises:
            UsageError: There is nothing to replay, or the file cannot be written.
        """
        self.path = path
        self.mode = mode
        self.skipped = 0
        self._locations: dict[str, dict[str, _LineLocation]] = defaultdict(dict)
        self._lock = threading.Lock()
        flags = os.O_RDONLY if mode == "replay" else os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            self._file = os.open(path, flags | os.O_CLOEXEC, 0o644)
        except OSError as error:
            remedy = "record it first with --replies record" if mode == "replay" else ""
            raise UsageError(f"cannot open {path}: {error.strerror}", remedy=remedy) from None
        self._index()

    def __len__(self) -> int:
        return sum(map(len, self._locations.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def find(self, sha256: str, call_id: str) -> RecordedReply | None:
        """The recorded reply to a request; None if there is none to serve.

        While recording, only a reply to this very call counts. In a replay, another call with the
        same request is served too, such as that of an agent with another name; which one follows
        from the call's id alone, so neither order nor a restart changes it.
        """
        locations = self._locations.get(sha256)
        if not locations:
            return None
        location = locations.get(call_id)
        if location is None and self.mode == "replay":
            number = int(hashlib.sha256(call_id.encode()).hexdigest(), 16)
            location = list(locations.values())[number % len(locations)]
        if location is None or (self.mode == "record" and not location.ok):
            return None
        return RecordedReply.model_validate_json(
            os.pread(self._file, location.length, location.offset)
        )

    def add(self, recorded: RecordedReply) -> None:
        """Append a reply; it is on disk when this returns. Blocks, and may be called in a thread.

        If the file ends in half a line, that line is ended first.
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
            self._add_location(recorded, end + len(written) - len(line), len(line))

    def missing(self, sha256: str) -> str:
        """Why a request cannot be answered, for the agent and the log."""
        return (
            f"{self.path.name} holds no reply to this request (sha256 {sha256[:12]}...); prompt, "
            "tools, model or seed differ from those recorded: run with --replies record"
        )

    def _add_location(self, recorded: RecordedReply, offset: int, length: int) -> None:
        """Index a line; the first good reply to a call replaces a failed one, and stays."""
        locations, call_id = self._locations[recorded.request_sha256], recorded.call.call_id
        known = locations.get(call_id)
        if known is None or not known.ok:
            locations[call_id] = _LineLocation(offset, length, recorded.call.outcome == "ok")

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
        self._add_location(found, offset, len(line))
