"""People: admins make them, owners make them members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.encoding import escape_uri_path

from portal.api.base import Resource, operation
from portal.api.serializers.users import User, UserFilters
from portal.api.single import Single
from tenancy.actions import users as verbs
from tenancy.queries import users

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy import models


class PeopleResource(Resource):
    """Who is there is told, and decided, as who is who at a provider is."""

    tag = "users"
    resource = "identities"


class Users(PeopleResource):
    """All of them."""

    @operation("listUsers", {200: User}, query=UserFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists who may sign in, by name (admins, auditors)."""
        return self.listed(User, users.visible_to(self.actor), username=self.query.get("name"))

    @operation("createUser", {201: User}, body=User, idempotent=True, problems=(409,))
    def post(self, _: Request) -> Response:
        """Makes somebody who may sign in and belongs to no tenant yet (admins).

        A password is no wish that could be read back, so people are made once and not by PUT. They
        have no platform role: no token makes an admin.
        """
        made = verbs.create(by=self.actor, username=self.body["username"], password=self.body.get("password"))
        address = escape_uri_path(f"/api/v1/users/{made.username}")
        return self.answer(User, made, status=201, headers={"Location": address})


class OneUser(PeopleResource, Single):
    """One person."""

    kind = User
    readiness = "409 while an admin has suspended them."

    @operation("getUser", {200: User})
    def get(self, _: Request, username: str) -> Response:
        """Reads who somebody is (admins, auditors)."""
        return self.told(username=username)

    def found(self, username: str) -> models.User:
        """By their name."""
        return users.get(self.actor, username)


class SuspendUser(PeopleResource):
    """Shuts somebody out."""

    @operation("suspendUser", {200: User}, idempotent=True, problems=(409,))
    def post(self, _: Request, username: str) -> Response:
        """Refuses a person's sessions and tokens from now on (admins); nothing of theirs is deleted."""
        return self.answer(User, verbs.suspend(by=self.actor, username=username))


class ResumeUser(PeopleResource):
    """Lets them in again."""

    @operation("resumeUser", {200: User}, idempotent=True, problems=(409,))
    def post(self, _: Request, username: str) -> Response:
        """Ends a suspension (admins): sessions that have not ended, and tokens, are good again."""
        return self.answer(User, verbs.resume(by=self.actor, username=username))
