"""Virtual clusters on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import (
    CamelSerializer,
    ListQuery,
    StrictSerializer,
    Text,
    choices,
    shown,
)
from portal.api.serializers.choices import AddOnChoice, TemplateChoice
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    IsolationModel,
    Persistence,
    Phase,
    Reason,
    Sandbox,
)
from tenancy.queries import clusters
from tenancy.rules.quantities import cores, mebibytes
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from tenancy.models import VirtualCluster
    from tenancy.queries.cluster_devices import Devices
    from tenancy.queries.clusters import Fact
    from tenancy.rules.specs import EffectiveSpec, Resources


class Isolation(CamelSerializer):
    """How a cluster's pods are kept apart from others'."""

    model = serializers.ChoiceField(choices(IsolationModel), required=False, allow_null=True)
    sandbox = serializers.ChoiceField(choices(Sandbox), required=False, allow_null=True)
    pool = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="A dedicated node pool of the tenant; its only one where left out.",
    )


_QUANTITY = r"^[0-9]{1,15}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"


@extend_schema_field(
    {"oneOf": [{"type": "string", "pattern": _QUANTITY}, {"type": "integer"}, {"type": "null"}]}
)
class Quantity(serializers.Field[Any, Any, Any, Any]):
    """A Kubernetes quantity, for the OpenAPI document."""


class SpecResources(CamelSerializer):
    """What the pods of a cluster may use in all."""

    cpu = Quantity(required=False, help_text="Cores, as `500m` or `4`.")
    memory = Quantity(required=False, help_text="Bytes, as `8Gi`.")
    storage = Quantity(required=False, help_text="Bytes of persistent volumes, as `20Gi`.")
    pods = serializers.IntegerField(required=False, allow_null=True, min_value=5, max_value=10_000)


class Accelerator(CamelSerializer):
    """Accelerators of one class."""

    count = serializers.IntegerField(min_value=1)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """``class`` is a word of Python's own."""
        return {"class": serializers.CharField(), **super().get_fields()}


class ClusterSpec(CamelSerializer):
    """What is wanted; every field may be left out. It comes back exactly as it was written."""

    kubernetes_version = serializers.CharField(
        required=False, allow_null=True, help_text="A minor version, as `1.36`."
    )
    isolation = Isolation(required=False, allow_null=True)
    resources = SpecResources(required=False, allow_null=True)
    accelerators = Accelerator(many=True, required=False, allow_null=True)
    persistence = serializers.ChoiceField(choices(Persistence), required=False, allow_null=True)
    deletion_protection = serializers.BooleanField(required=False, allow_null=True)
    paused = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="It sleeps: nothing of it runs, its objects and volumes are kept.",
    )
    release_accelerators_while_paused = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="Its accelerators go back to the team while it sleeps; it asks for them again when it wakes.",
    )
    add_ons = AddOnChoice(many=True, required=False, allow_null=True)
    template = TemplateChoice(required=False, allow_null=True)


class SpecText(serializers.Field[Any, Any, Any, Any]):
    """A spec as text: ``tenancy.rules`` reads it, and what was written is given back."""

    default_error_messages = {"wrong-type": "give an object, for example {{}}"}

    def to_internal_value(self, data: Any) -> str:  # noqa: ANN401 - input may be anything
        """The text that is kept."""
        if not isinstance(data, dict):
            self.fail("wrong-type")
        return json.dumps(data, ensure_ascii=False)

    def to_representation(self, value: str) -> Any:  # noqa: ANN401 - JSON
        """The same keys, order and spellings."""
        return json.loads(value)


@extend_schema_field(ClusterSpec)
class SpecField(SpecText):
    """The spec of a cluster."""


class ClusterMetadata(StrictSerializer):
    """Who a cluster is; all but the name is the server's."""

    name = Text(required=False, help_text="A DNS label of at most 24 characters.")
    tenant = Text(required=False, source="tenant.name")
    uid = serializers.UUIDField(read_only=True)
    generation = serializers.IntegerField(read_only=True, help_text="Counts the changes of the spec.")
    created_at = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)


class Condition(CamelSerializer):
    """One fact that was seen, or not yet."""

    type = serializers.ChoiceField(choices(ConditionType))
    status = serializers.ChoiceField(choices(ConditionStatus))
    reason = serializers.ChoiceField(choices(Reason))
    message = serializers.CharField(allow_blank=True)
    observed_generation = serializers.IntegerField()
    changed_at = serializers.DateTimeField(help_text="When the status last flipped.")


