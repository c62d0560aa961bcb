"""Measure the rules of language by themselves, on cases that were written without sight of the code -> tables.

usage: language.py [--wrong PART]

No model is loaded; all of it takes seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import table

from rag.answer.disagreement import disagreements
from rag.answer.evidence import gather
from rag.index.sections import Kind, sections
from rag.search.copies import collapse
from rag.search.followup import standalone
from rag.search.question_time import dates_asked
from rag.text import newspage
from rag.types import Document, Hit, Passage

CASES = Path(__file__).parents[1] / "tests/data/blind"
HALVES = ("tuning", "held out")

HEAD = """# The rules of language, by themselves

`make bench-language`. The cases in `tests/data/blind/` were written without sight of the code. A hash of its id puts each into
one of two halves. Rules are chosen in view of the tuning half alone; the held-out half says what they are worth.
`benchmarks/language.py --wrong PART` lists the cases that go wrong.

- disagreement: a question and two or three articles of one sentence. A sentence is outdated when a newer article corrects it.
- dates: a question and a day on which it is asked; "only" means that articles published at another time are not wanted.
- copies: two texts, the second a copy of the first or another story.
- newspage: the lines of a page as it was saved. Bare links, teasers, furniture and the lines of a list of teasers are left out.
- followups: a question and those asked before it. It leans when it cannot be understood without them; it is rewritten rightly
  when the new question holds all that it needs and nothing that is wrong.
"""

Case = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one case adds to one figure: whether it is ``so``, and whether the rules have ``said`` so.

    Where ``so`` is None, ``said`` is whether the rules are right. ``shown`` is for a reader who looks at what went wrong.
    """

    figure: str
    id: str
    kind: str
    so: bool | None
    said: bool
    shown: str

    @property
    def half(self) -> str:
        """The half of the set that the case is in."""
        return HALVES[hashlib.sha256(self.id.encode()).digest()[0] % 2]

    @property
    def is_wrong(self) -> bool:
        """Return whether the rules are wrong."""
        return not self.said if self.so is None else self.said != self.so


class NoVectors:
    """An encoder for rules that look at words alone: every text has the same vector."""

    identity = "none"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return ``(n, 1)`` ones."""
        return np.ones((len(texts), 1), dtype=np.float32)


def hit(number: int, text: str, published: str | None = None) -> Hit:
    """Return a text as the only passage of an article without a title."""
    document = Document(f"{number}.txt", text, "", published, str(number))
    return Hit(Passage(document, 0, 0, len(text), ""), number + 1, 1 / (number + 1), 0.5, 1.0)


def of_disagreement(case: Case) -> Iterator[Outcome]:
    """Look whether the articles are found to disagree, and which of them would be put aside as outdated."""
    question, articles = case["question"], case["articles"]
    hits = [hit(i, article["text"], article["published"]) for i, article in enumerate(articles)]
    found = disagreements(question, gather(question, hits, NoVectors()))
    texts = [f"{article['published']}: {article['text']}" for article in articles]
    shown = "\n  ".join([question, *texts, *map(str, found)])
    yield Outcome("articles disagree", case["id"], case["kind"], case["disagree"], bool(found), shown)
    if not case["disagree"]:
        yield Outcome("no alarm, where articles agree", case["id"], case["kind"], None, not found, shown)
    outdated = {sentence.document.source for each in found for sentence in each.outdated}
    for i, text in enumerate(texts):
        said = hits[i].passage.document.source in outdated
        yield Outcome("a sentence is outdated", case["id"], case["kind"], i in case["outdated"], said, f"{question}\n  {text}")


def of_dates(case: Case) -> Iterator[Outcome]:
    """Look whether the time that a question names is found, is the right one, and leaves out articles of another time."""
    asked = dates_asked(case["question"], date.fromisoformat(case["today"]))
    wanted = (case["first"], case["last"], case["latest"])
    given = (*(day and day.isoformat() for day in (asked.first, asked.last)), asked.latest) if asked else None
    names_one = any(wanted)
    shown = f"{case['today']}: {case['question']}\n  is {wanted if names_one else None}, said {given}"
    yield Outcome("a time or the latest is asked for", case["id"], case["kind"], names_one, asked is not None, shown)
    strict = bool(asked and asked.strict)
    yield Outcome("only articles of that time", case["id"], case["kind"], case["only"], strict, shown)
    if names_one:
        yield Outcome("the exact period, where one is asked for", case["id"], case["kind"], None, given == wanted, shown)


def of_copies(case: Case) -> Iterator[Outcome]:
    """Look whether the second text is counted as a copy of the first, or the other way about."""
    said = len(collapse([hit(0, case["first"]), hit(1, case["second"])])) == 1
    shown = f"{case['first']}\n  --\n  {case['second']}"
    yield Outcome("copies", case["id"], case["kind"], case["copy"], said, shown)


def of_newspage(case: Case) -> Iterator[Outcome]:
    """Look at which lines no passage is made of or worth, which are dates, and at the page's title and date."""
    text = "\n\n".join(case["lines"])
    title, published = newspage.find_title(text, fallback=""), newspage.find_date(text)
    document = Document("page.txt", text, title, published, "page")
    lines = sorted((line.start, line) for _, of_section in sections(document) for line in of_section)
    for (_, line), label in zip(lines, case["labels"], strict=True):
        dropped = line.kind is Kind.TEASER or newspage.is_boilerplate(line.text)
        shown = f"({label}) {line.text}"
        yield Outcome("lines of boilerplate", case["id"], case["kind"], label == "boilerplate", dropped, shown)
        yield Outcome("lines of dates", case["id"], case["kind"], label == "date", newspage.is_date_line(line.text), shown)
    cut = title.endswith("…") and case["title"].startswith(title[:-1])
    yield Outcome("title", case["id"], case["kind"], None, cut or title == case["title"], f"is {case['title']}\n  said {title}")
    shown = f"{case['lines'][:3]} is {case['published']}, said {published}"
    if published != case["published"] and published and case["published"]:
        yield Outcome("date of the page", case["id"], case["kind"], so=False, said=True, shown=shown)
        published = None
    so, said = bool(case["published"]), bool(published)
    yield Outcome("date of the page", case["id"], case["kind"], so, said, shown)


