"""Rows brought back from evidence: the loads with their checksums first, then the journal, then votes."""

from __future__ import annotations

import sqlite3
from itertools import chain, product
from typing import Any

from graphmem.core.names import normalise, normalise_relation
from graphmem.storage import bulk_sums
from graphmem.storage.maintenance import single_bit
from graphmem.storage.maintenance.evidence import Evidence, Key, holds
from graphmem.storage.maintenance.report import some
from graphmem.storage.maintenance.salvage import Copies
from graphmem.storage.maintenance.values import agree
from graphmem.storage.maintenance.votes import Words, candidates, elected, usual_spelling
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.row_images import Change, Cut
from graphmem.storage.tables.schema import NAMES

ALIKE = 12  # choices of the same kind for all doubtful rows that are compared with a checksum first
TRIED = 4096  # combinations of doubtful values that are compared with a checksum
ORDER = ("nodes", "aliases", "edges", "edge_sources")  # rows that others refer to first

Columns = dict[str, Any]


class Restoration:
    """Work on one file. ``restored`` and ``lost`` say in words what was done and what could not be.

    ``doubtful`` rows are left as they are, and the journal knows another state of them.
    """

    def __init__(self, raw: sqlite3.Connection, copies: Copies, evidence: Evidence) -> None:
        self.raw, self.copies, self.evidence = raw, copies, evidence
        self.said = Words(raw)
        self.restored: list[str] = []
        self.lost: list[str] = []
        self.doubtful: dict[Key, Columns | None] = {}
        self.displaced: dict[str, list[Columns]] = {"nodes": [], "edges": []}  # rows under ids that none is given

    def _write(self, table: str, key: rows.Row, image: Columns | None) -> bool:
        """Put a row in the place of what is there; False where it is the same or cannot be stored."""
        before = rows.fetch(self.raw, table, key)
        after = None if image is None else rows.as_row(table, image)
        if before == after:
            return False
        try:
            rows.put(self.raw, table, before, after)
        except sqlite3.IntegrityError:
            return False
        return True

    def unnumbered(self) -> None:
        """Rows with ids that none is given: a damaged id, whose own row comes back from evidence."""
        for table in ("namespaces", "sources", "relations", "nodes", "edges"):
            if found := self.raw.execute(f"SELECT id FROM {table} WHERE id < 1").fetchall():
                for key in found if table in self.displaced else ():
                    self.displaced[table].append(rows.as_mapping(table, rows.fetch(self.raw, table, key)) or {})
                self.raw.execute(f"DELETE FROM {table} WHERE id < 1")
                self.restored.append(f"{table} without {some(found)}, ids that no row is given")

    def dictionaries(self) -> None:
        """Names of relations, sources and namespaces that the journal holds copies of."""
        wrong = self.evidence.misnamed(self.raw)
        used = self.evidence.used(self.raw) if wrong else {}
        for (table, number), row in wrong.items():
            image = dict(zip(NAMES[table], row, strict=True))
            if table == "relations":
                image["norm"] = normalise_relation(image["name"])
            for (other,) in self.raw.execute(f"SELECT id FROM {table} WHERE name = ? AND id <> ?", (row[-1], number)):
                if (table, other) not in self.evidence.names and other not in used[table]:
                    self.raw.execute(f"DELETE FROM {table} WHERE id = ?", (other,))  # the row, under a damaged id
            marks = ", ".join("?" * len(image))
            try:
                if not self.raw.execute(f"SELECT 1 FROM {table} WHERE id = ?", (number,)).fetchone():
                    sql = f"INSERT INTO {table}({', '.join(image)}) VALUES ({marks})"
                    self.raw.execute(sql, list(image.values()))
                else:
                    sql = f"UPDATE {table} SET ({', '.join(image)}) = ({marks}) WHERE id = ?"
                    self.raw.execute(sql, [*image.values(), number])
            except sqlite3.IntegrityError:  # another row has the name
                self.lost.append(f"{table} {number}: the name {image['name']!r:.80}, which another row has now")
                continue
            self.restored.append(
                f"the name of {table.removesuffix('s')} {number}, {image['name']!r:.80}, from the journal"
            )

    def loads(self) -> None:
        """Rows of bulk loads: known constants, and the copies of their values that make the checksum right."""
        for block in self.evidence.blocks(self.raw):
            fixed = {number: dict(row) for number, row in block.rows.items()}
            for number in block.altered():
                named = self.evidence.before[block.table].get(number) or {}
                columns = [c for c in fixed[number] if c not in bulk_sums.VARYING[block.table] and c not in named]
                fixed[number].update({column: block.constant.get(column) for column in columns})
            options = self._options(block, fixed)
            doubtful = {n: found for n, found in options.items() if not self._quiet(block.table, n, fixed.get(n))}
            sure = self._chosen(block, fixed, doubtful) or self._chosen(block, fixed, options)
            turned = None if sure else single_bit.as_loaded(block, fixed)
            if turned is not None:
                fixed, sure = turned, True
            if not sure:
                self._by_vote(block.table, fixed, options)
                sure = block.holds(fixed)
            held = block.journalled & block.rows.keys()  # the journal brings these back
            changed = [n for n, row in fixed.items() if n not in held and row != block.rows.get(n)]
            done = [n for n in changed if self._write(block.table, (n,), fixed[n])]
            if done:
                how = "" if sure else ", without a checksum to confirm it"
                self.restored.append(f"{block.table} {some(done)} as entry {block.entry} loaded them{how}")

    def _chosen(self, block: bulk_sums.Block, fixed: dict[int, Columns], options: dict[int, list[Columns]]) -> bool:
        """Choose among the options of doubtful rows by the checksum; False where no choice makes it right."""
        present = {number: row for number, row in fixed.items() if number not in options}
        total = 1
        for found in options.values():
            total *= len(found)
        if not options or len(present) + len(options) != block.last - block.first + 1:
            return False
        alike = (tuple(found[min(k, len(found) - 1)] for found in options.values()) for k in range(ALIKE))
        for choice in chain(alike, product(*options.values()) if total <= TRIED else ()):
            if block.holds(present | dict(zip(options, choice, strict=True))):
                fixed.update(zip(options, choice, strict=True))
                return True
        return False

    def _by_vote(self, table: str, fixed: dict[int, Columns], options: dict[int, list[Columns]]) -> None:
        for number, found in options.items():
            chosen = self._by_majority(table, number, found)
            if chosen is not None:
                fixed[number] = chosen

    def _quiet(self, table: str, number: int, row: Columns | None) -> bool:
        """Whether a node's name, normal form and index agree; its words in full-text search may not."""
        if table != "nodes" or row is None or not isinstance(row["name"], str):
            return False
        norm = self.copies.norms.get(number, (0, row["norm"]))[1]
        return bool(normalise(row["name"]) == row["norm"] == norm)

    def _options(self, block: bulk_sums.Block, fixed: dict[int, Columns]) -> dict[int, list[Columns]]:
        """Rows that are missing or that a copy contradicts, with what they may have been, by id."""
        found: dict[int, list[Columns]] = {}
        usual = usual_spelling([(row["name"], row["norm"]) for row in fixed.values()] if block.table == "nodes" else [])
        for number in range(block.first, block.last + 1):
            row = fixed.get(number)
            if (row is not None and number in block.journalled) or not block.by_load:
                continue
            options = self._of_node(number, row) if block.table == "nodes" else self._of_edge(number, row)
            base = {"id": number, **block.constant} if row is None else row
            if row is None:
                taken = bulk_sums.VARYING[block.table][1:]
                options += [
                    {column: other[column] for column in taken} for other in self.displaced[block.table][:ALIKE]
                ]
            if options or row is None:
                known = self.evidence.before[block.table].get(number) or {}
                found[number] = [{**base, **option, **known} for option in options]
                if row is None and block.table == "nodes":
                    found[number].sort(key=lambda option: option["name"] != usual(str(option["norm"])))
                if row is not None:
                    found[number].insert(0, row)
        return {number: options for number, options in found.items() if options}

    def _of_node(self, number: int, row: Columns | None) -> list[Columns]:
        norm = self.copies.norms.get(number, (0, ""))[1]
        words = self.copies.words.get(number, [])
        name, own = (row["name"], row["norm"]) if row else (None, norm)
        if self._quiet("nodes", number, row) and (not words or self._said(number, str(name), words)):
            return []
        norms = [form for form in (own, norm) if isinstance(form, str) and form]
        return [{"name": name, "norm": form} for name, form in candidates(name, norms, words)]

    def _said(self, number: int, name: str, words: list[str]) -> bool:
        plain = name.lower().split()
        return plain == words or self.said.of(name) == words

    def _of_edge(self, number: int, row: Columns | None) -> list[Columns]:
        out, into = self.copies.ends.get(number), self.copies.objects.get(number)
        options: list[Columns] = []
        if out is not None:
            options.append(dict(zip(("src", "dst", "rel"), out, strict=True)))
        if into is not None and row is not None and into != row["dst"]:
            options.append({"dst": into})
        if row is None:
            return [{**option, "strength": 1.0} for option in options if "src" in option]
        changed = [option for option in options if any(row[c] != value for c, value in option.items())]
        odd = not isinstance(row["strength"], float) or row["strength"] % 1 or not 1 <= row["strength"] < 1 << 40
        return [{**option, "strength": 1.0} if odd else option for option in changed or [{}] * bool(odd)]

    def _by_majority(self, table: str, number: int, options: list[Columns]) -> Columns | None:
        """The option that most copies hold; None without one."""
        if table == "edges":
            into = self.copies.objects.get(number)
            for option in options:
                ends = (option["src"], option["dst"], option["rel"])
                if self.copies.ends.get(number) == ends and into in (None, option["dst"]):
                    held = self.raw.execute("SELECT src, dst, rel FROM edges WHERE id = ?", (number,)).fetchone()
                    if held is None or (held[0], held[2]) == (ends[0], ends[2]):
                        return option  # the row and both indexes, or the indexes alone
            return None
        row = rows.as_mapping("nodes", rows.fetch(self.raw, "nodes", (number,)))
        chosen = self._vote(number, row)
        if chosen is None and row is None:
            return options[0]
        return None if chosen is None else {**options[0], "name": chosen[0], "norm": chosen[1]}

    def _vote(self, number: int, row: Columns | None) -> tuple[str, str] | None:
        index = self.copies.norms.get(number)
        norms = [form for form in (row and row["norm"], index and index[1]) if isinstance(form, str) and form]
        return elected(row and row["name"], norms, self.copies.words.get(number, []), self.said)

    def strays(self) -> None:
        """Rows that no entry names and that hold what a missing row held: that row under a damaged id. They go."""
        missing = set()
        for (table, key), state in self.evidence.newest.items():
            if table in ("nodes", "edges") and state and rows.fetch(self.raw, table, key) is None:
                missing.add((table, rows.as_row(table, state)[1:]))
        for table, unknown in self.evidence.unknown(self.raw) if missing else ():
            found = [row for key in unknown if (row := rows.fetch(self.raw, table, key)) is not None]
            for row in found:
                if (table, row[1:]) in missing:
                    self._write(table, row[:1], None)
                    self.restored.append(f"{table} {row[0]}: what another id held, which has it again")

    def journal(self) -> None:
        """Rows that the journal knows; an entry that cannot be trusted may have changed what it touched since."""
        doubtful: dict[int, int] = {}
        for entry in sorted(self.evidence.altered):
            for (node,) in self.raw.execute("SELECT node FROM touched WHERE entry = ?", (entry,)):
                doubtful[node] = entry
        done: dict[str, list[str]] = {}
        for where, state in sorted(self.evidence.newest.items(), key=lambda item: ORDER.index(item[0][0])):
            table, key = where
            if holds(self.raw, where, state):
                continue
            image = rows.as_mapping(table, rows.fetch(self.raw, table, key))
            known = {**(image or {}), **(state or {})}
            nodes = [known.get(column) or 0 for column in ("src", "dst", "node")] + [key[0]] * (table == "nodes")
            if image is not None and max(doubtful.get(node, 0) for node in nodes) > self.evidence.named[where]:
                self.lost.append(f"{table} {_of(key)}: an entry that cannot be read may have changed it; left as it is")
                self.doubtful[where] = state
                continue
            fresh = None if state is None else {**(image or {}), **_without_cuts(state, image)}
            if self._write(table, key, fresh):
                done.setdefault(table, []).append(_of(key))
            if not holds(self.raw, where, state):
                self.lost.append(f"{table} {_of(key)}: only a part of what it was is known")
        self.restored += [f"{table} {some(keys)} from the journal" for table, keys in done.items()]

    def kept(self) -> list[Change]:
        """Changes from what the journal knows of the doubtful rows to what they are."""
        found = []
        for (table, key), state in self.doubtful.items():
            row = rows.fetch(self.raw, table, key)
            image = rows.as_mapping(table, row)
            before = None if state is None else rows.as_row(table, {**(image or {}), **_without_cuts(state, image)})
            if row != before:
                found.append(Change(table, before, row))
        return found

    def names(self) -> None:
        """Names of nodes and relations that no checksum and no trusted entry settles."""
        certain = {key[0] for (table, key), state in self.evidence.newest.items() if table == "nodes" and state}
        doubtful = {number: None for number, name, norm in self.raw.execute("SELECT id, name, norm FROM nodes")
                    if not agree("nodes", number, name, norm)
                    or self.copies.norms.get(number, (0, norm))[1] != norm}  # fmt: skip
        for number in doubtful:
            row = rows.as_mapping("nodes", rows.fetch(self.raw, "nodes", (number,))) or {}
            chosen = self._vote(number, row)
            if number in certain and isinstance(row["name"], str):
                chosen = row["name"], normalise(row["name"])
            self._named("nodes", number, row, chosen)
        for number, name, norm in self.raw.execute("SELECT id, name, norm FROM relations").fetchall():
            norms = [str(norm), self.copies.relation_norms.get(number, (0, str(norm)))[1]]
            other = self.copies.relations.get(number, (0, name))[1]
            if ("relations", number) in self.evidence.names:
                continue
            if not agree("relations", number, name, norm) or norms[0] != norms[1] or other != name:
                spelled = [text for text in (name, other) if isinstance(text, str)]
                form = normalise_relation
                chosen = next(
                    ((text, form(text)) for text in spelled if norms.count(form(text)) == 2),
                    elected(name, [*norms, form(str(other))], [], self.said, form),
                )
                if name != other and form(str(name)) == form(str(other)):
                    chosen = None  # they differ in capitals or typography alone: nothing else knows them
                self._named("relations", number, {"name": name, "norm": norm}, chosen)

    def _named(self, table: str, number: int, row: Columns, chosen: tuple[str, str] | None) -> None:
        if chosen is None:
            self.lost.append(f"{table} {number}: name {row['name']!r:.80} and normal form {row['norm']!r:.80} "
                             "disagree without a majority; left as they are")  # fmt: skip
        elif chosen != (row["name"], row["norm"]):
            sql = f"UPDATE OR IGNORE {table} SET name = ?, norm = ? WHERE id = ?"
            if self.raw.execute(sql, (*chosen, number)).rowcount:
                self.restored.append(f"{table} {number}: name {chosen[0]!r:.80} by the majority of its copies")

    def account(self) -> None:
        """What is still not as it was."""
        for entry in sorted(self.evidence.altered):
            self.lost.append(f"what entry {entry} recorded, which cannot be trusted")
        for block in self.evidence.blocks(self.raw):
            gone = block.missing() or block.altered()
            which = some(gone) if gone else f"{block.first} to {block.last}, at least one"
            self.lost.append(f"{block.table} {which}: not as entry {block.entry} loaded them")


def _without_cuts(state: Columns, image: Columns | None) -> Columns:
    """Known values; of a text of which only a change is known, the present one."""
    held = image or {}
    return {c: held.get(c, "") if isinstance(value, Cut) else value for c, value in state.items()}


def _of(key: rows.Row) -> str:
    return str(key[0] if len(key) == 1 else key)
