"""Turns training data into pairs of texts with what the checker should say of them. Pure functions of the files and a seed.

A question with passages becomes pairs (question, passage): one that holds the answer, with the characters where it stands, and
some that do not. A claim with evidence becomes one pair with its verdict. More pairs are made by rule, from the same data only.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERDICTS = ("supported", "refuted", "unknown")
# In these sets unanswerable questions look like answerable ones. They are read twice, with other draws, and each question gets
# one more passage that does not answer it.
CLOSE_CALLS = frozenset(("squad2", "squad2_sample", "xquad_en", "clapnq"))
LEFT_OUT = frozenset(("snli",))  # its texts are captions of pictures, which are nothing like a sentence of an article
WINDOW = 120  # a passage is cut to this many words, as many as the product's passages hold
UNTITLED = 0.15  # this share of the passages loses its title, so that the checker does not lean on it

# These answers stand nowhere in the passage, and it may answer the same question about another thing too.
YES_NO = frozenset(("yes", "no", "maybe"))

NAME = re.compile(r"(?<=[a-z] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*")
NUMBER = re.compile(r"\b\d[\d,.]*\b")
WORD = re.compile(r"\w+")
OPPOSITES = [
    pair.split("/")
    for pair in (
        "first/last largest/smallest highest/lowest most/least north/south east/west northern/southern "
        "eastern/western before/after oldest/youngest early/late increase/decrease more/less begin/end began/ended "
        "start/finish started/finished win/lose won/lost above/below upper/lower male/female men/women husband/wife "
        "son/daughter mother/father brother/sister king/queen born/died birth/death buy/sell bought/sold "
        "minimum/maximum public/private major/minor best/worst longest/shortest strong/weak rich/poor old/new "
        "import/export inside/outside open/closed summer/winter found/lost"
    ).split()
]
OPPOSITE = {one: other for a, b in OPPOSITES for one, other in ((a, b), (b, a))}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and the target of one of the heads.

    For (question, passage) ``answers`` says whether the passage holds the answer, and ``span`` at which characters, where that
    is known. For (claim, evidence) ``verdict`` is the place in ``VERDICTS``. What does not apply is None.
    """

    first: str
    second: str
    answers: bool | None = None
    span: tuple[int, int] | None = None
    verdict: int | None = None


