"""Tasks are found by name and state, tags of a person's tasks by one index, and outputs of a run by path."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; what tasks left before is found by its object only."""
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
    with op.batch_alter_table("task_outputs") as batch_op:
        batch_op.create_index("ix_task_outputs_run_path", ["run", "path"])

    with op.batch_alter_table("task_tags") as batch_op:
        batch_op.add_column(sa.Column("person", sa.String(length=200), nullable=True))
    op.execute("UPDATE task_tags SET person = (SELECT person FROM tasks WHERE tasks.number = task_tags.number)")
    with op.batch_alter_table("task_tags") as batch_op:
        batch_op.alter_column("person", existing_type=sa.String(length=200), nullable=False)
        batch_op.drop_index("ix_task_tags_key_value_number")
        batch_op.create_index("ix_task_tags_person_key_value_number", ["person", "key", "value", "number"])
        batch_op.create_index("ix_task_tags_person_key_number", ["person", "key", "number"])

    _compare_names("C")
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_index("ix_tasks_state")
        batch_op.create_index("ix_tasks_state_number", ["state", "number"])
        batch_op.create_index("ix_tasks_name_number", ["name", "number"])
        batch_op.create_index("ix_tasks_person_name_number", ["person", "name", "number"])


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_index("ix_tasks_person_name_number")
        batch_op.drop_index("ix_tasks_name_number")
        batch_op.drop_index("ix_tasks_state_number")
        batch_op.create_index("ix_tasks_state", ["state"])
    _compare_names("default")

    with op.batch_alter_table("task_tags") as batch_op:
        batch_op.drop_index("ix_task_tags_person_key_number")
        batch_op.drop_index("ix_task_tags_person_key_value_number")
        batch_op.create_index("ix_task_tags_key_value_number", ["key", "value", "number"])
        batch_op.drop_column("person")

    op.drop_table("task_outputs")


def _compare_names(collation: str) -> None:
    # SQLite compares letter by letter anyway.
    if op.get_bind().dialect.name == postgresql.dialect.name:
        op.alter_column("tasks", "name", type_=sa.String(200, collation=collation))
