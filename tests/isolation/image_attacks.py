"""Attacks by images and devices, each with a neighbour that is allowed; see ``attacks``."""

from __future__ import annotations

from typing import Any

from tests.isolation.pod_attacks import RUNNING_POD
from tests.isolation.shapes import WEB, Attack, Body, Request, init, named, pod, pods, post, volume

_MAPPED = "/api/v1/namespaces/{mapped}/pods"
_THERE = "system:serviceaccount:{mapped}:vc-cluster"


def _image(name: str) -> Body:
    return pod(container={"image": name})


def _first(name: str) -> Body:
    return pod({"initContainers": [{"name": "first", "image": name}]})


def _debug(image: str, path: str = RUNNING_POD) -> Request:
    container = {"name": "debug", "image": image}
    return Request("PATCH", path + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}})


def _swap(image: str) -> Request:
    """The list is replaced as a whole, with what the host filled in."""
    web = {"name": "web", "image": image, "securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}
    return Request("PATCH", RUNNING_POD, {"spec": {"containers": [web]}})


IMAGES = [
    *pods(
        "images",
        foreign_registry=(_image("evil.example.com/web:1"), _image("quay.io/some/web:1")),
        registry_that_begins_alike=(_image("quay.io.example.com/web:1"), _image("quay.io/web:1")),
        registry_at_another_port=(_image("quay.io:5000/web:1"), _image("quay.io/web:1")),
        another_team=(
            _image("registry.example.com/teams/web:1"),
            _image("registry.example.com/team/deep/web:1"),
        ),
        short_name_of_another_owner=(_image("evil/web:1"), _image("web")),
        another_owner_by_an_older_name=(
            _image("index.docker.io/evil/web:1"),
            _image("index.docker.io/library/web:1"),
        ),
        host_in_capitals=(_image("EVIL/library/web:1"), _image("docker.io/web:1")),
        foreign_first_container=(_first("evil.example.com/web:1"), init({})),
        foreign_image_as_a_volume=(
            volume(image={"reference": "evil.example.com/data:1"}),
            volume(image={"reference": "quay.io/data:1"}),
        ),
        almost_the_platforms=(_image("registry.k8s.io/pause:3.11"), _image("registry.k8s.io/pause:3.10")),
    ),
    Attack("foreign debugging image", "images", _debug("evil.example.com/web:1"), _debug("quay.io/web:1")),
    Attack(
        "another image for a running pod", "images", _swap("evil.example.com/web:1"), _swap("quay.io/web:2")
    ),
    *(
        Attack(name, "images", post(_MAPPED, _image(bad)), post(_MAPPED, _image(WEB)), who=_THERE)
        for name, bad in {
            "image by tag": "quay.io/web:1",
            "image by nothing": "quay.io/web",
            "half a digest": "quay.io/web@sha256:0123",
        }.items()
    ),
    Attack(
        "debugging image by tag",
        "images",
        _debug("quay.io/web:1", _MAPPED + "/running"),
        _debug(WEB, _MAPPED + "/running"),
        who=_THERE,
    ),
]


_GATE: Body = {"nodeSelector": {"tenancy.atoll.node-restriction.kubernetes.io/gpu-escape": "clean"}}


def _asks(**amounts: str) -> Body:
    named_ = {key.replace("__", "/").replace("_", "."): value for key, value in amounts.items()}
    return pod(_GATE, container={"resources": {"limits": named_}})


_CLAIMS = "/apis/resource.k8s.io/v1/namespaces/{ns}/resourceclaims"
_TEMPLATES = "/apis/resource.k8s.io/v1/namespaces/{ns}/resourceclaimtemplates"
_API = "resource.k8s.io/v1"
_CLAIM_OF_A_POD = pod({**_GATE, "resourceClaims": [{"name": "g", "resourceClaimName": "g"}]})


def _spec(*requests: Body) -> Body:
    return {"devices": {"requests": [{"name": f"r{n}", **r} for n, r in enumerate(requests)]}}


def _exactly(name: str, **more: Any) -> Body:
    return {"exactly": {"deviceClassName": name, **more}}


def _claim(*requests: Body, **annotations: str) -> Request:
    made = named("ResourceClaim", "mine", _API, spec=_spec(*requests))
    made["metadata"]["annotations"] = {k.replace("__", "/"): v for k, v in annotations.items()}
    return post(_CLAIMS, made)


def _template(*requests: Body) -> Request:
    return post(_TEMPLATES, named("ResourceClaimTemplate", "mine", _API, spec={"spec": _spec(*requests)}))


_GRANTED = _claim(_exactly("granted"))

DEVICES = [
    *pods(
        "devices",
        gpu=(_asks(amd_com__gpu="1"), _asks(example_com__granted="1")),
        slice_of_a_gpu=(_asks(**{"nvidia_com__mig-1g.5gb": "1"}), _asks(cpu="1", memory="1Gi")),
        device_of_a_first_container=(
            pod(
                {
                    **_GATE,
                    "initContainers": [
                        {"name": "f", "image": "web:1", "resources": {"limits": {"amd.com/gpu": "1"}}}
                    ],
                }
            ),
            _asks(**{"ephemeral-storage": "1Gi"}),
        ),
        huge_pages=(_asks(cpu="1", memory="1Gi", **{"hugepages-2Mi": "2Mi"}), pod()),
    ),
    Attack(
        "claim without a grant",
        "devices",
        post(_MAPPED, _CLAIM_OF_A_POD),
        post(_MAPPED, pod()),
        who=_THERE,
    ),
    Attack("foreign device class", "devices", _claim(_exactly("other")), _GRANTED),
    Attack(
        "foreign class as an alternative",
        "devices",
        _claim(
            {
                "firstAvailable": [
                    {"name": "a", "deviceClassName": "granted"},
                    {"name": "b", "deviceClassName": "other"},
                ]
            }
        ),
        _claim({"firstAvailable": [{"name": "a", "deviceClassName": "granted"}]}),
    ),
    Attack(
        "foreign class by a template", "devices", _template(_exactly("other")), _template(_exactly("granted"))
    ),
    Attack("others' devices", "devices", _claim(_exactly("granted", adminAccess=True)), _GRANTED),
    Attack(
        "claim that is not counted",
        "devices",
        _claim(
            _exactly("granted"),
            **{"resource.kubernetes.io__extended-resource-claim": "true"},
        ),
        _GRANTED,
    ),
]
