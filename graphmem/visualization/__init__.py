"""Pictures: subgraphs and attributed answers as HTML, charts of reports."""
