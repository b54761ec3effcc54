"""The OpenAPI document as nouns and verbs: every route, also those of younger releases, without code for each.

A reference names an object by the parameters of its address, in order: ``demo/first`` for
``/tenants/{tenant}/clusters/{name}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from atoll_client.atoll import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

METHODS: Final = ("get", "post", "put", "delete")
ITEM_VERBS: Final = {"get": "get", "put": "apply", "delete": "delete"}
CONTROL: Final = frozenset({"cursor", "limit"})
"""Query parameters that are the client's own business."""
_SKIPPED: Final = frozenset({"health"})
_PLAIN: Final = frozenset({"string", "integer", "number", "boolean"})
_COMMON: Final = frozenset({"name", "host", "kind", "uid", "output", "context", "file", "set", "yes"})
"""Names that say too little, or are taken, for a flag of a nested field."""


@dataclass(frozen=True)
class Field:
    """A field of a body that a flag can set."""

    path: tuple[str, ...]
    kind: str
    """``string``, ``integer``, ``number`` or ``boolean``."""
    many: bool = False
    choices: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Parameter:
    """A query parameter."""

    name: str
    kind: str
    text: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """One operation of the API."""

    noun: str
    """In the singular, as in ``gpu-request``."""
    name: str
    method: str
    path: str
    summary: str
    tag: str
    parameters: tuple[str, ...] = ()
    """Of the address, in order."""
    query: tuple[Parameter, ...] = ()
    fields: tuple[Field, ...] = ()
    body: bool = False
    listing: bool = False
    spec: bool = False
    """The body is an object with metadata and spec."""
    required: frozenset[str] = frozenset()
    """Members that the body must have."""
    named: bool = False
    """It makes an object whose name the body holds: a reference has one part more than the address."""
    conditional: bool = False
    """Understands ``If-Match``."""
    streaming: bool = False
    """Answers with events that go on."""
    keyed: bool = False
    """Understands ``Idempotency-Key``."""

    @property
    def reference(self) -> tuple[str, ...]:
        """What the parts of a reference are."""
        return (*self.parameters, "name") if self.named else self.parameters

    def address(self, values: Iterable[str]) -> str:
        """The path with these values, made safe by the caller, for its parameters."""
        found = iter(values)
        return re.sub(r"{[^}]+}", lambda _: next(found), self.path).removeprefix(ROOT)


