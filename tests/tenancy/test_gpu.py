"""The list of advisories, and the verdict on a node."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from tenancy.enums import GpuComponent, GpuVerdict, Severity, Trust, VersionSource
from tenancy.queries import advisories
from tenancy.rules.advisories import Advisories, Advisory, Affected, parse, version, within
from tenancy.rules.gpu import Found, GpuFacts, Tenancy, from_json, judge, refusals, to_json

SHIPPED = Advisories(*parse(json.loads(advisories.SHIPPED.read_text())))
ENTRY = {
    "cve": "CVE-2027-0001",
    "title": "t",
    "severity": "high",
    "source": "s",
    "affects": [{"component": "driver", "range": "<600.10", "fixed": "600.10"}],
}


def told(text: str, source: VersionSource = VersionSource.POD) -> Found:
    return Found(text, source, "pod gpu-operator/x")


def gpu(toolkit: str | None, operator: str | None = None, **rest: object) -> GpuFacts:
    base = GpuFacts(
        toolkit=told(toolkit) if toolkit is not None else None,
        operator=told(operator) if operator is not None else None,
    )
    return replace(base, **rest)  # type: ignore[arg-type]


def cves(facts: GpuFacts) -> set[tuple[str, str]]:
    return {(f.cve, f.component.value) for f in judge(facts, SHIPPED).findings}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.17.8", (1, 17, 8, 0)),
        ("v1.17.8-ubuntu20.04", (1, 17, 8, 0)),
        ("1.17.8-1", (1, 17, 8, 0)),
        ("v1.17.8-ubi8", (1, 17, 8, 0)),
        ("570.148.08-ubuntu22.04", (570, 148, 8, 0)),
        ("470.57", (470, 57, 0, 0)),
        ("", None),
        ("latest", None),
        ("1", None),
        ("1.18.0-rc.1", None),
        ("1.17.8-0ubuntu1~rc1", None),
        ("sha256:0f3c", None),
        ("v1.17.8-ubuntu20.04 --evil", None),
        ("570-5.15.0-100-generic-ubuntu22.04", None),
        ("1.2.3.4.5", None),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...] | None) -> None:
    assert version(text) == numbers


@pytest.mark.parametrize(
    ("text", "inside"),
    [("1.17.4", False), ("1.17.5", True), ("1.17.7", True), ("1.17.8", False), ("1.17.10", False)],
)
def test_a_range_has_both_its_ends(text: str, inside: bool) -> None:
    assert within(version(text) or (), ">=1.17.5,<=1.17.7") is inside


def test_the_list_that_comes_with_atoll_has_every_advisory_and_each_its_cure() -> None:
    assert [entry.cve for entry in SHIPPED.entries] == [
        "CVE-2024-0132",
        "CVE-2024-0134",
        "CVE-2025-23359",
        "CVE-2025-23266",
        "CVE-2025-23267",
        "CVE-2026-24260",
    ]
    for entry in SHIPPED.entries:
        for affected in entry.affects:
            assert not within(version(affected.fixed) or (), affected.range), (entry.cve, affected)
        assert entry.source
    assert SHIPPED.reviewed >= date(2026, 11, 21)


@pytest.mark.parametrize(
    ("toolkit", "cdi", "expected"),
    [
        (
            "1.16.1",
            False,
            {"CVE-2024-0132", "CVE-2024-0134", "CVE-2025-23359", "CVE-2025-23267", "CVE-2026-24260"},
        ),
        ("1.16.2", False, {"CVE-2024-0134", "CVE-2025-23359", "CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.0", False, {"CVE-2025-23359", "CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.4", False, {"CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.4", True, {"CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.4", None, {"CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.7", False, {"CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"}),
        ("1.17.8", None, {"CVE-2026-24260"}),
        ("1.19.0", None, {"CVE-2026-24260"}),
        ("1.19.1", None, set()),
    ],
)
def test_which_advisories_fit_a_toolkit(toolkit: str, cdi: bool | None, expected: set[str]) -> None:
    assert {cve for cve, _ in cves(gpu(toolkit, cdi=cdi))} == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("v25.3.1", {"CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"}),
        ("v25.3.2", {"CVE-2026-24260"}),
        ("v26.3.2", set()),
    ],
)
def test_an_operator_is_judged_beside_a_good_toolkit(operator: str, expected: set[str]) -> None:
    assert cves(gpu("1.19.1", operator)) == {(cve, "gpu-operator") for cve in expected}


def test_clean_needs_every_version_that_decides() -> None:
    assert judge(gpu("v1.19.1-ubuntu22.04", "v26.3.2"), SHIPPED).verdict is GpuVerdict.CLEAN
    assert judge(gpu("1.19.1"), SHIPPED).verdict is GpuVerdict.CLEAN


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (gpu(None), "label the node tenancy.atoll.internal/nvidia-container-toolkit=1.19.1"),
        (gpu(""), "pod gpu-operator/x gives container-toolkit no version that can be compared"),
        (gpu("latest"), "no version that can be compared"),
        (gpu("1.20.0-rc.1"), "no version that can be compared"),
        (gpu("none"), "no version that can be compared"),
        (gpu("1.19.1", "latest"), "gives gpu-operator no version"),
        (gpu(None, notes=("pods may not be read",)), "pods may not be read"),
    ],
)
def test_a_version_that_nobody_can_tell_is_unknown(facts: GpuFacts, words: str) -> None:
    found = judge(facts, SHIPPED)
    assert found.verdict is GpuVerdict.UNKNOWN
    assert words in found.why


def test_an_admin_may_say_that_a_node_needs_no_toolkit() -> None:
    none = Found("none", VersionSource.NODE_LABEL, "label")
    assert judge(GpuFacts(toolkit=none), SHIPPED).verdict is GpuVerdict.CLEAN


def test_a_known_hole_weighs_more_than_a_doubt() -> None:
    found = judge(gpu(None, "v25.3.1"), SHIPPED)
    assert found.verdict is GpuVerdict.EXPOSED
    assert found.upgrade == ((GpuComponent.OPERATOR, "26.3.2"),)


def test_the_way_out_of_one_hole_does_not_lead_into_the_next() -> None:
    found = judge(gpu("1.16.1", "24.6.1"), SHIPPED)
    assert found.upgrade == ((GpuComponent.TOOLKIT, "1.19.1"), (GpuComponent.OPERATOR, "26.3.2"))
    assert found.why == "upgrade container-toolkit to 1.19.1, gpu-operator to 26.3.2 or later"
    later = Advisory(
        "CVE-2027-0002",
        "t",
        Severity.HIGH,
        "s",
        (Affected(GpuComponent.TOOLKIT, ">=1.19.1,<1.20.3", "1.20.3"),),
    )
    known = replace(SHIPPED, entries=(*SHIPPED.entries, later))
    assert judge(gpu("1.17.7"), known).upgrade == ((GpuComponent.TOOLKIT, "1.20.3"),)


def test_once_an_advisory_is_about_drivers_they_decide_too() -> None:
    _, entries = parse({"reviewed": "2027-01-01", "advisories": [ENTRY]})
    known = replace(SHIPPED, entries=(*SHIPPED.entries, *entries))
    assert "nothing tells the driver's version" in judge(gpu("1.19.1"), known).why
    assert judge(gpu("1.19.1", driver=told("599.1")), known).upgrade == ((GpuComponent.DRIVER, "600.10"),)
    assert judge(gpu("1.19.1", driver=told("600.10.1")), known).verdict is GpuVerdict.CLEAN


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cve": "nvidiascape"}, "advisories[0]: 'nvidiascape' is no CVE number"),
        ({"severity": "bad"}, "severity (low, medium, high, critical)"),
        ({"affects": []}, "affects nothing"),
        (
            {"affects": [{"component": "kernel", "range": "<1.0", "fixed": "1.0"}]},
            "affects[0]: give component",
        ),
        ({"affects": [{"component": "driver", "range": "old", "fixed": "1.0"}]}, "no bound such as"),
        ({"affects": [{"component": "driver", "range": "<=1.0", "fixed": "1.0"}]}, "outside the range"),
        ({"affects": [{"component": "driver", "range": "<1.0", "fixed": "new"}]}, "must be a version"),
        ({"affects": [{"component": "driver", "range": "<1.0", "fixed": "1.0", "mode": "x"}]}, "mode 'cdi'"),
        ({"affects": [{"component": "driver", "range": "<1.0"}]}, "fixed"),
    ],
)
def test_a_bad_entry_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match="advisories") as caught:
        parse({"reviewed": "2027-01-01", "advisories": [{**ENTRY, **change}]})
    assert words in str(caught.value)


def test_a_file_that_is_no_list_is_refused() -> None:
    with pytest.raises(ValueError, match="give"):
        parse([])
    with pytest.raises(ValueError, match="give"):
        parse({"reviewed": "soon", "advisories": []})


def test_an_admins_list_counts_at_once_and_replaces_by_number(tmp_path, settings) -> None:
    own = tmp_path / "own.json"
    settings.ATOLL_GPU_ADVISORIES = str(own)
    lax = {**ENTRY, "cve": "CVE-2026-24260"}
    own.write_text(json.dumps({"reviewed": "2027-01-01", "advisories": [ENTRY, lax]}))
    known = advisories.load()
    assert known.reviewed == date(2027, 1, 1)
    assert [e.cve for e in known.entries] == [
        *(e.cve for e in SHIPPED.entries if e.cve != "CVE-2026-24260"),
        "CVE-2027-0001",
        "CVE-2026-24260",
    ]
    assert known.entries[-1].affects[0].component is GpuComponent.DRIVER


@pytest.mark.parametrize("text", ["", "{}", '{"reviewed": "2027-01-01", "advisories": [{}]}', None])
def test_while_an_admins_list_cannot_be_read_nothing_is_clean(tmp_path, settings, text) -> None:
    own = tmp_path / "own.json"
    settings.ATOLL_GPU_ADVISORIES = str(own)
    if text is not None:
        own.write_text(text)
    found = judge(gpu("1.19.1"), advisories.load())
    assert found.verdict is GpuVerdict.UNKNOWN
    assert str(own) in found.why


def test_json_carries_all_of_it() -> None:
    tenancy = Tenancy("team", "first", "atoll-team-first-0", Trust.TRUSTED, ("pod",), "one pod")
    facts = gpu("1.17.7", "25.3.1", driver=told("570.1"), cdi=True, notes=("n",), tenancies=(tenancy,))
    assert from_json(json.loads(json.dumps(to_json(facts)))) == facts
    assert from_json(to_json(GpuFacts())) == GpuFacts()


C, E, U = GpuVerdict.CLEAN, GpuVerdict.EXPOSED, GpuVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("nodes", "words"),
    [((E, E), "known ways out"), ((U,), "nobody knows"), ((), "no node with"), ((C, E), ""), ((C,), "")],
)
def test_a_wish_for_accelerators_needs_a_clean_node_that_has_them(nodes, words) -> None:
    found = refusals(["nvidia.com/gpu"], {"nvidia.com/gpu": nodes}, Trust.UNTRUSTED, "lab")
    assert [e.code for e in found] == (["gpu-escape"] if words else [])
    assert all(words in e.detail for e in found)
    assert refusals(["nvidia.com/gpu"], {"nvidia.com/gpu": nodes}, Trust.TRUSTED, "lab") == ()
