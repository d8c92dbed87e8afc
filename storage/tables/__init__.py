"""Rows: schema, migrations, connection, edits to rows, the journal, reads of nodes and facts."""
