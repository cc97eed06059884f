"""The `dense` command: thin over the flows, and quick to answer.

Nothing heavy is imported here, nor by the modules of its commands.
"""

from __future__ import annotations

import errno
import signal
import sys
from typing import Annotated

import typer

from conf.runtime.errors import BadInput, DenseError
from flows.cli.commands import champions, records, search, servers

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Dense experiments on foundation models: one YAML study, from raw data to a champion.",
)
for module in (search, champions, records, servers):
    app.add_typer(module.app)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options of every command."""
    global _debug
    _debug = debug


_debug = False

NAMED_FILE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Of a file that the user named. Any other trouble with files is the machine's."""


def main() -> None:
    """Entry point: errors become one sentence and an exit code; SIGTERM is Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except DenseError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        fail(of_a_file(error))
    except Exception as error:  # a library's, or a mistake of ours: said in a sentence all the same
        what = (str(error).strip().splitlines() or [""])[0][:300]
        said = ": ".join(filter(None, (type(error).__name__, what)))
        fail(DenseError(f"{said}; what was done is kept, run again; `dense --debug` says where"))


def of_a_file(error: OSError) -> DenseError:
    """The sentence about a file."""
    name = str(error.filename or "")
    if error.errno == errno.ENAMETOOLONG:
        return BadInput(
            f"{name[:40]!r} and so on, {len(name):,} letters, is too long for the path of a file; "
            "give the path, not what the file holds"
        )
    kind = BadInput if isinstance(error, NAMED_FILE) else DenseError
    return kind(f"{error.strerror or error}: {name}".rstrip(": "))


def fail(error: DenseError) -> None:
    """Print the sentence, or the traceback with `--debug`, and end with the error's exit code."""
    if _debug:
        raise error
    print(f"dense: {error}", file=sys.stderr)
    raise SystemExit(error.exit_code)


if __name__ == "__main__":
    main()
