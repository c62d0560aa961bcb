"""The command line: the table of its verbs, and the exit code of every way in which one can end.

Results go to standard output and everything else to standard error. The verbs hold no logic of their own: each reads its
options, calls the part that does the work, and prints. They import what is slow in their bodies, so that ``rag --help`` is
quick.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated

import typer

from rag.cli.asking import ask, chat, search
from rag.cli.evaluating import evaluate
from rag.cli.indexing import index_articles
from rag.cli.maintaining import doctor, models, verify
from rag.cli.terminal import emit, say
from rag.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Sequence

DISTRIBUTION = "footnote-rag"
INTERRUPTED = 130  # the exit code that shells use for a program ended by Ctrl-C
DEBUG = "RAG_DEBUG"

app = typer.Typer(
    name="rag",
    help="Ask your own articles, offline: every sentence of an answer is backed by an exact span of a source file.",
    epilog='Begin with: rag index seeds, then: rag ask "How many exhibits did the Taizhou expo have?"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Print the version, or go on to the verb."""
    if version:
        from importlib.metadata import version as installed_version

        emit(f"rag {installed_version(DISTRIBUTION)}")
        raise typer.Exit


# In the order of `rag --help`.
for verb, function, example in (
    ("index", index_articles, "rag index ~/articles --index ~/articles-index"),
    ("ask", ask, 'rag ask "How many exhibits did the Taizhou expo have?"'),
    ("search", search, 'rag search "electric cars in Pakistan" --top 3'),
    ("chat", chat, "rag chat --index ~/articles-index"),
    ("verify", verify, "rag verify answer.json"),
    ("eval", evaluate, "rag eval made.jsonl --make 60 --details details.jsonl"),
    ("doctor", doctor, "rag doctor --index ~/articles-index"),
    ("models", models, "rag models --fetch"),
):
    app.command(verb, epilog=f"Example: {example}")(function)


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and return its exit code; every error becomes one line on standard error."""
    try:
        code = _carry_out(arguments)
        sys.stdout.flush()
    except RagError as error:
        code = error.exit_code
        say(str(error))
    except BrokenPipeError:
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discards what is left in the buffer
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = 1
        if os.environ.get(DEBUG):
            traceback.print_exc()
        say(f"this is a bug: {type(error).__name__}: {error}; set {DEBUG}=1 to see where, and report it")
    if code == INTERRUPTED:
        say("interrupted")
    return code


def _carry_out(arguments: Sequence[str]) -> int:
    try:
        app(list(arguments), prog_name="rag")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
