"""Celery is transport: it carries ids to a free worker and nothing else.

The database is the queue, and what it holds is looked at whether a message arrives or
not, so there is no result backend, no schedule of Celery's own (the relay does the few
periodic things; one process less to run and to watch) and no retry by message. Limits
rise: lease (45 s, renewed) < soft limit < hard limit < visibility timeout.

Run a worker with ``manage.py worker``.
"""

from __future__ import annotations

import os
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from celery import Celery
from django.conf import settings

QUEUE: Final = "atoll"
SOFT_LIMIT: Final = 90
HARD_LIMIT: Final = 120
VISIBILITY: Final = 300
"""Seconds after which Redis gives an unanswered message to another worker."""

app = Celery("atoll")
app.conf.update(
    broker_url=settings.ATOLL_BROKER_URL,
    # A worker waits for its broker for ever; whoever sends gives up at once and looks again later.
    broker_connection_retry=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    broker_transport_options={
        "visibility_timeout": VISIBILITY,
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "health_check_interval": 10,
        "socket_keepalive": True,
    },
    task_publish_retry=False,
    result_backend=None,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    task_create_missing_queues=False,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    task_soft_time_limit=SOFT_LIMIT,
    task_time_limit=HARD_LIMIT,
    task_serializer="json",
    accept_content=["json"],
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    enable_utc=True,
    imports=("provisioner.tasks", "provisioner.hearing"),
)
