"""Common corruptions and perturbation sequences."""
