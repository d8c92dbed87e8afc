"""Recorded time: entries are in the order of their ids, and carry the time of the clock where it can be right."""

from __future__ import annotations

import sqlite3

DRIFT = 86_400_000_000  # microseconds that entries may lie ahead of the clock; further ahead, another clock was wrong
CLOCK_LOST = 1_000_000_000_000_000  # a clock before September 2001 has lost its time


def latest(raw: sqlite3.Connection, now: int) -> int:
    """Time of the latest entry in microseconds, 0 before the first; entries of a clock that ran ahead do not count."""
    if now < CLOCK_LOST:
        row = raw.execute("SELECT at FROM journal ORDER BY id DESC LIMIT 1").fetchone()
    else:
        row = raw.execute("SELECT max(at) FROM journal WHERE at <= ?", (now + DRIFT,)).fetchone()
    return (row and row[0]) or 0


def next_moment(raw: sqlite3.Connection, now: int) -> int:
    """Time of the next entry: the clock's, or just after the latest entry where the clock stopped or went back.

    After an entry of a clock that ran ahead, the file is marked: its entries are not in the order of their times.
    Writes; call it inside a transaction.
    """
    newest = raw.execute("SELECT max(at) FROM journal").fetchone()[0]
    if newest is None or newest < now:
        return now
    at = max(now, latest(raw, now) + 1)
    while raw.execute("SELECT 1 FROM journal WHERE at = ?", (at,)).fetchone():
        at += 1
    if at < newest:
        raw.execute("INSERT OR IGNORE INTO meta(key, value) VALUES ('unordered', 1)")
    return at


def unordered(raw: sqlite3.Connection) -> bool:
    """Whether a clock once ran ahead, so that an entry has an earlier time than one before it."""
    return raw.execute("SELECT 1 FROM meta WHERE key = 'unordered'").fetchone() is not None


def last_entry(raw: sqlite3.Connection, moment: int) -> int:
    """The newest journal entry recorded by a moment, 0 before the first."""
    newest = "SELECT max(id) FROM journal WHERE at <= ?"
    if not unordered(raw):
        newest = "SELECT id FROM journal WHERE at <= ? ORDER BY at DESC LIMIT 1"
    found = raw.execute(newest, (moment,)).fetchone()
    return (found and found[0]) or 0
