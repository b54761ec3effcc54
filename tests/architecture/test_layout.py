"""What import contracts cannot see: sizes, packages, words that must not appear."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings

from tests.architecture.sources import REPOSITORY, modules, tracked

LONGEST = 400


def test_no_module_is_longer_than_a_person_reads():
    long = {m.path: len(m.text.splitlines()) for m in modules() if len(m.text.splitlines()) > LONGEST}
    assert long == {}


def test_every_app_has_a_real_migrations_package():
    files = {
        app: import_module(settings.MIGRATION_MODULES[app]).__file__ for app in settings.FIRST_PARTY_APPS
    }
    assert [app for app, file in files.items() if not file] == []


def test_no_package_registry_is_named():
    """Whoever installs chooses the mirror; a host name in a file would choose for them."""
    forbidden = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "proxy.golang" + ".org",
        "sum.golang" + ".org",
        "deb.debian" + ".org",
        "crates" + ".io",
    ]
    found = {
        (name, word)
        for name in tracked()
        for word in forbidden
        if word.encode() in (REPOSITORY / name).read_bytes()
    }
    assert found == set()


def test_what_holds_state_is_ignored_by_git():
    assert [n for n in tracked() if n.startswith((".atoll/", ".venv/"))] == []


def test_scripts_can_be_run():
    for name in ("atoll", ".ci/run"):
        assert (REPOSITORY / name).stat().st_mode & 0o111 == 0o111
