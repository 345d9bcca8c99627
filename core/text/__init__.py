"""Strings: matching, spelling and searching names; knows no counts and no images."""
