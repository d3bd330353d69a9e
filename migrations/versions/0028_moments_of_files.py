"""The newest of a run's files is found without a look at all of them."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index("ix_run_files_run_moment", "run_files", ["run", "mtime_ns"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_run_files_run_moment", table_name="run_files")
