"""Runs are found by name, state, tag, time and workflow; projects take turns; datasets keep ledgers of queries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NAME = sa.String(length=200).with_variant(sa.String(200, collation="C"), "postgresql")
INDEXES = {
    "ix_runs_person_number": ["person", "number"],
    "ix_runs_person_state_number": ["person", "state", "number"],
    "ix_runs_person_name_number": ["person", "name", "number"],
    "ix_runs_person_workflow_number": ["person", "workflow", "number"],
    "ix_runs_person_created": ["person", "created"],
    "ix_runs_project_state": ["project", "state"],
    "ix_runs_project_turn": ["project", "turn"],
}

LEDGER = {
    "dataset_queries": [("dataset", "population"), ("dataset", "size"), ("dataset", "project", "asked")],
    "query_allowances": [("dataset", "project", "since")],
}


def upgrade() -> None:
    """Go forward; runs that are there get their names and tags from what was asked."""
    op.create_table(
        "run_tags",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=1000), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["runs.number"], name=op.f("fk_run_tags_number")),
        sa.PrimaryKeyConstraint("number", "key", name=op.f("pk_run_tags")),
    )
    with op.batch_alter_table("run_tags") as batch_op:
        batch_op.create_index("ix_run_tags_person_key_value_number", ["person", "key", "value", "number"])
        batch_op.create_index("ix_run_tags_person_key_number", ["person", "key", "number"])
    with op.batch_alter_table("runs") as batch_op:
        batch_op.add_column(sa.Column("name", NAME, nullable=False, server_default=""))
        batch_op.add_column(sa.Column("tags", JSON, nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("resumed", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("turn", sa.DateTime(timezone=True), nullable=True))
    _fill()
    with op.batch_alter_table("runs") as batch_op:
        batch_op.drop_index("ix_runs_person")
        batch_op.drop_index("ix_runs_project")
        for name, columns in INDEXES.items():
            batch_op.create_index(name, columns)
    with op.batch_alter_table("run_tasks") as batch_op:
        batch_op.create_index("ix_run_tasks_run_number", ["run", "number"])
        batch_op.create_index("ix_run_tasks_run_state", ["run", "state"])
    _ledger()


def _ledger() -> None:
    with op.batch_alter_table("datasets") as batch_op:
        batch_op.add_column(sa.Column("min_population", sa.Integer(), nullable=True))
    op.create_table(
        "dataset_queries",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("workflow", sa.String(length=150), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("population", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("members", JSON, nullable=False),
        sa.Column("near", sa.Boolean(), nullable=False),
        sa.Column("leaves", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_queries_dataset")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_dataset_queries")),
        sa.UniqueConstraint("run", "dataset", name=op.f("uq_dataset_queries_run_dataset")),
    )
    op.create_table(
        "query_allowances",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("allowed_by", sa.String(length=200), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_query_allowances_dataset")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_query_allowances")),
    )
    for table, columns in LEDGER.items():
        with op.batch_alter_table(table) as batch_op:
            for index in columns:
                batch_op.create_index("_".join(["ix", table, *index]), list(index))


def downgrade() -> None:
    """Go back."""
    op.drop_table("query_allowances")
    op.drop_table("dataset_queries")
    # Not in a batch: SQLite would make the table anew, which rows of other tables point to.
    op.execute("ALTER TABLE datasets DROP COLUMN min_population")
    with op.batch_alter_table("run_tasks") as batch_op:
        batch_op.drop_index("ix_run_tasks_run_state")
        batch_op.drop_index("ix_run_tasks_run_number")
    with op.batch_alter_table("runs") as batch_op:
        for name in INDEXES:
            batch_op.drop_index(name)
        batch_op.create_index("ix_runs_project", ["project"])
        batch_op.create_index("ix_runs_person", ["person"])
    for column in ("turn", "resumed", "tags", "name"):
        op.execute(f"ALTER TABLE runs DROP COLUMN {column}")
    op.drop_table("run_tags")


def _fill() -> None:
    runs = sa.table(
        "runs",
        *(sa.column(name) for name in ("number", "person", "workflow", "version", "name", "started", "turn")),
        sa.column("request", JSON),
        sa.column("tags", JSON),
    )
    run_tags = sa.table("run_tags", *(sa.column(name) for name in ("number", "key", "value", "person")))
    connection = op.get_bind()
    columns = (runs.c.number, runs.c.person, runs.c.workflow, runs.c.version, runs.c.request)
    for number, person, workflow, version, request in connection.execute(sa.select(*columns)).all():
        tags = {str(key)[:255]: str(value)[:1000] for key, value in request.get("tags", {}).items()}
        name = (tags.get("name") or f"{workflow}/{version}")[:200]
        connection.execute(sa.update(runs).where(runs.c.number == number).values(name=name, tags=tags))
        for key, value in tags.items():
            connection.execute(sa.insert(run_tags).values(number=number, key=key, value=value, person=person))
    connection.execute(sa.update(runs).values(turn=runs.c.started))
