"""One verb of the document, done: the request, and what is said of the answer."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import typer
import yaml

from atoll_client import waiting
from atoll_client.cli import wishes
from atoll_client.cli.output import Format, at, cell, clean, lines, show, write
from atoll_client.cli.progress import told
from atoll_client.cli.shell import note
from atoll_client.errors import Misconfigured, NotFound, WillNotBeReady

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from atoll_client.atoll import Atoll
    from atoll_client.cli.shell import Shell
    from atoll_client.document import Api, Field, Verb
    from atoll_client.sending import Answer, Object
    from atoll_client.streaming import Event

CREATED: Final = 201
ACCEPTED: Final = 202
GONE: Final = 404
SHOWN_ONCE: Final = ("token", "secret")
"""Members of answers that no later one has: they are the result."""
WAITED_FOR: Final = frozenset({"create", "apply", "pause", "resume", "delete"})
"""Verbs whose effect comes later, where a noun can be waited for."""
ASLEEP: Final = "Paused"
"""The phase of a cluster that will not be ready because its spec has it so."""


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    reference: str = ""
    query: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[Field, Any] = field(default_factory=dict)
    settings: Sequence[str] = ()
    file: Path | None = None
    body: Object | None = None
    """Instead of a file."""
    if_match: str = ""
    yes: bool = False
    wait: bool = False
    timeout: float = 600.0
    output: Format | None = None
    context: str = ""


@dataclass(frozen=True)
class Act:
    """Does verbs of one noun that share a name."""

    shell: Shell
    api: Api
    verbs: Sequence[Verb]
    plan: bool = False
    """Only tells what a write would do."""

    def run(self, wish: Wish) -> None:
        """The whole of a command."""
        with self.shell.connect(wish.context) as atoll:
            given = wishes.parts(wish.reference)
            if self.verbs[0].listing:
                self._list(atoll, given, wish)
                return
            verb, values = wishes.choose(self.verbs, given, self._tenant)
            if verb.method == "DELETE":
                confirm(f"{verb.name} {verb.noun} {'/'.join(values)}", yes=wish.yes)
            body = wishes.body(verb, wish.body or wish.file, wish.settings, wish.flags)
            if verb.named and body is not None:
                body.setdefault("metadata", {})["name"] = values[-1]
            path = wishes.address(verb, values)
            before = _etag(atoll, path) if verb.method == "PUT" and not self.plan else ""
            answer = self._send(atoll, verb, path, body, wish)
            whole = self._whole(verb, values, answer)
            if wish.wait:
                answer = self._wait(atoll, whole, answer, wish)
            self.tell(verb, values, answer, wish, before)
            if self._goes_on(verb, answer) and not (wish.wait or self.plan):
                note(f"wait for it: {self._waiting(whole)}")

    @property
    def _tenant(self) -> str:
        return self.shell.context.tenant if self.shell.context else ""

    def watch(self, wish: Wish, after: str) -> None:
        """Writes each event as it comes, until somebody interrupts."""
        with self.shell.connect(wish.context) as atoll:
            verb, values = wishes.choose(self.verbs, wishes.parts(wish.reference), self._tenant)
            asked = {name: value for name, value in wish.query.items() if value is not None}
            named = f"atoll {verb.noun} watch {'/'.join(values)}"
            self.shell.resume = f"go on: {named}"
            for event in atoll.events(wishes.address(verb, values), after=after, **asked):
                tell_event(event, wish.output)
                self.shell.resume = f"go on: {named} --after {event.id}"

    def _list(self, atoll: Atoll, given: Sequence[str], wish: Wish) -> None:
        verb = self.verbs[0]
        if not given and len(self.verbs) == 1 and verb.parameters == ("tenant",) and not self._tenant:
            mine = [str(one["metadata"]["name"]) for one in atoll.items("/tenants")]
            found = [row for name in mine for row in self._items(atoll, verb, [name], wish)]
        else:
            verb, values = wishes.choose(self.verbs, given, self._tenant)
            found = list(self._items(atoll, verb, values, wish))
        show(found, wish.output or Format.TABLE, verb.noun, one=False)

    def _items(
        self, atoll: Atoll, verb: Verb, values: Sequence[str], wish: Wish
    ) -> Iterator[tuple[str, Object]]:
        for one in atoll.items(wishes.address(verb, values), **wish.query):
            yield reference(self.api, verb, values, one), one

    def tell(self, verb: Verb, values: Sequence[str], answer: Answer, wish: Wish, before: str = "") -> None:
        """What came of it."""
        if answer.replayed:
            note("this is the answer to an earlier sending; what is shown once is not in it")
        if not isinstance(answer.body, dict):
            write(answer.text.rstrip("\n")) if answer.text else None
            return
        named = reference(self.api, verb, values, answer.body)
        dry = self.plan or wish.query.get("dry_run")
        how = wish.output or (Format.YAML if verb.method == "GET" or (dry and not self.plan) else None)
        if self.plan and how is None:
            tell_plan(named, answer.body)
        elif how is not None:
            show([(named, answer.body)], how, verb.noun, one=True)
        elif shown := next((one for one in SHOWN_ONCE if one in answer.body), ""):
            write(str(answer.body[shown]))
            note(f"{verb.noun} {named}: its {shown} is shown this once")
        elif verb.named or verb.method in {"PUT", "DELETE"}:
            write(f"{verb.noun} {named} {_word(verb, answer, before)}")
        else:
            show([(named, answer.body)], Format.TABLE, verb.noun, one=True)

    def _send(self, atoll: Atoll, verb: Verb, path: str, body: Object | None, wish: Wish) -> Answer:
        query = {**wish.query, "dry_run": True} if self.plan else wish.query
        headers = {"If-Match": wish.if_match} if wish.if_match else {}
        if verb.method == "DELETE":
            return atoll.delete(path, if_match=wish.if_match)
        return atoll.request(verb.method, path, body, query=query, headers=headers, keyed=verb.keyed)

    def _goes_on(self, verb: Verb, answer: Answer) -> bool:
        """Whether the effect is yet to come: the answer says when to look again."""
        return verb.name in WAITED_FOR and waits(self.api, verb.noun) and answer.retry_after is not None

    def _whole(self, verb: Verb, values: Sequence[str], answer: Answer) -> list[str]:
        """What names the object, of which the server may have chosen a part."""
        if verb.name != "create":
            return list(values)
        body = answer.body if isinstance(answer.body, dict) else {}
        return reference(self.api, verb, values, body).split("/")

    def _wait(self, atoll: Atoll, values: Sequence[str], answer: Answer, wish: Wish) -> Answer:
        """The answer with what came in the end."""
        noun = self.verbs[0].noun
        item, values = wishes.choose(self.api.verbs[noun, "get"], values, self._tenant)
        path, what = wishes.address(item, values), f"{noun} {'/'.join(values)}"
        self.shell.resume = f"it goes on; look again: {self._waiting(values)}"
        with told(what, wish.output) as seen:
            if self.verbs[0].name == "delete":
                waiting.gone(atoll, path, timeout=wish.timeout, seen=seen)
                return replace(answer, status=GONE)
            try:
                found = waiting.ready(atoll, path, timeout=wish.timeout, seen=seen)
            except WillNotBeReady as told_so:
                if told_so.phase != ASLEEP:
                    raise
                found = atoll.get(path)  # as it is wanted
        once = {one: answer.body[one] for one in SHOWN_ONCE if one in answer.body}
        return replace(answer, body={**found, **once})

    def _waiting(self, values: Sequence[str]) -> str:
        goal = " --for gone" if self.verbs[0].name == "delete" else ""
        return f"atoll {self.verbs[0].noun} wait {'/'.join(values)}{goal}"


def waits(api: Api, noun: str) -> bool:
    """Whether the API tells when an object of this noun is ready."""
    return (noun, "ready") in api.verbs


def tell_event(event: Event, how: Format | None) -> None:
    """One line, whatever the format; YAML is a document each."""
    match how:
        case Format.JSON:
            write(json.dumps(event.body, ensure_ascii=False))
        case Format.YAML:
            write(f"---\n{yaml.safe_dump(event.body, sort_keys=False, allow_unicode=True).rstrip()}")
        case Format.NAME:
            write(clean(event.id))
        case _:
            data = event.body.get("data") or {}
            what = f"{at(data, 'object.kind')} {at(data, 'object.name')}"
            rest = (f"{key}={cell(value)}" for key, value in data.items() if key not in {"object", "uid"})
            write(clean(" ".join([str(event.body.get("timestamp", "")), event.type, what, *rest])))


def tell_plan(named: str, plan: Object) -> None:
    """What a write would do, for people."""
    write(f"{named}: {plan.get('action', 'see below')}")
    changes = [[one["path"], cell(one["old"]), cell(one["new"])] for one in plan.get("changes", ())]
    if changes:
        lines(["field", "is", "would be"], changes)
    for one in plan.get("accelerators", ()):
        write(f"{one['count']} of {one['class']}: {one['message']}")
    for key, value in plan.items():
        if key not in {"action", "changes", "accelerators"} and value not in (None, "", [], {}):
            write(f"{key}: {cell(value)}")


def confirm(what: str, *, yes: bool) -> None:
    """Asks before something ends; raises ``Misconfigured`` where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misconfigured(f"to {what} needs a yes, and nobody can be asked: add --yes")
    typer.confirm(f"Really {what}?", abort=True, err=True)


