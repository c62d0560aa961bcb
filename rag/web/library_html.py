"""The library as HTML: its articles, how far an update is, and what became of added files. No web framework."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from rag.text.visible import as_html as shown
from rag.web.answer_html import about, notice, stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.web.library import Added, Article, Update

LISTED = 200  # so many articles are shown; a search finds the others
CHARACTERS_A_WORD = 6  # of English prose, the space included


def articles(found: Sequence[Article]) -> str:
    """Render a list of articles: each says what is known of it, and can be opened or removed."""
    if not found:
        return '<p class="note">No article holds that.</p>'
    more = f'<p class="note">And {len(found) - LISTED:,} more; search for them above.</p>' if len(found) > LISTED else ""
    count = "1 article" if len(found) == 1 else f"{len(found):,} articles"
    return f'<p class="label">{count}</p><ul class="sources closest">{"".join(map(_item, found[:LISTED]))}</ul>{more}'


def _item(article: Article) -> str:
    title = shown(article.title or article.source)
    words = f"{max(1, round(article.characters / CHARACTERS_A_WORD, -1 if article.characters > 600 else 0)):,.0f}"
    passages = "1 passage" if article.passages == 1 else f"{article.passages:,} passages"
    length = f'<span class="about">about {words} words in {passages}</span>' if article.passages else ""
    told = (
        f'<strong dir="auto">{title}</strong>{about(article.published, article.source)}{length}'
        f"{stale(': '.join(filter(None, (article.standing.note, article.reason))) if article.standing.note else '')}"
    )
    source = escape(article.source)
    opened = f'<button type="button" data-source="{source}">{told}</button>' if article.passages else f"<div>{told}</div>"
    remove = f'<button type="button" class="remove" data-remove="{source}" aria-label="Remove {title}">Remove</button>'
    return f"<li>{opened}{remove}</li>"


def progress(update: Update) -> str:
    """Render how far an update is, or what it has done."""
    if update.problem:
        return notice(update.problem, alert=True)
    if update.running:
        told = [f"{update.done:,} of {update.total:,} files"] if update.total else ["looking at the files"]
        told += [f"{update.pace:,.0f} passages/s"] if update.pace else []
        told += [f"{update.left:,.0f} s left"] if update.left is not None else []
        bar = f'<progress max="{update.total}" value="{update.done}" aria-label="Indexing"></progress>' if update.total else ""
        return f'<p class="note" role="status">Indexing: {", ".join(told)}. Questions are answered meanwhile.</p>{bar}'
    if update.summary is None:
        return ""
    summary = update.summary
    counts = {name: getattr(summary, name) for name in ("added", "changed", "renamed", "removed", "unchanged")}
    done = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do"
    return f"{notice(f'{done}, in {summary.seconds:.1f} s')}{_refused(summary.skipped)}"


def added(result: Added) -> str:
    """Render what became of files that were sent."""
    stored = "1 file is stored" if len(result.stored) == 1 else f"{len(result.stored):,} files are stored"
    return f"{notice(f'{stored}.')}{_refused(result.refused)}"


def _refused(files: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<li><bdi>{shown(name)}</bdi>: {shown(reason)}</li>" for name, reason in files[:LISTED])
    return f'<ul class="refused" aria-label="Files left out">{items}</ul>' if items else ""
