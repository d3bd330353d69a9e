"""Speaks HTTP for datasets: make, share, fill and list them; no plaintext ever comes this way."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from sqlalchemy import orm
from starlette.concurrency import run_in_threadpool

from archive import datasets, queries, rules, streams, uploads
from archive.schemas import (
    EndOfShare,
    MoreQueries,
    Named,
    NewDataset,
    NewFile,
    Received,
    Recipient,
    Share,
    ShownDataset,
    ShownFile,
)
from archive.store import Dataset
from strongroom.bodies import expect
from strongroom.database import reading, transaction
from strongroom.http import SignedIn

router = APIRouter(prefix="/api/archive/v1")


@router.post("/datasets")
def create_dataset(request: Request, person: SignedIn, asked: Annotated[NewDataset, Body()]) -> ShownDataset:
    """Make an empty dataset (operators, DAC members, or the operator of its home project)."""
    with transaction(request.app.state.engine) as session:
        made = datasets.create(
            session,
            person.id,
            asked.id,
            title=asked.title or asked.id,
            observability=asked.observability,
            sensitivity=asked.sensitivity,
            project=asked.project,
            min_population=asked.min_population,
        )
        return _shown(session, made)


@router.get("/datasets")
def list_datasets(request: Request, person: SignedIn) -> list[ShownDataset]:
    """List the datasets that the asker may know of."""
    with reading(request.app.state.engine) as session:
        return [_shown(session, row) for row in datasets.visible(session, person.id)]


@router.get("/datasets/{dataset}")
def show_dataset(request: Request, person: SignedIn, dataset: str) -> ShownDataset:
    """Return one dataset with the names of its files."""
    with reading(request.app.state.engine) as session:
        return _shown(session, datasets.check_knows(session, person.id, dataset))


@router.post("/datasets/{dataset}:share")
def share_dataset(request: Request, person: SignedIn, dataset: str, asked: Annotated[Share, Body()]) -> ShownDataset:
    """Let a project use a dataset."""
    with transaction(request.app.state.engine) as session:
        datasets.share(session, person.id, dataset, project=asked.project, until=asked.until)
        return _shown(session, datasets.find(session, dataset))


@router.post("/datasets/{dataset}:unshare")
def unshare_dataset(
    request: Request, person: SignedIn, dataset: str, asked: Annotated[EndOfShare, Body()]
) -> ShownDataset:
    """Take a dataset back from a project; no more keys of it are granted there."""
    with transaction(request.app.state.engine) as session:
        datasets.unshare(session, person.id, dataset, project=asked.project)
        return _shown(session, datasets.find(session, dataset))


@router.post("/datasets/{dataset}:allow-queries")
def allow_queries(
    request: Request, person: SignedIn, dataset: str, asked: Annotated[MoreQueries, Body()]
) -> dict[str, Any]:
    """Let a project ask more of a dataset today than its budget (DAC members; T6)."""
    with transaction(request.app.state.engine) as session:
        queries.allow(session, person.id, dataset, project=asked.project, queries=asked.queries)
    return {"dataset": dataset, "project": asked.project, "queries": asked.queries}


@router.post("/datasets/{dataset}:delete")
def delete_dataset(request: Request, person: SignedIn, dataset: str) -> dict[str, str]:
    """Destroy a dataset's keys, headers and bodies for ever."""
    state = request.app.state
    datasets.delete(state.engine, state.settings, actor=person.id, dataset=dataset)
    return {"deleted": dataset}


@router.get("/datasets/{dataset}/recipient")
def recipient_of(request: Request, person: SignedIn, dataset: str) -> Recipient:
    """Return the key that the asker seals new files to, on their own side."""
    state = request.app.state
    key = datasets.recipient(state.engine, state.settings, actor=person.id, dataset=dataset)
    return Recipient(public_key=key)


@router.post("/datasets/{dataset}/uploads")
async def upload_body(request: Request, person: SignedIn, dataset: str) -> Received:
    """Take a sealed body, straight to its store."""
    state = request.app.state
    most = await run_in_threadpool(uploads.check_may_upload, state.engine, person.id, dataset)
    expect(request, most=most, sentence=rules.TOO_LARGE)
    receive = partial(uploads.receive, state.engine, state.settings, person=person.id, dataset=dataset)
    return Received(**await streams.taken(request, lambda chunks: receive(chunks=chunks)))


@router.post("/datasets/{dataset}/files")
def name_file(request: Request, person: SignedIn, dataset: str, asked: Annotated[NewFile, Body()]) -> Named:
    """Make an uploaded body a file of the dataset."""
    state = request.app.state
    said = asked.model_dump()
    return Named(**uploads.register(state.engine, state.settings, person=person.id, dataset=dataset, said=said))


def _shown(session: orm.Session, row: Dataset) -> ShownDataset:
    sizes = rules.may_see_sizes(row.observability)
    files = [
        ShownFile(name=file.name, size=file.size if sizes else None, clear=file.clear)
        for file in datasets.files_of(session, row.id)
    ]
    return ShownDataset(
        id=row.id,
        title=row.title,
        observability=row.observability,
        sensitivity=row.sensitivity,
        created=row.created,
        derived_from_run=row.derived_from_run,
        ancestors=list(row.ancestors),
        projects=datasets.projects_of(session, row.id),
        files=files,
    )
