"""Commands made from the document: each verb gets its reference, its flags and the options that all share."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from atoll_client import document
from atoll_client.cli.acting import WAITED_FOR, Act, Wish, waits
from atoll_client.cli.output import Format
from atoll_client.cli.wishes import duration, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll_client.cli.shell import Shell
    from atoll_client.document import Api, Field, Parameter, Verb

OutputOption = Annotated[
    Format | None, typer.Option("--output", "-o", help="How the result is written.", show_default=False)
]
ContextOption = Annotated[
    str, typer.Option("--context", help="Which Atoll of 'atoll context list'.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="YAML or JSON; - is standard input.", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field, as in resources.cpu=4; may be repeated.", show_default=False),
]
IfMatchOption = Annotated[
    str, typer.Option("--if-match", help="Only if its ETag is this one.", show_default=False)
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Until it is so; with progress.")]
TimeoutOption = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="Of the wait, as in 90s, 10m or 1h; then status 5.")
]
AfterOption = Annotated[
    str, typer.Option("--after", help="Also what came after the one of this id.", show_default=False)
]
_TYPES: Final[dict[str, type]] = {"integer": int, "number": float, "boolean": bool}
_TAKEN: Final = frozenset(
    {"output", "context", "yes", "file", "set", "if-match", "help", "wait", "timeout", "dry-run"}
)


def command(shell: Shell, api: Api, verbs: Sequence[Verb], *, plan: bool = False) -> Callable[..., None]:
    """A function that typer reads as if it had been written by hand."""
    act, fields, query = Act(shell, api, verbs, plan), _fields(verbs[0]), _query(verbs)
    waited = verbs[0].name in WAITED_FOR and waits(api, verbs[0].noun) and not plan

    def run(**given: Any) -> None:  # noqa: ANN401 - as the signature below says
        shared = {name: given[name] for name in _SHARED if given.get(name) is not None}
        if "timeout" in given:
            shared["timeout"] = duration(given["timeout"])
        act.run(
            Wish(
                query={one.name: given[f"query_{i}"] for i, one in enumerate(query)},
                flags={one: given[f"field_{i}"] for i, one in enumerate(fields)},
                **shared,
            )
        )

    parameters = _parameters(verbs, fields, query, waited=waited)
    return _as_typer_reads(shell, run, parameters, PLAN if plan else _help(verbs))


def watching(shell: Shell, api: Api, verbs: Sequence[Verb]) -> Callable[..., None]:
    """The same list as it grows."""
    act, query = Act(shell, api, verbs), [one for one in _query(verbs) if one.name != "after"]

    def run(**given: Any) -> None:  # noqa: ANN401 - as the signature below says
        shared = {name: given[name] for name in _SHARED if given.get(name) is not None}
        asked = {one.name: given[f"query_{i}"] for i, one in enumerate(query)}
        act.watch(Wish(query=asked, **shared), given["after"])

    parameters = _parameters(verbs, (), query, waited=False)
    parameters.append(_parameter("after", AfterOption, ""))
    return _as_typer_reads(shell, run, parameters, WATCH)


def _as_typer_reads(
    shell: Shell, run: Callable[..., None], parameters: Sequence[inspect.Parameter], text: str
) -> Callable[..., None]:
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # inspect reads it
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__doc__ = text
    guarded = shell.guarded(run)
    guarded.__annotations__ = run.__annotations__
    return guarded


WATCH: Final = "Writes each as it happens, until Ctrl-C; goes on after a connection broke."
_SHARED: Final = ("reference", "settings", "file", "if_match", "yes", "wait", "output", "context")
PLAN: Final = "Tells what 'apply' with the same words would do; nothing is done."


def _parameters(
    verbs: Sequence[Verb], fields: Sequence[Field], query: Sequence[Parameter], *, waited: bool
) -> list[inspect.Parameter]:
    verb, made = verbs[0], []
    if any(one.reference for one in verbs):
        made.append(_parameter("reference", Annotated[str, typer.Argument(metavar=shape(verbs))], ""))
    for number, one in enumerate(fields):
        made.append(_parameter(f"field_{number}", _flag(one, fields), None))
    for number, asked in enumerate(query):
        option = typer.Option(*_switch(asked.name, asked.kind), help=_words(asked.text, asked.choices))
        made.append(
            _parameter(f"query_{number}", Annotated[_TYPES.get(asked.kind, str) | None, option], None)
        )
    if verb.body:
        made += [_parameter("settings", SetOption, None), _parameter("file", FileOption, None)]
    if verb.conditional:
        made.append(_parameter("if_match", IfMatchOption, ""))
    if verb.method == "DELETE":
        made.append(_parameter("yes", YesOption, default=False))
    if waited:
        made += [_parameter("wait", WaitOption, default=False), _parameter("timeout", TimeoutOption, "10m")]
    return [*made, _parameter("output", OutputOption, None), _parameter("context", ContextOption, "")]


def _parameter(name: str, annotation: object, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _flag(one: Field, among: Sequence[Field]) -> object:
    kind = _TYPES.get(one.kind, str)
    option = typer.Option(
        *_switch(document.flag(one, among), "" if one.many else one.kind),
        help=_words(one.text, one.choices),
        show_default=False,
    )
    if one.many:
        return Annotated[list[kind] | None, option]  # type: ignore[valid-type] # made while it runs
    return Annotated[kind | None, option]


def _switch(name: str, kind: str) -> list[str]:
    long = document.kebab(name)
    return [f"--{long}/--no-{long}"] if kind == "boolean" else [f"--{long}"]


def _fields(verb: Verb) -> tuple[Field, ...]:
    """Those whose flag is free; the rest goes by ``--set``."""
    return tuple(one for one in verb.fields if document.flag(one, verb.fields) not in _TAKEN)


def _query(verbs: Sequence[Verb]) -> list[Parameter]:
    """Of all that share the name; what a flag is called already is that flag."""
    flags = {document.flag(one, verbs[0].fields) for one in verbs[0].fields} | _TAKEN
    found = {one.name: one for verb in verbs for one in verb.query}  # --dry-run is the verb 'plan'
    return [one for name, one in found.items() if document.kebab(name) not in flags]


def _help(verbs: Sequence[Verb]) -> str:
    verb = verbs[0]
    tail = "\n\nWhat is left out is not wanted: the whole spec is replaced." if verb.name == "apply" else ""
    return f"{verb.summary}.{tail}"


def _words(text: str, choices: Sequence[str]) -> str:
    first = text.partition("\n")[0]
    return " ".join(filter(None, (first, f"({', '.join(choices)})" if choices else "")))
