"""Watches folders and tells when files in them changed, so that their index may need an update."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUIET_MS = 300  # a burst of changes is over after this time without one: an editor that saves in several steps is done
PATIENCE_MS = 2_000  # a burst without a pause is told of after this time
# A look is due after this time without a change: some file systems tell of none, and none is told before the watch has begun.
LOOK_MS = 10_000


def moments(folders: Sequence[Path], *, apart_from: Path) -> Iterator[None]:
    """Yield after each burst of changes below the folders, and now and then without one; not for those below ``apart_from``.

    :raises KeyboardInterrupt: Ctrl-C was pressed.
    """
    from watchfiles import watch

    own = apart_from.resolve()
    for _ in watch(
        *(folder.resolve() for folder in folders),
        watch_filter=lambda _, path: own not in (Path(path), *Path(path).parents),
        debounce=PATIENCE_MS,
        step=QUIET_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield
