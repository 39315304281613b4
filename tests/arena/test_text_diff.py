"""The lines of a unified diff, and the bound on what is compared."""

from arena.text_diff import COMPARED_LINES_MAX, NOT_COMPARED, diff_lines, is_comparable

LONG = "a\n" * COMPARED_LINES_MAX


def test_changed_lines_are_marked() -> None:
    """With as many equal lines around them as asked for; equal texts have none."""
    before, after = "one\ntwo\nthree\nfour\n", "one\ntwo\n3\nfour\n"
    assert ["@@ -2,3 +2,3 @@", " two", "-three", "+3", " four"] == diff_lines(before, after)
    assert ["@@ -3 +3 @@", "-three", "+3"] == diff_lines(before, after, context=0)
    assert [] == diff_lines(before, before)


def test_long_texts_are_not_compared() -> None:
    """One line says so."""
    assert (True, False) == (is_comparable(LONG, ""), is_comparable("", LONG + "a\n"))
    assert [NOT_COMPARED] == diff_lines(LONG + "a\n", "a")
    assert "" == "".join(diff_lines(LONG, LONG))
