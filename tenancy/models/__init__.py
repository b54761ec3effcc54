"""Columns, constraints and indexes; the verbs are in ``tenancy.actions``."""

from __future__ import annotations

from tenancy.models.accelerator import AcceleratorClass, AcceleratorLimit, PoolBalance
from tenancy.models.access import AccessRequest, ApiToken, IdempotencyRecord
from tenancy.models.add_on import AddOnVersion
from tenancy.models.audit import AuditDenial, AuditEvent, AuditHead
from tenancy.models.cluster import ClusterCondition, VirtualCluster
from tenancy.models.event import Event, EventHead
from tenancy.models.exchange import TokenExchange
from tenancy.models.finding import Finding
from tenancy.models.grant import Allocation, Grant, GrantRequest
from tenancy.models.host import HostCluster
from tenancy.models.identity import Identity
from tenancy.models.node import Node, NodeMove
from tenancy.models.notice import Notice
from tenancy.models.operation import Operation
from tenancy.models.pool import NodePool
from tenancy.models.report import IsolationReport
from tenancy.models.service_account import ServiceAccount
from tenancy.models.template import ClusterTemplate, TemplateVersion
from tenancy.models.tenant import Membership, Tenant
from tenancy.models.usage import DeviceUsage
from tenancy.models.user import User
from tenancy.models.version import RemovedVersion
from tenancy.models.webhook import Delivery, Webhook
from tenancy.models.work import ServiceHeartbeat, WorkItem

__all__ = [
    "AcceleratorClass",
    "AcceleratorLimit",
    "AccessRequest",
    "AddOnVersion",
    "Allocation",
    "ApiToken",
    "AuditDenial",
    "AuditEvent",
    "AuditHead",
    "ClusterCondition",
    "ClusterTemplate",
    "Delivery",
    "DeviceUsage",
    "Event",
    "EventHead",
    "Finding",
    "Grant",
    "GrantRequest",
    "HostCluster",
    "IdempotencyRecord",
    "Identity",
    "IsolationReport",
    "Membership",
    "Node",
    "NodeMove",
    "NodePool",
    "Notice",
    "Operation",
    "PoolBalance",
    "RemovedVersion",
    "ServiceAccount",
    "ServiceHeartbeat",
    "TemplateVersion",
    "Tenant",
    "TokenExchange",
    "User",
    "VirtualCluster",
    "Webhook",
    "WorkItem",
]