def read(path: Path, split: str) -> list[dict[str, Any]]:
    """Return the items of one part of a file, ``train`` or ``val``."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [item for item in map(json.loads, lines) if item["split"] == split]


def pairs(folder: Path, split: str, *, seed: int) -> list[Pair]:
    """Return all pairs of one part of the data in a shuffled order; equal seeds return equal pairs."""
    draw = random.Random(f"{seed} {split}")  # noqa: S311 - no secret
    items = read(folder / "qa.jsonl.gz", split)
    made = list(_question_pairs(items, draw))
    made += (_claim_pair(item) for item in read(folder / "entail.jsonl.gz", split) if item["set"] not in LEFT_OUT)
    draw.shuffle(made)
    return made


def _question_pairs(items: Sequence[dict[str, Any]], draw: random.Random) -> Iterator[Pair]:
    names = sorted({match[0] for item in items for match in NAME.finditer(item["question"])})
    for item in [*items, *(item for item in items if item["set"] in CLOSE_CALLS)]:
        question = _as_typed(item["question"], draw)
        gold = _holding(item)
        if gold:
            place, span = draw.choice(gold)
            lead, passage, start = _window(item["passages"][place], draw, span, holds=True)
            moved = (span[0] - start + len(lead), span[1] - start + len(lead)) if span else None
            yield Pair(question, lead + passage, True, moved)
            changed = None if item["answers"][0] in YES_NO else exchanged(item["question"], passage, names, draw)
            if changed:
                yield Pair(_as_typed(changed, draw), lead + passage, False)
        if item.get("pair"):
            continue  # the twin of another question, without its gold passage
        others = [i for i in range(len(item["passages"])) if i not in item["gold"]]
        others.sort(key=lambda i: -_alike(item["question"], item["passages"][i]["text"]))
        for i in others[: 1 + (item["set"] in CLOSE_CALLS)]:
            yield Pair(question, "".join(_window(item["passages"][i], draw)[:2]), False)


def _holding(item: dict[str, Any]) -> list[tuple[int, tuple[int, int] | None]]:
    """Return the gold passages that hold the answer, with the characters of the short answer, else of an evidence sentence.

    Where there are several gold passages (a question in two steps), only those count in which the answer itself stands.
    """
    if item["answers"] and item["answers"][0] in YES_NO:
        return [(place, None) for place in item["gold"]]
    found: list[tuple[int, tuple[int, int] | None]] = []
    for place in item["gold"]:
        text = item["passages"][place]["text"]
        sentences = [(at, at + len(s)) for s in item["evidence"] if (at := text.find(s)) >= 0]
        spans = [
            (at, at + len(answer))
            for answer in item["answers"]
            for start, end in (sentences or [(0, len(text))])
            if (at := text.find(answer, start, end)) >= 0
        ]
        spans = spans or ([] if len(item["gold"]) > 1 else sentences[:1])
        if spans:
            found.append((place, spans[0]))
        elif len(item["gold"]) == 1:
            found.append((place, None))
    return found


def _window(
    passage: dict[str, Any], draw: random.Random, span: tuple[int, int] | None = None, *, holds: bool = False
) -> tuple[str, str, int]:
    """Return the title as a line (now and then nothing), ``WINDOW`` words of the passage around the span, and their start.

    A passage that ``holds`` the answer at an unknown place is returned whole.
    """
    title, text = "" if draw.random() < UNTITLED else passage["title"], passage["text"]
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    first = 0
    if len(ends) > WINDOW and (span or not holds):
        latest = len(ends) - WINDOW
        low, high = 0, latest
        if span:
            begins, finishes = (sum(end <= at for end in ends) for at in (span[0], span[1] - 1))
            low, high = max(0, min(latest, finishes - WINDOW + 1)), min(latest, begins)
        first = draw.randint(min(low, high), high)
    start = len(text[: ends[first - 1]]) + 1 if first else 0
    last = ends[-1] if holds and not span else ends[min(len(ends), first + WINDOW) - 1]
    return f"{title}\n" if title else "", text[start:last], start


def _as_typed(question: str, draw: random.Random) -> str:
    """Return the question with or without its question mark, since readers type both."""
    bare = question.rstrip(" ?")
    return bare if draw.random() < 0.4 else f"{bare}?"


def exchanged(question: str, passage: str, names: Sequence[str], draw: random.Random) -> str | None:
    """Return the question with a word turned into its opposite, or with a name or number that the passage does not hold.

    None means that nothing in the question can be exchanged.
    """
    ways: list[tuple[int, int, str]] = []
    for match in WORD.finditer(question):
        opposite = OPPOSITE.get(match[0].lower())
        if opposite and not re.search(rf"\b{opposite}\b", passage, re.IGNORECASE):
            ways.append((*match.span(), opposite))
    for match in NAME.finditer(question):
        other = draw.choice(names)
        if match[0] in passage and not any(word in passage for word in other.split()):
            ways.append((*match.span(), other))
    for match in NUMBER.finditer(question):
        other = (
            str(int(digits) + draw.choice((-30, -7, -2, -1, 1, 2, 5, 40))) if (digits := match[0].rstrip(".")).isdigit() else ""
        )
        if other and other not in passage and digits in passage:
            ways.append((*match.span(), other))
    if not ways:
        return None
    start, end, other = draw.choice(ways)
    return question[:start] + other + question[end:]


def _alike(question: str, text: str) -> float:
    asked, said = (set(WORD.findall(t.lower())) for t in (question, text))
    return len(asked & said) / max(1, len(asked))


def _claim_pair(item: dict[str, Any]) -> Pair:
    evidence = item["evidence"]
    text = evidence if isinstance(evidence, str) else " ".join(evidence)
    return Pair(item["claim"], text, verdict=VERDICTS.index(item["label"]))


def batches(lengths: Sequence[int], *, tokens: int, draw: random.Random) -> Iterable[list[int]]:
    """Return the items in batches of like length, each of at most ``tokens`` padded tokens, in random order."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], draw.random()))
    grouped: list[list[int]] = [[]]
    for i in order:
        if grouped[-1] and (len(grouped[-1]) + 1) * lengths[i] > tokens:
            grouped.append([])
        grouped[-1].append(i)
    draw.shuffle(grouped)
    return grouped
