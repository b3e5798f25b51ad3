"""What an evaluation found: JSON, terminal, HTML page, plots."""
