"""A notice becomes a mail: handed to a real SMTP server, at least once, tried again while it refuses."""

from __future__ import annotations

import socketserver
import threading
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from django.utils import timezone

from provisioner import wiring
from provisioner.outcomes import Done
from tenancy.actions import notices
from tenancy.actions.unit import atomic
from tenancy.enums import WorkKind
from tenancy.models import Notice, WorkItem
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Session(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client without extensions speaks."""

    def handle(self):
        self._say(220)
        while line := self.rfile.readline():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                self._say(354)
                self._take()
            elif verb == b"MAIL" and self.server.full:
                self._say(452)
            else:
                self._say(221 if verb == b"QUIT" else 250)

    def _say(self, code):
        self.wfile.write(f"{code} said\r\n".encode())

    def _take(self):
        lines = iter(self.rfile.readline, b".\r\n")
        self.server.mails.append(message_from_bytes(b"".join(lines), policy=default))
        self._say(250)


@pytest.fixture
def server(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as made:
        made.daemon_threads, made.mails, made.full = True, [], False
        settings.EMAIL_HOST, settings.EMAIL_PORT = made.server_address
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def notice(db):
    user = factories.user("ada")
    user.email = "ada@example.com"
    user.save()
    with atomic():
        notices.tell([user], key="k", subject="two\nlines", body="What happens next.", link="/gpu/grants/1")
    return Notice.objects.get()


def work_on(notice):
    WorkItem.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return wiring.run(WorkKind.NOTICE, notice.uid)


def test_it_is_sent_once_with_the_way_to_it(server, notice):
    assert work_on(notice) == Done()
    (mail,) = server.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "[Atoll] two lines")
    assert mail.get_content().split() == ["What", "happens", "next.", "http://127.0.0.1:8000/gpu/grants/1"]
    notice.refresh_from_db()
    assert notice.sent_at
    assert work_on(notice) is None
    assert len(server.mails) == 1


def test_a_server_that_refuses_is_asked_again_later(server, notice):
    server.full = True
    assert work_on(notice) is None
    item = WorkItem.objects.get(kind=WorkKind.NOTICE)
    assert (item.failures, item.due_at > timezone.now()) == (1, True)
    server.full = False
    assert work_on(notice) == Done()
    assert len(server.mails) == 1


def test_a_mail_that_nobody_takes_is_given_up_after_three_days(server, notice):
    server.full = True
    assert work_on(notice) is None
    Notice.objects.update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    assert work_on(notice) == Done()
    assert Notice.objects.get().sent_at is None


def test_a_server_that_is_away_is_asked_again_later(settings, server, notice):
    server.shutdown()
    server.server_close()
    assert work_on(notice) is None
    assert WorkItem.objects.get(kind=WorkKind.NOTICE).failures == 1
    notice.refresh_from_db()
    assert notice.sent_at is None


def test_without_a_mail_server_the_inbox_is_all(notice):
    assert work_on(notice) == Done()
    notice.refresh_from_db()
    assert notice.sent_at is None
