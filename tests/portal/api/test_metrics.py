"""What Prometheus is told: by its own parser, of a world that is known; to whom, and whatever there is to read."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from portal.env import REPOSITORY
from portal.metrics import CHAPTERS
from tenancy.actions import accelerators, findings, grants, services, tenants, webhooks, work
from tenancy.actions.unit import atomic
from tenancy.enums import FindingKind, PlatformRole, ServiceKind, WorkKind
from tenancy.event_enums import DeliveryState
from tenancy.models import Allocation, AuditHead, Delivery, Event, Grant, HostCluster
from tenancy.rules.drift import Place
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.portal.api.test_findings import drift
from tests.support.worlds import made_once

pytestmark = pytest.mark.django_db
NAMES = {metric.name: chapter for chapter in CHAPTERS for metric in chapter.metrics}
TOKEN = "a-token-of-the-operators"


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with made_once(django_db_blocker):
        yield a_bit_of_everything()


def a_bit_of_everything():
    """Two hosts, one never reached; devices granted, held, used and late; something waits everywhere."""
    owner = factories.actor("owner")
    factories.host()
    factories.host("away", facts=None)
    factories.tenant("team", owner=owner)
    factories.tenant("quiet")
    tenants.update(by=factories.admin(), name="quiet", suspended=True)
    factories.ready(factories.cluster(owner, "team"))
    _devices(owner)
    services.beat(ServiceKind.WORKER, "celery@one")
    hook = webhooks.WebhookWish("https://93.184.215.14/in")
    webhooks.put(by=owner, tenant_name="team", name="hook", wish=hook)
    webhooks.ping(by=owner, tenant_name="team", name="hook")
    Delivery.objects.update(state=DeliveryState.FAILED, next_at=None)
    webhooks.ping(by=owner, tenant_name="team", name="hook")
    _a_finding()
    return owner


def _devices(owner):
    """Of 8, 3 are granted, 1 held and used, 2 late; for another class somebody waits, who may have 5."""
    factories.accelerator()
    factories.accelerator("spare", "amd.com/gpu")
    factories.gpu_pool(8)
    factories.gpu_pool(1, name="amd", resource="amd.com/gpu")
    factories.gpu_grant(owner, 3)
    over = factories.gpu_grant(owner, 2)
    factories.cluster(owner, "team", "second", {"accelerators": [{"class": "gpu", "count": 4}]})
    Allocation.objects.update(used={"gpus-1": 1})
    grants.return_early(by=owner, uid=over.uid)
    Grant.objects.filter(pk=over.pk).update(deadline=timezone.now() - timedelta(minutes=1))
    accelerators.set_limit(by=factories.admin(), tenant_name="team", key="spare", amount=5)
    factories.gpu_request(owner, 1, key="spare")


def _a_finding():
    lab = HostCluster.objects.get(name="lab")
    with atomic():
        work.request(WorkKind.HOST, lab.uid)
    lease = work.claim(WorkKind.HOST, lab.uid)
    assert findings.noticed(lease, Place("lab"), drift())


def told(response):
    """Name and labels → value."""
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(found, name, /, **labels):
    return found[(name, *sorted(labels.items()))]


def test_figures_are_those_of_the_world(world):
    found = told(Api(factories.admin()).get("/metrics"))
    pool = {"host": "lab", "pool": "gpus", "accelerator": "gpu"}
    mine = {**pool, "tenant": "team"}

    assert {name: of(found, f"atoll_gpu_{name}_devices", **pool) for name in ("capacity", "deficit")} == {
        "capacity": 8,
        "deficit": 0,
    }
    assert {
        name: of(found, f"atoll_gpu_{name}_devices", **mine)
        for name in ("granted", "returning", "held", "used")
    } == {"granted": 3, "returning": 2, "held": 4, "used": 1}
    assert of(found, "atoll_gpu_limit_devices", tenant="team", accelerator="spare") == 5
    assert of(found, "atoll_gpu_requests_open", accelerator="spare", state="requested") == 1
    assert of(found, "atoll_gpu_grants", accelerator="gpu", phase="reclaiming") == 1
    assert of(found, "atoll_gpu_grants_overdue", accelerator="gpu") == 1
    assert of(found, "atoll_gpu_reclaims_running", accelerator="gpu", rung="none") == 1
    assert of(found, "atoll_clusters", host="lab", phase="Ready") == 1
    assert of(found, "atoll_clusters", host="away", phase="Ready") == 0
    assert of(found, "atoll_clusters_behind", host="lab", phase="Ready") == 0
    assert of(found, "atoll_cluster_conditions", type="Available", status="True") == 1
    assert [of(found, "atoll_host_reachable", host=host) for host in ("lab", "away")] == [1, 0]
    assert ("atoll_host_seen_timestamp_seconds", ("host", "away")) not in found
    assert of(found, "atoll_host_nodes", host="lab") == 2
    assert of(found, "atoll_services_alive", service="worker") == 1
    assert of(found, "atoll_services_alive", service="relay") == 0
    assert of(found, "atoll_operations_running", kind="create") == 1
    assert [of(found, "atoll_tenants", suspended=word) for word in ("false", "true")] == [1, 1]
    assert of(found, "atoll_findings_open", host="lab", kind=FindingKind.GUARD_RAIL_CHANGED) == 1
    assert of(found, "atoll_webhook_deliveries_failed") == 1
    assert of(found, "atoll_webhook_deliveries_waiting") == 1
    assert (of(found, "atoll_webhooks_sending"), of(found, "atoll_webhooks_failing")) == (1, 0)
    assert of(found, "atoll_events_total") == Event.objects.count() > 0
    assert of(found, "atoll_audit_rows_total") == AuditHead.objects.get().sequence > 0
    assert of(found, "atoll_work_running", kind="host") == 1
    assert of(found, "atoll_work_due", kind="cluster") == 1


def test_ages_are_seconds_and_moments_unix_time(world):
    found, now = told(Api(factories.admin()).get("/metrics")), timezone.now().timestamp()

    for name in ("atoll_work_oldest_due_seconds", "atoll_operations_oldest_running_seconds"):
        assert 0 < of(found, name, kind="cluster" if "work" in name else "create") < 600, name
    assert now - 600 < of(found, "atoll_host_seen_timestamp_seconds", host="lab") <= now
    process = {"service": "worker", "name": "celery@one"}
    assert now - 600 < of(found, "atoll_process_seen_timestamp_seconds", **process) <= now


def test_names_are_prometheus_own_and_each_is_explained(world):
    text = Api(factories.admin()).get("/metrics").content.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}

    assert len(NAMES) == sum(len(chapter.metrics) for chapter in CHAPTERS)
    assert set(families) == {name.removesuffix("_total") for name in NAMES}
    for name, family in families.items():
        assert re.fullmatch(r"atoll(_[a-z]+)+", name)
        assert family.documentation.endswith("."), name
        assert family.type == ("counter" if f"{name}_total" in NAMES else "gauge")


def test_no_series_is_a_clusters(world):
    assert not {label for chapter in CHAPTERS for label in chapter.labels} & {"cluster", "namespace", "user"}


def test_a_scrape_costs_as_much_whatever_there_is(world):
    api = Api(factories.admin())
    assert api.get("/metrics").status_code == 200  # the token's use is noted
    with CaptureQueriesContext(connection) as before:
        told(api.get("/metrics"))
    for number in range(3):
        factories.host(f"more{number}")
        other = factories.actor()
        factories.tenant(f"more{number}", owner=other)
        factories.cluster(other, f"more{number}")
        key = f"class{number}"
        factories.accelerator(key, f"{key}.com/gpu")
        factories.gpu_pool(2, name=key, resource=f"{key}.com/gpu")
        factories.gpu_grant(world, 1, key=key)
    with CaptureQueriesContext(connection) as after:
        told(api.get("/metrics"))

    assert len(after) == len(before) < 40


def test_nothing_is_told_without_a_token(world, settings):
    settings.ATOLL_METRICS_TOKEN = ""
    client = Client()
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        assert_problem(client.get("/metrics", headers=header), 401, "not-authenticated")


def test_the_operators_token_reads_this_and_nothing_else(world, settings):
    settings.ATOLL_METRICS_TOKEN = TOKEN
    client = Client(headers={"Authorization": f"Bearer {TOKEN}"})

    assert "atoll_work_due" in client.get("/metrics/").content.decode()
    assert client.head("/metrics").status_code == 200
    for path in ("/api/v1/me", "/api/v1/hosts", "/api/v1/tenants"):
        assert_problem(client.get(path), 401, "not-authenticated")
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    assert_problem(client.get("/metrics", headers=wrong), 401, "not-authenticated")
    assert_problem(
        client.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"}), 401, "not-authenticated"
    )


def test_an_api_token_needs_the_scope_and_an_auditors_role(world):
    auditor = factories.actor("audrey", PlatformRole.AUDITOR)
    assert told(Api(auditor, scopes=("metrics:read",)).get("/metrics"))
    assert_problem(Api(auditor, scopes=("hosts:read",)).get("/metrics"), 403, "insufficient-scope")
    assert_problem(Api(world).get("/metrics"), 403, "not-allowed")


def test_a_scraper_may_come_by_any_name(world, settings):
    settings.ATOLL_METRICS_TOKEN = TOKEN
    client = Client(headers={"Authorization": f"Bearer {TOKEN}", "Host": "10.42.0.7:8000"})

    assert client.get("/metrics").status_code == 200
    assert_problem(client.get("/api/v1/hosts"), 400, "invalid")


def test_alerts_name_what_there_is(world):
    """Metrics, their labels, and the words of the closed ones."""
    rules = yaml.safe_load((REPOSITORY / "helm/atoll/files/alerts.yaml").read_text())["groups"][0]["rules"]
    text = "\n".join(rule["expr"] for rule in rules)

    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    assert set(re.findall(r"atoll_\w+", text)) <= set(NAMES)
    for name, selected in re.findall(r"(atoll_\w+)\{([^}]*)\}", text):
        for label, words in re.findall(r'(\w+)=~?"([^"]*)"', selected):
            assert label in NAMES[name].labels, name
            assert set(words.split("|")) <= {str(getattr(row, label)) for row in NAMES[name].read()}
    for rule in rules:
        used = set(re.findall(r"\$labels\.(\w+)", yaml.safe_dump(rule)))
        (first, *_) = re.findall(r"atoll_\w+", rule["expr"])
        assert used <= set(NAMES[first].labels), rule["alert"]
