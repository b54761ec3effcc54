"""Putting a cluster to sleep: what becomes of its accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms

from portal.web.forms.base import DomainForm

if TYPE_CHECKING:
    from tenancy.rules.specs import ClusterSpec

KEEP: Final = "keep"
RELEASE: Final = "release"
CHOICES: Final = (
    (KEEP, "Keep them: they stay this cluster's own, count as its team's, and are there when it wakes"),
    (
        RELEASE,
        "Give them back: others of the team may have them; when it wakes it asks for them again, and waits if they are gone",
    ),
)


class PauseForm(DomainForm):
    """Asks about accelerators only where there are any."""

    CODES: ClassVar = {
        "precondition-failed": (None, "somebody changed this cluster at this very moment: press Pause again"),
    }

    accelerators = forms.ChoiceField(label="Its accelerators", choices=CHOICES, widget=forms.RadioSelect)

    def __init__(self, data: Any = None, *, wish: ClusterSpec, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(data, **kwargs)
        self.fields["accelerators"].initial = RELEASE if wish.release_accelerators_while_paused else KEEP
        if not wish.accelerators:
            del self.fields["accelerators"]

    @property
    def release(self) -> bool | None:
        """Whether they go back; None where it has none."""
        chosen = self.cleaned_data.get("accelerators")
        return None if chosen is None else chosen == RELEASE
