"""Kubeconfigs: asked for here, minted by a worker, handed over once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final
from uuid import UUID

from portal.api.base import RETRY_AFTER, Resource, operation
from portal.api.serializers.kubeconfigs import Kubeconfig, KubeconfigPending, KubeconfigWish
from tenancy.actions import access
from tenancy.enums import AccessState
from tenancy.errors import Conflict, NotFound, Unavailable
from tenancy.queries import clusters
from tenancy.queries.access import is_pending
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request
    from rest_framework.response import Response

PATIENCE: Final = 8.0
"""Seconds that the first answer waits for the worker."""
LOOK_EVERY: Final = 0.1
"""Seconds between two looks."""
_waiters = threading.BoundedSemaphore(64)
"""Each request has a thread of its own; one waiter more in this process is answered 202 at once."""


class KubeconfigResource(Resource):
    """What asking and collecting share."""

    tag = "clusters"

    def collected(self, uid: UUID, address: str, *, status: int) -> Response:
        """The kubeconfig, where the worker has made it."""
        found = access.collect(by=self.actor, uid=uid)
        if found.state is AccessState.FAILED:
            raise Unavailable(found.error)
        if found.state is AccessState.PENDING:
            return self.pending(uid, address)
        return self.answer(Kubeconfig, found, status=status)

    def pending(self, uid: UUID, address: str) -> Response:
        """Where to ask, and when."""
        headers = {"Location": address, "Retry-After": RETRY_AFTER}
        found = {"uid": uid, "state": AccessState.PENDING.value}
        return self.answer(KubeconfigPending, found, status=202, headers=headers)


class Kubeconfigs(KubeconfigResource):
    """Asking for one."""

    @operation(
        "createKubeconfig",
        {201: Kubeconfig, 202: KubeconfigPending},
        body=KubeconfigWish,
        idempotent=True,
        scope=Scope.KUBECONFIGS_CREATE,
    )
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Issues a kubeconfig with the rights of your role, for 10 to 60 minutes.

        201 holds it; it is not kept and comes once. 202 says that the worker is
        late: ask at `Location` within a minute.
        """
        lifetime = self.body["lifetime"]
        wish = access.request(by=self.actor, tenant_name=tenant, name=name, lifetime=lifetime)
        return self.pending(wish.uid, f"/api/v1/tenants/{tenant}/clusters/{name}/kubeconfigs/{wish.uid}")

    def settle(self, response: Response) -> Response:
        """Waits a little for the worker: most callers need no second request."""
        uid, address = UUID(str(response.data["uid"])), response["Location"]
        _wait_while(lambda: is_pending(uid))
        try:
            return self.collected(uid, address, status=201)
        except NotFound as error:
            detail = "this kubeconfig was handed over or has lapsed: ask with a new Idempotency-Key"
            raise Conflict(detail) from error


class OneKubeconfig(KubeconfigResource):
    """Collecting it later."""

    @operation("collectKubeconfig", {200: Kubeconfig, 202: KubeconfigPending}, scope=Scope.KUBECONFIGS_CREATE)
    def get(self, request: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Collects a kubeconfig that was asked for; it comes once."""
        clusters.get(self.actor, tenant, name)
        return self.collected(uid, request.path.rstrip("/"), status=200)


def _wait_while(pending: Callable[[], bool]) -> None:
    """Looks by reading alone: a lock taken ten times a second would slow the worker down."""
    if not _waiters.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + PATIENCE
        while pending() and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
    finally:
        _waiters.release()
