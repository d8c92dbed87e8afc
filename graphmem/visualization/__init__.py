"""Pictures: retrieved subgraphs and attributed answers as HTML, charts of reports.

HTML files are self-contained. Charts need the extra ``[viz]`` (matplotlib).
"""
