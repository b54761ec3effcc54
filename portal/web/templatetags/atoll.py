"""Small pieces that templates share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html

from portal.web import presenters
from portal.web.forms.base import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from typing import Any

    from django.utils.safestring import SafeString

register = template.Library()
register.filter("badge", presenters.badge)
register.filter("brief", presenters.brief)
register.filter("kubernetes", presenters.kubernetes)
register.filter("sentence", sentence)
register.filter("size", presenters.size)
register.filter("sleep_verb", presenters.sleep_verb)
register.filter("verb", presenters.verb)
register.filter("operation_badge", presenters.operation_badge)
register.filter("event", presenters.event)
register.filter("audit_lines", presenters.audit_lines)
register.filter("finding_badge", presenters.finding_badge)
register.filter("finding_place", presenters.finding_place)
register.filter("finding_source", presenters.finding_source)
register.filter("finding_title", presenters.finding_title)
register.filter("host_badge", presenters.host_badge)
register.filter("gpu_badge", presenters.gpu_badge)
register.filter("host_trouble", presenters.host_trouble)
register.filter("host_sandboxes", presenters.host_sandboxes)

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative sign from the sprite; the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon icon-{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        name,
        static("icons.svg"),
        name,
    )


@register.filter
def at(mapping: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - whatever the mapping holds
    """The value under a key that is itself a variable."""
    return mapping.get(key)


@register.filter
def unit(amount: str) -> str:
    """As people write an amount: "8 GiB" for "8Gi"."""
    return f"{amount.removesuffix('Gi')} GiB" if amount.endswith("Gi") else amount


@register.filter
def split_colon(text: str) -> list[str]:
    """Title and explanation of "gVisor: a kernel of its own"."""
    title, _, rest = text.partition(": ")
    return [title, rest[:1].upper() + rest[1:]]


@register.filter
def percent(share: float | None) -> str:
    """Such as "25 %"."""
    return "-" if share is None else f"{round(share * 100)} %"


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Such as "5 minutes ago", kept true by the script; exact in its title."""
    if moment is None:
        return "never"
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        _ago(timezone.now() - moment),
    )


@register.simple_tag
def span(started: datetime | None, finished: datetime | None) -> SafeString | str:
    """How long something took; it counts on where it has not ended.

    Nothing for what was over when it was first seen: how long it took is not known.
    """
    if started is None or started == finished:
        return ""
    if finished is not None:
        return format_html('<span class="span">{}</span>', seconds(finished - started))
    return format_html(
        '<span class="span" data-since="{}">{}</span>', started.isoformat(), seconds(timezone.now() - started)
    )


def seconds(took: timedelta) -> str:
    """Such as "0.4 s", "12 s" or "3 min 20 s"."""
    total = max(0.0, took.total_seconds())
    if total < 0.1:  # noqa: PLR2004 - too short to tell
        return "< 0.1 s"
    if total < 10:  # noqa: PLR2004 - below that a tenth matters
        return f"{total:.1f} s"
    minutes, rest = divmod(int(total), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _ago(age: timedelta) -> str:
    total = age.total_seconds()
    for length, unit in _UNITS:
        count = int(total // length)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
