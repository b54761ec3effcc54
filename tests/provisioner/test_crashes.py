"""kill -9 at every boundary: the worker dies there, another starts, and the end is the same."""

from __future__ import annotations

import pytest

from tests.fakes.world import Crash, World
from tests.provisioner.harness import NS, Team, records_of


def shape(world: World):
    """What is on the host and in the tenant, whatever the way it came there."""
    host = sorted(k for k in world.host.objects)
    tenant = sorted(k for k in world.tenants[NS].objects)
    live = [r.status.value for r in records_of(world)][-1:]
    return [k for k in host if not k[2].startswith("sh.helm")], tenant, live


def crash_at(k: int, journey) -> tuple[World, int]:
    """``journey`` with the worker dying at its k-th point, then started again; the points it has."""
    team = Team(world=World(crash_at=k))
    for _ in range(2):
        try:
            journey(team)
            break
        except Crash:
            team.restart()
    return team.world, team.world.points


def build(team: Team) -> None:
    team.until_settled()


def upgrade(team: Team) -> None:
    if not team.wanted.ever_ready:
        team.until_settled()
    if team.wanted.generation == 1:
        team.change(kubernetes_version="1.35")
    team.until_settled()


def remove(team: Team) -> None:
    if not team.wanted.ever_ready and not team.wanted.deleting:
        team.until_settled()
    team.delete()
    team.until_settled()


class TestCrashes:
    """kill -9 at every boundary of every step: the same end as if nothing had happened."""

    @pytest.mark.parametrize("journey", [build, upgrade])
    def test_building_ends_the_same(self, journey):
        undisturbed, points = crash_at(0, journey)
        expected = shape(undisturbed)
        assert points >= 40
        for k in range(1, points + 1):
            world, _ = crash_at(k, journey)
            assert shape(world) == expected, f"after a crash at point {k}"

    def test_teardown_ends_with_nothing(self):
        _, points = crash_at(0, remove)
        for k in range(1, points + 1):
            world, _ = crash_at(k, remove)
            assert world.left == {}, f"after a crash at point {k}"

    def test_a_cluster_deleted_after_a_crash_while_it_was_made_is_gone(self):
        _, points = crash_at(0, build)
        for k in range(1, points + 1):
            team = Team(world=World(crash_at=k))
            with pytest.raises(Crash):
                build(team)
            team.restart()
            team.delete()
            team.until_settled()
            assert team.gone, f"after a crash at point {k}"
            assert team.world.left == {}, f"after a crash at point {k}"
