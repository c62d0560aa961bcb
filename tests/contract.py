"""The contract of ``--json``, checked by both the quick and the slow tests."""

from __future__ import annotations

import json
import re

from rag.types import Answer, Status, Verdict

ANSWER = {
    "schema": int,
    "id": object,
    "question": str,
    "standalone_question": str,
    "text": str,
    "status": str,
    "answerability": float,
    "claims": list,
    "citations": list,
    "closest": list,
    "hits": list,
    "notes": list,
    "timings_ms": dict,
}
CLAIM = {"text": str, "verdict": str, "support": float, "markers": list}
CITATION = {
    "marker": int,
    "source": str,
    "title": str,
    "published": str | None,
    "start": int,
    "end": int,
    "quote": str,
    "support": float,
    "sha256": str,
    "state": str,
    "copies": list,
}
MARKERS = re.compile(r"\[(\d+)\]")
HIT = {"source": str, "start": int, "end": int, "score": float, "text": str}


def check_shape(record, shape):
    assert list(record) == list(shape)
    for key, kind in shape.items():
        assert isinstance(record[key], (int, float) if kind is float else kind), (key, record[key])


def check_answer(line):
    """Give the object of a line that keeps to the contract."""
    assert "\n" not in line.rstrip("\n")
    record = json.loads(line)
    check_shape(record, ANSWER)
    assert record["schema"] == 1
    assert record["status"] in ("answered", "partial", "refused")
    assert 0 <= record["answerability"] <= 1
    assert all(isinstance(note, str) for note in record["notes"])
    assert all(ms >= 0 for ms in record["timings_ms"].values())
    for hit in record["hits"]:
        check_shape(hit, HIT)
        assert len(hit["text"]) == hit["end"] - hit["start"]
    for citation in record["citations"]:
        check_shape(citation, CITATION)
        assert 0 <= citation["support"] <= 1
        assert citation["state"] in ("unchanged", "changed", "missing", "unknown")
        assert len(citation["quote"]) == citation["end"] - citation["start"]
        assert f"[{citation['marker']}]" in record["text"]
    for claim in record["claims"]:
        check_shape(claim, CLAIM)
        assert claim["verdict"] in ("supported", "partly", "unsupported")
    markers = [citation["marker"] for citation in record["citations"]]
    assert markers == list(range(1, len(markers) + 1))
    assert {marker for claim in record["claims"] for marker in claim["markers"]} == set(markers)
    assert bool(markers) == (record["status"] != "refused")
    return record


def assert_sound(answer: Answer) -> None:
    """Hold what every answer holds, whatever its text."""
    texts = {hit.passage.document.source: hit.passage.document.text for hit in answer.hits}
    for c in answer.citations:
        assert c.quote == texts[c.source][c.start : c.end] != ""
    published = [claim for claim in answer.claims if claim.markers]
    if answer.status is Status.REFUSED:
        assert not answer.citations
        assert not published
        assert not MARKERS.search(answer.text)
        return
    assert published
    assert [c.marker for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    shown = [int(marker) for marker in MARKERS.findall(answer.text)]
    assert set(shown) == {c.marker for c in answer.citations} == {m for claim in published for m in claim.markers}
    assert shown == [m for claim in published for m in claim.markers]
    first = list(dict.fromkeys(shown))
    assert all(earlier in first[: first.index(marker)] for marker in first for earlier in range(1, marker))
    assert all(claim.verdict is not Verdict.UNSUPPORTED for claim in published)
    whole = all(claim.verdict is Verdict.SUPPORTED for claim in answer.claims)
    assert answer.status is (Status.ANSWERED if whole else Status.PARTIAL)
