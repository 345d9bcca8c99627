"""The authors' release: shipped as tables, browsed, recomputed as they did it, and questioned.

``manifest`` says which files belong to it, ``importer`` turns them into Parquet tables, and ``store`` opens those: the
ones that ship, or another version that was fetched (``fetch``) or imported. ``recipe_paper`` and ``recipe_honest`` make
curves of the tables; ``letitwag``, ``corpora`` and ``claims`` hold the other views; ``overlay`` lays one's own run
beside the published ones.
"""
