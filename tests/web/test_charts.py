"""Pictures of a collection: every dated article is in a bar, like passages lie near, everything from outside is text."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections import Counter
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes import document, put, sentence_passages
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.index.writer import Writer
from rag.types import Passage
from rag.web import charts

NO_DATES = ["", "yesterday", "2024", "2024-13-01", "2023-02-29", "20240906", "2024-W36-5", " 2024-09-06", '"><b>']
HOSTILE = [
    "<script>alert(1)</script>",
    '" onclick="alert(1)" x="',
    "</title></circle><img src=x onerror=alert(1)>",
    "a\u202etxt.exe",
]


class Elements(HTMLParser):
    """The elements of a fragment with their attributes, and the text in each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.found, self.texts, self._open = [], {}, []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def bars(html):
    """Return the label of each bar by its ``data-month``."""
    return {a["data-month"]: a["aria-label"] for a in Elements(html).all("a")}


def heights(html):
    return [float(rect["height"]) for rect in Elements(html).all("rect") if rect["class"] == "bar"]


def passages(*sources, heading="Cars"):
    return [Passage(document(source, "A car is red."), 0, 0, 13, heading) for source in sources]


def test_a_month_is_a_bar_as_high_as_its_articles_are_many():
    html = charts.timeline(["2024-09-06", "2024-12-01", "2024-09-30", "2024-09-01", "2024-12-31", "2024-12-02", "2024-12-03"])
    assert bars(html) == {"2024-09": "September 2024: 3 articles", "2024-12": "December 2024: 4 articles"}
    assert heights(html)[0] / heights(html)[1] == pytest.approx(3 / 4)
    assert Elements(html).texts["title"] == list(bars(html).values())
    assert all(a["role"] == "button" and a["tabindex"] == "0" for a in Elements(html).all("a"))


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["2024-09-06"], {"2024-09-06": "6 September 2024: 1 article"}),
        (["2024-09-06", "2024-09-06"], {"2024-09-06": "6 September 2024: 2 articles"}),
        (
            ["2024-09-06", "2024-11-04"],
            {"2024-09-06": "6 September 2024: 1 article", "2024-11-04": "4 November 2024: 1 article"},
        ),
        (["2024-09-06", "2024-11-05"], {"2024-09": "September 2024: 1 article", "2024-11": "November 2024: 1 article"}),
        (["2014-10-01", "2024-09-30"], {"2014-10": "October 2014: 1 article", "2024-09": "September 2024: 1 article"}),
        (["2014-09-01", "2024-09-01"], {"2014": "2014: 1 article", "2024": "2024: 1 article"}),
        (["0001-01-01", "9999-12-31"], {"0001": "0001: 1 article", "9999": "9999: 1 article"}),
    ],
)
def test_the_bars_are_days_months_or_years_by_the_time_spanned(dates, expected):
    assert bars(charts.timeline(dates)) == expected


def test_empty_periods_keep_their_place():
    xs = [float(r["x"].rstrip("%")) for r in Elements(charts.timeline(["2024-01-01", "2024-02-01", "2024-04-01"])).all("rect")]
    assert xs[::2] == [0, 25, 75]


def test_the_axis_names_the_first_period_the_last_and_two_between():
    html = charts.timeline(["2021-01-01", "2024-01-01"])
    assert Elements(html).texts["text"] == ["Jan 2021", "Jan 2022", "Jan 2023", "Jan 2024"]
    assert Elements(charts.timeline(["2024-09-06"])).texts["text"] == ["6 Sep 2024"]
    assert [text["text-anchor"] for text in Elements(html).all("text")] == ["start", "middle", "middle", "end"]


def test_what_is_no_date_counts_as_without_one():
    html = charts.timeline(["2024-09-06", None, *NO_DATES])
    assert bars(html) == {"2024-09-06": "6 September 2024: 1 article"}
    assert f"{len(NO_DATES) + 1} articles without a date." in html
    assert "without a date" not in charts.timeline(["2024-09-06"])


@pytest.mark.parametrize("dates", [[], [None], NO_DATES])
def test_without_any_date_there_is_a_sentence_instead(dates):
    assert charts.timeline(dates) == '<p class="note">No article has a date, so there is no time line.</p>'


