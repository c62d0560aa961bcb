"""Fit the refusal: signals of answered and unanswerable questions -> rag/answer/refusal.toml.

usage: fit_refusal.py DETAILS.jsonl...    each written by `rag eval QUESTIONS.jsonl --details DETAILS.jsonl`, one for each set

A logistic regression in which every set counts alike: one for answers that checker and probe had a say in, one for those with
the checker alone, one for those without either; the one of which no file is given stays as it is. A signal whose weight would
fall below nought is left out: more support never makes an answer less likely. A question is answered when it is more likely
than not that the articles answer it. What is printed is tenfold cross-validated: no fit has seen the question that it weighs.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from rag.config import load_config

TARGET = Path(__file__).parent.parent / "rag" / "answer" / "refusal.toml"
TABLES = {"with_probe": {"found", "known"}, "with_checker": {"found"}, "without_checker": set[str]()}
THRESHOLD = 0.5
SEED = 0
Floats = NDArray[np.float64]


def main(files: list[str]) -> None:
    """Fit on files of details, show how well it tells the questions apart, and write the parameters."""
    sets = {Path(file).stem: [line for line in read(file) if line["signals"]] for file in files}
    parts = re.split(r"^\[(\w+)\]\n", TARGET.read_text(encoding="utf-8"), flags=re.MULTILINE)
    before = dict(zip(parts[1::2], (part.rstrip() + "\n" for part in parts[2::2]), strict=True))
    tables = []
    for table, needed in TABLES.items():
        print(table)
        some = {name: seen for name, lines in sets.items() if (seen := of_table(lines, needed))}
        if some:
            for name, (probability, answerable) in cross_validated(some).items():
                show(name, probability, answerable)
        tables.append(f"\n[{table}]\n{fitted(some) if some else before[table]}")
    head = (
        "# Whether to answer: logistic regressions of the signals in rag/answer/refusal.py, by benchmarks/fit_refusal.py.\n"
        "# A question is answered when it is more likely than not that the articles answer it.\n"
    )
    TARGET.write_text(f"{head}threshold = {THRESHOLD}\n{''.join(tables)}", encoding="utf-8")
    print(TARGET.read_text(encoding="utf-8"))


def of_table(lines: list[dict[str, Any]], needed: set[str]) -> list[dict[str, Any]]:
    """Return the lines without the signals that a table does not weigh; none where they lack one that it does."""
    there = set(lines[0]["signals"]) if lines else set()
    if not needed <= there or ("found" in needed) != ("found" in there):
        return []
    left_out = {"known"} - needed
    return [{**line, "signals": {k: v for k, v in line["signals"].items() if k not in left_out}} for line in lines]


def prepared(sets: dict[str, list[dict[str, Any]]]) -> tuple[list[str], Floats, NDArray[np.bool_], Floats]:
    """Return the signals' names, the signals ``(n, k)``, what is answerable ``(n,)``, and the weights of the lines ``(n,)``."""
    names = list(next(iter(sets.values()))[0]["signals"])
    signals = np.array([[line["signals"][name] for name in names] for lines in sets.values() for line in lines])
    answerable = np.array([line["answerable"] for lines in sets.values() for line in lines])
    weights = np.concatenate([np.full(len(lines), 1 / len(lines)) for lines in sets.values()]) * len(answerable) / len(sets)
    return names, signals, answerable, weights


def cross_validated(sets: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[Floats, NDArray[np.bool_]]]:
    """Return for each set the probabilities of its lines, each from a fit that has not seen it, and what is answerable."""
    _, signals, answerable, weights = prepared(sets)
    unseen = np.zeros(len(answerable))
    for train, test in StratifiedKFold(10, shuffle=True, random_state=SEED).split(signals, answerable):
        unseen[test] = probabilities(signals[test], *fit(signals[train], answerable[train], weights[train]))
    ends = np.cumsum([len(lines) for lines in sets.values()])[:-1]
    return dict(zip(sets, zip(np.split(unseen, ends), np.split(answerable, ends), strict=True), strict=True))


def fitted(sets: dict[str, list[dict[str, Any]]]) -> str:
    """Fit on the lines of some sets and give the parameters as TOML."""
    names, signals, answerable, weights = prepared(sets)
    intercept, slopes = fit(signals, answerable, weights)
    table = ", ".join(f"{name} = {slope:.2f}" for name, slope in zip(names, slopes, strict=True) if slope)
    config = load_config()
    return (
        f"intercept = {intercept:.2f}\nweights = {{ {table} }}\n"
        f'fitted_on = {{ date = {datetime.now(UTC):%Y-%m-%d}, encoder = "{config.encoder}", generator = "{config.generator}", '
        f"passage_tokens = {config.passage_tokens}, passages_read = {config.passages_read}, "
        f"answerable = {answerable.sum()}, unanswerable = {(~answerable).sum()} }}\n"
    )


def read(file: str) -> list[dict[str, Any]]:
    """Return the lines of a file of details."""
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def fit(signals: Floats, answerable: NDArray[np.bool_], weights: Floats) -> tuple[float, Floats]:
    """Return intercept and slopes, none below nought; signals in 0..1 share one scale and one L2 penalty."""
    kept = np.ones(signals.shape[1], dtype=bool)
    while True:
        model = LogisticRegression(C=3.0).fit(signals[:, kept], answerable, sample_weight=weights)
        if (model.coef_[0] >= 0).all():
            slopes = np.zeros(signals.shape[1])
            slopes[kept] = model.coef_[0]
            return float(model.intercept_[0]), slopes
        kept[np.flatnonzero(kept)[model.coef_[0].argmin()]] = False


def probabilities(signals: Floats, intercept: float, slopes: Floats) -> Floats:
    """Weigh signals."""
    return np.asarray(1 / (1 + np.exp(-intercept - signals @ slopes)))


def show(name: str, probability: Floats, answerable: NDArray[np.bool_]) -> None:
    """Print how well unseen questions of a set are told apart."""
    auc = f"{roc_auc_score(answerable, probability):.2f}" if 0 < answerable.sum() < len(answerable) else "-"
    answered, refused = probability[answerable] >= THRESHOLD, probability[~answerable] < THRESHOLD
    shares = [f"{share.mean():.2f}" if len(share) else "-" for share in (answered, refused)]
    print(f"{name:24} AUC {auc}  answerable answered {shares[0]}  unanswerable refused {shares[1]}")


if __name__ == "__main__":
    main(sys.argv[1:])
