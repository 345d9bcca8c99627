"""The embedded world: a small real benchmark whose pretraining counts are known exactly."""
