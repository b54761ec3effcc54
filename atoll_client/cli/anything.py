"""Verbs for every noun at once, and requests in the raw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atoll_client.cli import wishes
from atoll_client.cli.acting import Act, Wish
from atoll_client.cli.making import ContextOption, OutputOption, SetOption, YesOption
from atoll_client.cli.output import Format, write
from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll_client.cli.shell import Shell
    from atoll_client.document import Api, Verb
    from atoll_client.sending import Object

NounArgument = Annotated[str, typer.Argument(metavar="NOUN", help="As in cluster or clusters.")]
SomeArgument = Annotated[str, typer.Argument(metavar="[REFERENCE]", help="As in demo/first.")]


def commands(shell: Shell, api: Api) -> dict[str, Callable[..., None]]:
    """By name."""

    def get(
        noun: NounArgument,
        reference: SomeArgument = "",
        output: OutputOption = None,
        context: ContextOption = "",
    ) -> None:
        """Reads an object, or lists them where the reference names an owner or nothing."""
        wish = Wish(reference, output=output, context=context)
        Act(shell, api, _readers(api, _noun(api, noun), reference)).run(wish)

    def apply(
        file: Annotated[Path, typer.Option("--file", "-f", help="YAML or JSON, several too; - is stdin.")],
        output: OutputOption = None,
        context: ContextOption = "",
    ) -> None:
        """Makes every object of a file so; each names its 'kind' and, in 'metadata', itself and its owner."""
        for number, one in enumerate(wishes.documents(file), 1):
            verbs, reference = _addressed(api, one, f"{file}, object {number}")
            _put(shell, api, verbs, reference, one, output, context)

    def delete(
        noun: NounArgument,
        reference: Annotated[str, typer.Argument(help="As in demo/first.")],
        yes: YesOption = False,
        context: ContextOption = "",
    ) -> None:
        """Asks for the end of an object."""
        Act(shell, api, _verb(api, _noun(api, noun), "delete")).run(Wish(reference, yes=yes, context=context))

    def raw(
        method: Annotated[str, typer.Argument(help="GET, POST, PUT or DELETE.")],
        path: Annotated[str, typer.Argument(help="Below /api/v1, as in /tenants/demo.")],
        settings: SetOption = None,
        file: Annotated[Path | None, typer.Option("--file", "-f", help="The body; - is stdin.")] = None,
        context: ContextOption = "",
    ) -> None:
        """Sends one request and writes the answer as it came."""
        body: Any = wishes.documents(file)[0] if file else None
        for one in settings or ():
            body = wishes.with_setting(body or {}, one)
        with shell.connect(context) as atoll:
            keyed = api.keyed(method.upper(), path)
            answer = atoll.request(method.upper(), path, body, keyed=keyed)
        write(json.dumps(answer.body, indent=2, ensure_ascii=False) if answer.body else answer.text.rstrip())

    return {"get": get, "apply": apply, "delete": delete, "api": raw}


def _put(
    shell: Shell,
    api: Api,
    verbs: Sequence[Verb],
    reference: str,
    body: Object,
    output: Format | None,
    context: str,
) -> None:
    Act(shell, api, verbs).run(Wish(reference, body=body, output=output, context=context))


def _addressed(api: Api, one: Object, where: str) -> tuple[Sequence[Verb], str]:
    kind, metadata = str(one.pop("kind", "")), one.get("metadata") or {}
    noun = api.noun(kind)
    if not noun:
        raise Misconfigured(f"{where}: kind {kind!r} is unknown; give one of {', '.join(_kinds(api))}")
    verbs = _verb(api, noun, "apply")
    for verb in sorted(verbs, key=lambda verb: -len(verb.parameters)):  # a team's before the platform's
        *owners, last = verb.parameters
        names = [str(metadata.get(one) or "") for one in owners]
        names.append(str(metadata.get(last) or metadata.get("name") or ""))
        if all(names):
            return verbs, "/".join(names)
    wanted = ", ".join(f"metadata.{one}" for one in verbs[0].parameters)
    raise Misconfigured(f"{where}: a {noun} is named by {wanted}: give them")


def _readers(api: Api, noun: str, reference: str) -> Sequence[Verb]:
    """To get or to list, whichever so many parts fit; an object before a list."""
    count = len(wishes.parts(reference))
    for name in ("get", "list"):
        verbs = api.verbs.get((noun, name), [])
        if any(len(verb.parameters) == count for verb in verbs):
            return verbs
    listed = api.verbs.get((noun, "list"))
    return listed if listed and not count else _verb(api, noun, "get")


def _verb(api: Api, noun: str, name: str) -> Sequence[Verb]:
    found = api.verbs.get((noun, name))
    if not found:
        raise Misconfigured(f"a {noun} cannot be done so; its verbs: {', '.join(api.of(noun))}")
    return found


def _noun(api: Api, written: str) -> str:
    noun = api.noun(written)
    if not noun:
        raise Misconfigured(f"{written!r} is nothing that this Atoll has; it has {', '.join(api.nouns)}")
    return noun


def _kinds(api: Api) -> list[str]:
    return [noun for noun, name in api.verbs if name == "apply"]
