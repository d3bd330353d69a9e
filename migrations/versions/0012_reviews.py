"""Draws, interests, comments, file groups, lifted blocks, stops, certificates, contacts and notices of reviews."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID, CODE, NAME, PERSON = sa.String(length=32), sa.String(length=40), sa.String(length=64), sa.String(length=200)
TIME = sa.DateTime(timezone=True)
REQUEST = "release_requests.id"


def upgrade() -> None:
    """Go forward; no vote of before is kept in another turn, and nobody was drawn."""
    with op.batch_alter_table("release_request_files") as files:
        files.add_column(sa.Column("supporting", sa.Boolean(), nullable=False, server_default=sa.false()))
        files.add_column(sa.Column("group", NAME, nullable=True))
        files.add_column(sa.Column("lifted_by", PERSON, nullable=True))
    with op.batch_alter_table("release_votes") as votes:
        votes.add_column(sa.Column("under", sa.Integer(), nullable=True))
        votes.add_column(sa.Column("kept_from", sa.Integer(), nullable=True))
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("needs_training", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name, columns in _tables().items():
        _create(name, columns)


def downgrade() -> None:
    """Go back; reviews lose what was said beside the votes."""
    for name in reversed(list(_tables())):
        op.drop_table(name)
    with op.batch_alter_table("projects") as projects:
        projects.drop_column("needs_training")
    with op.batch_alter_table("release_votes") as votes:
        votes.drop_column("kept_from")
        votes.drop_column("under")
    with op.batch_alter_table("release_request_files") as files:
        files.drop_column("lifted_by")
        files.drop_column("group")
        files.drop_column("supporting")


def _tables() -> dict[str, list[sa.Column]]:
    def one(name, kind, *, null=False, **more):  # type: ignore[no-untyped-def]  # noqa: ANN
        return sa.Column(name, kind, nullable=null, **more)

    key = {"primary_key": True}
    return {
        "review_draws": [
            one("id", ID, **key),
            one("request", ID),
            one("turn", sa.Integer()),
            one("steward", PERSON),
            one("drawn", TIME),
            one("ended", TIME, null=True),
            one("why", CODE, null=True),
        ],
        "review_interests": [one("request", ID, **key), one("steward", PERSON, **key), one("time", TIME)],
        "review_comments": [
            one("id", ID, **key),
            one("request", ID),
            one("turn", sa.Integer()),
            one("file", ID, null=True),
            one("author", PERSON),
            one("audience", CODE),
            one("remark", CODE, null=True),
            one("text", sa.Text(), null=True),
            one("confirmed_by", PERSON, null=True),
            one("time", TIME),
        ],
        "request_groups": [
            one("request", ID, **key),
            one("name", NAME, **key),
            one("context", sa.Text()),
            one("controls", sa.Text()),
        ],
        "block_lifts": [
            one("id", ID, **key),
            one("request", ID),
            one("project", NAME),
            one("turn", sa.Integer()),
            one("file", ID),
            one("body_sha256", NAME),
            one("codes", sa.Text()),
            one("senior", PERSON),
            one("reason", CODE),
            one("note", sa.Text()),
            one("time", TIME),
        ],
        "release_stops": [
            one("id", ID, **key),
            one("reason", CODE),
            one("stopped_by", PERSON),
            one("stopped", TIME),
            one("first_lift_by", PERSON, null=True),
            one("lifted_by", PERSON, null=True),
            one("lifted", TIME, null=True),
        ],
        "certificates": [
            one("id", sa.Integer(), **key),
            one("person", PERSON),
            one("training", ID),
            one("issuer", PERSON),
            one("sha256", NAME),
            one("since", TIME),
            one("until", TIME),
        ],
        "contacts": [one("person", PERSON, **key), one("email", sa.String(length=254)), one("changed", TIME)],
        "notices": [
            one("id", ID, **key),
            one("kind", CODE),
            one("person", PERSON, null=True),
            one("way", CODE),
            one("request", PERSON),
            one("attempts", sa.Integer()),
            one("next_try", TIME),
            one("lease", ID, null=True),
            one("sent", TIME, null=True),
            one("given_up", TIME, null=True),
            one("created", TIME),
        ],
    }


INDEXED = {
    "review_draws": ("request",),
    "review_comments": ("request",),
    "block_lifts": ("project", "request"),
    "certificates": ("person",),
}
OF_REQUESTS = ("review_draws", "review_interests", "review_comments", "request_groups", "block_lifts")


def _create(name: str, columns: list[sa.Column]) -> None:
    keys: list[sa.Constraint] = []
    if name in OF_REQUESTS:
        keys = [sa.ForeignKeyConstraint(["request"], [REQUEST], name=op.f(f"fk_{name}_request"))]
    op.create_table(name, *columns, *keys)
    for column in INDEXED.get(name, ()):
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column], unique=False)
    if name == "notices":
        op.create_index(op.f("ix_notices_sent_next"), name, ["sent", "next_try"], unique=False)
