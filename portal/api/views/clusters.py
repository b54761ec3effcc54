"""Virtual clusters: what teams come for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal.api.base import RETRY_AFTER, Resource, agree, operation
from portal.api.declared import reads, writes
from portal.api.preconditions import expectation
from portal.api.serializers.clusters import (
    Cluster,
    ClusterFilters,
    PauseWish,
    QuarantineWish,
)
from portal.api.serializers.plans import ClusterPlan
from portal.api.serializers.waiting import WaitQuery
from portal.api.single import Single
from portal.api.waiting import WAIT, Wait, look_until_gone, patient
from tenancy.actions import clusters as verbs
from tenancy.actions import pausing, quarantine
from tenancy.errors import AlreadyExists, PreconditionFailed
from tenancy.queries import cluster_devices, clusters, operations, templates, tenants
from tenancy.rules.preconditions import Expectation
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.actions.clusters import PutResult
    from tenancy.models import VirtualCluster


class ClusterResource(Resource):
    """What collection and item share."""

    tag = "clusters"

    def list_context(self, found: list[VirtualCluster]) -> dict[str, Any]:
        """Conditions, running operation, accelerators and template of each cluster, each in few reads."""
        return {
            "conditions": clusters.facts(found),
            "operations": operations.running(self.actor, [cluster.uid for cluster in found]),
            "devices": cluster_devices.of_clusters(found),
            "templates": templates.uses(found),
        }

    def cluster(self, found: VirtualCluster, **options: Any) -> Response:  # noqa: ANN401 - of ``answer``
        """One cluster, whole."""
        return self.answer(Cluster, found, **options, **self.list_context([found]))

    def written(self, result: PutResult) -> Response:
        """What a write answers: the whole cluster, and when to look again if something is to happen."""
        status = 201 if result.created else 200
        headers = {"Retry-After": RETRY_AFTER} if result.operation else {}
        if result.created:
            headers["Location"] = address(result.cluster)
        return self.cluster(result.cluster, status=status, headers=headers)

    def asked(self, result: PutResult) -> Response:
        """What a verb answers: the whole cluster, which goes on by itself."""
        headers = {"Retry-After": RETRY_AFTER, "Location": address(result.cluster)}
        return self.cluster(result.cluster, status=202, headers=headers)


class Clusters(ClusterResource):
    """The clusters of a tenant."""

    @operation("listClusters", {200: Cluster}, query=ClusterFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's clusters, oldest first."""
        rows = clusters.listed(self.actor, tenants.get(self.actor, tenant))
        return self.listed(Cluster, rows, phase=self.query.get("phase"), name=self.query.get("name"))

    @operation("createCluster", {201: Cluster}, body=Cluster, idempotent=True)
    def post(self, _: Request, tenant: str) -> Response:
        """Creates a cluster with the name in its metadata; PUT to its own address does so repeatably."""
        agree(self.body.get("tenant", {}).get("name"), tenant, "metadata.tenant")
        name, text = self.body.get("name", ""), self.body["spec_text"]
        expect = Expectation(absent=True)
        try:
            result = verbs.put(by=self.actor, tenant_name=tenant, name=name, spec_text=text, expect=expect)
        except PreconditionFailed as error:
            raise AlreadyExists(f"cluster {tenant}/{name} exists already: choose another name") from error
        return self.written(result)


