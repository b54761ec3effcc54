"""The token exchange on the wire: the words of RFC 8693."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, StrictSerializer, Text
from tenancy.rules.scopes import PATTERNS

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name
_JWT: Final = ("urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token")


class ExchangeWish(StrictSerializer):
    """A job's token, and whose it wants; as JSON, or as a form like everywhere in OAuth."""

    grant_type = serializers.ChoiceField([(GRANT, GRANT)])
    subject_token = Text(max_length=16 * 1024, help_text="The job's own token (JWT) of its CI system.")
    subject_token_type = serializers.ChoiceField([(word, word) for word in _JWT])
    service_account = Text(max_length=64, help_text="`TENANT/NAME` of the service account to act as.")
    requested_token_type = serializers.ChoiceField([(ACCESS_TOKEN, ACCESS_TOKEN)], required=False)
    scope = Text(
        required=False, max_length=2000, help_text="Scopes, separated by blanks; all of its role if left out."
    )

    @staticmethod
    def wire(name: str) -> str:
        """As the standard spells it."""
        return name

    def validate_scope(self, text: str) -> list[str]:
        """Known ones."""
        strange = [word for word in text.split() if word not in PATTERNS]
        if strange or not text.split():
            raise serializers.ValidationError(f"no scope: {strange}; give for example 'clusters:read'")
        return text.split()


class ExchangeAnswer(CamelSerializer):
    """A token of the service account."""

    access_token = serializers.CharField(help_text="Send it as `Authorization: Bearer`.")
    issued_token_type = serializers.CharField(help_text=f"`{ACCESS_TOKEN}`.")
    token_type = serializers.CharField(help_text="`Bearer`.")
    expires_in = serializers.IntegerField(help_text="Seconds.")
    scope = serializers.CharField(help_text="Its scopes, separated by blanks.")

    @staticmethod
    def wire(name: str) -> str:
        """As the standard spells it."""
        return name
