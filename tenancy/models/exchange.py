from __future__ import annotations

from django.db import models

from tenancy.models.access import ApiToken


class TokenExchange(models.Model):
    """That a job of a CI system got a token for its own; kept until neither can be used any more."""

    digest = models.CharField(max_length=64, primary_key=True)
    """SHA-256 of issuer and ``jti``: each of a job's tokens is good once."""
    token = models.OneToOneField(ApiToken, on_delete=models.CASCADE, null=True, related_name="exchange")
    ends_at = models.DateTimeField(db_index=True)
    """The later end of the two."""

    def __str__(self) -> str:
        return f"exchange for {self.token}"
