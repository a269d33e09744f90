"""How commands speak: warnings in one line, bad input with one line and 2, Ctrl-C with one line and 130."""

import contextlib
import functools
import inspect
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import typer

from stacked.errors import StackedError, StackedWarning

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def new_app(text: str | None = None, *, completion: bool = False) -> typer.Typer:
    """An app for guarded commands; `text` is its help, and `completion` adds what installs that of the shell."""
    return typer.Typer(help=text, add_completion=completion, no_args_is_help=True, pretty_exceptions_enable=False)


def guarded(command: Callable[..., None], interrupted: str = "interrupted") -> Callable[..., None]:
    """A command with the flag `--debug`, which shows the traceback before the line of an error.

    Parameters
    ----------
    command : callable
        What Typer is to make a command of.
    interrupted : str
        The line that Ctrl-C ends with, unless the command says another by its `KeyboardInterrupt`.
    """

    signature = inspect.signature(command, eval_str=True)
    flags = [name for name, parameter in signature.parameters.items() if _is_flag(parameter)]

    @functools.wraps(command)
    def run(*args: Any, debug: bool, **kwargs: Any) -> None:
        try:
            with _no_interrupt_lost(), warnings.catch_warnings():  # which puts back what shows them
                warnings.simplefilter("always", StackedWarning)
                warnings.showwarning = _show
                command(*args, **kwargs)
        except StackedError as error:
            if debug:
                typer.echo(traceback.format_exc(), err=True)
            _say("error", "red", with_flags(str(error), flags))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as interrupt:
            typer.echo(str(interrupt) or interrupted, err=True)
            raise typer.Exit(130) from interrupt

    flag = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), flag])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "debug": Debug}
    return run


def with_flags(message: str, names: Iterable[str]) -> str:
    """A message of the library, which names its parameters, in which those that are flags here are named so.

    Those of one word are taken for names only where a message begins with them.
    """
    for name in names:
        place = r"(?<![\w'\"./-])" if "_" in name else "^"
        message = re.sub(rf"{place}{name}(?=[^\w'\"./=-]|$)", f"--{name.replace('_', '-')}", message)
    return message


def _is_flag(parameter: inspect.Parameter) -> bool:
    """Whether it is an option, and none that holds a path, which may be called like one."""
    kinds = getattr(parameter.annotation, "__metadata__", ())
    return any(
        isinstance(kind, typer.models.OptionInfo) and not (kind.metavar or "").startswith(("DIR", "FILE"))
        for kind in kinds
    )


@contextlib.contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Have Ctrl-C repeated where Python drops it: while an object, such as a lock that is released, is collected."""
    others = sys.unraisablehook

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if dropped.exc_type is KeyboardInterrupt:  # soon, for what is raised here is dropped as well
            threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            others(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = others


def _show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    _say("warning", "yellow", message)


def _say(what: str, colour: str, message: object) -> None:
    typer.secho(f"{what}: ", err=True, nl=False, fg=colour, bold=True)
    typer.echo(message, err=True)
