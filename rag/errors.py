"""Every error a caller may see. Each message says what happened, where, and the next command to run.

RagError                    exit code 1
├── UsageError              a question, a file or an argument cannot be used (exit code 2)
│   └── ConfigError         rag.toml, a RAG_* variable or an argument has a wrong key or value
├── CorpusError             the folder of articles cannot be read, or holds nothing to index
├── StoreError              the index cannot be read or written
│   ├── IndexMissing        there is no index
│   ├── IndexMismatch       the index was made with another encoder or by a newer version
│   └── IndexDamaged        the index's bytes are not those that were written
└── ModelError              weights cannot be fetched, converted or loaded
    ├── ModelMissing        they are not in the cache, and fetching failed or was not allowed
    └── ModelDamaged        they do not have the pinned hash, or they do not load
"""

from __future__ import annotations


class RagError(Exception):
    """The root of all errors; ``str(error)`` is one line for the user."""

    exit_code = 1


class UsageError(RagError):
    """The caller asked for something that cannot be done as asked."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key is unknown, or its value is out of range."""


class CorpusError(RagError):
    """The folder of articles is missing, unreadable or empty."""


class StoreError(RagError):
    """The index cannot be read or written."""


class IndexMissing(StoreError):
    """There is no index where one was looked for."""


class IndexMismatch(StoreError):
    """The index was made with another encoder or has a newer format."""


class IndexDamaged(StoreError):
    """The index's bytes are not those that were written."""


class ModelError(RagError):
    """Weights cannot be fetched, converted or loaded."""


class ModelMissing(ModelError):
    """Weights are not in the cache, and they could not be fetched."""


class ModelDamaged(ModelError):
    """Weights do not have the pinned hash, or cannot be loaded."""
