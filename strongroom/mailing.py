"""Hands a message to a mail server or to a webhook."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import urlsplit

import httpx

from strongroom.messages import Notices
from strongroom.networks import is_loopback

SECONDS = 20


class NotSent(Exception):
    """Nobody took the message."""


def send_mail(settings: Notices, *, notice: str, to: str, subject: str, body: str) -> None:
    """Send one mail whose Message-ID is the notice's own; raise `NotSent` or `OSError` if no server took it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.sender, to, subject
    message["Message-ID"] = f"<{notice}@strongroom>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    try:
        with _connected(settings) as server:
            if settings.smtp_user and settings.smtp_password_file is not None:
                server.login(settings.smtp_user, settings.smtp_password_file.read_text().strip())
            server.send_message(message)
    except smtplib.SMTPException as error:
        raise NotSent("The mail server did not take it.") from error


def call_webhook(settings: Notices, *, body: bytes, signature: str) -> None:
    """Post a notice; raise `NotSent` unless the answer is a 2xx. Nothing is followed elsewhere."""
    url = urlsplit(settings.webhook_url)
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
        raise NotSent("The webhook is no https URL.")
    headers = {"Content-Type": "application/json"}
    if signature:
        headers["Strongroom-Signature"] = f"sha256={signature}"
    try:
        answer = httpx.post(settings.webhook_url, content=body, headers=headers, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise NotSent("The webhook does not answer.") from error
    if not answer.is_success:
        raise NotSent("The webhook did not take it.")


def _connected(settings: Notices) -> smtplib.SMTP:
    host, port = settings.smtp_host, settings.smtp_port
    match settings.smtp_security:
        case "tls":
            return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
        case "starttls":
            server = smtplib.SMTP(host, port, timeout=SECONDS)
            server.starttls(context=ssl.create_default_context())
            return server
        case "none":
            if not is_loopback(host):
                raise NotSent("Mail without TLS goes to a server on this host only.")
            return smtplib.SMTP(host, port, timeout=SECONDS)
