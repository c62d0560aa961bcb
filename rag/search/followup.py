"""What a reader asks: checked, and understood with the questions before it.

A question that leans on the chat is made to stand alone by rule. Where the one before names a single thing, that thing takes
the place of the pronoun; else the one before is added in brackets. What the assistant said is never read: it could carry a
mistake on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.errors import UsageError
from rag.text.terms import content_terms
from rag.text.words import STOP_WORDS, names, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.types import Message

MAX_QUESTION_CHARS = 2000
TURNS_READ = 4  # questions back, when each leans on the one before
JOINERS = "\u200c\u200d"  # invisible, and part of words in Persian, Urdu and Hindi, and of emoji

# What may make a question depend on the one before it.
BEGINS_LEANING = re.compile(r"(?:and|but|so|what about|how about)\b", re.IGNORECASE)
PRONOUN = re.compile(r"\b(?:he|she|it(?! true)|they|him|her|them|his|hers|its|their)\b", re.IGNORECASE)
ONE_THING = {
    "it": "{}",
    "its": "{}'s",
    "he": "{}",
    "him": "{}",
    "she": "{}",
    "his": "{}'s",
}  # "them" and "her" are left as they are
# "Ahsan Iqbal", "the United States"; with a noun, where the name alone would be of a place: "the Taizhou expo".
NAMED = re.compile(
    r"(?:\b(?P<the>the) )?\b(?P<name>[A-Z][\w’'-]*(?P<more>(?:(?: of(?: the)?)? [A-Z][\w’'-]*)*))(?P<noun> [a-z]+)?"
)


def check_question(question: str) -> str:
    """Give the question without surrounding space and control characters.

    :raises UsageError: it is no text, holds no letter or digit, or is longer than ``MAX_QUESTION_CHARS``.
    """
    if not isinstance(question, str):
        raise UsageError(f"a question is text, not {type(question).__name__}; ask for example: How many exhibits were there?")
    if len(question) > MAX_QUESTION_CHARS:
        raise UsageError(f"the question has {len(question):,} characters, at most {MAX_QUESTION_CHARS:,} are read; shorten it")
    plain = " ".join("".join(c if c.isprintable() or c in JOINERS else " " for c in question).split())
    if not any(c.isalnum() for c in plain):
        raise UsageError("the question is empty; ask for example: How many exhibits were there?")
    return plain


def is_turn(turn: object) -> bool:
    """Say whether a value is a turn of a chat: an object with the role of a person or a machine, and text."""
    return isinstance(turn, dict) and turn.get("role") in ("user", "assistant") and isinstance(turn.get("content"), str)


def standalone(question: str, history: Sequence[Message]) -> str:
    """Give a question that can be understood without the chat.

    :raises UsageError: ``history`` is no chat.
    """
    if not isinstance(history, (list, tuple)) or not all(is_turn(turn) for turn in history):
        raise UsageError('the history is a list of {"role": "user" or "assistant", "content": text}')
    asked = [turn["content"] for turn in history if turn["role"] == "user"]
    return _standalone(question, asked[-TURNS_READ:])


def _standalone(question: str, asked: Sequence[str]) -> str:
    if not asked or not _leans(question):
        return question
    try:
        before = _standalone(check_question(asked[-1][:MAX_QUESTION_CHARS]), asked[:-1])
    except UsageError:  # it was none
        return question
    pronouns = PRONOUN.findall(question)
    thing = _only_thing(before)
    if thing and len(pronouns) == 1 and (form := ONE_THING.get(pronouns[0].lower())):
        return PRONOUN.sub(lambda _: form.format(thing), question)
    return f"{question} (asked after: {before[:MAX_QUESTION_CHARS]})"


def _leans(question: str) -> bool:
    """Say whether a question needs the one before it: a pronoun that no name comes before, an opening "and", or no content."""
    pronoun = PRONOUN.search(question)
    named = bool(pronoun and names(question[: pronoun.start()]))
    return bool(BEGINS_LEANING.match(question)) or bool(pronoun and not named) or not content_terms(question)


def _only_thing(question: str) -> str:
    """Give the one thing that a question names, empty when it names none or several."""
    named = names(question)
    things = set()
    for match in NAMED.finditer(question):
        if named.isdisjoint(words(match["name"])):
            continue  # the first word of a sentence
        noun = match["noun"] if match["noun"] and not match["more"] and match["noun"].strip() not in STOP_WORDS else ""
        things.add(f"the {match['name']}{noun}" if match["the"] else match["name"])
    return things.pop() if len(things) == 1 else ""
