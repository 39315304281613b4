"""Every kind of process is served by one function of its room, with options of one class."""

import dataclasses
import inspect
from importlib import import_module
from types import UnionType
from typing import get_args, get_type_hints

import pytest

from arena.node import Node
from arena.process_kinds import CLI, KINDS, OPERATOR, SUPERVISOR, ProcessKind

PROCESSES = [kind for kind in KINDS if kind not in (SUPERVISOR, CLI, OPERATOR)]


@pytest.mark.parametrize("kind", PROCESSES, ids=lambda kind: kind.name)
def test_entry_is_serve_with_frozen_options(kind: ProcessKind) -> None:
    """It is `async serve(node, options)` in a module `process`; options are frozen dataclasses."""
    module, _, name = kind.serve.partition(":")
    serve = getattr(import_module(module), name)
    hints = get_type_hints(serve)
    wanted = hints["options"]
    classes = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)

    assert (module.rpartition(".")[2], name) == ("process", "serve")
    assert inspect.iscoroutinefunction(serve)
    assert ["node", "options"] == list(inspect.signature(serve).parameters)
    assert (Node, type(None)) == (hints["node"], hints["return"])
    assert all(dataclasses.is_dataclass(one) for one in classes)
    assert all(one.__dataclass_params__.frozen for one in classes)


def test_only_processes_have_an_entry() -> None:
    """Commands, their supervisor and the operator are not processes that can be started."""
    assert ("", "", "") == (SUPERVISOR.serve, CLI.serve, OPERATOR.serve)
