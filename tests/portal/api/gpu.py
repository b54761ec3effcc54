"""The words in which tests ask for accelerators and decide."""

from __future__ import annotations

from datetime import timedelta

from tenancy.queries import calendar

ASK = {"spec": {"class": "gpu", "amount": 2, "justification": "training"}}


def day(after):
    return (calendar.today() + timedelta(days=after)).isoformat()


def asked(api, **spec):
    made = api.post("/tenants/team/gpu-requests", {"spec": {**ASK["spec"], **spec}})
    assert made.status_code == 201, made.content
    return made.json()


def verb(api, request, word, **body):
    return api.post(f"/gpu-requests/{request['metadata']['uid']}/{word}", body or None)


def granted(api, admin, **spec):
    done = verb(admin, asked(api, **spec), "approve", reason="fine")
    assert done.status_code == 200, done.content
    return api.get(done.json()["status"]["grant"]).json()