def of_followups(case: Case) -> Iterator[Outcome]:
    """Look whether a question is found to lean on those before it, and what is made of it."""
    made = standalone(case["question"], [{"role": "user", "content": asked} for asked in case["asked"]])
    shown = f"{' / '.join(case['asked'])} / {case['question']}\n  -> {made}"
    yield Outcome("questions that lean", case["id"], case["kind"], case["leans"], made != case["question"], shown)
    folded = made.casefold()
    right = all(need.casefold() in folded for need in case["needs"])
    right = right and not any(wrong.casefold() in folded for wrong in case["wrong"])
    figure = "rewritten rightly, of those that lean" if case["leans"] else "nothing wrong added, of those that stand alone"
    yield Outcome(figure, case["id"], case["kind"], None, right, shown)


PARTS: dict[str, Callable[[Case], Iterator[Outcome]]] = {
    "disagreement": of_disagreement,
    "dates": of_dates,
    "copies": of_copies,
    "newspage": of_newspage,
    "followups": of_followups,
}


def outcomes(part: str) -> dict[str, list[Outcome]]:
    """Return what the cases of a part give, by figure."""
    found: dict[str, list[Outcome]] = {}
    for line in (CASES / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
        for outcome in PARTS[part](json.loads(line)):
            found.setdefault(outcome.figure, []).append(outcome)
    return found


def figures(of: Sequence[Outcome]) -> dict[str, float]:
    """Return precision (NaN where nothing is said), recall and F1 of one figure's outcomes, or the share that is right."""
    if of[0].so is None:
        return {"share": sum(outcome.said for outcome in of) / len(of)}
    both = sum(bool(outcome.so and outcome.said) for outcome in of)
    said, so = sum(outcome.said for outcome in of), sum(bool(outcome.so) for outcome in of)
    return {"precision": both / said if said else math.nan, "recall": both / so, "F1": 2 * both / (said + so)}


def in_short(of: Sequence[Outcome]) -> str:
    """Return the figures of outcomes with two decimals: ``0.90 / 0.45 / 0.60``."""
    return " / ".join("–" if math.isnan(value) else f"{value:.2f}" for value in figures(of).values())


def show(part: str) -> None:
    """Print the cases of a part that go wrong, those of one kind together."""
    for figure, of in outcomes(part).items():
        wrong = sorted((outcome for outcome in of if outcome.is_wrong), key=lambda outcome: (outcome.kind, outcome.id))
        print(f"\n# {figure}: {len(wrong)} of {len(of)} wrong\n")
        for outcome in wrong:
            what = "" if outcome.so is None else ", missed" if outcome.so else ", wrongly said"
            print(f"{outcome.id} ({outcome.kind}, {outcome.half}{what})\n  {outcome.shown}")


def main() -> None:
    """Print the tables, or the wrong cases of a part."""
    parser = argparse.ArgumentParser(description="measure the rules of language by themselves")
    parser.add_argument("--wrong", choices=PARTS, metavar="PART", help=f"list the cases that go wrong: {', '.join(PARTS)}")
    if part := parser.parse_args().wrong:
        show(part)
        return
    found, right = [], []
    for part in PARTS:
        for figure, of in outcomes(part).items():
            sets = [[outcome for outcome in of if outcome.half == half] for half in HALVES]
            shown = [in_short(each) for each in (*sets, of)]
            if of[0].so is None:
                right.append([part, figure, str(len(of)), *shown])
            else:
                found.append([part, figure, str(len(of)), str(sum(bool(outcome.so) for outcome in of)), *shown])
    print(f"{HEAD}\nPrecision / recall / F1; – where nothing is said:\n")
    table(["part", "what is found", "of", "are so", *HALVES, "all"], found)
    print("The share that is right:\n")
    table(["part", "what", "of", *HALVES, "all"], right)


if __name__ == "__main__":
    main()
