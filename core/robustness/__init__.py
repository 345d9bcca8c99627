"""Robustness of zero-shot and supervised classifiers: distribution shifts, corruptions and attacks."""
