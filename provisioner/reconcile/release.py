"""The Helm release of the control plane, brought to the wanted chart and values from any state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.outcomes import Done, Wait
from provisioner.ports import SECRETS, SERVICES, STATEFUL_SETS
from provisioner.reconcile import labels
from provisioner.release import digest, plan, state, values
from provisioner.release.plan import Action
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

_AGAIN = 0.5


def ensure(scope: Scope) -> Outcome:
    """Looks at Helm's records, decides, acts once; what takes the world time is left to a later pass."""
    wanted = values.render(scope.desired)
    name = digest.of_release(scope.chart, wanted)
    key = ("release", scope.incarnation, name)
    if scope.memory.recall(*key):
        return Done()
    seen = revisions(scope)
    todo = plan.decide(seen, name, ever_ready=scope.desired.ever_ready)
    if todo.action is not Action.NOTHING:
        outcome = _act(scope, todo, wanted, name)
        if not isinstance(outcome, Done):
            return outcome
    scope.memory.remember(*key)
    return Done()


def revisions(scope: Scope) -> tuple[state.Revision, ...]:
    """Helm's records of the release, read without Helm."""
    records = scope.host.kube.find(SECRETS, scope.desired.namespace, labels=state.SELECTOR, brief=True)
    return state.revisions(records)


def _act(scope: Scope, todo: plan.Plan, wanted: dict[str, Any], name: str) -> Outcome:
    namespace, helm = scope.desired.namespace, scope.host.helm
    match todo.action:
        case Action.INSTALL if _leftovers(scope):
            return Wait(_AGAIN, Reason.INSTALLING, "waiting for the remains of a half-made release to go")
        case Action.INSTALL | Action.UPGRADE:
            helm.install(namespace, wanted, name)
            return Done()
        case Action.ROLLBACK:
            helm.rollback(namespace, todo.revision)
            return Wait(0, Reason.INSTALLING, f"went back to release {todo.revision}, which was whole")
        case Action.FORGET:
            scope.host.kube.delete(SECRETS, state.record_name(todo.revision), namespace)
            return Wait(0, Reason.INSTALLING, f"dropped the record of the unfinished release {todo.revision}")
        case _:
            helm.uninstall(namespace)
            return Wait(_AGAIN, Reason.INSTALLING, "removed a half-made release; it is installed anew")


def _leftovers(scope: Scope) -> bool:
    """Whether objects of an earlier release are still on their way out."""
    found = (scope.host.kube.get(k, RELEASE, scope.desired.namespace) for k in (STATEFUL_SETS, SERVICES))
    return any(labels.terminating(seen) for seen in found if seen)
