"""Files of dated context in an ARENA.toml: read before the start, and given to the connector."""

from pathlib import Path

import pytest

from arena.context.files import check_file
from arena.errors import UsageError
from arena.findings import FindingState
from operations.commands.compete_spec import toml_with_flags
from operations.commands.context_check import context_findings
from operations.commands.demo_context import NAME, SOURCE, demo_context
from operations.commands.demo_spec import demo_toml
from operations.commands.doctor_machine import spec_findings
from operations.commands.preflight import check_context
from operations.specs.arena_spec import ArenaSpec, load_spec, parse_spec
from operations.supervisor.plan import LaunchContext, connector_command
from tests.operations.commands.cli import ROOT

GOOD = '{"kind": "news", "title": "A title", "published_at": "2026-01-01T00:00:00Z"}\n'


def spec_with(*names: str) -> ArenaSpec:
    """The demo's arena with other files of context."""
    listed = ", ".join(f'"{name}"' for name in names)
    return parse_spec(demo_toml().replace('["context.jsonl"]', f"[{listed}]"), path="demo")


def test_findings_name_file_line_value_and_remedy(tmp_path: Path) -> None:
    """Good files are counted, bad lines are warnings, a missing file is broken."""
    (tmp_path / "good.jsonl").write_text(GOOD * 3)
    (tmp_path / "bad.jsonl").write_text(GOOD + '{"kind": "rumour"}\n')
    found = context_findings(spec_with("good.jsonl", "bad.jsonl", "none.jsonl"), tmp_path)

    assert [one.state for one in found] == [
        FindingState.OK, FindingState.WARNING, FindingState.BROKEN,
    ]  # fmt: skip
    assert found[0].detail == "good.jsonl: 3 items"
    assert found[1].detail == (
        "bad.jsonl: 1 item, 1 line cannot be used: bad.jsonl:2: kind: 'rumour' is unknown; "
        "write news, sentiment or token_facts"
    )
    assert "docs/context.md" in found[1].remedy
    assert "none.jsonl" in found[2].detail
    assert found[0] in spec_findings(spec_with("good.jsonl"), tmp_path, {})


def test_start_is_refused_without_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad lines are printed, and do not stop it."""
    (tmp_path / "bad.jsonl").write_text("{\n")
    check_context(spec_with("bad.jsonl"), tmp_path)
    assert "bad.jsonl:1: line: it is not JSON" in capsys.readouterr().out
    with pytest.raises(UsageError, match="cannot read .*none.jsonl: .*; name a file"):
        check_context(spec_with("none.jsonl"), tmp_path)


def test_connector_gets_the_files(tmp_path: Path) -> None:
    """With their paths, also in lock-step; other prices of a contest keep them."""
    context = LaunchContext(launcher=("arena",), environ={}, directory=tmp_path)
    live = connector_command(spec_with("a.jsonl", "b.jsonl"), context)
    text = (ROOT / "examples" / "competition.toml").read_text(encoding="utf-8")
    text = text.replace("# context =", "context =")
    replay = connector_command(parse_spec(text, path="contest"), context)
    other = toml_with_flags(text, prices=[tmp_path / "BTC-USD.csv"])

    assert live[-4:] == [
        "--context", str(tmp_path / "a.jsonl"), "--context", str(tmp_path / "b.jsonl"),
    ]  # fmt: skip
    assert str(tmp_path / "news.jsonl") == replay[replay.index("--context") + 1]
    assert parse_spec(other, path="contest").market.context == ("news.jsonl",)


def test_shipped_sample_set_is_the_one_of_the_demo() -> None:
    """Every item can be used in a simulated market, and says that it is made."""
    path = ROOT / "examples" / NAME
    text = path.read_text(encoding="utf-8")
    spec = load_spec(ROOT / "examples" / "demo.toml")

    assert text == demo_context()
    assert check_file(path, simulated=True) == (len(text.splitlines()), (), 0)
    assert text.count(f'"source": "{SOURCE}"') == len(text.splitlines())
    assert all(f'"product": "{product}"' in text for product in spec.arena.products)
