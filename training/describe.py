"""Writes the record of trained weights: the TOML file beside them, which the product compares them with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rag.models.fetch import sha256_of


def describe(weights: Path, base: str, **trained: int) -> None:
    """Write beside the weights to which model they belong, their size and hash, and the numbers they were ``trained`` with."""
    made_with = "".join(f"{name} = {number}\n" for name, number in trained.items())
    weights.with_suffix(".toml").write_text(
        f"# The weights of {weights.name}, which lies beside this file: written by training/train_{weights.stem}.py.\n"
        f'base = "{base}"\nlicence = "Apache-2.0"\nbytes = {weights.stat().st_size}\nsha256 = "{sha256_of(weights)}"\n'
        f"\n[trained]\ndate = {datetime.now(UTC):%Y-%m-%d}\n{made_with}",
        encoding="utf-8",
    )
