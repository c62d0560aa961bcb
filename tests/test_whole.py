"""The whole product with the real models, as a user runs it: each command in a process of its own, on the articles of seeds/.

The models come from the cache (``RAG_HOME``, else the platform's), and are fetched into it the first time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from contract import check_answer
from fakes import read_document

import rag
from rag.models.runtime import working_dtype

pytestmark = pytest.mark.slow

ROOT = Path(rag.__file__).parents[1]
SEEDS = ROOT / "seeds"
QUESTIONS = ROOT / "tests/data/questions.jsonl"

# Reached on tests/data/questions.jsonl with the default models; a change that loses any of it must say why. (While the
# threshold was 0.41 in place of 0.5, 0.85 were right and 0.74 refused; now 0.79 and 0.84, on one machine or the other.)
LEAST = {
    "answer_acc": 0.75,
    "refuse_recall": 0.75,
    "cite_any": 1.0,
    "quotes_exact": 1.0,
    "every_sentence_cited": 1.0,
}
# A CPU without bf16 holds the weights in fp32, twice the size: 3,712 MB were seen there, and 2,440 with bf16.
MOST = {"failed": 0, "peak_memory_mb": 3000 if working_dtype() is torch.bfloat16 else 4300}

COMMAND = "from rag.__main__ import main; main()"
# No socket can be opened to anywhere: what is asked for it fails as with the cable pulled.
CUT = f"""
import socket
def cut(*_, **__):
    raise OSError("the network is cut")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = cut
{COMMAND}
"""


def run(*arguments, code=COMMAND, stdin=None, **environment):
    """Run the command line on the seeds' index; give its standard output."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def index(seeds_index):
    return seeds_index


def check_quotes(record):
    """Hold every quote against the file itself, read anew."""
    for citation in record["citations"]:
        document = read_document(SEEDS / citation["source"], SEEDS)
        assert document.text[citation["start"] : citation["end"]] == citation["quote"]
        assert document.sha256 == citation["sha256"]


def test_a_question_is_answered_with_an_exact_quote_and_the_network_cut(index):
    question = "How many exhibits did the Taizhou expo have?"
    done = run("ask", question, "--json", "--index", index, code=CUT, HF_HUB_OFFLINE="1")
    assert (done.returncode, done.stderr) == (0, "")
    record = check_answer(done.stdout)
    check_quotes(record)
    assert "2,500" in record["text"]
    assert any("2,500 exhibits" in citation["quote"] for citation in record["citations"])


def test_a_batch_is_answered_in_order_and_a_bad_line_costs_nothing_else(index):
    lines = [
        '{"id": "a", "question": "Who is Pakistan\'s consul general in Shanghai?"}',
        '{"id": "b", "question": "What does a ticket to the moon cost?"}',
        '{"id": "c", "question": ""}',
    ]
    done = run("ask", "--batch", "-", "--json", "--index", index, stdin="\n".join(lines))
    assert done.returncode == 1
    answered, refused = map(check_answer, done.stdout.splitlines()[:2])
    check_quotes(answered)
    assert (answered["id"], refused["id"]) == ("a", "b")
    assert "Shehzad Ahmad Khan" in answered["text"]
    assert refused["status"] == "refused"
    assert json.loads(done.stdout.splitlines()[2])["id"] == "c"


def test_a_chat_answers_for_people(index):
    done = run("chat", "--index", index, stdin="Which company is the partner of BYD in Pakistan?\n/quit\n")
    assert done.returncode == 0
    assert "Mega Motors" in done.stdout
    assert "\n[1] " in done.stdout


def test_the_doctor_finds_nothing_wrong(index):
    done = run("doctor", "--index", index)
    assert done.returncode == 0, done.stdout
    assert "PROBLEM" not in done.stdout


def test_the_figures_reached_are_held(index, tmp_path):
    done = run("eval", QUESTIONS, "--json", "--index", index, "--details", tmp_path / "details.jsonl")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    short = {name: figures[name] for name, least in LEAST.items() if figures[name] < least}
    over = {name: figures[name] for name, most in MOST.items() if figures[name] > most}
    details = map(json.loads, (tmp_path / "details.jsonl").read_text(encoding="utf-8").splitlines())
    wrong = [f"{d['id']} {d['question']} -> {d['text']}" for d in details if not d["right"]]
    assert not (short or over), "\n".join([f"fell short: {short | over}", *wrong])
