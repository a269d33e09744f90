"""How commands end: bad input with one line and 2, Ctrl-C with one line and 130."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from stacked.errors import StackedError

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def new_app(text: str | None = None) -> typer.Typer:
    """An app for guarded commands; `text` is its help."""
    return typer.Typer(help=text, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def guarded(command: Callable[..., None], interrupted: str = "interrupted") -> Callable[..., None]:
    """A command with the flag `--debug`, which passes errors on; without it they are one line.

    Parameters
    ----------
    command : callable
        What Typer is to make a command of.
    interrupted : str
        The line that Ctrl-C ends with.
    """

    @functools.wraps(command)
    def run(*args: Any, debug: bool, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except StackedError as error:
            if debug:
                raise
            typer.secho("error: ", err=True, nl=False, fg="red", bold=True)
            typer.echo(error, err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(interrupted, err=True)
            raise typer.Exit(130) from interrupt

    signature = inspect.signature(command, eval_str=True)
    flag = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), flag])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "debug": Debug}
    return run
