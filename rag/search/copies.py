"""Wire copies: which passages say the same in nearly the same words, and where else a cited sentence stands.

A copy may have another headline, a trimmed end, other lines of its site and changed words, and its passages may be cut
elsewhere. So sentences are compared, and a passage is a copy when all that it says stands in passages before it. Names,
numbers with their units, denials and which way a thing went must be equal, and the words must come in the same order: who
changes one of those tells another story. A copy that is missed shows twice, but what is wrongly taken for a copy is lost: in
doubt a passage is no copy.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

from rag.index.passages import sentence_spans
from rag.text import newspage
from rag.text.quantities import quantities
from rag.text.terms import content_sequence
from rag.text.words import NEGATIONS, POLES, names, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rag.text.sentences import Span
    from rag.types import Citation, Hit, Passage

# What makes a copy: of 92 pairs written for it, 25 of 42 copies are found and nothing else (`make bench-language`).
SAME_WORDS = 0.6  # two sentences may say the same if they share this part of their content words; at 0.7 24 copies are found
HEADLINES = 1  # a copy may have so many headlines of its own; they are not compared, so more would hide what differs
STATED = 0.5  # sentences must be this part of the characters, else all words must be equal; at 0 charges by two firms are one
IN_COMMON = 2  # passages of two articles tell one story if they share so many sentences; a single one may be a quote

# How copies are found in time.
RUN = 3  # passages are compared only if they share this many words in a row
SHARED_RUNS = 0.4  # and this part of the runs of one of them: without it 50 new passages take some 90 ms in place of 6
NEAREST = 8  # a passage is compared with so many passages before it, those that share most with it

PROSE = re.compile(r"[.!?؟۔。…][\"”’'»)\]]*$")
# A copy keeps these words, as it keeps numbers, names, denials and poles.
AMOUNTS = frozenset(
    "one first second third fourth fifth tenth half quarter once twice double triple all none some several few many most more "
    "less only every each".split()
)
QUOTES = str.maketrans("", "", "\"'“”‘’«»")


class _Saying(NamedTuple):
    """A sentence in a form that compares: ``terms`` are the stems of its content words in order.

    Sentences with the same words have the same ``key``, whatever their quotation marks and capitals. ``states`` is false for a
    line that is neither prose nor an item of a list or table: a headline, a byline.
    """

    key: str
    terms: tuple[str, ...]
    facts: tuple[str, ...]
    states: bool

    def is_like(self, other: _Saying) -> bool:
        """Return whether both say the same in nearly the same words."""
        shared = {*self.terms} & {*other.terms}
        return (
            len(shared) >= SAME_WORDS * len({*self.terms, *other.terms})
            and self.facts == other.facts
            and [t for t in self.terms if t in shared] == [t for t in other.terms if t in shared]
        )


def collapse(hits: Iterable[Hit]) -> list[Hit]:
    """Return each wording once, with its copies in the hit that shares most with them; ranks count from 1.

    If the later of two hits says all that the earlier one says, and more, it takes the earlier one's place and score.
    """
    kept: list[Hit] = []
    lengths: list[int] = []  # in runs, of what is kept
    places: dict[str, int] = {}  # by text
    holding: dict[int, tuple[int, ...]] = {}  # places by run
    for hit in hits:
        text = hit.passage.text
        if text in places:
            kept[places[text]] = _with_copy(kept[places[text]], hit)
            continue
        runs = _runs(text)
        known = holding.keys() & runs
        shared = Counter(i for run in known for i in holding[run])
        near = nsmallest(NEAREST, shared, key=lambda i: (-shared[i], i))
        before = [kept[i].passage for i in near]
        if near and len(known) >= SHARED_RUNS * len(runs) and _adds_nothing(hit.passage, before):
            place = near[0]
            kept[place] = _with_copy(kept[place], hit)
        elif near and shared[near[0]] >= SHARED_RUNS * lengths[near[0]] and _adds_nothing(before[0], [hit.passage]):
            place, fewer = near[0], kept[near[0]]
            kept[place], lengths[place] = replace(hit, score=fewer.score, copies=(fewer.passage, *fewer.copies)), len(runs)
        else:
            place = len(kept)
            kept.append(hit)
            lengths.append(len(runs))
        places[text] = place
        holding |= {run: (*holding[run], place) for run in known if place not in holding[run]}
        holding |= dict.fromkeys(runs - known, (place,))
    return [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]


def _with_copy(hit: Hit, copy: Hit) -> Hit:
    return replace(hit, copies=(*hit.copies, copy.passage))


def copies_of(citation: Citation, hits: Sequence[Hit]) -> tuple[Citation, ...]:
    """Return where other articles hold a cited sentence in a copy of its passage: one place of each article, by source."""
    holding = [hit.passage for hit in hits if _holds(hit.passage, citation)]
    passages = [copy for hit in hits for copy in hit.copies]
    passages += [hit.passage for hit in hits if any(_tell_one_story(hit.passage, other) for other in holding)]
    cited = _saying(citation.quote)
    found: dict[str, Citation] = {}
    for passage in passages:
        document = passage.document
        if document.source == citation.source or document.source in found:
            continue
        for start, end in _spans(passage):
            quote = document.text[start:end]
            if _saying(quote).is_like(cited):
                found[document.source] = replace(
                    citation,
                    source=document.source,
                    start=start,
                    end=end,
                    quote=quote,
                    title=document.title,
                    published=document.published,
                    sha256=document.sha256,
                )
                break
    return tuple(found[source] for source in sorted(found))


def counted(citations: Iterable[Citation]) -> str:
    """Return how many articles and independent sources stand behind an answer, in words; empty where they are as many."""
    groups: list[set[str]] = []
    for citation in citations:
        group = {citation.source, *(copy.source for copy in citation.copies)}
        for other in [other for other in groups if other & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    articles = sum(map(len, groups))
    if articles == len(groups):
        return ""
    return f"{articles} articles, {len(groups)} independent source{'s' if len(groups) > 1 else ''}"


def _holds(passage: Passage, citation: Citation) -> bool:
    return passage.document.source == citation.source and passage.start <= citation.start < passage.end


def _tell_one_story(one: Passage, other: Passage) -> bool:
    """Return whether passages of two articles share so many sentences that one article was copied from the other."""
    if one.document.source == other.document.source:
        return False
    here, there = ([said for said in _sayings(passage) if said.states] for passage in (one, other))
    return sum(any(said.is_like(that) for that in there) for said in here) >= IN_COMMON


@lru_cache(maxsize=1024)  # some 10 kB each
def _runs(text: str) -> frozenset[int]:
    """Return a hash of each run of words: a search compares thousands, and a tuple would be hashed again each time."""
    said = text.casefold().split()
    return frozenset(map(hash, zip(*(said[i:] for i in range(RUN)), strict=False))) or frozenset((hash(tuple(said)),))


def _adds_nothing(passage: Passage, others: Sequence[Passage]) -> bool:
    """Return whether all that a passage states, and every number in its own headline, stands in the others."""
    said, there = _sayings(passage), [one for other in others for one in _sayings(other)]
    keys = {one.key for one in there}
    new = [one for one in said if one.key not in keys]
    if sum(len(one.key) for one in said if one.states) < STATED * len(passage.text):
        return any(passage.text.casefold().split() == other.text.casefold().split() for other in others)
    headlines = [one for one in new if not one.states]
    figures = {fact for one in there for fact in one.facts if fact[0].isdigit()}
    return (
        len(headlines) <= HEADLINES
        and all(fact in figures for one in headlines for fact in one.facts if fact[0].isdigit())
        and all(any(one.is_like(other) for other in there) for one in new if one.states)
    )


def _sayings(passage: Passage) -> list[_Saying]:
    return [_saying(passage.document.text[a:b]) for a, b in _spans(passage)]


def _spans(passage: Passage) -> list[Span]:
    """Return the sentences of a passage without those of its site, as spans of its document."""
    return [(a, b) for a, b in sentence_spans(passage) if not _is_of_the_site(passage.document.text[a:b])]


@lru_cache(maxsize=16384)
def _is_of_the_site(line: str) -> bool:
    return newspage.is_boilerplate(line) or newspage.is_date_line(line)


@lru_cache(maxsize=16384)
def _saying(text: str) -> _Saying:
    states = bool(PROSE.search(text) or newspage.ITEM.match(text) or "|" in text)
    if found := newspage.dateline(text):
        text = text[found.end() :]
    return _Saying(" ".join(text.casefold().translate(QUOTES).split()), tuple(content_sequence(text)), _facts(text), states)


def _facts(text: str) -> tuple[str, ...]:
    """Return what must be equal in a copy: names, denials, amounts and poles in their order, then numbers with their units."""
    named = names(text)
    said = [w if w in named or w in NEGATIONS or w in AMOUNTS else POLES.get(stem(w), "") for w in words(text)]
    return (*filter(None, said), *(f"{number.plain} {number.unit}" for number in quantities(text)))
