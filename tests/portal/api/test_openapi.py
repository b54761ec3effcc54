from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from portal.api import schema
from portal.management.commands.openapi import DOCUMENT
from tests.portal.api.client import Api

PROBLEM = {"$ref": "#/components/schemas/Problem"}


# That the committed document is what the code serves is asked by `just schema`, a part of each whole run.
@pytest.mark.long
def test_a_stale_document_fails_the_check(tmp_path):
    stale = tmp_path / "openapi.yaml"
    stale.write_text(DOCUMENT.read_text().replace("putCluster", "placeCluster"))

    with pytest.raises(CommandError, match="stale"):
        call_command("openapi", check=True, file=stale)
    assert list(tmp_path.iterdir()) == [stale]


def test_the_document_is_served_to_everybody():
    response = Api().get("/openapi.json")

    assert response.status_code == 200
    assert response.json()["openapi"] == "3.1.0"
    assert response.json() == schema.document()


def _operations():
    for path, item in schema.document()["paths"].items():
        for method, found in item.items():
            yield f"{method} {path}", found


@pytest.mark.parametrize(("label", "found"), list(_operations()))
def test_every_answer_has_a_schema_and_every_operation_its_words(label, found):
    assert found["summary"]
    assert found["tags"] != [""]
    for status, answer in found["responses"].items():
        if int(status) < 300:
            assert all(shape["schema"] for shape in answer["content"].values()), label
        else:
            assert answer["content"] == {"application/problem+json": {"schema": PROBLEM}}, label
