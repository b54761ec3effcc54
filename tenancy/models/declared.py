from __future__ import annotations

from django.db import models


class Declared(models.Model):
    """What is kept by writing its spec under a name of the writer's choice; ``actions.declared`` writes it.

    Whoever inherits has a ``uid`` of its own, and an action raises ``generation`` where a value changes.
    """

    generation = models.PositiveIntegerField(default=1)
    """Counts the changes of the spec."""
    spec_text = models.TextField(blank=True)
    """As written last through the API: keys, order and spellings; empty where that never was."""
    spec_read = models.JSONField(default=dict)
    """How it was read then, with its silences filled in: tells what has changed elsewhere since."""

    class Meta:
        abstract = True
