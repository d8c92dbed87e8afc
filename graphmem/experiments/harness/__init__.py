"""What every experiment shares: resumable runs, scoring, cost, reports."""