@settings(deadline=None)  # it holds the picture, not the speed of a busy machine
@given(st.lists(st.dates().map(date.isoformat) | st.dates(date(2020, 1, 1), date(2025, 1, 1)).map(date.isoformat), min_size=1))
def test_every_date_is_in_one_bar_inside_the_picture(dates):
    html = charts.timeline(dates)
    begins = bars(html)
    counts = Counter(next(b for b in begins if d.startswith(b)) for d in dates)
    assert {b: int(re.search(r"([\d,]+) article", label)[1].replace(",", "")) for b, label in begins.items()} == counts
    assert all(0 < height <= charts.TALL for height in heights(html))
    for rect in Elements(html).all("rect"):
        x, width = (float(rect[name].rstrip("%")) for name in ("x", "width"))
        assert -0.5 <= x < x + width <= 100.5


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 40])
def test_any_number_of_vectors_has_places_apart_and_inside(count):
    vectors = np.random.default_rng(1).normal(size=(count, 16)).astype(np.float32)
    for each in (vectors, np.ones((count, 16), dtype=np.float32) / 4):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            places = charts.layout(each)
        assert (places.shape, places.dtype) == ((count, 2), np.float32)
        assert ((places >= 0) & (places <= 1)).all()
        assert len(np.unique(places, axis=0)) == count


def test_like_vectors_lie_near_each_other_and_always_at_the_same_place():
    random = np.random.default_rng(2)
    topics = np.repeat(np.eye(3, 32), 20, axis=0)
    vectors = (topics + random.normal(scale=0.05, size=topics.shape)).astype(np.float32)
    places = charts.layout(vectors)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 20 == np.arange(60) // 20).all()
    assert (charts.layout(vectors.copy()) == places).all()


def test_a_dot_leads_to_its_passage():
    (dot,) = Elements(charts.passage_map(passages("news/a.txt"), np.array([[0.0, 1.0]], dtype=np.float32))).all("circle")
    assert (dot["data-source"], dot["data-start"], dot["data-end"]) == ("news/a.txt", "0", "13")
    assert (dot["cx"], dot["cy"]) == ("3.00%", "96.00%")


def test_titles_and_file_names_are_text():
    html = charts.passage_map([p for text in HOSTILE for p in passages(text, heading=text)], np.zeros((4, 2), dtype=np.float32))
    seen = Elements(html)
    assert [dot["data-source"] for dot in seen.all("circle")] == HOSTILE
    assert {tag for tag, _ in seen.found} == {"figure", "svg", "circle", "title", "figcaption"}
    assert {name for dot in seen.all("circle") for name in dot} == set("class cx cy r data-source data-start data-end".split())
    assert seen.texts["title"] == [f"{text} — {text}".replace("\u202e", "\\u202e") for text in HOSTILE]


@pytest.mark.parametrize(("count", "groups"), [(1, 0), (2, 2), (8, 8), (9, 0)])
def test_few_articles_are_told_apart_by_colour(count, groups):
    drawn = passages(*(f"{n}.txt" for n in range(count)), "0.txt")
    dots = Elements(charts.passage_map(drawn, np.zeros((count + 1, 2), dtype=np.float32))).all("circle")
    assert {dot["class"] for dot in dots if "class" in dot} == {f"group{n}" for n in range(groups)}
    assert dots[0].get("class") == dots[-1].get("class")


def test_colours_come_from_the_style_sheet_alone():
    html = charts.timeline(["2024-09-06", None]) + charts.passage_map(passages("a", "b"), np.zeros((2, 2), dtype=np.float32))
    names = {name for _, attributes in Elements(html).found for name in attributes}
    assert not names & {"style", "fill", "stroke", "opacity", "color", "href"}


def test_dots_are_smaller_where_there_are_more():
    def radius(count):
        html = charts.passage_map(passages(*["a"] * count), np.zeros((count, 2), dtype=np.float32))
        return float(Elements(html).all("circle")[0]["r"])

    assert radius(50) > radius(200) > radius(201) >= 4


@pytest.fixture
def store(tmp_path):
    with Writer.open(tmp_path / "index") as store:
        put(
            store,
            *(replace(document(f"{n}.txt", f"Car {n} is red. Train {n} waits."), published="2024-09-06") for n in range(5)),
        )
        yield store


def test_the_pictures_are_of_all_articles(store):
    seen = Elements(charts.pictures(store))
    assert [a["aria-label"] for a in seen.all("a")] == ["6 September 2024: 5 articles"]
    drawn = {(dot["data-source"], int(dot["data-start"]), int(dot["data-end"])) for dot in seen.all("circle")}
    held = [p for n in range(5) for p in sentence_passages(document(f"{n}.txt", f"Car {n} is red. Train {n} waits."))]
    assert drawn == {(p.document.source, p.start, p.end) for p in held}


def test_of_many_passages_an_even_part_is_drawn(store, monkeypatch):
    monkeypatch.setattr(charts, "DRAWN", 5)
    dots = Elements(charts.collection_map(store)).all("circle")
    assert [dot["data-source"] for dot in dots] == [f"{n}.txt" for n in range(5)]


def test_an_emptied_index_has_no_map(store):
    with store.transaction() as transaction:
        transaction.remove([f"{n}.txt" for n in range(5)])
    assert charts.collection_map(store) == ""


def test_nothing_heavy_is_loaded_before_a_picture_is_drawn():
    code = "import sys, rag.web.charts; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
