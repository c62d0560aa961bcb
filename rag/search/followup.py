"""Check what a reader asks, and understand it with the questions before it.

A question that leans on the chat is made to stand alone by rule. Where the question before names one thing or person that fits
the pronoun, its name replaces the pronoun; else the question before is added in brackets. What the assistant said is never
read: it could carry a mistake on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.errors import UsageError
from rag.search.leaning import ASKS_FOR_THING, leans, points_back
from rag.text.words import STOP_WORDS, is_land, names, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.types import Message

MAX_QUESTION_CHARS = 2000
TURNS_READ = 4  # so many earlier questions are read when each leans on the one before
JOINERS = "\u200c\u200d"  # invisible characters that belong to words in Persian, Urdu and Hindi, and to emoji

# Pronouns that the name of a single thing or person may replace. "Them", "their" and "her" are left as they are.
OF_A_THING = {"it": "{}", "its": "{}'s"}
OF_A_PERSON = {"he": "{}", "him": "{}", "she": "{}", "his": "{}'s"}
# "Ahsan Iqbal", "the United States"; with its noun where the name alone would mean a place: "the Taizhou expo".
NAMED = re.compile(
    r"(?:\b(?P<the>the) )?\b(?P<name>[A-Z][\w’'-]*(?P<more>(?:(?: of(?: the)?)? [A-Z][\w’'-]*)*))(?P<noun> [a-z]+)?"
)
# A name behind one of these says where or whose: "the mayor of Paris" is not Paris.
BEFORE_PLACE = re.compile(
    r"\b(?:in|of|at|near|from|off|to|for|against|with|by|on|around|outside|inside)(?: the)? $", re.IGNORECASE
)
WHO_IS = re.compile(r"who(?:['’]s| is| was) ", re.IGNORECASE)
ASKS_FOR_PERSON = re.compile(r"^(?:\w+ )?(?:who|whom|whose|which)\b", re.IGNORECASE)
# A name with one of these words is of an organisation, a place or a work: "she" does not stand for it.
OF_NO_PERSON = frozenset(
    "the new north south east west port san saint st lake mount mt cape fort los las el great upper lower united national "
    "international bank motors motor city university college school company group corporation corp inc ltd plc party court "
    "ministry council union club airlines airways air railways power energy steel oil gas street road river sea island islands "
    "bridge canal park valley republic kingdom states church hospital museum festival cup games league prize award times post "
    "expo fair bay beach hotel tower airport station county state government parliament army navy police news media".split()
)


def check_question(question: str) -> str:
    """Return the question without surrounding space and control characters.

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
    """Return whether a value is a turn of a chat: an object with the role of a person or a machine, and text."""
    return isinstance(turn, dict) and turn.get("role") in ("user", "assistant") and isinstance(turn.get("content"), str)


def standalone(question: str, history: Sequence[Message]) -> str:
    """Return a question that can be understood without the chat.

    :raises UsageError: ``history`` is no chat.
    """
    if not isinstance(history, (list, tuple)) or not all(is_turn(turn) for turn in history):
        raise UsageError('the history is a list of {"role": "user" or "assistant", "content": text}')
    asked = [turn["content"] for turn in history if turn["role"] == "user"]
    return _standalone(question, asked[-TURNS_READ:])


def _standalone(question: str, asked: Sequence[str]) -> str:
    if not asked or not leans(question):
        return question
    try:
        before = _standalone(check_question(asked[-1][:MAX_QUESTION_CHARS]), asked[:-1])
    except UsageError:  # it was none
        return question
    back = points_back(question)
    form = _replacement(before, back[0][0].lower()) if len(back) == 1 else ""
    if form:
        return f"{question[: back[0].start()]}{form}{question[back[0].end() :]}"
    return f"{question} (asked after: {before[:MAX_QUESTION_CHARS]})"


def _replacement(before: str, pronoun: str) -> str:
    """Return the one thing that the question before names, in the form of a pronoun; empty where it may not fit."""
    named = _only_name(before)
    if not named:
        return ""
    name, position = named
    is_person = _is_person(before, name, position)
    if pronoun in OF_A_PERSON:
        return OF_A_PERSON[pronoun].format(name) if is_person else ""
    fits = not is_person and not BEFORE_PLACE.search(before[:position]) and not ASKS_FOR_THING.match(before)
    return OF_A_THING[pronoun].format(name) if fits and pronoun in OF_A_THING else ""


def _is_person(question: str, name: str, position: int) -> bool:
    """Return whether "he" or "she" may stand for a name: a person's, in a question that does not ask for another person."""
    if WHO_IS.fullmatch(question[:position]):
        return OF_NO_PERSON.isdisjoint(words(name))
    said = name.split()
    return (
        len(said) > 1
        and all(word[0].isupper() and not word.isupper() for word in said)
        and OF_NO_PERSON.isdisjoint(words(name))
        and not any(is_land(word) for word in words(name))
        and not BEFORE_PLACE.search(question[:position])
        and not ASKS_FOR_PERSON.search(question)
    )


def _only_name(question: str) -> tuple[str, int] | None:
    """Return the one thing that a question names, and where; None where it names none or several."""
    named = names(question)
    found: dict[str, int] = {}
    for match in NAMED.finditer(question):
        if named.isdisjoint(words(match["name"])):
            continue  # the first word of a sentence
        noun = match["noun"] if match["noun"] and not match["more"] and match["noun"].strip() not in STOP_WORDS else ""
        found.setdefault(f"the {match['name']}{noun}" if match["the"] else match["name"], match.start())
    return next(iter(found.items())) if len(found) == 1 else None
