"""What is wanted → the chart's values → what would be installed, against files that people have read.

``UPDATE_GOLDEN=1`` writes the files anew; look at the difference before committing it.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from provisioner.release import control_plane, values
from tenancy.enums import Exposure, Persistence
from tenancy.rules import quantities
from tenancy.rules.offers import KNOWN_VERSIONS
from tests.charts.conftest import CHARTS, one
from tests.charts.wishes import FACTS, WISHES, wish

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((CHARTS / "virtual-cluster" / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHARTS / "virtual-cluster" / "values.yaml").read_text())


def as_golden(path: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def readable(objects: list[dict[str, Any]]) -> str:
    """Manifests in a fixed order, with vCluster's configuration decoded."""
    for item in objects:
        if item["kind"] == "Secret":
            item["decoded"] = yaml.safe_load(b64decode(item.pop("data")["config.yaml"]))
    ordered = sorted(objects, key=lambda o: (o["kind"], o["metadata"]["name"]))
    return yaml.safe_dump_all(ordered, sort_keys=True, width=110)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """As Helm merges values."""
    both = {
        k: merged(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v
        for k, v in over.items()
    }
    return {**base, **both}


@pytest.mark.parametrize("name", sorted(WISHES))
def test_rendered_values_are_as_read(name):
    as_golden(GOLDEN / f"{name}.values.yaml", yaml.safe_dump(values.render(WISHES[name]), sort_keys=True))


@pytest.mark.parametrize("name", sorted(WISHES))
def test_manifests_are_as_read(helm, name):
    objects = helm.objects("virtual-cluster", values.render(WISHES[name]))
    as_golden(GOLDEN / f"{name}.manifests.yaml", readable(objects))


@pytest.mark.parametrize("name", sorted(WISHES))
def test_rendered_values_keep_to_the_schema(name):
    jsonschema.validate(merged(DEFAULTS, values.render(WISHES[name])), SCHEMA)


@pytest.mark.parametrize("version", sorted(KNOWN_VERSIONS))
def test_every_offered_version_has_its_images(version):
    images = values.render(wish(kubernetes_version=version))["images"]
    assert images["kubernetes"]["tag"] == KNOWN_VERSIONS[version]
    assert images["coredns"]["tag"] == values.COREDNS_TAGS[version]


@pytest.mark.parametrize("exposure", list(Exposure))
def test_the_service_type_follows_from_the_exposure(exposure):
    service = values.render(wish(host={"exposure": exposure}))["service"]
    assert service == {"type": values.SERVICE_TYPES[exposure]}


def test_a_host_not_looked_at_yet_has_no_values():
    with pytest.raises(ValueError, match="host 'lab' has not been looked at yet"):
        values.render(wish(host={"facts": None}))


def test_what_comes_about_later_restarts_nothing():
    later = replace(wish(), endpoint="https://203.0.113.7", generation=9, ever_ready=True)
    assert values.render(later) == values.render(wish())


def test_a_second_service_range_of_the_same_family_changes_nothing():
    more = replace(FACTS, service_cidrs=("10.96.0.0/16", "10.97.0.0/16"))
    assert values.render(wish(host={"facts": more})) == values.render(wish())


def test_both_families_are_given_where_the_host_has_both():
    assert values.one_of_each_family(["10.96.0.0/16", "fd00::/112"]) == ["10.96.0.0/16", "fd00::/112"]


def test_the_control_plane_gets_what_the_quota_leaves_for_it(helm):
    objects = helm.objects("virtual-cluster", values.render(wish()))
    pod = one(objects, "StatefulSet", "cluster")["spec"]["template"]["spec"]
    wanted = control_plane.CONTROL_PLANE.resources()
    assert [c["resources"] for c in (*pod["initContainers"], *pod["containers"])] == [wanted, wanted]
    (claim,) = one(objects, "StatefulSet", "cluster")["spec"]["volumeClaimTemplates"]
    size = quantities.parse(claim["spec"]["resources"]["requests"]["storage"])
    assert size == control_plane.store_bytes(Persistence.PERSISTENT)
