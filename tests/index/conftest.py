"""A small index, for the tests of what reads and writes one."""

from __future__ import annotations

import pytest
from fakes import document, put

from rag.index.writer import Writer


@pytest.fixture
def index(tmp_path):
    with Writer.open(tmp_path / "index") as store:
        put(store, document("a.txt", "Old cars were running. Trains wait."), document("b.txt", "Old cars were running."))
    return tmp_path / "index"
