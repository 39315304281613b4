"""Foreign errors become a cause, a remedy and an exit code."""

import errno
import inspect
import os
import sqlite3

import pytest
from aiokafka import errors
from pydantic import ValidationError

from arena.error_causes import append_failed, error_message, explain_error
from arena.errors import BrokenLog, DependencyMissing, UsageError
from arena.settings import KafkaAccess, Settings


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DependencyMissing, "free space"),
        (errno.EROFS, UsageError, "name another path"),
        (errno.EACCES, UsageError, "x/y: "),
        (errno.EMFILE, DependencyMissing, "ulimit"),
        (errno.EADDRINUSE, DependencyMissing, "port"),
        (errno.ECONNREFUSED, DependencyMissing, "network"),
        (errno.ENOENT, UsageError, "check the path"),
        (errno.EIO, DependencyMissing, "disk"),
    ],
)
def test_system_is_explained(number: int, kind: type, words: str) -> None:
    """An error of the system has its file, message, remedy and exit code."""
    found = explain_error(OSError(number, os.strerror(number), "x/y"))

    assert type(found) is kind
    assert words in str(found)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [("database is locked", "another process"), ("file is not a database", "rebuild")],
)
def test_database_is_explained(words: str, remedy: str) -> None:
    """The books' database is named as the cause, for any library's error."""
    found = explain_error(sqlite3.DatabaseError(words))

    assert isinstance(found, DependencyMissing)
    assert remedy in str(found)


KAFKA = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", [k for k in KAFKA if issubclass(k, errors.KafkaError)])
def test_kafka_is_explained(kind: type[Exception]) -> None:
    """Every error of the client library has a cause and a remedy, on one line."""
    found = explain_error(kind("words\nof it"))

    assert found is not None
    assert found.remedy
    assert "\n" not in str(found)
    assert "Error" not in str(found)
    assert "Error" not in error_message(kind())


def test_refused_append_is_explained() -> None:
    """For a login that may not write, the error has topic and remedy, without protocol codes."""
    message = str(
        append_failed("an append failed", errors.TopicAuthorizationFailedError("a.roster"))
    )

    assert "login use the topic a.roster; `arena topics acl`" in message


def test_error_without_a_text_is_explained() -> None:
    """An error whose text fails is named by its class."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise AttributeError("errno")

    assert "Broken: without a text (AttributeError)" == error_message(Broken())


def test_variable_is_named_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong variable is named without its value, which could be a secret."""
    monkeypatch.setenv("ARENA_STUCK_S", "-7171")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "planted-value")
    for model, variable in ((Settings, "ARENA_STUCK_S"), (KafkaAccess, "KAFKA_SASL_MECHANISM")):
        with pytest.raises(ValidationError) as caught:
            model() if model is KafkaAccess else Settings(access=KafkaAccess.model_construct())
        found = explain_error(caught.value)

        assert isinstance(found, UsageError)
        assert variable in str(found)
        assert "7171" not in str(found)
        assert "planted" not in str(found)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("Symlink loop from 'x/y'"), "x/y is a link to itself"),
        (UnicodeError("label empty or too long"), "a host name"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte"), "not UTF-8"),
    ],
)
def test_odd_names_and_texts_are_explained(error: Exception, message: str) -> None:
    """Links in a circle, impossible host names, other encodings: causes of the caller's."""
    found = explain_error(error)

    assert isinstance(found, UsageError)
    assert message in str(found)


def test_library_without_memory_is_explained() -> None:
    """A shared object that cannot be mapped is too little memory, not a broken installation."""
    found = explain_error(ImportError("x.so: failed to map segment from shared object"))

    assert "too little free memory" in str(found)


def test_exception_groups_and_bugs() -> None:
    """The first error of a group that can be explained counts; a bug has no explanation."""
    broken = BrokenLog("x")

    assert broken is explain_error(ExceptionGroup("all", [ValueError("a"), broken]))
    assert None is explain_error(ValueError("a"))
    assert None is explain_error(ModuleNotFoundError("x", name="arena.nope"))
