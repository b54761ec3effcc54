"""What the forms for a new and for a changed cluster share: accelerators by class, add-ons, and a template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django import forms

from portal.web.forms import template_fields
from portal.web.forms.base import DomainForm
from portal.web.forms.template_fields import PREFIX, TemplateChoice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AMOUNTS: Final = ("cpu", "memory", "storage", "pods")
COUNT: Final = "devices_"
ADD_ON: Final = "add_on_"
_ADD_ON: Final = re.compile(r"spec\.addOns(\[(\d+)\].*)?")
_ACCELERATOR: Final = re.compile(r"spec\.accelerators(\[(\d+)\].*)?")


class SpecForm(DomainForm):
    """A cluster's spec, or a part of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        self.choice = TemplateChoice()
        self.classes: tuple[str, ...] = ()
        self.add_on_names: tuple[str, ...] = ()

    def offer_accelerators(self, classes: Sequence[str]) -> None:
        """A count for each class."""
        self.classes = tuple(classes)
        for key in classes:
            self.fields[COUNT + key] = forms.IntegerField(
                label=key, required=False, min_value=0, max_value=1_000_000
            )

    def offer_add_ons(self, known: Mapping[str, Sequence[str]]) -> None:
        """A choice of version for each; those that it has come first, so that they stay in their order."""
        self.add_on_names = tuple(known)
        for name, versions in known.items():
            self.fields[ADD_ON + name] = forms.ChoiceField(
                label=name, required=False, choices=[("", "None"), *((one, one) for one in versions)]
            )

    def offer_template(self, choice: TemplateChoice) -> None:
        """A field for the template, for its version and for each of its parameters."""
        self.choice = choice
        if not choice.all:
            return
        self.fields["template"] = forms.ChoiceField(label="Template", required=False, choices=choice.names)
        if choice.chosen is None:
            return
        self.fields["template_version"] = forms.ChoiceField(label="Version", choices=choice.versions)
        self.initial.setdefault("template_version", choice.version)
        for name, one in choice.parameters.items():
            self.fields[PREFIX + name] = template_fields.made(one, name)
            if "default" in one:
                self.initial.setdefault(PREFIX + name, template_fields.shown(one["default"]))

    @property
    def device_fields(self) -> list[forms.BoundField]:
        """For the page."""
        return [self[COUNT + key] for key in self.classes]

    @property
    def add_on_fields(self) -> list[forms.BoundField]:
        """For the page."""
        return [self[ADD_ON + name] for name in self.add_on_names]

    @property
    def parameter_fields(self) -> list[forms.BoundField]:
        """For the page."""
        return [self[PREFIX + name] for name in self.choice.parameters]

    def field_of(self, path: str) -> str | None:
        """Of a path in the spec; accelerators are written in the order of their fields."""
        found = _ACCELERATOR.fullmatch(path)
        if found and self.classes and not self.choice.locks("accelerators"):
            asked = [one["class"] for one in self.accelerators()] or list(self.classes)
            place = int(found.group(2) or 0)
            return COUNT + asked[place] if place < len(asked) else None
        chosen = _ADD_ON.fullmatch(path)
        if chosen and self.add_on_names:
            names = [one["name"] for one in self.add_ons()] or list(self.add_on_names)
            place = int(chosen.group(2) or 0)
            return ADD_ON + names[place] if place < len(names) else None
        name = {
            "spec.template.name": "template",
            "spec.template.version": "template_version",
        }.get(path) or path.replace("spec.template.parameters.", PREFIX)
        return name if name in self.fields else super().field_of(path)

    def accelerators(self) -> list[dict[str, Any]]:
        """As the spec has them."""
        counts = {key: self.cleaned_data.get(COUNT + key) for key in self.classes}
        return [{"class": key, "count": count} for key, count in counts.items() if count]

    def add_ons(self) -> list[dict[str, str]]:
        """As the spec has them."""
        chosen = {name: self.cleaned_data.get(ADD_ON + name) for name in self.add_on_names}
        return [{"name": name, "version": version} for name, version in chosen.items() if version]

    def template(self) -> dict[str, Any] | None:
        """As the spec has it: values that the template would take anyway are left out."""
        if self.choice.chosen is None or not self.cleaned_data.get("template"):
            return None
        values = {
            name: template_fields.typed(one, self.cleaned_data.get(PREFIX + name))
            for name, one in self.choice.parameters.items()
        }
        told = {
            name: value
            for name, value in values.items()
            if value is not None and value != self.choice.parameters[name].get("default", object())
        }
        wish = {"name": self.choice.chosen.name, "version": self.cleaned_data.get("template_version", "")}
        return {**wish, "parameters": told} if told else wish
