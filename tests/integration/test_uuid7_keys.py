# SPDX-License-Identifier: MIT
"""uuid7 as a primary key: rows come back in the order in which they were inserted."""

from __future__ import annotations

import sqlite3
import uuid

import pytest

import vgetrandom


def test_sqlite() -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table events (id text primary key, number integer) without rowid")
        rows = [(vgetrandom.uuid7_str(), number) for number in range(5000)]
        database.executemany("insert into events values (?, ?)", rows)
        found = database.execute("select number from events order by id").fetchall()
    database.close()
    assert [number for (number,) in found] == list(range(5000))


def test_sqlalchemy() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    table = sqlalchemy.Table(
        "events",
        sqlalchemy.MetaData(),
        sqlalchemy.Column("id", sqlalchemy.Uuid, primary_key=True, default=vgetrandom.uuid7),
        sqlalchemy.Column("number", sqlalchemy.Integer),
    )
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        for number in range(500):
            connection.execute(table.insert().values(number=number))
        rows = connection.execute(sqlalchemy.select(table).order_by(table.c.id)).all()
    engine.dispose()
    assert [row.number for row in rows] == list(range(500))
    assert all(type(row.id) is uuid.UUID and row.id.version == 7 for row in rows)