def _told(row: Fact) -> dict[str, Any]:
    """What ``Condition`` makes of it, by hand: a page of 100 clusters has 2,000, a third of its time."""
    return {
        "type": row.type,
        "status": row.status,
        "reason": row.reason,
        "message": row.message,
        "observedGeneration": row.observed_generation,
        "changedAt": row.changed_at,
    }


class NameOrNull(serializers.CharField):
    """A name, null on the wire where there is none."""

    def to_representation(self, value: str) -> str | None:  # type: ignore[override] # DRF's has no null
        """Empty is none."""
        return value or None


class EffectiveIsolation(CamelSerializer):
    """The isolation in force."""

    model = serializers.ChoiceField(choices(IsolationModel))
    sandbox = serializers.ChoiceField(choices(Sandbox))
    pool = NameOrNull(
        allow_null=True, help_text="The node pool its pods run on; null where the host has none for them."
    )


class EffectiveResources(CamelSerializer):
    """The amounts in force."""

    cpu = serializers.SerializerMethodField(method_name="amount_of_cpu")
    memory = serializers.SerializerMethodField(method_name="bytes_of_memory")
    storage = serializers.SerializerMethodField(method_name="bytes_of_storage")
    pods = serializers.IntegerField()

    @extend_schema_field(str)
    def amount_of_cpu(self, found: Resources) -> str:
        """In cores."""
        return cores(found.cpu)

    @extend_schema_field(str)
    def bytes_of_memory(self, found: Resources) -> str:
        """In Mi."""
        return mebibytes(found.memory)

    @extend_schema_field(str)
    def bytes_of_storage(self, found: Resources) -> str:
        """In Mi."""
        return mebibytes(found.storage)


class Effective(CamelSerializer):
    """What is built: the spec with its silences filled in for this host and tenant."""

    kubernetes_version = serializers.CharField()
    isolation = EffectiveIsolation(source="*")
    resources = EffectiveResources()
    persistence = serializers.ChoiceField(choices(Persistence))
    add_ons = serializers.SerializerMethodField(
        method_name="chosen_add_ons", help_text="What is put into it."
    )

    @extend_schema_field(AddOnChoice(many=True))
    def chosen_add_ons(self, found: EffectiveSpec) -> list[dict[str, str]]:
        """In their order."""
        return [{"name": name, "version": version} for name, version in found.add_ons.items()]


class AddOnSeen(CamelSerializer):
    """Whether an add-on runs."""

    name = serializers.CharField()
    version = serializers.CharField()
    status = serializers.ChoiceField(choices(ConditionStatus))
    reason = serializers.ChoiceField(choices(Reason))
    message = serializers.CharField(
        allow_blank=True, help_text="The first object that does not run, why, and what to do."
    )


class PauseWish(StrictSerializer):
    """How a cluster is put to sleep."""

    release_accelerators = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Whether its accelerators go back to the team meanwhile; as its spec has it where left out.",
    )


class QuarantineWish(StrictSerializer):
    """Why a cluster is taken out of use."""

    reason = Text(max_length=500, help_text="Its owners and the audit log read it.")


class Quarantine(CamelSerializer):
    """Since when, by whom and why a cluster is out of use."""

    since = serializers.DateTimeField(source="quarantined_at")
    by = serializers.CharField(source="quarantined_by")
    reason = serializers.CharField(source="quarantine_reason")
    contained = serializers.SerializerMethodField(
        help_text="Whether it was seen on the host that nothing of it runs and nothing can start."
    )

    @extend_schema_field(bool)
    def get_contained(self, cluster: VirtualCluster) -> bool:
        """As the last pass saw it."""
        told = self.context["conditions"][cluster.uid]
        seen = (c for c in told if c.type == ConditionType.QUARANTINED)
        return any(c.status == ConditionStatus.TRUE and c.reason == Reason.QUARANTINED for c in seen)


class ClusterDevices(CamelSerializer):
    """What a cluster has of a class that it asks for, or is to give back."""

    class_ = serializers.CharField(source="key")
    asked = serializers.IntegerField()
    granted = serializers.IntegerField(help_text="What it may use: its quota on the host.")
    held = serializers.IntegerField(
        help_text="What counts: more than granted until the host was seen to have the rest back."
    )
    request = serializers.SerializerMethodField(
        help_text="Address of the tenant's open request of the class while it lacks some; else null."
    )

    @extend_schema_field({"type": ["string", "null"], "format": "uri-reference"})
    def get_request(self, found: Devices) -> str | None:
        """None where it has all that it asks for, or nobody asked for more."""
        return f"/api/v1/gpu-requests/{found.request}" if found.request else None


