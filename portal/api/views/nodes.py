"""Nodes of host clusters: read, and moved between pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal.api.base import RETRY_AFTER, Resource, operation
from portal.api.serializers.base import ListQuery
from portal.api.serializers.nodes import Move, MoveWish, Node, NodeFilters
from portal.api.single import Single
from tenancy.actions import nodes as verbs
from tenancy.queries import hosts, nodes

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy import models


class NodeResource(Resource):
    """What the views of nodes share."""

    tag = "hosts"

    def list_context(self, found: list[Any]) -> dict[str, Any]:
        """The names of holders, for the whole page at once."""
        return {"holders": nodes.holders(found)} if found and hasattr(found[0], "holder") else {}

    def node(self, found: models.Node, *, status: int = 200, **headers: str) -> Response:
        """One node, whole."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.answer(Node, found, status=status, headers=named, holders=nodes.holders([found]))


class Nodes(NodeResource):
    """The nodes of a host."""

    @operation("listNodes", {200: Node}, query=NodeFilters, listing=True)
    def get(self, _: Request, host: str) -> Response:
        """Lists a host's nodes by name, with their pools and moves at work (admins, auditors)."""
        rows = nodes.visible_to(self.actor, hosts.get(self.actor, host))
        return self.listed(Node, rows, pool__name=self.query.get("pool"))


class OneNode(NodeResource, Single):
    """One node."""

    readiness = "503 while it is on its way into another pool, and while the host does not have it."

    @operation("getNode", {200: Node})
    def get(self, _: Request, host: str, name: str) -> Response:
        """Reads a node: what was seen of it, its pool, and how far its move is (admins, auditors)."""
        return self.told(host=host, name=name)

    def found(self, host: str, name: str) -> models.Node:
        """By its host and name."""
        return nodes.get(self.actor, hosts.get(self.actor, host), name)

    def shown(self, found: models.Node) -> Response:
        """Whole."""
        return self.node(found)


class MoveNode(NodeResource):
    """The verb."""

    @operation("moveNode", {202: Node}, body=MoveWish, idempotent=True, problems=(409,))
    def post(self, _: Request, host: str, name: str) -> Response:
        """Moves a node to a pool, or out of all (admins).

        It is emptied of tenants' pods and volumes, wiped, and looked at again before the next
        holder gets it. Asked again for the same, it changes nothing.
        """
        found = verbs.move(
            by=self.actor,
            host_name=host,
            name=name,
            pool_name=self.body["pool"],
            discard_volumes=self.body["discard_volumes"],
        )
        return self.node(
            found, status=202, Retry_After=RETRY_AFTER, Location=f"/api/v1/hosts/{host}/nodes/{name}"
        )


class NodeMoves(NodeResource):
    """The moves of a node."""

    @operation("listNodeMoves", {200: Move}, query=ListQuery, listing=True)
    def get(self, _: Request, host: str, name: str) -> Response:
        """Lists a node's moves, newest first, with the evidence of each wipe (admins, auditors)."""
        node = nodes.get(self.actor, hosts.get(self.actor, host), name)
        return self.listed(Move, nodes.moves(self.actor, node))
