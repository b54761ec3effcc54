"""The inbox: what a person is to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.api.base import Resource, operation
from portal.api.serializers.notices import Notice, NoticeFilters, ReadAnswer, ReadWish
from tenancy.actions import notices as verbs
from tenancy.queries import notices

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class Notices(Resource):
    """One's own notices."""

    tag = "notices"

    @operation("listNotices", {200: Notice}, query=NoticeFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists what you are to know, newest first."""
        rows = notices.visible_to(self.actor)
        return self.listed(Notice, rows, read_at__isnull=self.query.get("unread"))


class ReadNotices(Resource):
    """The verb."""

    tag = "notices"

    @operation("readNotices", {200: ReadAnswer}, body=ReadWish, idempotent=True)
    def post(self, _: Request) -> Response:
        """Marks notices as read."""
        count = verbs.mark_read(by=self.actor, uids=self.body.get("uids"))
        return self.answer(ReadAnswer, {"read": count})
