"""Whose data is behind each release."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go forward; whose data is behind earlier releases is not known, and they count as that."""
    op.add_column("airlock_runs", sa.Column("lineage", JSON, nullable=False, server_default="[]"))
    op.execute("UPDATE airlock_runs SET lineage = datasets")
    op.create_table(
        "airlock_cohorts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("run", sa.String(32), sa.ForeignKey("airlock_runs.run"), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("source", sa.String(32), nullable=True),
        sa.Column("was_read", sa.Boolean(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
    )
    op.create_index("ix_airlock_cohorts_run", "airlock_cohorts", ["run"])
    op.create_table(
        "released_cohorts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("run", sa.String(32), sa.ForeignKey("airlock_runs.run"), nullable=False),
        sa.Column("request", sa.String(32), sa.ForeignKey("releases.request"), nullable=False),
        sa.Column("cohort", sa.String(32), sa.ForeignKey("airlock_cohorts.id"), nullable=True),
        sa.Column("adds", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_released_cohorts_dataset", "released_cohorts", ["dataset"])
    op.create_table(
        "airlock_conflicts",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("file", sa.String(32), sa.ForeignKey("airlock_files.id"), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.Integer(), nullable=False),
        sa.Column("request", sa.String(32), sa.ForeignKey("releases.request"), nullable=False),
        sa.Column("figure", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_airlock_conflicts_file", "airlock_conflicts", ["file"])
    _remember_releases()


def downgrade() -> None:
    """Go back."""
    op.drop_table("airlock_conflicts")
    op.drop_table("released_cohorts")
    op.drop_table("airlock_cohorts")
    op.drop_column("airlock_runs", "lineage")


def _remember_releases() -> None:
    connection = op.get_bind()
    runs = sa.table("airlock_runs", sa.column("run"), sa.column("datasets", JSON))
    requests = sa.table("release_requests", sa.column("id"), sa.column("run"))
    releases = sa.table("releases", sa.column("request"))
    released = sa.table("released_cohorts", *(sa.column(name) for name in ("dataset", "run", "request", "adds")))
    found = connection.execute(
        sa.select(runs.c.run, sa.func.min(requests.c.id))
        .join(requests, requests.c.run == runs.c.run)
        .join(releases, releases.c.request == requests.c.id)
        .group_by(runs.c.run)
    ).all()
    for run, request in found:
        datasets = connection.execute(sa.select(runs.c.datasets).where(runs.c.run == run)).scalar_one()
        for dataset in datasets:
            connection.execute(sa.insert(released).values(dataset=dataset, run=run, request=request, adds=True))
