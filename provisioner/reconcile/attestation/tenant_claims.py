"""Claims that a pod in the tenant's cluster answers: by packets and by what its kernel says.

The pod is made and read through the tenant's API, so a hostile syncer could answer in its
place; what it says is told with the source ``tenant``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.reconcile import packets
from provisioner.reconcile.attestation import probe
from provisioner.reconcile.attestation.look import NotRun, Violated, violated_if
from tenancy.rules import sandbox_proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.reconcile.attestation.look import Look

NO_CAPABILITY: Final = 0


def sandbox(look: Look) -> str:
    """The kernel that a pod sees is the sandbox's."""
    wanted, seen = look.effective.sandbox, sandbox_proof.read(_fact(look, probe.SAID))
    kernels = {n["status"].get("nodeInfo", {}).get("kernelVersion", "") for n in look.nodes.values()}
    fault = sandbox_proof.fault(wanted, seen, kernels - {""})
    violated_if([f"a pod is outside the sandbox {wanted.value}: {fault}"] if fault else [])
    return sandbox_proof.told(wanted, seen)


def identity(look: Look) -> str:
    """A pod that asks for nothing holds no token and no capability."""
    mounted, capabilities = _fact(look, "token") != "absent", _fact(look, "caps")
    faults = [] if not mounted else ["a token is mounted though none was asked for"]
    if int(capabilities, 16) != NO_CAPABILITY:
        faults.append(f"capabilities {capabilities} though all were dropped")
    violated_if(faults)
    return "no token, no capability"


def works(look: Look) -> str:
    """Own DNS and own API answer: without this, silence elsewhere would prove nothing."""
    _told(look)
    faults = [
        f"{what} does not answer at {address} ({word})"
        for what in (probe.OWN_DNS, probe.OWN_API)
        for address, word in (look.heard.words(what) or {"any address": "not tried"}).items()
        if word != packets.OPEN
    ]
    violated_if(faults)
    return "the pod's own DNS and own API answer"


def closed(what: str) -> Callable[[Look], str]:
    """Nothing of this kind answers, while the network works."""

    def judge(look: Look) -> str:
        _told(look)
        try:
            works(look)
        except (Violated, NotRun) as error:
            msg = f"the probe's network does not work, so silence proves nothing: {error}"
            raise NotRun(msg) from error
        words = look.heard.words(what)
        if not words:
            msg = "nothing was tried: the addresses are not known"
            raise NotRun(msg)
        _none_failed(words)
        open_ = [
            f"{address} answers ({word})" for address, word in words.items() if word not in packets.CLOSED
        ]
        violated_if(open_)
        return "; ".join(f"{address} {word}" for address, word in words.items())

    return judge


def _none_failed(words: dict[str, str]) -> None:
    failed = [address for address, word in words.items() if word == "error"]
    if failed:
        msg = f"the attempt itself failed at {', '.join(failed)}"
        raise NotRun(msg)


def _told(look: Look) -> None:
    if look.heard.why or not look.heard.tried:
        raise NotRun(look.heard.why or "the probe pod told nothing")


def _fact(look: Look, key: str) -> str:
    found = look.heard.facts.get(key)
    if not found:
        raise NotRun(look.heard.why or f"the probe pod did not tell its {key}")
    return found
