"""What a check found, for people and for programs."""

from arena.findings import any_broken, broken, finding_lines, findings_summary, of_node, ok, warning

FOUND = [
    ok("python", "3.11.7"),
    warning("disk", "1.0 GB free", "free some space"),
    *of_node("nano", [broken("key", "refused", "export KEY=...", cause="auth")]),
]


def test_findings_are_aligned_lines_with_their_state_in_words() -> None:
    """A remedy is a separate line below the detail."""
    assert [
        " ok       python     3.11.7",
        " warning  disk       1.0 GB free",
        "                     -> free some space",
        " broken   nano: key  refused",
        "                     -> export KEY=...",
    ] == finding_lines(FOUND, colour=False)


def test_colour_is_added_to_words() -> None:
    """Without the escapes the lines are the same."""
    coloured = finding_lines(FOUND, colour=True)
    bare = [line.replace("\x1b[0m", "") for line in coloured]
    for code in ("32", "33", "1;31"):
        bare = [line.replace(f"\x1b[{code}m", "") for line in bare]

    assert coloured != bare
    assert finding_lines(FOUND, colour=False) == bare


def test_programs_get_four_fields() -> None:
    """Check, state, detail and remedy; the check's name has its node."""
    assert {
        "check": "nano: key",
        "state": "broken",
        "detail": "refused",
        "remedy": "export KEY=...",
    } == FOUND[-1].as_json()
    assert ("nano", "auth") == (FOUND[-1].node, FOUND[-1].cause)


def test_summary_has_only_present_states() -> None:
    """Nothing broken is not mentioned."""
    assert "3 checks: 1 ok, 1 warning, 1 broken" == findings_summary(FOUND)
    assert "1 check: 1 ok" == findings_summary(FOUND[:1])
    assert any_broken(FOUND)
    assert not any_broken(FOUND[:2])
    assert ([], "nothing was checked") == (finding_lines([], colour=False), findings_summary([]))
