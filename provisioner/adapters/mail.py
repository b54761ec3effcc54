"""Hands mails to the mail server of the settings."""

from __future__ import annotations

from smtplib import SMTPException

from django.core.mail import send_mail

from provisioner.outcomes import Transient
from tenancy.enums import Reason


def send(to: str, subject: str, body: str) -> None:
    """Returns once the server took it; raises ``Transient`` while it does not."""
    try:
        send_mail(f"[Atoll] {subject}", body, None, [to])
    except (SMTPException, OSError) as error:
        msg = f"the mail server does not take mail now ({error}): tried again"
        raise Transient(msg, Reason.WAITING) from error
