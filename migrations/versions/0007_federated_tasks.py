"""Federated tasks, and where their released outputs go."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "federated_tasks",
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("profile", sa.String(length=150), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("datasets", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("deliveries", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["tasks.id"], name=op.f("fk_federated_tasks_task")),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_federated_tasks")),
        sa.UniqueConstraint("run", name=op.f("uq_federated_tasks_run")),
    )
    with op.batch_alter_table("federated_tasks") as batch_op:
        batch_op.create_index(batch_op.f("ix_federated_tasks_settled"), ["settled"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("request", sa.String(length=32), nullable=False),
        sa.Column("file", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("url_sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=True),
        sa.Column("delivered", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["file"], ["airlock_files.id"], name=op.f("fk_deliveries_file")),
        sa.ForeignKeyConstraint(["request"], ["release_requests.id"], name=op.f("fk_deliveries_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("request", "file", name=op.f("uq_deliveries_request_file")),
    )
    with op.batch_alter_table("deliveries") as batch_op:
        batch_op.create_index("ix_deliveries_state_next", ["state", "next_try"])
    _other_sites()


def _other_sites() -> None:
    op.create_table(
        "inbox_tickets",
        sa.Column("ticket_sha256", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("object", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_inbox_tickets_dataset")),
        sa.PrimaryKeyConstraint("ticket_sha256", name=op.f("pk_inbox_tickets")),
    )
    op.create_table(
        "remote_jobs",
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("request", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("tickets", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("theirs", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("canceled", sa.Boolean(), nullable=False),
        sa.Column("outputs", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("trouble", sa.String(length=300), nullable=True),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_remote_jobs_run")),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_remote_jobs")),
    )
    with op.batch_alter_table("remote_jobs") as batch_op:
        batch_op.create_index(batch_op.f("ix_remote_jobs_run"), ["run"])
        batch_op.create_index(batch_op.f("ix_remote_jobs_state"), ["state"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("remote_jobs")
    op.drop_table("inbox_tickets")
    op.drop_table("deliveries")
    op.drop_table("federated_tasks")
