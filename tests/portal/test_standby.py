"""Databases as portals meet them: a hot standby of PostgreSQL, a SQLite whose folder takes no writes, sessions that end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.support import portals, postgres

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
READS = (
    "/livez",
    "/readyz",
    "/api/v1/me",
    "/api/v1/tokens",
    "/api/v1/tenants/loud/clusters",
    "/api/v1/tenants/loud/clusters/first",
    "/api/v1/tenants/loud/clusters/first/ready",
    "/api/v1/tenants/loud/audit",
    "/api/v1/tenants/loud/events",
    "/api/v1/operations",
    "/api/v1/notices",
)
WRITES: tuple[tuple[str, str, object], ...] = (
    ("PUT", "/api/v1/tenants/loud/clusters/second", {"spec": {}}),
    ("DELETE", "/api/v1/tenants/loud/clusters/first", None),
    ("POST", "/api/v1/tenants/loud/clusters/first/kubeconfig", {}),
    ("POST", "/api/v1/tokens", {"metadata": {"name": "x"}}),
)
PAGES = ("/", "/clusters/loud/first", "/tokens", "/tenants/loud/service-accounts")


def csrf(client, path):
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(path).text)
    assert found
    return {"csrfmiddlewaretoken": found[1]}


def sign_in(client):
    person = {"username": "loud", "password": portals.PASSWORD}
    return client.post("/sign-in", data={**csrf(client, "/sign-in"), **person})


def session(url):
    with httpx.Client(base_url=url, timeout=30) as client:
        assert sign_in(client).status_code == 302
        return dict(client.cookies)


def look_and_try(url, token, cookies):
    """Reads answer, writes are told to wait, by API and pages; no token was ever used before."""
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=bearer, timeout=30) as api:
        assert {path: api.get(path).status_code for path in READS} == dict.fromkeys(READS, 200)
        for method, path, body in WRITES:
            refused = api.request(method, path, json=body)
            told = (refused.status_code, refused.json()["code"], refused.headers.get("Retry-After"))
            assert told == (503, "read-only", "30"), path
    with (
        httpx.Client(base_url=url, cookies=cookies, timeout=30) as page,
        httpx.Client(base_url=url, timeout=30) as stranger,
    ):
        assert {path: page.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
        form = csrf(page, "/tokens")
        refusals = [
            page.post("/clusters/loud/first/retry", data=form),
            page.post("/sign-out", data=form),
            sign_in(stranger),
        ]
        for refusal in refusals:
            assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "30")
            assert "database only reads" in refusal.text
        assert page.get("/").status_code == 200


@pytest.mark.skipif(not (postgres.programs() / "pg_basebackup").exists(), reason="no pg_basebackup")
def test_a_hot_standby_reads(tmp_path):
    with postgres.server() as primary:
        tokens = portals.fill(tmp_path, database_url=primary)
        with portals.portal(tmp_path, database_url=primary) as url:
            cookies = session(url)
        with (
            postgres.standby(primary) as second,
            portals.portal(tmp_path, database_url=second) as url,
        ):
            look_and_try(url, tokens["loud"], cookies)


def test_a_portal_keeps_its_connections_and_replaces_dead_ones(tmp_path):
    with postgres.server() as database:
        tokens = portals.fill(tmp_path, database_url=database)
        settings = {"database_url": database, "database_pool": "4"}
        headers = {"Authorization": f"Bearer {tokens['loud']}"}
        with (
            portals.portal(tmp_path, **settings) as url,
            httpx.Client(base_url=url, headers=headers, timeout=30) as api,
            psycopg.connect(database, autocommit=True) as server,
        ):
            first, second = crowd(api, server), crowd(api, server)
            assert first <= second, "what was opened is used again"
            assert 1 <= len(second) <= 4
            server.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
            assert api.get("/api/v1/me").status_code == 200


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def crowd(api, server):
    """The sessions of the database that are there after many requests at once."""
    with ThreadPoolExecutor(16) as many:
        assert set(many.map(lambda _: api.get("/api/v1/me").status_code, range(64))) == {200}
    return {pid for (pid,) in server.execute(f"SELECT pid {OTHERS}")}


@contextmanager
def read_only(folder):
    """Root may write where modes say no; nobody may where the mount does."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounts take root")
def test_a_folder_that_takes_no_writes_is_read(tmp_path):
    tokens = portals.fill(tmp_path)
    with portals.portal(tmp_path) as url:
        cookies = session(url)
        with read_only(tmp_path):
            look_and_try(url, tokens["loud"], cookies)
        bearer = {"Authorization": f"Bearer {tokens['loud']}"}
        made = httpx.put(
            f"{url}/api/v1/tenants/loud/clusters/second", headers=bearer, json={"spec": {}}, timeout=30
        )
        assert made.status_code == 201, "it takes writes again, and the portal notices"
