"""Indexes by which what is asked often costs the same however long a Strongroom has been at work."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

NEW = (
    ("runs", "ix_runs_person_quiet_state", ["person", "quiet", "state"], None),
    ("runs", "ix_runs_project_told", ["project", "told"], "told IS NOT NULL"),
    ("runs", "ix_runs_person_told", ["person", "told"], "told IS NOT NULL"),
    ("attempts", "ix_attempts_ended", ["ended"], None),
    ("airlock_runs", "ix_airlock_runs_to_empty", ["run"], "brought_into IS NOT NULL AND emptied IS NULL"),
    ("release_requests", "ix_release_requests_run_state", ["run", "state"], None),
    ("release_request_files", "ix_release_request_files_file", ["file"], None),
    ("released_files", "ix_released_files_file", ["file"], None),
    ("deliveries", "ix_deliveries_request_state", ["request", "state"], None),
    ("released_cohorts", "ix_released_cohorts_run", ["run"], None),
    ("audit_events", "ix_audit_events_project_event", ["project", "event"], None),
)
# Those above begin with the same column.
OLD = (
    ("release_requests", "ix_release_requests_run", ["run"]),
    ("audit_events", "ix_audit_events_project", ["project"]),
)


def upgrade() -> None:
    """Go forward."""
    for table, name, columns, condition in NEW:
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    for table, name, _ in OLD:
        op.drop_index(name, table_name=table)


def downgrade() -> None:
    """Go back."""
    for table, name, columns in OLD:
        op.create_index(name, table, columns)
    for table, name, _, _ in NEW:
        op.drop_index(name, table_name=table)
