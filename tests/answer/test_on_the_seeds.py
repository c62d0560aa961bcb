"""The rules of answering on whole articles: the drafts that the generator once wrote about the seeds, checked anew.

A draft, and how sure the model was of it, are kept for each question of ``tests/data/questions.jsonl``; the encoder is a bag of
words, so the figures are not those of the product. They are exact: a change of a rule or constant moves some of them. Then
``benchmarks/quality.py`` must say whether the product became better; put the new figures here, with the change that made them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from fakes import FakeChecker, FakeEncoder, count_words

from rag.answer.assistant import Assistant
from rag.evaluate.figures import evaluate
from rag.evaluate.gold import load_questions
from rag.index.indexer import index_folder
from rag.index.reader import Reader
from rag.protocols import Written
from rag.search.reranking import retriever_over

ROOT = Path(__file__).parents[2]
EXPECTED = {
    "right": 68,
    "refused": 104,
    "citing evidence": 31,
    "statuses": {"refused": 104, "answered": 32},
    "verdicts": {"supported": 221, "unsupported": 45},
    "quoted": 214,
    "published": 53,
    "citations": 53,
    "failed checks": {
        "names and numbers": 37,
        "words and meaning": 24,
        "a statement": 1,
        "more than the question": 4,
        "not denied": 1,
    },
    "points": pytest.approx(-124.2, abs=0.2),
    "support": pytest.approx(228.4, abs=0.2),
    "characters read": 213103,
    "remarks": 1,
}


class Kept:
    """Writes the draft that is kept for a question."""

    def __init__(self, drafts):
        self.drafts = drafts

    def generate(self, messages, *, max_new_tokens):
        question = messages[-1]["content"].rpartition("Question: ")[2]
        yield Written(*self.drafts.get(question, ("", 0.0, 0.5)))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    index, encoder = tmp_path_factory.mktemp("seeds") / "index", FakeEncoder(256)
    index_folder(ROOT / "seeds", store_folder=index, encoder=encoder, count_tokens=count_words, passage_tokens=110)
    questions = load_questions(ROOT / "tests/data/questions.jsonl")
    lines = [json.loads(line) for line in (ROOT / "tests/data/drafts.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = {line["id"]: (line["draft"], line["surprisal"], line["known"]) for line in lines}
    drafts = {question.question: kept[question.id] for question in questions if question.id in kept}
    asked = []
    with Reader.open(index) as store:
        checker = FakeChecker()
        retriever = retriever_over(store, index, encoder, checker)
        assistant = Assistant(retriever, encoder, Kept(drafts), verifier=checker, passages_read=8)
        evaluate(assistant, questions, watch=asked.append)
    return asked


def test_the_figures_of_the_rules_are_those_that_were_looked_at(outcomes):
    answers = [outcome.answer for outcome in outcomes]
    claims = [claim for answer in answers for claim in answer.claims]
    checks = Counter(check.name.value for claim in claims for check in claim.checks if not check.passed)
    found = {
        "right": sum(outcome.is_right for outcome in outcomes),
        "refused": sum(outcome.refused for outcome in outcomes),
        "citing evidence": sum(outcome.cites_evidence for outcome in outcomes),
        "statuses": dict(Counter(answer.status.value for answer in answers)),
        "verdicts": dict(Counter(claim.verdict.value for claim in claims)),
        "quoted": sum(claim.quoted for claim in claims),
        "published": sum(bool(claim.markers) for claim in claims),
        "citations": sum(len(answer.citations) for answer in answers),
        "failed checks": dict(checks),
        "points": round(sum(answer.decision.points for answer in answers), 1),
        "support": round(sum(claim.support for claim in claims), 1),
        "characters read": sum(len(answer.prompt[-1]["content"]) for answer in answers if answer.prompt),
        "remarks": sum(len(answer.remarks) for answer in answers),
    }
    assert found == EXPECTED
