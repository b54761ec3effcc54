"""The closed vocabulary of cluster templates; see ``tenancy.enums``."""

from __future__ import annotations

from enum import StrEnum


class VersionState(StrEnum):
    """Whether a version of a template is still to be used; its content never changes."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    """It works, and people are told to take another one."""
    YANKED = "yanked"
    """Nobody begins to use it; clusters that have it keep it until they can go on to a newer one."""


class TemplateVerdict(StrEnum):
    """What a version of a template means for a cluster that has the template."""

    CURRENT = "current"
    """It is in use."""
    MOVES = "moves"
    """The cluster goes on to it by itself."""
    STAYS = "stays"
    """The version or range that the cluster asks for does not lead to it."""
    REFUSED = "refused"
    """It would, and stays where it is, for it could not be had."""
