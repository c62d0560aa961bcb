"""Pictures of a collection as inline SVG: its articles on a time line, and its passages on a map where near means alike.

Colours come from the style sheet. Horizontal places are percentages, so that dots and labels keep their size on a narrow page.
A bar opens the articles of its time, and a dot its passage; a reader who cannot see them finds the same articles in the list.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from rag.text.visible import as_html as shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rag.index.reader import Reader
    from rag.types import Passage

DRAWN = 600  # the most passages on the map: they take 1.3 to 2.2 s beside other work; 1,500 take 5 and hide one another
PERPLEXITY = 30.0  # how many neighbours t-SNE looks at, the usual number
STEPS = 500  # how often t-SNE moves the dots: 1,000 take twice as long and keep no more neighbours together
GROUPS = 8  # so many articles can be told apart by colour; with more, all dots have one colour
DAYS, MONTHS = 60, 120  # a shorter time has a bar for each day, or for each month; a longer one for each year
LABELS = 4  # so many stand on the axis: five would touch one another on a telephone
TALL = 72  # the height of the highest bar, in pixels
WIDEST, NARROWEST = 4.0, 0.4  # the width of a bar, in percent of the picture
NAMES = "January February March April May June July August September October November December".split()


def timeline(dates: Sequence[str | None]) -> str:
    """Draw how many articles there are of each day, month or year, by their ISO dates; where none has a date, say so.

    The dates that a bar stands for begin with its ``data-month``. A text that is no date counts as no date.
    """
    days = sorted(day for published in dates if (day := _day(published)))
    if not days:
        return '<p class="note">No article has a date, so there is no time line.</p>'
    unit, periods = _periods(days[0], days[-1])
    counts = Counter(day.isoformat()[: len(periods[0])] for day in days)
    highest = max(counts.values())
    bars = "".join(
        _bar(period, at, len(periods), counts[period], highest) for at, period in enumerate(periods) if counts[period]
    )
    drawn = f'{bars}<line x1="0" x2="100%" y1="{TALL}" y2="{TALL}"/>{_axis(periods)}'
    undated = len(dates) - len(days)
    without = f" {_articles(undated)} without a date." if undated else ""
    size = f'width="100%" height="{TALL + 20}"'
    return (
        f'<figure class="timeline"><svg {size} role="group" aria-label="Articles by {unit}">{drawn}</svg>'
        f"<figcaption>Articles by {unit}, up to {highest:,} a {unit}.{without}</figcaption></figure>"
    )


def _bar(period: str, at: int, of: int, count: int, highest: int) -> str:
    label = f"{_named(period)}: {_articles(count)}"
    slot = 100 / of
    width = max(NARROWEST, min(0.8 * slot, WIDEST))
    height = max(3.0, TALL * count / highest)
    return (
        f'<a role="button" tabindex="0" data-month="{period}" aria-label="{label}"><title>{label}</title>'
        f'<rect class="hit" x="{at * slot:.2f}%" y="0" width="{max(slot, NARROWEST):.2f}%" height="{TALL}"/>'
        f'<rect class="bar" x="{(at + 0.5) * slot - width / 2:.2f}%" y="{TALL - height:.1f}" '
        f'width="{width:.2f}%" height="{height:.1f}"/></a>'
    )


def _axis(periods: Sequence[str]) -> str:
    """Name the first period, the last, and some between at even distances."""
    last = len(periods) - 1
    labels = ""
    for at in sorted({round(last * n / (LABELS - 1)) for n in range(LABELS)}):
        if last < LABELS or 0 < at < last:
            x, anchor = (at + 0.5) / len(periods), "middle"
        else:
            x, anchor = (0.0, "start") if at == 0 else (1.0, "end")
        labels += f'<text x="{x:.2%}" y="{TALL + 15}" text-anchor="{anchor}">{_named(periods[at], short=True)}</text>'
    return labels


def _day(published: str | None) -> date | None:
    """Return the date of a text like ``2021-09-06``, else None: other forms of ISO 8601 do not begin with a month."""
    try:
        day = date.fromisoformat(published or "")
    except ValueError:
        return None
    return day if day.isoformat() == published else None


def _periods(first: date, last: date) -> tuple[str, list[str]]:
    """Return the unit and each period from the first day to the last; a period is the beginning that its ISO dates share."""
    if (last - first).days < DAYS:
        return "day", [date.fromordinal(n).isoformat() for n in range(first.toordinal(), last.toordinal() + 1)]
    begin, end = (12 * day.year + day.month - 1 for day in (first, last))
    if end - begin < MONTHS:
        return "month", [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(begin, end + 1)]
    return "year", [f"{year:04}" for year in range(first.year, last.year + 1)]


def _named(period: str, *, short: bool = False) -> str:
    year, month, day = (*period.split("-"), "", "")[:3]
    name = NAMES[int(month) - 1] if month else ""
    return " ".join(part for part in (day.lstrip("0"), name[:3] if short else name, year) if part)


def _articles(count: int) -> str:
    return "1 article" if count == 1 else f"{count:,} articles"


def layout(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a place ``(n, 2)`` in 0..1 for each vector ``(n, dimension)``: near means alike, equal input gives equal places.

    The places are by t-SNE, which begins with the two principal components. On three sets of articles its trustworthiness, at
    8 neighbours, is 0.94 to 1.00 for 600 passages and 0.78 to 0.86 for 50; that of the principal components is 0.71 to 0.80.
    """
    count = len(vectors)
    if count < 4:  # too few to have neighbours
        return np.column_stack([(np.arange(count) + 0.5) / max(count, 1), np.full(count, 0.5)]).astype(np.float32)
    from sklearn.manifold import TSNE  # 1.4 s
    from threadpoolctl import threadpool_limits

    axes, lengths, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    start = axes[:, :2] * lengths[:2]
    start *= 1e-4 / max(float(start.std(axis=0).max()), 1e-6)
    start += np.random.default_rng(0).normal(scale=1e-6, size=start.shape)  # else equal vectors would stay on one spot for ever
    tsne = TSNE(
        metric="cosine",
        init=start.astype(np.float32),
        perplexity=min(PERPLEXITY, (count - 1) / 3),
        max_iter=STEPS,
        random_state=0,
    )
    # Beside other work two threads took 4 to 23 s for 600 passages, because they wait for each other at each step; one
    # took 1.2. The sums of several also depend on which is first.
    with threadpool_limits(1, user_api="openmp"):
        places = tsne.fit_transform(vectors)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9), dtype=np.float32)


