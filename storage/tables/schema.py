"""Tables of a memory file.

A file is known by SQLite's ``application_id``; ``user_version`` is the schema's version. Rows are journalled as whole
images, so ``COLUMNS`` fixes their order. ``relations``, ``sources``, ``namespaces`` and ``encoders`` are dictionaries:
they only grow and hold no facts, so they have no row images. The entry that adds a name to one of the first three holds
a copy of it (``NAMES``), and an entry that rewrites the journal holds all of them. A fact's ``entry`` is the journal
entry that recorded it, and so gives its time: a small number instead of the eight bytes of a time.

Columns that most rows leave empty:

- ``nodes.dated``, ``date_text``: the date of a passage or episode, as its first instant and as EDTF text.
- ``nodes.state_space``: the encoder of ``state``.
- ``edges.valid_time``: the valid interval as EDTF text, where the two instants do not say it exactly.
- ``edges.factuality``: NULL for asserted, else ``planned``, ``negated``, ``reported`` or ``uncertain``.
- ``edges.status``: NULL for stated, else ``inferred`` or ``suggested``.
- ``edges.qualifiers``: JSON object of relation to value.
- ``edges.passage``, ``span_start``, ``span_end``: the characters of a passage that a fact was read from.

``folds`` holds the folded forms of names and aliases (for search), where they differ from the normal forms (identity).
``sentences`` holds the sentences of passages by their characters in the passage's text. Both are indexes: they are not
journalled. ``vectors.sum`` and ``journal_sums`` are checksums of vectors and of the rows of bulk loads.
``relations_by_name`` is a second copy of the names of relations, as the constraints of ``sources`` are of theirs.
"""

from __future__ import annotations

APPLICATION_ID = 0x67_6D_65_6D  # ``gmem`` in ASCII

SCHEMA_VERSION = 4

COLUMNS: dict[str, tuple[str, ...]] = {
    "nodes": (
        "id", "ns", "name", "norm", "kind", "text", "attributes", "strength", "created_at", "retired_at", "state",
        "dated", "date_text", "state_space",
    ),
    "aliases": ("ns", "norm", "node", "alias"),
    "edges": (
        "id", "ns", "src", "rel", "dst", "valid_from", "valid_to", "entry", "retired_at", "confidence",
        "strength", "source", "text", "attributes", "valid_time", "factuality", "status", "qualifiers", "pinned",
        "passage", "span_start", "span_end",
    ),
    "edge_sources": ("edge", "source", "at"),
}  # fmt: skip
"""Journalled tables and the order of the columns in their row images; new columns go last and may be NULL."""

KEYS: dict[str, tuple[str, ...]] = {
    "nodes": ("id",),
    "aliases": ("ns", "norm", "node"),
    "edges": ("id",),
    "edge_sources": ("edge", "source"),
}
"""Primary key of each journalled table."""

NAMES: dict[str, tuple[str, ...]] = {
    "namespaces": ("id", "name"), "relations": ("id", "ns", "name"), "sources": ("id", "name"),
}  # fmt: skip
"""Dictionaries whose names the journal holds copies of, and the columns of a copy."""

STORED = (
    "meta", "namespaces", "nodes", "aliases", "relations", "sources", "edges", "edge_sources", "journal",
    "journal_parts", "journal_ranges", "journal_sums", "touched", "encoders", "vectors", "access", "sentences", "rules",
)  # fmt: skip
"""Tables that hold everything of a file, parents first; the others are indexes of them."""

SEARCH_TABLES = ("node_fts", "edge_fts", "sentence_fts")
"""Full-text indexes."""

EDGE_INDEXES = {
    "edges_out": "CREATE INDEX edges_out ON edges(src, dst, rel)",
    "edges_in": "CREATE INDEX edges_in ON edges(dst)",
}