@dataclass
class Api:
    """All verbs of one document."""

    document: dict[str, Any]
    verbs: dict[tuple[str, str], list[Verb]] = field(default_factory=dict)
    """By noun and name; several differ in how many parameters their address has."""

    @property
    def nouns(self) -> list[str]:
        """Every noun, in the document's order."""
        return list(dict.fromkeys(noun for noun, _ in self.verbs))

    def of(self, noun: str) -> dict[str, list[Verb]]:
        """The verbs of a noun."""
        return {name: verbs for (of, name), verbs in self.verbs.items() if of == noun}

    def keyed(self, method: str, path: str) -> bool:
        """Whether an address takes an ``Idempotency-Key``; one that is not known does not."""
        below = path.partition("?")[0].rstrip("/").removeprefix(ROOT)
        found = (verb for verbs in self.verbs.values() for verb in verbs if verb.method == method)
        return any(
            verb.keyed and re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", verb.path.removeprefix(ROOT)), below)
            for verb in found
        )

    def noun(self, written: str) -> str:
        """``clusters``, ``Cluster`` or ``cluster`` → ``cluster``; empty for one that is not known."""
        wanted = singular(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", written).lower())
        return next((noun for noun in self.nouns if noun in {wanted, written}), "")


def read(document: dict[str, Any]) -> Api:
    """Nouns and verbs of a document; what cannot be understood of it is left out."""
    api = Api(document)
    found = [
        verb
        for path, operations in document.get("paths", {}).items()
        for method in METHODS
        if method in operations and (verb := _verb(document, path, method, operations[method]))
    ]
    found = list(_told_apart(found))
    items = {verb.noun for verb in found if verb.path.endswith("}")}
    # What has objects of its own comes first: it keeps the noun where two would share a name.
    for verb in sorted(found, key=lambda verb: verb.listing and not _has_item(verb, found)):
        _place(api, verb, items)
    return api


def singular(noun: str) -> str:
    """``gpu-requests`` → ``gpu-request``, ``policies`` → ``policy``; what is none stays."""
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith(("sses", "ches", "xes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us")) else noun


def _told_apart(found: list[Verb]) -> Iterator[Verb]:
    """Where references to objects of two places would look the same, their nouns name the owner: ``add-on-version``."""
    places: dict[tuple[str, int], set[str]] = {}
    for verb in found:
        if verb.path.endswith("}"):
            places.setdefault((verb.noun, len(verb.parameters)), set()).add(_home(verb))
    crowded = {place for several in places.values() if len(several) > 1 for place in several}
    for verb in found:
        home = _home(verb)
        yield replace(verb, noun=f"{_owner(home)}-{verb.noun}") if home in crowded else verb


def _home(verb: Verb) -> str:
    """The address up to the word that the noun comes from."""
    words = _words(verb.path)
    word = words[-1] if singular(words[-1]) == verb.noun else words[-2]
    return verb.path[: verb.path.rindex(f"/{word}") + len(word) + 1]


def _place(api: Api, verb: Verb, items: set[str]) -> None:
    twins = api.verbs.setdefault((verb.noun, verb.name), [])
    if all(len(twin.parameters) != len(verb.parameters) for twin in twins):
        twins.append(verb)
        return
    owner = _owner(verb.path)
    if owner in items:
        _place(api, replace(verb, noun=owner, name=_words(verb.path)[-1]), set())


def _has_item(verb: Verb, found: list[Verb]) -> bool:
    return any(re.fullmatch(rf"{re.escape(verb.path)}/{{[^}}/]+}}", other.path) for other in found)


def _verb(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Verb | None:
    parameters = [_followed(document, one) for one in operation.get("parameters", ())]
    query = tuple(_parameter(document, one) for one in parameters if one.get("in") == "query")
    tag = next(iter(operation.get("tags", ())), "")
    words = _words(path)
    if tag in _SKIPPED or not path.startswith(f"{ROOT}/") or not words:
        return None
    listing = method == "get" and any(one.name == "cursor" for one in query)
    collection = "get" in document["paths"][path] and _lists(document, path)
    noun, name = _name(path, method, listing=listing, collection=collection, operation=operation)
    body = _body(document, operation)
    return Verb(
        noun,
        name,
        method.upper(),
        path,
        operation.get("summary", ""),
        tag,
        parameters=tuple(re.findall(r"{([^}]+)}", path)),
        query=tuple(one for one in query if one.name not in CONTROL),
        fields=_flags(document, body),
        body=bool(body),
        listing=listing,
        named=name == "create" and "name" in _fields(document, body, "metadata"),
        conditional=any(one.get("name") == "If-Match" for one in parameters),
        keyed=any(one.get("name") == "Idempotency-Key" for one in parameters),
        spec="spec" in body.get("properties", {}),
        required=frozenset(body.get("required", ())),
        streaming="text/event-stream" in operation["responses"].get("200", {}).get("content", {}),
    )


def _name(
    path: str, method: str, *, listing: bool, collection: bool, operation: dict[str, Any]
) -> tuple[str, str]:
    """Noun and verb: of an object, of a collection, else the last word is what is done with what stands before."""
    last = _words(path)[-1]
    if path.endswith("}"):
        return singular(last), ITEM_VERBS.get(method, method)
    if listing:
        return singular(last), "list"
    if method == "post" and collection:
        return singular(last), "create"
    owner = _owner(path)
    if not owner:
        return singular(last), ITEM_VERBS.get(method, method)
    prefix = "" if method in {"get", "post"} else f"{_first_word(operation)}-"
    return owner, f"{prefix}{last}"


def _owner(path: str) -> str:
    """The noun before the last word of a path; empty where there is none."""
    words = _words(path)
    return singular(words[-2]) if len(words) > 1 else ""


def _words(path: str) -> list[str]:
    return [part for part in path.removeprefix(ROOT).split("/") if part and not part.startswith("{")]


def _first_word(operation: dict[str, Any]) -> str:
    found = re.match(r"[a-z]+", operation.get("operationId", ""))
    return found.group() if found else "do"


def _lists(document: dict[str, Any], path: str) -> bool:
    found = document["paths"][path]["get"].get("parameters", ())
    return any(_followed(document, one).get("name") == "cursor" for one in found)


def _parameter(document: dict[str, Any], found: dict[str, Any]) -> Parameter:
    schema = _followed(document, found.get("schema", {}))
    return Parameter(found["name"], _kind(schema) or "string", found.get("description", ""), _choices(schema))


def _body(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return _followed(document, content.get("application/json", {}).get("schema", {}))


def _fields(document: dict[str, Any], body: dict[str, Any], name: str) -> dict[str, Any]:
    found = _followed(document, body.get("properties", {}).get(name, {}))
    return dict(found.get("properties", {}))


def _flags(document: dict[str, Any], body: dict[str, Any]) -> tuple[Field, ...]:
    """Of a spec, or of a flat body; fields of fields too, lists of plain values too."""
    properties = body.get("properties", {})
    root = ("spec",) if "spec" in properties else ()
    schema = _followed(document, properties["spec"]) if root else body
    return tuple(_leaves(document, schema, root))


def _leaves(document: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[Field]:
    for name, raw in schema.get("properties", {}).items():
        found, here = _followed(document, raw), (*path, name)
        text = raw.get("description") or found.get("description", "")
        kind = _kind(found)
        if kind == "array":
            inner = _followed(document, found.get("items", {}))
            if _kind(inner) in _PLAIN:
                yield Field(here, _kind(inner), many=True, choices=_choices(inner), text=text)
        elif kind in _PLAIN:
            yield Field(here, kind, choices=_choices(found), text=text)
        elif "properties" in found and len(here) < 4:  # noqa: PLR2004 - deeper fields are for files
            yield from _leaves(document, found, here)


def flag(one: Field, among: Iterable[Field]) -> str:
    """``--cpu`` for ``spec.resources.cpu``; with its parent where the last word would not tell it apart."""
    last = one.path[-1]
    alone = sum(other.path[-1] == last for other in among) == 1
    nested = len([part for part in one.path if part != "spec"]) > 1
    words = (
        (last,) if alone and not (nested and last in _COMMON) else tuple(p for p in one.path if p != "spec")
    )
    return kebab("-".join(words))


def kebab(name: str) -> str:
    """``dryRun`` and ``dry_run`` → ``dry-run``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def _followed(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without references, and without "or null"."""
    for _ in range(8):
        if "$ref" in schema:
            target: Any = document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target.get(part, {})
            schema = target
        elif len(choices := _not_null(schema)) == 1:
            schema = {**{k: v for k, v in schema.items() if k in {"description", "default"}}, **choices[0]}
        else:
            return schema
    return {}


def _not_null(schema: dict[str, Any]) -> list[dict[str, Any]]:
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            null = ({"type": "null"}, {"$ref": "#/components/schemas/NullEnum"})
            return [one for one in schema[word] if one not in null]
    return []


def _kind(schema: dict[str, Any]) -> str:
    """One type; text where several are taken."""
    kinds = schema.get("type", "string" if "enum" in schema or "oneOf" in schema else "")
    several = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else [kinds]
    return "string" if "string" in several else str(several[0]) if several else ""


def _choices(schema: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(one) for one in schema.get("enum", ()) if one is not None)
