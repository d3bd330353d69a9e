"""How people are told that something waits for them: settings of e-mail and webhook."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Notices(BaseModel):
    """Where notices go; they hold ids and a link, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smtp_host: str = Field("", description="Mail server; empty sends no mail.")
    smtp_port: int = Field(587, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`none` is accepted for a server on this host only."
    )
    smtp_user: str = Field("", description="User at the mail server; empty signs in as nobody.")
    smtp_password_file: Path | None = Field(None, description="File with that user's password.")
    sender: str = Field("strongroom@localhost", description="Address that mails come from.")
    webhook_url: str = Field("", description="https URL that is told of each move; empty tells nobody.")
    webhook_secret_file: Path | None = Field(
        None, description="File with the secret that signs what the webhook is sent (HMAC-SHA-256)."
    )
    site_url: str = Field("", description="Where people reach Strongroom, for links; by default where it listens.")