NODE_INDEXES = {"nodes_by_norm": "CREATE UNIQUE INDEX nodes_by_norm ON nodes(ns, norm)"}

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE nodes(
    id INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL REFERENCES namespaces(id),
    name TEXT NOT NULL,
    norm TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'entity',
    text TEXT NOT NULL DEFAULT '',
    attributes TEXT,
    strength REAL NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    state BLOB,
    dated INTEGER,
    date_text TEXT,
    state_space INTEGER REFERENCES encoders(id)
);
CREATE TABLE aliases(
    ns INTEGER NOT NULL, norm TEXT NOT NULL, node INTEGER NOT NULL REFERENCES nodes(id), alias TEXT NOT NULL,
    PRIMARY KEY(ns, norm, node)
) WITHOUT ROWID;
CREATE INDEX aliases_by_node ON aliases(node);
CREATE TABLE relations(
    id INTEGER PRIMARY KEY, ns INTEGER NOT NULL REFERENCES namespaces(id), name TEXT NOT NULL, norm TEXT NOT NULL,
    UNIQUE(ns, norm)
);
CREATE UNIQUE INDEX relations_by_name ON relations(ns, name);
CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE edges(
    id INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL,
    src INTEGER NOT NULL REFERENCES nodes(id),
    rel INTEGER NOT NULL REFERENCES relations(id),
    dst INTEGER NOT NULL REFERENCES nodes(id),
    valid_from INTEGER,
    valid_to INTEGER,
    entry INTEGER NOT NULL,
    retired_at INTEGER,
    confidence REAL NOT NULL DEFAULT 1,
    strength REAL NOT NULL DEFAULT 1,
    source INTEGER REFERENCES sources(id),
    text TEXT NOT NULL DEFAULT '',
    attributes TEXT,
    valid_time TEXT,
    factuality TEXT,
    status TEXT,
    qualifiers TEXT,
    pinned INTEGER,
    passage INTEGER REFERENCES nodes(id),
    span_start INTEGER,
    span_end INTEGER
);
CREATE INDEX edges_by_passage ON edges(passage) WHERE passage IS NOT NULL;
CREATE TABLE edge_sources(
    edge INTEGER NOT NULL REFERENCES edges(id), source INTEGER NOT NULL REFERENCES sources(id), at INTEGER NOT NULL,
    PRIMARY KEY(edge, source)
) WITHOUT ROWID;
CREATE TABLE journal(
    id INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL REFERENCES namespaces(id),
    at INTEGER NOT NULL UNIQUE,
    action TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    undone INTEGER NOT NULL DEFAULT 0,
    target INTEGER REFERENCES journal(id),
    changes BLOB NOT NULL,
    chain BLOB NOT NULL,
    compacted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE journal_parts(
    entry INTEGER NOT NULL REFERENCES journal(id), part INTEGER NOT NULL, changes BLOB NOT NULL,
    PRIMARY KEY(entry, part)
);
CREATE TABLE journal_ranges(
    entry INTEGER NOT NULL REFERENCES journal(id), what TEXT NOT NULL CHECK(what IN ('nodes', 'edges')),
    first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY(entry, what)
) WITHOUT ROWID;
CREATE TABLE journal_sums(
    entry INTEGER NOT NULL REFERENCES journal(id), what TEXT NOT NULL CHECK(what IN ('nodes', 'edges')),
    first INTEGER NOT NULL, last INTEGER NOT NULL, sum BLOB NOT NULL, PRIMARY KEY(entry, what, first)
) WITHOUT ROWID;
CREATE TABLE touched(
    node INTEGER NOT NULL, entry INTEGER NOT NULL REFERENCES journal(id), PRIMARY KEY(node, entry)
) WITHOUT ROWID;
CREATE TABLE encoders(id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL);
CREATE TABLE vectors(
    node INTEGER PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE, encoder INTEGER NOT NULL REFERENCES encoders(id),
    data BLOB NOT NULL,
    sum INTEGER
);
CREATE TABLE access(
    node INTEGER PRIMARY KEY REFERENCES nodes(id) ON DELETE CASCADE, count INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE folds(
    ns INTEGER NOT NULL, fold TEXT NOT NULL, node INTEGER NOT NULL REFERENCES nodes(id) ON DELETE CASCADE,
    PRIMARY KEY(ns, fold, node)
) WITHOUT ROWID;
CREATE INDEX folds_by_node ON folds(node);
CREATE TABLE sentences(
    id INTEGER PRIMARY KEY,
    passage INTEGER NOT NULL REFERENCES nodes(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    UNIQUE(passage, position)
);
CREATE TABLE rules(
    id INTEGER PRIMARY KEY,
    ns INTEGER NOT NULL REFERENCES namespaces(id),
    rule TEXT NOT NULL,
    confidence REAL NOT NULL,
    support INTEGER NOT NULL DEFAULT 0,
    status TEXT,
    entry INTEGER REFERENCES journal(id),
    retired_at INTEGER
);
CREATE VIEW node_texts AS
    SELECT id, name,
        coalesce((
            SELECT group_concat(alias, ' | ') FROM (SELECT alias FROM aliases WHERE node = nodes.id ORDER BY norm)
        ), '') AS aliases, text
    FROM nodes;
CREATE VIRTUAL TABLE node_fts USING fts5(
    name, aliases, text, content='node_texts', content_rowid='id', tokenize="unicode61 remove_diacritics 2"
);
CREATE VIEW edge_texts AS SELECT id, text FROM edges WHERE text <> '';
CREATE VIRTUAL TABLE edge_fts USING fts5(
    text, content='edge_texts', content_rowid='id', tokenize="unicode61 remove_diacritics 2"
);
CREATE VIEW sentence_texts AS
    SELECT s.id, substr(n.text, s.start + 1, s.stop - s.start) AS text
    FROM sentences s CROSS JOIN nodes n ON n.id = s.passage;
CREATE VIRTUAL TABLE sentence_fts USING fts5(
    text, content='sentence_texts', content_rowid='id', tokenize="unicode61 remove_diacritics 2"
);
"""

FIRST_ROWS = (
    "INSERT INTO meta(key, value) VALUES ('next_node', 1), ('next_edge', 1), ('next_entry', 1), "
    "('identity', lower(hex(randomblob(16))))"
)


def split(ddl: str) -> list[str]:
    """Statements of a block of DDL, each of which ends with ``;`` and a line break."""
    return [part.strip() for part in ddl.split(";\n") if part.strip()]


def statements() -> list[str]:
    """Every statement that makes an empty memory, in order; run them in one transaction."""
    return [
        *split(TABLES),
        *NODE_INDEXES.values(),
        *EDGE_INDEXES.values(),
        FIRST_ROWS,
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ]
