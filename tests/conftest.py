"""What several of the slow tests share: an index of seeds/, made once by the command line with the real encoder."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def seeds_index(tmp_path_factory):
    from test_whole import run

    folder = tmp_path_factory.mktemp("seeds") / "index"
    run("models", "--fetch")
    done = run("index", "seeds", "--index", folder)
    assert done.returncode == 0, done.stderr
    assert "5 added" in done.stdout
    return folder
