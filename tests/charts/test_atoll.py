from __future__ import annotations

from typing import Any

import pytest
import yaml

from portal import env
from tests.charts.conftest import one

CHART = "atoll"
PLAIN: dict[str, Any] = {"publicUrl": "https://atoll.example.com"}
DEPLOYMENTS = ("portal", "relay", "worker")


def workloads(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Pod specs by component."""
    found = [o for o in objects if o["kind"] in {"Deployment", "Job"}]
    return {o["metadata"]["name"].removeprefix("cluster-"): o["spec"]["template"]["spec"] for o in found}


@pytest.fixture
def pods(helm):
    return workloads(helm.objects(CHART, PLAIN))


def test_lint_finds_nothing(helm):
    done = helm.lint(CHART, PLAIN)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_each_process_runs_by_its_own_command(pods):
    assert {name: pod["containers"][0]["command"] for name, pod in pods.items()} == {
        "portal": [
            "uvicorn",
            "portal.asgi:application",
            "--host",
            "0.0.0.0",
            "--port",
            "8000",
            "--http",
            "portal.server:Protocol",
            "--no-proxy-headers",
            "--timeout-graceful-shutdown",
            "10",
        ],
        "relay": ["python", "manage.py", "relay"],
        "worker": ["python", "manage.py", "worker", "--concurrency", "4"],
        "migrate": ["python", "manage.py", "migrate", "--noinput"],
    }


def test_every_setting_given_is_one_that_atoll_knows(pods):
    known = {f"ATOLL_{name.upper()}" for name in env.Environment.model_fields}
    for pod in pods.values():
        assert {e["name"] for e in pod["containers"][0]["env"]} <= known


def test_only_those_who_ring_and_hear_reach_the_broker(pods):
    told = {
        n for n, pod in pods.items() if "ATOLL_BROKER_URL" in {e["name"] for e in pod["containers"][0]["env"]}
    }
    assert told == {"relay", "worker"}


def test_the_portals_alone_share_counts_and_know_their_proxies(helm):
    given = {
        "secrets": {"rateStoreUrl": {"name": "rates", "key": "url"}},
        "portal": {"trustedProxies": "10.1.0.0/16"},
    }
    pods = workloads(helm.objects(CHART, {**PLAIN, **given}))
    told = {name: {e["name"]: e for e in pod["containers"][0]["env"]} for name, pod in pods.items()}
    assert [name for name, env in told.items() if "ATOLL_RATE_STORE" in env] == ["portal"]
    assert told["portal"]["ATOLL_RATE_STORE"]["valueFrom"]["secretKeyRef"] == {"name": "rates", "key": "url"}
    assert told["portal"]["ATOLL_TRUSTED_PROXIES"]["value"] == "10.1.0.0/16"


MONITORED: dict[str, Any] = {
    **PLAIN,
    "secrets": {"metricsToken": {"name": "atoll-metrics", "key": "metrics-token"}},
    "metrics": {
        "scrapeConfig": {"enabled": True, "labels": {"release": "prometheus"}},
        "rules": {"enabled": True},
    },
}


def test_the_prometheus_operator_is_told_where_to_ask_with_the_portals_own_token(helm):
    objects = helm.objects(CHART, MONITORED)
    config, rules = one(objects, "ScrapeConfig", "cluster"), one(objects, "PrometheusRule", "cluster")
    key = {"name": "atoll-metrics", "key": "metrics-token"}

    assert config["spec"] == {
        "staticConfigs": [
            {"targets": ["cluster-portal.atoll-demo-first-00000000.svc:80"], "labels": {"job": "cluster"}}
        ],
        "metricsPath": "/metrics",
        "scrapeInterval": "30s",
        "authorization": {"type": "Bearer", "credentials": key},
    }
    assert config["metadata"]["labels"]["release"] == "prometheus"
    assert rules["spec"] == yaml.safe_load((env.REPOSITORY / "helm/atoll/files/alerts.yaml").read_text())
    told = {e["name"]: e for e in workloads(objects)["portal"]["containers"][0]["env"]}
    assert told["ATOLL_METRICS_TOKEN"]["valueFrom"]["secretKeyRef"] == key
    assert not {"ScrapeConfig", "PrometheusRule"} & {o["kind"] for o in helm.objects(CHART, PLAIN)}


def test_no_service_of_the_namespace_becomes_a_setting(pods):
    # A Service called "atoll" would set ATOLL_PORT, and unknown settings stop the start.
    assert all(pod["enableServiceLinks"] is False for pod in pods.values())


def test_secrets_come_from_secrets(pods):
    for pod in pods.values():
        plain = {e["name"] for e in pod["containers"][0]["env"] if "value" in e}
        assert plain == {"ATOLL_HOME", "ATOLL_PUBLIC_URL", "ATOLL_LOG_FORMAT"}


def test_no_rights_on_the_cluster_unless_it_is_a_host(helm, pods):
    objects = helm.objects(CHART, PLAIN)
    assert not {o["kind"] for o in objects} & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    assert not any(pod["automountServiceAccountToken"] for pod in pods.values())
    own = workloads(helm.objects(CHART, {**PLAIN, "worker": {"serviceAccount": "atoll-provisioner"}}))
    assert own["worker"]["serviceAccountName"] == "atoll-provisioner"
    assert [name for name, pod in own.items() if pod["automountServiceAccountToken"]] == ["worker"]


def test_pods_keep_to_the_restricted_level(pods):
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_probes_ask_the_portal_by_a_name_it_answers_to(pods):
    container = pods["portal"]["containers"][0]
    for probe, path in [
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ]:
        asked = container[probe]["httpGet"]
        assert asked == {
            "path": path,
            "port": "http",
            "httpHeaders": [{"name": "Host", "value": "localhost"}],
        }
    for name in ("relay", "worker"):
        assert pods[name]["containers"][0]["livenessProbe"]["exec"]["command"][-2:] == ["alive", name]


def test_tables_change_before_anything_new_starts(helm):
    job = one(helm.objects(CHART, PLAIN), "Job", "cluster-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_host_kubeconfigs_reach_the_workers_only(helm):
    pods = workloads(helm.objects(CHART, {**PLAIN, "hostKubeconfigs": "hosts"}))
    assert [n for n, p in pods.items() if "hosts" in {v["name"] for v in p["volumes"]}] == ["worker"]


def test_an_ingress_is_made_for_a_host_name(helm):
    assert "Ingress" not in {o["kind"] for o in helm.objects(CHART, PLAIN)}
    ingress = {"host": "atoll.example.com", "tlsSecret": "tls", "className": "nginx"}
    made = one(helm.objects(CHART, {**PLAIN, "portal": {"ingress": ingress}}), "Ingress", "cluster-portal")
    assert made["spec"]["tls"] == [{"hosts": ["atoll.example.com"], "secretName": "tls"}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "at '/publicUrl': '' does not match pattern"),
        ({"publicUrl": "https://atoll.example.com/path"}, "at '/publicUrl'"),
        ({**PLAIN, "database": "x"}, "additional properties 'database' not allowed"),
        ({**PLAIN, "worker": {"replicas": 0}}, "at '/worker/replicas': minimum: got 0, want 1"),
        ({**PLAIN, "metrics": {"scrapeConfig": {"enabled": True}}}, "name it in secrets.metricsToken"),
        (
            {**PLAIN, "secrets": {"secretKey": "plain text"}},
            "at '/secrets/secretKey': got string, want object",
        ),
    ],
)
def test_bad_values_are_refused_by_name(helm, values, message):
    assert message in helm.refusal(CHART, values)


def test_every_image_comes_from_the_mirror(helm):
    pods = workloads(helm.objects(CHART, {**PLAIN, "imagePrefix": "mirror.example.com"}))
    assert {p["containers"][0]["image"] for p in pods.values()} == {"mirror.example.com/atoll:0.1.0"}
