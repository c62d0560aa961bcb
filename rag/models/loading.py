"""The configured models, fetched the first time and loaded: the one place that says what a setting loads.

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
    """What a search needs; the checker is None where it is switched off or was left out of the installation."""

    encoder: SentenceEncoder
    checker: Checker | None


@dataclass(frozen=True, slots=True)
class AnswerModels:
    """What an answer needs."""

    encoder: SentenceEncoder
    checker: Checker | None
    generator: CausalGenerator


def load_encoder(config: Config, progress: Progress = silent) -> SentenceEncoder:
    """Load the encoder alone.

    :raises ModelError: it cannot be had.
    """
    from rag.models.encoder import SentenceEncoder

    return SentenceEncoder(ensure(config.encoder, "encoder", progress=progress))


def checker_files(*, progress: Progress = silent) -> tuple[Path, Path] | None:
    """Return the checker's weights and the folder of the encoder that they are laid over, whatever encoder is configured.

    :raises ModelMissing, ModelDamaged: as :func:`ensure`; the message says also how to go without.
    """
    if not (weights := checker_weights()):
        return None
    try:
        return weights, ensure(CHECKER.base, "encoder", progress=progress)
    except (ModelMissing, ModelDamaged) as error:
        raise type(error)(f"{error}; the checker needs it, checker = false does without") from error


def load_search_models(config: Config, progress: Progress = silent) -> SearchModels:
    """Load encoder and checker.

    :raises ModelError: one cannot be had.
    """
    from rag.models.checker import Checker
    from rag.models.encoder import SentenceEncoder

    encoder_folder = ensure(config.encoder, "encoder", progress=progress)
    files = checker_files(progress=progress) if config.checker else None
    return SearchModels(SentenceEncoder(encoder_folder), Checker(*files) if files else None)


def load_answer_models(config: Config, progress: Progress = silent) -> AnswerModels:
    """Load encoder, checker and generator.

    :raises ModelError: one cannot be had.
    """
    from rag.models.generator import CausalGenerator

    ensure(config.encoder, "encoder", progress=progress)
    generator_folder = ensure(config.generator, "generator", progress=progress)
    search = load_search_models(config, progress)
    generator = CausalGenerator(generator_folder, probe=probe_weights(config.generator))
    return AnswerModels(search.encoder, search.checker, generator)


def fetch_models(config: Config, progress: Progress = silent) -> None:
    """Fetch what is configured into the cache, unless it is there with every recorded hash.

    :raises ModelError: one cannot be had.
    """
    fetch(config.encoder, "encoder", progress=progress)
    fetch(config.generator, "generator", progress=progress)
    if config.checker and config.encoder != CHECKER.base:
        fetch(CHECKER.base, "encoder", progress=progress)
