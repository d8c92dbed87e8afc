"""What every experiment shares: options, resumable parts, scoring and reports."""
