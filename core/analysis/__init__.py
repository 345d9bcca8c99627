"""What is computed from answers: curves, comparisons, confusion, flips, prompts, names."""
