"""The assistant that opens in the background."""

from __future__ import annotations

import logging
import threading

import pytest

from rag.errors import ModelMissing
from rag.web.loading import LOADING, BackgroundAssistant, problem


def test_it_says_how_far_it_is_and_gives_the_assistant_in_the_end():
    told, go_on = threading.Event(), threading.Event()

    def open_assistant(progress):
        progress("fetching the encoder", 25, 100)
        told.set()
        assert go_on.wait(5)
        return "assistant"

    opening = BackgroundAssistant(open_assistant)
    assert opening.state == LOADING
    opening.start()
    assert told.wait(5)
    assert opening.state == f"{LOADING} fetching the encoder 25 %"
    assert not opening.wait()
    go_on.set()
    assert opening.assistant() == "assistant"
    assert opening.wait()
    assert opening.state == ""


def test_what_goes_wrong_is_told_to_everybody_who_asks():
    def open_assistant(progress):
        raise ModelMissing("the encoder is not there; run `rag models --fetch`")

    opening = BackgroundAssistant(open_assistant)
    opening.start()
    for _ in range(2):
        with pytest.raises(ModelMissing):
            opening.assistant()
    assert opening.state == "the encoder is not there; run `rag models --fetch`"


def test_a_bug_is_logged_and_not_shown(caplog):
    with caplog.at_level(logging.ERROR):
        said = problem(RuntimeError("/secret/path"))
    assert "/secret" not in said
    assert "/secret/path" in caplog.text
