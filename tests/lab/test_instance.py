from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.instance import SLOTS, Instance, Options, Ranges, identify

slots = st.integers(0, SLOTS - 1)


@given(slots, slots)
def test_the_addresses_of_two_slots_never_meet(one, other):
    assert (one == other) == Ranges(one).block.overlaps(Ranges(other).block)


@given(slots)
def test_the_parts_of_a_slot_do_not_meet_and_lie_in_its_block(slot):
    ranges = Ranges(slot)
    parts = [ranges.link, ranges.all_pods, ranges.services, ranges.fake_pods]
    assert all(part.subnet_of(ranges.block) for part in parts)
    assert not any(one.overlaps(other) for one, other in combinations(parts, 2))
    assert ranges.machine in ranges.link
    assert ranges.client in ranges.link
    assert ranges.client != ranges.machine
    assert ranges.dns in ranges.services


def test_every_node_has_its_own_address_and_pods():
    nodes = Instance(Path("/home"), 3, Options(workers=8)).nodes
    assert [node.name for node in nodes[:3]] == ["control-plane", "worker-1", "worker-2"]
    assert len({node.address for node in nodes}) == len(nodes)
    assert not any(one.pods.overlaps(other.pods) for one, other in combinations(nodes, 2))
    assert all(node.pods.subnet_of(Ranges(3).all_pods) for node in nodes)
    assert [node.is_worker for node in nodes[:2]] == [False, True]


@pytest.mark.parametrize("home", ["/a", "/" + "long/" * 60])
def test_names_fit_what_the_kernel_takes_however_long_the_home_is(home):
    lab = Instance(Path(home), 0, Options(workers=8))
    assert len(lab.link.encode()) <= 15
    assert all(len(f"{node.containerd}.ttrpc".encode()) < 108 for node in lab.nodes)


def test_a_home_keeps_its_name_whatever_way_leads_there(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert identify(tmp_path / "link") == identify(tmp_path / "real")
    assert identify(tmp_path / "real") != identify(tmp_path / "other")
