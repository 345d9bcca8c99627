"""Classifiers without prompts behind the interface of zero-shot models."""
