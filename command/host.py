"""Prepares a host cluster with an admin's kubeconfig, and makes the provisioner's own credential."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml

from command import home as homes
from command import programs
from command.environment import CHECKOUT
from command.terminal import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from command.home import Home

RELEASE: Final = "atoll-host"
RELEASE_NAMESPACE: Final = "kube-system"
CHART: Final = CHECKOUT / "helm" / "host"
NAMESPACE: Final = "atoll-system"
SERVICE_ACCOUNT: Final = "atoll-provisioner"
LIFETIME: Final = timedelta(days=365)
HELM_TIMEOUT: Final = 180
REQUEST_TIMEOUT: Final = (5, 30)
RIGHTS_SECONDS: Final = 30
RIGHTS: Final = (
    {"verb": "list", "group": "storage.k8s.io", "resource": "storageclasses"},
    {"verb": "list", "group": "discovery.k8s.io", "resource": "endpointslices", "namespace": "default"},
)
"""One of each role that helm/host binds at once."""
UNFINISHED: Final = {"pending-install", "pending-upgrade", "pending-rollback"}


@dataclass(frozen=True)
class Admin:
    """The rights of a cluster-admin, used for this and never kept."""

    kubeconfig: Path
    helm: str
    home: Home

    def run_helm(self, *arguments: str, namespace: str = RELEASE_NAMESPACE) -> str:
        """One Helm command on this cluster."""
        state = self.home.root / "helm"
        environment = {
            **os.environ,
            "HELM_CACHE_HOME": str(state / "cache"),
            "HELM_CONFIG_HOME": str(state / "config"),
            "HELM_DATA_HOME": str(state / "data"),
        }
        argv = [self.helm, *arguments, "--namespace", namespace, "--kubeconfig", str(self.kubeconfig)]
        return programs.run(argv, environment=environment, timeout=HELM_TIMEOUT)


def prepare(admin: Admin, name: str, values: dict[str, Any] | None = None) -> datetime:
    """Installs helm/host and writes the provisioner's kubeconfig; gives the time at which that ends."""
    install(admin, values)
    token, ends = _mint(admin.kubeconfig)
    _wait_for_rights(kubeconfig(admin.kubeconfig, token))
    text = yaml.safe_dump(kubeconfig(admin.kubeconfig, token), sort_keys=False)
    homes.write(admin.home.host_kubeconfig(name), text)
    return ends


def install(admin: Admin, values: dict[str, Any] | None = None) -> None:
    """Makes what is missing of helm/host and puts right what it says and is otherwise.

    ``values`` is what this host has otherwise than the chart's defaults; ``None`` keeps what it
    was installed with.
    """
    _clear_unfinished(admin)
    given = ["--reset-then-reuse-values"] if values is None else ["--set-json", json.dumps(values)]
    # The provisioner keeps the policies too, and may have written fields that this chart changes.
    admin.run_helm("upgrade", "--install", RELEASE, str(CHART), "--force-conflicts", *given)


def installed(admin: Admin) -> list[dict[str, Any]]:
    """The objects of helm/host as they were installed last, with the marks by which Helm knows them."""
    text = admin.run_helm("get", "manifest", RELEASE)
    return [_helms(found) for found in yaml.safe_load_all(text) if found]


def _helms(body: dict[str, Any]) -> dict[str, Any]:
    metadata = body["metadata"]
    owner = {
        "meta.helm.sh/release-name": RELEASE,
        "meta.helm.sh/release-namespace": RELEASE_NAMESPACE,
    }
    marks = {
        "labels": {**metadata.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {**metadata.get("annotations", {}), **owner},
    }
    return {**body, "metadata": {**metadata, **marks}}


def _clear_unfinished(admin: Admin) -> None:
    """A Helm that was killed leaves a record that blocks every later one."""
    listed = admin.run_helm("list", "--filter", f"^{RELEASE}$", "--output", "json")
    for release in yaml.safe_load(listed) or []:
        if release["status"] in UNFINISHED and release["revision"] in {"1", 1}:
            admin.run_helm("uninstall", RELEASE, "--wait")
        elif release["status"] in UNFINISHED:
            admin.run_helm("rollback", RELEASE)


def _mint(admin: Path) -> tuple[str, datetime]:
    """A token of the provisioner's ServiceAccount; the API server may cut its life short."""
    from kubernetes import client, config  # noqa: PLC0415 - a second of work that few commands need

    wanted = client.V1TokenRequestSpec(audiences=[], expiration_seconds=int(LIFETIME.total_seconds()))
    try:
        with config.new_client_from_config(str(admin)) as api:  # type: ignore[no-untyped-call] # it has no types
            answer = client.CoreV1Api(api).create_namespaced_service_account_token(
                SERVICE_ACCOUNT,
                NAMESPACE,
                client.AuthenticationV1TokenRequest(spec=wanted),
                _request_timeout=REQUEST_TIMEOUT,
            )
    except Exception as error:  # the client lets urllib3's and its own errors through
        raise CommandError(f"no token for {NAMESPACE}/{SERVICE_ACCOUNT}: {_first_line(error)}") from error
    given: Any = answer.status
    return str(given.token), given.expiration_timestamp.astimezone(UTC)


def _wait_for_rights(credential: dict[str, Any]) -> None:
    """An API server heeds new roles a moment after it took them; until then it would refuse the workers."""
    from kubernetes import client, config  # noqa: PLC0415 - as above

    end = time.monotonic() + RIGHTS_SECONDS
    with config.new_client_from_config_dict(credential) as api:  # type: ignore[no-untyped-call] # it has no types
        reviews: Any = client.AuthorizationV1Api(api)
        for right in RIGHTS:
            body = {"spec": {"resourceAttributes": right}}
            while not _allowed(reviews, body):
                if time.monotonic() > end:
                    raise CommandError(f"{SERVICE_ACCOUNT} may not {right}: was helm/host changed by hand?")
                time.sleep(0.1)


def _allowed(reviews: Any, body: dict[str, Any]) -> bool:  # noqa: ANN401 - the client has no types
    try:
        answer = reviews.create_self_subject_access_review(body, _request_timeout=REQUEST_TIMEOUT)
    except Exception as error:  # as in _mint
        raise CommandError(
            f"the cluster does not tell what {SERVICE_ACCOUNT} may do: {_first_line(error)}"
        ) from error
    return bool(answer.status.allowed)


def kubeconfig(admin: Path, token: str) -> dict[str, Any]:
    """The same cluster as in ``admin``'s current context, with the provisioner's token."""
    given = yaml.safe_load(admin.read_text())
    context = _named(given.get("contexts"), given.get("current-context"), "context", admin)
    cluster = dict(_named(given.get("clusters"), context.get("cluster"), "cluster", admin))
    authority = cluster.pop("certificate-authority", None)
    if authority:
        data = (admin.parent / authority).read_bytes()
        cluster["certificate-authority-data"] = base64.b64encode(data).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "host", "cluster": cluster}],
        "users": [{"name": "provisioner", "user": {"token": token}}],
        "contexts": [{"name": "provisioner@host", "context": {"cluster": "host", "user": "provisioner"}}],
        "current-context": "provisioner@host",
    }


def _named(entries: list[dict[str, Any]] | None, name: str | None, kind: str, source: Path) -> dict[str, Any]:
    for entry in entries or []:
        if entry["name"] == name:
            return dict(entry[kind])
    raise CommandError(f"{source} has no {kind} {name!r}: set one with kubectl config use-context")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
