"""Forms parse; what is allowed is decided by tenancy and told beside the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenancy.errors import DomainError


class DomainForm(forms.Form):
    """A form that can take a domain error and show each part of it where it belongs."""

    PATHS: ClassVar[Mapping[str, str]] = {}
    """Path of a ``FieldError`` → field of the form; it takes the faults of its members, too."""
    CODES: ClassVar[Mapping[str, tuple[str | None, str]]] = {}
    """Code of a domain error → field of the form (None: its head) and the words for it there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def field_of(self, path: str) -> str | None:
        """Where a fault is told; ``None``: in the form's head."""
        field = self.PATHS.get(path) or self.PATHS.get(path.rpartition(".")[0])
        return field if field in self.fields else None

    def blame(self, error: DomainError) -> None:
        """Puts the error's parts beside the fields they name; the rest goes to the form's head."""
        for fault in error.errors:
            field = self.field_of(fault.path)
            self.add_error(field, sentence(fault.detail if field else f"{fault.path}: {fault.detail}"))
        if not error.errors:
            field, words = self.CODES.get(error.code, (None, error.detail))
            self.add_error(field, sentence(words))


def sentence(words: str) -> str:
    """Details begin in lower case for the API; people read sentences."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", "…")) else ".")
