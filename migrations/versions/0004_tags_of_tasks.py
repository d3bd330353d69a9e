"""Tags of tasks can be asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "task_tags",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["tasks.number"], name=op.f("fk_task_tags_number")),
        sa.PrimaryKeyConstraint("number", "key", name=op.f("pk_task_tags")),
    )
    with op.batch_alter_table("task_tags") as batch_op:
        batch_op.create_index("ix_task_tags_key_value_number", ["key", "value", "number"])
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.create_index("ix_tasks_person_state_number", ["person", "state", "number"])


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_index("ix_tasks_person_state_number")
    op.drop_table("task_tags")
