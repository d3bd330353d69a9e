"""Tasks are found by name, state and tags, and their outputs by path."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "task_tags",
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.number"], name=op.f("fk_task_tags_task")),
        sa.PrimaryKeyConstraint("task", "key", name=op.f("pk_task_tags")),
    )
    with op.batch_alter_table("task_tags", schema=None) as batch_op:
        batch_op.create_index("ix_task_tags_person_key_task", ["person", "key", "task"], unique=False)
        batch_op.create_index("ix_task_tags_person_key_value_task", ["person", "key", "value", "task"], unique=False)

    op.create_table(
        "task_outputs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column(
            "path", sa.String(length=1100).with_variant(sa.String(1100, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("object", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_task_outputs")),
    )
    with op.batch_alter_table("task_outputs", schema=None) as batch_op:
        batch_op.create_index("ix_task_outputs_run_path", ["run", "path"], unique=False)

    _compare_names("C")
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index("ix_tasks_person_name_number", ["person", "name", "number"], unique=False)
        batch_op.create_index("ix_tasks_person_state_number", ["person", "state", "number"], unique=False)


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index("ix_tasks_person_state_number")
        batch_op.drop_index("ix_tasks_person_name_number")

    _compare_names("default")
    with op.batch_alter_table("task_outputs", schema=None) as batch_op:
        batch_op.drop_index("ix_task_outputs_run_path")

    op.drop_table("task_outputs")
    with op.batch_alter_table("task_tags", schema=None) as batch_op:
        batch_op.drop_index("ix_task_tags_person_key_value_task")
        batch_op.drop_index("ix_task_tags_person_key_task")

    op.drop_table("task_tags")


def _compare_names(collation: str) -> None:
    # SQLite compares letter by letter anyway.
    if op.get_bind().dialect.name == postgresql.dialect.name:
        op.alter_column("tasks", "name", type_=sa.String(200, collation=collation))
