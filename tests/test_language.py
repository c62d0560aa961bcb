"""What the rules of language find in cases written without sight of them must not fall: `make bench-language` tells more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import language

# The figures on the whole set, rounded down to three places. Where a rule got better, raise its floor.
FLOORS: dict[str, dict[str, dict[str, float]]] = {
    "disagreement": {
        "articles disagree": {"precision": 0.954, "recall": 0.381},
        "no alarm, where articles agree": {"share": 0.982},
        "a sentence is outdated": {"precision": 0.954, "recall": 0.411},
    },
    "dates": {
        "a time or the latest is asked for": {"precision": 1.0, "recall": 0.96},
        "only articles of that time": {"precision": 0.96, "recall": 0.96},
        "the exact period, where one is asked for": {"share": 0.937},
    },
    "copies": {
        "copies": {"precision": 1.0, "recall": 0.595},
    },
    "newspage": {
        "lines of boilerplate": {"precision": 1.0, "recall": 0.87},
        "lines of dates": {"precision": 1.0, "recall": 0.9},
        "title": {"share": 0.96},
        "date of the page": {"precision": 1.0, "recall": 0.968},
    },
    "followups": {
        "questions that lean": {"precision": 0.968, "recall": 0.978},
        "rewritten rightly, of those that lean": {"share": 0.978},
        "nothing wrong added, of those that stand alone": {"share": 0.945},
    },
}


@pytest.mark.parametrize("part", language.PARTS)
def test_no_figure_falls(part):
    found = language.outcomes(part)
    assert found.keys() == FLOORS[part].keys()
    for figure, of in found.items():
        values = language.figures(of)
        wrong = sorted({outcome.id for outcome in of if outcome.is_wrong})
        for name, floor in FLOORS[part][figure].items():
            said = f"{part}, {figure}: {name} fell to {values[name]:.3f}, it was at least {floor}"
            assert not values[name] < floor, f"{said}; wrong are {', '.join(wrong)}"  # NaN: nothing is said, nothing wrongly