def reference(api: Api, verb: Verb, values: Sequence[str], body: Object) -> str:
    """How the object is named: by the parameters of its address, from itself or as it was addressed."""
    known = dict(zip(verb.parameters, values, strict=False))
    found = api.verbs.get((verb.noun, "get")) or [verb]
    related = (one for one in found if one.path.startswith(verb.path) or verb.path.startswith(one.path))
    item = next(related, found[0])
    *owners, last = item.parameters or ("uid",)
    metadata = body.get("metadata") or {}
    owned = [str(known.get(one) or metadata.get(one, "")) for one in owners]
    places = [metadata.get(last), body.get(last), metadata.get("name"), metadata.get("uid"), body.get("id")]
    places += [body.get("uid"), body.get("name"), known.get(last), "/".join(values)]
    return "/".join([*owned, str(next(one for one in [*places, ""] if one is not None))])


def _etag(atoll: Atoll, path: str) -> str:
    try:
        return atoll.request("GET", path).etag
    except NotFound:
        return ""


def _word(verb: Verb, answer: Answer, before: str) -> str:
    if verb.method == "DELETE":
        done = {ACCEPTED: "is being deleted", GONE: "is gone"}.get(answer.status, "deleted")
        return done if verb.name == "delete" else "done"
    if answer.status == CREATED:
        return "created"
    return "unchanged" if before and answer.etag == before else "changed"
