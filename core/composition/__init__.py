"""Attribute-object compositions: does a model that knows "red" and "anchor" know a red anchor it never saw?"""
