"""The `dense` command line.

To start quickly, neither this module nor those of the commands import heavy libraries.
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
"""Errors about a path that the user gave; any other `OSError` is a fault of the machine."""


def main() -> None:
    """Entry point: an error becomes one sentence and an exit code, SIGTERM acts as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except DenseError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        fail(file_error(error))
    except Exception as error:  # of a library, or a bug of ours
        first = (str(error).strip().splitlines() or [""])[0][:300]
        message = ": ".join(filter(None, (type(error).__name__, first)))
        fail(DenseError(f"{message}; what was done is kept, run again; `dense --debug` says where"))


def file_error(error: OSError) -> DenseError:
    """The error of the command for an `OSError`, with the path."""
    name = str(error.filename or "")
    if error.errno == errno.ENAMETOOLONG:
        return BadInput(
            f"{name[:40]!r} and so on, {len(name):,} letters, is too long for the path of a file; "
            "give the path, not what the file holds"
        )
    kind = BadInput if isinstance(error, NAMED_FILE) else DenseError
    return kind(f"{error.strerror or error}: {name}".rstrip(": "))


def fail(error: DenseError) -> None:
    """Print the message, or the traceback with `--debug`, and exit with the code of the error."""
    if _debug:
        raise error
    print(f"dense: {error}", file=sys.stderr)
    raise SystemExit(error.exit_code)


if __name__ == "__main__":
    main()