class TemplateUse(CamelSerializer):
    """The template of a cluster, and how far it follows."""

    name = serializers.CharField()
    version = serializers.CharField(help_text="In use.")
    state = serializers.ChoiceField(choices(VersionState), help_text="Of the version in use.")
    newest = serializers.CharField(help_text="The newest version that the spec allows.")
    latest = serializers.CharField(help_text="The newest version of all.")
    behind = serializers.BooleanField(help_text="Whether the spec allows a newer one than is in use.")
    deprecated = serializers.BooleanField(help_text="Whether to take another template.")
    withdrawn = serializers.BooleanField(
        help_text="Whether the tenant may use the template no longer: the version in use is kept."
    )


class ClusterStatus(CamelSerializer):
    """What was last seen."""

    phase = serializers.ChoiceField(choices(Phase))
    message = serializers.SerializerMethodField(help_text="What it waits for, for people.")
    conditions = serializers.SerializerMethodField(method_name="conditions_in_order")
    observed_generation = serializers.IntegerField(help_text="The last generation that was built as a whole.")
    endpoint = serializers.CharField(help_text="Address of the cluster's API; empty until it is known.")
    effective = serializers.SerializerMethodField(method_name="effective_spec")
    operation = serializers.SerializerMethodField(
        method_name="running_operation", help_text="Address of the operation at work; null when none is."
    )

    accelerators = serializers.SerializerMethodField(help_text="By class; empty for a cluster without any.")
    request = serializers.SerializerMethodField(
        help_text="Address of the request that it waits for while AwaitingApproval; else null."
    )
    quarantine = serializers.SerializerMethodField(help_text="Null unless an admin took it out of use.")
    template = serializers.SerializerMethodField(help_text="Null for a cluster without one.")
    add_ons = serializers.SerializerMethodField(
        method_name="add_ons_in_order", help_text="Each that is put into it, and whether what it starts runs."
    )

    @extend_schema_field(AddOnSeen(many=True))
    def add_ons_in_order(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        """As in the spec in force."""
        return [shown(AddOnSeen, found) for found in clusters.add_on_states_of(cluster)]

    @extend_schema_field(TemplateUse(allow_null=True))
    def get_template(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """From the view, which read those of all its clusters at once."""
        found = self.context["templates"].get(cluster.uid)
        return dict(TemplateUse(found).data) if found else None

    @extend_schema_field(ClusterDevices(many=True))
    def get_accelerators(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        """From the view, which read those of all its clusters at once."""
        return [shown(ClusterDevices, found) for found in self.context["devices"].get(cluster.uid, ())]

    @extend_schema_field({"type": ["string", "null"], "format": "uri-reference"})
    def get_request(self, cluster: VirtualCluster) -> str | None:
        """The first that is open."""
        if cluster.phase != Phase.AWAITING_APPROVAL:
            return None
        return next((d["request"] for d in self.get_accelerators(cluster) if d["request"]), None)

    @extend_schema_field(Quarantine(allow_null=True))
    def get_quarantine(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """None when it is in use."""
        return dict(Quarantine(cluster, context=self.context).data) if cluster.quarantined else None

    @extend_schema_field(str)
    def get_message(self, cluster: VirtualCluster) -> str:
        """The summary's message."""
        told = self.context["conditions"][cluster.uid]
        summary = next((c for c in told if c.type == ConditionType.AVAILABLE), None)
        return summary.message if summary else ""

    @extend_schema_field(Condition(many=True))
    def conditions_in_order(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        """In the vocabulary's order, which is the order in which they come true."""
        return [_told(fact) for fact in self.context["conditions"][cluster.uid]]

    @extend_schema_field(Effective(allow_null=True))
    def effective_spec(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """None while the host's facts are not known."""
        found: EffectiveSpec | None = clusters.effective(cluster)
        return shown(Effective, found) if found else None

    @extend_schema_field({"type": ["string", "null"], "format": "uri-reference"})
    def running_operation(self, cluster: VirtualCluster) -> str | None:
        """From the view, which read the operations of all its clusters at once."""
        uid = self.context["operations"].get(cluster.uid)
        return f"/api/v1/operations/{uid}" if uid else None


class Cluster(StrictSerializer):
    """A virtual cluster."""

    metadata = ClusterMetadata(source="*", required=False)
    spec = SpecField(source="spec_text")
    status = ClusterStatus(source="*", read_only=True)


class ClusterFilters(ListQuery):
    """Which clusters of a tenant."""

    phase = serializers.ChoiceField(choices(Phase), required=False)
    name = serializers.CharField(required=False, max_length=63)
