"""What every experiment shares: resumable runs, scoring, costs and reports.

A run consists of named parts; each part's rows are saved, so that a stopped run continues.
"""
