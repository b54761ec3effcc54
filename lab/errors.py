"""What goes wrong in the lab, said so that a person can act on it."""

from __future__ import annotations


class LabError(Exception):
    """The lab could not do what was asked; the message names the cause and the fix."""


class StoppedError(Exception):
    """A stop was asked for while something was being waited for."""
