"""Statistics: intervals, bootstrap, paired tests, calibration."""