def passage_map(passages: Sequence[Passage], places: NDArray[np.float32]) -> str:
    """Draw each passage as a dot at its place ``(n, 2)`` in 0..1; without passages, draw nothing.

    Where there are at most ``GROUPS`` articles, the dots of each have a class of their own: ``group0`` and so on.
    """
    if not passages:
        return ""
    sources = list(dict.fromkeys(passage.document.source for passage in passages))
    groups = {source: f' class="group{n}"' for n, source in enumerate(sources)} if 1 < len(sources) <= GROUPS else {}
    radius = 8 if len(passages) <= 50 else 6 if len(passages) <= 200 else 4.5
    dots = "".join(
        f'<circle cx="{0.03 + 0.94 * x:.2%}" cy="{0.04 + 0.92 * y:.2%}" r="{radius}"{groups.get(passage.document.source, "")} '
        f'data-source="{escape(passage.document.source)}" data-start="{passage.start}" data-end="{passage.end}">'
        f"<title>{shown(passage.heading)} — {shown(passage.document.source)}</title></circle>"
        for passage, (x, y) in zip(passages, places.tolist(), strict=True)
    )
    count = "1 passage" if len(passages) == 1 else f"{len(passages):,} passages"
    label = f"A map of {count}: near means alike. The list below leads to the same articles."
    coloured = " A colour is an article." if groups else ""
    return (
        f'<figure class="map"><svg width="100%" height="320" role="img" aria-label="{label}">{dots}</svg>'
        f"<figcaption>{count}; those about the same lie near each other.{coloured}</figcaption></figure>"
    )


def collection_map(store: Reader) -> str:
    """Draw the passages of an index; of more than ``DRAWN``, draw so many that are evenly spread over it."""
    with store.snapshot():
        ids = store.ids()
        count = min(len(ids), DRAWN)
        drawn = ids[np.arange(count) * len(ids) // max(count, 1)]
        passages, vectors = store.passages_and_vectors(drawn.tolist())
    return passage_map(list(passages.values()), layout(vectors))


def pictures(store: Reader) -> str:
    """Draw the articles of an index on a time line, and its passages on a map."""
    return timeline([listing.published for listing in store.documents()]) + collection_map(store)
