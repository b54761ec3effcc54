"""Reads a spec as people write it; every fault is named with its path and fix."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from tenancy.enums import IsolationModel, Persistence, Sandbox
from tenancy.errors import FieldError, refuse
from tenancy.rules import quantities
from tenancy.rules.add_ons import ADD_ONS_MAX
from tenancy.rules.specs import ClusterSpec, TemplateWish
from tenancy.rules.versions import parse_range, parse_version

_LIMITS: Final = {
    "cpu": (Decimal("0.5"), Decimal(1000), "'500m' to '1000'"),
    "memory": (Decimal(512 * 1024**2), Decimal(16 * 1024**4), "'512Mi' to '16Ti'"),
    "storage": (Decimal(0), Decimal(1024**5), "'0' to '1Pi'"),
}
E = TypeVar("E", bound=StrEnum)
_PODS: Final = (5, 10_000)
"""Fewer than five leave no room for DNS and the sandbox's probe."""
_DEVICES: Final = 10_000


def parse_spec(data: Any) -> ClusterSpec:  # noqa: ANN401 - input from outside may be anything
    """The spec as values; raises ``Invalid`` naming all faults at once."""
    reader = _Reader()
    spec = reader.spec(data)
    refuse(reader.errors)
    return spec


class _Reader:
    """Collects faults instead of stopping at the first."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def fault(self, path: str, code: str, detail: str) -> None:
        self.errors.append(FieldError(path, code, detail))

    def spec(self, data: Any) -> ClusterSpec:  # noqa: ANN401
        known = (
            "kubernetesVersion",
            "isolation",
            "resources",
            "accelerators",
            "persistence",
            "deletionProtection",
            "paused",
            "releaseAcceleratorsWhilePaused",
            "addOns",
            "template",
        )
        top = self.mapping(data, "spec", known)
        isolation = self.mapping(top.get("isolation"), "spec.isolation", ("model", "sandbox", "pool"))
        return ClusterSpec(
            kubernetes_version=self._version(top.get("kubernetesVersion")),
            model=self._model(isolation),
            sandbox=self.choice(isolation.get("sandbox"), "spec.isolation.sandbox", Sandbox),
            pool=self._pool(isolation.get("pool")),
            resources=self._resources(top.get("resources")),
            persistence=self.choice(top.get("persistence"), "spec.persistence", Persistence),
            deletion_protection=self._flag(top.get("deletionProtection"), "spec.deletionProtection"),
            accelerators=self._accelerators(top.get("accelerators")),
            paused=self._flag(top.get("paused"), "spec.paused"),
            release_accelerators_while_paused=self._flag(
                top.get("releaseAcceleratorsWhilePaused"), "spec.releaseAcceleratorsWhilePaused"
            ),
            add_ons=self._add_ons(top.get("addOns")),
            template=self._template(top.get("template")),
        )

    def mapping(self, data: Any, path: str, known: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.fault(path, "wrong-type", "give an object, for example {}")
            return {}
        for key in data:
            if key not in known:
                self.fault(f"{path}.{key}", "unknown-field", f"no such field: known are {', '.join(known)}")
        return data

    def choice(self, value: Any, path: str, kind: type[E]) -> E | None:  # noqa: ANN401
        if value is None:
            return None
        try:
            return kind(value)
        except ValueError:
            options = ", ".join(kind)
            self.fault(path, "not-a-choice", f"{value!r} is not one of {options}")
            return None

    def _version(self, value: Any) -> str | None:  # noqa: ANN401
        if value is None or isinstance(value, str):
            return value
        self.fault("spec.kubernetesVersion", "wrong-type", 'give text in quotes, for example "1.36"')
        return None

    def _flag(self, value: Any, path: str) -> bool:  # noqa: ANN401
        if value is None or isinstance(value, bool):
            return bool(value)
        self.fault(path, "wrong-type", "give true or false")
        return False

    def _resources(self, data: Any) -> dict[str, Decimal]:  # noqa: ANN401
        given = self.mapping(data, "spec.resources", ("cpu", "memory", "storage", "pods"))
        found = {key: self._quantity(key, given.get(key)) for key in _LIMITS}
        found["pods"] = self._pods(given.get("pods"))
        return {key: value for key, value in found.items() if value is not None}

    def _quantity(self, key: str, value: Any) -> Decimal | None:  # noqa: ANN401
        if value is None:
            return None
        path, (least, most, span) = f"spec.resources.{key}", _LIMITS[key]
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.fault(path, "wrong-type", f"give a Kubernetes quantity from {span}")
            return None
        try:
            amount = quantities.parse(str(value))
        except ValueError as error:
            self.fault(path, "not-a-quantity", str(error))
            return None
        if not least <= amount <= most:
            self.fault(path, "out-of-range", f"{value} is outside {span}")
        return amount

    def _pods(self, value: Any) -> Decimal | None:  # noqa: ANN401
        if value is None:
            return None
        least, most = _PODS
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            self.fault("spec.resources.pods", "out-of-range", f"give a whole number from {least} to {most}")
            return None
        return Decimal(value)

    def _model(self, isolation: dict[str, Any]) -> IsolationModel | None:
        """Who names a pool means a dedicated one."""
        told = IsolationModel.DEDICATED_POOL if isolation.get("pool") else None
        return self.choice(isolation.get("model"), "spec.isolation.model", IsolationModel) or told

    def _pool(self, value: Any) -> str | None:  # noqa: ANN401
        if value is None or (isinstance(value, str) and value):
            return value
        self.fault("spec.isolation.pool", "wrong-type", "give the name of a pool of the tenant, or null")
        return None

    def _template(self, data: Any) -> TemplateWish | None:  # noqa: ANN401
        """What of it a tenant may have is another question, asked where templates are known."""
        path = "spec.template"
        given = self.mapping(data, path, ("name", "version", "parameters"))
        if data is None or data != given:
            return None
        name, parameters = given.get("name"), self.free(given.get("parameters"), f"{path}.parameters")
        if not isinstance(name, str) or not name:
            self.fault(f"{path}.name", "required", "name a template of GET /api/v1/cluster-templates")
            return None
        try:
            return TemplateWish(name, parse_range(given.get("version")), parameters)
        except ValueError as error:
            self.fault(f"{path}.version", "not-a-version", str(error))
            return None

    def free(self, data: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
        """An object whose keys are somebody else's matter."""
        if isinstance(data, dict):
            return data
        return self.mapping(data, path, ())

    def _add_ons(self, data: Any) -> dict[str, str]:  # noqa: ANN401
        """Name → version; whether there is such a one is asked where the catalogue is known."""
        found: dict[str, str] = {}
        if data is not None and (not isinstance(data, list) or len(data) > ADD_ONS_MAX):
            detail = (
                f'give a list of at most {ADD_ONS_MAX}, such as [{{"name": "ingress", "version": "1.0.0"}}]'
            )
            self.fault("spec.addOns", "wrong-type", detail)
            return found
        for index, item in enumerate(data or []):
            path = f"spec.addOns[{index}]"
            one = self.mapping(item, path, ("name", "version"))
            name = one.get("name")
            try:
                version = str(parse_version(one.get("version")))
            except ValueError as error:
                self.fault(f"{path}.version", "not-a-version", str(error))
            else:
                if not isinstance(name, str) or not name:
                    self.fault(f"{path}.name", "required", "name an add-on of GET /api/v1/add-ons")
                elif name in found:
                    self.fault(
                        f"{path}.name", "duplicate", f"{name!r} is named twice: take one version of it"
                    )
                else:
                    found[name] = version
        return found

    def _accelerators(self, data: Any) -> dict[str, int]:  # noqa: ANN401
        """Class → how many; ``count`` is 1 where it is left out."""
        found: dict[str, int] = {}
        if data is not None and not isinstance(data, list):
            self.fault(
                "spec.accelerators",
                "wrong-type",
                'give a list such as [{"class": "nvidia-h100", "count": 1}]',
            )
            return found
        for index, item in enumerate(data or []):
            path = f"spec.accelerators[{index}]"
            one = self.mapping(item, path, ("class", "count"))
            key, count = one.get("class"), one.get("count", 1)
            if not isinstance(key, str) or not key:
                self.fault(f"{path}.class", "required", "name a class of GET /api/v1/accelerator-classes")
            elif key in found:
                self.fault(f"{path}.class", "duplicate", f"{key!r} is named twice: add the counts up")
            elif not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _DEVICES:
                self.fault(f"{path}.count", "out-of-range", f"give a whole number from 1 to {_DEVICES}")
            else:
                found[key] = count
        return found