class OneCluster(ClusterResource, Single):
    """One cluster."""

    readiness = "503 also while a host is down; 409 when it failed, sleeps, or is being deleted."

    @reads("getCluster", Cluster)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Reads a cluster: the wish as it was written, and what was last seen."""
        return self.told(tenant=tenant, name=name)

    @writes("putCluster", Cluster, plan=ClusterPlan)
    def put(self, request: Request, tenant: str, name: str) -> Response:
        """Creates or replaces a cluster; an equal spec changes nothing.

        The body may be a whole cluster as read before: status and the server's
        metadata are ignored. With `dry_run=true` the answer is a plan.
        """
        agree(self.body.get("name"), name, "metadata.name")
        agree(self.body.get("tenant", {}).get("name"), tenant, "metadata.tenant")
        text, expect = self.body["spec_text"], expectation(request)
        wish = {"by": self.actor, "tenant_name": tenant, "name": name, "spec_text": text, "expect": expect}
        if self.query["dry_run"]:
            return self.answer(ClusterPlan, verbs.plan(**wish))
        return self.written(verbs.put(**wish))

    @operation(
        "deleteCluster", {200: Cluster, 202: Cluster}, query=WaitQuery, conditional=True, problems=(409,)
    )
    def delete(self, request: Request, tenant: str, name: str) -> Response:
        """Asks for the end of a cluster; it can be read as Deleting until nothing is left of it.

        With `wait=30s` the answer comes when nothing is left (200), or then (202).
        """
        result = verbs.delete(by=self.actor, tenant_name=tenant, name=name, expect=expectation(request))
        gone = result.cluster
        request.META[WAIT] = Wait(type(gone), gone.uid, gone.phase, self.query["wait"])
        headers = {"Retry-After": RETRY_AFTER, "Location": address(gone)}
        return self.cluster(gone, status=202, headers=headers)

    def found(self, tenant: str, name: str) -> VirtualCluster:
        """By its tenant and name."""
        return clusters.get(self.actor, tenant, name)

    def shown(self, found: VirtualCluster) -> Response:
        """Whole."""
        return self.cluster(found)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:  # noqa: ANN401 - DRF's signature
        """The view above, patient where a deletion is waited for."""
        return patient(super().as_view(**initkwargs), look_until_gone)


class ClusterRetry(ClusterResource):
    """A new try."""

    @operation("retryCluster", {202: Cluster}, idempotent=True, problems=(409,))
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Lets a Failed cluster try again, and one that waits look again at once."""
        return self.asked(verbs.retry(by=self.actor, tenant_name=tenant, name=name))


class ClusterPause(ClusterResource):
    """A cluster to sleep."""

    @operation("pauseCluster", {202: Cluster}, body=PauseWish, idempotent=True, problems=(409,))
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Puts a cluster to sleep: nothing of it runs, its objects and volumes are kept. Writes `spec.paused`."""
        release = self.body.get("release_accelerators")
        return self.asked(pausing.pause(by=self.actor, tenant_name=tenant, name=name, release=release))


class ClusterResume(ClusterResource):
    """A cluster to wake."""

    @operation("resumeCluster", {202: Cluster}, idempotent=True, problems=(409,))
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Wakes a cluster; accelerators that it gave back are asked for again. Takes `spec.paused` back."""
        return self.asked(pausing.resume(by=self.actor, tenant_name=tenant, name=name))


class ClusterQuarantine(ClusterResource):
    """A cluster out of use."""

    @operation(
        "quarantineCluster",
        {202: Cluster},
        body=QuarantineWish,
        scope=Scope.CLUSTERS_QUARANTINE,
        idempotent=True,
        problems=(409,),
    )
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Stops every pod of a cluster and closes it within seconds (admins); what it stores is kept."""
        reason = self.body["reason"]
        return self._answer(quarantine.begin(by=self.actor, tenant_name=tenant, name=name, reason=reason))

    @operation("liftQuarantine", {202: Cluster}, scope=Scope.CLUSTERS_QUARANTINE)
    def delete(self, _: Request, tenant: str, name: str) -> Response:
        """Lets a cluster come back (admins); credentials from before the quarantine stay dead."""
        return self._answer(quarantine.lift(by=self.actor, tenant_name=tenant, name=name))

    def _answer(self, found: VirtualCluster) -> Response:
        headers = {"Retry-After": RETRY_AFTER, "Location": address(found)}
        return self.cluster(found, status=202, headers=headers)


def address(cluster: VirtualCluster) -> str:
    """Where a cluster is read."""
    return f"/api/v1/tenants/{cluster.tenant.name}/clusters/{cluster.name}"
