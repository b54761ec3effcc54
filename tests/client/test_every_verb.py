"""Every operation of the API by its own words: the request of the access matrix is what arrives."""

from __future__ import annotations

import io
import json
import re

import pytest
import typer

from atoll_client import document
from atoll_client.cli.main import build
from atoll_client.cli.shell import Shell
from portal.api import schema
from tenancy.actions import inspection
from tests import factories
from tests.client.portal import Portal
from tests.portal.api.access_matrix import MATRIX

UID = "00000000-0000-4000-8000-000000000000"
OPERATIONS = [line for line in MATRIX if "/api/v1/" in line and "openapi" not in line]


def test_each_operation_arrives(team, monkeypatch, impatient):
    """What the portal answers is not of interest: it documents that, and each line leaves its traces here."""
    monkeypatch.setenv("ATOLL_URL", "http://testserver")
    monkeypatch.setenv("ATOLL_TOKEN", factories.token(factories.admin()))
    monkeypatch.setattr("atoll_client.cli.shell.PATIENCE", 0)
    inspection.sign()
    portal, api = Portal(), document.read(schema.document())
    command = typer.main.get_command(build(Shell(["atoll"], portal), api))

    amiss = {line: told for line in OPERATIONS if (told := tried(command, api, portal, line, monkeypatch))}

    assert amiss == {}


def tried(command, api, portal, operation, monkeypatch):
    """What was amiss; empty for an operation whose request arrived and whose end was in order."""
    method, template = operation.split()
    line = MATRIX[operation]
    path = re.sub(r"{\w+}", UID, line.request)
    words, body = spoken(api, method, template, path, line.body)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(body) if body is not None else ""))
    portal.seen.clear()
    with pytest.raises(SystemExit) as ended:
        command(words, prog_name="atoll")
    sent = next((one for one in reversed(portal.seen) if one.method == method), None)
    arrived = (
        sent is not None and sent.url.path == path and (body is None or json.loads(sent.content) == body)
    )
    # The key goes where the document has it, and nowhere else.
    arrived = arrived and ("Idempotency-Key" in sent.headers) == keyed(api, method, template)
    return "" if arrived and ended.value.code in {0, 1, 3, 4, 5} else f"{words}: {ended.value.code}, {sent}"


def keyed(api, method, template):
    parameters = api.document["paths"][template][method.lower()].get("parameters", [])
    return any(one.get("name") == "Idempotency-Key" for one in parameters)


def spoken(api, method, template, path, body):
    """The words for a request."""
    (noun, name, verb) = next(
        (noun, name, verb)
        for (noun, name), verbs in api.verbs.items()
        for verb in verbs
        if (verb.method, verb.path) == (method, template)
    )
    values = re.fullmatch(re.sub(r"{\w+}", "([^/]+)", template), path).groups()
    if verb.named:
        values = (*values, body["metadata"]["name"])
    words = [noun, name, *(["/".join(values)] if values else []), "-o", "json"]
    if (noun, name) == ("cluster", "kubeconfig"):
        return [*words[:3], "--lifetime", "60m", "-f", "-"], {"lifetime": "60m"}
    if method == "DELETE":
        words.append("--yes")
    return ([*words, "-f", "-"], body) if verb.body and body is not None else (words, None)
