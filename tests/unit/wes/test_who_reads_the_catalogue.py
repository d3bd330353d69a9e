"""Who reads the catalogue by TRS: persons who signed in, or everyone if the settings say so; errors in TRS shape."""

import asyncio
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
import sqlalchemy as sa

import wes.trs
from strongroom import http
from strongroom.settings import Settings
from strongroom.vetters import Trs

TRS = "/ga4gh/trs/v2"


def ask(home: Path, readers: Literal["signed-in", "everyone"], path: str, **headers: str) -> httpx.Response:
    settings = Settings(home=home, trs=Trs(readers=readers))
    app = http.new_app("TRS", settings, engine=sa.create_engine("sqlite://"), issuers=[])
    app.include_router(wes.trs.open_router)
    app.include_router(wes.trs.router)

    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trs") as client:
            return await client.get(TRS + path, headers=headers)

    return asyncio.run(asked())


@pytest.mark.parametrize(("readers", "status"), [("signed-in", 401), ("everyone", 200)])
def test_the_settings_say_who_reads(readers: Any, status: int, tmp_path: Path) -> None:
    for path in ("/tools", "/toolClasses"):
        answer = ask(tmp_path, readers, path)
        assert answer.status_code == status
        if status == 401:
            assert answer.json()["code"] == 401
            assert "bearer token" in answer.json()["message"]
    assert ask(tmp_path, readers, "/service-info").status_code == 200


def test_a_token_that_is_no_good_is_refused_even_where_everyone_reads(tmp_path: Path) -> None:
    answer = ask(tmp_path, "everyone", "/tools", Authorization="Bearer forged")
    assert (answer.status_code, answer.json()["code"]) == (401, 401)
