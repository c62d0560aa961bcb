"""Damage: refused, or told by the check, and never a wrong quote."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import document, put
from indexing import all_passages, edit

from rag.errors import IndexDamaged, StoreError
from rag.index.integrity import check
from rag.index.reader import Reader
from rag.index.schema import FILE
from rag.index.writer import Writer


@pytest.mark.parametrize(
    "content", [b"not a database, however long this text may be. " * 100, b"SQLite format 3\0" + b"\7" * 5000]
)
def test_a_file_that_is_no_database_is_damaged_and_a_rebuild_begins_anew(index, content):
    (index / FILE).write_bytes(content)
    for kind in (Reader, Writer):
        with pytest.raises(IndexDamaged, match="rag index FOLDER --rebuild"):
            kind.open(index)
    with Writer.open(index, rebuild=True) as store:
        assert store.counts() == (0, 0)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE documents SET text = 'New' || substr(text, 4)",
        "UPDATE documents SET title = 'other'",
        "UPDATE documents SET source = source || 'x'",
        "UPDATE documents SET text = CAST(x'ff' || substr(text, 2) AS TEXT)",
        "UPDATE passages SET start = start + 1",
        "UPDATE passages SET vector = zeroblob(128)",
        "UPDATE meta SET dimension = 63",
        "UPDATE documents SET text = CAST(text AS BLOB)",
        "UPDATE passages SET vector = CAST(zeroblob(128) AS TEXT)",
        "UPDATE meta SET folder = CAST(folder AS BLOB)",
    ],
)
def test_a_changed_row_is_damage_and_never_a_wrong_quote(index, sql):
    edit(index, sql)
    with Reader.open(index) as store:
        with pytest.raises(IndexDamaged, match="--rebuild"):
            store.embedded(next(iter(store.state())))
        assert len(check(store)) == 1


def test_full_text_that_lost_a_row_is_found_by_the_check(index):
    edit(index, "DELETE FROM words_docsize WHERE id = 1")
    with Reader.open(index) as store:
        assert ["the full text does not match the passages" in problem for problem in check(store)] == [True]


def test_words_that_a_search_no_longer_finds_are_found_by_the_check(index):
    with Writer.open(index) as store:
        put(store, *(document(f"{i}.txt", f"Word{i * 7919 % 1009}x is a car{i}. Trains{i} wait {i * i}.") for i in range(300)))
        assert check(store) == []
    edit(
        index, "UPDATE words_idx SET term = term || 'zz' WHERE term = (SELECT min(term) FROM words_idx WHERE length(term) > 1)"
    )
    with Reader.open(index) as store:
        assert len(check(store)) == 1


def test_flipped_and_cut_bytes_are_refused_or_harmless(index):
    """Whatever byte is wrong: a clear error, or the same texts as ever."""
    whole = (index / FILE).read_bytes()
    with Reader.open(index) as store:
        expected = all_passages(store)
    rng = np.random.default_rng(1)
    cut = [whole[:n] for n in (1, 99, len(whole) // 2, len(whole) - 1)]
    flipped = [
        whole[:i] + bytes([whole[i] ^ 1 << int(rng.integers(8))]) + whole[i + 1 :] for i in rng.integers(len(whole), size=500)
    ]
    refused = 0
    for content in cut + flipped:
        (index / FILE).write_bytes(content)
        try:
            with Reader.open(index) as store:
                store.search_text(["cars"], top_k=3)
                found = all_passages(store)
                assert all(passage in expected for passage in found)
                assert found == expected or check(store)
        except StoreError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 10
