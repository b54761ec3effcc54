"""Create → ready with Helm alone, by the same definition of ready.

Ready means, as for Atoll: the tenant's API answers as ready, its DNS is available, a
credential can be issued, and a pod that asks for no runtime class ran in the sandbox.
The values are those of a release that Atoll made.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from command.bench.through_atoll import LOOK_SECONDS, PATIENCE_SECONDS
from command.environment import CHECKOUT
from command.terminal import CommandError
from lab.images import BUSYBOX_IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from command.host import Admin

RELEASE: Final = "cluster"
CHART: Final = CHECKOUT / "helm" / "virtual-cluster"
SYSTEM: Final = "bench-system"
ACCOUNT: Final = "probe"
TIMEOUT: Final = (2, 10)
SANDBOX: Final = "gvisor"
NOT_FOUND: Final = 404
CONFLICT: Final = 409
NOT_YET: Final = (HTTPError, client.ApiException, OSError)


@dataclass(frozen=True)
class Bare:
    """Helm and the host's API, as cluster-admin."""

    admin: Admin
    core: Any
    """The host's CoreV1Api."""

    def values_of(self, namespace: str) -> dict[str, Any]:
        """What a release was installed with."""
        said = self.admin.run_helm("get", "values", RELEASE, "--output", "json", namespace=namespace)
        return dict(json.loads(said))

    def create(self, namespace: str, values: dict[str, Any]) -> float:
        """Seconds from the call of Helm to ready."""
        path = self.admin.home.run / "bench-values.yaml"
        path.write_text(yaml.safe_dump(values))
        began = time.monotonic()
        words = ("install", RELEASE, str(CHART), "--create-namespace", "--values", str(path))
        self.admin.run_helm(*words, namespace=namespace)
        with ExitStack() as opened:
            tenant = opened.enter_context(_until(began, "the tenant's API", lambda: self._open(namespace)))
            _until(began, "a probe in the sandbox", Readiness(tenant).reached)
        return time.monotonic() - began

    def delete(self, namespace: str) -> None:
        """Returns once the namespace is gone."""
        began = time.monotonic()
        with suppress(client.ApiException):
            self.core.delete_namespace(namespace, _request_timeout=TIMEOUT)
        _until(began, f"{namespace} gone", lambda: self._gone(namespace))

    def _open(self, namespace: str) -> Any:  # noqa: ANN401 - the client has no types
        """A client of the tenant's API, once it says that it is ready; else ``None``."""
        secret = self.core.read_namespaced_secret(f"vc-{RELEASE}", namespace, _request_timeout=TIMEOUT)
        service = self.core.read_namespaced_service(RELEASE, namespace, _request_timeout=TIMEOUT)
        document = yaml.safe_load(base64.b64decode(secret.data["config"]))
        for entry in document["clusters"]:
            entry["cluster"]["server"] = f"https://{service.spec.cluster_ip}"
        tenant = config.new_client_from_config_dict(document)  # type: ignore[no-untyped-call] # it has no types
        try:
            tenant.call_api(
                "GET", f"https://{service.spec.cluster_ip}/readyz", _request_timeout=TIMEOUT
            ).read()
        except NOT_YET:
            tenant.close()
            raise
        return tenant

    def _gone(self, namespace: str) -> bool:
        try:
            self.core.read_namespace(namespace, _request_timeout=TIMEOUT)
        except client.ApiException as error:
            return bool(error.status == NOT_FOUND)
        return False


class Readiness:
    """What is asked of a tenant's cluster until all of it is there; what was seen is not asked again."""

    def __init__(self, tenant: Any) -> None:  # noqa: ANN401 - the client has no types
        self._core: Any = client.CoreV1Api(tenant)
        self._apps: Any = client.AppsV1Api(tenant)
        self._open: list[Callable[[], bool]] = [
            self._account,
            self._probe_sent,
            self._dns,
            self._credential,
            self._probe,
        ]

    def reached(self) -> bool:
        """One round of questions."""
        for question in list(self._open):
            with suppress(*NOT_YET):
                if question():
                    self._open.remove(question)
        return not self._open

    def _account(self) -> bool:
        self._once(self._core.create_namespace, {"metadata": {"name": SYSTEM}})
        self._once(self._core.create_namespaced_service_account, SYSTEM, {"metadata": {"name": ACCOUNT}})
        return True

    def _probe_sent(self) -> bool:
        self._once(self._core.create_namespaced_pod, SYSTEM, _probe_pod())
        return True

    @staticmethod
    def _once(create: Callable[..., Any], *words: Any) -> None:  # noqa: ANN401 - as the call takes them
        try:
            create(*words, _request_timeout=TIMEOUT)
        except client.ApiException as error:
            if error.status != CONFLICT:
                raise

    def _dns(self) -> bool:
        found = self._apps.read_namespaced_deployment("coredns", "kube-system", _request_timeout=TIMEOUT)
        return any(c.type == "Available" and c.status == "True" for c in found.status.conditions or [])

    def _credential(self) -> bool:
        wanted = client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
        body = client.AuthenticationV1TokenRequest(spec=wanted)
        given = self._core.create_namespaced_service_account_token(
            ACCOUNT, SYSTEM, body, _request_timeout=TIMEOUT
        )
        return bool(given.status.token)

    def _probe(self) -> bool:
        pod = self._core.read_namespaced_pod(ACCOUNT, SYSTEM, _request_timeout=TIMEOUT)
        for container in pod.status.container_statuses or []:
            if container.state.terminated and SANDBOX in (container.state.terminated.message or ""):
                return True
        return False


def connect(admin: Admin) -> Bare:
    """With the kubeconfig of a cluster-admin."""
    api = config.new_client_from_config(str(admin.kubeconfig))  # type: ignore[no-untyped-call] # it has no types
    return Bare(admin, client.CoreV1Api(api))


def _until(began: float, what: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the look gives
    while True:
        with suppress(*NOT_YET):
            found = look()
            if found:
                return found
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise CommandError(f"not within {PATIENCE_SECONDS} s: {what}")
        time.sleep(LOOK_SECONDS)


def _probe_pod() -> dict[str, Any]:
    """As Atoll's own probe; it asks for no runtime class."""
    container = {
        "name": "probe",
        "image": BUSYBOX_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "{ uname -a; dmesg | head -n 5; } > /dev/termination-log"],
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "enableServiceLinks": False,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": ACCOUNT}, "spec": spec}
