"""The judge's words, cut for three sizes of type; together they are the same text. Pure."""

import re
from typing import NamedTuple

from arena.visible_text import visible

HERO_CHARS = 90
"""A longer first sentence has a smaller size."""
SECOND = 2
"""Sentences after the first in the middle size."""
_SENTENCES = re.compile(r"(?:(?<=[^.]\.)|(?<=, \.\.\.))( )(?=[A-Z0-9])")
_BRACKETS = re.compile(r"( \([^)]*\)\.?)")
_HEAD = re.compile(r"^((?:Interim|Final)[^:]{0,60}: )(.*)$", re.DOTALL)


class Piece(NamedTuple):
    """A piece of the verdict: its class of the style sheet, and its text."""

    style: str
    words: str


def pieces(verdict: str) -> tuple[Piece, ...]:
    """Cut a verdict; the joined texts of the pieces are the verdict, as visible characters."""
    sentences = _SENTENCES.split(visible(verdict))
    found = _first(sentences[0])
    for index, words in enumerate(sentences[1:]):
        if words == " ":
            found.append(Piece("gap", words))
        else:
            number = index // 2
            style = "second" if number < SECOND else "third first" if number == SECOND else "third"
            found.append(Piece(style, words))
    return tuple(piece for piece in found if piece.words)


def _first(sentence: str) -> list[Piece]:
    match = _HEAD.match(sentence)
    head, rest = match.groups() if match else ("", sentence)
    parts = _BRACKETS.split(rest)
    hero = "hero" if len(parts[0]) <= HERO_CHARS else "hero long"
    tail = [Piece("names", part) for part in parts[1:]]
    return [Piece("look", head), Piece(hero, parts[0]), *tail]
