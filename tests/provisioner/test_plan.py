from __future__ import annotations

import pytest

from provisioner.release.digest import of_objects, of_release
from provisioner.release.plan import Action, Plan, decide
from provisioner.release.state import DIGEST_LABEL, Revision, Status, record_name, revisions

D, F, S = Status.DEPLOYED, Status.FAILED, Status.SUPERSEDED
PI, PU, PR = Status.PENDING_INSTALL, Status.PENDING_UPGRADE, Status.PENDING_ROLLBACK

TABLE = [
    # seen (status, digest), ever ready → what to do
    ([], False, Plan(Action.INSTALL)),
    ([], True, Plan(Action.INSTALL)),
    ([(D, "want")], False, Plan(Action.NOTHING)),
    ([(D, "old")], True, Plan(Action.UPGRADE)),
    ([(D, "")], True, Plan(Action.UPGRADE)),
    ([(S, "old"), (D, "want")], True, Plan(Action.NOTHING)),
    ([(F, "want")], False, Plan(Action.UPGRADE)),
    ([(D, "want"), (F, "want")], True, Plan(Action.UPGRADE)),
    ([(S, "want")], True, Plan(Action.UPGRADE)),
    ([(Status.UNKNOWN, "want")], True, Plan(Action.UPGRADE)),
    ([(PI, "want")], False, Plan(Action.UNINSTALL)),
    ([(PI, "want")], True, Plan(Action.FORGET, 1)),
    ([(D, "old"), (PU, "want")], True, Plan(Action.ROLLBACK, 1)),
    ([(S, "a"), (D, "b"), (F, "c"), (PU, "want")], True, Plan(Action.ROLLBACK, 2)),
    ([(D, "old"), (PR, "old")], True, Plan(Action.ROLLBACK, 1)),
    ([(F, "want"), (PU, "want")], False, Plan(Action.FORGET, 2)),
    ([(Status.UNINSTALLING, "want")], False, Plan(Action.UNINSTALL)),
    ([(Status.UNINSTALLING, "want")], True, Plan(Action.UNINSTALL)),
    ([(Status.UNINSTALLED, "want")], False, Plan(Action.INSTALL)),
]


@pytest.mark.parametrize(("seen", "ever_ready", "expected"), TABLE)
def test_plan(seen, ever_ready, expected):
    found = [Revision(i, status, digest) for i, (status, digest) in enumerate(seen, 1)]
    assert decide(found, "want", ever_ready=ever_ready) == expected


def test_every_status_has_a_plan():
    for status in Status:
        for ever_ready in (False, True):
            assert decide([Revision(1, status, "x")], "y", ever_ready=ever_ready).action in Action


def test_nothing_is_uninstalled_that_may_hold_data_unless_it_was_being_uninstalled():
    for status in set(Status) - {Status.UNINSTALLING}:
        assert decide([Revision(1, status, "x")], "y", ever_ready=True).action is not Action.UNINSTALL


def test_revisions_are_read_from_labels_in_order_of_number():
    def record(number, status, **more):
        labels = {"version": number, "status": status, **more}
        return {"metadata": {"name": f"r{number}", "labels": labels}}

    records = [
        record("10", "deployed", **{DIGEST_LABEL: "abc"}),
        record("9", "superseded"),
        record("x", "deployed"),
        {"metadata": {"name": "no labels"}},
        record("11", "some new word"),
    ]
    assert revisions(records) == (
        Revision(9, Status.SUPERSEDED, ""),
        Revision(10, Status.DEPLOYED, "abc"),
        Revision(11, Status.UNKNOWN, ""),
    )


def test_record_name_is_helms():
    assert record_name(3) == "sh.helm.release.v1.cluster.v3"


class TestDigest:
    @pytest.fixture
    def chart(self, tmp_path):
        (tmp_path / "templates").mkdir()
        (tmp_path / "Chart.yaml").write_text("name: x")
        (tmp_path / "templates" / "a.yaml").write_text("a: 1")
        return tmp_path

    def test_order_of_values_does_not_matter(self, chart):
        assert of_release(chart, {"a": 1, "b": {"c": 2, "d": 3}}) == of_release(
            chart, {"b": {"d": 3, "c": 2}, "a": 1}
        )

    def test_a_changed_value_changes_it(self, chart):
        assert of_release(chart, {"a": 1}) != of_release(chart, {"a": "1"})

    def test_a_changed_template_changes_it(self, chart):
        before = of_release(chart, {})
        (chart / "templates" / "a.yaml").write_text("a: 2")
        assert of_release(chart, {}) != before

    def test_a_moved_template_changes_it(self, chart):
        before = of_release(chart, {})
        (chart / "templates" / "a.yaml").rename(chart / "templates" / "b.yaml")
        assert of_release(chart, {}) != before

    def test_it_fits_into_a_label(self, chart):
        assert len(of_release(chart, {})) == 40

    def test_objects_in_another_order_are_other_objects(self):
        assert of_objects({"a": 1}, {"b": 2}) != of_objects({"b": 2}, {"a": 1})
