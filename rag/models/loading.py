"""Loads the configured models, fetching them the first time: the one place that turns settings into models.

Loading a model tells the libraries to stay offline, so all that is missing is fetched before the first one is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import ModelDamaged, ModelMissing
from rag.models.cache import ensure, fetch, silent
from rag.models.trained import CHECKER, checker_weights, probe_weights

if TYPE_CHECKING:
    from pathlib import Path

    from rag.config import Config
    from rag.models.checker import Checker
    from rag.models.encoder import SentenceEncoder
    from rag.models.fetch import Progress
    from rag.models.generator import CausalGenerator


@dataclass(frozen=True, slots=True)
class SearchModels:
    """The models that a search needs; the checker is None where it is switched off or not installed."""

    encoder: SentenceEncoder
    checker: Checker | None


@dataclass(frozen=True, slots=True)
class AnswerModels:
    """The models that an answer needs; the checker is None where it is switched off or not installed."""

    encoder: SentenceEncoder
    checker: Checker | None
    generator: CausalGenerator


def load_encoder(config: Config, progress: Progress = silent) -> SentenceEncoder:
    """Load the encoder alone.

    :raises ModelError: it cannot be fetched or loaded.
    """
    from rag.models.encoder import SentenceEncoder

    return SentenceEncoder(ensure(config.encoder, "encoder", progress=progress))


def checker_files(*, progress: Progress = silent) -> tuple[Path, Path] | None:
    """Return the checker's weights and the folder of the encoder that they belong to, which need not be the configured one.

    None means that the weights were left out of the installation.

    :raises ModelMissing, ModelDamaged: as by :func:`ensure`; the message also says how to go without the checker.
    """
    if not (weights := checker_weights()):
        return None
    try:
        return weights, ensure(CHECKER.base, "encoder", progress=progress)
    except (ModelMissing, ModelDamaged) as error:
        raise type(error)(f"{error}; the checker needs it, checker = false does without") from error


def load_search_models(config: Config, progress: Progress = silent) -> SearchModels:
    """Load encoder and checker.

    :raises ModelError: one of them cannot be fetched or loaded.
    """
    from rag.models.checker import Checker
    from rag.models.encoder import SentenceEncoder

    encoder_folder = ensure(config.encoder, "encoder", progress=progress)
    files = checker_files(progress=progress) if config.checker else None
    return SearchModels(SentenceEncoder(encoder_folder), Checker(*files) if files else None)


def load_answer_models(config: Config, progress: Progress = silent) -> AnswerModels:
    """Load encoder, checker and generator.

    :raises ModelError: one of them cannot be fetched or loaded.
    """
    from rag.models.generator import CausalGenerator

    ensure(config.encoder, "encoder", progress=progress)
    generator_folder = ensure(config.generator, "generator", progress=progress)
    search = load_search_models(config, progress)
    generator = CausalGenerator(generator_folder, probe=probe_weights(config.generator))
    return AnswerModels(search.encoder, search.checker, generator)


def fetch_models(config: Config, progress: Progress = silent) -> None:
    """Fetch the configured models into the cache, except those that are there with every recorded hash.

    :raises ModelError: one of them cannot be fetched.
    """
    fetch(config.encoder, "encoder", progress=progress)
    fetch(config.generator, "generator", progress=progress)
    if config.checker and config.encoder != CHECKER.base:
        fetch(CHECKER.base, "encoder", progress=progress)
