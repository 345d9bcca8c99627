"""Natural and synthetic distribution shifts, effective robustness, train-test overlap."""
